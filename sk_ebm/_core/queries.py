"""Labels of queries, and the relevance and gain of items."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from numbers import Number

import numpy as np

from sk_ebm._utils.validation import check_number
from sk_ebm._utils.warnings import warn_user
from sk_ebm.exceptions import MissingQueriesWarning

_LARGEST_RELEVANCE = 1000.0  # for gain="exp2": 2^1024 overflows, and gains are added up
_LARGEST_GAIN = 2**_LARGEST_RELEVANCE


def query_codes(groups, n_rows):
    """The distinct queries, and for each row the index of its query; None is one query.

    Equal labels are one query. All NaN are one query, too, which comes last.
    """
    if groups is None:
        return np.zeros(1, dtype=int), np.zeros(n_rows, dtype=int)
    labels = _as_labels(groups, n_rows)
    if len(labels) != n_rows:
        raise ValueError(
            f"groups must hold the query of each of the {n_rows} rows, got {len(labels)} values."
        )
    if labels.dtype.kind == "O":
        return _unique_objects(labels)
    return np.unique(labels, return_inverse=True)


def warn_without_queries(name):
    """Warn that all rows are one query, as what has this name was given none."""
    warn_user(
        f"{name} was given no queries, so all rows count as the items of one query. Give the query "
        "of each row as groups=, or name the column of X that holds it as group_column=. "
        "scikit-learn's pipelines and searches pass groups on with metadata routing only: "
        "set_config(enable_metadata_routing=True).",
        MissingQueriesWarning,
    )


def _as_labels(groups, n_rows):
    """An array of one label for each row; a tuple is a label."""
    if isinstance(groups, (str, bytes)) or not isinstance(groups, Iterable):
        raise ValueError(
            f"groups must hold the query of each of the {n_rows} rows, as an array or a list, "
            f"got {groups!r}."
        )
    labels = np.asarray(groups) if hasattr(groups, "dtype") else _list_as_labels(list(groups))
    if labels.dtype.kind == "f" and hasattr(groups, "to_list") and np.isnan(labels).any():
        labels = _list_as_labels(groups.to_list())  # polars rounds integers with missing values
    if labels.ndim != 1:
        raise ValueError(f"groups must be one-dimensional, got the shape {labels.shape}.")
    return labels


def _list_as_labels(values):
    if all(isinstance(value, (int, float, str, np.generic)) for value in values):
        labels = np.array(values)
        if labels.tolist() == values:  # numpy turns numbers into strings, and rounds integers
            return labels
    return _as_objects(values)


def _as_objects(values):
    labels = np.empty(len(values), dtype=object)
    labels[:] = values
    return labels


def _unique_objects(labels):
    """Like `numpy.unique`, for objects: sorted if they can be, else in order of appearance."""
    try:
        distinct = list(dict.fromkeys(labels))
    except TypeError as error:
        raise ValueError(f"groups must hold hashable values: {error}.") from error
    missing = [label for label in distinct if _is_nan(label)]
    queries = [label for label in distinct if not _is_nan(label)]
    with suppress(TypeError):
        queries = sorted(queries)
    codes = {label: code for code, label in enumerate(queries)}
    codes |= dict.fromkeys(missing, len(queries))
    return (
        _as_objects(queries + missing[:1]),
        np.array([codes[label] for label in labels], dtype=int),
    )


def _is_nan(label):
    """Whether it is a number or a time that differs from itself."""
    return isinstance(label, (Number, date, np.generic)) and bool(label != label)


def check_relevance(y):
    """Relevance (n,) as finite numbers >= 0."""
    try:
        y = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "y must hold the relevance of each row as a number >= 0, larger for better items and 0 "
            f"for irrelevant ones: {error}"
        ) from error
    if y.ndim != 1:
        raise ValueError(f"y must be one-dimensional, got the shape {y.shape}.")
    if not np.isfinite(y).all():
        raise ValueError("y must hold finite relevance, got NaN or infinity.")
    if (y < 0).any():
        raise ValueError(f"y must hold relevance >= 0 (0 = irrelevant), got {y.min()}.")
    return y


def gains_of(relevance, gain):
    """Gains of items of relevance y: 2^y - 1 for "exp2", y for "linear", or those of a function."""
    if callable(gain):
        gains = np.asarray(gain(relevance), dtype=np.float64)
        if gains.shape != relevance.shape or not ((gains >= 0) & (gains <= _LARGEST_GAIN)).all():
            raise ValueError(
                f"gain must give a finite number >= 0 for each row, at most {_LARGEST_GAIN:.2g}, "
                f"got {gains!r}."
            )
        return gains
    if not (isinstance(gain, str) and gain in ("exp2", "linear")):
        raise ValueError(f"gain must be 'exp2', 'linear' or a function, got {gain!r}.")
    largest = float(relevance.max(initial=0))
    if gain == "linear":
        check_number("The largest y", largest, 0, _LARGEST_GAIN, closed=True)
        return relevance
    if largest > _LARGEST_RELEVANCE:
        raise ValueError(
            f"gain='exp2' is 2^y - 1, which overflows for relevance above {_LARGEST_RELEVANCE}, "
            f"got {largest}. Use gain='linear' or a function."
        )
    return np.exp2(relevance) - 1
