"""Base densities q(y given x) with a known cdf, which energies of its normal score correct.

A base is fitted, ``fit(X, y, points, weights, splits, rng)``, and leaves in ``scores_`` the normal
scores Phi^-1(F(y)) (n, k) of the points over which each training answer is spread, under
distributions that have not seen the row, and in ``features_`` what energies read; the latter are
deleted when these are fitted.
Then ``distribution(X)`` gives distributions and features of new rows. Distributions are those of
`sk_ebm._density.base_distributions`.
"""

from inspect import signature

import numpy as np
from scipy import stats
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import GammaRegressor
from sklearn.preprocessing import StandardScaler

from sk_ebm._density.base_distributions import (
    PredictedDistribution,
    Student,
    TransformedDistribution,
)
from sk_ebm._density.leaf_density import LeafDensity, significantly_positive
from sk_ebm._density.regressors import (
    FEW,
    CrossFitted,
    boosted_trees,
    default_locations,
    fit_regressor,
    pool_locations,
)
from sk_ebm._density.transforms import PowerTransform
from sk_ebm._utils.fit_arguments import seeded

_CHOOSING = 4000  # rows on which the scale of more rows is chosen
_LEAST_GAIN = 0.01  # nats of a row that a power of y must promise to be tried


class PredictedBase:
    """The distributions that an estimator predicts, cross-fitted.

    Parameters
    ----------
    estimator : estimator
        With ``pred_dist(X)`` (as NGBoost has) or a ``predict(X, return_std=True)`` (as
        `GaussianProcessRegressor` has, a normal distribution); or its ``predict(X)`` returns an
        object with ``logpdf``, ``logcdf`` and ``logsf``, one row for each row of X.
    n_jobs : int, default=None
    """

    def __init__(self, estimator, n_jobs=None):
        self.estimator = estimator
        self.n_jobs = n_jobs

    def fit(self, X, y, points, weights, splits, rng):
        self._scaler = StandardScaler().fit(X, sample_weight=weights)
        self._near = np.array([y.min(), y.max()])
        everything = np.arange(len(y))
        frozen = isinstance(self.estimator, FrozenEstimator)
        parts = [(everything, everything)] if frozen else splits
        self.scores_ = np.empty(points.shape)
        features = [None] * len(y)
        for train, test in parts:
            self._fit_estimator(X, y, weights, train, rng)
            distribution, of_test = self.distribution(X[test])
            self.scores_[test] = distribution.normal_score(points[test])
            for row, values in zip(test, of_test, strict=True):
                features[row] = values
        self.features_ = np.stack(features)
        if not frozen:
            self._fit_estimator(X, y, weights, everything, rng)
        return self

    def _fit_estimator(self, X, y, weights, rows, rng):
        model = self.estimator
        if not isinstance(model, FrozenEstimator):
            model = fit_regressor(seeded(clone(model), rng), X, y, weights, rows)
        self.estimator_ = model

    def distribution(self, X):
        """Distributions of rows, and the features (n, ...) that energies read."""
        given = PredictedDistribution(_predicted_distributions(self.estimator_, X), self._near)
        low, middle, high = given.from_normal_score(np.array([-1.0, 0.0, 1.0])).T
        unit = self._near[1] - self._near[0]
        shape = [(middle - self._near.mean()) / unit, np.log((high - low) / unit)]
        return given, np.hstack([self._scaler.transform(X), np.stack(shape, axis=1)])


def _predicted_distributions(model, X):
    if hasattr(model, "pred_dist"):
        return model.pred_dist(X)
    estimator = model.estimator if isinstance(model, FrozenEstimator) else model
    if "return_std" in signature(estimator.predict).parameters:
        mean, std = model.predict(X, return_std=True)
        return stats.norm(mean, np.maximum(std, np.finfo(float).tiny ** 0.5))
    found = model.predict(X)
    missing = [name for name in ("logpdf", "logcdf", "logsf") if not hasattr(found, name)]
    if missing:
        raise ValueError(
            f"base must predict distributions, through pred_dist(X), predict(X, return_std=True) "
            f"or a predict(X) whose result has logpdf, logcdf and logsf; got {estimator!r}, whose "
            f"result lacks {missing}. A regressor can be given as location= instead."
        )
    return found


