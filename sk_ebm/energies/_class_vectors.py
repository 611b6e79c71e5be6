"""Class vectors from the means of classes, which are shrunk as linear discriminant analysis with
random class means would (Ioffe, "Probabilistic linear discriminant analysis", ECCV, 2006)."""

from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse
from sklearn.utils import gen_batches

from sk_ebm.energies._class_prior import ClassPrior, class_prior

_BLOCK_ROWS = 4096
_LEAST_SHRINKAGE = 1e-8
# Least variance of class means in an axis, as a share of the mean of all: known classes span fewer
# axes than new ones do; less where classes are more than columns, and so are known to be no
# further apart. open_sets.py, accuracy on all classes after add_classes, five rows a class:
# orl .935 -> .938, coil20 .823 -> .828, digits .758 -> .824, libras .565 -> .587; eighty rows:
# digits .847 -> .941, pendigits .786 -> .858, segment .862 -> .901.
_LEAST_BETWEEN = 0.3
_SHARE_WITHIN = 0.1  # of the variance, where no class has two rows: assumed


class ClassMoments(NamedTuple):
    """Weighted moments of the rows of each class, in features less their mean.

    Attributes
    ----------
    centre : ndarray of shape (d,)
        Mean of the features.
    counts : ndarray of shape (K,)
        Weight of each class.
    means : ndarray of shape (K, d)
        Less the centre; zero for classes without weight.
    within, between : ndarray of shape (d, d)
        Covariance of the rows of a class, and of the class means.
    class_features : ndarray of shape (K, p) or None
    """

    centre: np.ndarray
    counts: np.ndarray
    means: np.ndarray
    within: np.ndarray
    between: np.ndarray
    class_features: np.ndarray | None = None


def class_moments(features, target, weights, n_classes, class_features=None):
    """The `ClassMoments` of dense features (n, d).

    One row with a tenth of the covariance of all is added to those within classes, so that these
    vary where no class has two rows.
    """
    total = weights.sum()
    counts = np.bincount(target, weights, n_classes)
    centre = weights @ features / total
    members = sparse.csr_array(
        (weights, (target, np.arange(len(target)))), (n_classes, len(target))
    )
    means = (members @ features) / np.maximum(counts, np.finfo(float).tiny)[:, None] - centre
    means[counts == 0] = 0
    scatter = np.zeros((len(centre), len(centre)))
    for rows in gen_batches(len(target), _BLOCK_ROWS):
        residuals = (features[rows] - centre - means[target[rows]]) * np.sqrt(weights[rows, None])
        scatter += residuals.T @ residuals
    of_means = (means * counts[:, None]).T @ means
    n_present = np.count_nonzero(counts)
    freedom = max(total - n_present, 0.0)
    within = (scatter + _SHARE_WITHIN * (scatter + of_means) / total) / (freedom + 1)
    n_between = max(n_present - 1, 1)
    between = of_means / n_between - within
    between = between * n_between / total
    return ClassMoments(centre, counts, means, within, between, class_features)


def as_counts(weights):
    """Weights as counts of rows, of which the largest is at least one.

    If all are less, as where they sum to one, the same multiple of them is what means are of: by
    themselves they would say that the means of classes do not differ, and nothing could be
    predicted. How little they say shows in the temperature.
    """
    return weights / min(weights.max(), 1)


