"""Forests of regression trees in flat arrays: small, and fast for one row as for many."""

from dataclasses import dataclass

import numpy as np

_BLOCK_PATHS = (
    2**16
)  # pairs of a row and a tree that are followed at once: their arrays stay cached


@dataclass(frozen=True, eq=False)
class FlatForest:
    """The trees of fitted forests, one after the other; predictions are the means of their leaves.

    The first child of a node is the next node, as scikit-learn orders them. Leaves are numbered
    through.

    Attributes
    ----------
    roots : ndarray of shape (n_trees,)
    features : ndarray of shape (n_nodes,)
        That a node splits; -1 for leaves.
    thresholds : ndarray of shape (n_nodes,), 32 bits
    others : ndarray of shape (n_nodes,)
        The second child of a node; the number of a leaf.
    values : ndarray of shape (n_leaves,)
    """

    roots: np.ndarray
    features: np.ndarray
    thresholds: np.ndarray
    others: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, forests):
        trees = [estimator.tree_ for forest in forests for estimator in forest.estimators_]
        roots = np.cumsum([0] + [tree.node_count for tree in trees[:-1]])
        is_leaf = np.concatenate([tree.children_left for tree in trees]) < 0
        second = [root + tree.children_right for root, tree in zip(roots, trees, strict=True)]
        features = np.concatenate([tree.feature for tree in trees])
        return cls(
            roots.astype(np.int32),
            np.where(is_leaf, -1, features).astype(_least_integer(features.max())),
            _rounded_down(np.concatenate([tree.threshold for tree in trees])),
            np.where(is_leaf, np.cumsum(is_leaf) - 1, np.concatenate(second)).astype(np.int32),
            np.concatenate([tree.value[:, 0, 0] for tree in trees])[is_leaf].astype(np.float32),
        )

    def leaves(self, X):
        """The leaf of each row in each tree, (n, n_trees)."""
        X, n_trees = np.ascontiguousarray(X, dtype=np.float32), len(self.roots)
        found = np.empty((len(X), n_trees), dtype=np.int32)
        n = max(1, _BLOCK_PATHS // n_trees)
        for first in range(0, len(X), n):
            found[first : first + n] = self._leaves_of_block(X[first : first + n])
        return found

    def _leaves_of_block(self, X):
        n, d = X.shape
        values, found = X.ravel(), np.empty(n * len(self.roots), dtype=np.int32)
        paths, nodes = np.arange(len(found)), np.tile(self.roots, n)
        starts = np.repeat(np.arange(0, n * d, d), len(self.roots))
        while len(paths):
            features = self.features[nodes]
            at_leaf = features < 0
            if at_leaf.any():
                found[paths[at_leaf]] = self.others[nodes[at_leaf]]
                going = ~at_leaf
                paths, nodes, starts = paths[going], nodes[going], starts[going]
                features = features[going]
            is_first = values[starts + features] <= self.thresholds[nodes]
            nodes = np.where(is_first, nodes + 1, self.others[nodes])
        return found.reshape(n, -1)

    def predict(self, X):
        return self.mean(self.leaves(X))

    def mean(self, leaves):
        """Predictions from the `leaves` of rows."""
        return self.values[leaves].mean(axis=1, dtype=np.float64)


def _least_integer(largest):
    return np.int16 if largest < np.iinfo(np.int16).max else np.int32


def _rounded_down(thresholds):
    """In 32 bits, so that no number of 32 bits changes sides."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)
