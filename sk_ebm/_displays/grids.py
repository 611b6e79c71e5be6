"""Rows that differ in one or two features only."""

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing

from sk_ebm._utils.sklearn_private import count_rows

_MARGIN = 0.05  # of the range of a feature, beyond its least and its greatest value


def feature_names(X):
    """Names of the columns of a frame; of an array their numbers."""
    columns = getattr(X, "columns", None)
    return list(range(np.shape(X)[1])) if columns is None else list(columns)


def positions_of(X, features, parameter="features"):
    """Positions of features that are given, as a parameter, by name or position."""
    names = feature_names(X)
    positions = []
    for feature in features:
        if feature not in names and not (
            isinstance(feature, (int, np.integer)) and 0 <= feature < len(names)
        ):
            raise ValueError(
                f"{parameter} must be among the columns of X, {names}, got {feature!r}."
            )
        positions.append(names.index(feature) if feature in names else int(feature))
    return positions


def label_of(X, position):
    """What the axis of a feature is called."""
    name = feature_names(X)[position]
    return f"feature {name}" if isinstance(name, (int, np.integer)) else str(name)


def column_of(X, position):
    """A column of numbers, (n,)."""
    column = _safe_indexing(X, position, axis=1)
    column = column.toarray().ravel() if sparse.issparse(column) else column
    try:
        return np.asarray(column, dtype=float).ravel()
    except (TypeError, ValueError):
        raise ValueError(
            f"{label_of(X, position)!r} holds no numbers: choose a feature that does."
        ) from None


def axis_values(X, position, n_values):
    """Equally spaced values of a feature, over its range and a little beyond."""
    column = column_of(X, position)
    low, high = np.nanmin(column), np.nanmax(column)
    margin = _MARGIN * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, n_values)


def typical_row(X):
    """The index of the row whose numbers are nearest to the medians, in ranks."""
    distance = np.zeros(count_rows(X))
    for position in range(len(feature_names(X))):
        try:
            column = column_of(X, position)
        except ValueError:
            continue
        ranks = np.argsort(np.argsort(column, kind="stable"), kind="stable")
        distance += np.abs(ranks - (len(column) - 1) / 2)
    return int(np.argmin(distance))


def varied(X, values, row=None):
    """Copies of a row of X, a typical one unless it is given, with other values of some features.

    ``values`` has an array (m,) for the position of each of these.
    """
    row = typical_row(X) if row is None else row
    n_rows = len(next(iter(values.values())))
    rows = _safe_indexing(X, [row] * n_rows)
    for position, column in values.items():
        rows = _with_column(rows, position, column)
    return rows


def _with_column(rows, position, column):
    """Rows with another column, in a frame or an array."""
    if hasattr(rows, "with_columns"):  # polars
        name = rows.columns[position]
        return rows.with_columns(type(rows[name])(name, column))
    if hasattr(rows, "iloc"):
        return rows.assign(**{rows.columns[position]: column})
    rows = rows.toarray() if sparse.issparse(rows) else np.array(rows)
    rows = rows.astype(np.result_type(rows, column), copy=False)
    rows[:, position] = column
    return rows
