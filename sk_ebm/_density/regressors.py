"""The regressors that ``location="auto"`` stands for."""

from importlib.util import find_spec

import numpy as np
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm._density.kernel_ridge import kernel_ridge
from sk_ebm._utils.threads import lightgbm_threads

# density_ablation.py: CRPS rises by 3.3 +- 1.2 % without boosted trees, 4.9 +- 2.8 % without kernel
# ridge, 1.8 +- 1.4 % without random trees, 1.0 +- .9 % without linear ridge, and by 20 +- 12 %
# with boosted trees alone (18 sets). Sizes of trees: 33 columns of 11 tables, 2.8 % of the error.
MIN_ROWS_NONLINEAR = 30  # below which only linear models are tried
_MIN_ROWS_LINEAR = 10  # of a fold's training part, below which y is predicted by its mean
_MAX_ROWS_LINEAR = 1000  # above which linear regression gets no weight
_MIN_ROWS_LARGE = 8000  # from which forests stay small, and boosted trees grow larger
# From so many columns on boosted trees are fewer, with longer steps. Of 120 or 400 rows with 500
# columns that takes a quarter of the time and .02 of R^2; columns drawn for each tree take .5.
_MIN_COLUMNS_WIDE = 100
_PENALTIES = 10.0 ** np.arange(-4, 2)  # of linear ridge regression, for each row


def default_locations(X, y, weights, n_train, rng, forest=True):
    """Boosted trees, kernel ridge, extremely randomised trees (the slowest, if wanted) and linear
    ridge regression, as far as there are rows for them."""
    n = int(np.count_nonzero(weights))
    if n_train < _MIN_ROWS_LINEAR:
        return [DummyRegressor()]
    linear = make_pipeline(StandardScaler(), RidgeCV(_PENALTIES * n))
    if n < MIN_ROWS_NONLINEAR:
        return [linear]
    large = n >= _MIN_ROWS_LARGE
    size = {}
    if large:
        size = {"n_estimators": 250, "num_leaves": 63, "learning_rate": 0.06}
    elif X.shape[1] >= _MIN_COLUMNS_WIDE:
        size = {"n_estimators": 100, "learning_rate": 0.1}
    trees = boosted_trees(n, min_child_samples=5, **size)
    kernel = kernel_ridge(X, y, weights, n_train, rng)
    random_trees = ExtraTreesRegressor(
        60 if large else 100 if n >= 1000 else 50, min_samples_leaf=3 if large else 1
    )
    return [trees, kernel] + [random_trees] * forest + [linear] * (n < _MAX_ROWS_LINEAR)


def boosted_trees(
    n, n_estimators=400, num_leaves=15, learning_rate=0.05, min_child_samples=20, objective=None
):
    """LightGBM's trees where it is installed, else scikit-learn's."""
    if find_spec("lightgbm") is None:
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
    from lightgbm import LGBMRegressor

    return LGBMRegressor(
        n_estimators=n_estimators,
        num_leaves=num_leaves,
        learning_rate=learning_rate,
        min_child_samples=min_child_samples,
        objective=objective,
        subsample=0.8,
        subsample_freq=1,
        colsample_bytree=0.8,
        n_jobs=lightgbm_threads(None, n),
        verbose=-1,
    )
