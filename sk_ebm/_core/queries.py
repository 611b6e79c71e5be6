"""Which rows belong to which query, and what each item is worth."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from numbers import Number

import numpy as np

_LARGEST = 1000.0  # relevance whose exponential gain is still a finite number


def query_codes(groups, n_rows):
    """The distinct queries, and for each row the number of its query; None is one query.

    Equal values are one query, and so are all NaN, which come last.
    """
    if groups is None:
        return np.zeros(1, dtype=int), np.zeros(n_rows, dtype=int)
    labels = _flat(groups, n_rows)
    if len(labels) != n_rows:
        raise ValueError(
            f"groups must hold the query of each of the {n_rows} rows, got {len(labels)} values."
        )
    if labels.dtype.kind == "O":
        return _hashed(labels)
    return np.unique(labels, return_inverse=True)


def _flat(groups, n_rows):
    """One label for each row, tuples being labels too."""
    if isinstance(groups, (str, bytes)) or not isinstance(groups, Iterable):
        raise ValueError(
            f"groups must hold the query of each of the {n_rows} rows, as an array or a list, "
            f"got {groups!r}."
        )
    labels = np.asarray(groups) if hasattr(groups, "dtype") else _objects(groups)
    if labels.dtype.kind == "f" and hasattr(groups, "to_list") and np.isnan(labels).any():
        labels = _objects(groups.to_list())  # polars: integers, where some are missing
    if labels.ndim != 1:
        raise ValueError(f"groups must be one-dimensional, got the shape {labels.shape}.")
    return labels


def _objects(groups):
    values = list(groups)
    if all(isinstance(value, (int, float, str, np.generic)) for value in values):
        numbers = np.array(values)
        if numbers.tolist() == values:  # numpy mixes strings and numbers, and rounds integers
            return numbers
    labels = np.empty(len(values), dtype=object)
    labels[:] = values
    return labels


def _hashed(labels):
    """In sorted order where there is one, else in that in which they come; NaN is last."""
    try:
        found = dict.fromkeys(labels)
    except TypeError as error:
        raise ValueError(f"groups must hold hashable values: {error}.") from error
    missing = [label for label in found if _is_nan(label)]
    distinct = [label for label in found if not _is_nan(label)]
    with suppress(TypeError):
        distinct = sorted(distinct)
    codes = {label: code for code, label in enumerate(distinct)}
    codes |= dict.fromkeys(missing, len(distinct))
    queries = np.empty(len(distinct) + bool(missing), dtype=object)
    queries[:] = distinct + missing[:1]
    return queries, np.array([codes[label] for label in labels], dtype=int)


def _is_nan(label):
    """Whether it is a number or a time that differs from itself."""
    return isinstance(label, (Number, date, np.generic)) and bool(label != label)


def check_relevance(y):
    """Relevance as numbers, none of them negative or missing."""
    try:
        y = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"y must hold the relevance of each row as a number: {error}") from error
    if y.ndim != 1:
        raise ValueError(f"y must be one-dimensional, got the shape {y.shape}.")
    if not np.isfinite(y).all():
        raise ValueError("y must hold finite relevance, got NaN or infinity.")
    if (y < 0).any():
        raise ValueError(f"y must hold relevance >= 0 (0 = irrelevant), got {y.min()}.")
    return y


def gains_of(relevance, gain):
    """What items of that relevance are worth: 2^y - 1 for "exp2", y for "linear", or a function."""
    if callable(gain):
        gains = np.asarray(gain(relevance), dtype=np.float64)
        if gains.shape != relevance.shape or not (np.isfinite(gains) & (gains >= 0)).all():
            raise ValueError(f"gain must give a finite number >= 0 for each row, got {gains!r}.")
        return gains
    if gain == "linear":
        return relevance
    if gain != "exp2":
        raise ValueError(f"gain must be 'exp2', 'linear' or a function, got {gain!r}.")
    if relevance.max(initial=0) > _LARGEST:
        raise ValueError(
            f"gain='exp2' is 2^y - 1, which overflows for relevance above {_LARGEST}, got "
            f"{relevance.max()}. Use gain='linear' or a function."
        )
    return np.exp2(relevance) - 1
