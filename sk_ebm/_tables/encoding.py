"""Tables of numbers and categories as the columns that boosted trees read."""

from numbers import Number

import numpy as np
from scipy import sparse

from sk_ebm._tables.columns import column_index
from sk_ebm._tables.reading import is_missing, with_nan
from sk_ebm._tables.refusals import saying_why
from sk_ebm._utils.sklearn_private import take_columns
from sk_ebm._utils.validation import check_array

_CATEGORICAL_DTYPES = ("cat", "str", "obj", "enum")  # how their names start, in any library


class TableEncoder:
    """Columns as numbers, those of categories first and by index; nan where missing or unknown.

    Parameters
    ----------
    categorical_features : "from_dtype" or list of int or str
        Columns of categories: those of a category, string or object type in a frame and those of
        text in an array, or by index or name.
    """

    def __init__(self, categorical_features):
        self.categorical_features = categorical_features

    def fit(self, X):
        self._columns = self._categorical_columns(X)
        self.n_categorical = len(self._columns)
        others = np.delete(np.arange(X.shape[1]), self._columns)
        self.order = np.append(np.array(self._columns, dtype=int), others)
        names = list(getattr(X, "columns", range(X.shape[1])))
        self._codes = [_codes_of(take_columns(X, i), names[i]) for i in self._columns]
        return self

    def transform(self, X):
        with saying_why(X, {}):
            return self._transformed(X)

    def _transformed(self, X):
        if not self._columns:
            return _numbers(X)
        columns = [
            _encoded(take_columns(X, index), codes)
            for index, codes in zip(self._columns, self._codes, strict=True)
        ]
        others = np.delete(np.arange(X.shape[1]), self._columns)
        if not len(others):
            return np.column_stack(columns)
        numbers = _numbers(take_columns(X, others))
        if sparse.issparse(numbers):
            return sparse.csr_matrix(sparse.hstack([np.column_stack(columns), numbers]))
        return np.column_stack([*columns, numbers])

    def _categorical_columns(self, X):
        """Indices of the columns of categories."""
        named = self.categorical_features
        if not isinstance(named, str):
            return [column_index(X, "categorical_features", column) for column in named]
        if not hasattr(X, "columns"):
            return [i for i in range(X.shape[1]) if X.dtype.kind in "OUS" and _is_text(X[:, i])]
        dtypes = [str(dtype).lower() for dtype in X.dtypes]
        return [i for i, dtype in enumerate(dtypes) if dtype.startswith(_CATEGORICAL_DTYPES)]


def _codes_of(column, name):
    """The code of each category of a column, in their order."""
    values = _as_objects(column)
    try:
        ordered = sorted(set(values[~is_missing(values)].tolist()), key=_order)
    except TypeError as error:
        kinds = sorted({type(value).__name__ for value in values})
        raise TypeError(
            f"The column {name!r} holds values of the types {', '.join(kinds)}: each category "
            "of an argument must be a string or a number."
        ) from error
    return {value: float(code) for code, value in enumerate(ordered)}


def _order(value):
    """Numbers first, then other types by their names: values of two types may not compare."""
    return "" if isinstance(value, Number) else type(value).__name__, value


def _is_text(column):
    try:
        column.astype(float)
    except (TypeError, ValueError):
        return True
    return False


def _encoded(column, codes):
    return np.array([codes.get(value, np.nan) for value in _as_objects(column).tolist()])


def _as_objects(column):
    if sparse.issparse(column):
        column = column.toarray()
    return np.asarray(column, dtype=object).ravel()


def _numbers(columns):
    numbers = check_array(
        with_nan(columns),
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
        ensure_all_finite="allow-nan",
    )
    # LightGBM reads sparse matrices only.
    return sparse.csr_matrix(numbers) if sparse.issparse(numbers) else numbers
