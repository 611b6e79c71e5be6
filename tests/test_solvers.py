import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression

from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm.energies import LinearEnergy
from sk_ebm.energies._design import make_design
from sk_ebm.losses._likelihood import NLL
from sk_ebm.losses._table1 import Log

n, d = 80, 4


def problem(rng, n_classes, **options):
    """Inputs, and the objective of noisy labels that depend on them."""
    X = rng.standard_normal((n, d))
    noisy = X @ rng.standard_normal((d, n_classes)) + rng.gumbel(size=(n, n_classes))
    return X, Objective(Labels(noisy.argmax(axis=1), n_classes), NLL(), np.ones(n), **options)


def penalised(objective, X, coef, intercept):
    """The whole objective at weights (d, o)."""
    l1, l2 = np.abs(coef).sum(), np.square(coef).sum() / 2
    penalty = objective.l1_ratio * l1 + (1 - objective.l1_ratio) * l2
    return objective(X @ coef + intercept)[0] + objective.alpha * penalty


def optimum(objective, X, rng, **changes):
    """Least objective that a linear energy finds."""
    energy = LinearEnergy().fit(X, objective.with_(**changes), rng)
    return penalised(objective, X, energy.coef_, energy.intercept_)


def reference(objective, X, **options):
    """Least objective that LogisticRegression finds."""
    model = LogisticRegression(C=1 / (objective.alpha * n), max_iter=10000, **options)
    model.fit(X, objective.answers.target)
    return penalised(objective, X, model.coef_.T, model.intercept_)


two_and_three_classes = pytest.mark.parametrize("n_classes", [2, 3])


@two_and_three_classes
def test_newton_and_lbfgs_reach_the_same_optimum(rng, n_classes):
    X, objective = problem(rng, n_classes, alpha=0.01, tol=1e-10)
    newton, lbfgs = (optimum(objective, X, rng, solver=name) for name in ("newton", "lbfgs"))
    assert_allclose(newton, lbfgs, rtol=1e-8)


def test_newton_and_lbfgs_agree_on_the_log_loss_of_two_classes(rng):
    X, objective = problem(rng, 2, alpha=0.01, tol=1e-10)
    objective = objective.with_(loss=Log())
    newton, lbfgs = (optimum(objective, X, rng, solver=name) for name in ("newton", "lbfgs"))
    assert_allclose(newton, lbfgs, rtol=1e-8)


def test_newton_claims_no_optimum_that_it_missed(rng):
    """The log loss of three classes has kinks, in which Newton steps may end."""
    X, objective = problem(rng, 3, alpha=0.01, tol=1e-10, max_iter=50)
    objective = objective.with_(loss=Log(), solver="newton")
    energy = LinearEnergy().fit(X, objective, rng)
    gap = penalised(objective, X, energy.coef_, energy.intercept_) / optimum(
        objective, X, rng, solver="lbfgs", max_iter=1000
    )
    assert gap < 1 + 1e-6 or not objective.converged


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
@pytest.mark.parametrize("alpha", [1e-4, 0.1, 10.0])
@two_and_three_classes
def test_the_optimum_is_that_of_logistic_regression(rng, n_classes, alpha, solver):
    X, objective = problem(rng, n_classes, alpha=alpha, tol=1e-9)
    expected = reference(objective, X, tol=1e-10)
    assert_allclose(optimum(objective, X, rng, solver=solver), expected, rtol=1e-6)


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@two_and_three_classes
def test_the_l1_optimum_is_that_of_logistic_regression(rng, n_classes, l1_ratio):
    X, objective = problem(rng, n_classes, alpha=0.03, l1_ratio=l1_ratio, tol=1e-10)
    expected = reference(objective, X, solver="saga", l1_ratio=l1_ratio, tol=1e-9, random_state=0)
    assert_allclose(optimum(objective, X, rng), expected, rtol=1e-6)


@two_and_three_classes
def test_l1_gives_exact_zeros(rng, n_classes):
    X, objective = problem(rng, n_classes, alpha=0.1, l1_ratio=1.0)
    assert 0 < (LinearEnergy().fit(X, objective, rng).coef_ == 0).mean() < 1


