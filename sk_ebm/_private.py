"""The private helpers of scikit-learn that the package uses, each for want of a public one."""

import numpy as np
from sklearn.utils._array_api import get_namespace
from sklearn.utils.validation import _check_sample_weight


def namespace(*arrays):
    """The array API namespace that the arrays share: there is no public dispatch."""
    return get_namespace(*arrays)[0]


def check_sample_weight(sample_weight, X):
    """Weights of the rows of X, ones for None: `validate_data` does not take them."""
    return _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
