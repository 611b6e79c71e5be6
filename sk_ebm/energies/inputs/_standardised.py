"""Energies fitted on standardised rows of equal weight."""

import numpy as np
from scipy import sparse
from sklearn.preprocessing import MaxAbsScaler

from sk_ebm._utils.sklearn_private import count_rows, take_rows
from sk_ebm.energies.inputs._base import InputEnergy


class _Standardised(InputEnergy):
    """Fitted on rows of equal weight whose columns have one scale, at most ``max_rows`` of them."""

    max_rows = 4_000

    def fit_rows(self, X, weights, rng):
        if np.ptp(weights) > 0:
            raise ValueError(
                f"sample_weight cannot act on {type(self).__name__}, which takes rows of equal "
                "weight only. Use energy='forest', or an expert whose fit takes sample_weight."
            )
        X, _ = _some_rows(X, weights, self.max_rows, rng)
        self._scaler = _RobustScaler().fit(X)
        X = self.prepared(X)
        self.fit_standardised(take_rows(X, [0, 0]) if count_rows(X) == 1 else X, rng)

    def fit_standardised(self, X, rng):
        """Fit to at least two rows."""
        raise NotImplementedError(f"{type(self).__name__} must define fit_standardised.")

    def prepared(self, X):
        X = self._scaler.transform(X)
        return X.toarray() if sparse.issparse(X) and X.shape[1] == 1 else X


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
    of a column is one value. Constant columns are dropped.
    """

    def fit(self, X):
        if sparse.issparse(X):
            self._sparse = MaxAbsScaler().fit(X)
            return self
        X = np.asarray(X, dtype=float)
        low, self.center, high = np.percentile(X, [25, 50, 75], axis=0)
        spread, scale = (high - low) / 1.349, X.std(axis=0)
        self.kept = np.ptp(X, axis=0) > 0
        if not self.kept.any():
            self.kept[:], scale = True, np.ones_like(scale)
        self.scale = np.sqrt(np.where(spread > 1e-9 * scale, spread, scale) * scale)[self.kept]
        return self

    def transform(self, X):
        if sparse.issparse(X):
            return self._sparse.transform(X)
        return (np.asarray(X, dtype=float)[:, self.kept] - self.center[self.kept]) / self.scale
