"""XE-NDCG: its noise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm._core.gibbs import Gibbs
from sk_ebm.losses._relevance import RelevanceTarget
from sk_ebm.losses._xendcg import XENDCG

n, k = 25, 7


@pytest.fixture
def energies(rng):
    return rng.standard_normal((n, k))


@pytest.fixture
def target(rng):
    """Something relevant and something irrelevant in each sample."""
    relevance = rng.randint(4, size=(n, k))
    relevance[:, 0], relevance[:, 1] = 0, 2
    return RelevanceTarget(2.0**relevance - 1, np.ones((n, k)))


def fresh():
    return XENDCG().seeded(np.random.RandomState(0))


def test_the_noise_is_seeded_and_changes_from_call_to_call(energies, target):
    gibbs = Gibbs(energies)
    one, two = fresh(), fresh()
    first = one(gibbs, target)[1]
    assert_array_equal(two(gibbs, target)[1], first)
    assert np.abs(one(gibbs, target)[1] - first).max() > 1e-3


def test_the_mean_gradient_is_near_that_of_the_value(energies, target, rng, derivative):
    loss = fresh()
    mean = np.mean([loss(Gibbs(energies), target)[1] for _ in range(2000)], axis=0)
    along = rng.standard_normal((n, k))
    expected = derivative(lambda e: loss(Gibbs(e), target)[0], energies, along)
    assert_allclose((mean * along).sum(axis=1), expected, atol=0.1)
