"""Pairs of a better and a worse candidate."""

from functools import cached_property

import numpy as np
from scipy import sparse


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
        Weight times the difference in relative gain.
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
        return values.take(self.worse, mode="clip")  # all indices are valid: clip is the fastest

    def gain_like(self, values):
        """The gain, in the precision of the values."""
        return self.gain if values.dtype == self.gain.dtype else self._single_gain

    def sums(self, values):
        """Values (P,) of pairs summed by better candidate, and by worse candidate: (2, n, k)."""
        return (self._summation @ values).reshape(2, *self.shape)

    @cached_property
    def _single_gain(self):
        return self.gain.astype(np.float32)

    @cached_property
    def _runs(self):
        """The better candidate of each run of pairs, and the lengths of the runs."""
        firsts = np.flatnonzero(np.diff(self.better, prepend=-1))
        return self.better[firsts], np.diff(firsts, append=len(self.better))

    @cached_property
    def _summation(self):
        """1 where a candidate is the better one of a pair; below, the worse one: (2 n k, P)."""
        n_pairs, size = len(self.worse), np.prod(self.shape)
        index = np.int32 if 2 * max(n_pairs, size) <= np.iinfo(np.int32).max else np.int64
        rows = np.concatenate([self.better, self.worse + size], dtype=index)
        columns = np.tile(np.arange(n_pairs, dtype=index), 2)
        values = np.ones(2 * n_pairs, np.float32)
        return sparse.csr_array((values, (rows, columns)), shape=(2 * size, n_pairs))
