"""Histograms of y in the leaves of a forest, as in a quantile forest (Meinshausen, 2006)."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from sk_ebm._utils.sklearn_private import count_threads

# docs/benchmarks/ablation.py: to be filled in
_MAX_BINS = 32  # of about equal weight
_UNITS = 2**16 - 1  # of shares in 16 bits
_N_CHUNKS = 8  # of a forest's trees, for threads
_MIN_ROWS_THREADS = 500  # below which the threads' start takes longer than the trees


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
        chunks = [self._trees[i::_N_CHUNKS] for i in range(min(_N_CHUNKS, len(self._trees)))]
        n_threads = min(count_threads(), len(chunks)) if len(X) >= _MIN_ROWS_THREADS else 1
        sums = _map_in_threads(n_threads, partial(self._sum, X), chunks)
        shares, means = (sum(parts) for parts in zip(*sums, strict=True))
        return shares / (len(self._trees) * _UNITS), means / len(self._trees)

    def _sum(self, X, trees):
        shares, means = np.zeros((len(X), self._n_bins), np.uint32), np.zeros(len(X))
        for tree, leaf_of_node, histograms in trees:
            nodes = tree.apply(X)
            shares += histograms.take(leaf_of_node.take(nodes), axis=0)
            means += tree.value[:, 0, 0].take(nodes)
        return shares, means


def _map_in_threads(n_threads, function, items):
    """The function's results, of which this thread computes its part: others take time to wake."""
    results = [None] * len(items)

    def work(start):
        for i in range(start, len(items), n_threads):
            results[i] = function(items[i])

    with ThreadPoolExecutor(max(n_threads - 1, 1)) as pool:
        others = pool.map(work, range(1, n_threads))
        work(0)
        list(others)  # raises what they have raised
    return results


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
