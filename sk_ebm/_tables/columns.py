"""Columns of arrays, sparse matrices and frames of any library."""

from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing

# Squared lengths of dense and of sparse rows, in one pass: it is not documented.
from sklearn.utils.extmath import row_norms  # noqa: F401

# Reaches the parameters of named parts of a list, as in Pipeline: there is no public base class.
from sklearn.utils.metaestimators import _BaseComposition as NamedParts  # noqa: F401


def split_column(X, name, column):
    """X without one column, and that column (n,); ``name`` is what the user calls it.

    Rows of a list may hold values of several kinds, which an array would make one.
    """
    if sparse.issparse(X):
        X = X.tocsr()
    table = X if hasattr(X, "shape") else np.asarray(X, dtype=object)
    place = _place(table, name, column)
    others = np.delete(np.arange(table.shape[1]), place)  # by place: names may be numbers
    rest = _safe_indexing(table, others, axis=1)
    if sparse.issparse(X):
        return rest, table[:, [place]].toarray()[:, 0]
    return rest if table is X else rest.tolist(), _safe_indexing(table, place, axis=1)


def _place(table, name, column):
    """The index of a column that is given by name or index."""
    if len(table.shape) != 2:
        raise ValueError(
            f"X must have two dimensions, rows and columns, got the shape {table.shape}."
        )
    names, n_columns = list(getattr(table, "columns", [])), table.shape[1]
    if isinstance(column, str) and column in names:
        return names.index(column)
    integer = isinstance(column, Integral) and not isinstance(column, bool)
    if integer and -n_columns <= column < n_columns:
        return int(column) % n_columns
    columns = f"the columns {names[:20]}" if names else "no names of columns"
    raise ValueError(
        f"{name} must be the name of a column of X, or an index < {n_columns}, got {column!r}; "
        f"X has {columns}."
    )
