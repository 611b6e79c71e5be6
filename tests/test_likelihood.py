"""The negative log-likelihood, of one correct answer and of a distribution."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import softmax
from sklearn.metrics import log_loss

from sk_ebm._core.gibbs import Gibbs
from sk_ebm.losses._likelihood import NLL

n, k = 30, 5


@pytest.fixture
def target(rng):
    return rng.randint(k, size=n)


def test_nll_equals_the_log_loss_of_scikit_learn(rng, target):
    energies = 1.5 * rng.standard_normal((n, k))
    expected = log_loss(target, softmax(-energies, axis=1), labels=range(k))
    assert_allclose(NLL()(Gibbs(energies), target)[0].mean(), expected, rtol=1e-12)


@pytest.mark.parametrize("part", [pytest.param(0, id="values"), pytest.param(1, id="gradient")])
def test_nll_of_a_one_hot_distribution_equals_the_index(rng, target, part):
    gibbs, loss = Gibbs(1.5 * rng.standard_normal((n, k))), NLL(beta=2.0)
    expected = loss(gibbs, target)[part]
    assert_allclose(loss(gibbs, np.eye(k)[target])[part], expected, rtol=1e-10, atol=1e-12)


def test_nll_of_a_distribution_matches_finite_differences(rng, derivative):
    energies, along = 1.5 * rng.standard_normal((n, k)), rng.standard_normal((n, k))
    target = rng.dirichlet(np.ones(k), size=n)
    gradient = NLL()(Gibbs(energies), target)[1]
    expected = derivative(lambda e: NLL()(Gibbs(e), target)[0], energies, along)
    assert_allclose((gradient * along).sum(axis=1), expected, rtol=1e-6, atol=1e-7)
