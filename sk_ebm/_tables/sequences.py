"""Sequences as users give them: nested, one table for each, or as rows of one flat table.

A nested X is a list, tuple or one-dimensional array of objects, whose elements are 2-d arrays,
sparse matrices, frames, or lists of dictionaries. Each is a sequence with a row, or dictionary, for
each of its positions, and y holds a list or 1-d array of labels for each. In flat form, X is one
table, y is 1-d, and ``sequences`` names the sequence of each row.
"""

from collections.abc import Mapping
from itertools import chain
from typing import NamedTuple

import numpy as np
from scipy import sparse

from sk_ebm._tables.reading import is_missing
from sk_ebm._utils.sklearn_private import count_rows, take_rows

_LABELS_ACCEPTED = "a list with a list or one-dimensional array of labels for each sequence"


class Sequences(NamedTuple):
    """Positions of all sequences, one after the other.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n_positions, n_features), or list of dict
        float64, or float32 where all sequences are.
    y : ndarray of shape (n_positions,), or None
    starts : ndarray of int of shape (n_sequences + 1,)
        The first row of each sequence, and the end.
    columns : tuple of str, or None
        The names of the columns, of frames only.
    """

    X: object
    y: np.ndarray | None
    starts: np.ndarray
    columns: tuple | None = None


def is_nested(X):
    """Whether X holds tables or lists of dictionaries: a list of rows of numbers is flat."""
    return is_list(X) and any(_is_table(one) or _is_dictionaries(one) for one in X)


def read_nested(X, y=None, sequences=None, takes_nan=False):
    """The `Sequences` of a nested X, and y if it is given."""
    if sequences is not None:
        raise ValueError(
            "sequences must be None where X is a list of sequences, as it names the sequence of "
            "each row of a flat table. Leave it out."
        )
    check_same_form(X, y)
    lengths = np.array([_length(one, index) for index, one in enumerate(X)])
    starts = np.concatenate([[0], np.cumsum(lengths)])
    labels = None if y is None else _nested_labels(y, starts)
    if _is_dictionaries(X[0]):
        return Sequences(_flat_dictionaries(X), labels, starts)
    _check_columns(X)
    flat = _flat_table(X)
    check_finite_positions(flat, starts, takes_nan=takes_nan)
    return Sequences(flat, labels, starts, _column_names(X[0]))


def read_flat(X, y, sequences):
    """The order of the rows in which sequences follow one another, and their `starts`.

    Rows keep their order within a sequence, and sequences come in order of first appearance.
    """
    check_same_form(X, y)
    n_rows = count_rows(X)
    if is_nested(X):
        read_nested(X, y, sequences)  # which raises
    if y is not None and count_rows(y) != n_rows:
        raise ValueError(
            f"y must hold a label for each of the {n_rows} rows of X, got {count_rows(y)} values."
        )
    codes = _sequence_codes(sequences, n_rows)
    starts = np.concatenate([[0], np.cumsum(np.bincount(codes))])
    return np.argsort(codes, kind="stable"), starts


def check_same_form(X, y):
    """Raise a ValueError where one of X and y is flat and the other nested."""
    if len(getattr(X, "shape", ())) > 2:
        raise ValueError(
            "X must be a flat table or a list with a 2-d array for each sequence, got an array of "
            f"the shape {X.shape}. Give list(X)."
        )
    nested = is_nested(X)
    if y is None or nested == _is_nested_labels(y):
        return
    if nested:
        raise ValueError(
            f"y must be {_LABELS_ACCEPTED}, as X is a list of sequences, got {_form_of(y)}. Or "
            "give one flat table as X with sequences=, the sequence of each row."
        )
    raise ValueError(
        f"y is a list of lists or arrays, first {_form_of(y[0])}, but X is a flat table. Give X as "
        "a list of sequences, each a 2-d array, a sparse matrix or a list of dictionaries; or give "
        "y as a 1-d array with sequences=, the sequence of each row; or, for sets of labels, as a "
        "2-d array of 0 and 1."
    )


def split(values, starts):
    """A list with the values of each sequence, of an array, a CSR matrix or a list of all."""
    ends = zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
    return [values[start:end] for start, end in ends]


