"""Which inputs are read as tables, through a schema, and which as plain numbers."""

import numpy as np
from scipy import sparse

from sk_ebm._tables.columns import as_objects
from sk_ebm._tables.kinds import kind_of, named_values, objects_of

AUTO = ("auto", "from_dtype")  # two names of one thing


def reads_frames(energy):
    """Whether all parts of an energy judge frames themselves, as users gave them."""
    return energy.raw and not any(term.reads_tables for term in energy.all_terms())


def needs_schema(X, categorical_features, takes_nan, keeps_frames):
    """Whether X holds more than the numbers that a numeric model reads.

    Parameters
    ----------
    X : array, list, sparse matrix or frame
    categorical_features : "auto", "from_dtype" or list
    takes_nan : bool
        Whether missing numbers are taken as they are.
    keeps_frames : bool
        Whether some part reads frames as they are given.

    Returns
    -------
    needs_schema : bool
    """
    if sparse.issparse(X) or _n_dimensions(X) != 2:
        return False
    if not isinstance(categorical_features, str):
        return True
    if hasattr(X, "columns"):
        is_arrow = hasattr(X, "column_names")  # which only the schema reads
        return keeps_frames or is_arrow or _holds_more(X, takes_nan)
    table = X if hasattr(X, "dtype") else np.asarray(X)
    if table.dtype.kind in "biufc":
        return not takes_nan and bool(np.isnan(np.min(table, initial=0)))
    return _holds_more(table, takes_nan)


def _n_dimensions(X):
    if hasattr(X, "shape"):
        return len(X.shape)
    return as_objects(X).ndim


def _holds_more(X, takes_nan):
    """Whether columns are no numbers, or hold missing values that are not taken."""
    columns = named_values(X)
    if any(kind_of(values, name) not in ("numeric", "boolean") for name, values in columns):
        return True
    return not takes_nan and any(objects_of(values)[1].any() for _, values in columns)


def check_categorical_features(columns):
    """Raise a ValueError unless it says which columns hold categories."""
    is_list = isinstance(columns, (list, tuple)) or getattr(columns, "ndim", 0) == 1
    if not is_list and not (isinstance(columns, str) and columns in AUTO):
        raise ValueError(
            "categorical_features must be 'auto' ('from_dtype'), or a list of names or indices of "
            f"columns or a mask of all of them, got {columns!r}."
        )
