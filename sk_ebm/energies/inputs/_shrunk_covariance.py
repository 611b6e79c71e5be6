"""The shrunk covariance of weighted rows, by eigenvalues of the smaller side of the table."""

import numpy as np

from sk_ebm._core.contributions import Quadratic

_RIDGE = 1e-9  # of standardised columns: keeps it regular even if all rows are one
_SMALLEST = 1e-12  # of divisors that only rounding errors bring near zero
_RELATIVE_RANK = 1e-12  # eigenvalues below this share of the largest are rounding errors


class ShrunkCovariance:
    """(1 - s) S + s mu I, where mu is the mean eigenvalue of the covariance S of the rows.

    The shrinkage s is that of Ledoit and Wolf, "A well-conditioned estimator for large-dimensional
    covariance matrices", 2004. Only the directions (d, r) that the rows span are kept: outside of
    them, the covariance is a multiple of the identity.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    weights : ndarray of shape (n,)
        A weight of 2 stands for two rows.
    """

    def __init__(self, X, weights):
        n, d = weights.sum(), X.shape[1]
        self._total = n
        self._mean = weights @ X / n
        centered = X - self._mean
        variances, self._directions = principal_axes(np.sqrt(weights / n)[:, None] * centered)
        mean_variance, square = variances.sum() / d, (variances**2).sum()
        noise = (weights @ (centered**2).sum(axis=1) ** 2 / n - square) / n
        spread = square - d * mean_variance**2
        shrinkage = np.clip(noise / spread, 0, 1) if spread > 0 else 0.0
        self._outside = shrinkage * mean_variance + _RIDGE
        self._variances = (1 - shrinkage) * variances + self._outside
        self._unshrunk = 1 - shrinkage

    @property
    def log_determinant(self):
        n_outside = len(self._mean) - len(self._variances)
        return np.log(self._variances).sum() + n_outside * np.log(self._outside)

    def mahalanobis(self, X):
        """Squared distances (m,) from the mean."""
        inside, rest = self._split(X)
        distances = (inside**2 / self._variances).sum(axis=1)
        return distances if rest is None else distances + (rest**2).sum(axis=1) / self._outside

    def mahalanobis_left_out(self, X, weights):
        """The same of rows that it was fitted on with these weights, as if each had been left out.

        Its part is subtracted from mean and covariance; the shrinkage stays.
        """
        distances, rest = self.mahalanobis(X), np.maximum(self._total - weights, _SMALLEST)
        kept = 1 - self._unshrunk * weights / rest * distances
        return distances * (self._total / rest) / np.maximum(kept, _SMALLEST)

    def distances_left_out(self, whitened, products, squares, weights):
        """Distances (m, k) of whitened rows, as if each row (m, d) had not been in the fit.

        Given are their products with the others, squared distances from them, and their weights.
        """
        rest = np.maximum(self._total - weights, _SMALLEST)
        lengths, part = np.square(whitened).sum(axis=1), self._unshrunk * weights / rest
        kept = np.maximum(1 - part * lengths, _SMALLEST)
        squares = squares + (part / kept)[:, None] * np.square(lengths[:, None] - products)
        return np.sqrt(squares * (rest / self._total)[:, None])

    def quadratic(self):
        """Half of the squared distance from the mean, as a `Quadratic`."""
        return Quadratic(
            self._mean,
            self._directions / np.sqrt(self._variances),
            None if self._is_complete else self._directions,
            1 / self._outside,
        )

    @property
    def _is_complete(self):
        """Whether the directions are all that there are."""
        return self._directions.shape[1] == len(self._mean)

    def whiten(self, X, floor):
        """Rows whose distances are those of X in units of the covariance, at least ``floor``."""
        inside, rest = self._split(X)
        inside = inside / np.sqrt(np.maximum(self._variances, floor))
        if rest is None:
            return inside
        return inside @ self._directions.T + rest / np.sqrt(max(self._outside, floor))

    def _split(self, X):
        """Rows along the directions (m, r), and what is left of them (m, d) where there is more."""
        centered = X - self._mean
        inside = centered @ self._directions
        if self._is_complete:
            return inside, None
        return inside, centered - inside @ self._directions.T


def principal_axes(X):
    """Eigenvalues (r,) of X'X, ascending, and its eigenvectors (d, r); all d where d <= n."""
    n, d = X.shape
    if d <= n:
        squares, directions = np.linalg.eigh(_dense(X.T @ X))
        return np.maximum(squares, 0), directions
    squares, left = np.linalg.eigh(_dense(X @ X.T))
    kept = squares > _RELATIVE_RANK * squares[-1]
    return squares[kept], X.T @ left[:, kept] / np.sqrt(squares[kept])


def _dense(X):
    return X.toarray() if hasattr(X, "toarray") else X
