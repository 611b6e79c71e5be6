"""The items of queries as answers."""

from functools import cached_property

import numpy as np

from sk_ebm._core.answers import Answers
from sk_ebm._core.folds import Folds
from sk_ebm._utils.ranks import ranges
from sk_ebm.losses._relevance import RelevanceTarget


class Groups(Answers):
    """Items of queries as answers: one row of the inputs for each item, one sample for each query.

    Queries differ in length. Those of similar length form a block, so that one long query does not
    pad many short ones.

    Parameters
    ----------
    gains : ndarray of shape (m,)
        How good each item is, >= 0.
    query : ndarray of int, shape (m,)
        The query of each item, 0 to n - 1, in any order.
    relevance : ndarray of shape (m,), default=None
        For experts that learn from relevance itself; None means the gains.
    copies : ndarray of shape (m,), default=None
        How many times each item is present; None means once. Only their ratios within a query
        matter.
    """

    kind = "items"
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
        """Rows of the items of some queries, one query after another."""
        sizes = self.sizes[samples]
        return self._order[ranges(self._ends[samples] - sizes, sizes)]

    def take(self, samples):
        rows, sizes = self.rows(samples), self.sizes[samples]
        query = np.repeat(np.arange(len(sizes)), sizes)
        return Groups(self.gains[rows], query, self.relevance[rows], self.copies[rows])

    @cached_property
    def mean_copies(self):
        """Mean number of copies of the present items of each query, (n,)."""
        n_present = np.bincount(self.query, self.copies > 0)
        return np.bincount(self.query, self.copies) / np.maximum(n_present, 1)

    @cached_property
    def _counts(self):
        """Copies (m,) over their mean in the query; ones where no item of it is present."""
        mean = self.mean_copies[self.query]
        return np.where(mean > 0, self.copies / np.where(mean > 0, mean, 1.0), 1.0)

    def per_row(self, values):
        return values[self.query] * self._counts

    @cached_property
    def informative(self):
        """Whether each query has an item with a gain, (n,)."""
        return np.bincount(self.query, self.gains * self.copies) > 0

    @cached_property
    def ordered(self):
        """Whether each query has present items of different gains, (n,)."""
        least, most = np.full(len(self), np.inf), np.full(len(self), -np.inf)
        present = self.copies > 0
        np.minimum.at(least, self.query[present], self.gains[present])
        np.maximum.at(most, self.query[present], self.gains[present])
        return least < most

    def folds(self, n_folds, rng):
        """Shuffled folds of whole queries, the informative ones spread over them.

        No folds if fewer than two queries are informative, as nothing can be held out.
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
        blocks = []
        for samples in _split_by_length(self.sizes):
            rows, sizes = self.rows(samples), self.sizes[samples]
            blocks.append((samples, rows, Padded(self.gains[rows], self._counts[rows], sizes)))
        return blocks

    @cached_property
    def positions_in_blocks(self):
        return np.argsort(np.concatenate([rows for _, rows, _ in self.blocks]))


class Padded(Answers):
    """A block of queries of similar length, padded to the longest: energies (n, longest).

    Gains (m,) and counts (m,) of the items, one query after another; sizes (n,) of the queries.
    """

    n_outputs = 1

    def __init__(self, gains, counts, sizes):
        self.sizes = sizes
        item = np.arange(sizes.max())
        self.present = item < sizes[:, None]
        self._present_index = np.flatnonzero(self.present)
        starts = np.cumsum(sizes) - sizes
        self._row = starts[:, None] + np.where(self.present, item, 0)  # absent: that of the first
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
        """In double precision; absent items have the energy of the first."""
        energies = np.negative(outputs[:, 0], dtype=np.float64).take(self._row)
        return energies, lambda gradient: -self._per_item(gradient, outputs.dtype)

    def diagonal(self, curvature, outputs):
        return self._per_item(curvature.diagonal, outputs.dtype)

    def _per_item(self, values, dtype):
        """The entries (m, 1) of present items in values (n, longest)."""
        return values.take(self._present_index)[:, None].astype(dtype, copy=False)


_BLOCK_COST = 4096  # entries of padding: nll takes 30 to 50 us a block, 12 ns an entry


def _split_by_length(sizes):
    """The samples in blocks, the longest first, that take the least time when padded.

    Dynamic programming over the distinct lengths: cost[i] is the least cost of the samples longer
    than length i, if a block ends there, and start[i] is where this block starts.
    """
    order = np.argsort(-sizes, kind="stable")
    lengths, firsts = np.unique(-sizes[order], return_index=True)
    ends = np.append(firsts, len(sizes))
    cost, start = np.zeros(len(ends)), np.zeros(len(ends), dtype=int)
    for i in range(1, len(ends)):
        costs = cost[:i] - lengths[:i] * (ends[i] - ends[:i])  # lengths are negative
        start[i] = np.argmin(costs)
        cost[i] = costs[start[i]] + _BLOCK_COST
    bounds = [len(lengths)]
    while bounds[0]:
        bounds.insert(0, start[bounds[0]])
    return np.split(order, ends[bounds[1:-1]])
