"""Class vectors from the means of classes, which are shrunk as linear discriminant analysis with
random class means would (Ioffe, "Probabilistic linear discriminant analysis", ECCV, 2006)."""

from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse


class ClassMoments(NamedTuple):
    """Weighted moments of the rows of each class, in features less their mean.

    Attributes
    ----------
    centre : ndarray of shape (d,)
    counts : ndarray of shape (K,)
        Weight of each class.
    means : ndarray of shape (K, d)
        Less the centre; zero for classes without weight.
    within, between : ndarray of shape (d, d)
        Covariance of the rows of a class, and of the class means.
    """

    centre: np.ndarray
    counts: np.ndarray
    means: np.ndarray
    within: np.ndarray
    between: np.ndarray


def class_moments(features, target, weights, n_classes):
    """The `ClassMoments` of dense features (n, d)."""
    total = weights.sum()
    centre = weights @ features / total
    rows = features - centre
    counts = np.bincount(target, weights, n_classes)
    members = sparse.csr_array(
        (weights, (target, np.arange(len(target)))), (n_classes, len(target))
    )
    means = (members @ rows) / np.maximum(counts, np.finfo(float).tiny)[:, None]
    residuals = rows - means[target]
    freedom = max(total - np.count_nonzero(counts), 1.0)
    within = (residuals * weights[:, None]).T @ residuals / freedom
    n_between = max(np.count_nonzero(counts) - 1, 1)
    between = (means * counts[:, None]).T @ means / n_between - within
    return ClassMoments(centre, counts, means, within, between * n_between / total)


class Whitening(NamedTuple):
    """Features in which classes have unit covariance, and class means the variances ``between``."""

    centre: np.ndarray
    axes: np.ndarray  # (d, r)
    between: np.ndarray  # (r,)

    def __call__(self, features):
        return (features - self.centre) @ self.axes

    def vectors(self, means, counts):
        """Posterior means (K, r) of class means, given means of so many rows."""
        shrinkage = counts[:, None] * self.between
        return shrinkage / (shrinkage + 1) * (means @ self.axes)


def whitening(moments, shrinkage):
    """The `Whitening` for a covariance shrunk so much towards a multiple of the identity."""
    d = len(moments.within)
    scale = np.trace(moments.within) / d or 1.0
    within = (1 - shrinkage) * moments.within + shrinkage * scale * np.eye(d)
    between, axes = linalg.eigh(moments.between, within)
    positive = between > 0
    return Whitening(moments.centre, axes[:, positive], between[positive])


def biases_of(vectors, counts, log_shares=True):
    """-|v|^2 / 2, plus the log share of each class: the log odds of Gaussian classes."""
    biases = -0.5 * np.einsum("kr,kr->k", vectors, vectors)
    shares = np.maximum(counts / counts.sum(), np.exp(-700.0))
    return biases + np.log(shares) if log_shares else biases
