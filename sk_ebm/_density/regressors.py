"""Regressors of the location: which ones there are, cross-fitted, and what weights they have."""

from operator import itemgetter

import numpy as np
from scipy import linalg, special
from scipy.optimize import minimize
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process.kernels import RBF, Matern
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.parallel import Parallel, delayed

from sk_ebm._utils.fit_arguments import seeded, weight_arguments

FEW = 30  # rows below which only linear models are tried
MANY = 2000  # rows from which one model of all of them stands for the models of the folds
_LARGE = 8_000  # rows from which forests are kept small, boosted trees grow larger and on all cores
_PENALTIES = 10.0 ** np.arange(-4, 2)
_EXACT = 1500  # rows up to which kernel ridge regression is exact
_CHOSEN_ON = 300  # rows on which its kernel is chosen
_LENGTHS = 2.0 ** np.arange(-3, 5)  # of kernels, over the root of the number of columns
_KERNEL_PENALTIES = 10.0 ** np.arange(-6, 2.25, 0.5)


class CrossFitted:
    """A regressor whose predictions of the rows it was fitted on come from rows left out.

    Parameters
    ----------
    regressor : regressor
    power : PowerTransform, default=None
        The scale of y that it is fitted on; predictions are of y.
    n_jobs : int, default=None
    refit : bool, default=True
        Whether one more model, of all rows, predicts where these are many, and not the folds'.
    """

    def __init__(self, regressor, power=None, n_jobs=None, refit=True):
        self.regressor = regressor
        self.power = power
        self.n_jobs = n_jobs
        self.refit = refit

    def fit(self, X, y, weights, splits, rng):
        if isinstance(self.regressor, FrozenEstimator):
            self.models_, self.power = [self.regressor], None
            self.held_out_ = self.predict(X)
            return self
        target = y if self.power is None else self.power(y)
        jobs = Parallel(n_jobs=self.n_jobs)(
            delayed(fit_regressor)(seeded(clone(self.regressor), rng), X, target, weights, train)
            for train, _ in splits
        )
        self.models_ = self.of_folds_ = list(jobs)  # of the folds until `forget_folds`
        self.held_out_ = np.empty(len(y))
        for model, (_, test) in zip(self.models_, splits, strict=True):
            self.held_out_[test] = self._predict([model], X[test])
        if self.refit and len(y) >= MANY:
            everything = np.arange(len(y))
            model = seeded(clone(self.regressor), rng)
            self.models_ = [fit_regressor(model, X, target, weights, everything)]
        return self

    @property
    def is_forest(self):
        """Whether these are forests, with leaves of their own training rows.

        Another class, though derived of these, may predict something else.
        """
        return type(self.models_[0]) in (RandomForestRegressor, ExtraTreesRegressor)

    def forget_folds(self):
        """Keeps the models that predict alone."""
        vars(self).pop("of_folds_", None)

    def predict(self, X):
        return self._predict(self.models_, X)

    def _predict(self, models, X):
        found = [np.asarray(model.predict(X), dtype=np.float64).reshape(len(X)) for model in models]
        return self.invert(np.mean(found, axis=0))

    def invert(self, predictions):
        """From the scale that the models are fitted on to y."""
        return predictions if self.power is None else self.power.inverse(predictions)


def fit_regressor(model, X, y, weights, rows):
    rows = rows[weights[rows] > 0]
    return model.fit(X[rows], y[rows], **weight_arguments(model, weights[rows]))


def default_locations(X, y, weights, n_train, forest=True):
    """The regressors that "auto" stands for, perhaps without the forest, the slowest of them."""
    n = int(np.count_nonzero(weights))
    if n_train < 10:
        return [DummyRegressor()]
    linear = make_pipeline(StandardScaler(), RidgeCV(_PENALTIES * n))
    if n < FEW:
        return [linear]
    large = n >= _LARGE
    size = {"n_estimators": 250, "num_leaves": 63, "learning_rate": 0.06} if large else {}
    trees = boosted_trees(n, min_child_samples=5, **size)
    kernel = _kernel_ridge(X, y, weights, n_train)
    random_trees = ExtraTreesRegressor(
        60 if large else 100 if n >= 1000 else 50, min_samples_leaf=3 if large else 1
    )
    return [trees, kernel] + [random_trees] * forest + [linear] * (n < 1000)


