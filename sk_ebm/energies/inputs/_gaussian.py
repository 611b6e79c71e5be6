"""The Gaussian energy: a robust Mahalanobis distance."""

from operator import itemgetter

import numpy as np
from scipy import sparse

from sk_ebm._utils.validation import check_number
from sk_ebm.energies.inputs._shrunk_covariance import ShrunkCovariance
from sk_ebm.energies.inputs._standardised import _Standardised, depends_little_on_a_row
from sk_ebm.energies.inputs._subspace import _Subspace

_FIRST_STEPS, _MAX_STEPS = 2, 30  # of each start, as in FastMCD, and of the best of them


class GaussianEnergy(_Standardised):
    """Half the squared Mahalanobis distance, by a shrunk and robust covariance.

    Location and covariance are those of the share ``support_fraction`` of the rows whose shrunk
    covariance (Ledoit and Wolf, 2004) has the least determinant, found by concentration steps from
    the best of three deterministic starts (Rousseeuw and Van Driessen, 1999; Hubert, Rousseeuw and
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

    def can_leave_out(self, inputs, n_rows):
        return depends_little_on_a_row(inputs, n_rows, components=sparse.issparse(inputs))

    def fit_standardised(self, X, weights, rng):
        self._subspace = _Subspace(X, weights, rng)
        inner = self._subspace.transform(X)
        started = [
            _concentrate(inner, weights, self.support_fraction, first, _FIRST_STEPS)
            for first in _first_distances(inner, weights)
        ]
        distances = min(started, key=itemgetter(0))[-1]
        found = _concentrate(inner, weights, self.support_fraction, distances, _MAX_STEPS)
        _, support, self.covariance_, _ = found
        if not sparse.issparse(X):
            inner, used = X, support > 0
            self.covariance_ = ShrunkCovariance(X[used], support[used])
        distances = self.covariance_.mahalanobis_left_out
        return lambda index: 0.5 * distances(inner[index], support[index])

    def energies(self, X):
        X = self.prepared(X)
        X = self._subspace.transform(X) if sparse.issparse(X) else X
        return 0.5 * self.covariance_.mahalanobis(X)

    @property
    def additive(self):
        """Whether its columns are those of the table, as those of sparse matrices are not."""
        return not self._scaler.is_sparse

    def contributions(self, inputs, background):
        """Of a chain of the columns (`Quadratic`)."""
        if not self.additive:
            return super().contributions(inputs, background)
        values = self.covariance_.quadratic().contributions(self.prepared(inputs))
        return self._contributions(values, 0.0)


def _first_distances(X, weights):
    """Three distances from the centre that a few far rows cannot rule."""
    norms, bounded = np.linalg.norm(X, axis=1), np.tanh(X)
    yield norms
    yield ShrunkCovariance(bounded, weights).mahalanobis(bounded)
    yield ShrunkCovariance(X / np.maximum(norms, 1e-9)[:, None], weights).mahalanobis(X)


def _concentrate(X, weights, fraction, distances, n_steps):
    """The nearest rows, until they stay the same, or after so many steps: the log determinant of
    their covariance, their weights, the covariance, and distances."""
    support = None
    for _ in range(n_steps):
        before, support = support, _nearest(distances, weights, fraction)
        if np.array_equal(before, support):
            break
        used = support > 0
        covariance = ShrunkCovariance(X[used], support[used])
        distances = covariance.mahalanobis(X)
    return covariance.log_determinant, support, covariance, distances


def _nearest(distances, weights, fraction):
    """Weights (n,) of a share of the rows, the last of them in part."""
    order = np.argsort(distances, kind="stable")
    before = np.cumsum(weights[order]) - weights[order]
    support = np.empty_like(weights)
    support[order] = np.clip(fraction * weights.sum() - before, 0, weights[order])
    return support
