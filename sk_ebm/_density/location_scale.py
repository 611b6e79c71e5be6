"""Student's distributions around a regression of y: the base density of p(y given x)."""

import numpy as np
from sklearn.dummy import DummyRegressor

from sk_ebm._core.folds import Folds
from sk_ebm._density.base_fit import BaseFit
from sk_ebm._density.cross_fitted_regressor import cross_fit_regressor
from sk_ebm._density.leaf_density import fit_leaf_density
from sk_ebm._density.regressors import fit_default_locations
from sk_ebm._density.standardised import InputScaler
from sk_ebm._density.student_residuals import fit_student_residuals
from sk_ebm._density.transforms import PowerTransform
from sk_ebm._utils.weighted import significantly_positive

# Nats a row that a power of y must add to a normal distribution of y to be tried. Powers gain .003
# +- .005 nats over 18 sets, yacht's .14 among them, for a third of the fit (density_ablation.py).
_MIN_GAIN = 0.01


class LocationScale:
    """Student's distributions around a weighted mean of regressors, as wide as their residuals.

    Distributions are those of y, or of a power of y whenever this improves the held-out
    log-likelihood by more than two standard errors.

    Parameters
    ----------
    locations : list of regressors, "auto" or None
        "auto" stands for `fit_default_locations`, None for a constant.
    exponent : float, "auto" or None
        Of the `PowerTransform`; None means y itself, as "auto" does where regressors are given.
    n_jobs : int, default=None
        Processes that fit the folds, as in joblib.

    Attributes
    ----------
    scaler_ : InputScaler or None
        Of what regressors of our own are given.
    regressors_ : list of AveragedRegressor
    residuals_ : StudentResiduals
    leaf_density_ : LeafDensity or None
    """

    def __init__(self, locations="auto", exponent=None, n_jobs=None):
        self.locations = locations
        self.exponent = exponent
        self.n_jobs = n_jobs

    def fit(self, X, y, points, weights, splits, rng):
        folds = Folds(tuple(splits))
        self.scaler_ = InputScaler(X, weights) if self._has_own_regressors else None
        X = self._inputs(X)
        powers = self._candidate_powers(y, weights)
        regressors = self._fit_regressors(powers, X, y, weights, folds, rng)
        student = self._fit_student(powers, regressors, X, y, points, weights, folds, rng)
        self.residuals_ = student.residuals
        forest = next((r for r in regressors if r.is_forest), None)
        held_out = [(np.arange(len(y)), student.distribution)]
        self.leaf_density_, scores = fit_leaf_density(
            forest, held_out, X, y, points, weights, folds
        )
        flat = None if self.leaf_density_ is None else self.leaf_density_.forest
        chosen = [regressors[i] for i in student.selected]
        self.regressors_ = [r.flat_regressor(flat) if r is forest else r.regressor for r in chosen]
        return BaseFit(self, scores, student.features)

    def _inputs(self, X):
        """What regressors are given: X itself where they are a user's."""
        return X if self.scaler_ is None else self.scaler_(X)

    def _candidate_powers(self, y, weights):
        """The scales to try: a `PowerTransform`, or None for y itself."""
        if self.exponent is None or (self.exponent == "auto" and self.locations != "auto"):
            return [None]
        power = PowerTransform(self.exponent).fit(y, weights)
        if self.exponent != "auto":
            return [power]
        return [None, power] if power.gain_ > _MIN_GAIN else [None]

    def _fit_regressors(self, powers, X, y, weights, folds, rng):
        """A list of `CrossFittedRegressor`."""
        if self.locations == "auto":
            # The unit of y in which regressors of our own compute: some have 32 bits.
            unit = PowerTransform(1.0).fit(y, weights)
            scales = [power or unit for power in powers]
            return fit_default_locations(scales, X, y, weights, folds, rng, self.n_jobs)
        unfitted = self.locations or [DummyRegressor(strategy="median")]
        own, (power,) = self._has_own_regressors, powers
        how = {"power": power, "n_jobs": self.n_jobs, "own": own}
        return [cross_fit_regressor(r, X, y, weights, folds, rng, **how) for r in unfitted]

    def _fit_student(self, powers, regressors, X, y, points, weights, folds, rng):
        """The `StudentFit` of the power of y that is significantly better, or of y."""
        predictions = np.stack([crossed.held_out for crossed in regressors], axis=1)
        data = X, predictions, y, points, weights, folds, rng
        fits = [fit_student_residuals(*data, power=power, n_jobs=self.n_jobs) for power in powers]
        return fits[_best_scale(fits, weights)]

    @property
    def _has_own_regressors(self):
        return not isinstance(self.locations, list)

    @property
    def power(self):
        """The `PowerTransform` whose distributions these are, or None."""
        return self.residuals_.power

    def distribution(self, X):
        X, leaves = self._inputs(X), self.leaf_density_
        shares, by_forest = (None, None) if leaves is None else leaves.shares(X)
        predictions = [
            regressor.to_y(by_forest)
            if leaves is not None and regressor.models[0] is leaves.forest
            else regressor.predict(X)
            for regressor in self.regressors_
        ]
        distribution, features = self.residuals_.distribution(X, np.stack(predictions, axis=1))
        if leaves is not None:
            distribution = leaves.blend(distribution, shares)
        return distribution, features


def _best_scale(fits, weights):
    """1 if the last scale has a significantly higher held-out likelihood than the first, else 0."""
    gains = fits[-1].log_likelihoods - fits[0].log_likelihoods
    return int(significantly_positive(gains, weights))  # without: .03 nats less on yacht
