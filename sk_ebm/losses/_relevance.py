"""Targets of graded relevance: how good each candidate is, where several are correct."""

from functools import cached_property

import numpy as np

from sk_ebm._utils.ranks import ranges, ties
from sk_ebm.losses._pairs import Pairs

_PAIRS_PER_BLOCK = 1 << 21  # temporary arrays of a block stay below 0.2 GB
_STORED_PAIRS = 1 << 22  # of 60 bytes: 0.25 GB; more pairs are made anew in each pass


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
        """The target distribution (n, k), proportional to the gains; zero without any gain."""
        return self._shares_of(self.gains)

    @cached_property
    def contrasted_shares(self):
        """The same of the gains above the least of the sample, whose candidates are incorrect.

        Where all candidates have one gain, there is none to contrast them with.
        """
        present = self.counts > 0
        least = np.where(present, self.gains, np.inf).min(axis=1, keepdims=True)
        differ = np.any(present & (self.gains > least), axis=1, keepdims=True)
        return self._shares_of(self.gains - np.where(differ, least, 0.0))

    def _shares_of(self, gains):
        mass = gains * self.counts
        total = mass.sum(axis=1, keepdims=True)
        return mass / np.where(total > 0, total, 1.0)

    def shares_with(self, noise):
        """The target distribution (n, k) of gains plus noise > 0, zero for absent candidates."""
        mass = self.gains + noise
        mass *= self.counts
        mass /= mass.sum(axis=1, keepdims=True)
        return mass

    @cached_property
    def half_shares(self):
        """The target distribution (n, k) of the gains plus a half, the mean of uniform noise."""
        return self.shares_with(0.5)

    @cached_property
    def relative_gains(self):
        """Gains (n, k) in a unit of their sample, a power of two near the largest: of any gains
        they are numbers of single precision. Zero where a candidate is absent."""
        present = np.where(self.counts > 0, self.gains, 0.0)
        return np.ldexp(present, -np.frexp(present.max(axis=1, keepdims=True))[1])

    @cached_property
    def gains_in_order(self):
        """The same, of each sample the largest first."""
        return -np.sort(-self.relative_gains, axis=1)

    @cached_property
    def _order(self):
        """Candidates in the flat (n k,) order, of each sample the best first and absent ones last,
        and the index in this order of the first that is worse than each."""
        n, k = self.gains.shape
        gains = np.where(self.counts > 0, self.gains, -1.0)
        sample_starts = np.arange(0, n * k, k)
        order = np.argsort(-gains, axis=1, kind="stable")
        order += sample_starts[:, None]
        order = order.ravel()
        starts, sizes = ties(gains.ravel()[order], sample_starts)
        return order, np.repeat(starts + sizes, sizes)

    @cached_property
    def n_pairs(self):
        """Number (n,) of pairs of a better and a worse candidate, copies counted."""
        order, first_worse = self._order
        counts = self.counts.ravel()[order].reshape(self.counts.shape)
        cumulated = np.cumsum(counts, axis=1)
        as_good = cumulated.ravel()[first_worse - 1].reshape(counts.shape)  # or better
        return np.sum(counts * (cumulated[:, -1:] - as_good), axis=1)

    def pairs(self):
        """Blocks of `Pairs`; stored unless there are many."""
        return self._stored_pairs or self._make_pairs()

    @cached_property
    def _stored_pairs(self):
        return list(self._make_pairs()) if np.sum(self.n_pairs) <= _STORED_PAIRS else None

    def _make_pairs(self):
        n, k = self.gains.shape
        relative, counts = self.relative_gains.ravel(), self.counts.ravel()
        total = np.maximum(self.n_pairs, np.finfo(float).tiny)
        order, first_worse = self._order
        first_absent = np.arange(0, n * k, k) + np.count_nonzero(self.counts, axis=1)
        n_worse = np.maximum(np.repeat(first_absent, k) - first_worse, 0)
        ends, n_made = np.cumsum(n_worse), 0
        while n_made < ends[-1]:
            start, stop = np.searchsorted(ends, [n_made, n_made + _PAIRS_PER_BLOCK], side="right")
            stop = max(stop, start + 1)
            lengths = n_worse[start:stop]
            better = np.repeat(order[start:stop], lengths)
            worse = order[ranges(first_worse[start:stop], lengths)]
            sample = better // k
            weight = counts[better] * counts[worse] / total[sample]
            gain = (relative[better] - relative[worse]) * weight
            yield Pairs((n, k), better, worse, sample, weight, gain)
            n_made = ends[stop - 1]
