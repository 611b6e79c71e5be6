"""Outliers among energies whose share is unknown: rows beyond a valley of the upper tail."""

import numpy as np
from scipy.special import betainc

# Chosen on simulated rows like those of detection.py --part unknown_share, where clean rows flagged
# are at most .002 without outliers, and .012 with 3 to 20 % of them ("auto" and "gaussian")
_LARGEST_SHARE = 0.3  # of outliers
_SHAPE = 0.25  # of the generalised Pareto tail of compatible rows; 0.5 finds fewer anomalies
_SIGNIFICANCE = 0.002  # of a valley, for all places together
_FREE_SHARE = 0.02  # up to which outliers need not lie denser than the rows in the valley
_BUMP_SIGNIFICANCE = 0.2  # of a higher density beyond the valley, which larger shares need
_BUMP_PARTS = (0.25, 0.5, 1.0)  # of the outliers, the lowest, that may be the denser ones
_WIDER = 1.5  # how much wider than all gaps below it a valley is
_FEWEST_BELOW = 10  # rows below a valley that the scale of the tail is estimated from
_PLACES = 60  # at which a valley may start and end; with 120 the same rows are found


def as_counts(weights):
    """Weights as numbers of rows: whole ones as they are, others scaled to a mean of one."""
    if (weights == np.round(weights)).all():
        return weights
    return weights * (len(weights) / weights.sum())


def outlier_level(energies, weights):
    """The level between compatible rows and outliers; the greatest energy where there are none.

    Compatible rows have a unimodal distribution with a generalised Pareto tail. A valley is an
    interval (u, v) that far fewer of the K rows above u lie in than this tail allows, at most half
    of them; its scale is estimated from as many rows just below u. The rows beyond the most
    significant valley, if there is any, are the outliers.

    Parameters
    ----------
    energies : ndarray of shape (n,)
    weights : ndarray of shape (n,)
        Positive; a weight of 2 stands for two rows.

    Returns
    -------
    level : float
    """
    values, index = np.unique(energies, return_inverse=True)
    counts = np.bincount(index, as_counts(weights))
    valley = _valley(values / np.abs(values).max() if values.any() else values, counts)
    if valley is None:
        return values[-1]
    lowest, highest = np.searchsorted(np.cumsum(counts) * (1 + 1e-9), valley)
    below = lowest + np.argmax(np.diff(values[lowest : highest + 1]))
    return values[below] / 2 + values[below + 1] / 2


def _valley(values, counts):
    """The ranks of the energies around the most significant valley, or None."""
    at, widest_gap, place = _order_statistics(values, counts)
    n = counts.sum()
    numbers = np.unique(np.round(np.geomspace(1, max(_LARGEST_SHARE * n, 1), _PLACES)))
    above = numbers[:, None]  # rows above the valley's start u, (a, 1)
    window = np.floor(np.minimum(np.maximum(above, _FEWEST_BELOW), (n - above - 1) / 2))
    starts, width = at(n - above), at(n - above) - at(n - above - np.maximum(window, 0))
    used = (window >= 3) & (width > 0)
    scale = width / np.log1p(np.where(used, window, 1) / above)
    scale = np.where(used, scale * (1 + 1 / np.sqrt(np.maximum(window, 1))), 1.0)
    beyond = numbers[None, :]  # of these, those beyond its end v
    ends = at(n - beyond + 1)
    possible = used & (beyond <= above) & (2 * beyond >= above)
    possible &= ends - starts > _WIDER * widest_gap(n - above)
    possible &= place(n - above) < place(n - beyond + 1)
    possible &= (beyond <= _FREE_SHARE * n) | _is_denser_beyond(at, n, above, beyond)
    if not possible.any():
        return None
    survival = np.where(possible, 1 + _SHAPE * (ends - starts) / scale, 1) ** (-1 / _SHAPE)
    chance = np.where(possible, _at_least(beyond, above, survival), 1)
    row, column = np.unravel_index(np.argmin(chance), chance.shape)
    if chance[row, column] * n > _SIGNIFICANCE:
        return None
    return n - numbers[row], n - numbers[column] + 1


def _is_denser_beyond(at, n, above, beyond):
    """Whether the lowest rows beyond the valley lie denser than those in it."""
    start, end = at(n - above), at(n - beyond + 1)
    denser = False
    for part in _BUMP_PARTS:
        lowest = np.maximum(np.floor(beyond * part), 1)
        last = at(n - beyond + lowest)
        share = np.maximum(last - end, 0) / np.maximum(last - start, np.finfo(float).tiny)
        inside = np.maximum(above - beyond, 0)
        denser |= _at_least(lowest, lowest + inside, share) < _BUMP_SIGNIFICANCE
    return denser


def _at_least(successes, trials, probability):
    """The probability of at least so many successes."""
    return betainc(successes, np.maximum(trials - successes, 0) + 1, probability)


def _order_statistics(values, counts):
    """Functions of ranks, from 1: the energy there, the widest gap up to there, and its index.

    Equal energies are spread over the smaller of the two gaps below them, as rounding made them so.
    """
    ends, gaps = np.cumsum(counts), np.diff(values, prepend=values[0])
    gaps_below = np.concatenate([gaps[:1], gaps[1:2], gaps[1:-1]])
    spread = np.minimum(gaps, gaps_below) * np.maximum(1 - 1 / counts, 0)
    widest = np.maximum.accumulate(gaps - spread)

    def place(rank):
        return np.minimum(np.searchsorted(ends * (1 + 1e-9), rank), len(values) - 1)

    def at(rank):
        group = place(rank)
        part = np.clip((ends[group] - rank) / np.maximum(counts[group] - 1, 1), 0, 1)
        return values[group] - spread[group] * part

    return at, lambda rank: widest[place(rank)], place
