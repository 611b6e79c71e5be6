"""An index of very many classes: cells of similar vectors, few of which a search looks into.

The inverted file of Jegou, Douze and Schmid ("Product quantization for nearest neighbor search",
TPAMI, 2011), without quantisation: a block of rows looks into a cell by one matrix product.
"""

from typing import NamedTuple

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from sk_ebm._core.class_search import Block, ClassSearch, Found, LogSum
from sk_ebm._core.largest import Largest

_LEAST_NUMBERS = 2e7  # of the vectors: with fewer, looking at all does 1,000 rows in a second
_MOST_LOOKED_AT = 0.25  # share of the cells above which looking at all classes is about as fast
_BEST = 10  # classes of each row of which the recall is measured
_MOST_ROWS = 1024  # that measure it
_N_SAMPLED = 4096  # classes that stand for those that are not looked at, in sums


class Cells(NamedTuple):
    """Classes by the cell that they are in.

    Attributes
    ----------
    members : ndarray of shape (K,)
        Classes, cell after cell, ascending in each.
    bounds : ndarray of shape (C + 1,)
        Where the members of each begin.
    centres, heights : ndarrays of shape (C, r) and (C,)
        Means of their vectors and biases.
    sample : ndarray
        Classes that stand for all.
    n_visited : int
        Cells that a search looks into.
    """

    members: np.ndarray
    bounds: np.ndarray
    centres: np.ndarray
    heights: np.ndarray
    sample: np.ndarray
    n_visited: int = 1

    @classmethod
    def of(cls, vectors, biases, features, rng):
        """About sqrt(K) clusters of the vectors, by how much they differ for such features."""
        n_classes = len(vectors)
        n_cells = max(int(np.sqrt(n_classes)), 1)
        scale = np.sqrt(np.mean(np.square(features), axis=0))
        points = np.column_stack([vectors * scale, biases]).astype(np.float32)
        clusters = MiniBatchKMeans(
            n_cells, init="random", batch_size=16 * n_cells, n_init=1, max_iter=3, random_state=rng
        )
        cell = clusters.fit_predict(points)
        sizes = np.bincount(cell, minlength=n_cells)
        members = np.argsort(cell, kind="stable")
        bounds = np.append(0, np.cumsum(sizes))
        starts = bounds[:-1][sizes > 0]
        means = np.add.reduceat(vectors[members], starts) / sizes[sizes > 0][:, None]
        heights = np.add.reduceat(biases[members], starts) / sizes[sizes > 0]
        sample = np.sort(rng.permutation(n_classes)[:_N_SAMPLED])
        return cls(members, np.append(starts, n_classes), means, heights, sample)

    @property
    def cell_of(self):
        """The cell of each class, (K,)."""
        cells = np.empty(len(self.members), dtype=int)
        cells[self.members] = np.repeat(np.arange(len(self.heights)), np.diff(self.bounds))
        return cells

    def outputs(self, features):
        """Outputs (n, C) of the centres, the mean ones of their members."""
        return features @ self.centres.T + self.heights


def index_of(vectors, biases, features, recall, rng):
    """`Cells` and the recall of the best ten classes of held-out features, or None and 1.0 where
    looking at all classes is faster."""
    if vectors.size <= _LEAST_NUMBERS or recall == 1 or len(features) < 2:
        return None, 1.0
    features = features[rng.permutation(len(features))[:_MOST_ROWS]]
    cells = Cells.of(vectors, biases, features, rng)
    best = ClassSearch(vectors, biases).top(features, _BEST).classes
    outputs = cells.outputs(features)
    of_best = np.take_along_axis(outputs, cells.cell_of[best], axis=1)
    ranks = (outputs[:, None, :] > of_best[:, :, None]).sum(axis=2)
    chosen, judged = np.sort(ranks[::2].ravel()), ranks[1::2]
    n_visited = 1 + chosen[int(np.ceil(recall * len(chosen))) - 1]
    while (judged < n_visited).mean() < recall:
        n_visited += max(n_visited // 10, 1)
    if n_visited > _MOST_LOOKED_AT * len(cells.heights):
        return None, 1.0
    return cells._replace(n_visited=int(n_visited)), float((judged < n_visited).mean())


class IndexedSearch(ClassSearch):
    """A search that looks into the cells of largest mean output.

    Parameters
    ----------
    vectors, biases : ndarrays of shape (K, r) and (K,)
    cells : Cells
    """

    def __init__(self, vectors, biases, cells):
        super().__init__(vectors, biases)
        self.cells = cells

    def raised(self, by):
        return ClassSearch(self.vectors, self.biases + by)

    def _top_of_rows(self, features, k, beta):
        outputs = self.cells.outputs(features)
        n_visited = self.cells.n_visited
        visited = np.zeros(outputs.shape, dtype=bool)
        nearest = np.argpartition(-outputs, n_visited - 1, axis=1)[:, :n_visited]
        np.put_along_axis(visited, nearest, True, axis=1)
        first = np.zeros_like(visited)
        first[np.arange(len(outputs)), outputs.argmax(axis=1)] = True
        best, log_sum = Largest(len(features), k), LogSum(len(features))
        for part in (first, visited & ~first):
            for rows, members in self._visits(part):
                self._look(features, rows, members, best, log_sum, beta)
            best.sort()
        if beta is not None:
            self._add_others(features, visited, log_sum, beta)
        return self._completed(features, best, log_sum, k, beta)

    def _visits(self, visited):
        """Rows, and members of a cell that they look into, of each cell."""
        bounds = self.cells.bounds
        for cell in np.flatnonzero(visited.any(axis=0)):
            members = self.cells.members[bounds[cell] : bounds[cell + 1]]
            yield np.flatnonzero(visited[:, cell]), members

    def _look(self, features, rows, members, best, log_sum, beta):
        part = features[rows].astype(np.float64, copy=False)
        single = part.astype(np.float32)
        shared = np.empty((len(rows), len(members)), dtype=np.float32)
        block = Block(part, self.vectors[members], self.biases[members], single, shared)
        hits, columns, outputs = block.largest(best.least[rows], best.k)
        best.add(0, rows[hits], members[columns], outputs)
        if beta is not None:
            log_sum.add(block.outputs, beta, rows)

    def _add_others(self, features, visited, log_sum, beta):
        """What the sampled classes say about all that were not looked at."""
        cells = self.cells
        sample = cells.sample
        outputs = features @ self.vectors[sample].T + self.biases[sample]
        seen = visited[:, cells.cell_of[sample]]
        n_left = len(cells.members) - visited @ np.diff(cells.bounds)
        n_sampled = np.maximum((~seen).sum(axis=1), 1)
        outputs += np.log(np.maximum(n_left, 1) / n_sampled)[:, None] / beta
        outputs[seen] = -np.inf
        log_sum.add(outputs, beta)

    def _completed(self, features, best, log_sum, k, beta):
        """With rows for which fewer than k were found searched among all classes."""
        few = best.counts < k
        if not few.any():
            return self._found(features, best, log_sum, beta)
        every = ClassSearch(self.vectors, self.biases)
        if few.all():
            return every.top(features, k, beta)
        parts = self._top_of_rows(features[~few], k, beta), every.top(features[few], k, beta)
        order = np.argsort(np.argsort(few, kind="stable"), kind="stable")
        return Found(*(None if p is None else p[order] for p in Found.joined(parts)))
