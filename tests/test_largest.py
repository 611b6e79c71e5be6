"""The largest of the outputs of each row, against a stable sort."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sk_ebm._core.largest import Largest, largest


def expected(outputs, k):
    columns = np.argsort(-outputs, axis=1, kind="stable")[:, :k]
    return columns, np.take_along_axis(outputs, columns, axis=1)


@pytest.mark.parametrize("k", [1, 3, 40])
@pytest.mark.parametrize("levels", [3, 10**6])
def test_the_largest_first_and_of_equal_ones_the_first(k, levels, rng):
    outputs = rng.randint(levels, size=(50, 40)).astype(float)
    for found, wanted in zip(largest(outputs, k), expected(outputs, k), strict=True):
        assert_array_equal(found, wanted)


@pytest.mark.parametrize("levels", [30, 10**6])
def test_many_columns_are_compared_in_groups(levels, rng):
    outputs = rng.randint(levels, size=(20, 5001)).astype(float)
    outputs[0] = np.sort(outputs[0])  # all of the largest in the columns that no group has
    for found, wanted in zip(largest(outputs, 4), expected(outputs, 4), strict=True):
        assert_array_equal(found, wanted)


@pytest.mark.parametrize("order", [1, -1])
def test_blocks_add_up(order, rng):
    """Ascending outputs, too, of which each block adds the largest of all."""
    outputs = np.sort(rng.standard_normal((5, 64)), axis=1)[:, ::order]
    best = Largest(5, 7)
    for start in range(0, 64, 4):
        block = outputs[:, start : start + 4]
        rows, columns = np.nonzero(block > best.least[:, None])
        best.add(start, rows, columns, block[rows, columns])
    for found, wanted in zip(best.sorted(), expected(outputs, 7), strict=True):
        assert_array_equal(found, wanted)
