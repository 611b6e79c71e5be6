"""The distance to the nearest training rows."""

from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from sk_ebm._utils.sklearn_private import count_rows
from sk_ebm._utils.validation import check_number
from sk_ebm.energies.inputs._gaussian import _shrunk
from sk_ebm.energies.inputs._standardised import _Standardised
from sk_ebm.energies.inputs._subspace import _Subspace


class NeighborsEnergy(_Standardised):
    """Mean distance to the nearest rows of the training set (Ramaswamy, Rastogi and Shim, 2000).

    Parameters
    ----------
    n_neighbors : int, default=5
        Lowered to the number of rows.
    whiten : bool, default=False
        Whether distances are those of rows whose covariance, shrunk, is the identity.
    """

    def __init__(self, n_neighbors=5, whiten=False):
        self.n_neighbors = n_neighbors
        self.whiten = whiten

    def check(self):
        check_number("n_neighbors", self.n_neighbors, 1, closed=True, kind=Integral)

    def fit_standardised(self, X, rng):
        self._whitening = None
        if self.whiten:
            self._subspace = _Subspace(X, rng) if sparse.issparse(X) else None
            self._whitening = _whitening(self._inner(X))
            X = self._inner(X) @ self._whitening
        self.neighbors_ = NearestNeighbors(n_neighbors=min(self.n_neighbors, count_rows(X))).fit(X)

    def _inner(self, X):
        return X if self._subspace is None else self._subspace.transform(X)

    def energies(self, X):
        X = self.prepared(X)
        if self._whitening is not None:
            X = self._inner(X) @ self._whitening
        return self.neighbors_.kneighbors(X)[0].mean(axis=1)


def _whitening(X):
    """The columns (d, d) by which X has the identity as its shrunk covariance."""
    variances, directions = np.linalg.eigh(_shrunk(X).covariance_)
    return directions / np.sqrt(np.maximum(variances, 1e-6))
