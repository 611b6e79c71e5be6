"""Answers that are correct to a degree."""

from functools import cached_property

import numpy as np


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