def restore(values, order):
    """Flat values, an array, CSR matrix or list, in the order of the rows given to `read_flat`."""
    rows = np.empty_like(order)
    rows[order] = np.arange(len(order))
    return take_rows(values, rows)


def check_finite_positions(X, starts, *, takes_nan=False, where=None):
    """Raise a ValueError that names the first sequence of a flat X with NaN or infinity.

    ``where`` says in words where a row is, by default by `position_of`.
    """
    numbers = X.data if sparse.issparse(X) else X
    bad = np.isinf(numbers) if takes_nan else ~np.isfinite(numbers)
    if not bad.any():
        return
    first = np.unravel_index(bad.argmax(), bad.shape)
    row = np.searchsorted(X.indptr, first[0], side="right") - 1 if sparse.issparse(X) else first[0]
    column = X.indices[first[0]] if sparse.issparse(X) else first[1]
    what = "NaN" if np.isnan(numbers[first]) else "infinity"
    place = position_of(row, starts) if where is None else where(row)
    raise ValueError(
        f"X holds {what} in {place}, column {column}: "
        "replace such values, or leave the sequence out."
    )


def position_of(row, starts, first=0):
    """A row of flat sequences, the first of which is number ``first``, in words."""
    index = np.searchsorted(starts, row, side="right") - 1
    return f"sequence {first + index}, position {row - starts[index]}"


def is_list(values):
    """Whether it is a list, a tuple or a one-dimensional array of objects."""
    return isinstance(values, (list, tuple)) or (
        isinstance(values, np.ndarray) and values.dtype == object and values.ndim == 1
    )


def _is_table(one):
    return len(getattr(one, "shape", ())) == 2


def _is_dictionaries(one):
    return is_list(one) and len(one) > 0 and isinstance(one[0], Mapping)


def _is_nested_labels(y):
    """Whether y is a list of lists or arrays, by its first element."""
    return is_list(y) and len(y) > 0 and (is_list(y[0]) or hasattr(y[0], "__array__"))


def _form_of(values):
    shape = getattr(values, "shape", None)
    kind = type(values).__name__
    size = f" of {len(values)} values" if hasattr(values, "__len__") else ""
    return f"a {kind} of the shape {shape}" if shape is not None else f"a {kind}{size}"


def _length(one, index):
    """The number of positions of a sequence."""
    is_empty_list = is_list(one) and len(one) == 0
    if not (_is_table(one) or _is_dictionaries(one) or is_empty_list):
        raise ValueError(
            "X must hold a 2-d array, a sparse matrix or a list of dictionaries for each sequence, "
            f"got {_form_of(one)} for sequence {index}."
        )
    length = one.shape[0] if _is_table(one) else len(one)
    if length == 0:
        raise ValueError(
            f"Sequence {index} of X is empty, but each must have at least one position. Leave it "
            "out, of X and of y."
        )
    return length


def _flat_dictionaries(X):
    for index, one in enumerate(X):
        others = [position for position in one if not isinstance(position, Mapping)]
        if _is_table(one) or others:
            found = _form_of(one) if _is_table(one) else f"a {type(others[0]).__name__}"
            raise ValueError(
                f"X must hold lists of dictionaries for all sequences or for none, got {found} in "
                f"sequence {index}, and dictionaries in sequence 0."
            )
    return list(chain.from_iterable(X))


def _check_columns(X):
    """Raise a ValueError where sequences have different columns, by number or by name."""
    for index, one in enumerate(X):
        if not _is_table(one):
            raise ValueError(
                f"X must hold lists of dictionaries for all sequences or for none, got a "
                f"{type(one).__name__} for sequence {index}, and {_form_of(X[0])} for sequence 0."
            )
        if one.shape[1] != X[0].shape[1]:
            raise ValueError(
                f"The sequences of X must have the same columns, got {one.shape[1]} in sequence "
                f"{index} and {X[0].shape[1]} in sequence 0."
            )
        if _column_names(one) != _column_names(X[0]):
            raise ValueError(
                f"The sequences of X must have the same columns, got {_column_names(one)} in "
                f"sequence {index} and {_column_names(X[0])} in sequence 0."
            )


