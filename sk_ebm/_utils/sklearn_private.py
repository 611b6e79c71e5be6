"""The private helpers of scikit-learn that the package uses, each for want of a public one."""

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils._array_api import get_namespace

# Squared lengths of dense and of sparse rows, in one pass: it is not documented.
from sklearn.utils.extmath import row_norms  # noqa: F401

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
