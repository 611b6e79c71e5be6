"""Densities and outlier detectors as energies of inputs."""

import numpy as np
from sklearn.base import clone
from sklearn.utils import get_tags

from sk_ebm._utils.fit_arguments import seeded, weight_arguments
from sk_ebm.energies.inputs._base import InputEnergy, finite_energies


class InputExpert(InputEnergy):
    """The energy of a scikit-learn-compatible density or outlier detector.

    E(x) = -score_samples(x), or -decision_function(x) where an outlier detector has no
    `score_samples`; 10^100 where a density is zero. It reads inputs as the user gave them; a
    `FrozenEstimator` is not fitted again.

    Parameters
    ----------
    estimator : density or outlier detector
    """

    raw = True

    def __init__(self, estimator):
        self.estimator = estimator

    def check(self):
        if not hasattr(self.estimator, "score_samples") and not hasattr(
            self.estimator, "decision_function"
        ):
            hint = ""
            if "novelty" in self.estimator.get_params():
                hint = ", as it has with novelty=True"
            raise ValueError(
                "A detector's expert must have score_samples or decision_function"
                f"{hint}, got {self.estimator!r}."
            )

    def check_weights(self, weights):
        weight_arguments(self.estimator, weights)

    def fit_rows(self, X, weights, rng):
        self.estimator_ = seeded(clone(self.estimator), rng)
        self.estimator_.fit(X, None, **weight_arguments(self.estimator_, weights))

    def energies(self, X):
        has_scores = hasattr(self.estimator_, "score_samples")
        scores = self.estimator_.score_samples if has_scores else self.estimator_.decision_function
        with np.errstate(all="ignore"):  # squares of far rows overflow
            return finite_energies(-scores(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags
