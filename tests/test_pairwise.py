"""Losses of pairs: values."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sk_ebm._core.gibbs import Gibbs
from sk_ebm.losses._pairwise import PairwiseHinge, PairwiseLog
from sk_ebm.losses._relevance import RelevanceTarget

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


def test_pairwise_log_is_the_mean_over_pairs(energies, target):
    values = PairwiseLog()(Gibbs(energies), target)[0]
    for i in range(n):
        terms = [
            np.log1p(np.exp(energies[i, a] - energies[i, b]))
            for a in range(k)
            for b in range(k)
            if target.gains[i, a] > target.gains[i, b]
        ]
        assert_allclose(values[i], np.mean(terms), rtol=1e-12)


def test_pairwise_hinge_is_zero_once_every_margin_holds(target):
    energies = -1.5 * np.log2(target.gains + 1)
    values, gradient = PairwiseHinge(margin=1.5)(Gibbs(energies), target)
    assert not values.any() and not gradient.any()
