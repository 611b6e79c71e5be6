"""The leading principal components of many columns."""

import numpy as np
from scipy import sparse
from sklearn.decomposition import PCA, TruncatedSVD

# Columns that a covariance is estimated of; more are projected on their principal components, as
# the time of an estimate grows with the square of their number.
_MAX_COLUMNS = 60


class _Subspace:
    """The leading principal components of columns that are many, at all or for the rows."""

    def __init__(self, X, rng):
        n_rows, n_columns = X.shape
        size = int(min(_MAX_COLUMNS, n_columns, max(n_rows // 4, 1)))
        few = n_columns <= _MAX_COLUMNS and 3 * n_columns <= n_rows
        self._projection = None
        if not sparse.issparse(X) and (few or n_rows < 4):
            return
        kind = TruncatedSVD if sparse.issparse(X) else PCA
        self._projection = kind(size, random_state=rng.randint(np.iinfo(np.int32).max)).fit(X)
        self._n_outside = n_columns - size
        squares = self._squares(X).mean() / max(self._n_outside, 1)
        self._variance = max(squares, np.finfo(float).eps)

    def transform(self, X):
        return X if self._projection is None else self._projection.transform(X)

    def outside(self, X):
        """-log density (n,) of what lies outside, of one variance in all directions."""
        if self._projection is None:
            return 0.0
        constant = self._n_outside / 2 * np.log(2 * np.pi * self._variance)
        return self._squares(X) / (2 * self._variance) + constant

    def _squares(self, X):
        """Squared lengths (n,) of what lies outside."""
        if sparse.issparse(X):
            lengths = np.asarray(X.multiply(X).sum(axis=1)).ravel()
        else:
            lengths = np.square(X - self._projection.mean_).sum(axis=1)
        inside = np.square(self._projection.transform(X)).sum(axis=1)
        return np.maximum(lengths - inside, 0)
