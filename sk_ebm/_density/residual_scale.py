"""How large residuals are, given x."""

from dataclasses import dataclass

import numpy as np
from sklearn.dummy import DummyRegressor

from sk_ebm._density.cross_fitted_regressor import AveragedRegressor, cross_fit_regressor
from sk_ebm._density.regressors import MIN_ROWS_NONLINEAR, boosted_trees


@dataclass(frozen=True)
class ResidualScale:
    """log s(x), by a regression of the sizes of residuals, at least that of the smallest."""

    regressor: AveragedRegressor
    least: float

    def predict(self, features):
        return np.log(np.maximum(self.regressor.predict(features), self.least))


def fit_residual_scale(features, sizes, weights, folds, rng, n_jobs=None):
    """A `ResidualScale`, and held-out log scales (n,); of few rows it is constant.

    Boosted trees maximise gamma's likelihood of the sizes (n,), which for residuals is Laplace's.
    """
    model = DummyRegressor()
    if len(sizes) >= MIN_ROWS_NONLINEAR:
        model = boosted_trees(len(sizes), n_estimators=60, num_leaves=6, objective="gamma")
    crossed = cross_fit_regressor(model, features, sizes, weights, folds, rng, n_jobs=n_jobs)
    held_out = np.log(np.maximum(crossed.held_out, sizes.min()))
    return ResidualScale(crossed.regressor, sizes.min()), held_out
