"""The leading principal components of many columns."""

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from sk_ebm.energies.inputs._shrunk_covariance import principal_axes

# Columns that a covariance is estimated of; more are projected on their principal components, as
# the time of an estimate grows with the square of their number.
_MAX_COLUMNS = 60
_MAX_EXACT = 500  # rows or columns up to which principal components are exact, as in PCA


class _Subspace:
    """The leading principal components of columns that are many, at all or for the rows."""

    def __init__(self, X, weights, rng):
        n_rows, n_columns = weights.sum(), X.shape[1]
        size = int(min(_MAX_COLUMNS, n_columns, max(n_rows // 4, 1)))
        few = n_columns <= _MAX_COLUMNS and 3 * n_columns <= n_rows
        self._directions = None
        if not sparse.issparse(X) and (few or n_rows < 4):
            return
        self._mean = 0.0 if sparse.issparse(X) else weights @ X / n_rows
        self._directions = _leading(self._centered(X), weights, size, rng)
        self._n_outside = n_columns - self._directions.shape[1]
        squares = weights @ self._squares(X) / n_rows / max(self._n_outside, 1)
        self._variance = max(squares, np.finfo(float).eps)

    def _centered(self, X):
        return X if sparse.issparse(X) else X - self._mean

    def transform(self, X):
        return X if self._directions is None else self._centered(X) @ self._directions

    def outside(self, X):
        """-log density (n,) of what lies outside, of one variance in all directions."""
        if self._directions is None:
            return 0.0
        constant = self._n_outside / 2 * np.log(2 * np.pi * self._variance)
        return self._squares(X) / (2 * self._variance) + constant

    def _squares(self, X):
        """Squared lengths (n,) of what lies outside."""
        inside = self.transform(X)
        if sparse.issparse(X):
            lengths = np.asarray(X.multiply(X).sum(axis=1)).ravel()
            return np.maximum(lengths - np.square(inside).sum(axis=1), 0)
        return np.square(self._centered(X) - inside @ self._directions.T).sum(axis=1)


def _leading(X, weights, size, rng):
    """Directions (d, size) of the greatest weighted squares of centred rows."""
    roots = np.sqrt(weights)[:, None]
    X = sparse.csr_array(X).multiply(roots).tocsr() if sparse.issparse(X) else roots * X
    if min(X.shape) > _MAX_EXACT:
        seed = rng.randint(np.iinfo(np.int32).max)
        return randomized_svd(X, size, random_state=seed)[2].T
    squares, directions = principal_axes(X)
    size = max(min(size, np.count_nonzero(squares > 1e-12 * squares[-1:])), 1)
    if not directions.size:  # all rows are one
        return np.eye(X.shape[1], 1)
    return directions[:, -size:]
