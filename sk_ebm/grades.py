"""Answers that are correct to a degree."""

from collections import namedtuple
from functools import cached_property

import numpy as np

Pairs = namedtuple("Pairs", ["better", "worse", "sample", "weight", "gain"])
"""Pairs of a better and a worse candidate: their indices in the flat (n k,), the sample of each
pair, weights that sum to one over a sample's pairs, and these times the difference in gain."""

_BLOCK = 1 << 21  # pairs that are made at once
_KEPT = 1 << 23  # pairs up to which they are kept, about 40 bytes each


class Graded:
    """How good each candidate is, where several are correct: a target like a distribution.

    Parameters
    ----------
    gains : ndarray of shape (n, k)
        0 = incorrect or absent; the larger, the better.
    counts : ndarray of shape (n, k)
        How many times each candidate is there; 0 = absent.
    """

    ndim = 2

    def __init__(self, gains, counts):
        self.gains = gains
        self.counts = counts

    @cached_property
    def shares(self):
        """The target distribution (n, k), proportional to the gains; zero where nothing is."""
        worth = self.gains * self.counts
        total = worth.sum(axis=1, keepdims=True)
        return worth / np.where(total > 0, total, 1.0)

    @cached_property
    def n_pairs(self):
        """Number (n,) of pairs of a better and a worse candidate, copies counted."""
        order = np.argsort(self.gains, axis=1)
        gains, counts = (np.take_along_axis(a, order, axis=1) for a in (self.gains, self.counts))
        before = np.cumsum(counts, axis=1) - counts
        return np.sum(counts * np.take_along_axis(before, ties(gains)[0], axis=1), axis=1)

    def pairs(self):
        """Blocks of `Pairs`; kept where there are few."""
        return self._kept or self._made()

    @cached_property
    def _kept(self):
        return list(self._made()) if np.sum(self.n_pairs) <= _KEPT else None

    def _made(self):
        n, k = self.gains.shape
        total = np.maximum(self.n_pairs, np.finfo(float).tiny)
        order = np.argsort(-self.gains, axis=1, kind="stable")
        step = max(_BLOCK // (n * k), 1)
        least = np.min(self.gains, axis=1, where=self.counts > 0, initial=np.inf)[:, None]
        n_better = np.sum(self.gains > least, axis=1).max()  # the others are better than none
        for start in range(0, n_better, step):
            better = order[:, start : start + step]
            gain = np.take_along_axis(self.gains, better, axis=1)[:, :, None] - self.gains[:, None]
            counts = np.take_along_axis(self.counts, better, axis=1)[:, :, None]
            counts = counts * self.counts[:, None]
            sample, place, worse = np.nonzero((gain > 0) & (counts > 0))
            if not len(sample):
                continue
            weight = counts[sample, place, worse] / total[sample]
            gain = gain[sample, place, worse] * weight
            better = sample * k + better[sample, place]
            yield Pairs(better, sample * k + worse, sample, weight, gain)


def ties(values):
    """First and last place (n, k) that hold the same value as each place of sorted rows."""
    places = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    new = np.ones(values.shape, dtype=bool)
    new[:, 1:] = values[:, 1:] != values[:, :-1]
    firsts = np.maximum.accumulate(np.where(new, places, 0), axis=1)
    ends = np.ones(values.shape, dtype=bool)
    ends[:, :-1] = new[:, 1:]
    last = np.where(ends, places, values.shape[1])
    return firsts, np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
