"""Densities and outlier detectors as energies of inputs."""

from sklearn.base import clone

from sk_ebm._utils.fit_arguments import seeded, weight_arguments
from sk_ebm.energies.experts._shared import Expert, naming
from sk_ebm.energies.inputs._base import InputEnergy, finite_energies


class InputExpert(Expert, InputEnergy):
    """The energy of a scikit-learn-compatible density or outlier detector.

    E(x) = -score_samples(x), or -decision_function(x) where an outlier detector has no
    `score_samples`; 10^100 where a density is zero. It reads inputs as the user gave them; a
    `FrozenEstimator` is not fitted again.

    Parameters
    ----------
    estimator : density or outlier detector
    """

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
        arguments = weight_arguments(self.estimator_, weights)
        with naming(self.estimator):
            self.estimator_.fit(X, None, **arguments)

    def energies(self, X):
        has_scores = hasattr(self.estimator_, "score_samples")
        scores = self.estimator_.score_samples if has_scores else self.estimator_.decision_function
        with naming(self.estimator, "asked"):
            return finite_energies(-scores(X))
