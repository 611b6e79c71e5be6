"""Estimators of scikit-learn as energies."""

from copy import copy

import numpy as np
from sklearn.base import clone, is_classifier, is_outlier_detector

from sk_ebm._core.classes import positions
from sk_ebm._core.pooling import correct_shares
from sk_ebm._core.training import FitResult
from sk_ebm._utils.fit_arguments import many_classes_expected, naming, seeded, weight_arguments
from sk_ebm._utils.sklearn_private import take_rows
from sk_ebm.energies.experts._input_expert import InputExpert
from sk_ebm.energies.experts._shared import Expert, decision_columns
from sk_ebm.energies.inputs._base import _OF_ZERO_DENSITY

_CHECKED_ROWS = 100  # of the fit: where columns are constant, none has probabilities


class ExpertEnergy(Expert):
    """The energy of a scikit-learn-compatible estimator, which is fitted as it fits itself.

    - A classifier: E(x, y) = -log p(y given x), or the negative `decision_function` where there
      are no probabilities. Probabilities are mixed with one virtual sample of equal shares among
      the n it was fitted on, (n p + 1/K) / (n + 1), so that zeros and ones give finite energies;
      a class that it has not seen has p = 0, or the highest energy of the others plus log(n + 1).
    - A density (`score_samples`): one clone is fitted to each class, and E(x, y) is the sum of
      -log p(x given y) and -log p(y), p(y) the class's share of the weight. The free energy is
      -log p(x).

    The loss, ``alpha`` and the solver do not act on it. It reads inputs as the user gave them.
    Weights are passed on where ``fit`` takes ``sample_weight`` and its request is not turned off;
    rows of weight zero are left out. A `FrozenEstimator` is not fitted again: what is learned from
    rows that it was fitted on (beta, the weights of a sum) trusts it too much. Rows for which it
    gives no probabilities (NaN, or a sum of 0) have equal ones.

    Parameters
    ----------
    estimator : classifier or density
        Parameters called ``random_state`` that are None are drawn from the estimator's own.

    Attributes
    ----------
    estimator_ : fitted estimator, or list of them, one per class
    weight_ : float
        What its energies are multiplied with, and
    constant_ : ndarray of shape (n_classes,), or 0.0
        what is then subtracted from them: 1 and 0, unless held-out rows show that the expert's
        shares of the classes are not those of the data, as with ``class_weight="balanced"``.
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
        self.weight_, self.constant_ = 1.0, 0.0
        rows = np.flatnonzero(weights)
        self._smoothing = 1 / (len(rows) + 1)
        if is_classifier(self.estimator):
            y = answers.classes[answers.target[rows]]
            self.estimator_ = self._fit_one(inputs, rows, y, weights, rng)
            self._match_columns(answers.classes)
            self._check_probabilities(take_rows(inputs, rows[:_CHECKED_ROWS]))
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
        with naming(self.estimator), many_classes_expected():
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

    def _check_probabilities(self, inputs):
        """Raise a ValueError unless the expert gives some probabilities for rows of its fit."""
        if not self.normalised:
            return
        with naming(self.estimator, "asked"):
            p = np.asarray(self.estimator_.predict_proba(inputs))
        expected = (p.shape[0], len(self.estimator_.classes_))
        if p.shape != expected or not np.isfinite(p).all(axis=1).any():
            raise ValueError(
                f"predict_proba of the expert {self.estimator!r} must give finite probabilities "
                f"of shape {expected}, got {p[:2].tolist()} for rows that it was fitted on. "
                "Constant or huge columns do this to some: leave them out, or scale X."
            )

    def with_shares_of(self, objective, outputs):
        """Itself and held-out outputs of samples, with the shares of their answers."""
        corrected = copy(self)
        corrected.weight_, corrected.constant_ = correct_shares(objective, outputs)
        return corrected, corrected.weight_ * outputs + corrected.constant_

    def __call__(self, inputs):
        with naming(self.estimator, "asked"):
            return self.weight_ * self._outputs(inputs) + self.constant_

    def _outputs(self, inputs):
        if not is_classifier(self.estimator):
            scores = [estimator.score_samples(inputs) for estimator in self.estimator_]
            scores = np.nan_to_num(np.stack(scores, axis=1), nan=-np.inf)
            return self._among_all(np.maximum(scores + self._log_shares, -_OF_ZERO_DENSITY))
        if self.normalised:
            return self._outputs_of(self.estimator_.predict_proba(inputs))
        return self._among_all(decision_columns(self.estimator_, inputs)[:, self._columns])

    def _outputs_of(self, probabilities):
        """Outputs (m, K) of the expert's probabilities."""
        shares = self._shares(probabilities)
        p = np.full((len(shares), self._n_classes), self._smoothing / self._n_classes)
        p[:, self._members] += (1 - self._smoothing) * shares
        return np.log(p)

    def _shares(self, probabilities):
        """Probabilities (m, k) of the classes that it shares, equal where it gives none."""
        p = np.asarray(probabilities, dtype=float)[:, self._columns]
        p = np.clip(np.nan_to_num(p, nan=0.0), 0, 1)
        total = p.sum(axis=1, keepdims=True)
        return np.divide(p, total, out=np.full_like(p, 1 / p.shape[1]), where=total > 0)

    def _among_all(self, outputs_of_members):
        """Outputs of all classes: those that the expert has not seen are the least compatible."""
        least = outputs_of_members.min(axis=1, keepdims=True) + np.log(self._smoothing)
        outputs = np.repeat(least, self._n_classes, axis=1)
        outputs[:, self._members] = outputs_of_members
        return outputs
