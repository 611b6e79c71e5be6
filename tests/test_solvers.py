"""Solvers, on the problems of linear energies."""

import numpy as np
import pytest
from helpers import fit, training_of
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm.energies import LinearEnergy
from sk_ebm.losses._likelihood import MEE, NLL
from sk_ebm.losses._table1 import MCE, Hinge, Log, SquareExponential, SquareSquare

n, d = 80, 4


def problem(rng, n_classes, **settings):
    """Inputs, and the training on noisy labels that depend on them."""
    X = rng.standard_normal((n, d))
    noisy = X @ rng.standard_normal((d, n_classes)) + rng.gumbel(size=(n, n_classes))
    objective = Objective(Labels(noisy.argmax(axis=1), n_classes), NLL(), np.ones(n))
    return X, training_of(objective, rng, **settings)


def of_loss(training, loss):
    return training.replace(objective=training.objective.replace(loss=loss))


def value(training, outputs):
    return training.objective.value_and_gradient(outputs)[0]


def penalised(training, X, coef, intercept):
    """The whole objective at weights (d, o)."""
    alpha, l1_ratio = training.penalty
    l1, l2 = np.abs(coef).sum(), np.square(coef).sum() / 2
    penalty = l1_ratio * l1 + (1 - l1_ratio) * l2
    return value(training, X @ coef + intercept) + alpha * penalty


def optimum(training, X, **changes):
    """Least objective that a linear energy finds."""
    energy = LinearEnergy().fit(X, training.replace(**changes)).energy
    return penalised(training, X, energy.coef_, energy.intercept_)


def reference(training, X, **options):
    """Least objective that LogisticRegression finds."""
    model = LogisticRegression(C=1 / (training.penalty.alpha * n), max_iter=10000, **options)
    model.fit(X, training.answers.target)
    return penalised(training, X, model.coef_.T, model.intercept_)


two_and_three_classes = pytest.mark.parametrize("n_classes", [2, 3])


@two_and_three_classes
def test_newton_and_lbfgs_reach_the_same_optimum(rng, n_classes):
    X, training = problem(rng, n_classes, alpha=0.01, tol=1e-10)
    newton, lbfgs = (optimum(training, X, solver=name) for name in ("newton", "lbfgs"))
    assert_allclose(newton, lbfgs, rtol=1e-8)


def test_newton_and_lbfgs_agree_on_the_log_loss_of_two_classes(rng):
    X, training = problem(rng, 2, alpha=0.01, tol=1e-10)
    training = of_loss(training, Log())
    newton, lbfgs = (optimum(training, X, solver=name) for name in ("newton", "lbfgs"))
    assert_allclose(newton, lbfgs, rtol=1e-8)


def test_newton_claims_no_optimum_that_it_missed(rng):
    """The log loss of three classes has kinks, in which Newton steps may end."""
    X, training = problem(rng, 3, alpha=0.01, tol=1e-10, max_iter=50)
    training = of_loss(training, Log()).replace(solver="newton")
    result = LinearEnergy().fit(X, training)
    energy = result.energy
    gap = penalised(training, X, energy.coef_, energy.intercept_) / optimum(
        training, X, solver="lbfgs", max_iter=1000
    )
    assert gap < 1 + 1e-6 or not result.converged


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("alpha", [1e-4, 0.1, 10.0])
@two_and_three_classes
def test_the_optimum_is_that_of_logistic_regression(rng, n_classes, alpha, solver):
    X, training = problem(rng, n_classes, alpha=alpha, tol=1e-9)
    expected = reference(training, X, tol=1e-10)
    assert_allclose(optimum(training, X, solver=solver), expected, rtol=1e-6)


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@two_and_three_classes
def test_the_l1_optimum_is_that_of_logistic_regression(rng, n_classes, l1_ratio):
    X, training = problem(rng, n_classes, alpha=0.03, l1_ratio=l1_ratio, tol=1e-10)
    expected = reference(training, X, solver="saga", l1_ratio=l1_ratio, tol=1e-9, random_state=0)
    assert_allclose(optimum(training, X), expected, rtol=1e-6)


@two_and_three_classes
def test_l1_gives_exact_zeros(rng, n_classes):
    X, training = problem(rng, n_classes, alpha=0.1, l1_ratio=1.0)
    assert 0 < (LinearEnergy().fit(X, training).energy.coef_ == 0).mean() < 1


def test_a_strong_l1_penalty_leaves_no_weight(rng):
    X, training = problem(rng, 3, alpha=10.0, l1_ratio=1.0)
    assert_array_equal(LinearEnergy().fit(X, training).energy.coef_, 0)


def test_adam_is_deterministic_for_a_seed(rng):
    X, training = problem(rng, 3, alpha=0.01, solver="adam")
    first, second = (
        LinearEnergy().fit(X, training.replace(rng=np.random.RandomState(1))).energy.coef_
        for _ in range(2)
    )
    assert_array_equal(first, second)


def test_adam_depends_on_the_seed(rng):
    X, training = problem(rng, 3, alpha=0.01, solver="adam")
    first, second = (
        LinearEnergy().fit(X, training.replace(rng=np.random.RandomState(seed))).energy.coef_
        for seed in (1, 2)
    )
    assert (first != second).any()


def test_adam_descends(rng):
    X, training = problem(rng, 3, alpha=0.01)
    assert optimum(training, X, solver="adam") < value(training, np.zeros((n, 3)))


