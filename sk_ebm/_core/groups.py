"""The items of queries as answers."""

from functools import cached_property

import numpy as np

from sk_ebm._core.answers import Answers
from sk_ebm._core.folds import Folds
from sk_ebm._utils.ranks import ranges
from sk_ebm.losses._relevance import RelevanceTarget


class Groups(Answers):
    """Items of queries as answers: one row of the inputs for each item, one sample for each query.

    Queries differ in length: those of similar length are a block, so that one long query never
    pads many short ones.

    Parameters
    ----------
    gains : ndarray of shape (m,)
        How good each item is, >= 0.
    query : ndarray of int, shape (m,)
        The query of each item, 0 to n - 1, in any order.
    relevance : ndarray of shape (m,), default=None
        Grades as given, for experts that read them; None means the gains.
    copies : ndarray of shape (m,), default=None
        How many times each item is there; None means once. Only their ratios within a query count.
    """

    n_outputs = 1
    shift_axis = 0

    def __init__(self, gains, query, relevance=None, copies=None):
        self.gains = gains
        self.query = query
        self.relevance = gains if relevance is None else relevance
        self.copies = np.ones(len(gains)) if copies is None else copies
        self.sizes = np.bincount(query)
        self._ends = np.cumsum(self.sizes)
        self._order = np.argsort(query, kind="stable")

    def __len__(self):
        return len(self.sizes)

    def rows(self, samples):
        """Rows of the items of some queries, query after query."""
        sizes = self.sizes[samples]
        return self._order[ranges(self._ends[samples] - sizes, sizes)]

    def take(self, samples):
        rows, sizes = self.rows(samples), self.sizes[samples]
        query = np.repeat(np.arange(len(sizes)), sizes)
        return Groups(self.gains[rows], query, self.relevance[rows], self.copies[rows])

    @cached_property
    def mean_copies(self):
        """Of the items of each query that are there at all, (n,)."""
        there = np.bincount(self.query, self.copies > 0)
        return np.bincount(self.query, self.copies) / np.maximum(there, 1)

    @cached_property
    def _counts(self):
        """Copies (m,) over their mean in the query; ones in queries without any."""
        mean = self.mean_copies[self.query]
        return np.where(mean > 0, self.copies / np.where(mean > 0, mean, 1.0), 1.0)

    def per_row(self, values):
        return values[self.query] * self._counts

    @cached_property
    def informative(self):
        """Whether each query has an item that is worth something, (n,)."""
        return np.bincount(self.query, self.gains * self.copies) > 0

    def folds(self, n_folds, rng):
        """Shuffled folds of whole queries, the informative ones spread over them.

        None at all where fewer than two are informative: nothing can be held out then.
        """
        n_folds = min(n_folds, np.count_nonzero(self.informative))
        if n_folds < 2:
            return Folds(())
        order = rng.permutation(len(self))
        order = order[np.argsort(~self.informative[order], kind="stable")]
        fold = np.empty(len(self), dtype=int)
        fold[order] = np.arange(len(self)) % n_folds
        return Folds.of_numbers(fold)

    @cached_property
    def blocks(self):
        found = []
        for samples in _of_similar_length(self.sizes):
            rows, sizes = self.rows(samples), self.sizes[samples]
            found.append((samples, rows, Padded(self.gains[rows], self._counts[rows], sizes)))
        return found

    @cached_property
    def positions_in_blocks(self):
        return np.argsort(np.concatenate([rows for _, rows, _ in self.blocks]))


class Padded(Answers):
    """A block of queries of similar length, their rows one after another: energies (n, longest)."""

    n_outputs = 1

    def __init__(self, gains, counts, sizes):
        self.sizes = sizes
        places = np.arange(sizes.max())
        self.present = places < sizes[:, None]
        self._where = np.flatnonzero(self.present)
        firsts = np.cumsum(sizes) - sizes
        self._row = firsts[:, None] + np.where(self.present, places, 0)  # of the first if absent
        self.target = RelevanceTarget(self._padded(gains), self._padded(counts))
        with np.errstate(divide="ignore"):
            self.log_measure = np.log(self.target.counts)

    def _padded(self, values):
        padded = np.zeros(self.present.shape)
        padded[self.present] = values
        return padded

    def __len__(self):
        return len(self.sizes)

    def per_row(self, values):
        return np.repeat(values, self.sizes)

    def arrange(self, outputs):
        """In double precision: the padded items, absent, have the energy of the first."""
        energies = np.negative(outputs[:, 0], dtype=np.float64).take(self._row)
        return energies, lambda slopes: -self._of_rows(slopes, outputs.dtype)

    def diagonal(self, curvature, outputs):
        return self._of_rows(curvature.diagonal, outputs.dtype)

    def _of_rows(self, values, dtype):
        """Values (n, longest) of the items that are present, (m, 1)."""
        return values.take(self._where)[:, None].astype(dtype, copy=False)


_COST = 4096  # of a block, in entries of padding that take as long


def _of_similar_length(sizes):
    """Parts of the samples that take the least time, padded to the longest; the longest first."""
    order = np.argsort(-sizes, kind="stable")
    lengths, firsts = np.unique(-sizes[order], return_index=True)
    ends = np.append(firsts, len(sizes))
    least, last = np.zeros(len(ends)), np.zeros(len(ends), dtype=int)  # if a block ended there
    for i in range(1, len(ends)):
        times = least[:i] - lengths[:i] * (ends[i] - ends[:i])
        last[i] = np.argmin(times)
        least[i] = times[last[i]] + _COST
    bounds = [len(lengths)]
    while bounds[0]:
        bounds.insert(0, last[bounds[0]])
    return np.split(order, ends[bounds[1:-1]])