class ClassMeans(NamedTuple):
    """Class vectors from means, in features in which classes have unit covariance.

    Attributes
    ----------
    centre : ndarray of shape (d,)
    axes : ndarray of shape (d, r)
    prior : ClassPrior
        Of the class means.
    predicted : ndarray of shape (K, r), or 0
        What it expects of each.
    vectors : ndarray of shape (K, r)
        Posterior means of the class means.
    biases : ndarray of shape (K,)
        -|v|^2 / 2, plus the log share of each class: the log odds of Gaussian classes. Without it
        where energies are squared distances.
    distances : bool
        Whether they are.
    """

    centre: np.ndarray
    axes: np.ndarray
    prior: ClassPrior
    predicted: np.ndarray | float
    vectors: np.ndarray
    biases: np.ndarray
    distances: bool = False

    @classmethod
    def of(cls, moments, shrinkage, distances=False):
        """With a covariance shrunk so much towards a multiple of the identity."""
        d = len(moments.within)
        scale = np.trace(moments.within) / d or 1.0
        shrinkage = max(shrinkage, _LEAST_SHRINKAGE)
        within = (1 - shrinkage) * moments.within + shrinkage * scale * np.eye(d)
        between, axes = linalg.eigh(moments.between, within)
        least = _LEAST_BETWEEN * min(1, d / np.count_nonzero(moments.counts))
        seen, between = between, np.maximum(between, least * np.maximum(between, 0).mean())
        positive = between > 0
        axes, between, seen = axes[:, positive], between[positive], np.maximum(seen[positive], 0)
        means, counts = moments.means @ axes, moments.counts
        prior = class_prior(means, counts, between, moments.class_features)._replace(
            reference=0.5 * seen / (1 + seen), log_volume=0.5 * np.log1p(seen).sum()
        )
        predicted = prior.predicted(moments.class_features)
        vectors = prior.posterior_means(means, counts, predicted)
        prior = prior.beside_nothing() if distances else prior
        start = cls(moments.centre, axes, prior, predicted, vectors, None, distances)
        return start._replace(biases=start._biases_of(vectors, counts))

    def features(self, columns):
        """(n, r), in the precision of the columns."""
        dtype = columns.dtype
        return (columns - self.centre.astype(dtype)) @ self.axes.astype(dtype)

    def with_rows_of(self, moments):
        """The same features, with vectors from the moments of other rows."""
        means = (moments.means + moments.centre - self.centre) * (moments.counts > 0)[:, None]
        vectors = self.prior.posterior_means(means @ self.axes, moments.counts, self.predicted)
        return self._replace(vectors=vectors, biases=self._biases_of(vectors, moments.counts))

    def _biases_of(self, vectors, counts):
        if self.distances:
            return -half_squares(vectors)
        return np.log(np.maximum(counts / counts.sum(), np.exp(-700.0))) - half_squares(vectors)

    def at(self, beta):
        """With outputs times beta; both features and vectors are scaled by its root."""
        root = np.sqrt(beta)
        return self._replace(
            axes=root * self.axes,
            prior=self.prior.scaled(root),
            predicted=root * self.predicted,
            vectors=root * self.vectors,
            biases=beta * self.biases,
        )

    def moved_by(self, params, classes=...):
        """With vectors and biases moved by parameters (K, r + 1), of all classes or some; the
        biases of squared distances follow the vectors."""
        vectors = self.vectors[classes] + params[:, :-1]
        if self.distances:
            return self._replace(vectors=vectors, biases=-half_squares(vectors))
        return self._replace(vectors=vectors, biases=self.biases[classes] + params[:, -1])

    def outputs(self, features):
        return features @ self.vectors.T + self.biases

    def pullback(self, features, gradient):
        """The gradient by the parameters that have moved these, (K, r + 1)."""
        by_vectors, by_biases = gradient.T @ features, gradient.sum(axis=0)
        if self.distances:
            by_vectors -= by_biases[:, None] * self.vectors
            by_biases = np.zeros_like(by_biases)
        return np.column_stack([by_vectors, by_biases])

    def astype(self, dtype):
        """With vectors and biases of this precision."""
        return self._replace(vectors=self.vectors.astype(dtype), biases=self.biases.astype(dtype))

    def own_without(self, features, target, weights, counts):
        """What the output of its correct class is more, (n,), if one unit of weight of each row is
        left out of the mean of its class."""
        between, predicted = self.prior.between, self.predicted
        predicted = predicted if np.ndim(predicted) == 0 else predicted[target]
        left = np.maximum(counts[target] - np.minimum(weights, 1), 0)[:, None]
        gain = (counts[target][:, None] * between + 1) / (left * between + 1)
        vectors = self.vectors[target]
        unit = np.minimum(weights, 1)[:, None] * between / (left * between + 1)
        changed = predicted + gain * (vectors - predicted) - unit * (features - predicted)
        before = np.einsum("nr,nr->n", features - 0.5 * vectors, vectors)
        return np.einsum("nr,nr->n", features - 0.5 * changed, changed) - before


def half_squares(vectors):
    """|v|^2 / 2 of each row."""
    return 0.5 * np.einsum("kr,kr->k", vectors, vectors)
