"""Label sequences that users give a classifier, nested or flat, as it reads them."""

import sys
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import column_or_1d, get_tags

from sk_ebm._tables.sequences import (
    check_finite_positions,
    check_same_form,
    is_list,
    is_nested,
    position_of,
    read_flat,
    read_nested,
    restore,
    split,
)
from sk_ebm._utils.sklearn_private import take_rows


class ReadSequences(NamedTuple):
    """Sequences as a classifier reads them.

    Attributes
    ----------
    X : flat rows of all positions, sequence after sequence
    y : ndarray of shape (n_positions,), or None
    starts : ndarray of int, shape (n_sequences + 1,)
    order : ndarray of int, or None
        The row of each position, of a flat table; None of nested sequences.
    names : array-like, or None
        The name of the sequence of each row, of a flat table.
    """

    X: object
    y: np.ndarray | None
    starts: np.ndarray
    order: np.ndarray | None = None
    names: object = None

    @property
    def lengths(self):
        return np.diff(self.starts)

    @property
    def holds_dictionaries(self):
        return isinstance(self.X, list) and isinstance(self.X[0], Mapping)

    def where(self, position):
        """A position in words."""
        if self.order is None:
            return position_of(position, self.starts)
        row = self.order[position]
        return f"row {row}, of sequence {np.asarray(self.names, dtype=object)[row]!r}"

    def as_given(self, values):
        """Values of the positions in the form of X: a list of arrays, or rows in their order."""
        if self.order is None:
            return split(values, self.starts)
        return restore(values, self.order)

    def per_sequence(self, values, name):
        """Values of the sequences: those of nested ones, or of a flat table's rows."""
        nested = self.order is None
        n, entries = (len(self.lengths), "sequences") if nested else (len(self.order), "rows")
        found = len(values) if hasattr(values, "__len__") else repr(values)
        if found != n or (nested and any(np.ndim(value) for value in values)):
            raise ValueError(
                f"{name} must have one entry for each of the {n} {entries}, got {found}"
                f"{' lists' if found == n else ''}."
            )
        values = np.asarray(values)
        if nested:
            return values
        values = values[self.order]
        first = np.repeat(values[self.starts[:-1]], self.lengths)
        if (values != first).any():
            row = int(np.argmax(values != first))
            raise ValueError(
                f"{name} must be equal within each sequence, got another value in "
                f"{self.where(row)}."
            )
        return values[self.starts[:-1]]


def has_sequences(X, sequences):
    """Whether X holds sequences."""
    return sequences is not None or is_nested(X)


def read_sequences(X, y, sequences, energy):
    """The `ReadSequences` of X and y, in either form, as the energy can take them."""
    takes_nan = energy.raw or get_tags(energy).input_tags.allow_nan
    if sequences is None and not is_nested(X):
        check_same_form(X, y)
        what = "holds no sequences" if is_list(X) and len(X) == 0 else "is a flat table"
        raise ValueError(
            f"X {what}, and this classifier is fitted to label sequences: give the sequence of "
            "each row as sequences=, or X as a list of sequences. In scikit-learn's searches, "
            "sequences= needs set_config(enable_metadata_routing=True)."
        )
    if sequences is None or is_nested(X):
        read = read_nested(X, y, sequences, takes_nan)
        return ReadSequences(_with_names(X, read), read.y, read.starts)
    order, starts = read_flat(X, y, sequences)
    y = None if y is None else column_or_1d(y)[order]
    read = ReadSequences(take_rows(X, order), y, starts, order, sequences)
    if not read.holds_dictionaries:
        check_finite(read, takes_nan)
    return read


def _with_names(X, read):
    """The positions that were read, as one frame where the sequences are frames."""
    library = sys.modules.get(type(X[0]).__module__.partition(".")[0])
    if read.columns is None or not hasattr(library, "concat"):
        return read.X
    return library.concat(list(X))


def check_finite(read, takes_nan):
    """Raise a ValueError that says where X is not finite, if it holds numbers."""
    numbers = read.X if issparse(read.X) else np.asarray(read.X)
    if numbers.dtype.kind == "f" and numbers.ndim == 2:
        numbers = numbers.tocsr() if issparse(numbers) else numbers
        check_finite_positions(numbers, read.starts, takes_nan=takes_nan, where=read.where)
