"""Vectors of classes that an energy was not fitted on, from a few rows or from class features."""

from typing import NamedTuple

import numpy as np
from scipy import sparse


class NewClasses(NamedTuple):
    """Rows and features of new classes.

    Attributes
    ----------
    inputs : rows as the energy reads them
    target : ndarray of int, shape (m,)
        Which of the new classes each row is of.
    weights : ndarray of shape (m,)
    n_classes : int
        Some may have no rows.
    class_features : ndarray of shape (n_classes, p) or None
    """

    inputs: object
    target: np.ndarray
    weights: np.ndarray
    n_classes: int
    class_features: np.ndarray | None = None

    def means(self, features):
        """Weighted means (n_classes, r) of features (m, r), zero without rows, and the weights."""
        shape = self.n_classes, len(self.target)
        members = sparse.csr_array((self.weights, (self.target, np.arange(shape[1]))), shape)
        counts = np.bincount(self.target, self.weights, self.n_classes)
        return members @ features / np.where(counts > 0, counts, 1)[:, None], counts


def vectors_of_new(energy, features, new):
    """Vectors (k, r) and biases (k,) of new classes: posterior means, as common as the others.

    Few rows say nothing about how often a class will come, so that its prior log share is the
    median of those of the classes that were fitted.
    """
    means, counts = new.means(features)
    predicted = energy.prior_.predicted(new.class_features)
    vectors = energy.prior_.posterior_means(means, counts, predicted)
    log_shares = energy.biases_ + 0.5 * np.square(energy.vectors_).sum(axis=1)
    biases = np.median(log_shares) - 0.5 * np.square(vectors).sum(axis=1)
    return vectors.astype(energy.vectors_.dtype), biases.astype(energy.biases_.dtype)
