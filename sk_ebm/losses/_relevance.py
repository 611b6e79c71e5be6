"""Answers that are correct to a degree."""

from functools import cached_property

import numpy as np
from scipy import sparse

_BLOCK = 1 << 21  # pairs that are made at once
_KEPT = 1 << 22  # pairs up to which they are kept, about 60 bytes each


class Pairs:
    """Pairs of a better and a worse candidate.

    Parameters
    ----------
    shape : (n, k)
        Of the samples and their candidates.
    better, worse : ndarray of int, shape (P,)
        Indices of the candidates in the flat (n k,); pairs of one better candidate are neighbours.
    sample : ndarray of int, shape (P,)
        The sample of each pair.
    weight : ndarray of shape (P,)
        Sums to one over a sample's pairs.
    gain : ndarray of shape (P,)
        Weight times the difference in gain.
    """

    def __init__(self, shape, better, worse, sample, weight, gain):
        self.shape = shape
        self.better = better
        self.worse = worse
        self.sample = sample
        self.weight = weight
        self.gain = gain

    def gaps(self, values):
        """Values (n k,) of the better candidates minus those of the worse, (P,)."""
        gap = self.of_better(values)
        gap -= self.of_worse(values)
        return gap

    def of_better(self, values):
        """Values (n k,) of the better candidates, (P,)."""
        candidates, lengths = self._runs
        return np.repeat(values[candidates], lengths)

    def of_worse(self, values):
        """Values (n k,) of the worse candidates, (P,)."""
        return values.take(self.worse, mode="clip")  # faster: all are within

    def gain_like(self, values):
        """The gain, in the precision of the values."""
        return self.gain if values.dtype == self.gain.dtype else self._single_gain

    def sums(self, values):
        """Values (P,) of pairs summed over the better candidates, and over the worse: (2, n, k)."""
        return (self._summation @ values).reshape(2, *self.shape)

    @cached_property
    def _single_gain(self):
        return self.gain.astype(np.float32)

    @cached_property
    def _runs(self):
        """The better candidate of each run of pairs, and how many pairs these are."""
        firsts = np.flatnonzero(np.diff(self.better, prepend=-1))
        return self.better[firsts], np.diff(firsts, append=len(self.better))

    @cached_property
    def _summation(self):
        """One where a candidate is the better one of a pair; below, the worse: (2 n k, P)."""
        P, size = len(self.worse), np.prod(self.shape)
        index = np.int32 if 2 * max(P, size) <= np.iinfo(np.int32).max else np.int64
        rows = np.concatenate([self.better, self.worse + size], dtype=index)
        columns = np.tile(np.arange(P, dtype=index), 2)
        values = np.ones(2 * P, np.float32)
        return sparse.csr_array((values, (rows, columns)), shape=(2 * size, P))


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


def ranges(starts, lengths):
    """The integers from each start on, as many as its length, one after another.

    One start may stand for all.
    """
    return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())


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
