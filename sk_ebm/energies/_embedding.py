"""The embedding energy: a vector for each class."""

import numpy as np

from sk_ebm._core.training import FitResult
from sk_ebm._utils.validation import check_number, check_scales
from sk_ebm.energies._base import Energy
from sk_ebm.energies._class_vectors import biases_of, class_moments, whitening


class EmbeddingEnergy(Energy):
    """-E(x, y) = <f(x), v_y> + b_y with a vector v_y for each class.

    Attributes
    ----------
    vectors_ : ndarray of shape (n_classes, n_components)
    biases_ : ndarray of shape (n_classes,)
    """

    answers = frozenset({"classes"})
    solvers = ("adam",)

    def __init__(self, shrinkage=0.3):
        self.shrinkage = shrinkage

    def check(self):
        check_number("shrinkage", self.shrinkage, 0, 1)

    def fit(self, inputs, training):
        check_scales(inputs, squares=True)
        objective, answers = training.objective, training.answers
        n_classes = answers.n_classes
        moments = class_moments(inputs, answers.target, objective.weights, n_classes)
        self.whitening_ = whitening(moments, self.shrinkage)
        self.vectors_ = self.whitening_.vectors(moments.means, moments.counts)
        self.biases_ = biases_of(self.vectors_, moments.counts)
        return FitResult(self)

    def features(self, inputs):
        """f(x), (m, r)."""
        return self.whitening_(inputs)

    def class_vectors(self):
        return self.vectors_, self.biases_

    def __call__(self, inputs):
        return self.features(inputs) @ self.vectors_.T + self.biases_