class LocationScale:
    """Student's distributions around a regression of y, as wide as its residuals are.

    The location is an average of regressors, each cross-fitted. Distributions are those of y, or of
    a power of y where unseen rows are surely likelier so, and regressors are fitted on both scales;
    above 4,000 rows only on the one that 4,000 of them choose.

    Below 2,000 rows predictions are those of the folds' models, averaged; above, of one more model
    fitted on all rows.

    Parameters
    ----------
    locations : list of regressors, or "auto"
        "auto" takes boosted trees, extremely randomised trees (Geurts et al., 2006), kernel ridge
        regression and, below 1,000 rows, linear ridge regression.
    exponent : float, "auto" or None
        Of the `PowerTransform`; None means y itself, as "auto" does where regressors are given.
    n_jobs : int, default=None
        Processes that fit the folds, as in joblib.

    Attributes
    ----------
    law_ : StudentResiduals
    local_ : LeafDensity or None
        What a forest's leaves add to it.
    """

    def __init__(self, locations="auto", exponent=None, n_jobs=None):
        self.locations = locations
        self.exponent = exponent
        self.n_jobs = n_jobs

    def fit(self, X, y, points, weights, splits, rng):
        powers = self._powers(y, weights)
        if len(powers) > 1 and len(y) > _CHOOSING:
            likelier = self._likelier_on_part(X, y, points, weights, splits, rng)
            powers = powers[-1:] if likelier else powers[:1]
        experts = self._fit_law(powers, X, y, points, weights, splits, rng)
        self.scores_, self.features_ = self.law_.scores_, self.law_.features_
        forests = [expert for expert in experts if expert.is_forest]
        laws = [(np.arange(len(y)), self.law_.held_out_)]
        self.local_ = LeafDensity.of(forests, laws, X, y, points, weights, splits)
        if self.local_ is not None:
            self.scores_ = self.local_.scores_
        for expert in experts:
            expert.forget_folds()
        del self.law_.held_out_, self.law_.features_
        return self

    def _fit_law(self, powers, X, y, points, weights, splits, rng):
        """Settles the law and what it is around; all experts that were tried."""
        self._scaler = StandardScaler().fit(X, sample_weight=weights)
        experts = []
        for power in powers:
            target = y if power is None else power(y)
            for regressor in self._regressors(X, target, weights, splits, power is powers[0]):
                expert = CrossFitted(regressor, power, self.n_jobs)
                experts.append(expert.fit(X, y, weights, splits, rng))
        seen = np.stack([expert.held_out_ for expert in experts], axis=1)
        table = self._scaler.transform(X)
        laws = [
            StudentResiduals(power, self.n_jobs).fit(table, seen, y, points, weights, splits, rng)
            for power in powers
        ]
        gained = laws[-1].log_likelihoods_ - laws[0].log_likelihoods_
        self.law_ = laws[-1] if significantly_positive(gained, weights) else laws[0]
        self.experts_ = [experts[i] for i in self.law_.kept_]
        return experts

    @property
    def power(self):
        """The `PowerTransform` whose distributions these are, or None."""
        return self.law_.power

    def _powers(self, y, weights):
        """The scales that come into question: `PowerTransform`, or None for y itself."""
        if self.exponent is None or (self.exponent == "auto" and self.locations != "auto"):
            return [None]
        power = PowerTransform(self.exponent).fit(y, weights)
        if self.exponent != "auto":
            return [power]
        return [None, power] if power.gain_ > _LEAST_GAIN else [None]

    def _likelier_on_part(self, X, y, points, weights, splits, rng):
        """Whether a part of the rows is likelier on the scale of a power."""
        rows = np.flatnonzero(weights)
        rows = np.sort(rng.permutation(rows)[:_CHOOSING])
        place = np.full(len(y), -1)
        place[rows] = np.arange(len(rows))
        parts = [tuple(place[part][place[part] >= 0] for part in split) for split in splits]
        parts = [(train, test) for train, test in parts if len(test)]
        if not all(len(train) for train, _ in parts):
            return False
        part = LocationScale(self.locations, self.exponent, self.n_jobs)
        powers = part._powers(y[rows], weights[rows])
        part._fit_law(powers, X[rows], y[rows], points[rows], weights[rows], parts, rng)
        return part.power is not None

    def _regressors(self, X, y, weights, splits, first):
        if self.locations != "auto":
            return self.locations
        n_train = min(np.count_nonzero(weights[train]) for train, _ in splits)
        return default_locations(X, y, weights, n_train, forest=first)

    def distribution(self, X):
        """Distributions of rows, and the features (n, ...) that energies read."""
        shares, known = None, {}
        if self.local_ is not None:
            shares, mean = self.local_.leaves_(X)
            known[self.local_.forest] = self.local_.forest.invert(mean)
        predictions = [
            known[expert] if expert in known else expert.predict(X) for expert in self.experts_
        ]
        table = self._scaler.transform(X)
        law, features = self.law_.distribution(table, np.stack(predictions, axis=1))
        return law if shares is None else self.local_.blended(law, shares), features


