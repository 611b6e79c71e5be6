"""EnergyClassifier: decide between classes by their energies."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.callback import with_callbacks
from sklearn.utils import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from sk_ebm.answers import Labels
from sk_ebm.base import EnergyEstimator, keep_fitted, row_blocks
from sk_ebm.gibbs import Gibbs


def _is_linear(self):
    return hasattr(self.energy_, "coef_") if hasattr(self, "energy_") else self.energy == "linear"


class EnergyClassifier(ClassifierMixin, EnergyEstimator):
    """x"""

    def __init__(
        self,
        energy="linear",
        loss="nll",
        *,
        beta="auto",
        alpha="auto",
        l1_ratio=0.0,
        class_weight=None,
        cv=None,
        solver="auto",
        max_iter=1000,
        tol=1e-7,
        random_state=None,
    ):
        self.energy = energy
        self.loss = loss
        self.beta = beta
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.class_weight = class_weight
        self.cv = cv
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Fit the energy, then learn beta on energies out of sample."""
        with keep_fitted(self):
            energy, loss = self._components()
            X, y = validate_data(self, X, y, accept_sparse=energy.sparse and "csr", dtype=[np.float64, np.float32])
            check_classification_targets(y)
            self.classes_, target = np.unique(y, return_inverse=True)
            answers = Labels(target, len(self.classes_))
            weights = self._weights(X, y, sample_weight)
            return self._fit_energy(energy, loss, X, answers, weights, self._split(X, y))

    def _weights(self, X, y, sample_weight):
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if self.class_weight is not None:
            weights = weights * compute_sample_weight(self.class_weight, y)
        return weights

    def _validated(self, X):
        check_is_fitted(self)
        return validate_data(self, X, accept_sparse=self.energy_.sparse and "csr", dtype=[np.float64, np.float32], reset=False)

    def energies(self, X):
        X = self._validated(X)
        return np.concatenate([self._energies(X[rows]) for rows in row_blocks(X, len(self.classes_))])

    def _energies(self, inputs):
        return Labels.arrange(self.energy_(inputs))[0]

    def predict(self, X):
        X = self._validated(X)
        best = [np.argmin(self._energies(X[rows]), axis=1) for rows in row_blocks(X, len(self.classes_))]
        return self.classes_[np.concatenate(best)]

    def predict_proba(self, X):
        X = self._validated(X)
        return np.concatenate([Gibbs(self._energies(X[rows]), beta=self.beta_).probabilities for rows in row_blocks(X, len(self.classes_))])

