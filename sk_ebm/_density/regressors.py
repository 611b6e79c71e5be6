"""The regressors that ``location="auto"`` stands for, and which of them are worth cross-fitting."""

from importlib.util import find_spec

import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV

from sk_ebm._density.cross_fitted_regressor import (
    AveragedRegressor,
    CrossFittedRegressor,
    cross_fit_regressor,
)
from sk_ebm._density.kernel_ridge import default_kernel_ridge
from sk_ebm._density.pooling import pool_locations
from sk_ebm._utils.fit_arguments import fit_rows, seeded
from sk_ebm._utils.threads import lightgbm_threads

# density_ablation.py, before regressors competed on the first fold: CRPS rises by 3.3 +- 1.2 %
# without boosted trees, 4.9 +- 2.8 % without kernel ridge, 1.8 +- 1.4 % without random trees, 1.0
# +- .9 % without linear ridge, and by 20 +- 12 % with boosted trees alone (18 sets). Sizes of
# trees: 33 columns of 11 tables, 2.8 % of the error.
MIN_ROWS_NONLINEAR = 30  # below which only linear models are tried
_MIN_ROWS_LINEAR = 10  # of a fold's training part, below which y is predicted by its mean
_MAX_ROWS_LINEAR = 1000  # above which linear regression gets no weight
_LEAVES = 15, 63  # of boosted trees, the more the more rows
_ROWS_PER_LEAF = 250
# From so many columns on boosted trees are fewer, with longer steps. Of 120 or 400 rows with 500
# columns that takes a quarter of the time and .02 of R^2; columns drawn for each tree take .5.
_MIN_COLUMNS_WIDE = 100
_PENALTIES = 10.0 ** np.arange(-4, 2)  # of linear ridge regression, for each row
_N_RANDOM_TREES = 80  # of all folds: with a fifth of the trees the error of a fold rises by 2 %
_ROWS_PER_RANDOM_LEAF = 2500  # one row a leaf, and one more for so many
_SHARES_OF_TREES = 0.5, 1.0  # of boosted trees, compared on the first fold
_AS_WELL = 1.005  # of the least error: fewer trees that do as well are taken
_MIN_ROWS_RACE = 100  # tested, from which on regressors without weight there are not cross-fitted


class LinearRidge(RidgeCV):
    """Predicts without checks, which take most of the time of few rows."""

    def predict(self, X):
        return X @ self.coef_ + self.intercept_


