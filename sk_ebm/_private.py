"""The private helpers of scikit-learn that the package uses, each for want of a public one."""

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing
from sklearn.utils._array_api import get_namespace

# Reaches the parameters of named parts of a list, as in Pipeline: there is no public base class.
from sklearn.utils.metaestimators import _BaseComposition as NamedParts  # noqa: F401
from sklearn.utils.validation import _check_sample_weight, _num_samples


def namespace(*arrays):
    """The array API namespace that the arrays share: there is no public dispatch."""
    return get_namespace(*arrays)[0]


def check_sample_weight(sample_weight, X):
    """Weights of the rows of X, ones for None: `validate_data` does not take them."""
    return _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)


def take_rows(X, rows):
    """Some rows of an array, a sparse matrix or a frame of any library."""
    return _safe_indexing(X, rows)


def count_rows(X):
    """The number of rows of an array, a sparse matrix or a frame of any library."""
    return _num_samples(X)


def take_column(X, column):
    """One column of an array, a sparse matrix or a frame, as an array (n,)."""
    if sparse.issparse(X):
        return X[:, [column]].toarray()[:, 0]
    return np.asarray(_safe_indexing(X, column, axis=1))


def drop_column(X, column):
    """X without one column."""
    if isinstance(column, str):
        column = list(X.columns).index(column)
    rest = np.delete(np.arange(X.shape[1]), column)  # by place: names may be numbers
    return _safe_indexing(X, rest, axis=1)
