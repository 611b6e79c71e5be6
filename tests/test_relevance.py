"""Graded relevance as a target: shares, numbers of pairs, and pairs."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm._core.gibbs import Gibbs
from sk_ebm.losses import _relevance
from sk_ebm.losses._pairwise import PairwiseLog
from sk_ebm.losses._relevance import RelevanceTarget

n, k = 25, 7


@pytest.fixture
def target(rng):
    """Gains with ties; some candidates are absent and some are there twice."""
    counts = rng.randint(3, size=(n, k)).astype(float)
    counts[:, 0] = 1
    return RelevanceTarget(rng.randint(4, size=(n, k)) * (counts > 0.0), counts)


def brute_pairs(target, i):
    """Better and worse candidate of sample i, and their number of pairs."""
    gains, counts = target.gains[i], target.counts[i]
    return {
        (a, b): counts[a] * counts[b]
        for a in range(k)
        for b in range(k)
        if gains[a] > gains[b] and counts[a] * counts[b] > 0
    }


def test_number_of_pairs_counts_copies(target):
    assert_array_equal(target.n_pairs, [sum(brute_pairs(target, i).values()) for i in range(n)])


def test_pairs_are_all_of_a_better_and_a_worse_candidate(target):
    (pairs,) = target.pairs()
    for i in range(n):
        chosen = pairs.sample == i
        candidates = np.stack([pairs.better, pairs.worse], axis=1)[chosen] % k
        weights = dict(zip(map(tuple, candidates.tolist()), pairs.weight[chosen], strict=True))
        assert weights == pytest.approx(
            {pair: number / target.n_pairs[i] for pair, number in brute_pairs(target, i).items()}
        )
    gains = target.relative_gains.ravel()
    difference = gains[pairs.better] - gains[pairs.worse]
    assert_allclose(pairs.gain, difference * pairs.weight, rtol=1e-12)


def test_relative_gains_are_gains_in_a_power_of_two(target):
    unit = RelevanceTarget(2.0**900 * target.gains, target.counts)
    assert_array_equal(unit.relative_gains, target.relative_gains)
    largest = target.relative_gains.max(axis=1)
    assert ((largest == 0) | (largest >= 0.5) & (largest < 1)).all()


def test_sums_over_pairs_are_by_better_and_by_worse_candidate(target, rng):
    (pairs,) = target.pairs()
    values = rng.standard_normal(len(pairs.better))
    by_better, by_worse = pairs.sums(values)
    assert_allclose(by_better.ravel(), np.bincount(pairs.better, values, n * k), atol=1e-12)
    assert_allclose(by_worse.ravel(), np.bincount(pairs.worse, values, n * k), atol=1e-12)


def test_pairs_in_blocks_are_the_same_pairs(target, rng, monkeypatch):
    gibbs = Gibbs(rng.standard_normal((n, k)))
    expected = PairwiseLog().expansion(gibbs, target)
    monkeypatch.setattr(_relevance, "_PAIRS_PER_BLOCK", 1)
    monkeypatch.setattr(_relevance, "_STORED_PAIRS", 0)
    again = RelevanceTarget(target.gains, target.counts)
    result = PairwiseLog().expansion(gibbs, again)
    assert len(list(again.pairs())) > 1
    assert_allclose(result[1], expected[1], rtol=1e-12, atol=1e-15)
    assert_allclose(result[2].diagonal, expected[2].diagonal, rtol=1e-12)


def test_shares_are_proportional_to_gains_and_sum_to_one(target):
    mass = target.gains * target.counts
    informative = mass.sum(axis=1) > 0
    assert_allclose(target.shares.sum(axis=1), informative)
    assert_allclose(target.shares * mass.sum(axis=1)[:, None], mass, atol=1e-12)
    assert_allclose(target.half_shares.sum(axis=1), 1)
    assert_array_equal(target.half_shares[target.counts == 0], 0)
