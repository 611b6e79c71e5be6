"""Distributions that an estimator predicts, as a base density."""

from inspect import signature

import numpy as np
from scipy import special, stats
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from sk_ebm._core.cross_fit import cross_fit
from sk_ebm._core.folds import Folds
from sk_ebm._density.base_fit import BaseFit
from sk_ebm._density.normal_scores import RESOLUTION, invert_normal_score, score_from_log_tails
from sk_ebm._density.standardised import InputScaler
from sk_ebm._utils.fit_arguments import fit_rows, naming, seeded

_LEAST_WIDTH = 1e-100  # of a distribution in the range of y: the logarithm of 0 is infinite
_MAX_DOUBLINGS = 60  # of a bracket: 2^60 times the range of y


class PredictedBase:
    """The distributions that an estimator predicts, cross-fitted.

    Parameters
    ----------
    estimator : estimator
        With ``pred_dist(X)`` (as NGBoost has) or a ``predict(X, return_std=True)`` (as
        `GaussianProcessRegressor` has, a normal distribution); or its ``predict(X)`` returns an
        object with ``logpdf``, ``logcdf`` and ``logsf``, one row for each row of X.
    n_jobs : int, default=None
        Processes that fit the folds, as in joblib.
    """

    def __init__(self, estimator, n_jobs=None):
        self.estimator = estimator
        self.n_jobs = n_jobs

    def fit(self, X, y, points, weights, splits, rng):
        folds = Folds(tuple(splits))
        self._scaler = InputScaler(X, weights)
        self._range = np.array([y.min(), y.max()])
        if isinstance(self.estimator, FrozenEstimator):
            self.estimator_ = self.estimator
            distribution, features = self.distribution(X)
            return BaseFit(self, distribution.normal_score(points), features)
        unfitted = [seeded(clone(self.estimator), rng) for _ in range(len(folds) + 1)]

        def evaluate(model, test):
            distribution, features = self._distribution(model, X[test])
            return distribution.normal_score(points[test]), features

        crossed = cross_fit(
            lambda k, train: fit_rows(unfitted[k], X, y, weights, train),
            evaluate,
            folds,
            n_jobs=self.n_jobs,
        )
        self.estimator_ = fit_rows(unfitted[-1], X, y, weights, np.arange(len(y)))
        return BaseFit(self, *map(folds.in_order, zip(*crossed.held_out, strict=True)))

    def distribution(self, X):
        return self._distribution(self.estimator_, X)

    def _distribution(self, model, X):
        with naming(model, "asked"):
            distribution = PredictedDistribution(_predicted_distributions(model, X), self._range)
        low, middle, high = distribution.from_normal_score(np.array([-1.0, 0.0, 1.0])).T
        unit = self._range[1] - self._range[0]
        width = (high - low) / unit
        shape = [(middle - self._range.mean()) / unit, np.log(np.maximum(width, _LEAST_WIDTH))]
        return distribution, np.hstack([self._scaler(X), np.stack(shape, axis=1)])


def _predicted_distributions(model, X):
    if hasattr(model, "pred_dist"):
        return model.pred_dist(X)
    estimator = model.estimator if isinstance(model, FrozenEstimator) else model
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if "return_std" in signature(last.predict).parameters:
        mean, std = model.predict(X, return_std=True)
        least = np.maximum(RESOLUTION * np.abs(mean), np.finfo(float).tiny ** 0.5)
        return stats.norm(mean, np.maximum(std, least))
    predicted = model.predict(X)
    missing = [name for name in ("logpdf", "logcdf", "logsf") if not hasattr(predicted, name)]
    if missing:
        raise ValueError(
            f"base must predict distributions, through pred_dist(X), predict(X, return_std=True) "
            f"or a predict(X) whose result has logpdf, logcdf and logsf; got {estimator!r}, whose "
            f"result lacks {missing}. A regressor can be given as location= instead."
        )
    return predicted


class PredictedDistribution:
    """Distributions with ``logpdf``, ``logcdf`` and ``logsf``, and maybe ``ppf`` and ``isf``.

    Parameters
    ----------
    distributions : object
        Its methods take and return arrays (n,).
    bracket : ndarray of shape (2,)
        Two values of y, between which inversion begins.
    """

    def __init__(self, distributions, bracket):
        self.distributions = distributions
        self.bracket = bracket

    def _by_column(self, name, values):
        method = getattr(self.distributions, name)
        return np.stack([np.asarray(method(v), dtype=float) for v in values.T], axis=1)

    def logpdf(self, y):
        return self._by_column("logpdf", y)

    def support(self):
        """The ends (n, 2) of the support, which scipy's distributions know."""
        n_rows = len(np.asarray(self.distributions.logpdf(self.bracket[0])))
        known = isinstance(self.distributions, stats.distributions.rv_frozen)
        low, high = self.distributions.support() if known else (-np.inf, np.inf)
        return np.stack([np.broadcast_to(end, n_rows) for end in (low, high)], axis=1)

    def normal_score(self, y):
        return score_from_log_tails(self._by_column("logcdf", y), self._by_column("logsf", y))

    def from_normal_score(self, z):
        z = np.atleast_2d(z)
        if hasattr(self.distributions, "ppf") and hasattr(self.distributions, "isf"):
            lower = self._by_column("ppf", special.ndtr(np.minimum(z, 0)))
            upper = self._by_column("isf", special.ndtr(-np.maximum(z, 0)))
            return np.where(z <= 0, lower, upper)
        n_rows = len(np.asarray(self.distributions.logpdf(self.bracket[0])))
        z = np.broadcast_to(z, (n_rows, z.shape[1]))
        low, high = self._widened_bracket(z)

        def evaluate(y, rows):
            all_rows = low.copy()  # the distributions take all rows at once
            all_rows[rows] = y
            return self.normal_score(all_rows)[rows], self.logpdf(all_rows)[rows]

        return invert_normal_score(evaluate, z, low, high)

    def _widened_bracket(self, z):
        """Values of y (n, k) below and above those of scores z."""
        low, high = (np.full(z.shape, float(v)) for v in self.bracket)
        for _ in range(_MAX_DOUBLINGS):
            too_high, too_low = self.normal_score(low) > z, self.normal_score(high) < z
            if not (too_high | too_low).any():
                break
            width = high - low
            low, high = np.where(too_high, low - width, low), np.where(too_low, high + width, high)
        return low, high
