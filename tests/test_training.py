"""The settings of a fit, and what a fit returns."""

from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from helpers import fit, training_of
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm._core.classes import Labels
from sk_ebm._core.folds import Folds
from sk_ebm._core.groups import Groups
from sk_ebm._core.objective import Objective
from sk_ebm._core.training import FitResult, Penalty, Training
from sk_ebm.energies import LinearEnergy, TreesEnergy
from sk_ebm.losses._lambdarank import Lambda
from sk_ebm.losses._likelihood import NLL
from sk_ebm.losses._table1 import Hinge, Log, Perceptron

n = 60


@pytest.fixture
def training(objective, rng):
    return training_of(objective, rng, alpha=0.1)


@pytest.mark.parametrize("name", [field.name for field in fields(Training)])
def test_training_is_frozen(training, name):
    with pytest.raises(FrozenInstanceError):
        setattr(training, name, None)


@pytest.mark.parametrize("name", [field.name for field in fields(FitResult)])
def test_results_are_frozen(name):
    with pytest.raises(FrozenInstanceError):
        setattr(FitResult(None), name, None)


@pytest.mark.parametrize("energy", [LinearEnergy(), TreesEnergy(5)], ids=["linear", "trees"])
@pytest.mark.parametrize("settings", [{}, {"alpha": "auto", "calibrates": True}], ids=["", "auto"])
def test_a_fit_leaves_its_training_as_it_was(energy, settings, X, objective, rng):
    training = training_of(objective, rng, **settings)
    before, weights = dict(vars(training)), objective.weights.copy()
    energy.fit(X, training)
    assert list(vars(training)) == list(before)
    assert all(vars(training)[name] is value for name, value in before.items())
    assert_array_equal(objective.weights, weights)


def test_replace_and_with_alpha_leave_the_original(training):
    assert training.replace(max_iter=3).max_iter == 3
    assert training.with_alpha(2.0).penalty == Penalty(2.0, 0.0)
    assert (training.max_iter, training.penalty) == (1000, Penalty(0.1, 0.0))


def test_a_default_alpha_stands_for_auto_only(training):
    assert training.with_default_alpha(3.0) is training
    assert training.with_alpha("auto").with_default_alpha(3.0).penalty.alpha == 3.0


def test_as_likelihood_keeps_the_penalty_and_forgets_solver_and_reports(training):
    other = training.replace(
        objective=training.objective.replace(loss=Hinge()), solver="lbfgs", report=print
    ).as_likelihood()
    assert isinstance(other.objective.loss, NLL)
    assert (other.penalty, other.solver, other.report) == (training.penalty, "auto", None)


def test_iterations_are_those_of_the_history_and_at_least_one():
    assert FitResult(None).n_iter == FitResult(None, history=[0.1]).n_iter == 1
    assert FitResult(None, history=[0.3, 0.2, 0.1]).n_iter == 3
    assert FitResult(None, history=[0.1], n_iter=7).n_iter == 7


def test_outputs_of_the_fitted_rows_are_those_kept_or_those_of_the_energy():
    def energy(inputs):
        return 2 * inputs

    assert FitResult(energy).outputs_of(4) == 8
    assert FitResult(energy, outputs=5).outputs_of(4) == 5


def without_data(training, init, **changes):
    """The minimum, in a weight and a bias, if the outputs never move."""
    training = training.replace(solver="lbfgs", tol=1e-12, **changes)
    outputs = np.zeros((n, training.answers.n_outputs))

    def vjp(params):
        return outputs, lambda gradient: np.zeros_like(params)

    return training.minimize(init, vjp, np.array([1.0, 0.0]))


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_the_penalty_takes_weights_to_zero_and_leaves_biases(training, l1_ratio):
    found = without_data(training, np.array([1.0, 1.0]), penalty=Penalty(0.1, l1_ratio))
    assert_allclose(found.params, [0, 1], atol=1e-5)


def test_losses_without_scale_have_no_penalty(training):
    objective = training.objective.replace(loss=Perceptron())
    found = without_data(training, np.array([1.0, 1.0]), objective=objective)
    assert_array_equal(found.params, [1, 1])


def test_auto_is_no_penalty_where_the_energy_chooses_none(training):
    found = without_data(training.with_alpha("auto"), np.array([1.0, 1.0]))
    assert_array_equal(found.params, [1, 1])


def test_reports_are_those_of_the_history(training):
    values = []
    training = training.replace(report=lambda value, fitted: values.append((value, fitted())))
    outputs = np.zeros((n, training.answers.n_outputs))
    minimum = training.minimize(
        np.ones(1), lambda p: (outputs, lambda _: 0 * p), np.ones(1), lambda p: float(p[0])
    )
    assert [value for value, _ in values] == minimum.history != []
    assert_allclose(values[-1][1], minimum.params[0])


@pytest.mark.parametrize(
    ("loss", "kind", "l1_ratio", "solver"),
    [
        (NLL(), "linear", 0.0, "newton"),
        (NLL(), "linear", 0.5, "lbfgs"),
        (NLL(), "general", 0.0, "lbfgs"),
        (NLL(), "minibatch", 0.0, "adam"),
        (Log(), "linear", 0.0, "lbfgs"),
        (Hinge(), "linear", 0.0, "lbfgs"),
        (Perceptron(), "linear", 0.0, "adam"),
        (Lambda(), "linear", 0.0, "adam"),
    ],
)
def test_auto_chooses_the_solver_by_loss_penalty_and_kind(
    loss, kind, l1_ratio, solver, training, monkeypatch
):
    chosen = []

    def solve(name):
        return lambda objective, init, *_, **__: chosen.append(name) or (init, True)

    solvers = {name: solve(name) for name in ("newton", "lbfgs", "adam")}
    monkeypatch.setattr("sk_ebm._core.training.SOLVERS", solvers)
    training = training.replace(
        objective=training.objective.replace(loss=loss), penalty=Penalty(0.1, l1_ratio)
    )
    training.minimize(np.ones(1), None, np.ones(1), kind=kind)
    training.replace(solver="lbfgs").minimize(np.ones(1), None, np.ones(1), kind=kind)
    assert chosen == [solver, "lbfgs"]


