"""The part `density` of speed.py: fits of EnergyDensityEstimator beside those of its peers."""

import numpy as np
from lightgbm import LGBMRegressor
from scipy import stats
from sklearn.datasets import make_friedman1
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import cross_val_predict
from timing import Comparison, compare_times

from sk_ebm import EnergyDensityEstimator

SIZES = 500, 2000, 8000  # rows


class GaussianAroundTrees:
    """LightGBM and one standard deviation from the residuals of five folds: six fits."""

    def fit(self, X, y):
        trees = LGBMRegressor(
            n_estimators=500,
            learning_rate=0.05,
            subsample=0.8,
            subsample_freq=1,
            colsample_bytree=0.8,
            n_jobs=1,
            verbose=-1,
        )
        self.scale_ = np.std(y - cross_val_predict(trees, X, y))
        self.trees_ = trees.fit(X, y)
        return self

    def score(self, X, y):
        """The mean log-density."""
        return stats.norm.logpdf(y, self.trees_.predict(X), self.scale_).mean()


class ValidatedMixture:
    """A Gaussian mixture of as many components as give a validation part the greatest density."""

    def fit(self, X):
        cut = len(X) * 4 // 5
        scores = {
            k: GaussianMixture(k, reg_covar=1e-4, random_state=0).fit(X[:cut]).score(X[cut:])
            for k in (1, 2, 4, 8, 16)
        }
        best = max(scores, key=scores.get)
        self.mixture_ = GaussianMixture(best, reg_covar=1e-4, random_state=0).fit(X)
        return self

    def score(self, X):
        return self.mixture_.score(X)


def conditional(n):
    X, y = make_friedman1(n + 1000, 8, noise=1.0, random_state=0)
    train, test = (X[:n], y[:n]), (X[n:], y[n:])
    return Comparison(
        f"conditional, {n} rows",
        lambda: EnergyDensityEstimator(random_state=0).fit(*train),
        lambda: GaussianAroundTrees().fit(*train),
        3,
        lambda model: {"NLL": -model.score(*test)},
    )


def joint(n, n_columns=6):
    X = np.random.default_rng(0).standard_normal((n + 1000, n_columns))
    X[:, 1::2] += X[:, ::2] ** 2
    train, test = X[:n], X[n:]
    return Comparison(
        f"joint, {n} x {n_columns}",
        lambda: EnergyDensityEstimator(conditional=False, random_state=0).fit(train),
        lambda: ValidatedMixture().fit(train),
        5,
        lambda model: {"NLL": -model.score(test)},
    )


def density(data=None):
    """Conditional and joint densities."""
    compare_times("densities", [*map(conditional, SIZES), joint(1000)])
