"""The embedding energy: a vector for each class."""

from copy import copy

import numpy as np

from sk_ebm._core.training import FitResult
from sk_ebm._utils.validation import check_number, check_scales
from sk_ebm.energies._base import Energy
from sk_ebm.energies._class_prior import class_prior
from sk_ebm.energies._class_vectors import biases_of, class_moments, whitening
from sk_ebm.energies._generic_class import beside_generic_class, with_generic_class
from sk_ebm.energies._new_classes import vectors_of_new


class EmbeddingEnergy(Energy):
    """-E(x, y) = <f(x), v_y> + b_y - c(x) with a vector v_y for each class.

    c(x), which changes no probability, makes energies log likelihood ratios to a generic class, so
    that the free energy is high where x is of none of the classes.

    Attributes
    ----------
    vectors_ : ndarray of shape (n_classes, n_components)
    biases_ : ndarray of shape (n_classes,)
    """

    answers = frozenset({"classes"})
    solvers = ("adam",)
    rejects_by_least = True
    takes_class_features = True

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
        means, between = moments.means @ self.whitening_.axes, self.whitening_.between
        class_features = training.class_features
        self.prior_ = class_prior(means, moments.counts, between, class_features)
        self.vectors_ = self.prior_.posterior_means(means, moments.counts, class_features)
        self.biases_ = biases_of(self.vectors_, moments.counts)
        return FitResult(self)

    def features(self, inputs):
        """f(x), (m, r), beside c(x)."""
        return beside_generic_class(self.whitening_(inputs), self.whitening_.between)

    def class_vectors(self):
        return with_generic_class(self.vectors_), self.biases_

    def with_classes(self, new, order):
        fitted = copy(self)
        vectors, biases = vectors_of_new(self, self.whitening_(new.inputs), new)
        fitted.vectors_ = np.concatenate([self.vectors_, vectors])[order]
        fitted.biases_ = np.append(self.biases_, biases)[order]
        return fitted

    def __call__(self, inputs):
        vectors, biases = self.class_vectors()
        return self.features(inputs) @ vectors.T + biases
