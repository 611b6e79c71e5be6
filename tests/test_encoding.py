"""Columns of categories as the codes that trees read."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from sk_ebm._tables.encoding import TableEncoder

NAMES = ["b", None, "a", "b"]
NUMBERS = [1.5, 2.0, None, 3.0]
ENCODED = np.array([[1, 1.5], [np.nan, 2], [0, np.nan], [1, 3]])
TABLES = {
    "objects": pd.DataFrame({"n": NUMBERS, "c": NAMES}),
    "category": pd.DataFrame({"n": NUMBERS, "c": pd.Categorical(NAMES, ["a", "b"])}),
    "string": pd.DataFrame({"n": pd.Series(NUMBERS, dtype="Float64"), "c": NAMES}).astype(
        {"c": "string"}
    ),
    "polars": pl.DataFrame({"n": NUMBERS, "c": NAMES}),
    "polars enum": pl.DataFrame({"n": NUMBERS, "c": NAMES}, schema_overrides={"c": pl.Enum("ab")}),
    "object array": np.array([NUMBERS, NAMES], dtype=object).T,
}


@pytest.mark.parametrize("name", TABLES)
def test_categories_come_first_and_missing_ones_are_nan(name):
    encoder = TableEncoder("from_dtype").fit(TABLES[name])
    assert encoder.n_categorical == 1
    assert_array_equal(encoder.transform(TABLES[name]), ENCODED)


@pytest.mark.parametrize("column", [1, -1, "c"])
def test_columns_are_named_or_numbered(column):
    X = pd.DataFrame({"n": NUMBERS, "c": [7, 9, 7, None]})
    found = TableEncoder([column]).fit(X).transform(X)
    assert_array_equal(found, [[0, 1.5], [1, 2], [0, np.nan], [np.nan, 3]])
    with pytest.raises(ValueError, match="categorical_features must be the name of a column"):
        TableEncoder(["other"]).fit(X)


def test_unknown_categories_are_missing_whatever_their_type():
    encoder = TableEncoder([0]).fit(np.array([["a"], ["b"]], dtype=object))
    for unknown in (np.array([["c"]]), np.array([[1.0]]), np.array([[None]], dtype=object)):
        assert np.isnan(encoder.transform(unknown)).all()


def test_numbers_and_text_in_one_column_are_categories():
    X = pd.DataFrame({"c": [2, "b", 1.5, "a", 2.0, True]})
    assert_array_equal(TableEncoder("from_dtype").fit(X).transform(X)[:, 0], [2, 4, 1, 3, 2, 0])


def test_sparse_columns_of_codes():
    X = sparse.csr_array([[5.0, 0.0, 1.0], [0.0, 2.0, 0.0]])
    found = TableEncoder([0]).fit(X).transform(X)
    assert sparse.issparse(found)
    assert_array_equal(found.toarray(), [[1, 0, 1], [0, 2, 0]])


def test_columns_of_one_name():
    X = TABLES["objects"].set_axis(["a", "a"], axis=1)
    assert_array_equal(TableEncoder("from_dtype").fit(X).transform(X), ENCODED)


def test_values_that_are_no_categories_are_named():
    X = pd.DataFrame({"c": [[1], [2]]})
    with pytest.raises(TypeError, match="column 'c' holds .* list"):
        TableEncoder("from_dtype").fit(X)


def test_infinite_numbers_are_named():
    X = pd.DataFrame({"c": ["a", "b"], "n": [1.0, np.inf]})
    with pytest.raises(ValueError, match="infinite values .inf. in the column 'n'"):
        TableEncoder("from_dtype").fit(X).transform(X)
