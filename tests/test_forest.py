"""Belief propagation, against enumeration of all labellings."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from sk_ebm._core.forest import (
    Forest,
    LogBeliefs,
    ScaledBeliefs,
    Step,
    beliefs,
    best_labels,
    label_pairs,
    sample_labels,
    total_potentials,
)

K = 3
# Chains of 4, 3 and 1 positions, and two trees of four positions with two kinds of edges.
CHAINS = Forest(
    np.array([0, 1, 2, 0, 1, 0, 1, 0]),
    (
        Step(slice(3, 5), slice(0, 2), 0),
        Step(slice(5, 7), slice(3, 5), 0),
        Step(slice(7, 8), slice(5, 6), 0),
    ),
)
TREES = Forest(
    np.tile(np.arange(2), 4),
    (
        Step(slice(2, 4), slice(0, 2), 0),
        Step(slice(4, 6), slice(0, 2), 1),
        Step(slice(6, 8), slice(2, 4), 1),
    ),
)


def by_row(forest):
    """The same with potentials of each row."""
    return Forest(forest.samples, tuple(step._replace(edge=-1) for step in forest.steps))


FORESTS = {
    "chains": (CHAINS, 1),
    "trees": (TREES, 2),
    "chains by row": (by_row(CHAINS), 8),
    "trees by row": (by_row(TREES), 8),
}
every_forest = pytest.mark.parametrize("name", FORESTS)


def potentials(name, rng, scale=1.0):
    forest, n_pairs = FORESTS[name]
    return (
        forest,
        scale * rng.standard_normal((8, K)),
        scale * rng.standard_normal((n_pairs, K, K)),
    )


def enumerated(forest, unary, pairwise, sample):
    """All labellings (., m) of a sample, zero elsewhere, and their sums of potentials."""
    rows = np.flatnonzero(forest.samples == sample)
    labellings = np.zeros((K ** len(rows), len(unary)), dtype=int)
    labellings[:, rows] = list(product(range(K), repeat=len(rows)))
    totals = unary[rows, labellings[:, rows]].sum(axis=1)
    for step in forest.steps:
        for child, parent in zip(
            np.arange(8)[step.children], np.arange(8)[step.parents], strict=True
        ):
            if forest.samples[child] == sample:
                edge = pairwise[child if step.edge < 0 else step.edge]
                totals = totals + edge[labellings[:, parent], labellings[:, child]]
    return rows, labellings, totals


@every_forest
@pytest.mark.parametrize("kind", [ScaledBeliefs, LogBeliefs, beliefs])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_sums_and_marginals_are_those_of_all_labellings(name, kind, scale, rng):
    forest, unary, pairwise = potentials(name, rng, scale)
    extra = (unary.max(axis=1),) if kind is ScaledBeliefs else ()
    found = kind(forest, unary, pairwise, *extra)
    weights = rng.uniform(size=forest.n_samples)
    pairs = np.zeros(pairwise.shape)
    for sample in range(forest.n_samples):
        rows, labellings, totals = enumerated(forest, unary, pairwise, sample)
        assert_allclose(found.log_z[sample], logsumexp(totals), rtol=1e-13)
        p = np.exp(totals - logsumexp(totals))
        for row in rows:
            expected = np.bincount(labellings[:, row], p, K)
            assert_allclose(found.marginals[row], expected, rtol=1e-9, atol=1e-12)
        only = np.eye(forest.n_samples)[sample] * weights
        pairs += sum(
            q * label_pairs(forest, labels, K, only, pairwise.shape)
            for q, labels in zip(p, labellings, strict=True)
        )
    assert_allclose(found.pair_marginals(weights), pairs, rtol=1e-9, atol=1e-12)


@every_forest
@pytest.mark.parametrize("k", [1, 2, 7, 100])
def test_the_best_labels_are_those_of_all_labellings(name, k, rng):
    forest, unary, pairwise = potentials(name, rng)
    labels, totals = best_labels(forest, unary, pairwise, k)
    for sample in range(forest.n_samples):
        every = enumerated(forest, unary, pairwise, sample)[2]
        expected = np.full(k, -np.inf)
        expected[: len(every)] = np.sort(every)[::-1][:k]
        assert_allclose(totals[sample], expected)
    for rank in range(k):
        finite = np.isfinite(totals[:, rank])
        again = total_potentials(forest, unary, pairwise, labels[rank])
        assert_allclose(again[finite], totals[finite, rank])


@every_forest
def test_samples_come_as_often_as_their_probability(name, rng):
    forest, unary, pairwise = potentials(name, rng)
    drawn = [sample_labels(forest, unary, pairwise, rng) for _ in range(1000)]
    shares = np.mean(np.stack(drawn)[:, :, None] == np.arange(K), axis=0)
    expected = beliefs(forest, unary, pairwise).marginals
    assert np.abs(shares - expected).max() < 4 * np.sqrt(0.25 / 1000)


def test_labels_that_cannot_follow_one_another_do_not(rng):
    forest, unary, pairwise = potentials("chains", rng)
    pairwise[0, 1] = [-np.inf, 0, -np.inf]
    for kind in (beliefs, LogBeliefs):
        pairs = kind(forest, unary, pairwise).pair_marginals(np.ones(3))
        assert_array_equal(pairs[0, 1] > 0, [False, True, False])
    labels = best_labels(forest, unary, pairwise, 5)[0]
    for step in forest.steps:
        before, after = labels[:, step.parents], labels[:, step.children]
        assert not ((before == 1) & (after != 1)).any()


def chain_of(length):
    steps = [Step(slice(t, t + 1), slice(t - 1, t), 0) for t in range(1, length)]
    return Forest(np.zeros(length, dtype=int), tuple(steps))


def test_long_chains_neither_overflow_nor_underflow(rng):
    """Nor where one label cannot reach another and is better for long, then worse for longer."""
    forest, unary = chain_of(4_000), np.zeros((4_000, 2))
    unary[:1500, 0], unary[1500:, 0] = 1.0, -1.0
    pairwise = np.array([[[0.0, -np.inf], [-np.inf, 0.0]]])
    found = beliefs(forest, unary, pairwise)
    assert_allclose(found.log_z, 0.0, atol=1e-9)
    assert_allclose(found.marginals[:, 1], 1.0)
    random = rng.standard_normal((4_000, 5))
    found = beliefs(forest, random, rng.standard_normal((1, 5, 5)))
    assert np.isfinite(found.log_z).all()
    assert_allclose(found.marginals.sum(axis=1), 1.0)


def test_energies_of_any_size_take_logarithms(rng):
    forest, unary, pairwise = potentials("chains", rng, 1e5)
    assert isinstance(beliefs(forest, unary, pairwise), LogBeliefs)
    best = best_labels(forest, unary, pairwise)[1][:, 0]
    assert_allclose(beliefs(forest, unary, pairwise).log_z, best)
