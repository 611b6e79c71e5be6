"""The losses of Table 1 of the tutorial: values and special cases."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit

from sk_ebm._core.gibbs import Gibbs
from sk_ebm.losses._likelihood import MEE, NLL
from sk_ebm.losses._registry import LOSSES
from sk_ebm.losses._table1 import LVQ2, MCE, Hinge, Perceptron, SquareSquare

n, k = 30, 5


@pytest.fixture
def energies(rng):
    return np.abs(rng.standard_normal((n, k))) + 0.1


@pytest.fixture
def target(rng):
    return rng.randint(k, size=n)


def log_z(energies):
    return np.log(np.exp(-energies).sum())


# The formulas, for one sample: E+, E- and all energies.
FORMULAS = {
    "energy": lambda plus, minus, all_: plus,
    "perceptron": lambda plus, minus, all_: plus - all_.min(),
    "hinge": lambda plus, minus, all_: max(0, 1 + plus - minus),
    "hinge_wide": lambda plus, minus, all_: max(0, 2.5 + plus - minus),
    "log": lambda plus, minus, all_: np.log(1 + np.exp(plus - minus)),
    "lvq2": lambda plus, minus, all_: min(1, max(0, plus - minus)),
    "lvq2_relative": lambda plus, minus, all_: min(1, max(0, (plus - minus) / (0.5 * minus))),
    "mce": lambda plus, minus, all_: 1 / (1 + np.exp(-(plus - minus))),
    "square_square": lambda plus, minus, all_: plus**2 + max(0, 1 - minus) ** 2,
    "square_square_wide": lambda plus, minus, all_: plus**2 + max(0, 2 - minus) ** 2,
    "square_exponential": lambda plus, minus, all_: plus**2 + np.exp(-minus),
    "nll": lambda plus, minus, all_: plus + log_z(all_),
    "nll_cold": lambda plus, minus, all_: plus + log_z(2.5 * all_) / 2.5,
    "mee": lambda plus, minus, all_: 1 - np.exp(-plus) / np.exp(-all_).sum(),
    "mee_hot": lambda plus, minus, all_: 1 - np.exp(-0.4 * plus) / np.exp(-0.4 * all_).sum(),
}

VARIANTS = {
    **{name: loss() for name, loss in LOSSES.items()},
    "hinge_wide": Hinge(margin=2.5),
    "lvq2_relative": LVQ2(relative=True, delta=0.5),
    "nll_cold": NLL(beta=2.5),
    "mee_hot": MEE(beta=0.4),
    "square_square_wide": SquareSquare(margin=2.0),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_values_are_those_of_the_formula(name, energies, target):
    loss = VARIANTS[name]
    energies = energies if loss.positive else 1.5 * (energies - 0.8)
    expected = [
        FORMULAS[name](row[y], np.delete(row, y).min(), row)
        for row, y in zip(energies, target, strict=True)
    ]
    assert_allclose(loss(Gibbs(energies), target)[0], expected, rtol=1e-10, atol=1e-14)


def test_hinge_is_zero_once_the_margin_holds(target):
    energies = np.where(np.arange(k) == target[:, None], -1.5, 0.0)
    values, gradient = Hinge(margin=1.5)(Gibbs(energies), target)
    assert not values.any() and not gradient.any()


def test_hinge_pulls_and_pushes_before_the_margin_holds(target):
    energies = np.where(np.arange(k) == target[:, None], -1.4, 0.0)
    gradient = Hinge(margin=1.5)(Gibbs(energies), target)[1]
    assert_array_equal(gradient[np.arange(n), target], 1)


@pytest.mark.parametrize("loss", [Perceptron(), LVQ2()])
def test_a_tie_counts_as_violated(loss, target):
    gradient = loss(Gibbs(np.zeros((n, k))), target)[1]
    assert_array_equal(gradient[np.arange(n), target], 1)


def test_a_tie_in_the_perceptron_pushes_another_answer(target):
    gradient = Perceptron()(Gibbs(np.zeros((n, k))), target)[1]
    assert_array_equal(gradient.sum(axis=1), 0)


def test_mce_lies_between_zero_and_one(energies, target):
    values = MCE()(Gibbs(energies), target)[0]
    assert ((values > 0) & (values < 1)).all()


def test_mce_of_two_answers_is_the_probability_of_the_wrong_one(rng):
    energies, target = rng.standard_normal((n, 2)), rng.randint(2, size=n)
    expected = expit(energies[np.arange(n), target] - energies[np.arange(n), 1 - target])
    assert_allclose(MCE()(Gibbs(energies), target)[0], expected, rtol=1e-12)


def test_square_exponential_continues_as_its_tangent():
    loss, target = LOSSES["square_exponential"](), np.array([0])
    at = loss(Gibbs(np.array([[0.0, -30.0]])), target)
    beyond = loss(Gibbs(np.array([[0.0, -32.0]])), target)[0]
    assert_allclose(beyond, at[0] - 2 * at[1][:, 1], rtol=1e-12)
