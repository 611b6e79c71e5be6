"""Ranks and ties within groups: the items of a query, ordered by a value."""

from collections import namedtuple

import numpy as np

Ranking = namedtuple("Ranking", ["order", "rank", "starts", "sizes"])
"""Rows (m,) by group and value, their ranks in their groups, from 0, and the ties of the ordered
rows, equal values of one group: where each starts (t,), and how many rows it has (t,)."""


def rank_in_groups(groups, values):
    """The `Ranking` of values (m,) in groups (m,), integers >= 0; ties are in the rows' order."""
    order = np.lexsort((values, groups))
    group_starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    starts, sizes = ties(values[order], group_starts)
    return Ranking(order, ranges(0, np.diff(group_starts, append=len(order))), starts, sizes)


def ties(ordered, group_starts):
    """Where runs of equal values (m,), ordered within each group, start, and their sizes."""
    new = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    new[group_starts] = True
    starts = np.flatnonzero(new)
    return starts, np.diff(starts, append=len(ordered))


def ranges(starts, lengths):
    """The integers from each start on, as many as its length, one after another.

    One start may stand for all.
    """
    return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
