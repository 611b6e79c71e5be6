"""Estimators of scikit-learn as energies."""

import numpy as np
from sklearn.base import clone, is_classifier, is_outlier_detector

from sk_ebm._core.training import FitResult
from sk_ebm._utils.fit_arguments import seeded, weight_arguments
from sk_ebm._utils.sklearn_private import take_rows
from sk_ebm.energies.experts._input_expert import InputExpert
from sk_ebm.energies.experts._shared import Expert, decision_columns, naming, positions


class ExpertEnergy(Expert):
    """The energy of a scikit-learn-compatible estimator, which is fitted as it fits itself.

    - A classifier: E(x, y) = -log p(y given x), or the negative `decision_function` where there
      are no probabilities. Probabilities are mixed with one virtual sample of equal shares among
      the n it was fitted on, (n p + 1/K) / (n + 1), so that zeros and ones give finite energies;
      a class that it has not seen has p = 0, or the highest energy of the others plus one.
    - A density (`score_samples`): one clone is fitted to each class, and E(x, y) is the sum of
      -log p(x given y) and -log p(y), p(y) the class's share of the weight. The free energy is
      -log p(x).

    The loss, ``alpha`` and the solver do not act on it. It reads inputs as the user gave them.
    Weights are passed on where ``fit`` takes (with metadata routing: requests) ``sample_weight``;
    rows of weight zero are left out. A `FrozenEstimator` is not fitted again.

    Parameters
    ----------
    estimator : classifier or density
        Parameters called ``random_state`` that are None are drawn from the estimator's own.

    Attributes
    ----------
    estimator_ : fitted estimator, or list of them, one per class
    """

    answers = frozenset({"classes"})
    anchored = True
    takes_offset = False

    @property
    def normalised(self):
        return is_classifier(self.estimator) and hasattr(self.estimator, "predict_proba")

    def check(self):
        if isinstance(self.estimator, type) or not hasattr(self.estimator, "fit"):
            raise ValueError(
                f"An expert must be an estimator, as in energy=SVC(), got {self.estimator!r}."
            )
        wanted = ("score_samples",)
        if is_classifier(self.estimator):
            wanted = ("predict_proba", "decision_function")
        found = any(hasattr(self.estimator, method) for method in wanted)
        if not found or is_outlier_detector(self.estimator):
            raise ValueError(
                "An expert must be a classifier with predict_proba or decision_function, or a "
                f"density with score_samples, got {self.estimator!r}."
            )

    def as_detector(self, labelled):
        return self if is_classifier(self.estimator) else InputExpert(self.estimator)

    def fit(self, inputs, training):
        answers, weights, rng = training.answers, training.objective.weights, training.rng
        self._n_classes = answers.n_classes
        rows = np.flatnonzero(weights)
        if is_classifier(self.estimator):
            y = answers.classes[answers.target[rows]]
            self.estimator_ = self._fit_one(inputs, rows, y, weights, rng)
            self._smoothing = 1 / (len(rows) + 1)
            self._match_columns(answers.classes)
        else:
            shares = np.bincount(answers.target, weights, answers.n_classes) / weights.sum()
            self._members = np.flatnonzero(shares)
            self._log_shares = np.log(shares[self._members])
            per_class = [rows[answers.target[rows] == k] for k in self._members]
            self.estimator_ = [self._fit_one(inputs, own, None, weights, rng) for own in per_class]
        return FitResult(self)

    def _fit_one(self, inputs, rows, y, weights, rng):
        """A clone fitted on some rows."""
        estimator = seeded(clone(self.estimator), rng)
        arguments = weight_arguments(estimator, weights[rows])
        if len(rows) < len(weights):
            inputs = take_rows(inputs, rows)
        with naming(self.estimator):
            return estimator.fit(inputs, y, **arguments)

    def _match_columns(self, classes):
        """Which of the expert's columns are used, and for which of the classes."""
        expert_classes = self.estimator_.classes_
        matched = positions(classes, expert_classes)
        self._columns = np.flatnonzero(matched >= 0)
        if not len(self._columns):
            raise ValueError(
                f"The expert {self.estimator!r} knows the classes {expert_classes.tolist()}, none "
                f"of which is in y: {classes.tolist()}."
            )
        self._members = matched[self._columns]

    def __call__(self, inputs):
        with naming(self.estimator, "asked"):
            return self._outputs(inputs)

    def _outputs(self, inputs):
        if not is_classifier(self.estimator):
            scores = [estimator.score_samples(inputs) for estimator in self.estimator_]
            return self._among_all(np.stack(scores, axis=1) + self._log_shares)
        if self.normalised:
            shares = self.estimator_.predict_proba(inputs)[:, self._columns]
            shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(float).tiny)
            p = np.full((len(shares), self._n_classes), self._smoothing / self._n_classes)
            p[:, self._members] += (1 - self._smoothing) * shares
            return np.log(p)
        return self._among_all(decision_columns(self.estimator_, inputs)[:, self._columns])

    def _among_all(self, outputs_of_members):
        """Outputs of all classes: those that the expert has not seen are the least compatible."""
        least = outputs_of_members.min(axis=1, keepdims=True) - 1
        outputs = np.repeat(least, self._n_classes, axis=1)
        outputs[:, self._members] = outputs_of_members
        return outputs
