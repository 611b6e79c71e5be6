from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm._core.classes import Labels
from sk_ebm._core.gibbs import Gibbs
from sk_ebm._core.groups import _BLOCK_COST, Groups
from sk_ebm.losses._likelihood import NLL

n = 24


@pytest.fixture(params=[pytest.param(2, id="two"), pytest.param(4, id="four")])
def labels(request, rng):
    return Labels(rng.randint(request.param, size=n), request.param)


@pytest.mark.parametrize("n_classes, n_outputs", [(2, 1), (3, 3), (7, 7)])
def test_two_classes_have_one_output(n_classes, n_outputs):
    assert Labels(np.zeros(n, dtype=int), n_classes).n_outputs == n_outputs


def test_pullback_is_the_adjoint_of_arrange(labels, rng):
    outputs = rng.standard_normal((n, labels.n_outputs))
    slopes = rng.standard_normal((n, labels.n_classes))
    energies, pullback = labels.arrange(outputs)
    assert_allclose(np.vdot(energies, slopes), np.vdot(outputs, pullback(slopes)), rtol=1e-12)


def test_arrange_is_linear(labels, rng):
    a, b = rng.standard_normal((2, n, labels.n_outputs))
    expected = labels.arrange(a)[0] + 2 * labels.arrange(b)[0]
    assert_allclose(labels.arrange(a + 2 * b)[0], expected, rtol=1e-12, atol=1e-14)


def test_arrange_keeps_float32(labels, rng):
    energies, pullback = labels.arrange(np.ones((n, labels.n_outputs), dtype=np.float32))
    assert energies.dtype == pullback(energies).dtype == np.float32


def test_two_classes_share_one_output(rng):
    o = rng.standard_normal((n, 1))
    assert_array_equal(Labels.arrange(o)[0], np.hstack([o / 2, -o / 2]))


def test_more_classes_have_negative_outputs_as_energies(rng):
    outputs = rng.standard_normal((n, 3))
    assert_array_equal(Labels.arrange(outputs)[0], -outputs)


def test_diagonal_is_that_of_the_curvature_by_the_outputs(labels, rng):
    outputs = rng.standard_normal((n, labels.n_outputs))
    energies, pullback = labels.arrange(outputs)
    curvature = NLL().curvature(Gibbs(energies), labels.target)
    for o, unit in enumerate(np.eye(labels.n_outputs)):
        moved = labels.arrange(np.tile(unit, (n, 1)))[0]
        expected = pullback(curvature.product(moved))[:, o]
        assert_allclose(labels.diagonal(curvature, outputs)[:, o], expected, rtol=1e-12)


def test_take_of_all_is_the_identity(labels):
    taken = labels.take(np.arange(n))
    assert_array_equal(taken.target, labels.target)
    assert (len(taken), taken.n_classes) == (n, labels.n_classes)


def test_take_picks_samples(labels):
    assert_array_equal(labels.take([3, 1]).target, labels.target[[3, 1]])


def test_one_row_belongs_to_each_sample(labels):
    assert_array_equal(labels.rows(np.array([3, 1])), [3, 1])


TARGETS = {
    "balanced": np.arange(n) % 3,
    "one_member": np.append(np.zeros(n - 1, dtype=int), 1),
    "absent_class": np.arange(n) % 2 * 2,
}


@pytest.mark.parametrize("target", [pytest.param(t, id=name) for name, t in TARGETS.items()])
def test_test_folds_partition_the_samples(target, rng):
    tests = np.concatenate([test for _, test in Labels(target, 3).splits(5, rng)])
    assert_array_equal(np.sort(tests), np.arange(n))


@pytest.mark.parametrize("target", [pytest.param(t, id=name) for name, t in TARGETS.items()])
def test_training_folds_are_what_test_folds_leave(target, rng):
    for train, test in Labels(target, 3).splits(5, rng):
        assert_array_equal(np.sort(np.append(train, test)), np.arange(n))


def test_folds_are_stratified_where_every_class_is_frequent(rng):
    target = TARGETS["balanced"]
    counts = [np.bincount(target[test]) for _, test in Labels(target, 3).splits(4, rng)]
    assert_array_equal(counts, np.full((4, 3), 2))


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
    folds = groups.splits(5, rng)
    for train, test in folds:
        assert_array_equal(np.sort(np.append(train, test)), np.arange(30))
    counts = [np.count_nonzero(groups.informative[test]) for _, test in folds]
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("gains", [[1.0, 0, 2], [0.0, 0, 1, 0]], ids=["one query", "one of two"])
def test_nothing_is_held_out_of_one_informative_query(gains, rng):
    query = np.arange(len(gains)) // 3
    assert Groups(np.array(gains), query).splits(5, rng) == []
