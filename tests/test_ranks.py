"""Ranks and ties within groups."""

import numpy as np
from numpy.testing import assert_array_equal
from scipy.stats import rankdata

from sk_ebm._utils.ranks import ranges, rank_in_groups


def test_ranks_in_groups_are_those_of_each_group(rng):
    groups, values = rng.randint(6, size=80), rng.randint(5, size=80).astype(float)
    groups[groups == 3] = 7  # groups without rows
    order, rank, starts, sizes = rank_in_groups(groups, values)
    ranks, least, number = np.empty((3, 80))
    ranks[order] = rank + 1
    least[order] = np.repeat(rank[starts] + 1, sizes)
    number[order] = np.repeat(sizes, sizes)
    for group in np.unique(groups):
        rows = groups == group
        assert_array_equal(ranks[rows], rankdata(values[rows], method="ordinal"))
        assert_array_equal(least[rows], rankdata(values[rows], method="min"))
        largest = rankdata(values[rows], method="max")
        assert_array_equal(number[rows], largest - least[rows] + 1)


def test_ranges_follow_one_another():
    result = ranges(np.array([5, 0, 2]), np.array([2, 0, 3]))
    assert_array_equal(result, [5, 6, 2, 3, 4])
    assert_array_equal(ranges(1, np.array([2, 3])), [1, 2, 1, 2, 3])
