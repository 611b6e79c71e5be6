"""How large residuals are, given x: a constant or a regression of their sizes."""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import GammaRegressor

from sk_ebm._density.cross_fitted_regressor import cross_fit_regressor
from sk_ebm._density.regressors import MIN_ROWS_NONLINEAR, boosted_trees

_PENALTIES = 10.0 ** np.arange(-3, 1.5, 0.5)  # of the linear model, from none to a constant


@dataclass(frozen=True)
class ResidualScale:
    """log s(x): the mean of regressors' log sizes, or a constant where there are none."""

    regressors: list
    constant: float
    least: float

    def predict(self, features):
        if not self.regressors:
            return np.full(len(features), self.constant)
        return np.mean([self._log_sizes(r.predict(features)) for r in self.regressors], axis=0)

    def _log_sizes(self, sizes):
        return np.log(np.maximum(sizes, self.least))


def fit_residual_scale(features, sizes, weights, folds, rng, n_jobs=None):
    """A constant, linear, boosted trees or the mean of the latter two: the likeliest held-out.

    All by the likelihood of exponential sizes, which for residuals is Laplace's.

    Returns
    -------
    scale : ResidualScale
    held_out : ndarray of shape (n,)
        Log scales of the rows, fitted without them.
    """
    least, constant = sizes.min(), np.log(np.average(sizes, weights=weights))
    candidates = [([], np.full(len(sizes), constant))]
    if len(sizes) >= MIN_ROWS_NONLINEAR:
        with np.errstate(over="ignore", invalid="ignore"):  # steps that are taken back
            models = _linear_scale(features, sizes, weights), _trees_scale(len(sizes))
            linear, trees = (
                cross_fit_regressor(model, features, sizes, weights, folds, rng, n_jobs=n_jobs)
                for model in models
            )
        by_linear, by_trees = (np.log(np.maximum(m.held_out, least)) for m in (linear, trees))
        candidates += [
            ([linear.regressor], by_linear),
            ([trees.regressor], by_trees),
            ([linear.regressor, trees.regressor], (by_linear + by_trees) / 2),
        ]
    regressors, held_out = min(candidates, key=lambda c: _cost(sizes, c[1], weights))
    return ResidualScale(regressors, constant, least), held_out


def _cost(sizes, log_scale, weights):
    """Mean negative log-likelihood of exponential sizes."""
    return np.average(log_scale + sizes * np.exp(-log_scale), weights=weights)


def _linear_scale(features, sizes, weights):
    """The linear model of log sizes whose penalty is the likeliest in every fifth row."""
    rows = np.flatnonzero(weights)
    features, sizes, weights = features[rows], sizes[rows], weights[rows]
    tested = np.arange(len(sizes)) % 5 == 0
    costs = []
    for alpha in _PENALTIES:
        model = GammaRegressor(alpha=alpha, solver="newton-cholesky")
        model.fit(features[~tested], sizes[~tested], weights[~tested])
        log_scale = np.log(model.predict(features[tested]))
        costs.append(_cost(sizes[tested], log_scale, weights[tested]))
    return GammaRegressor(alpha=_PENALTIES[np.argmin(costs)], solver="newton-cholesky")


def _trees_scale(n_rows):
    return boosted_trees(n_rows, n_estimators=60, num_leaves=6, objective="gamma")
