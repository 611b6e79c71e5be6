"""How large residuals are, given x."""

import warnings
from dataclasses import dataclass
from functools import partial
from operator import itemgetter

import numpy as np
from scipy.linalg import LinAlgWarning
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import GammaRegressor
from sklearn.preprocessing import StandardScaler

from sk_ebm._density.cross_fitted_regressor import cross_fit_regressor
from sk_ebm._density.regressors import MIN_ROWS_NONLINEAR, boosted_trees
from sk_ebm._utils.fit_arguments import fit_rows

_MAX_COLUMNS_OF_A_TREE = 80  # of wide tables, where trees of all columns take most of the time


@dataclass(frozen=True)
class ResidualScale:
    """log s(x): the mean of regressions of the sizes of residuals, within the range of these."""

    regressors: list
    bounds: tuple

    def predict(self, features):
        with np.errstate(over="ignore"):  # far out the linear model's exponential may be infinite
            sizes = [regressor.predict(features) for regressor in self.regressors]
        return _mean_log(sizes, self.bounds)


def fit_residual_scale(features, sizes, weights, folds, rng, n_jobs=None):
    """A `ResidualScale`, and held-out log scales (n,); of few rows it is constant.

    Boosted trees, alone or averaged with a linear model, maximise gamma's likelihood of the sizes
    (n,), which for residuals is Laplace's; held-out rows choose. Over 16 sets the average gains
    .006 +- .004 nats over trees, and trees .037 +- .017 over a constant (density_ablation.py).
    """
    models, bounds = [DummyRegressor()], (sizes.min(), sizes.max())
    if len(sizes) >= MIN_ROWS_NONLINEAR:
        share = min(0.8, _MAX_COLUMNS_OF_A_TREE / features.shape[1])
        trees = boosted_trees(
            len(sizes), n_estimators=60, num_leaves=6, objective="gamma", column_share=share
        )
        models = [_linear_scale(features, sizes, weights, bounds), trees]
    crossed = [
        cross_fit_regressor(model, features, sizes, weights, folds, rng, n_jobs=n_jobs, refit=True)
        for model in models
    ]
    candidates = []
    for chosen in (crossed, crossed[-1:]):
        held_out = _mean_log([fit.held_out for fit in chosen], bounds)
        scale = ResidualScale([fit.regressor for fit in chosen], bounds)
        candidates.append((_cost(held_out, sizes, weights), scale, held_out))
    return min(candidates, key=itemgetter(0))[1:]


def _mean_log(sizes, bounds):
    return np.log(np.clip(sizes, *bounds)).mean(axis=0)


def _cost(log_scale, sizes, weights):
    return np.average(log_scale + sizes * np.exp(-log_scale), weights=weights)


def _linear_scale(features, sizes, weights, bounds):
    """The linear model of log sizes whose penalty is best on every fifth row."""
    log_linear = partial(LogLinear, solver="newton-cholesky")
    rows = np.flatnonzero(weights)
    test, train, costs = rows[::5], np.delete(rows, np.s_[::5]), []
    for alpha in 10.0 ** np.arange(-3, 1.5):
        model = fit_rows(log_linear(alpha=alpha), features, sizes, weights, train)
        log_scale = ResidualScale([model], bounds).predict(features[test])
        costs.append((_cost(log_scale, sizes[test], weights[test]), alpha))
    return log_linear(alpha=min(costs)[1])


class LogLinear(GammaRegressor):
    """A generalised linear model of sizes; it predicts without checks, which take most of the time
    of few rows.

    Columns are standardised once more: where weights differ by far, they are not alike yet. Where
    Newton's method fails, as it does at an optimum, scikit-learn goes on with L-BFGS; its warnings
    say no more.
    """

    def fit(self, X, y, sample_weight=None):
        scaler = StandardScaler().fit(X)
        with warnings.catch_warnings():
            for category in (LinAlgWarning, ConvergenceWarning):
                warnings.simplefilter("ignore", category)
            super().fit(scaler.transform(X), y, sample_weight)
        self.coef_ = self.coef_ / scaler.scale_
        self.intercept_ -= scaler.mean_ @ self.coef_
        return self

    def predict(self, X):
        return np.exp(X @ self.coef_ + self.intercept_)