class StudentResiduals:
    """Student's distributions of a power of y around the average of several predictions of y.

    - The average has weights that minimise the robust error of rows not seen.
    - The logarithm of the scale is a regression of the size of residuals on x, the location and the
      disagreement of the predictions: linear, boosted trees (both by the likelihood of exponential
      sizes, in effect Laplace's), their mean, or a constant, whichever is most likely in rows
      not seen.
    - The degrees of freedom are those of greatest likelihood between 3 and 30, so tails are heavy.

    Parameters
    ----------
    power : PowerTransform or None
    n_jobs : int

    Attributes
    ----------
    kept_ : ndarray of int
        The predictions that have a weight, which `distribution` takes.
    weights_ : ndarray
        Of these.
    df_ : float
    held_out_ : distributions
        Of the rows, not seen; until a fit around it has ended.
    log_likelihoods_ : ndarray of shape (n,)
        Mean log density of the points of each row.
    """

    def __init__(self, power, n_jobs):
        self.power = power
        self.n_jobs = n_jobs

    def fit(self, table, predictions, y, points, weights, splits, rng):
        """From standardised columns (n, d) and predictions (n, M) of rows not seen."""
        predictions, y, raised = map(self._raise, (predictions, y, points))
        shares = pool_locations(predictions, y, weights)
        self.kept_ = np.flatnonzero(shares)
        self.weights_ = shares[self.kept_] / shares.sum()
        predictions = predictions[:, self.kept_]
        loc = predictions @ self.weights_
        self._centre, self._unit = np.average(loc, weights=weights), _spread(y, weights)
        sizes = np.abs(raised - loc[:, None]).mean(axis=1)
        sizes += 1e-3 * np.median(sizes) + 1e-9 * self._unit
        features = self._features(table, predictions)
        self.scale_ = ResidualScale(self.n_jobs).fit(features, sizes, weights, splits, rng)
        log_scale = self.scale_.held_out_
        residuals = (raised - loc[:, None]) * np.exp(-log_scale)[:, None]
        self._log_unit, self.df_ = _fit_student(residuals, weights)
        self.held_out_ = self._student(loc, log_scale)
        self.scores_ = self.held_out_.normal_score(points)
        self.features_ = self._append(features, log_scale)
        self.log_likelihoods_ = self.held_out_.logpdf(points).mean(axis=1)
        return self

    def _raise(self, values):
        return values if self.power is None else self.power(values)

    def _student(self, loc, log_scale):
        student = Student(loc, np.exp(log_scale + self._log_unit), self.df_)
        return student if self.power is None else TransformedDistribution(student, self.power)

    def _features(self, table, predictions):
        """Standardised columns: x, the location and its square, how far predictions disagree."""
        loc = (predictions @ self.weights_ - self._centre) / self._unit
        spread = np.log(predictions.std(axis=1) / self._unit + 1e-3)
        columns = [table, loc[:, None], loc[:, None] ** 2]
        if predictions.shape[1] > 1:
            columns.append(spread[:, None])
        return np.hstack(columns)

    @staticmethod
    def _append(features, log_scale):
        return np.hstack([features, log_scale[:, None]])

    def distribution(self, table, predictions):
        """Distributions of rows, and the features (n, ...) that energies read."""
        predictions = self._raise(predictions)
        features = self._features(table, predictions)
        log_scale = self.scale_.predict(features)
        student = self._student(predictions @ self.weights_, log_scale)
        return student, self._append(features, log_scale)


