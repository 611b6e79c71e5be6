"""Sequences, nested and flat, and what is refused."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from sk_ebm._tables.sequences import (
    check_same_form,
    is_nested,
    position_of,
    read_flat,
    read_nested,
    restore,
    split,
)

TABLES = [np.arange(6.0).reshape(3, 2), np.arange(2.0).reshape(1, 2), np.ones((2, 2))]
LABELS = [["a", "b", "a"], ["b"], ["a", "a"]]
DICTIONARIES = [[{"w": "x"}, {"w": "y"}], [{"v": 1}]]


def as_object_array(X):
    array = np.empty(len(X), dtype=object)
    array[:] = X
    return array


NESTED = {
    "arrays": TABLES,
    "a tuple": tuple(TABLES),
    "an array of objects": as_object_array(TABLES),
    "csr": [sparse.csr_matrix(one) for one in TABLES],
    "csc arrays": [sparse.csc_array(one) for one in TABLES],
    "sparse and dense": [sparse.csr_matrix(TABLES[0]), *TABLES[1:]],
    "dense and sparse": [*TABLES[:2], sparse.csr_matrix(TABLES[2])],
    "pandas": [pd.DataFrame(one, columns=["a", "b"]) for one in TABLES],
    "polars": [pl.DataFrame(one, schema=["a", "b"]) for one in TABLES],
    "integers": [one.astype(int) for one in TABLES],
    "float32": [one.astype(np.float32) for one in TABLES],
}


@pytest.mark.parametrize("X", NESTED.values(), ids=NESTED)
def test_nested_tables_are_one_flat_table(X):
    assert is_nested(X)
    found = read_nested(X, LABELS)
    flat = found.X.toarray() if sparse.issparse(found.X) else found.X
    assert_array_equal(flat, np.concatenate(TABLES))
    assert_array_equal(found.starts, [0, 3, 4, 6])
    assert_array_equal(found.y, list("abab") + ["a", "a"])
    for one, table in zip(split(found.X, found.starts), TABLES, strict=True):
        assert_array_equal(one.toarray() if sparse.issparse(one) else one, table)


def test_the_form_of_the_flat_table():
    assert read_nested(NESTED["float32"]).X.dtype == np.float32
    assert read_nested([*NESTED["float32"][:2], TABLES[2]]).X.dtype == np.float64
    assert read_nested(NESTED["integers"]).X.dtype == np.float64
    for name in ("csr", "csc arrays", "sparse and dense", "dense and sparse"):
        assert read_nested(NESTED[name]).X.format == "csr"
    assert read_nested([sparse.csr_matrix(TABLES[0], dtype=np.float32)]).X.dtype == np.float32


def test_names_of_columns():
    assert read_nested(NESTED["pandas"]).columns == ("a", "b")
    assert read_nested(NESTED["polars"]).columns == ("a", "b")
    assert read_nested(TABLES).columns is None


def test_dictionaries_stay_dictionaries():
    assert is_nested(DICTIONARIES)
    found = read_nested(DICTIONARIES, [[1, 2], [3]])
    assert [*DICTIONARIES[0], *DICTIONARIES[1]] == found.X
    assert split(found.X, found.starts) == DICTIONARIES
    assert_array_equal(found.y, [1, 2, 3])
    assert read_nested(DICTIONARIES).y is None


@pytest.mark.parametrize(
    "y",
    [
        [np.array(["a", "longer", "a"]), np.array(["b"]), ["a", "a"]],
        as_object_array([["a", "longer", "a"], ["b"], ("a", "a")]),
        [pd.Series(["a", "longer", "a"]), pd.Series(["b"]), pd.Series(["a", "a"])],
    ],
)
def test_labels_keep_all_their_letters(y):
    assert list(read_nested(TABLES, y).y) == ["a", "longer", "a", "b", "a", "a"]


def test_labels_of_equal_lengths_are_no_matrix():
    X, y = [TABLES[2], TABLES[2]], [[0, 1], [1, 1]]
    assert_array_equal(read_nested(X, y).y, [0, 1, 1, 1])


@pytest.mark.parametrize(
    "X",
    [
        [[1, 2], [3, 4]],
        [np.ones(2), np.ones(2)],
        np.ones((3, 2)),
        np.ones((3, 2, 2)),
        np.ones((3, 2), dtype=object),
        [{"a": 1}, {"a": 2}],
        [["a", "b"], ["c"]],
        sparse.eye_array(3).tocsr(),
        pd.DataFrame({"a": [1]}),
        [],
    ],
)
def test_what_is_not_nested(X):
    assert not is_nested(X)


def bad(index, one):
    return [*TABLES[:index], one, *TABLES[index + 1 :]]


NAN = np.array([[1.0, np.nan]])
REFUSED = {
    "number of sequences": (TABLES, LABELS[:2], "got 3 in X and 2 in y"),
    "number of labels": (
        TABLES,
        [*LABELS[:2], ["a"]],
        "1 labels for the 2 positions of sequence 2",
    ),
    "no sequences in y": (TABLES, [], "y must be a list with a list .* got a list of 0 values"),
    "flat y": (TABLES, np.zeros(6), "y must be a list .* got a ndarray of the shape \\(6,\\)"),
    "flat list as y": (TABLES, list("ababaa"), "y must be a list .* got a list of 6 values"),
    "matrix as y": (
        TABLES,
        np.zeros((3, 2)),
        "y must be a list .* ndarray of the shape \\(3, 2\\)",
    ),
    "text as y": (TABLES, [["a", "b", "a"], "b", ["a", "a"]], "got a str .* for sequence 1"),
    "2-d labels": (TABLES, [*LABELS[:2], np.ones((2, 1))], "\\(2, 1\\) for sequence 2"),
    "kinds of labels": (
        TABLES,
        [*LABELS[:2], [1, 2]],
        "got text in sequence 0 and numbers in seq.* 2",
    ),
    "no label": (TABLES, [*LABELS[:2], ["a", None]], "y is missing in sequence 2, position 1"),
    "NaN label": (TABLES, [[1, 2, 3], [np.nan], [1, 2]], "y is missing in sequence 1, position 0"),
    "infinite label": (
        TABLES,
        [[1, 2, 3], [1], [np.inf, 2]],
        "y is infinite in sequence 2, pos.* 0",
    ),
    "empty": (bad(1, np.ones((0, 2))), None, "Sequence 1 of X is empty"),
    "empty list": ([*DICTIONARIES, []], None, "Sequence 2 of X is empty"),
    "empty list first": ([[], *DICTIONARIES], None, "Sequence 0 of X is empty"),
    "empty csr": (bad(2, sparse.csr_matrix((0, 2))), None, "Sequence 2 of X is empty"),
    "columns": (bad(1, np.ones((1, 3))), None, "got 3 in sequence 1 and 2 in sequence 0"),
    "names of columns": (
        [pd.DataFrame({"a": [1], "b": [2]}), pd.DataFrame({"b": [1], "a": [2]})],
        None,
        "got \\('b', 'a'\\) in sequence 1 and \\('a', 'b'\\) in sequence 0",
    ),
    "NaN": (bad(1, NAN), None, "X holds NaN in sequence 1, position 0, column 1"),
    "infinity": (
        bad(2, np.array([[0, 0], [-np.inf, 0]])),
        None,
        "infinity in sequence 2, position 1, c.* 0",
    ),
    "NaN in csr": (bad(1, sparse.csr_matrix(NAN)), None, "NaN in sequence 1, position 0, column 1"),
    "text": (bad(1, np.array([["a", "b"]])), None, "sequence 1 cannot be read as such"),
    "missing in pandas": (
        [pd.DataFrame({"a": pd.array([1, None], dtype="Int64")})],
        None,
        "sequence 0 (cannot be read|, position 1)|NaN in sequence 0, position 1, column 0",
    ),
    "complex": (bad(1, np.ones((1, 2)) * 1j), None, "complex ones in sequence 1"),
    "a row": (bad(1, np.ones(2)), None, "got a ndarray of the shape \\(2,\\) for sequence 1"),
    "a row first": (bad(0, [1, 2]), None, "got a list of 2 values for sequence 0"),
    "3-d": (bad(1, np.ones((1, 1, 2))), None, "shape \\(1, 1, 2\\) for sequence 1"),
    "dictionaries and tables": ([*DICTIONARIES, TABLES[0]], None, "shape \\(3, 2\\) in sequence 2"),
    "tables and dictionaries": ([*TABLES, DICTIONARIES[0]], None, "got a list for sequence 3"),
    "dictionaries and others": ([[{"a": 1}], [{"a": 1}, 3]], None, "got a int in sequence 1"),
}


@pytest.mark.parametrize("X, y, message", REFUSED.values(), ids=REFUSED)
def test_refused_nested(X, y, message):
    assert is_nested(X)
    with pytest.raises(ValueError, match=message):
        read_nested(X, y)


@pytest.mark.parametrize("read", [read_nested, read_flat])
def test_nested_tables_need_no_names_of_sequences(read):
    with pytest.raises(ValueError, match="sequences must be None"):
        read(TABLES, LABELS, np.zeros(3))


@pytest.mark.parametrize(
    "names",
    [
        ["b", "a", "b", "c", "a"],
        np.array(["b", "a", "b", "c", "a"]),
        pd.Series(["b", "a", "b", "c", "a"], dtype="category"),
        pl.Series(["b", "a", "b", "c", "a"]),
        [(1, 2), "a", (1, 2), 3, "a"],
        np.array([7, 3, 7, 0, 3]),
    ],
)
def test_flat_sequences_come_in_order_of_appearance(names):
    order, starts = read_flat(np.ones((5, 2)), None, names)
    assert_array_equal(order, [0, 2, 1, 4, 3])
    assert_array_equal(starts, [0, 2, 4, 5])


def test_restored_values_are_in_the_order_of_the_rows(rng):
    values = rng.standard_normal((50, 3))
    order, starts = read_flat(values, np.arange(50), rng.randint(0, 7, size=50))
    assert starts[-1] == 50 and not np.array_equal(order, np.arange(50))
    assert_array_equal(restore(values[order], order), values)
    assert_array_equal(restore(np.arange(50)[order], order), np.arange(50))


@pytest.mark.parametrize(
    "y, names, message",
    [
        (np.zeros(3), [0, 0, None], "name of row 2 is missing"),
        (np.zeros(3), [0, np.nan, 1], "name of row 1 is missing"),
        (np.zeros(3), np.array([0, np.nan, 1]), "name of row 1 is missing"),
        (np.zeros(3), np.array(["2020", "NaT", "2020"], "M8[ns]"), "name of row 1 is missing"),
        (np.zeros(3), pd.Series(["a", None, "b"]), "name of row 1 is missing"),
        (np.zeros(3), [0, 0], "each of the 3 rows of X, in one dimension, got a list of 2 values"),
        (np.zeros(3), np.zeros((3, 1)), "in one dimension, got a ndarray of the shape \\(3, 1\\)"),
        (np.zeros(3), "abc", "in one dimension, got a str of 3 values"),
        (np.zeros(3), 5, "in one dimension, got a int"),
        (np.zeros(3), [[1], [2], [3]], "hashable names"),
        (np.zeros(4), [0, 0, 1], "each of the 3 rows of X, got 4 values"),
        ([[1], [2, 3]], [0, 1, 1], "y is a list of lists or arrays, first a list of 1 values"),
    ],
)
def test_refused_flat(y, names, message):
    with pytest.raises(ValueError, match=message):
        read_flat(np.ones((3, 2)), y, names)


def test_flat_and_nested_are_told_apart():
    check_same_form(TABLES, LABELS)
    check_same_form(np.ones((3, 2)), [1, 2, 3])
    check_same_form(np.ones((3, 2)), np.ones((3, 2)))  # an indicator matrix
    check_same_form(TABLES, None)
    with pytest.raises(ValueError, match="y is a list of lists .* X is a flat table"):
        check_same_form(np.ones((3, 2)), [[1, 2], [1]])


def test_positions_in_words():
    assert position_of(4, np.array([0, 3, 4, 6])) == "sequence 2, position 0"
