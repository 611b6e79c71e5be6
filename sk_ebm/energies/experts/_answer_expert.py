"""Estimators of answers as energies of inputs, and of inputs with their answers."""

from copy import copy

import numpy as np
from scipy.special import logsumexp
from sklearn.base import clone, is_classifier

from sk_ebm._core.classes import positions
from sk_ebm._core.training import FitResult
from sk_ebm._utils.fit_arguments import naming, seeded, weight_arguments
from sk_ebm.energies.experts._shared import Expert, decision_columns
from sk_ebm.energies.inputs._base import finite_energies

_LARGEST_SURPRISAL = -np.log(np.finfo(float).tiny)  # of classes that are not known


class AnswerExpert(Expert):
    """What a supervised estimator says about inputs, and about pairs of inputs and answers.

    The energy of inputs is what the estimator itself compares with a threshold, `input_energies`,
    or its `free_energy` (Liu, Wang, Owens and Li, 2020), else its `least_energy`, else that of its
    decision function, -log sum exp of it, or -log of the greatest probability; of a conditional
    density, which is normalised for every x, the least energy of all answers. The energy of a pair
    is -log p(y given x): of classes from the probabilities, of a continuous y from `log_prob`.

    Parameters
    ----------
    estimator : classifier, or conditional density
        With `free_energy`, `predict_proba`, `decision_function` or `log_prob`.

    References
    ----------
    Liu, Wang, Owens and Li, "Energy-based out-of-distribution detection", 2020.
    """

    answers = frozenset({"inputs"})
    takes_offset = False

    def check(self):
        pairs = "predict_proba" if is_classifier(self.estimator) else "log_prob"
        if not hasattr(self.estimator, "fit") or not hasattr(self.estimator, pairs):
            raise ValueError(
                "With labels='answer', energy must be a classifier with predict_proba or a "
                f"conditional density with log_prob, got {self.estimator!r}."
            )

    def check_weights(self, weights):
        weight_arguments(self.estimator, weights)

    def fit(self, inputs, training):
        objective = training.objective
        self.estimator_ = seeded(clone(self.estimator), training.rng)
        arguments = weight_arguments(self.estimator_, objective.weights)
        with naming(self.estimator):
            self.estimator_.fit(inputs, objective.answers.target, **arguments)
        return FitResult(self)

    def __call__(self, inputs):
        with naming(self.estimator, "asked"):
            return -finite_energies(self._of_inputs(inputs))[:, None]

    def _of_inputs(self, inputs):
        for method in ("input_energies", "free_energy", "least_energy"):
            if hasattr(self.estimator_, method):
                return getattr(self.estimator_, method)(inputs)
        if hasattr(self.estimator_, "decision_function"):
            if not is_classifier(self.estimator_):
                return -self.estimator_.decision_function(inputs).max(axis=1)
            return -logsumexp(decision_columns(self.estimator_, inputs), axis=1)
        return -np.log(self.estimator_.predict_proba(inputs).max(axis=1))

    def of_pairs(self, inputs, y):
        """Energies (m,) of inputs with their answers; a class it has not seen has p = 0."""
        with naming(self.estimator, "asked"):
            return finite_energies(self._of_pairs(inputs, y))

    def _of_pairs(self, inputs, y):
        if not is_classifier(self.estimator_):
            return -self.estimator_.log_prob(inputs, y)
        if hasattr(self.estimator_, "pair_energies"):
            return np.minimum(self.estimator_.pair_energies(inputs, y), _LARGEST_SURPRISAL)
        p = self.estimator_.predict_proba(inputs)
        column = positions(self.estimator_.classes_, y)
        p_of_y = np.where(column >= 0, p[np.arange(len(p)), column], 0)
        return -np.log(np.maximum(p_of_y, np.finfo(float).tiny))

    def knows(self, y):
        """Which answers (m,) it can judge: of a classifier, the classes it was fitted on."""
        if not is_classifier(self.estimator_):
            return np.ones(len(y), dtype=bool)
        return positions(self.estimator_.classes_, y) >= 0

    def with_classes(self, X, y, sample_weight=None):
        """A copy whose classifier takes new classes without a refit."""
        if not hasattr(self.estimator_, "add_classes"):
            raise ValueError(
                "add_classes needs an EnergyClassifier with energy='embedding', got "
                f"{self.estimator!r}. Fit again with all rows."
            )
        larger = copy(self)
        larger.estimator_ = copy(self.estimator_).add_classes(X, y, sample_weight)
        return larger
