"""Designs of linear energies."""

import numpy as np
import pytest
from helpers import training_of
from numpy.testing import assert_allclose
from scipy import sparse

from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm.energies._design import DenseDesign, RotatedDesign, SparseDesign, make_design
from sk_ebm.losses._likelihood import NLL

n, d = 60, 5


DESIGNS = {
    "dense": lambda X, weights: DenseDesign(X, weights),
    "rotated": lambda X, weights: RotatedDesign(X, weights),
    "sparse": lambda X, weights: SparseDesign(sparse.csr_array(X), weights),
}
every_design = pytest.mark.parametrize(
    "design", [pytest.param(design, id=name) for name, design in DESIGNS.items()]
)


@every_design
def test_pullback_is_the_adjoint_of_a_design(design, X, rng):
    design = design(X, np.ones(n))
    params = rng.standard_normal((design.columns.shape[1] + 1, 2))
    gradient = rng.standard_normal((n, 2))
    outputs, pullback = design.vjp(params)
    assert_allclose(np.vdot(outputs, gradient), np.vdot(params, pullback(gradient)), rtol=1e-12)


@every_design
def test_weights_are_those_of_the_inputs_as_given(design, X, rng):
    design = design(X, rng.uniform(0.5, 2, size=n))
    params = rng.standard_normal((design.columns.shape[1] + 1, 2))
    coef, intercept = design.weights_of(params)
    assert_allclose(X @ coef + intercept, design.vjp(params)[0], rtol=1e-9, atol=1e-12)


@every_design
def test_the_penalty_is_that_of_the_weights(design, X, rng):
    design = design(X, np.ones(n))
    params = rng.standard_normal((design.columns.shape[1] + 1, 2))
    expected = np.square(design.weights_of(params)[0]).sum()
    assert_allclose(np.square(design.scale * params).sum(), expected, rtol=1e-12)


@every_design
def test_a_design_of_some_rows_gives_their_outputs(design, X, rng):
    design = design(X, np.ones(n))
    params = rng.standard_normal((design.columns.shape[1] + 1, 2))
    assert_allclose(design.vjp(params, [5, 2])[0], design.vjp(params)[0][[5, 2]], rtol=1e-12)


@pytest.mark.parametrize("other", ["rotated", "sparse"])
@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_designs_give_the_same_optimum(other, solver, rng):
    X, weights = rng.standard_normal((20, 35)), rng.uniform(0.5, 2, size=20)
    objective = Objective(Labels(rng.randint(3, size=20), 3), NLL(), weights)
    training = training_of(objective, rng, alpha=0.1, solver=solver, tol=1e-13)
    coefs = []
    for name in ("dense", other):
        design = DESIGNS[name](X, weights)
        minimum = design.minimize(training, np.zeros((design.columns.shape[1] + 1, 3)))
        coefs.append(design.weights_of(minimum.params)[0])
    assert_allclose(*coefs, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_whole_solver_undoes_second_derivatives(dtype, X, objective, rng):
    design = make_design(
        X.astype(dtype), objective.weights, rotate=False, idle=objective.answers.idle_outputs(True)
    )
    l2 = 0.01 * design.scale**2
    curvature = objective.curvature(design.vjp(rng.standard_normal((d + 1, 3)))[0])
    direction = design.centre_outputs(rng.standard_normal((d + 1, 3)))
    moved, pullback = design.vjp(direction)
    gradient = pullback(curvature.product(moved)) + l2 * direction
    preconditioner = design.preconditioner(l2, 3)
    atol = 1e-9 if dtype == np.float64 else 1e-3
    assert_allclose(preconditioner(curvature, np.inf)(gradient), direction, atol=atol)


def test_the_preconditioner_knows_how_much_less_an_output_is_curved(rng):
    X = rng.standard_normal((80, 4)) * [1.0, 10.0, 0.1, 1.0]
    design = make_design(X, np.ones(80), rotate=False)
    rows, l2 = rng.uniform(0.1, 1, size=(80, 1)), 0.01 * design.scale**2
    columns = np.column_stack([design.columns, np.ones(80)])
    squares, expected = columns.T @ (rows * columns), rng.standard_normal((5, 3))

    def products(ratios):
        return (squares @ expected) * ratios + l2 * expected

    alike, unlike = np.array([1.0, 0.9, 0.8]), np.array([1.0, 0.4, 0.1])
    found = design.solver(rows * unlike, l2)(products(unlike))
    assert_allclose(found, expected, atol=0.03)  # the bias is drawn to zero a little
    found = design.solver(rows * alike, l2)(products(alike))
    assert_allclose(squares @ found + l2 * found, products(alike), rtol=1e-6)  # one for all
