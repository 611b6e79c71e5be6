"""Leaf-based densities: the distribution of y in the leaves of a forest, mixed with a base.

They follow answers that repeat or cluster, which no location and scale describes.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from sk_ebm._core.cross_fit import cross_fit
from sk_ebm._density.blended import BlendedDistribution
from sk_ebm._density.cross_fitted_regressor import AveragedRegressor
from sk_ebm._density.leaf_histograms import LeafHistograms, bin_edges
from sk_ebm._utils.weighted import significantly_positive

_MAX_WEIGHT = 0.95  # so that bins without training rows keep a probability


@dataclass(frozen=True)
class LeafDensity:
    """Blends base distributions with the histograms of leaves.

    Attributes
    ----------
    histograms : list of LeafHistograms
    edges : ndarray of shape (n_bins - 1,)
    weight : float
        That of the histograms, in [0, 0.95], of greatest held-out likelihood.
    forest : AveragedRegressor
    """

    histograms: list
    edges: np.ndarray
    weight: float
    forest: AveragedRegressor

    def shares(self, X):
        """Shares of the bins (n, n_bins), and the forest's predictions of y (n,)."""
        shares, means = zip(*[histograms(X) for histograms in self.histograms], strict=True)
        return np.mean(shares, axis=0), self.forest.to_y(np.mean(means, axis=0))

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
    bins = np.searchsorted(edges, y)

    def fit(model, rows):
        return LeafHistograms(model, X[rows], bins[rows], weights[rows], len(edges) + 1)

    crossed = cross_fit(
        lambda k, train: fit(forest.fold_models[k], train),
        lambda histograms, test: histograms(X[test])[0],
        folds,
    )
    shares = crossed.in_order
    ratios = np.empty(len(y))
    for rows, distribution in held_out:
        blended = BlendedDistribution(distribution, edges, shares[rows], 1.0)
        ratios[rows] = blended.density_ratio(y[rows, None])[:, 0]

    def gains(weight):
        return np.log1p(weight * (ratios - 1))

    def cost(weight):
        return -np.average(gains(weight), weights=weights)

    weight = minimize_scalar(cost, bounds=(0, _MAX_WEIGHT), method="bounded").x
    # Leaves take a third of the time of predictions: a gain by chance (.007 +- .008 nats on 18 sets
    # without this condition, see density_ablation.py) is not worth it.
    if not significantly_positive(gains(weight), weights):
        return None, _normal_scores(held_out, points)
    models, histograms = forest.regressor.models, crossed.models
    if len(models) == 1:
        histograms = [fit(models[0], np.arange(len(y)))]
    leaf_density = LeafDensity(histograms, edges, weight, forest.regressor)
    blends = [(rows, leaf_density.blend(base, shares[rows])) for rows, base in held_out]
    return leaf_density, _normal_scores(blends, points)


def _normal_scores(held_out, points):
    scores = np.empty(points.shape)
    for rows, distribution in held_out:
        scores[rows] = distribution.normal_score(points[rows])
    return scores