def test_a_strong_l1_penalty_leaves_no_weight(rng):
    X, objective = problem(rng, 3, alpha=10.0, l1_ratio=1.0)
    assert_array_equal(LinearEnergy().fit(X, objective, rng).coef_, 0)


def test_adam_is_deterministic_for_a_seed(rng):
    X, objective = problem(rng, 3, alpha=0.01, solver="adam")
    first, second = (
        LinearEnergy().fit(X, objective.with_(), np.random.RandomState(1)).coef_ for _ in range(2)
    )
    assert_array_equal(first, second)


def test_adam_depends_on_the_seed(rng):
    X, objective = problem(rng, 3, alpha=0.01, solver="adam")
    first, second = (
        LinearEnergy().fit(X, objective.with_(), np.random.RandomState(seed)).coef_
        for seed in (1, 2)
    )
    assert (first != second).any()


def test_adam_descends(rng):
    X, objective = problem(rng, 3, alpha=0.01)
    assert optimum(objective, X, rng, solver="adam") < objective(np.zeros((n, 3)))[0]


@two_and_three_classes
def test_newton_converges_where_classes_are_separable(rng, n_classes):
    X, objective = problem(rng, n_classes, alpha=1e-8, solver="newton", max_iter=100)
    target = (X @ rng.standard_normal((d, n_classes))).argmax(axis=1)
    objective = objective.with_(answers=Labels(target, n_classes))
    energy = LinearEnergy().fit(X, objective, rng)
    slopes = objective(energy(X))[1]
    assert objective.converged
    assert_allclose(X.T @ slopes + 1e-8 * energy.coef_, 0, atol=1e-9)


@pytest.mark.parametrize("scales", [[1e8] * d, [1e-8] * d, [1e8, 1, 1e-8, 1]], ids=str)
@two_and_three_classes
def test_newton_undoes_the_scale_of_columns_that_are_not_penalised(rng, n_classes, scales):
    X, objective = problem(rng, n_classes, alpha=0.0)
    expected = optimum(objective, X, rng, solver="newton")
    assert_allclose(optimum(objective, X * scales, rng, solver="newton"), expected, rtol=1e-10)


@two_and_three_classes
def test_newton_converges_on_columns_of_all_scales(rng, n_classes):
    X, objective = problem(rng, n_classes, alpha=1e-3, solver="newton", max_iter=50)
    X *= [1e8, 1.0, 1e-4, 1.0]
    energy = LinearEnergy().fit(X, objective, rng)
    gradient = X.T @ objective(energy(X))[1] + objective.alpha * energy.coef_
    assert objective.converged
    assert_allclose(gradient / X.std(axis=0)[:, None], 0, atol=1e-9)


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_too_few_iterations_do_not_converge(rng, solver):
    X, objective = problem(rng, 3, alpha=1e-4, solver=solver, max_iter=1)
    LinearEnergy().fit(X, objective, rng)
    assert not objective.converged


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "adam"])
def test_max_iter_bounds_the_iterations(rng, solver):
    X, objective = problem(rng, 3, alpha=1e-4, solver=solver, max_iter=2)
    LinearEnergy().fit(X, objective, rng)
    assert objective.n_iter == 2


def test_the_preconditioner_knows_how_much_less_an_output_is_curved(rng):
    X = rng.standard_normal((n, d)) * [1.0, 10.0, 0.1, 1.0]
    design = make_design(X, np.ones(n), rotate=False)
    rows, l2 = rng.uniform(0.1, 1, size=(n, 1)), 0.01 * design.scale**2
    columns = np.column_stack([design.columns, np.ones(n)])
    squares, expected = columns.T @ (rows * columns), rng.standard_normal((d + 1, 3))

    def products(ratios):
        return (squares @ expected) * ratios + l2 * expected

    alike, unlike = np.array([1.0, 0.9, 0.8]), np.array([1.0, 0.4, 0.1])
    found = design.solver(rows * unlike, l2)(products(unlike))
    assert_allclose(found, expected, atol=0.03)  # the bias is drawn to zero a little
    found = design.solver(rows * alike, l2)(products(alike))
    assert_allclose(squares @ found + l2 * found, products(alike), rtol=1e-6)  # one for all
