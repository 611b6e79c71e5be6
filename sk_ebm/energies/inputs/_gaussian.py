"""The Gaussian energy: a robust Mahalanobis distance."""

import numpy as np
from scipy import sparse
from scipy.linalg import pinvh
from sklearn.covariance import LedoitWolf

from sk_ebm._utils.validation import check_number
from sk_ebm.energies.inputs._standardised import _Standardised
from sk_ebm.energies.inputs._subspace import _Subspace


class GaussianEnergy(_Standardised):
    """Half the squared Mahalanobis distance, by a shrunk and robust covariance.

    Location and covariance are those of the share ``support_fraction`` of the rows whose shrunk
    covariance (Ledoit and Wolf, 2004) has the least determinant, found by concentration steps from
    three deterministic starts (Rousseeuw and Van Driessen, 1999; Hubert, Rousseeuw and
    Verdonck, 2012). Shrinkage keeps it regular with more columns than rows and with columns of
    few values. Of more than 60 columns the 60 principal components say which rows these are, and of
    sparse ones they are all that counts.

    Parameters
    ----------
    support_fraction : float, default=0.75
        In [0.5, 1]; 1 is for rows without anomalies.
    """

    def __init__(self, support_fraction=0.75):
        self.support_fraction = support_fraction

    def check(self):
        check_number("support_fraction", self.support_fraction, 0.5, 1, closed=True)

    def fit_standardised(self, X, rng):
        self._subspace = _Subspace(X, rng)
        inner = self._subspace.transform(X)
        size = int(np.ceil(self.support_fraction * len(inner)))
        fits = [_concentrate(inner, size, first) for first in _first_distances(inner)]
        nearest, self.covariance_ = min(
            fits, key=lambda fit: np.linalg.slogdet(fit[1].covariance_)[1]
        )
        if not sparse.issparse(X):
            self.covariance_ = _shrunk(X[nearest])

    def energies(self, X):
        X = self.prepared(X)
        X = self._subspace.transform(X) if sparse.issparse(X) else X
        return 0.5 * self.covariance_.mahalanobis(X)


def _first_distances(X):
    """Three distances from the centre that a few far rows cannot rule."""
    norms, bounded = np.linalg.norm(X, axis=1), np.tanh(X)
    yield norms
    yield _shrunk(bounded).mahalanobis(bounded)
    yield _shrunk(X / np.maximum(norms, 1e-9)[:, None]).mahalanobis(X)


def _shrunk(X):
    """The shrunk covariance, regular even if all rows are one."""
    covariance = LedoitWolf(store_precision=False).fit(X)
    covariance.covariance_.flat[:: X.shape[1] + 1] += 1e-9
    covariance.store_precision, covariance.precision_ = True, pinvh(covariance.covariance_)
    return covariance


def _concentrate(X, size, distances, max_steps=30):
    """As many of the nearest rows, and their shrunk covariance, until these stay the same."""
    nearest = None
    for _ in range(max_steps):
        before, nearest = nearest, np.sort(np.argpartition(distances, size - 1)[:size])
        if np.array_equal(before, nearest):
            break
        covariance = _shrunk(X[nearest])
        distances = covariance.mahalanobis(X)
    return nearest, covariance
