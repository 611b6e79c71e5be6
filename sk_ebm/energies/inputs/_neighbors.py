"""The distance to the nearest training rows."""

from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from sk_ebm._utils.estimators import row_blocks
from sk_ebm._utils.validation import check_flag, check_number
from sk_ebm.energies.inputs._shrunk_covariance import ShrunkCovariance
from sk_ebm.energies.inputs._standardised import _Standardised, depends_little_on_a_row
from sk_ebm.energies.inputs._subspace import _Subspace

_MORE_NEIGHBORS = 4  # itself, and others that may be nearer once a row is left out
_LEAST_VARIANCE = 1e-6  # of a direction, by which whitening divides


class NeighborsEnergy(_Standardised):
    """Mean distance to the nearest rows of the training set (Ramaswamy, Rastogi and Shim, 2000).

    Parameters
    ----------
    n_neighbors : int, default=5
        Lowered to the number of rows. A row of weight 2 counts as two neighbors.
    whiten : bool, default=False
        Whether distances are those of rows whose covariance, shrunk, is the identity.
    """

    def __init__(self, n_neighbors=5, whiten=False):
        self.n_neighbors = n_neighbors
        self.whiten = whiten

    def check(self):
        check_number("n_neighbors", self.n_neighbors, 1, closed=True, kind=Integral)
        check_flag("whiten", self.whiten)

    def can_leave_out(self, inputs, n_rows):
        components = self.whiten and sparse.issparse(inputs)
        return depends_little_on_a_row(inputs, n_rows, components)

    def fit_standardised(self, X, weights, rng):
        self._covariance = None
        if self.whiten:
            self._subspace = _Subspace(X, weights, rng) if sparse.issparse(X) else None
            self._covariance = ShrunkCovariance(self._inner(X), weights)
            X = self._whitened(X)
        self._weights = weights
        total = np.cumsum(np.sort(weights))  # of the fewest rows that have enough weight
        size = min(np.searchsorted(total, self.n_neighbors) + 1, len(weights))
        self.neighbors_ = NearestNeighbors(n_neighbors=int(size)).fit(X)
        return lambda index: self._left_out(X, index)

    def _left_out(self, X, index):
        """Energies of rows of the fit, as if each had not been among the others."""
        blocks = row_blocks(index, self.neighbors_.n_neighbors * X.shape[1])
        return np.concatenate([self._left_out_of_block(X, index[rows]) for rows in blocks])

    def _left_out_of_block(self, X, index):
        size = min(self.neighbors_.n_neighbors + _MORE_NEIGHBORS, X.shape[0])
        distances, rows = self.neighbors_.kneighbors(X[index], size)
        weights = np.where(rows == index[:, None], 0, self._weights[rows])
        if self._covariance is not None:
            products = np.einsum("md,mkd->mk", X[index], X[rows])
            squares, own = np.square(distances), self._weights[index]
            distances = self._covariance.distances_left_out(X[index], products, squares, own)
            order = np.argsort(distances, axis=1)
            distances = np.take_along_axis(distances, order, axis=1)
            weights = np.take_along_axis(weights, order, axis=1)
        return self._mean(distances, weights)

    def _inner(self, X):
        return X if self._subspace is None else self._subspace.transform(X)

    def _whitened(self, X):
        return self._covariance.whiten(self._inner(X), _LEAST_VARIANCE)

    def energies(self, X):
        X = self.prepared(X)
        X = X if self._covariance is None else self._whitened(X)
        blocks = row_blocks(X, self.neighbors_.n_neighbors)
        return np.concatenate([self._mean_distances(X[rows]) for rows in blocks])

    def _mean_distances(self, X):
        distances, rows = self.neighbors_.kneighbors(X)
        return self._mean(distances, self._weights[rows])

    def _mean(self, distances, weights):
        """Of ascending distances (m, k), as far as neighbors of these weights are needed."""
        before = np.cumsum(weights, axis=1) - weights
        return np.average(distances, axis=1, weights=np.clip(self.n_neighbors - before, 0, weights))
