"""Local sight: how answers are distributed in the leaves of a forest, beside another law.

Where answers repeat or crowd, no location and scale says so; the answers of similar rows do.
"""

import numpy as np
from scipy import sparse
from scipy.optimize import minimize_scalar

from sk_ebm.distributions import Blended

_N_CELLS = 32  # at most, of about equal weight
_MOST = 0.95  # weight of the leaves: what they have not seen keeps a probability


class Leaves:
    """Answers in the leaves of forests, as a quantile forest takes them (Meinshausen, 2006).

    Parameters
    ----------
    forests : list of fitted ForestRegressor
    trained : list of ndarray of int
        The rows that each was fitted on.
    cells : ndarray of shape (n,)
        The cell of the answer of each row.
    weights : ndarray of shape (n,)
    n_cells : int
    """

    def __init__(self, forests, trained, X, cells, weights, n_cells):
        self.forests = forests
        counted = sparse.csr_matrix((weights, cells, np.arange(len(X) + 1)), (len(X), n_cells))
        self._shares, self._means = [], []  # of the cells in each leaf, and of the targets there
        for forest, rows in zip(forests, trained, strict=True):
            masses = (_leaves(forest, X[rows]).T @ counted[rows]).tocsr()
            totals = np.maximum(masses.sum(axis=1), 1e-300)
            self._shares.append(masses.multiply(1 / totals.reshape(-1, 1)).tocsr())
            self._means.append(np.concatenate([t.tree_.value[:, 0, 0] for t in forest.estimators_]))

    def __call__(self, X, which=None):
        """Shares of the cells (n, n_cells) and predictions (n,), by one of the forests or all."""
        chosen = range(len(self.forests)) if which is None else [which]
        leaves = [(i, _leaves(self.forests[i], X)) for i in chosen]
        shares = np.mean([(of @ self._shares[i]).toarray() for i, of in leaves], axis=0)
        return shares, np.mean([of @ self._means[i] for i, of in leaves], axis=0)


def _leaves(forest, X):
    """Which leaves rows are in, (n, nodes of all trees), 1 / n_trees each.

    Rows go through the trees in the order of their leaves in the first one, so that rows with
    the same way to go follow each other, in half of the time of the forest's own ``apply``.
    """
    trees = [tree.tree_ for tree in forest.estimators_]
    X = X.astype(np.float32)
    order = np.argsort(trees[0].apply(X))
    X, columns = X[order], np.empty((len(X), len(trees)), dtype=np.intp)
    for j, tree in enumerate(trees):
        columns[order, j] = tree.apply(X)
    n_nodes = np.array([tree.node_count for tree in trees])
    columns += np.cumsum(n_nodes) - n_nodes
    n, n_trees = columns.shape
    ends = np.arange(0, n * n_trees + 1, n_trees)
    values = np.full(n * n_trees, 1 / n_trees)
    return sparse.csr_matrix((values, columns.ravel(), ends), (n, n_nodes.sum()))


def cell_edges(y, weights):
    """Where cells meet: half-way between values, or where about equal weights are between."""
    values, index = np.unique(y[weights > 0], return_inverse=True)
    middles = (values[1:] + values[:-1]) / 2
    if len(values) <= _N_CELLS:
        return middles
    below = np.cumsum(np.bincount(index, weights[weights > 0]))[:-1] / weights.sum()
    shares = np.arange(1, _N_CELLS) / _N_CELLS
    return np.unique(middles[np.minimum(np.searchsorted(below, shares), len(middles) - 1)])


class Local:
    """The leaves' part in a base density.

    Parameters
    ----------
    forest : CrossFitted
        With its folds' models.
    edges : ndarray of shape (n_cells - 1,)

    Attributes
    ----------
    weight_ : float
        That of the leaves, in [0, 0.95]; of greatest likelihood in rows not seen.
    scores_ : ndarray of shape (n, k)
        Normal scores of the points under blended distributions of rows not seen.
    gained_ : ndarray of shape (n,)
        How much likelier each row is by the leaves, in nats.
    """

    def __init__(self, forest, edges):
        self.forest, self.edges = forest, edges

    @classmethod
    def of(cls, forests, laws, X, y, points, weights, splits):
        """That of the first forest, if rows not seen are surely likelier by it, else None.

        ``laws`` are pairs of some rows and their distributions that have not seen them.
        """
        edges = cell_edges(y, weights)
        if not forests or not len(edges):
            return None
        local = cls(forests[0], edges)._fit(laws, X, y, points, weights, splits)
        return local if surely_positive(local.gained_, weights) else None

    def _fit(self, laws, X, y, points, weights, splits):
        cells = np.searchsorted(self.edges, y)
        n_cells = len(self.edges) + 1

        def leaves(forests, trained):
            return Leaves(forests, trained, X, cells, weights, n_cells)

        trained = [train for train, _ in splits]
        of_folds = leaves(self.forest.of_folds_, trained)
        shares = np.empty((len(y), n_cells))
        for i, (_, test) in enumerate(splits):
            shares[test], _ = of_folds(X[test], i)
        several = len(self.forest.models_) > 1
        self.leaves_ = of_folds if several else leaves(self.forest.models_, [np.arange(len(y))])
        blends = [(rows, Blended(law, self.edges, shares[rows], 1.0)) for rows, law in laws]
        likelier = np.empty(len(y))
        for rows, blend in blends:
            likelier[rows] = blend.ratios_of(y[rows, None])[:, 0]

        def gained(weight):
            return np.log1p(weight * (likelier - 1))

        def cost(weight):
            return -np.average(gained(weight), weights=weights)

        self.weight_ = minimize_scalar(cost, bounds=(0, _MOST), method="bounded").x
        self.gained_ = gained(self.weight_)
        self.scores_ = np.empty(points.shape)
        for rows, blend in blends:
            self.scores_[rows] = blend.weighing(self.weight_).normal_score(points[rows])
        return self

    def blended(self, distribution, shares):
        return Blended(distribution, self.edges, shares, self.weight_)


def surely_positive(gained, weights):
    """Whether a mean is more than two standard errors above zero."""
    mean = np.average(gained, weights=weights)
    variance = np.average((gained - mean) ** 2, weights=weights)
    return mean > 2 * np.sqrt(variance / np.count_nonzero(weights))
