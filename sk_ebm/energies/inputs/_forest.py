"""An isolation forest as an energy of inputs."""

from numbers import Integral

from sklearn.ensemble import IsolationForest

from sk_ebm._utils.fit_arguments import seeded, weight_arguments
from sk_ebm._utils.sklearn_private import count_rows
from sk_ebm._utils.validation import check_number
from sk_ebm.energies._base import Energy
from sk_ebm.energies.experts._input_expert import InputExpert
from sk_ebm.energies.inputs._standardised import _some_rows

_MAX_DRAWN = 20_000  # rows that trees of 256 draw from: drawing takes time for each row


class ForestEnergy(InputExpert):
    """An isolation forest (Liu, Ting and Zhou, 2008): E(x) = 2^(-mean depth / c), in (0, 1).

    Parameters
    ----------
    n_estimators : int, default=200
    max_samples : int, default=256
        Rows of each tree.
    """

    raw = False

    def __init__(self, n_estimators=200, max_samples=256):
        self.n_estimators = n_estimators
        self.max_samples = max_samples

    @property
    def estimator(self):
        return IsolationForest(n_estimators=self.n_estimators, max_samples=self.max_samples)

    def check(self):
        check_number("n_estimators", self.n_estimators, 1, closed=True, kind=Integral)
        check_number("max_samples", self.max_samples, 2, closed=True, kind=Integral)

    def fit_rows(self, X, weights, rng):
        X, weights = _some_rows(X, weights, _MAX_DRAWN, rng)  # drawing takes time for each row
        size = min(self.max_samples, count_rows(X))
        forest = seeded(self.estimator.set_params(max_samples=size), rng)
        self.estimator_ = forest.fit(X, **weight_arguments(forest, weights))

    def __sklearn_tags__(self):
        tags = Energy.__sklearn_tags__(self)
        tags.input_tags.allow_nan = True
        return tags
