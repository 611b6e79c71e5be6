"""The conditionals of a Gaussian mixture: the base density of a column of a joint density."""

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

from sk_ebm._core.folds import Folds
from sk_ebm._density.base_fit import BaseFit
from sk_ebm._density.cross_fitted_regressor import MIN_ROWS_ONE_MODEL, cross_fit_regressor
from sk_ebm._density.gaussian_mixture import refit_to_subset
from sk_ebm._density.leaf_density import fit_leaf_density
from sk_ebm._density.mixture_distribution import MixtureDistribution, conditional_components
from sk_ebm._density.regressors import MIN_ROWS_NONLINEAR

_LOG_MIN_SHARE = np.log(1e-15)  # of a component in a row: less is lost in double precision
# density_ablation.py --part joint: leaves gain .8 +- .5 nats a row, on 8 tables.
_N_TREES = 80  # of all folds
_MIN_ROWS_LEAF, _MIN_ROWS_LEAF_LARGE = 3, 5  # below 2,000 rows, and from there


class MixtureColumn:
    """The distribution of a column of a table given those before it, under a Gaussian mixture.

    A broad Gaussian with the weight of one pseudo-observation is added, so that narrow components
    do not drive the density elsewhere to zero. Leaf histograms are blended in as in
    `LocationScale`.

    Parameters
    ----------
    mixture : fitted GaussianMixture
    fold_mixtures : list of fitted GaussianMixture
        One for the training part of each fold, with the same components.
    n_jobs : int, default=None
        Processes that fit the folds' trees, as in joblib.

    Attributes
    ----------
    mixture_ : GaussianMixture
        Refitted where rows have no weight.
    leaf_density_ : LeafDensity or None
    """

    def __init__(self, mixture, fold_mixtures, n_jobs=None):
        self.mixture = mixture
        self.fold_mixtures = fold_mixtures
        self.n_jobs = n_jobs

    def fit(self, X, y, points, weights, splits, rng):
        folds = Folds(tuple(splits))
        self.mixture_, fold_mixtures = self.mixture, self.fold_mixtures
        if not weights.all():
            drawn = points[np.arange(len(y)), rng.randint(points.shape[1], size=len(y))]
            table = np.column_stack([X, drawn])
            self.mixture_, fold_mixtures = refit_to_subset(self.mixture, table, weights, folds)
        self._broad_share = 1 / ((len(X) + 1) * self.mixture_.n_features_in_)
        self._broad_width = max(np.abs(points).max(), 1.0)
        held_out = [
            (test, self._distribution(conditional_components(mixture, X[test])))
            for mixture, (_, test) in zip(fold_mixtures, folds, strict=True)
        ]
        forest = self._fit_forest(X, y, weights, folds, rng)
        self.leaf_density_, scores = fit_leaf_density(
            forest, held_out, X, y, points, weights, folds
        )
        self.fold_mixtures = []  # needed no more
        return BaseFit(self, scores, _features(X, *conditional_components(self.mixture_, X)))

    def _fit_forest(self, X, y, weights, folds, rng):
        """Trees of the columns before, or None where there are few rows or no columns."""
        fewest = min(np.count_nonzero(weights[train]) for train, _ in folds)
        if not X.shape[1] or fewest < MIN_ROWS_NONLINEAR:
            return None
        leaf = _MIN_ROWS_LEAF if len(y) < MIN_ROWS_ONE_MODEL else _MIN_ROWS_LEAF_LARGE
        trees = ExtraTreesRegressor(max(_N_TREES // len(folds), 1), min_samples_leaf=leaf)
        return cross_fit_regressor(
            trees, X, y, weights, folds, rng, n_jobs=self.n_jobs, refit=False
        )

    def distribution(self, X):
        components = conditional_components(self.mixture_, X)
        distribution = self._distribution(components)
        if self.leaf_density_ is not None:
            distribution = self.leaf_density_.blend(distribution, self.leaf_density_.shares(X)[0])
        return distribution, _features(X, *components)

    def _distribution(self, components):
        """The mixtures of rows together with the broad Gaussian."""
        log_shares, means, widths = components
        ones = np.ones((len(means), 1))
        shares = [log_shares + np.log1p(-self._broad_share), ones * np.log(self._broad_share)]
        widths = np.tile(np.append(widths, self._broad_width), (len(means), 1))
        means = np.hstack([means, 0 * ones])
        return MixtureDistribution(*_largest_components(np.hstack(shares), means, widths))


def _features(X, log_shares, means, widths):
    shares = np.exp(log_shares)
    mean = np.sum(shares * means, axis=1)
    variance = np.sum(shares * (widths**2 + (means - mean[:, None]) ** 2), axis=1)
    return np.column_stack([X, shares, mean, np.log(variance) / 2])


def _largest_components(log_shares, means, widths):
    """Of each row the components of largest share: as many as the row with most non-negligible
    ones has."""
    log_shares = np.where(log_shares < _LOG_MIN_SHARE, -np.inf, log_shares)
    n_kept = np.max(np.sum(log_shares > -np.inf, axis=1))
    order = np.argpartition(-log_shares, n_kept - 1, axis=1)[:, :n_kept]
    return [np.take_along_axis(table, order, axis=1) for table in (log_shares, means, widths)]
