"""An isolation forest as an energy of inputs."""

from numbers import Integral

import numpy as np
from sklearn.ensemble import IsolationForest

from sk_ebm._utils.sklearn_private import count_rows
from sk_ebm._utils.validation import check_number
from sk_ebm.energies.inputs._base import InputEnergy
from sk_ebm.energies.inputs._standardised import _RobustScaler, _some_rows

_MAX_DRAWN = 20_000  # rows that trees of 256 draw from: drawing takes time for each row


class ForestEnergy(InputEnergy):
    """An isolation forest (Liu, Ting and Zhou, 2008): E(x) = 2^(-mean depth / c), in (0, 1).

    Parameters
    ----------
    n_estimators : int, default=200
    max_samples : int, default=256
        Rows of each tree.
    """

    def __init__(self, n_estimators=200, max_samples=256):
        self.n_estimators = n_estimators
        self.max_samples = max_samples

    def check(self):
        check_number("n_estimators", self.n_estimators, 1, closed=True, kind=Integral)
        check_number("max_samples", self.max_samples, 2, closed=True, kind=Integral)

    def fit_rows(self, X, weights, rng):
        X, weights = _some_rows(X, weights, _MAX_DRAWN, rng)
        self._scaler = _RobustScaler().fit(X, weights)  # trees read float32
        equal = np.ptp(weights) == 0
        forest = IsolationForest(
            n_estimators=self.n_estimators,
            max_samples=min(self.max_samples, count_rows(X)),
            bootstrap=not equal,  # else as many draws as rows would ignore the weights
            random_state=rng.randint(np.iinfo(np.int32).max),
        )
        self.forest_ = forest.fit(
            self._scaler.transform(X), sample_weight=None if equal else weights
        )

    def energies(self, X):
        return -self.forest_.score_samples(self._scaler.transform(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
