"""Histograms of y in the leaves of a forest, as in a quantile forest (Meinshausen, 2006)."""

import numpy as np
from scipy import sparse

_MAX_BINS = 32  # of about equal weight: a leaf of the default forests has few rows for each
_UNITS = 2**8 - 1  # of shares in 8 bits, whose errors many trees average out


class LeafHistograms:
    """The share of each bin of y in the leaves of a forest, averaged over its trees.

    Most leaves hold few bins, and those alone are stored; shares are multiples of 1 / 255.

    Parameters
    ----------
    leaves : ndarray of int of shape (n, n_trees)
        Of training rows, in each of the trees, numbered through.
    bins : ndarray of shape (n,)
        Bins of the answers.
    weights : ndarray of shape (n,)
    n_bins, n_leaves : int
    """

    def __init__(self, leaves, bins, weights, n_bins, n_leaves):
        n_trees = leaves.shape[1]
        entries = np.repeat(weights, n_trees), (leaves.ravel(), np.repeat(bins, n_trees))
        table = sparse.csr_matrix(entries, shape=(n_leaves, n_bins))  # of sums
        sums = np.maximum(np.asarray(table.sum(axis=1))[:, 0], 1e-300)
        shares = table.data / np.repeat(sums, np.diff(table.indptr))
        self.n_bins, self.starts = n_bins, table.indptr
        self.bins = table.indices.astype(np.uint8)
        self.shares = np.rint(shares * _UNITS).astype(np.uint8)

    @classmethod
    def together(cls, parts):
        """The histograms of several forests, whose leaves are numbered through."""
        whole = cls.__new__(cls)
        whole.n_bins = parts[0].n_bins
        offsets = np.cumsum([0] + [len(part.bins) for part in parts])
        starts = [part.starts[:-1] + offset for part, offset in zip(parts, offsets, strict=False)]
        whole.starts = np.append(np.concatenate(starts), offsets[-1]).astype(np.int32)
        whole.bins = np.concatenate([part.bins for part in parts])
        whole.shares = np.concatenate([part.shares for part in parts])
        return whole

    def __call__(self, leaves):
        """Shares of the bins (n, n_bins) from the leaves of rows (n, n_trees)."""
        n, n_trees = leaves.shape
        lengths = (self.starts[leaves + 1] - self.starts[leaves]).ravel()
        ends = np.cumsum(lengths)
        entries = np.arange(ends[-1]) + np.repeat(
            self.starts[leaves].ravel() - ends + lengths, lengths
        )
        rows = np.repeat(np.arange(n), lengths.reshape(n, n_trees).sum(axis=1))
        cells = rows * self.n_bins + self.bins[entries]
        sums = np.bincount(cells, self.shares[entries], minlength=n * self.n_bins)
        sums = sums.reshape(n, self.n_bins)
        return sums / np.maximum(sums.sum(axis=1, keepdims=True), 1)  # of rounded shares


def smoothed(shares, n_steps):
    """Shares (n, n_bins), of which each bin exchanges a quarter with its neighbours, in each step.

    Where y is continuous, few trees then do as well as many.
    """
    for _ in range(n_steps):
        padded = np.pad(shares, [(0, 0), (1, 1)], mode="edge")
        shares = shares / 2 + (padded[:, :-2] + padded[:, 2:]) / 4
    return shares


def leaves_of(forest, X):
    """The leaves of rows in the trees of a forest (n, n_trees), numbered through, and how many."""
    trees, X, numbers, n_leaves = [e.tree_ for e in forest.estimators_], X.astype(np.float32), [], 0
    for tree in trees:
        number = np.cumsum(tree.children_left < 0, dtype=np.int32) - 1 + n_leaves
        numbers.append(number[tree.apply(X)])
        n_leaves += tree.n_leaves
    return np.stack(numbers, axis=1), n_leaves


def bin_edges(y, weights):
    """Edges between distinct values, half-way; of many values, between bins of equal weight."""
    values, index = np.unique(y[weights > 0], return_inverse=True)
    middles = (values[1:] + values[:-1]) / 2
    if len(values) <= _MAX_BINS:
        return middles
    below = np.cumsum(np.bincount(index, weights[weights > 0]))[:-1] / weights.sum()
    shares = np.arange(1, _MAX_BINS) / _MAX_BINS
    return np.unique(middles[np.minimum(np.searchsorted(below, shares), len(middles) - 1)])
