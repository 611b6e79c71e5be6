"""How large residuals are, given x."""

from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import GammaRegressor

from sk_ebm._density.cross_fitted_regressor import cross_fit_regressor
from sk_ebm._density.regressors import MIN_ROWS_NONLINEAR, boosted_trees


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
    models = [DummyRegressor()]
    if len(sizes) >= MIN_ROWS_NONLINEAR:
        trees = boosted_trees(len(sizes), n_estimators=60, num_leaves=6, objective="gamma")
        models = [_linear_scale(features, sizes, weights), trees]
    with np.errstate(over="ignore", invalid="ignore"):  # of steps that the linear fit takes back
        crossed = [
            cross_fit_regressor(model, features, sizes, weights, folds, rng, n_jobs=n_jobs)
            for model in models
        ]
    bounds = sizes.min(), sizes.max()
    candidates = []
    for chosen in (crossed, crossed[-1:]):
        held_out = _mean_log([fit.held_out for fit in chosen], bounds)
        cost = np.average(held_out + sizes * np.exp(-held_out), weights=weights)
        candidates.append(
            (cost, ResidualScale([fit.regressor for fit in chosen], bounds), held_out)
        )
    return min(candidates, key=itemgetter(0))[1:]


def _mean_log(sizes, bounds):
    return np.log(np.clip(sizes, *bounds)).mean(axis=0)


def _linear_scale(features, sizes, weights):
    """The linear model of log sizes whose penalty is best on every fifth row."""
    rows = np.flatnonzero(weights)
    features, sizes, weights = features[rows], sizes[rows], weights[rows]
    test, costs = np.arange(len(sizes)) % 5 == 0, []
    with np.errstate(over="ignore", invalid="ignore"):
        for alpha in 10.0 ** np.arange(-3, 1.5, 0.5):
            model = GammaRegressor(alpha=alpha, solver="newton-cholesky")
            model.fit(features[~test], sizes[~test], weights[~test])
            log_scale = np.log(model.predict(features[test]))
            cost = np.average(log_scale + sizes[test] / np.exp(log_scale), weights=weights[test])
            costs.append((cost, alpha))
    return GammaRegressor(alpha=min(costs)[1], solver="newton-cholesky")
