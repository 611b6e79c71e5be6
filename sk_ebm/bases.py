"""Base densities q(y given x) with a known cdf, which energies of its normal score correct.

A base is fitted, ``fit(X, y, recording, weights, splits, rng)``, and leaves in ``scores_`` the
normal scores Phi^-1(F(y)) (n, k) of the points over which the `Recording` spreads each training
answer, under distributions that have not seen the row, and in ``features_`` what energies read.
Then ``distribution(X)`` gives distributions and features of new rows. Distributions are those of
`sk_ebm.distributions`.
"""

from inspect import signature

import numpy as np
from scipy import special, stats
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import GammaRegressor, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.parallel import Parallel, delayed

from sk_ebm._foreign import seeded, weight_arguments
from sk_ebm.distributions import Given, Student

_MANY = 2000  # rows from which one model of all of them stands for the models of the folds
_LARGE = 10_000  # rows from which trees are kept small, and run on all cores
_FEW = 30  # rows below which only linear models are tried
_PENALTIES = 10.0 ** np.arange(-4, 2)


class Foreign:
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

    def fit(self, X, y, recording, weights, splits, rng):
        self._scaler = StandardScaler().fit(X, sample_weight=weights)
        points = recording.spread(y)
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
            model = _fit_regressor(seeded(clone(model), rng), X, y, weights, rows)
        self.estimator_ = model

    def distribution(self, X):
        """Distributions of rows, and the features (n, ...) that energies read."""
        given = Given(_predicted_distributions(self.estimator_, X), self._near)
        low, middle, high = given.at(np.array([-1.0, 0.0, 1.0])).T
        unit = self._near[1] - self._near[0]
        shape = [middle / unit, np.log((high - low) / unit)]
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

    - The location is the average of one or more regressors, each cross-fitted, with weights that
      minimise the robust error of the rows that they have not seen.
    - The logarithm of the scale is a regression of the size of these residuals on x, the location
      and the disagreement of the regressors: linear, boosted trees (both by the likelihood of
      exponential sizes, in effect Laplace's), their mean, or a constant, whichever is most likely
      in rows not seen.
    - The degrees of freedom are those of greatest likelihood between 3 and 30, so tails are heavy.

    Below 2,000 rows predictions are those of the folds' models, averaged; above, of one more model
    fitted on all rows.

    Parameters
    ----------
    locations : list of regressors, or "auto"
        "auto" takes boosted trees, extremely randomised trees (Geurts et al., 2006), ridge
        regression on Gaussian kernels and, below 1,000 rows, on the columns themselves.
    n_jobs : int, default=None
        Processes that fit the folds, as in joblib.

    Attributes
    ----------
    weights_ : ndarray of shape (n_regressors,)
    df_ : float
    """

    def __init__(self, locations="auto", n_jobs=None):
        self.locations = locations
        self.n_jobs = n_jobs

    def fit(self, X, y, recording, weights, splits, rng):
        self._scaler = StandardScaler().fit(X, sample_weight=weights)
        regressors = self.locations
        if regressors == "auto":
            n_train = min(np.count_nonzero(weights[train]) for train, _ in splits)
            regressors = default_locations(X, y, weights, n_train)
        self.experts_ = [
            CrossFitted(regressor, self.n_jobs).fit(X, y, weights, splits, rng)
            for regressor in regressors
        ]
        seen = np.stack([expert.held_out_ for expert in self.experts_], axis=1)
        self.weights_ = pool_locations(seen, y, weights)
        kept = np.flatnonzero(self.weights_)
        self.experts_ = [self.experts_[i] for i in kept]
        self.weights_ = self.weights_[kept] / self.weights_[kept].sum()
        seen = seen[:, kept]
        loc = seen @ self.weights_
        self._centre, self._unit = np.average(loc, weights=weights), _spread(y, weights)
        points = recording.spread(y)
        sizes = np.abs(points - loc[:, None]).mean(axis=1)
        sizes += 1e-3 * np.median(sizes) + 1e-9 * self._unit
        features = self._features(X, seen)
        self.scale_ = Scale(self.n_jobs).fit(features, sizes, weights, splits, rng)
        log_scale = self.scale_.held_out_
        residuals = (points - loc[:, None]) * np.exp(-log_scale)[:, None]
        self._log_unit, self.df_ = _fit_student(residuals, weights)
        self.scores_ = self._student(loc, log_scale).normal_score(points)
        self.features_ = self._append(features, log_scale)
        return self

    def _student(self, loc, log_scale):
        return Student(loc, np.exp(log_scale + self._log_unit), self.df_)

    def _features(self, X, predictions):
        """Standardised columns: x, the location and its square, how far regressors disagree."""
        loc = (predictions @ self.weights_ - self._centre) / self._unit
        spread = np.log(predictions.std(axis=1) / self._unit + 1e-3)
        columns = [self._scaler.transform(X), loc[:, None], loc[:, None] ** 2]
        if predictions.shape[1] > 1:
            columns.append(spread[:, None])
        return np.hstack(columns)

    @staticmethod
    def _append(features, log_scale):
        return np.hstack([features, log_scale[:, None]])

    def distribution(self, X):
        """Distributions of rows, and the features (n, ...) that energies read."""
        predictions = np.stack([expert.predict(X) for expert in self.experts_], axis=1)
        features = self._features(X, predictions)
        log_scale = self.scale_.predict(features)
        student = self._student(predictions @ self.weights_, log_scale)
        return student, self._append(features, log_scale)


class CrossFitted:
    """A regressor whose predictions of the rows it was fitted on come from rows left out."""

    def __init__(self, regressor, n_jobs=None):
        self.regressor = regressor
        self.n_jobs = n_jobs

    def fit(self, X, y, weights, splits, rng):
        if isinstance(self.regressor, FrozenEstimator):
            self.models_ = [self.regressor]
            self.held_out_ = self.predict(X)
            return self
        jobs = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit_regressor)(seeded(clone(self.regressor), rng), X, y, weights, train)
            for train, _ in splits
        )
        self.models_ = list(jobs)
        self.held_out_ = np.empty(len(y))
        for model, (_, test) in zip(self.models_, splits, strict=True):
            self.held_out_[test] = _predict(model, X[test])
        if len(y) >= _MANY:
            everything = np.arange(len(y))
            model = seeded(clone(self.regressor), rng)
            self.models_ = [_fit_regressor(model, X, y, weights, everything)]
        return self

    def predict(self, X):
        return np.mean([_predict(model, X) for model in self.models_], axis=0)


def _fit_regressor(model, X, y, weights, rows):
    rows = rows[weights[rows] > 0]
    return model.fit(X[rows], y[rows], **weight_arguments(model, weights[rows]))


def _predict(model, X):
    return np.asarray(model.predict(X), dtype=np.float64).reshape(len(X))


class Scale:
    """log s(x), so that sizes of residuals are most likely: a constant, or what beats it."""

    def __init__(self, n_jobs=None):
        self.n_jobs = n_jobs

    def fit(self, features, sizes, weights, splits, rng):
        constant = np.log(np.average(sizes, weights=weights))
        unseen = {(): np.full(len(sizes), constant)}
        fitted = {}
        if len(sizes) >= _FEW:
            for name, make in (("linear", _linear_scale), ("trees", _trees_scale)):
                model = CrossFitted(make(features, sizes, weights), self.n_jobs)
                fitted[name] = model.fit(features, sizes, weights, splits, rng)
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
    return _boosted_trees(
        len(sizes), objective="gamma", n_estimators=60, num_leaves=6, min_child_samples=20
    )


def default_locations(X, y, weights, n_train):
    """The regressors that "auto" stands for."""
    n = int(np.count_nonzero(weights))
    if n_train < 10:
        return [DummyRegressor()]
    linear = make_pipeline(StandardScaler(), RidgeCV(_PENALTIES * n))
    if n < _FEW:
        return [linear]
    large = n >= _LARGE
    trees = _boosted_trees(n, n_estimators=400, num_leaves=31 if large else 15, min_child_samples=5)
    forest = ExtraTreesRegressor(100, min_samples_leaf=3 if large else 1)
    kernel = _kernel_ridge(X, y, weights, n_train)
    return [trees, forest, kernel] + [linear] * (n < 1000)


def _boosted_trees(n, objective=None, **params):
    """LightGBM's trees where it is installed, else scikit-learn's."""
    try:
        from lightgbm import LGBMRegressor
    except ImportError:
        loss = {"loss": "gamma"} if objective else {}
        return HistGradientBoostingRegressor(
            learning_rate=0.05,
            max_iter=params["n_estimators"],
            max_leaf_nodes=params["num_leaves"],
            min_samples_leaf=params["min_child_samples"],
            max_features=0.8,
            early_stopping=False,
            **loss,
        )
    return LGBMRegressor(
        objective=objective,
        learning_rate=0.05,
        subsample=0.8,
        subsample_freq=1,
        colsample_bytree=0.8,
        n_jobs=None if n >= _LARGE else 1,
        verbose=-1,
        **params,
    )


def _kernel_ridge(X, y, weights, n_train):
    """Ridge regression on Gaussian kernels, with the bandwidth of least leave-one-out error."""
    rows = np.flatnonzero(weights)
    rows = rows[:: max(len(rows) // _MANY, 1)]
    size = int(min(n_train, len(rows), max(300, 6 * np.sqrt(len(X)))))
    errors = []
    for gamma in 4.0 ** np.arange(-2, 2) / X.shape[1]:
        kernel = Nystroem(gamma=gamma, n_components=size, random_state=0)
        model = make_pipeline(StandardScaler(), kernel, RidgeCV(_PENALTIES))
        model.fit(X[rows], y[rows])
        errors.append((-model[-1].best_score_, model))
    return min(errors, key=lambda pair: pair[0])[1].set_params(nystroem__random_state=None)


def pool_locations(predictions, y, weights):
    """Weights of predictions (n, M), >= 0, that sum to one and minimise a robust error.

    The error is that of Student's distribution with 3 degrees of freedom; weights are drawn
    towards equal ones as one sample for each regressor would; those below 0.02 are dropped.
    """
    n_models = predictions.shape[1]
    if n_models == 1:
        return np.ones(1)
    unit = np.median(np.abs(y - predictions.mean(axis=1))) or 1.0

    def value_and_slopes(params):
        shares = special.softmax(params)
        residuals = (y - predictions @ shares) / unit
        value = np.average(2 * np.log1p(residuals**2 / 3), weights=weights)
        pulled = -4 * residuals / (3 + residuals**2) / unit
        by_shares = (weights / weights.sum()) @ (pulled[:, None] * predictions)
        away = n_models * (shares - 1 / n_models) / weights.sum()
        value += 0.5 * float(away @ (shares - 1 / n_models))
        by_shares = by_shares + away
        return value, shares * (by_shares - shares @ by_shares)

    shares = special.softmax(minimize(value_and_slopes, np.zeros(n_models), jac=True).x)
    return np.where(shares < 0.02, 0, shares)


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
