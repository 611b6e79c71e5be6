"""Leaf-based densities: how answers are distributed in the leaves of a forest, beside another law.

Where answers repeat or crowd, no location and scale says so; the answers of similar rows do.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from scipy.optimize import minimize_scalar

from sk_ebm._density.base_distributions import Blended
from sk_ebm._utils.sklearn_private import count_threads

_N_CELLS = 32  # at most, of about equal weight
_UNITS = 2**16 - 1  # of which shares are whole numbers
_PARTS = 8  # of a forest, for threads
_FEW_ROWS = 500  # that go through it in one thread
_MOST = 0.95  # weight of the leaves: what they have not seen keeps a probability


class LeafHistograms:
    """Answers in the leaves of forests, as a quantile forest takes them (Meinshausen, 2006).

    Each leaf holds its shares of the cells in units of 1 / 65,535, of which less than half of one
    is lost.

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
        self._n_cells = n_cells
        self._trees = [[tree.tree_ for tree in forest.estimators_] for forest in forests]
        self._held = []
        for trees, rows in zip(self._trees, trained, strict=True):
            order, inputs = _alike(trees[0], X[rows])
            rows = rows[order]
            held = [_held(tree, inputs, cells[rows], weights[rows], n_cells) for tree in trees]
            self._held.append(held)

    def __call__(self, X, which=None):
        """Shares of the cells (n, n_cells) and predictions (n,), by one of the forests or all."""
        chosen = range(len(self._trees)) if which is None else [which]
        shares, means = np.zeros((len(X), self._n_cells)), np.zeros(len(X))
        for i in chosen:
            order, inputs = _alike(self._trees[i][0], X)
            pairs = list(zip(self._trees[i], self._held[i], strict=True))
            parts = [pairs[start::_PARTS] for start in range(min(_PARTS, len(pairs)))]
            n_threads = min(count_threads(), len(parts)) if len(X) >= _FEW_ROWS else 1
            sums = _in_threads(n_threads, partial(self._sums, inputs), parts)
            of_cells, predicted = map(sum, zip(*sums, strict=True))
            shares[order] += of_cells
            means[order] += predicted
        n_trees = sum(len(self._trees[i]) for i in chosen)
        return shares / (n_trees * _UNITS), means / n_trees

    def _sums(self, X, pairs):
        """Sums of shares and of predictions over some trees and what they hold."""
        shares, means = np.zeros((len(X), self._n_cells), np.uint32), np.zeros(len(X))
        for tree, (places, held) in pairs:
            nodes = tree.apply(X)
            shares += held.take(places.take(nodes), axis=0)
            means += tree.value[:, 0, 0].take(nodes)
        return shares, means


def _in_threads(n_threads, function, parts):
    """What the function returns for each of the parts, of which this thread does its share.

    It would else wait for another one to wake up.
    """
    results = [None] * len(parts)

    def work(start):
        for i in range(start, len(parts), n_threads):
            results[i] = function(parts[i])

    with ThreadPoolExecutor(max(n_threads - 1, 1)) as pool:
        others = pool.map(work, range(1, n_threads))
        work(0)
        list(others)  # raises what they have raised
    return results


def _alike(tree, X):
    """An order of rows in which those with similar ways through trees follow each other, and these.

    The order is that of the leaves of one tree. Other trees find the leaves of rows in it in six to
    eight tenths of the time.
    """
    X = X.astype(np.float32)
    order = np.argsort(tree.apply(X))
    return order, X[order]


def _held(tree, X, cells, weights, n_cells):
    """The place (nodes,) of each leaf of a tree among all, and shares of cells, uint16
    (leaves, n_cells) in units of 1 / 65,535.
    """
    places = np.cumsum(tree.children_left < 0, dtype=np.int32) - 1
    shape = tree.n_leaves, n_cells
    entries = np.ravel_multi_index((places[tree.apply(X)], cells), shape)
    masses = np.bincount(entries, weights, np.prod(shape)).reshape(shape)
    shares = masses / np.maximum(masses.sum(axis=1, keepdims=True), 1e-300)
    return places, np.rint(shares * _UNITS).astype(np.uint16)


def cell_edges(y, weights):
    """Where cells meet: half-way between values, or where about equal weights are between."""
    values, index = np.unique(y[weights > 0], return_inverse=True)
    middles = (values[1:] + values[:-1]) / 2
    if len(values) <= _N_CELLS:
        return middles
    below = np.cumsum(np.bincount(index, weights[weights > 0]))[:-1] / weights.sum()
    shares = np.arange(1, _N_CELLS) / _N_CELLS
    return np.unique(middles[np.minimum(np.searchsorted(below, shares), len(middles) - 1)])


class LeafDensity:
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
        return local if significantly_positive(local.gained_, weights) else None

    def _fit(self, laws, X, y, points, weights, splits):
        cells = np.searchsorted(self.edges, y)
        n_cells = len(self.edges) + 1

        def leaves(forests, trained):
            return LeafHistograms(forests, trained, X, cells, weights, n_cells)

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


def significantly_positive(gained, weights):
    """Whether a mean is more than two standard errors above zero."""
    mean = np.average(gained, weights=weights)
    variance = np.average((gained - mean) ** 2, weights=weights)
    return mean > 2 * np.sqrt(variance / np.count_nonzero(weights))
