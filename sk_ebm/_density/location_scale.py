"""Student's distributions around a regression of y: the base density of p(y given x)."""

import numpy as np
from sklearn.dummy import DummyRegressor

from sk_ebm._core.folds import Folds
from sk_ebm._density.base_fit import BaseFit
from sk_ebm._density.cross_fitted_regressor import cross_fit_regressor
from sk_ebm._density.leaf_density import fit_leaf_density
from sk_ebm._density.regressors import default_locations
from sk_ebm._density.standardised import InputScaler
from sk_ebm._density.student_residuals import fit_student_residuals
from sk_ebm._density.transforms import PowerTransform
from sk_ebm._utils.weighted import significantly_positive

_MAX_ROWS_BOTH_SCALES = 4000  # on which the scale is chosen where there are more rows: half the fit
# Nats a row that a power of y must add to a normal distribution of y to be tried. Powers gain .003
# +- .005 nats over 18 sets, yacht's .14 among them, for a third of the fit (density_ablation.py).
_MIN_GAIN = 0.01


class LocationScale:
    """Student's distributions around a weighted mean of regressors, as wide as their residuals.

    Distributions are those of y, or of a power of y whenever this improves the held-out
    log-likelihood by more than two standard errors. Regressors are fitted on both scales; above
    4,000 rows only on the one that 4,000 of them choose.

    Parameters
    ----------
    locations : list of regressors, "auto" or None
        "auto" stands for `default_locations`, None for a constant.
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
        if len(powers) > 1 and len(y) > _MAX_ROWS_BOTH_SCALES:
            powers = [powers[self._best_scale_of_subset(X, y, points, weights, folds, rng)]]
        regressors, fits = self._fit_scales(powers, X, y, points, weights, folds, rng)
        student = fits[_best_scale(fits, weights)]
        self.residuals_ = student.residuals
        self.regressors_ = [regressors[i].regressor for i in student.selected]
        forest = next((r for r in regressors if r.is_forest), None)
        held_out = [(np.arange(len(y)), student.distribution)]
        self.leaf_density_, scores = fit_leaf_density(
            forest, held_out, X, y, points, weights, folds
        )
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

    def _fit_scales(self, powers, X, y, points, weights, folds, rng):
        """Regressors on all of the scales, and a `StudentFit` of all of them for each scale."""
        regressors = []
        for power in powers:
            scale = power or self._own_scale(y, weights)
            target = y if scale is None else scale(y)
            for regressor in self._unfitted(X, target, weights, folds, rng, power is powers[0]):
                data = regressor, X, y, weights, folds, rng
                crossed = cross_fit_regressor(
                    *data, power=scale, n_jobs=self.n_jobs, own=self._has_own_regressors
                )
                regressors.append(crossed)
        predictions = np.stack([crossed.held_out for crossed in regressors], axis=1)
        data = X, predictions, y, points, weights, folds, rng
        return regressors, [
            fit_student_residuals(*data, power=power, n_jobs=self.n_jobs) for power in powers
        ]

    @property
    def _has_own_regressors(self):
        return not isinstance(self.locations, list)

    def _own_scale(self, y, weights):
        """The unit of y in which regressors of our own compute: some have 32 bits."""
        return PowerTransform(1.0).fit(y, weights) if self._has_own_regressors else None

    def _unfitted(self, X, y, weights, folds, rng, forest):
        if self.locations is None:
            return [DummyRegressor(strategy="median")]
        if self.locations != "auto":
            return self.locations
        n_train = min(np.count_nonzero(weights[train]) for train, _ in folds)
        return default_locations(X, y, weights, n_train, rng, forest=forest)

    def _best_scale_of_subset(self, X, y, points, weights, folds, rng):
        """The index of the best scale in a random subset of the rows; 0 where that is too small."""
        rows = np.flatnonzero(weights)
        rows = np.sort(rng.permutation(rows)[:_MAX_ROWS_BOTH_SCALES])
        folds = _folds_within(folds, rows)
        if not all(len(train) for train, _ in folds):
            return 0
        powers = self._candidate_powers(y[rows], weights[rows])
        data = X[rows], y[rows], points[rows], weights[rows]
        return _best_scale(self._fit_scales(powers, *data, folds, rng)[1], weights[rows])

    @property
    def power(self):
        """The `PowerTransform` whose distributions these are, or None."""
        return self.residuals_.power

    def distribution(self, X):
        X, leaves = self._inputs(X), self.leaf_density_
        shares, by_forest = (None, None) if leaves is None else leaves.shares(X)
        predictions = [
            by_forest if leaves is not None and regressor is leaves.forest else regressor.predict(X)
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


def _folds_within(folds, rows):
    """The folds of a sorted subset of the rows, but those that test none of it."""
    pairs = [[np.searchsorted(rows, part[np.isin(part, rows)]) for part in fold] for fold in folds]
    return Folds(tuple(pair for pair in pairs if len(pair[1])))
