"""One column of a table of any library."""

from numbers import Integral

import numpy as np
from scipy import sparse

from sk_ebm._utils.sklearn_private import take_columns

_MOST_NAMES = 10  # in a message


def split_column(X, name, column):
    """X without one column, and that column (n,); ``name`` is what the user calls it.

    Rows of a list may hold values of several kinds, which an array would make one.
    """
    if sparse.issparse(X):
        X = X.tocsr()
    table = X if hasattr(X, "shape") else np.asarray(X, dtype=object)
    index = column_index(table, name, column)
    others = np.delete(np.arange(table.shape[1]), index)  # by index: names may be numbers
    rest = take_columns(table, others)
    if sparse.issparse(X):
        return rest, table[:, [index]].toarray()[:, 0]
    return rest if table is X else rest.tolist(), take_columns(table, index)


def column_index(table, name, column):
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


def named_columns(X):
    """Pairs of the name or index of a column and its values; an index of None for the only one."""
    if hasattr(X, "columns"):
        names = list(X.columns)
        return [(name, take_columns(X, index)) for index, name in enumerate(names)]
    if sparse.issparse(X):
        X = X.tocsc()
        ends = zip(X.indptr[:-1], X.indptr[1:], strict=True)
        return [(index, X.data[start:end]) for index, (start, end) in enumerate(ends)]
    table = X if hasattr(X, "dtype") else as_objects(X)
    if getattr(table, "ndim", 0) == 1:
        return [(getattr(table, "name", None), table)]
    return list(enumerate(table.T)) if getattr(table, "ndim", 0) == 2 else []


def as_objects(X):
    """Lists as an array of objects, an empty one where rows have several lengths."""
    try:
        return np.array(X, dtype=object)
    except ValueError:
        return np.zeros(0, dtype=object)


def in_columns(names):
    """Where in a table, for messages; nothing where the column has no name."""
    if names == [None]:
        return ""
    shown = ", ".join(map(repr, names[:_MOST_NAMES]))
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f" in the column{'s' * (len(names) > 1)} {shown}{more}"
