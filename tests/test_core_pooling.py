"""The weights with which energies add (test_pooling.py is about densities)."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm._core.pooling import pool
from sk_ebm.losses._likelihood import NLL
from sk_ebm.losses._table1 import EnergyLoss, Hinge, Log, Perceptron


def drawn(energies, rng):
    """Answers from the Gibbs distribution of the outputs."""
    p = np.exp(energies)
    cumulative = (p / p.sum(axis=1, keepdims=True)).cumsum(axis=1)
    return (cumulative < rng.uniform(size=(len(p), 1))).sum(axis=1)


def test_weights_minimise_the_loss_of_unseen_energies(rng):
    """Answers drawn from the product of two experts, the second of half the weight."""
    parts = 2 * rng.standard_normal((2, 4000, 3))
    target = drawn(parts[0] + 0.5 * parts[1], rng)
    objective = Objective(Labels(target, 3), NLL(), np.ones(4000))
    weights, constant, _ = pool(objective, list(parts))
    assert_allclose(weights, [1, 0.5], atol=0.1)
    assert_allclose(constant, 0, atol=0.1)


def test_the_constant_corrects_the_shares_of_the_answers(rng):
    """A term that says nothing, so that only the shares are left."""
    target = (rng.uniform(size=4000) < 0.2).astype(int)
    objective = Objective(Labels(target, 2), NLL(), np.ones(4000))
    weights, constant, _ = pool(objective, [rng.standard_normal((4000, 2))])
    assert_allclose(
        constant[1] - constant[0], np.log(target.mean() / (1 - target.mean())), atol=0.02
    )
    assert weights[0] < 0.1


def test_few_samples_leave_weights_nearly_equal():
    target = np.array([0, 1])
    parts = [np.eye(2)[target], 1.5 * np.eye(2)[target]]
    weights = pool(Objective(Labels(target, 2), NLL(), np.ones(2)), parts)[0]
    assert_allclose(weights[0], 1.5 * weights[1], rtol=0.01)


@pytest.mark.parametrize("loss", [NLL(), Hinge(), Log()])
def test_the_history_is_one_objective_that_never_rises(loss, rng):
    parts = 2 * rng.standard_normal((3, 500, 3))
    target = drawn(parts[0] + 0.5 * parts[1], rng)
    objective = Objective(Labels(target, 3), loss, rng.uniform(0.5, 2, size=500))
    weights, constant, history = pool(objective, list(parts))
    assert len(history) > 1
    assert (np.diff(history) <= 1e-12).all()
    total = np.tensordot(weights, parts, 1) + constant
    value = objective.value_and_gradient(total)[0]
    assert value <= history[-1] <= value + 0.1  # the rest is the penalty


@pytest.mark.parametrize("loss", [Perceptron(), EnergyLoss()])
def test_losses_that_would_leave_nothing_pool_by_likelihood(loss, rng):
    parts = 2 * rng.standard_normal((2, 200, 3))
    objective = Objective(Labels(drawn(parts[0], rng), 3), NLL(), np.ones(200))
    expected = pool(objective, list(parts))
    found = pool(objective.replace(loss=loss), list(parts))
    assert_array_equal(found[0], expected[0])
    assert_array_equal(found[1], expected[1])


def test_weights_do_not_depend_on_the_scale_of_the_energies(rng):
    parts = rng.standard_normal((2, 300, 3))
    objective = Objective(Labels(drawn(parts[0] + parts[1], rng), 3), NLL(), np.ones(300))
    weights, scaled = (pool(objective, [parts[0], f * parts[1]])[0] for f in (1.0, 1e3))
    assert_allclose(scaled * [1, 1e3], weights, rtol=1e-3)