def _column_names(one):
    return tuple(one.columns) if hasattr(one, "columns") else None


def _flat_table(X):
    dtypes = {getattr(one, "dtype", None) for one in X}
    dtype = np.float32 if dtypes == {np.dtype(np.float32)} else np.float64
    tables = [_as_numbers(one, dtype, index) for index, one in enumerate(X)]
    if any(map(sparse.issparse, tables)):
        return sparse.vstack([sparse.csr_matrix(one) for one in tables], format="csr")
    return np.concatenate(tables)


def _as_numbers(one, dtype, index):
    if getattr(getattr(one, "dtype", None), "kind", None) == "c":
        raise ValueError(f"X must hold real numbers, got complex ones in sequence {index}.")
    try:
        return (
            one.astype(dtype, copy=False) if sparse.issparse(one) else np.asarray(one, dtype=dtype)
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"X must hold numbers, but sequence {index} cannot be read as such: {error}. Encode "
            "text and categories first, and replace what is missing."
        ) from error


def _nested_labels(y, starts):
    """The labels of all positions as one array."""
    if len(y) != len(starts) - 1:
        raise ValueError(
            f"X and y must hold the same sequences, got {len(starts) - 1} in X and {len(y)} in y."
        )
    labels = [_labels_of(one, index) for index, one in enumerate(y)]
    for index, (one, length) in enumerate(zip(labels, np.diff(starts), strict=True)):
        if len(one) != length:
            raise ValueError(
                f"y must hold a label for each position, got {len(one)} labels for the {length} "
                f"positions of sequence {index}."
            )
    _check_kinds(labels)
    flat = np.concatenate(labels)
    _check_known(flat, starts)
    return flat


def _labels_of(one, index):
    labels = np.asarray(one) if is_list(one) or hasattr(one, "__array__") else None
    if labels is None or labels.ndim != 1:
        raise ValueError(f"y must be {_LABELS_ACCEPTED}, got {_form_of(one)} for sequence {index}.")
    return labels


def _check_kinds(labels):
    """Raise a ValueError where some are numbers and others text: numpy would make all text."""
    kinds = ["text" if one.dtype.kind in "USOT" else "numbers" for one in labels]
    if len(set(kinds)) > 1:
        other = next(index for index, kind in enumerate(kinds) if kind != kinds[0])
        _check_known(labels[other], np.array([0, len(labels[other])]), other)
        raise ValueError(
            f"The labels of y must be of one kind, got {kinds[0]} in sequence 0 and {kinds[other]} "
            f"in sequence {other}."
        )


def _check_known(flat, starts, first=0):
    """Raise a ValueError that names the first position whose label is missing or infinite."""
    missing = is_missing(flat)
    bad = missing | np.isinf(flat) if flat.dtype.kind == "f" else missing
    if bad.any():
        row = bad.argmax()
        what = "missing" if missing[row] else "infinite"
        raise ValueError(
            f"y is {what} in {position_of(row, starts, first)}: leave this sequence out, of X and "
            "of y."
        )


def _sequence_codes(sequences, n_rows):
    """The index of the sequence of each row, by first appearance."""
    names = _sequence_names(sequences, n_rows)
    missing = is_missing(names)
    if missing.any():
        raise ValueError(
            f"sequences must name the sequence of each row, but the name of row {missing.argmax()} "
            "is missing."
        )
    names = names.tolist()
    try:
        codes = {name: code for code, name in enumerate(dict.fromkeys(names))}
    except TypeError as error:
        raise ValueError(f"sequences must hold hashable names: {error}.") from error
    return np.fromiter(map(codes.__getitem__, names), dtype=np.intp, count=n_rows)


def _sequence_names(sequences, n_rows):
    """An array of the names, of objects if they come as a list."""
    is_list = isinstance(sequences, (list, tuple))
    names = np.empty(len(sequences), dtype=object) if is_list else np.asarray(sequences)
    if is_list:
        names[:] = sequences
    if names.shape != (n_rows,):
        raise ValueError(
            f"sequences must hold the name of the sequence of each of the {n_rows} rows of X, in "
            f"one dimension, got {_form_of(sequences)}."
        )
    return names
