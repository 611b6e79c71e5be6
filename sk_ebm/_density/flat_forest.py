"""Forests of regression trees in flat arrays: small, and fast for one row as for many."""

from dataclasses import dataclass, replace

import numpy as np

# Pairs of a row and a tree that are followed at once: their arrays stay cached.
_BLOCK_PATHS = 2**14
_STEPS_AT_ONCE = 3  # before paths that have ended are dropped, which takes half of the time else


@dataclass(frozen=True, eq=False)
class FlatForest:
    """The trees of fitted forests, one after the other; predictions are the means of their leaves.

    The first child of a node is the next node, as scikit-learn orders them. Leaves are numbered
    through.

    Attributes
    ----------
    roots, first_leaves : ndarray of shape (n_trees,)
        The first node and the first leaf of each tree.
    features : ndarray of shape (n_nodes,)
        That a node splits; -1 for leaves.
    thresholds : ndarray of shape (n_nodes,), 32 bits
    others : ndarray of shape (n_nodes,)
        How many nodes after a node its second child is; the number of a leaf in its tree.
    values : ndarray of shape (n_leaves,)
        Empty where nothing is predicted.
    """

    roots: np.ndarray
    first_leaves: np.ndarray
    features: np.ndarray
    thresholds: np.ndarray
    others: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, forests):
        trees = [estimator.tree_ for forest in forests for estimator in forest.estimators_]
        is_leaf = [tree.children_left < 0 for tree in trees]
        others = [
            np.where(leaf, np.cumsum(leaf) - 1, tree.children_right - np.arange(len(leaf)))
            for tree, leaf in zip(trees, is_leaf, strict=True)
        ]
        at_leaf = np.concatenate(is_leaf)
        return cls(
            _starts([tree.node_count for tree in trees]),
            _starts([tree.n_leaves for tree in trees]),
            _smallest(np.where(at_leaf, -1, np.concatenate([tree.feature for tree in trees]))),
            _rounded_down(np.concatenate([tree.threshold for tree in trees])),
            _smallest(np.concatenate(others)),
            np.concatenate([tree.value[:, 0, 0] for tree in trees])[at_leaf].astype(np.float32),
        )

    def without_values(self):
        """The same trees, whose leaves alone are asked for."""
        return replace(self, values=self.values[:0])

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
        paths, nodes = np.arange(len(found)), np.tile(self.roots.astype(np.intp), n)
        starts = np.repeat(np.arange(0, n * d, d), len(self.roots))
        while len(paths):
            for _ in range(_STEPS_AT_ONCE):
                nodes += self._steps(values, starts, nodes)
            going = self.features.take(nodes) >= 0
            ended, going = np.flatnonzero(~going), np.flatnonzero(going)
            found[paths.take(ended)] = self.others.take(nodes.take(ended))
            paths, nodes, starts = (a.take(going) for a in (paths, nodes, starts))
        return found.reshape(n, -1) + self.first_leaves

    def _steps(self, values, starts, nodes):
        """How many nodes after a node its path goes on: none from a leaf."""
        features = self.features.take(nodes)
        x = values.take(starts + features, mode="wrap")  # of a leaf's feature, -1, any
        steps = np.where(x <= self.thresholds.take(nodes), 1, self.others.take(nodes))
        return steps * (features >= 0)

    def predict(self, X):
        return self.mean(self.leaves(X))

    def mean(self, leaves):
        """Predictions from the `leaves` of rows."""
        return self.values[leaves].mean(axis=1, dtype=np.float64)


def _starts(lengths):
    return np.cumsum([0, *lengths[:-1]], dtype=np.int32)


def _smallest(integers):
    """The integers in as few bits as hold them."""
    kinds = (np.int8, np.uint16, np.int16, np.int32)
    low, high = integers.min(), integers.max()
    fits = (kind for kind in kinds if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    return integers.astype(next(fits))


def _rounded_down(thresholds):
    """In 32 bits, so that no number of 32 bits changes sides."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded)
