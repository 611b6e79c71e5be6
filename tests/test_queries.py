"""Labels of queries."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal

from sk_ebm._core.queries import query_codes

BIG = 2**60
LABELS = {
    "integers and a string": ([BIG, BIG + 1, "a", BIG], [0, 1, 2, 0]),
    "integers and a float": ([BIG, BIG + 1, 1.5, BIG], [0, 1, 2, 0]),
    "integers of no common type": ([-1, 2**63, 2**63 + 1, -1], [0, 1, 2, 0]),
    "integers beyond all types": ([2**70, 2**70 + 1, 0, 2**70], [0, 1, 2, 0]),
    "equal numbers": ([1, 1.0, True, 2], [0, 0, 0, 1]),
    "numbers and their names": ([1, "1", 1, b"1"], [0, 1, 0, 2]),
    "strings that end in a null character": (["a", "a\0", "a", "b"], [0, 1, 0, 2]),
    "all NaN": ([float("nan"), 1.0, np.nan, float("nan")], [0, 1, 0, 0]),
    "NaN and strings": ([float("nan"), "a", np.nan, "b"], [0, 1, 0, 2]),
    "NaN of an array": (np.array([np.nan, 1, np.nan, 2]), [0, 1, 0, 2]),
    "NaN of objects": (np.array([float("nan"), 1, np.nan, "b"], dtype=object), [0, 1, 0, 2]),
    "None is not NaN": ([None, float("nan"), None, np.nan], [0, 1, 0, 1]),
    "times": ([np.datetime64("NaT"), np.datetime64("2020"), pd.NaT, pd.NaT], [0, 1, 0, 0]),
    "missing in pandas": (pd.Series([BIG, BIG + 1, pd.NA, pd.NA], dtype="Int64"), [0, 1, 2, 2]),
    "missing in polars": (pl.Series([BIG, BIG + 1, None, None]), [0, 1, 2, 2]),
    "categories": (pd.Series(["b", "a", "b", "c"], dtype="category"), [0, 1, 0, 2]),
    "nothing in common": ([(1, 2), frozenset([3]), (1, 2), None], [0, 1, 0, 2]),
}


@pytest.mark.parametrize("groups, expected", LABELS.values(), ids=LABELS)
def test_labels_are_one_query_where_they_are_equal_or_all_nan(groups, expected):
    codes = query_codes(groups, 4)[1]
    assert_array_equal(codes[:, None] == codes, np.equal.outer(expected, expected))


def test_labels_that_cannot_be_sorted_are_in_order_of_appearance():
    queries, codes = query_codes([2, 1, "a", 0, float("nan"), 2], 6)
    assert queries[:-1].tolist() == [2, 1, "a", 0] and np.isnan(queries[-1])
    assert codes.tolist() == [0, 1, 2, 3, 4, 0]
