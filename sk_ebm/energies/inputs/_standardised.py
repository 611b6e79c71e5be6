"""Energies fitted on standardised rows."""

import numpy as np
from scipy import sparse
from sklearn.preprocessing import MaxAbsScaler

from sk_ebm._utils.sklearn_private import count_rows, take_rows
from sk_ebm.energies.inputs._base import InputEnergy

_FARTHEST = 1e30  # scales from the centre: float32 holds it, float64 its eighth power


class _Standardised(InputEnergy):
    """Fitted on rows whose columns have one scale, at most ``max_rows`` of them.

    Missing values count as the median of their column, zeros in sparse rows.
    """

    max_rows = 4_000

    def fit_rows(self, X, weights, rng):
        X, weights = _some_rows(X, weights, self.max_rows, rng)
        self._scaler = _RobustScaler().fit(X, weights)
        X = self.prepared(X)
        if count_rows(X) == 1:
            X, weights = take_rows(X, [0, 0]), weights[[0, 0]]
        self.fit_standardised(X, weights, rng)

    def fit_standardised(self, X, weights, rng):
        """Fit to at least two rows; a weight of 2 stands for two of them."""
        raise NotImplementedError(f"{type(self).__name__} must define fit_standardised.")

    def prepared(self, X):
        X = self._scaler.transform(X)
        if not sparse.issparse(X):
            return np.nan_to_num(X, nan=0.0, copy=False)
        np.nan_to_num(X.data, nan=0.0, copy=False)
        return X.toarray() if X.shape[1] == 1 else X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _some_rows(X, weights, most, rng):
    """At most so many rows, drawn at random, and their weights."""
    if count_rows(X) <= most:
        return X, weights
    rows = np.sort(rng.choice(count_rows(X), most, replace=False))
    return take_rows(X, rows), weights[rows]


class _RobustScaler:
    """Centres at the median and divides by the geometric mean of two scales; sparse: by maxima.

    These are the standard deviation, which a few outliers can dominate, and that of a normal
    distribution with the same interquartile range, which is ignored where it vanishes because half
    of a column is one value. Constant columns are dropped, unless all are: then other values than a
    constant of zero, which has no unit, are one scale away. Missing values stay.
    """

    def fit(self, X, weights):
        self._sparse = MaxAbsScaler().fit(X) if sparse.issparse(X) else None
        if self._sparse is not None:
            return self
        X = np.asarray(X, dtype=float)
        low, high = np.fmin.reduce(X, axis=0), np.fmax.reduce(X, axis=0)
        self.kept = high > low
        if not self.kept.any():
            self.kept[:] = True
        largest = np.nan_to_num(np.maximum(np.abs(low), np.abs(high))[self.kept])
        self._unitless = largest == 0
        self._exponents = np.frexp(largest)[1]  # of a power of two: squares overflow otherwise
        X = self._in_units(X)
        low, center, high = _quartiles(X, weights)
        spread, scale = (high - low) / 1.349, _standard_deviations(X, weights)
        self.center = np.nan_to_num(center)
        self.scale = np.sqrt(np.where(spread > 1e-9 * scale, spread, scale) * scale)
        self.scale[~(self.scale > 0)] = 1.0
        return self

    def _in_units(self, X):
        return np.ldexp(np.asarray(X, dtype=float)[:, self.kept], -self._exponents)

    def transform(self, X):
        with np.errstate(over="ignore"):  # what overflows is clipped
            if self._sparse is not None:
                scaled = self._sparse.transform(sparse.csr_array(X, dtype=float))
                np.clip(scaled.data, -_FARTHEST, _FARTHEST, out=scaled.data)
                return scaled
            X = X.toarray() if sparse.issparse(X) else X
            scaled = np.clip((self._in_units(X) - self.center) / self.scale, -_FARTHEST, _FARTHEST)
        scaled[:, self._unitless] = np.sign(scaled[:, self._unitless])
        return scaled


def _quartiles(X, weights):
    """Of the values of each column that are not missing, (3, d)."""
    quantile = np.nanquantile if np.isnan(X).any() else np.quantile
    equal = np.ptp(weights) == 0
    present = ~np.isnan(X).all(axis=0)
    found = np.full((3, X.shape[1]), np.nan)
    found[:, present] = quantile(
        X[:, present],
        [0.25, 0.5, 0.75],
        axis=0,
        method="inverted_cdf",
        weights=None if equal else weights,
    )
    return found


def _standard_deviations(X, weights):
    """Of the values of each column that are not missing, (d,)."""
    present = ~np.isnan(X)
    mass = np.maximum(weights @ present, np.finfo(float).tiny)
    centered = np.where(present, X - weights @ np.where(present, X, 0) / mass, 0)
    return np.sqrt(weights @ centered**2 / mass)
