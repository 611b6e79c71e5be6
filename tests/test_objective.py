import re
from contextlib import ExitStack

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_info, threadpool_limits

from sk_ebm._core.classes import Labels
from sk_ebm._core.gibbs import Gibbs
from sk_ebm._core.objective import Objective
from sk_ebm._estimators.base import out_of_sample
from sk_ebm._utils.threads import one_blas_thread
from sk_ebm.energies import LinearEnergy
from sk_ebm.losses._likelihood import NLL
from sk_ebm.losses._registry import LOSSES
from sk_ebm.losses._table1 import Hinge, Log, Perceptron

n = 20


@pytest.fixture(params=[pytest.param(2, id="two"), pytest.param(4, id="four")])
def labels(request, rng):
    return Labels(rng.randint(request.param, size=n), request.param)


@pytest.fixture
def objective(labels, rng):
    return Objective(labels, NLL(), rng.uniform(0.5, 2, size=n), alpha=0.1)


@pytest.fixture
def outputs(labels, rng):
    return rng.standard_normal((n, labels.n_outputs))


def test_value_is_the_weighted_mean_loss(objective, outputs):
    answers = objective.answers
    values = NLL()(Gibbs(answers.arrange(outputs)[0]), answers.target)[0]
    expected = np.average(values, weights=objective.weights)
    assert_allclose(objective(outputs)[0], expected, rtol=1e-12)


EVERY_LOSS = [pytest.param(loss(), id=name) for name, loss in LOSSES.items()]


