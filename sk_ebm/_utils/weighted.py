"""Statistics of weighted samples."""

import numpy as np
from sklearn.preprocessing import StandardScaler


def weighted_variance(values, weights):
    return np.average((values - np.average(values, weights=weights)) ** 2, weights=weights)


def weighted_std(values, weights):
    """The standard deviation, of values whose squares may overflow or underflow, too."""
    deviations = values - np.average(values, weights=weights)
    largest = np.abs(deviations).max()
    if largest == 0:
        return 0.0
    return largest * np.sqrt(np.average((deviations / largest) ** 2, weights=weights))


def standard_scaler(X, weights):
    """Scikit-learn's, fitted; weights may be of any size."""
    with np.errstate(invalid="ignore"):  # rounding makes variances of constant columns negative
        return StandardScaler().fit(X, sample_weight=weights / weights.max())


def significantly_positive(gains, weights):
    """Whether a mean is more than two standard errors above zero, by chance in 1 of 44 cases."""
    standard_error = np.sqrt(weighted_variance(gains, weights) / np.count_nonzero(weights))
    return np.average(gains, weights=weights) > 2 * standard_error
