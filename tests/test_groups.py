"""The items of queries as answers."""

from itertools import combinations

import numpy as np
import pytest
from helpers import each_block
from helpers import groups as problem_of_groups
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm._core.gibbs import Gibbs
from sk_ebm._core.groups import _BLOCK_COST, Groups
from sk_ebm.losses._registry import LOSSES


@pytest.fixture
def groups(rng):
    """Queries of one to forty items, in any order of rows, with weights of the items."""
    query = rng.permutation(np.repeat(np.arange(30), rng.randint(1, 41, size=30)))
    gains = rng.randint(3, size=len(query)).astype(float)
    gains[query < 5] = 0
    return Groups(gains, query, copies=rng.uniform(0.5, 2, size=len(query)))


def test_blocks_hold_every_query_and_every_row_once(groups):
    samples, rows, answers = zip(*groups.blocks, strict=True)
    assert_array_equal(np.sort(np.concatenate(samples)), np.arange(30))
    assert_array_equal(np.sort(np.concatenate(rows)), np.arange(len(groups.query)))
    for block, its_rows, part in zip(samples, rows, answers, strict=True):
        assert_array_equal(groups.query[its_rows], np.repeat(block, part.sizes))
        assert_array_equal(part.target.gains[part.present], groups.gains[its_rows])


def test_a_block_arranges_the_energies_of_its_items(groups, rng):
    outputs = rng.standard_normal((len(groups.query), 1))
    for _, rows, answers in groups.blocks:
        energies, _ = answers.arrange(outputs[rows])
        assert_array_equal(energies[answers.present], -outputs[rows, 0])
        assert_array_equal(np.isneginf(answers.log_measure), ~answers.present)


def test_one_long_query_pads_no_short_ones(rng):
    query = np.concatenate([np.zeros(100_000, dtype=int), np.repeat(np.arange(1, 5001), 10)])
    entries = [part.present.size for *_, part in Groups(np.ones(len(query)), query).blocks]
    assert sum(entries) < 1.1 * len(query)


def test_little_of_the_blocks_is_padding(rng):
    query = np.repeat(np.arange(20_000), rng.poisson(50, size=20_000) + 1)
    blocks = Groups(np.ones(len(query)), query).blocks
    assert sum(part.present.size for *_, part in blocks) < 1.2 * len(query)
    assert len(blocks) < 20


def test_blocks_take_the_least_time(rng):
    """In entries, each block costing as many as the module says, of all ways to cut the lengths."""
    for _ in range(20):
        sizes = rng.choice([1, 2, 5, 30, 70, 200], size=rng.randint(1, 400))
        ordered = np.sort(sizes)[::-1]
        cuts = np.flatnonzero(np.diff(ordered)) + 1
        costs = [
            sum(part[0] * len(part) + _BLOCK_COST for part in np.split(ordered, chosen))
            for n in range(len(cuts) + 1)
            for chosen in combinations(cuts, n)
        ]
        query = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
        blocks = Groups(np.ones(len(query)), query).blocks
        assert sum(part.present.size + _BLOCK_COST for *_, part in blocks) == min(costs)


def test_rows_come_query_after_query(groups):
    rows = groups.rows(np.array([7, 3]))
    assert_array_equal(groups.query[rows], np.repeat([7, 3], groups.sizes[[7, 3]]))


def test_take_of_queries_keeps_their_items(groups):
    samples = np.array([9, 2, 20])
    taken, rows = groups.take(samples), groups.rows(samples)
    assert_array_equal(taken.gains, groups.gains[rows])
    assert_array_equal(samples[taken.query], groups.query[rows])
    assert_allclose(taken.per_row(np.ones(3)), groups.per_row(np.ones(30))[rows])


def test_items_share_the_weight_of_their_query(groups, rng):
    weights = rng.uniform(size=30)
    means = np.bincount(groups.query, groups.per_row(weights)) / groups.sizes
    assert_allclose(means, weights, rtol=1e-12)


def test_folds_of_queries_spread_the_informative_ones(groups, rng):
    folds = groups.folds(5, rng)
    for train, test in folds:
        assert_array_equal(np.sort(np.append(train, test)), np.arange(30))
    counts = [np.count_nonzero(groups.informative[test]) for _, test in folds]
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("gains", [[1.0, 0, 2], [0.0, 0, 1, 0]], ids=["one query", "one of two"])
def test_nothing_is_held_out_of_one_informative_query(gains, rng):
    query = np.arange(len(gains)) // 3
    assert Groups(np.array(gains), query).folds(5, rng).pairs == ()


@pytest.mark.parametrize("loss", [pytest.param(loss(), id=name) for name, loss in LOSSES.items()])
def test_padding_gets_gradient_zero(loss, rng):
    X, answers = problem_of_groups(rng)
    outputs = -np.abs(rng.standard_normal((len(X), 1)))
    for rows, part in each_block(answers):
        energies, _ = part.arrange(outputs[rows])
        gradient = loss(Gibbs(energies, part.log_measure), part.target)[1]
        assert_array_equal(gradient[~part.present], 0)


def test_queries_are_ordered_where_present_items_differ_in_gain():
    query, gains = np.repeat(np.arange(4), 2), np.array([1, 1, 1, 2, 0, 3, 2, 5.0])
    copies = np.array([1, 1, 1, 1, 1, 0, 2, 2.0])
    assert Groups(gains, query, copies=copies).ordered.tolist() == [False, True, False, True]