@pytest.mark.parametrize("loss", EVERY_LOSS)
def test_slopes_match_finite_differences(loss, objective, outputs, rng, derivative):
    objective, along = objective.with_(loss=loss), rng.standard_normal(outputs.shape)
    expected = derivative(lambda o: objective(o)[0], outputs, along)
    assert_allclose(np.vdot(objective(outputs)[1], along), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("loss", [NLL(), Log()])
def test_curvature_matches_finite_differences(loss, objective, outputs, rng, derivative):
    objective, along = objective.with_(loss=loss), rng.standard_normal(outputs.shape)
    product = objective.curvature(outputs).product(along)
    expected = derivative(lambda o: objective(o)[1], outputs, along)
    assert_allclose(product, expected, rtol=1e-6, atol=1e-9)


def test_curvature_diagonal_is_that_of_its_product(objective, outputs):
    curvature = objective.curvature(outputs)
    for o, unit in enumerate(np.eye(outputs.shape[1])):
        expected = curvature.product(np.tile(unit, (n, 1)))[:, o]
        assert_allclose(curvature.diagonal[:, o], expected, rtol=1e-12)


def test_damping_adds_to_the_curvature(objective, outputs, rng):
    v = rng.standard_normal(outputs.shape)
    damped = np.vdot(v, objective.curvature(outputs, damping=0.3).product(v))
    assert damped > np.vdot(v, objective.curvature(outputs).product(v))


def test_damped_diagonal_is_that_of_its_product(objective, outputs):
    curvature = objective.curvature(outputs, damping=0.3)
    for o, unit in enumerate(np.eye(outputs.shape[1])):
        expected = curvature.product(np.tile(unit, (n, 1)))[:, o]
        assert_allclose(curvature.diagonal[:, o], expected, rtol=1e-12)


@pytest.mark.parametrize("part", [pytest.param(0, id="value"), pytest.param(1, id="slopes")])
def test_blocks_add_up(objective, outputs, part):
    total, found = objective.weights.sum(), []
    for rows in np.array_split(np.arange(n), 3):
        block = objective.take(rows)
        found.append(block(outputs[rows])[part] * (block.weights.sum() / total))
    whole = objective(outputs)[part]
    assert_allclose(np.vstack(found) if part else sum(found), whole, rtol=1e-12, atol=1e-15)


def test_a_weight_of_two_equals_a_repeated_row(labels, outputs):
    weights = np.append(2.0, np.ones(n - 1))
    repeated = np.append(0, np.arange(n))
    expected = Objective(labels.take(repeated), NLL(), np.ones(n + 1))(outputs[repeated])[0]
    assert_allclose(Objective(labels, NLL(), weights)(outputs)[0], expected, rtol=1e-12)


def test_slopes_keep_float32(objective, outputs):
    assert objective(outputs.astype(np.float32))[1].dtype == np.float32


def test_curvature_keeps_float32(objective, outputs):
    outputs = outputs.astype(np.float32)
    assert objective.curvature(outputs, damping=0.1).product(outputs).dtype == np.float32


def test_only_gives_the_value_of_those_samples(objective, outputs):
    rows = np.arange(5, 12)
    expected = objective.take(rows)(outputs[rows])[0]
    assert_allclose(objective.only(rows)(outputs)[0], expected, rtol=1e-12)


def test_only_refuses_a_fold_without_weight(labels):
    objective = Objective(labels, NLL(), np.append(1.0, np.zeros(n - 1)))
    with pytest.raises(ValueError, match="weight 0"):
        objective.only([1, 2])


def test_judge_refuses_a_fold_without_weight(labels):
    objective = Objective(labels, NLL(), np.append(1.0, np.zeros(n - 1)))
    with pytest.raises(ValueError, match="test fold have weight 0"):
        objective.judge([1, 2])


def test_values_have_the_weighted_mean(objective, outputs):
    found = np.average(objective.values(outputs), weights=objective.weights)
    assert_allclose(found, objective(outputs)[0], rtol=1e-12)


@pytest.mark.parametrize(("enough", "n_folds"), [(1, 1), (41, 3), (np.inf, 5)])
def test_as_many_default_folds_as_hold_enough_samples_of_weight(enough, n_folds, rng):
    labels, weights = Labels(np.arange(200) % 2, 2), (np.arange(200) % 4 < 2).astype(float)
    objective, X = Objective(labels, Hinge(), weights, alpha=0.1), rng.standard_normal((200, 2))
    energy = LinearEnergy().fit(X, objective, rng)
    samples, outputs = out_of_sample(energy, X, objective, rng, enough)
    assert len(samples) == len(outputs) == 40 * n_folds
    assert np.count_nonzero(weights[samples]) >= min(enough, 100)


def test_with_starts_a_fresh_record(objective):
    objective.n_iter = 3
    assert objective.with_(alpha=1.0).n_iter == 0


def test_with_leaves_the_original(objective):
    objective.with_(alpha=1.0)
    assert objective.alpha == 0.1


def test_as_likelihood_has_the_value_of_nll(objective, outputs):
    other = objective.with_(loss=Hinge()).as_likelihood()
    assert_array_equal(other(outputs)[0], objective(outputs)[0])


def without_data(objective, init, l1_ratio=0.0):
    """Parameters (a weight and a bias) of least objective if the outputs never move."""
    objective = objective.with_(solver="lbfgs", l1_ratio=l1_ratio, tol=1e-12)
    outputs = np.zeros((n, objective.answers.n_outputs))

    def vjp(params):
        return outputs, lambda slopes: np.zeros_like(params)

    return objective.minimize(init, vjp, np.array([1.0, 0.0]), lambda params: None)


def test_samples_that_are_sure_and_wrong_choose_beta_for_a_likelihood_only(rng):
    outputs = rng.standard_normal((1000, 3))
    target = outputs.argmax(axis=1)
    outputs[:50] *= 5
    target[:100] = outputs[:100].argmin(axis=1)
    likelihood, hinge = (
        Objective(Labels(target, 3), loss, np.ones(1000)).learn_beta(outputs)
        for loss in (NLL(), Hinge())
    )
    assert hinge > 1.5 * likelihood


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_the_penalty_takes_weights_to_zero_and_leaves_biases(objective, l1_ratio):
    found = without_data(objective, np.array([1.0, 1.0]), l1_ratio)
    assert_allclose(found, [0, 1], atol=1e-5)


def test_losses_without_scale_have_no_penalty(objective):
    objective = objective.with_(loss=Perceptron())
    assert_array_equal(without_data(objective, np.array([1.0, 1.0])), [1, 1])


def blas_threads():
    """Of the libraries that numpy and scipy bring, not of those that others load later."""
    return [
        library["num_threads"]
        for library in threadpool_info()
        if library["user_api"] == "blas" and re.search(r"(num|sci)py\.libs", library["filepath"])
    ]


@pytest.fixture
def two_threads():
    """The threads of the libraries of linear algebra, where these can be set."""
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        if not before or max(before) == 1:
            pytest.skip("no library of linear algebra whose threads can be set")
        yield before


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_small_problems_have_one_thread_of_linear_algebra(solver, rng, two_threads):
    found, X = [], rng.standard_normal((n, 2))
    objective = Objective(
        Labels(rng.randint(3, size=n), 3),
        NLL(),
        np.ones(n),
        alpha=0.1,
        solver=solver,
        report=lambda value, fitted: found.append(max(blas_threads())),
    )
    LinearEnergy().fit(X, objective, rng)
    assert set(found) == {1}
    assert blas_threads() == two_threads


def test_threads_of_linear_algebra_come_back_after_the_last_that_wanted_one(two_threads):
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(one_blas_thread(True))
        second.enter_context(one_blas_thread(True))
        first.close()
        assert max(blas_threads()) == 1
        second.close()
        assert blas_threads() == two_threads
        with one_blas_thread(False):
            assert blas_threads() == two_threads


def test_reports_count_the_iterations(objective):
    values = []
    objective = objective.with_(report=lambda value, fitted: values.append(value))
    outputs = np.zeros((n, objective.answers.n_outputs))
    objective.minimize(np.ones(1), lambda p: (outputs, lambda _: 0 * p), np.ones(1), None)
    assert len(values) == objective.n_iter > 0
