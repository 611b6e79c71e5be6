"""The linear energy."""

import numpy as np
import pytest
from helpers import SPLINES, fit, training_of
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm._density.score_answers import NormalScoreAnswers
from sk_ebm._utils import memory
from sk_ebm.energies import LinearEnergy
from sk_ebm.energies._design import make_design
from sk_ebm.energies._linear import _start
from sk_ebm.losses._likelihood import NLL
from sk_ebm.losses._table1 import Hinge, SquareExponential, SquareSquare


def value(objective, outputs):
    return objective.value_and_gradient(outputs)[0]


def value_of_zero(objective, X):
    return value(objective, np.zeros((len(X), objective.answers.n_outputs)))


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "adam"])
def test_it_descends_on_all_answers(solver, problem, rng):
    X, objective, _ = problem
    energy = fit(LinearEnergy(), X, objective, rng, alpha=0.01, solver=solver).energy
    assert value(objective, energy(X)) < value_of_zero(objective, X) - 0.02


def test_newton_and_lbfgs_agree_on_all_answers(problem, rng):
    X, objective, _ = problem
    coefs = [
        fit(LinearEnergy(), X, objective, rng, alpha=0.01, solver=solver, tol=1e-12).energy.coef_
        for solver in ("newton", "lbfgs")
    ]
    assert_allclose(*coefs, atol=1e-4)


def test_it_chooses_its_penalty_for_all_answers(problem, rng):
    X, objective, _ = problem
    result = fit(LinearEnergy(), X, objective, rng, alpha="auto", calibrates=True)
    assert value(objective, result.energy(X)) < value_of_zero(objective, X)
    assert 0 < result.alpha == result.energy.alpha_ < np.inf


def test_held_out_outputs_are_those_of_their_samples(problem, rng):
    X, objective, _ = problem
    samples, outputs = fit(
        LinearEnergy(), X, objective, rng, alpha="auto", calibrates=True
    ).held_out
    assert len(outputs) == len(objective.answers.rows(samples))


def test_a_constant_column_gets_no_weight(X, objective):
    X[:, 2] = 0.1
    assert_allclose(fit(LinearEnergy(), X, objective).energy.coef_[2], 0, atol=1e-12)


def test_constant_columns_alone_leave_the_shares_of_the_answers(objective):
    energy = fit(LinearEnergy(), np.ones((60, 2)), objective, alpha="auto").energy
    shares = np.bincount(objective.answers.target, objective.weights) / objective.weights.sum()
    outputs = energy(np.ones((1, 2)))[0]
    assert_allclose(np.exp(outputs) / np.exp(outputs).sum(), shares, rtol=1e-5)


@pytest.mark.parametrize("loss", [Hinge(), SquareExponential(), SquareSquare()])
def test_fits_start_at_the_scale_of_least_loss(loss, X, objective, rng):
    objective = objective.replace(loss=loss)
    design = make_design(X, objective.weights, rotate=False)
    params = 20 * rng.standard_normal((6, 3))
    start = value(objective, design.vjp(_start(design, objective, params))[0])
    assert start < 0.5 * value(objective, design.vjp(params)[0])
    assert start <= value(objective, design.vjp(params / 64)[0])


@pytest.mark.parametrize("loss", [SquareExponential(), SquareSquare()])
def test_one_heavy_row_among_many_classes_is_fitted_to_whatever_its_place(loss, rng):
    X, weights = rng.standard_normal((40, 3)), np.where(np.arange(40) == 7, 1.0, 1e-9)
    objective = Objective(Labels.of(rng.permutation(40) % 14), loss, weights)
    for order in [rng.permutation(40) for _ in range(4)]:
        part = objective.take(order)
        energy = fit(LinearEnergy(), X[order], part, alpha=0.001, solver="lbfgs").energy
        assert value(part, energy(X[order])) < 1e-4


def test_losses_that_are_not_smooth_take_the_penalty_of_the_likelihood(X, objective):
    expected = fit(LinearEnergy(), X, objective, alpha="auto").alpha
    assert fit(LinearEnergy(), X, objective.replace(loss=Hinge()), alpha="auto").alpha == expected


def test_reports_hold_the_energies_of_each_iteration(X, objective):
    reported = []

    def report(value, fitted):
        reported.append((value, fitted()))

    result = LinearEnergy().fit(X, training_of(objective, alpha=0.1, report=report))
    assert [value for value, _ in reported] == result.history
    assert_array_equal(reported[-1][1].coef_, result.energy.coef_)


def test_it_recovers_a_conditional_density(rng):
    """p(z given x) proportional to N(z) exp(x z / 2), which is normal around x / 2."""
    x = rng.standard_normal((4000, 1))
    z = x[:, 0] / 2 + rng.standard_normal(4000)
    objective = Objective(NormalScoreAnswers(z, SPLINES), NLL(), np.ones(4000))
    energy = fit(LinearEnergy(), x, objective, tol=1e-10).energy
    nodes = np.linspace(-1.5, 1.5, 7)
    of_nodes = SPLINES(nodes) @ energy.coef_[0]
    assert_allclose(of_nodes - of_nodes[3], nodes / 2, atol=0.1)


def test_weights_beyond_memory_are_refused(problem, monkeypatch):
    X, objective, _ = problem
    monkeypatch.setattr(memory, "_ALWAYS_FITS", 0)
    monkeypatch.setattr(memory, "available_memory", lambda: 4)
    with pytest.raises(ValueError, match=r"Weights of \d+ columns .* Use energy='embedding'"):
        fit(LinearEnergy(), X, objective)
