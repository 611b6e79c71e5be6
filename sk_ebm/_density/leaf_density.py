"""Leaf-based densities: the distribution of y in the leaves of a forest, mixed with a base.

They follow answers that repeat or cluster, which no location and scale describes.
"""

from dataclasses import dataclass, replace
from operator import itemgetter

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.base import clone

from sk_ebm._core.cross_fit import cross_fit
from sk_ebm._density.blended import BlendedDistribution
from sk_ebm._density.flat_forest import FlatForest
from sk_ebm._density.leaf_histograms import LeafHistograms, bin_edges, leaves_of, smoothed
from sk_ebm._utils.fit_arguments import fit_rows, seeded
from sk_ebm._utils.weighted import significantly_positive

_SMOOTHING_STEPS = 0, 1, 3  # that are tried
_MAX_WEIGHT = 0.95  # so that bins without training rows keep a probability


@dataclass(frozen=True)
class LeafDensity:
    """Blends base distributions with the histograms of leaves.

    Attributes
    ----------
    histograms : LeafHistograms
    edges : ndarray of shape (n_bins - 1,)
    weight : float
        That of the histograms, in [0, 0.95], of greatest held-out likelihood.
    forest : FlatForest
    n_steps : int
        Of smoothing, of greatest held-out likelihood.
    """

    histograms: LeafHistograms
    edges: np.ndarray
    weight: float
    forest: FlatForest
    n_steps: int

    def shares(self, X):
        """Shares of the bins (n, n_bins), and the forest's predictions (n,) if it has any."""
        leaves = self.forest.leaves(X)
        predicts = len(self.forest.values) > 0
        shares = smoothed(self.histograms(leaves), self.n_steps)
        return shares, self.forest.mean(leaves) if predicts else None

    def without_predictions(self):
        """The same histograms, in less memory."""
        return replace(self, forest=self.forest.without_values())

    def blend(self, distribution, shares):
        return BlendedDistribution(distribution, self.edges, shares, self.weight)


def fit_leaf_density(forest, held_out, X, y, points, weights, folds):
    """Histograms of leaves, if they improve the held-out likelihood significantly.

    Parameters
    ----------
    forest : CrossFittedRegressor or None
    held_out : list of (rows, distribution)
        Base distributions of all rows, fitted without them.
    X, y, points, weights, folds
        As for the base.

    Returns
    -------
    leaf_density : LeafDensity or None
    normal_scores : ndarray of shape (n, k)
        Those of the points under held-out distributions, blended or not.
    """
    edges = bin_edges(y, weights)
    if forest is None or not len(edges):
        return None, _normal_scores(held_out, points)
    crossed = _cross_fit_histograms(forest, edges, X, y, weights, folds)
    gains, weight, n_steps = _best_blend(held_out, edges, crossed.in_order, y, weights)
    shares = smoothed(crossed.in_order, n_steps)
    # Leaves take a third of the time of predictions: a gain by chance (.007 +- .008 nats on 18 sets
    # without this condition, see density_ablation.py) is not worth it.
    if not significantly_positive(gains, weights):
        return None, _normal_scores(held_out, points)
    models, histograms = forest.regressor.models, [fitted for _, fitted in crossed.models]
    if len(models) == 1:
        histograms = [_histograms(models[0], edges, X, y, weights)]
    together = LeafHistograms.together(histograms)
    leaf_density = LeafDensity(together, edges, weight, FlatForest.of(models), n_steps)
    blends = [(rows, leaf_density.blend(base, shares[rows])) for rows, base in held_out]
    return leaf_density, _normal_scores(blends, points)


def choose_forest(regressors, first, X, y, weights, folds, rng):
    """Of forests of trees, fitted on the first fold, the index of the one whose leaves gain most
    there, and this fit; the first one, and None, where there is nothing to compare.

    ``first`` is the base distribution of that fold's held-out rows; other parameters are as above.
    """
    train, test = folds.pairs[0]
    edges, fits = bin_edges(y, weights), []
    if not (len(edges) and weights[test].any()):
        return 0, None
    for i, regressor in enumerate(regressors):
        model = fit_rows(seeded(clone(regressor), rng), X, y, weights, train)
        histograms = _histograms(model, edges, X[train], y[train], weights[train])
        shares = histograms(leaves_of(model, X[test])[0])
        blend = _best_blend([(np.s_[:], first)], edges, shares, y[test], weights[test])
        fits.append((np.average(blend[0], weights=weights[test]), i, model))
    return max(fits, key=itemgetter(0))[1:]


def _best_blend(held_out, edges, shares, y, weights):
    """What each row gains in nats, weight and smoothing of greatest held-out likelihood."""
    blends = []
    for n_steps in _SMOOTHING_STEPS:
        smooth, ratios = smoothed(shares, n_steps), np.empty(len(y))
        for rows, distribution in held_out:
            blended = BlendedDistribution(distribution, edges, smooth[rows], 1.0)
            ratios[rows] = blended.density_ratio(y[rows, None])[:, 0]
        weight, gains = _best_weight(ratios, weights)
        blends.append((np.average(gains, weights=weights), gains, weight, n_steps))
    return max(blends, key=itemgetter(0))[1:]


def _best_weight(ratios, weights):
    """The weight of histograms of greatest likelihood, and what each row gains, in nats."""

    def gains(weight):
        return np.log1p(weight * (ratios - 1))

    def cost(weight):
        return -np.average(gains(weight), weights=weights)

    weight = minimize_scalar(cost, bounds=(0, _MAX_WEIGHT), method="bounded").x
    return weight, gains(weight)


def _cross_fit_histograms(forest, edges, X, y, weights, folds):
    """Pairs of the forest and the histograms of each fold, and held-out shares of the bins."""

    def fit(k, train):
        model = forest.fold_models[k]
        return model, _histograms(model, edges, X[train], y[train], weights[train])

    def shares(fitted, test):
        model, histograms = fitted
        return histograms(leaves_of(model, X[test])[0])

    return cross_fit(fit, shares, folds)


def _histograms(model, edges, X, y, weights):
    leaves, n_leaves = leaves_of(model, X)
    return LeafHistograms(leaves, np.searchsorted(edges, y), weights, len(edges) + 1, n_leaves)


def _normal_scores(held_out, points):
    scores = np.empty(points.shape)
    for rows, distribution in held_out:
        scores[rows] = distribution.normal_score(points[rows])
    return scores