def fit_default_locations(scales, X, y, weights, folds, rng, n_jobs=None):
    """Boosted trees, kernel ridge, extremely randomised trees and linear ridge regression, as far
    as there are rows for them, as a list of `CrossFittedRegressor`.

    Each is fitted on that of the scales (of `PowerTransform`) that predicts the first fold best;
    those that get no weight there are left out.
    """
    n = int(np.count_nonzero(weights))
    n_train = min(np.count_nonzero(weights[train]) for train, _ in folds)
    race = _Race(scales, X, y, weights, folds, rng, n_jobs)
    if n_train < _MIN_ROWS_LINEAR:
        return race.finished([race.entry(DummyRegressor())])
    linear = LinearRidge(_PENALTIES * n)
    if n < MIN_ROWS_NONLINEAR:
        return race.finished([race.entry(linear)])
    n_trees = max(_N_RANDOM_TREES // len(folds), 4)
    random_trees = ExtraTreesRegressor(n_trees, min_samples_leaf=1 + n // _ROWS_PER_RANDOM_LEAF)
    entries = [
        race.entry(default_trees(n, X.shape[1]), refit=True),
        race.kernel_entry(),
        race.entry(random_trees, refit=False),
    ]
    if n < _MAX_ROWS_LINEAR:
        entries.append(race.entry(linear))
    return race.finished(entries)


class _Race:
    """Regressors that are compared on the first fold before they are fitted on the others."""

    def __init__(self, scales, X, y, weights, folds, rng, n_jobs):
        self.scales, self.X, self.y, self.weights = scales, X, y, weights
        self.folds, self.rng, self.n_jobs = folds, rng, n_jobs
        self.train, self.test = folds.pairs[0]

    def _error(self, predictions):
        """Their weighted absolute error on the first fold, of which only ratios count."""
        return np.abs(self.y[self.test] - predictions) @ self.weights[self.test]

    def _best_scale(self, predictions):
        """The index of the scale with the least error on the first fold."""
        return int(np.argmin([self._error(p) for p in predictions]))

    def _predicted(self, model, scale):
        return AveragedRegressor([model], scale).predict(self.X[self.test])

    def entry(self, regressor, refit=None):
        """Predictions of the first fold, and a function that fits the others."""
        models = [self._first_fit(regressor, scale) for scale in self.scales]
        predictions = map(self._predicted, models, self.scales)
        best = self._best_scale(predictions)
        model, scale = models[best], self.scales[best]
        if hasattr(model, "booster_"):
            regressor = clone(regressor).set_params(n_estimators=self._shorten(model, scale))

        def finish(share):
            return cross_fit_regressor(
                regressor,
                self.X,
                self.y,
                self.weights,
                self.folds,
                self.rng,
                power=scale,
                n_jobs=self.n_jobs,
                refit=refit,
                first_model=model,
            )

        return self._predicted(model, scale), finish

    def _first_fit(self, regressor, scale):
        unfitted = seeded(clone(regressor), self.rng)
        return fit_rows(unfitted, self.X, scale(self.y), self.weights, self.train)

    def _shorten(self, model, scale):
        """Leave out the last of LightGBM's trees where a part of them does as well on the first
        fold; returns how many are left."""
        trees, errors = model.booster_, {}
        for n_trees in (int(share * model.n_estimators) for share in _SHARES_OF_TREES):
            trees.best_iteration = n_trees  # up to which it predicts
            errors[n_trees] = self._error(self._predicted(model, scale))
        most = _AS_WELL * min(errors.values())
        trees.best_iteration = next(n for n, error in errors.items() if error <= most)
        return trees.best_iteration

    def kernel_entry(self):
        """The same, of kernel ridge regression, whose folds cost hardly anything."""
        X, y, weights = self.X, self.y, self.weights
        ridge = default_kernel_ridge(X, self.scales[-1](y), weights, self.rng)
        targets = np.stack([scale(y) for scale in self.scales], axis=1)

        def fitted(ridge, targets, scales):
            models, held_out = ridge.cross_fit(X, targets, weights, self.folds, self.rng)
            return [
                CrossFittedRegressor(AveragedRegressor([model], scale), [model], scale.inverse(z))
                for model, scale, z in zip(models, scales, held_out.T, strict=True)
            ]

        candidates = fitted(ridge, targets, self.scales)
        best = self._best_scale([c.held_out[self.test] for c in candidates])

        def finish(share):
            larger = ridge.larger(X, targets[:, best], weights, self.folds, self.rng, share)
            if larger is None:
                return candidates[best]
            return fitted(larger, targets[:, [best]], [self.scales[best]])[0]

        return candidates[best].held_out[self.test], finish

    def finished(self, entries):
        """Those that get a weight on the first fold, cross-fitted."""
        predictions = np.stack([predicted for predicted, _ in entries], axis=1)
        y, weights = self.y[self.test], self.weights[self.test]
        shares = np.ones(len(entries))
        if np.count_nonzero(weights) >= _MIN_ROWS_RACE:
            shares = pool_locations(predictions, y, weights)
        return [finish(share) for (_, finish), share in zip(entries, shares, strict=True) if share]


def default_trees(n, n_columns):
    """Boosted trees of the location: more leaves the more rows there are."""
    least, most = _LEAVES
    if n_columns >= _MIN_COLUMNS_WIDE and n < least * _ROWS_PER_LEAF:
        return boosted_trees(n, 100, least, 0.1, min_child_samples=5)
    leaves = int(np.clip(n / _ROWS_PER_LEAF, least, most))
    larger = (leaves - least) / (most - least)
    steps, rate = int(400 - 150 * larger), 0.05 + 0.01 * larger
    return boosted_trees(n, steps, leaves, rate, min_child_samples=5)


def boosted_trees(
    n,
    n_estimators=400,
    num_leaves=15,
    learning_rate=0.05,
    min_child_samples=20,
    objective=None,
    column_share=0.8,
):
    """LightGBM's trees where it is installed, else scikit-learn's."""
    if find_spec("lightgbm") is None:
        loss = {"loss": "gamma"} if objective else {}
        return HistGradientBoostingRegressor(
            learning_rate=learning_rate,
            max_iter=n_estimators,
            max_leaf_nodes=num_leaves,
            min_samples_leaf=min_child_samples,
            max_features=column_share,
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
        colsample_bytree=column_share,
        n_jobs=lightgbm_threads(None, n),
        verbose=-1,
    )
