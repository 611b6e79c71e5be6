"""Ranks and ties in sorted values."""

import numpy as np


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
