"""RelevanceTarget relevance: how good each candidate is, where several are correct."""

from functools import cached_property

import numpy as np

from sk_ebm._utils.ranks import ranges, ties
from sk_ebm.losses._pairs import Pairs

_BLOCK = 1 << 21  # pairs that are made at once

_KEPT = 1 << 22  # pairs up to which they are kept, about 60 bytes each


class RelevanceTarget:
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

    def shares_with(self, more):
        """The target distribution (n, k) of the gains and ``more`` > 0, among what is there."""
        worth = self.gains + more
        worth *= self.counts
        worth /= worth.sum(axis=1, keepdims=True)
        return worth

    @cached_property
    def half_shares(self):
        """The target distribution (n, k) of the gains and a half."""
        return self.shares_with(0.5)

    @cached_property
    def present_gains(self):
        """Gains (n, k), zero where a candidate is absent."""
        return np.where(self.counts > 0, self.gains, 0)

    @cached_property
    def gains_in_order(self):
        """The same, of each sample the largest first."""
        return -np.sort(-self.present_gains, axis=1)

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
        there = self.counts > 0
        gains = np.where(there, self.gains, -1.0)
        order = np.argsort(-gains, axis=1, kind="stable")
        first_worse = ties(-np.take_along_axis(gains, order, axis=1))[1] + 1
        n_worse = np.maximum(np.sum(there, axis=1, keepdims=True) - first_worse, 0).ravel()
        samples_first = np.arange(0, n * k, k)[:, None]
        order, first_worse = (order + samples_first).ravel(), (first_worse + samples_first).ravel()
        gains, counts = gains.ravel(), self.counts.ravel()
        ends, made = np.cumsum(n_worse), 0
        while made < ends[-1]:
            start, stop = np.searchsorted(ends, [made, made + _BLOCK], side="right")
            stop = max(stop, start + 1)
            lengths = n_worse[start:stop]
            better = np.repeat(order[start:stop], lengths)
            worse = order[ranges(first_worse[start:stop], lengths)]
            sample = better // k
            weight = counts[better] * counts[worse] / total[sample]
            gain = (gains[better] - gains[worse]) * weight
            yield Pairs((n, k), better, worse, sample, weight, gain)
            made = ends[stop - 1]
