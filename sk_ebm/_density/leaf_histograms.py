"""Histograms of y in the leaves of a forest, as in a quantile forest (Meinshausen, 2006)."""

import numpy as np

_MAX_BINS = 32  # of about equal weight: a leaf of the default forests has few rows for each
_UNITS = 2**16 - 1  # of shares in 16 bits, a quarter of the memory of floats


class LeafHistograms:
    """The share of each bin of y in the leaves of a forest, averaged over its trees.

    Shares are stored as multiples of 1 / 65,535.

    Parameters
    ----------
    forest : fitted ForestRegressor
    X : ndarray of shape (n, d)
    bins : ndarray of shape (n,)
        Bins of the answers.
    weights : ndarray of shape (n,)
    n_bins : int
    """

    def __init__(self, forest, X, bins, weights, n_bins):
        trees = [estimator.tree_ for estimator in forest.estimators_]
        X, self._n_bins = X.astype(np.float32), n_bins
        self._trees = [(tree, *_histograms(tree, X, bins, weights, n_bins)) for tree in trees]

    def __call__(self, X):
        """Shares of the bins (n, n_bins), and the forest's predictions (n,)."""
        X = X.astype(np.float32)
        shares, means = np.zeros((len(X), self._n_bins), np.uint32), np.zeros(len(X))
        for tree, leaf_of_node, histograms in self._trees:
            nodes = tree.apply(X)
            shares += histograms.take(leaf_of_node.take(nodes), axis=0)
            means += tree.value[:, 0, 0].take(nodes)
        return shares / (len(self._trees) * _UNITS), means / len(self._trees)


def _histograms(tree, X, bins, weights, n_bins):
    """The leaf of each node (n_nodes,), and shares of the bins (n_leaves, n_bins)."""
    leaf_of_node = np.cumsum(tree.children_left < 0, dtype=np.int32) - 1
    shape = tree.n_leaves, n_bins
    entries = np.ravel_multi_index((leaf_of_node[tree.apply(X)], bins), shape)
    masses = np.bincount(entries, weights, np.prod(shape)).reshape(shape)
    shares = masses / np.maximum(masses.sum(axis=1, keepdims=True), 1e-300)
    return leaf_of_node, np.rint(shares * _UNITS).astype(np.uint16)


def bin_edges(y, weights):
    """Edges between distinct values, half-way; of many values, between bins of equal weight."""
    values, index = np.unique(y[weights > 0], return_inverse=True)
    middles = (values[1:] + values[:-1]) / 2
    if len(values) <= _MAX_BINS:
        return middles
    below = np.cumsum(np.bincount(index, weights[weights > 0]))[:-1] / weights.sum()
    shares = np.arange(1, _MAX_BINS) / _MAX_BINS
    return np.unique(middles[np.minimum(np.searchsorted(below, shares), len(middles) - 1)])
