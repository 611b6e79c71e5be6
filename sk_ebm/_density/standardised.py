"""Standardised inputs, as regressors of our own and energies read them."""

import numpy as np

from sk_ebm._utils.weighted import standard_scaler

FARTHEST = 1e30  # what values beyond count as: 32-bit numbers end at 3e38, and squares are finite


class InputScaler:
    """Standardises columns of any unit; missing values become the mean, 0.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    weights : ndarray of shape (n,)
    """

    def __init__(self, X, weights):
        largest = np.nan_to_num(np.fmax.reduce(np.abs(X), axis=0))
        self._units = np.ldexp(
            1.0, np.frexp(largest)[1]
        )  # variances in these are neither 0 nor inf
        scaler = standard_scaler(X / self._units, weights)
        self._means, self._scales = scaler.mean_, scaler.scale_

    def __call__(self, X):
        with np.errstate(over="ignore"):
            table = np.nan_to_num((X / self._units - self._means) / self._scales, copy=False)
        return np.clip(table, -FARTHEST, FARTHEST, out=table)
