"""The private helpers of scikit-learn that the package uses, each for want of a public one."""

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils._array_api import get_namespace
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

# Boxes of a diagram: diagrams of scikit-learn look only at parameters that can be fitted.
from sklearn.utils._repr_html.estimator import _VisualBlock as VisualBlock  # noqa: F401

# Reaches the parameters of named parts of a list, as in Pipeline: there is no public base class.
from sklearn.utils.metaestimators import _BaseComposition as NamedParts  # noqa: F401
from sklearn.utils.parallel import _get_threadpool_controller
from sklearn.utils.validation import (
    _check_feature_names_in,
    _check_sample_weight,
    _num_samples,
)

from sk_ebm._utils.validation import check_weighs


def namespace(*arrays):
    """The array API namespace that the arrays share: there is no public dispatch."""
    return get_namespace(*arrays)[0]


def check_sample_weight(sample_weight, X):
    """Weights of the rows of X, ones for None: `validate_data` does not take them."""
    weights = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True, allow_all_zero_weights=True
    )
    check_weighs(weights)
    return weights


def feature_names(estimator, n_columns):
    """Names of the columns that an estimator was fitted on, x0, x1, ... where these have none."""
    if n_columns != getattr(estimator, "n_features_in_", None):
        return np.array([f"x{i}" for i in range(n_columns)], dtype=object)
    return _check_feature_names_in(estimator)


def take_rows(X, rows):
    """Some rows of an array, a sparse matrix or a frame of any library."""
    if type(X) is np.ndarray:  # a seventh of the time of a prediction of one row
        return X[rows]
    return _safe_indexing(X, rows)


def take_columns(X, columns):
    """Some columns, or one by its index, of an array, a sparse matrix or a frame."""
    return _safe_indexing(X, columns, axis=1)


def count_rows(X):
    """The number of rows of an array, a sparse matrix or a frame of any library."""
    return _num_samples(X)


def threadpools():
    """The libraries with thread pools; looking them up is slow, and scikit-learn keeps a record."""
    return _get_threadpool_controller()


def count_threads(n_jobs=None):
    """How many threads OpenMP would have: all for None, all but so many for negative numbers.

    Only scikit-learn's own count heeds both ``OMP_NUM_THREADS`` and a container's share.
    """
    return _openmp_effective_n_threads(n_jobs)