class ResidualScale:
    """log s(x), so that sizes of residuals are most likely: a constant, or what beats it."""

    def __init__(self, n_jobs=None):
        self.n_jobs = n_jobs

    def fit(self, features, sizes, weights, splits, rng):
        constant = np.log(np.average(sizes, weights=weights))
        unseen = {(): np.full(len(sizes), constant)}
        fitted = {}
        if len(sizes) >= FEW:
            for name, make in (("linear", _linear_scale), ("trees", _trees_scale)):
                with np.errstate(over="ignore", invalid="ignore"):  # steps that are taken back
                    model = CrossFitted(make(features, sizes, weights), n_jobs=self.n_jobs)
                    fitted[name] = model.fit(features, sizes, weights, splits, rng)
                model.forget_folds()
                unseen[(name,)] = np.log(np.maximum(model.held_out_, sizes.min()))
            unseen["linear", "trees"] = (unseen[("linear",)] + unseen[("trees",)]) / 2
        cost = {
            names: np.average(log_scale + sizes * np.exp(-log_scale), weights=weights)
            for names, log_scale in unseen.items()
        }
        best = min(cost, key=cost.get)
        self._constant, self._least = constant, sizes.min()
        self.models_ = {name: fitted[name] for name in best}
        self.held_out_ = unseen[best]
        return self

    def predict(self, features):
        if not self.models_:
            return np.full(len(features), self._constant)
        sizes = [model.predict(features) for model in self.models_.values()]
        return np.log(np.maximum(sizes, self._least)).mean(axis=0)


def _linear_scale(features, sizes, weights):
    """The linear model of log sizes whose penalty suits a fifth of the rows best."""
    rows = np.flatnonzero(weights)
    features, sizes, weights = features[rows], sizes[rows], weights[rows]
    part = np.arange(len(sizes)) % 5 == 0
    costs = []
    for alpha in 10.0 ** np.arange(-3, 1.5, 0.5):
        model = GammaRegressor(alpha=alpha, solver="newton-cholesky")
        model.fit(features[~part], sizes[~part], weights[~part])
        log_scale = np.log(model.predict(features[part]))
        values = log_scale + sizes[part] * np.exp(-log_scale)
        costs.append((np.average(values, weights=weights[part]), alpha))
    return GammaRegressor(alpha=min(costs)[1], solver="newton-cholesky")


def _trees_scale(features, sizes, weights):
    return boosted_trees(len(sizes), n_estimators=60, num_leaves=6, objective="gamma")


def _fit_student(residuals, weights):
    """log scale and degrees of freedom, 3 to 30, of greatest likelihood, of residuals (n, k)."""
    start = np.log(np.median(np.abs(residuals)) or np.abs(residuals).max() or 1.0)

    def nll(params):
        log_scale, log_df = params
        values = stats.t.logpdf(residuals * np.exp(-log_scale), np.exp(log_df)) - log_scale
        return -np.average(values.mean(axis=1), weights=weights)

    bounds = [(start - 5, start + 5), np.log([3, 30])]
    log_scale, log_df = minimize(nll, [start, np.log(6)], bounds=bounds).x
    return log_scale, float(np.exp(log_df))


def _spread(y, weights):
    mean = np.average(y, weights=weights)
    return np.sqrt(np.average((y - mean) ** 2, weights=weights))
