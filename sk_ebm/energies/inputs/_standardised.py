"""Energies fitted on standardised rows."""

import numpy as np
from scipy import sparse
from sklearn.preprocessing import MaxAbsScaler

from sk_ebm._core.contributions import Contributions
from sk_ebm._utils.sklearn_private import count_rows, take_rows
from sk_ebm.energies._fold_median import is_wide
from sk_ebm.energies.inputs._base import InputEnergy, LeftOut

# Of the spread of squared distances. At 40 x 800 (.7), false alarms for a rate of .1 were .5; at
# 1,000 x 400 and 300 x 200 (.02, .05) they were .1.
_STEP_OF_SCALES = 0.05
_FARTHEST = 1e30  # scales from the centre: float32 holds it, float64 its eighth power


class _Standardised(InputEnergy):
    """Fitted on rows whose columns have one scale, at most ``max_rows`` of them.

    Missing values count as the median of their column, zeros in sparse rows.
    """

    max_rows = 4_000

    def fit_rows(self, X, weights, rng):
        X, weights, drawn = draw_rows(X, weights, self.max_rows, rng)
        self._scaler = RobustScaler().fit(X, weights)
        X = self.prepared(X)
        if count_rows(X) == 1:
            X, weights = take_rows(X, [0, 0]), weights[[0, 0]]
        return LeftOut(drawn, self.fit_standardised(X, weights, rng))

    def fit_standardised(self, X, weights, rng):
        """Fit to at least two rows; a weight of 2 stands for two of them.

        May return a function of indices of rows: their energies as if each had been left out.
        """
        raise NotImplementedError(f"{type(self).__name__} must define fit_standardised.")

    def prepared(self, X):
        X = self._scaler.transform(X)
        if not sparse.issparse(X):
            return np.nan_to_num(X, nan=0.0, copy=False)
        np.nan_to_num(X.data, nan=0.0, copy=False)
        return X.toarray() if X.shape[1] == 1 else X

    def _contributions(self, values, base):
        """`Contributions` to the outputs, from those (n, k) of the scaled columns to the energy,
        none of which are of constant columns."""
        kept = self._scaler.kept
        every = np.zeros((len(values), len(kept)))
        every[:, kept] = values
        return Contributions(-every[:, :, None], -np.asarray(base)[..., None])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def depends_little_on_a_row(inputs, n_rows, components):
    """Whether scales, and principal components if there are any, are nearly those without a row.

    A row moves the scale of each column by about 1 / n, and so squared distances by as much, which
    themselves vary by sqrt(2 / d).
    """
    wide = is_wide(inputs, n_rows)
    return not wide or (not components and np.sqrt(inputs.shape[1]) <= _STEP_OF_SCALES * n_rows)


def draw_rows(X, weights, most, rng):
    """At most so many rows, drawn at random, their weights, and which they are."""
    if count_rows(X) <= most:
        return X, weights, np.arange(count_rows(X))
    rows = np.sort(rng.choice(count_rows(X), most, replace=False))
    return take_rows(X, rows), weights[rows], rows


class RobustScaler:
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

    @property
    def is_sparse(self):
        """Whether it was fitted on a sparse matrix."""
        return self._sparse is not None

    def _in_units(self, X):
        X = np.asarray(X, dtype=float)
        half = -self._exponents // 2  # two factors, as one overflows where units are tiny
        scaled = (X if self.kept.all() else X[:, self.kept]) * np.ldexp(1.0, half)
        scaled *= np.ldexp(1.0, -self._exponents - half)
        return scaled

    def transform(self, X):
        with np.errstate(over="ignore"):  # what overflows is clipped
            if self._sparse is not None:
                scaled = self._sparse.transform(sparse.csr_array(X, dtype=float))
                np.clip(scaled.data, -_FARTHEST, _FARTHEST, out=scaled.data)
                return scaled
            X = X.toarray() if sparse.issparse(X) else X
            scaled = self._in_units(X)
            scaled -= self.center
            scaled /= self.scale
            np.clip(scaled, -_FARTHEST, _FARTHEST, out=scaled)
        scaled[:, self._unitless] = np.sign(scaled[:, self._unitless])
        return scaled


def _quartiles(X, weights):
    """Of the values of each column that are not missing, (3, d)."""
    levels, equal, missing = np.array([0.25, 0.5, 0.75]), np.ptp(weights) == 0, np.isnan(X)
    if equal and not missing.any():  # the same, in a tenth of the time
        return np.sort(X.T, axis=1)[:, np.ceil(levels * len(X)).astype(int) - 1].T
    present = ~missing.all(axis=0)
    found = np.full((3, X.shape[1]), np.nan)
    found[:, present] = (np.nanquantile if missing.any() else np.quantile)(
        X[:, present],
        levels,
        axis=0,
        method="inverted_cdf",
        weights=None if equal else weights,
    )
    return found


def _standard_deviations(X, weights):
    """Of the values of each column that are not missing, (d,)."""
    missing = np.isnan(X)
    mass = np.maximum(weights.sum() - weights @ missing, np.finfo(float).tiny)
    centered = X - weights @ np.nan_to_num(X, nan=0.0) / mass
    centered[missing] = 0
    return np.sqrt(weights @ np.square(centered, out=centered) / mass)