class Noisy(NLL):
    """With rounding errors of several times those that the solver expects."""

    def __call__(self, gibbs, target):
        values, gradient = super().__call__(gibbs, target)
        return values + 1e-12 * np.sin(1e9 * gibbs.energies[:, 0]), gradient


@pytest.mark.parametrize("seed", [0, 3, 7])
def test_newton_ends_where_steps_are_lost_in_noise(seed):
    X, training = problem(np.random.default_rng(seed), 3, alpha=0.01)
    ends = [LinearEnergy().fit(X, of_loss(training, loss)) for loss in (NLL(), Noisy())]
    assert ends[1].converged and ends[1].n_iter < 20
    assert_allclose(ends[1].energy.coef_, ends[0].energy.coef_, atol=1e-5)


@two_and_three_classes
def test_newton_converges_where_classes_are_separable(rng, n_classes):
    X, training = problem(rng, n_classes, alpha=1e-8, solver="newton", max_iter=100)
    target = (X @ rng.standard_normal((d, n_classes))).argmax(axis=1)
    objective = training.objective.replace(answers=Labels(target, n_classes))
    result = LinearEnergy().fit(X, training.replace(objective=objective))
    gradient = objective.value_and_gradient(result.energy(X))[1]
    assert result.converged
    assert_allclose(X.T @ gradient + 1e-8 * result.energy.coef_, 0, atol=1e-9)


@pytest.mark.parametrize("scales", [[1e8] * d, [1e-8] * d, [1e8, 1, 1e-8, 1]], ids=str)
@two_and_three_classes
def test_newton_undoes_the_scale_of_columns_that_are_not_penalised(rng, n_classes, scales):
    X, training = problem(rng, n_classes, alpha=0.0)
    expected = optimum(training, X, solver="newton")
    assert_allclose(optimum(training, X * scales, solver="newton"), expected, rtol=1e-10)


@two_and_three_classes
def test_newton_converges_on_columns_of_all_scales(rng, n_classes):
    X, training = problem(rng, n_classes, alpha=1e-3, solver="newton", max_iter=50)
    X *= [1e8, 1.0, 1e-4, 1.0]
    result = LinearEnergy().fit(X, training)
    by_outputs = training.objective.value_and_gradient(result.energy(X))[1]
    gradient = X.T @ by_outputs + training.penalty.alpha * result.energy.coef_
    assert result.converged
    assert_allclose(gradient / X.std(axis=0)[:, None], 0, atol=1e-9)


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_too_few_iterations_do_not_converge(rng, solver):
    X, training = problem(rng, 3, alpha=1e-4, solver=solver, max_iter=1)
    assert not LinearEnergy().fit(X, training).converged


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "adam"])
def test_max_iter_bounds_the_iterations(rng, solver):
    X, training = problem(rng, 3, alpha=1e-4, solver=solver, max_iter=2)
    result = LinearEnergy().fit(X, training)
    assert result.n_iter == len(result.history) == 2


def with_redundant_columns(X):
    """Linear combinations of the columns, constants and both far from zero."""
    constants = np.ones((len(X), 2)) * [1.0, 1e9 / 3]
    return np.column_stack([X, X[:, 0], 2 * X[:, 1], X[:, 0] + X[:, 1], X[:, 2] + 1e6, constants])


SMOOTH_AND_KINKY = [NLL(), MEE(), Hinge(), Log(), MCE(), SquareSquare(), SquareExponential()]


@pytest.mark.parametrize("alpha", [0.0, 1e-6, 1e-3])
@pytest.mark.parametrize("loss", SMOOTH_AND_KINKY, ids=lambda loss: type(loss).__name__)
@two_and_three_classes
def test_redundant_columns_never_raise_the_least_objective(rng, n_classes, loss, alpha):
    X, training = problem(rng, n_classes, alpha=alpha)
    training = of_loss(training, loss)
    few, many = (LinearEnergy().fit(Z, training) for Z in (X, with_redundant_columns(X)))
    assert many.history[-1] <= few.history[-1] * (1 + 1e-3) + 1e-6
    assert np.abs(many.energy.coef_).max() < 1e4


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_the_units_of_columns_do_not_stop_a_solver(rng, solver, kind):
    X, training = problem(rng, 2, alpha=0.0, solver=solver)
    expected = optimum(training, X)
    scaled = X * [1e8, 1.0, 1e-8, 1.0] + [0.0, 1e3, 0.0, 1.0]
    assert_allclose(optimum(training, kind(scaled)), expected, rtol=1e-5)


def test_a_fit_ends_at_the_optimum_of_a_support_vector_machine(rng):
    X, training = problem(rng, 2, alpha=1e-2)
    reference = SVC(kernel="linear", C=1 / (1e-2 * n), tol=1e-8).fit(X, training.answers.target)
    training = of_loss(training, Hinge())
    expected = penalised(training, X, reference.coef_.T, reference.intercept_)
    assert_allclose(optimum(training, X), expected, rtol=5e-4)


def test_lbfgs_stays_where_a_loss_is_nearly_zero(rng):
    """Where classes are separated there is nothing to gain, and every step moves far."""
    y = rng.randint(3, size=60)
    X = 20 * np.eye(3)[y] + rng.standard_normal((60, 3))
    objective = Objective(Labels(y, 3), Hinge(), np.ones(60))
    result = fit(LinearEnergy(), X, objective, alpha=1e-12)
    assert result.converged
    assert result.n_iter == 1
    assert 0 <= result.history[-1] <= 1e-5
