"""Mixtures of normals of weighted rows, without components for a few outliers."""

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

_EM_STEPS, _TOL = 100, 1e-3  # scikit-learn's defaults for GaussianMixture
_LLOYD_STEPS = 300  # that of KMeans
_SMALLEST = 1e-12  # of divisors that only rounding errors bring near zero
_RIDGE = 1e-9  # of standardised columns: regular even where reg_covar is 0
_ROWS_PER_COLUMN = 5  # of a component, where it has less than _SMALL_SHARE of the rows
_SMALL_SHARE = 0.05  # half of what contamination flags by default
_MOST_SET_ASIDE = 0.1  # of the rows: what contamination flags by default


class NormalMixture:
    """A mixture of normals, fitted by expectation maximisation.

    Parameters
    ----------
    shares : ndarray of shape (k,)
    means : ndarray of shape (k, d)
    factors : ndarray of shape (k, d, d)
        Lower Cholesky factors of the covariances.
    """

    def __init__(self, shares, means, factors):
        self.shares = shares
        self.means = means
        self.factors = factors
        self._whiteners = [solve_triangular(a, np.eye(len(a)), lower=True).T for a in factors]

    def components(self):
        """Of each component the mean (d,) and a root A (d, d) of its precision A A'."""
        return zip(self.means, self._whiteners, strict=True)

    def joint_log_densities(self, X):
        """Of rows and components, (m, k)."""
        return np.log(self.shares) - self._log_scales(X.shape[1]) - 0.5 * self._distances(X)

    def _log_scales(self, n_columns):
        log_diagonals = [np.log(np.diag(factor)).sum() for factor in self.factors]
        return np.array(log_diagonals) + 0.5 * n_columns * np.log(2 * np.pi)

    def _distances(self, X):
        """Squared, of rows from components, (m, k)."""
        pairs = zip(self.means, self._whiteners, strict=True)
        columns = [np.square((X - mean) @ whitener).sum(axis=1) for mean, whitener in pairs]
        return np.stack(columns, axis=1)

    def log_densities(self, X):
        return logsumexp(self.joint_log_densities(X), axis=1)

    def log_densities_left_out(self, X, masses, shrinkage):
        """The same of the rows of the fit, as if each had been left out of it.

        Its masses (n, k) are subtracted, and squared distances are multiplied by the shrinkage.
        """
        n_columns, sizes = X.shape[1], masses.sum(axis=0)
        rest = np.maximum(sizes - masses, _SMALLEST)
        distances = self._distances(X)
        kept = np.maximum(1 - masses / rest * distances, _SMALLEST)
        joint = np.log(rest / rest.sum(axis=1, keepdims=True)) - self._log_scales(n_columns)
        joint -= 0.5 * (n_columns * np.log(sizes / rest) + np.log(kept))  # of the determinants
        joint -= 0.5 * shrinkage[:, None] * distances * (sizes / rest) / kept
        return logsumexp(joint, axis=1)


def fit_robust_mixture(X, weights, size, reg_covar):
    """A mixture in which no component is there for a few outliers, and its masses (n, k) of rows.

    Rows of components that are too small are set aside with these, and the others are fitted
    again. Where that would be more than a tenth of the rows, there is one component less.
    """
    least = _SMALL_SHARE * weights.sum()
    least = max(min(_ROWS_PER_COLUMN * X.shape[1], least), X.shape[1] + 2)
    kept = weights
    while True:
        rows = kept > 0
        mixture, found = _fit(X[rows], kept[rows], size, reg_covar)
        small = found.sum(axis=0) < least
        if size == 1 or not small.any():
            masses = np.zeros((len(X), size))
            masses[rows] = found
            return mixture, masses
        outlying = small[found.argmax(axis=1)]
        remaining = kept.copy()
        remaining[np.flatnonzero(rows)[outlying]] = 0
        if outlying.any() and remaining.sum() >= (1 - _MOST_SET_ASIDE) * weights.sum():
            kept, size = remaining, max(size - np.count_nonzero(small), 1)
        else:
            size -= 1


def _fit(X, weights, size, reg_covar):
    """The mixture and the masses (n, k) of its components, from k-means on."""
    masses = weights[:, None] * np.eye(size)[_clusters(X, weights, size)]
    bound = -np.inf
    for _ in range(_EM_STEPS):
        mixture = _maximise(X, masses, reg_covar + _RIDGE)
        if size == 1:
            break
        joint = mixture.joint_log_densities(X)
        total = logsumexp(joint, axis=1, keepdims=True)
        previous, bound = bound, np.average(total[:, 0], weights=weights)
        if abs(bound - previous) < _TOL:
            break
        masses = weights[:, None] * np.exp(joint - total)
    return mixture, masses


def _maximise(X, masses, ridge):
    """The mixture of components that have these masses (n, k) of the rows."""
    sizes = masses.sum(axis=0) + 1e-9  # so that an empty component has a mean
    means = masses.T @ X / sizes[:, None]
    factors = []
    for mass, size, mean in zip(masses.T, sizes, means, strict=True):
        rooted = np.sqrt(mass)[:, None] * (X - mean)
        covariance = rooted.T @ rooted / size
        factors.append(cholesky(covariance + ridge * np.eye(X.shape[1]), lower=True))
    return NormalMixture(sizes / sizes.sum(), means, np.array(factors))


def _clusters(X, weights, size):
    """The cluster of each row, by k-means from equal parts along the first principal axis."""
    centered = X - weights @ X / weights.sum()
    along = centered @ np.linalg.eigh((weights * centered.T) @ centered)[1][:, -1]
    order = np.argsort(along, kind="stable")
    part = np.empty(len(X), dtype=int)
    part[order] = (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum() * size
    part = np.unique(part, return_inverse=True)[1]
    n_clusters = part.max() + 1
    for _ in range(_LLOYD_STEPS):
        members = [part == k for k in np.unique(part)]
        means = [np.average(X[rows], axis=0, weights=weights[rows]) for rows in members]
        while len(means) < n_clusters:  # an empty cluster starts again at the farthest row
            means.append(X[cdist(X, means).min(axis=1).argmax()])
        previous, part = part, cdist(X, means).argmin(axis=1)
        if np.array_equal(previous, part):
            break
    return part