def boosted_trees(
    n, n_estimators=400, num_leaves=15, learning_rate=0.05, min_child_samples=20, objective=None
):
    """LightGBM's trees where it is installed, else scikit-learn's."""
    try:
        from sk_ebm._density.boosting import BoostedRegressor
    except ImportError:
        loss = {"loss": "gamma"} if objective else {}
        return HistGradientBoostingRegressor(
            learning_rate=learning_rate,
            max_iter=n_estimators,
            max_leaf_nodes=num_leaves,
            min_samples_leaf=min_child_samples,
            max_features=0.8,
            early_stopping=False,
            **loss,
        )
    return BoostedRegressor(
        n_estimators=n_estimators,
        num_leaves=num_leaves,
        learning_rate=learning_rate,
        min_child_samples=min_child_samples,
        objective=objective,
        subsample=0.8,
        subsample_freq=1,
        colsample_bytree=0.8,
        n_jobs=None if n >= _LARGE else 1,
        verbose=-1,
    )


def _kernel_ridge(X, y, weights, n_train):
    """Kernel ridge regression, exact of up to 1,500 rows, of more on a Nystroem map.

    Kernel, length scale and penalty are those of the Gaussian process of greatest evidence.
    """
    rows = np.flatnonzero(weights)
    if len(rows) > _CHOSEN_ON:
        rows = np.random.RandomState(0).permutation(rows)[:_CHOSEN_ON]
    kernel, penalty = _likeliest_kernel(StandardScaler().fit_transform(X[rows]), y[rows])
    if np.count_nonzero(weights) <= _EXACT:
        return make_pipeline(StandardScaler(), CentredKernelRidge(penalty, kernel=kernel))
    size = int(min(n_train, max(300, 6 * np.sqrt(len(X)))))
    return make_pipeline(StandardScaler(), NystroemRidge(penalty, kernel, size))


class CentredKernelRidge(KernelRidge):
    """Kernel ridge regression of y less its mean, which no penalty then draws to zero.

    Weights count relative to their mean.
    """

    def fit(self, X, y, sample_weight=None):
        self._centre = np.average(y, weights=sample_weight)
        weights = None if sample_weight is None else sample_weight / np.mean(sample_weight)
        return super().fit(X, y - self._centre, sample_weight=weights)

    def predict(self, X):
        return self._centre + super().predict(X)


class NystroemRidge(RegressorMixin, BaseEstimator):
    """Ridge regression on a Nystroem map of a kernel.

    Predictions are sums of the kernel of landmarks, with one coefficient for each: no rows are
    mapped, which would take a product of matrices.
    """

    def __init__(self, alpha, kernel, n_components, random_state=None):
        self.alpha = alpha
        self.kernel = kernel
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        found = Nystroem(
            self.kernel, n_components=self.n_components, random_state=self.random_state
        )
        ridge = Ridge(self.alpha).fit(found.fit_transform(X), y, sample_weight)
        self.landmarks_, self.intercept_ = found.components_, ridge.intercept_
        self.coef_ = found.normalization_.T @ ridge.coef_
        return self

    def predict(self, X):
        return self.kernel(X, self.landmarks_) @ self.coef_ + self.intercept_


def _likeliest_kernel(table, y):
    """The kernel and penalty of greatest evidence, log p(y), of a Gaussian process on the rows.

    The amplitude is the one of greatest evidence for each (Rasmussen and Williams, 2006, 5.4).
    """
    scales = np.sqrt(table.shape[1]) * _LENGTHS
    if np.ptp(y) == 0:  # of these rows, though not of all
        return RBF(scales[-1]), _KERNEL_PENALTIES[-1]
    y, best = y - y.mean(), (np.inf, None, None)
    for scale in scales:
        for kernel in (RBF(scale), Matern(scale, nu=2.5)):
            values, vectors = linalg.eigh(kernel(table))
            spread = np.maximum(values, 0) + _KERNEL_PENALTIES[:, None]
            amplitude = np.mean((y @ vectors) ** 2 / spread, axis=1)
            cost = np.log(amplitude) + np.mean(np.log(spread), axis=1)
            least = np.argmin(cost)
            best = min(best, (cost[least], kernel, _KERNEL_PENALTIES[least]), key=itemgetter(0))
    return best[1:]


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