@pytest.mark.parametrize(("enough", "n_folds"), [(1, 1), (41, 3), (np.inf, 5)])
def test_as_many_default_folds_as_hold_enough_samples_of_weight(enough, n_folds, rng):
    labels, weights = Labels(np.arange(200) % 2, 2), (np.arange(200) % 4 < 2).astype(float)
    training = training_of(Objective(labels, Hinge(), weights), rng, alpha=0.1)
    X = rng.standard_normal((200, 2))
    result = LinearEnergy().fit(X, training)
    samples, outputs = training.held_out_outputs(result, X, enough)
    assert len(samples) == len(outputs) == 40 * n_folds
    assert np.count_nonzero(weights[samples]) >= min(enough, 100)


def test_folds_of_the_user_are_all_used(X, training):
    folds = training.answers.folds(3, np.random.RandomState(1))
    training = training.replace(folds=folds)
    samples, _ = training.held_out_outputs(LinearEnergy().fit(X, training), X, enough=1)
    assert_array_equal(samples, folds.samples)


def test_held_out_outputs_of_the_fit_itself_are_taken(X, training):
    held_out = np.array([3]), np.zeros((1, 3))
    assert training.held_out_outputs(FitResult(None, held_out), X) is held_out


def test_a_single_sample_has_its_own_outputs(rng):
    X, query = rng.standard_normal((4, 2)), np.zeros(4, dtype=int)
    objective = Objective(Groups(np.array([1.0, 0, 0, 0]), query), NLL(), np.ones(1))
    training = training_of(objective, rng, alpha=0.1)
    result = LinearEnergy().fit(X, training)
    samples, outputs = training.held_out_outputs(result, X)
    assert samples.tolist() == [0]
    assert_array_equal(outputs, result.energy(X))


def test_cross_fitted_outputs_are_those_of_fits_on_the_other_folds(X, training, objective):
    folds = objective.answers.folds(3, np.random.RandomState(1))
    samples, outputs = training.cross_fit(LinearEnergy().fit(X, training), X, folds)
    assert_array_equal(samples, folds.samples)
    found = np.empty((n, 3))
    found[samples] = outputs
    for train, test in folds:
        clone = fit(LinearEnergy(), X[train], objective.take(train), alpha=0.1).energy
        assert_allclose(found[test], clone(X[test]), rtol=1e-6, atol=1e-8)


def test_folds_are_fitted_with_the_penalty_that_was_chosen(X, training):
    training = training.with_alpha("auto")
    result = LinearEnergy().fit(X, training)
    folds = training.answers.folds(2, np.random.RandomState(1))
    fixed = training.with_alpha(result.alpha)
    expected = fixed.replace(rng=np.random.RandomState(2)).cross_fit(result, X, folds)
    found = training.replace(rng=np.random.RandomState(2)).cross_fit(result, X, folds)
    assert_array_equal(found[1], expected[1])


def test_jobs_change_no_cross_fitted_output(X, training):
    result, found = LinearEnergy().fit(X, training), []
    for n_jobs in (None, 2):
        settings = training.replace(rng=np.random.RandomState(1), n_jobs=n_jobs)
        folds = training.answers.folds(2, np.random.RandomState(1))
        found.append(settings.cross_fit(result, X, folds)[1])
    assert_allclose(found[0], found[1], rtol=1e-10)


def test_clones_of_losses_without_a_margin_have_the_scale_of_the_energy(X, training):
    training = training.replace(objective=training.objective.replace(loss=Perceptron()))
    result = LinearEnergy().fit(X, training)
    spread = np.std(result.energy(X))
    outputs = training.cross_fit(result, X, training.default_folds())[1]
    assert 0.5 * spread < np.std(outputs) < 2 * spread


def test_a_training_fold_without_weight_is_refused(rng):
    weights = np.append(1.0, np.zeros(9))
    objective = Objective(Labels(np.arange(10) % 2, 2), NLL(), weights)
    training, X = training_of(objective, rng, alpha=0.1), rng.standard_normal((10, 2))
    folds = Folds.of_numbers(np.arange(10) % 2)
    with pytest.raises(ValueError, match="training fold have weight 0"):
        training.cross_fit(LinearEnergy().fit(X, training), X, folds)


def test_default_folds_are_five(training):
    folds = training.default_folds()
    assert len(folds) == 5
    folds.check_partition(n)


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.75])
def test_about_a_fraction_of_the_samples_is_held_out(training, fraction):
    assert_allclose(len(training.hold_out(fraction)) / n, fraction, atol=0.05)


def test_nothing_is_held_out_of_too_few_samples_or_without_weight(training, objective):
    few = training.replace(objective=objective.take(np.arange(15)))
    assert few.hold_out(0.1) is None
    weightless = training.replace(objective=objective.replace(weights=np.zeros(n)))
    assert weightless.hold_out(0.5) is None
