"""The conditionals of a Gaussian mixture: the base density of a column of a joint density."""

from dataclasses import replace

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor

from sk_ebm._core.folds import Folds
from sk_ebm._density.base_fit import BaseFit
from sk_ebm._density.cross_fitted_regressor import AveragedRegressor, cross_fit_regressor
from sk_ebm._density.gaussian_mixture import refit_to_subset
from sk_ebm._density.leaf_density import choose_forest, fit_leaf_density
from sk_ebm._density.mixture_distribution import MixtureDistribution, MixtureFactors
from sk_ebm._density.regressors import MIN_ROWS_NONLINEAR
from sk_ebm._density.standardised import FARTHEST
from sk_ebm._utils.fit_arguments import fit_rows, seeded

_LOG_MIN_SHARE = np.log(1e-15)  # of a component in a row: less is lost in double precision
# density_ablation.py --part joint: leaves gain .8 +- .5 nats a row, on 8 tables.
# Trees of all folds, and least rows of a leaf: forests that take about the same memory, of which
# the first fold chooses. Those of 80 trees with small leaves took ten times as much.
_FORESTS = (10, 3), (15, 10), (30, 30)


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
    shared_factors : MixtureFactors, default=None
        Those of the mixture, if columns share them.

    Attributes
    ----------
    factors_ : MixtureFactors
        Of the mixture, refitted where rows have no weight.
    leaf_density_ : LeafDensity or None
    """

    def __init__(self, mixture, fold_mixtures, n_jobs=None, shared_factors=None):
        self.mixture = mixture
        self.fold_mixtures = fold_mixtures
        self.n_jobs = n_jobs
        self.shared_factors = shared_factors

    def fit(self, X, y, points, weights, splits, rng):
        folds, n_columns = Folds(tuple(splits)), X.shape[1] + 1
        mixture, fold_mixtures = self.mixture, self.fold_mixtures
        if not weights.all():
            drawn = points[np.arange(len(y)), rng.randint(points.shape[1], size=len(y))]
            table = np.column_stack([X, drawn])
            mixture, fold_mixtures = refit_to_subset(self.mixture, table, weights, folds)
        self._broad_share = 1 / ((len(X) + 1) * mixture.n_features_in_)
        self._broad_width = max(np.abs(points).max(), 1.0)
        held_out = []
        for fold_mixture, (_, test) in zip(fold_mixtures, folds, strict=True):
            factors = MixtureFactors.of(fold_mixture, n_columns)
            held_out.append((test, self._distribution(factors.conditional_components(X[test]))))
        forest = self._fit_forest(held_out[0][1], X, y, weights, folds, rng)
        leaf_density, scores = fit_leaf_density(forest, held_out, X, y, points, weights, folds)
        self.leaf_density_ = leaf_density and leaf_density.without_predictions()
        shared = self.shared_factors if mixture is self.mixture else None
        self.factors_ = shared or MixtureFactors.of(mixture, n_columns)
        self.mixture, self.fold_mixtures, self.shared_factors = None, [], None  # needed no more
        return BaseFit(self, scores, _features(X, *self.factors_.conditional_components(X)))

    def _fit_forest(self, first, X, y, weights, folds, rng):
        """Trees of the columns before, or None where there are few rows or no columns.

        ``first`` is the mixture's distribution of the first held-out rows.
        """
        fewest = min(np.count_nonzero(weights[train]) for train, _ in folds)
        if not X.shape[1] or fewest < MIN_ROWS_NONLINEAR:
            return None
        forests = [
            ExtraTreesRegressor(max(n_trees // len(folds), 1), min_samples_leaf=n_rows)
            for n_trees, n_rows in _FORESTS
        ]
        best, model = choose_forest(forests, first, X, y, weights, folds, rng)
        how = {"n_jobs": self.n_jobs, "refit": False, "first_model": model}
        crossed = cross_fit_regressor(forests[best], X, y, weights, folds, rng, **how)
        if best > 0:
            return crossed
        # The smallest leaves are of repeated rows, most of which folds lack.
        forest = clone(forests[best]).set_params(n_estimators=_FORESTS[best][0])
        whole = fit_rows(seeded(forest, rng), X, y, weights, np.arange(len(y)))
        return replace(crossed, regressor=AveragedRegressor([whole]))

    def distribution(self, X):
        components = self.factors_.conditional_components(X)
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
    features = np.column_stack([X, shares, mean, np.log(variance) / 2])
    return np.clip(features, -FARTHEST, FARTHEST).astype(np.float32)  # half of the memory


def _largest_components(log_shares, means, widths):
    """Of each row the components of largest share: as many as the row with most non-negligible
    ones has."""
    log_shares = np.where(log_shares < _LOG_MIN_SHARE, -np.inf, log_shares)
    n_kept = np.max(np.sum(log_shares > -np.inf, axis=1))
    order = np.argpartition(-log_shares, n_kept - 1, axis=1)[:, :n_kept]
    return [np.take_along_axis(table, order, axis=1) for table in (log_shares, means, widths)]
