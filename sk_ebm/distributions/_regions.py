"""Regions of highest density: unions of intervals with a given probability (Hyndman, 1996)."""

import numpy as np

_TAIL_LEVELS = 10.0 ** -np.arange(9, 3, -0.5)
_LEVELS = np.concatenate([_TAIL_LEVELS, np.arange(1, 1000) / 1000, 1 - _TAIL_LEVELS[::-1]])
_N_BISECTIONS = 40  # of the level of the density, to 1e-12 of the range of its logarithm
_LARGEST_GAP = 700.0  # of logarithms of densities: what is below is zero
_ROUNDING = 1e-12


def continuous_regions(distribution, coverage):
    """Where the density is above the level at which its region has that probability, (n,).

    Between a thousand quantiles the logarithm of the density counts as linear.
    """
    y = distribution.ppf(np.tile(_LEVELS, (distribution.n_rows, 1)))
    logs, masses = distribution.logpdf(y), np.diff(_LEVELS)
    high = logs.max(axis=1)
    logs = np.maximum(logs, high[:, None] - _LARGEST_GAP)
    low = logs.min(axis=1)
    for _ in range(_N_BISECTIONS):
        level = (low + high) / 2
        enough = _shares_above(logs - level[:, None]) @ masses >= coverage
        low, high = np.where(enough, level, low), np.where(enough, high, level)
    return [_runs(*row) for row in zip(y, logs - low[:, None], strict=True)]


def _shares_above(excess):
    """The share of each cell in which the excess (n, m), linear between its ends, is positive."""
    positive, size = np.maximum(excess, 0), np.abs(excess)
    total = size[:, :-1] + size[:, 1:]
    return (positive[:, :-1] + positive[:, 1:]) / np.maximum(total, 1e-300)


def _runs(y, excess):
    """Intervals (k, 2) in which the excess (m,), linear between the points y (m,), is positive."""
    above = np.pad(excess >= 0, 1)
    first, last = np.flatnonzero(above[1:] & ~above[:-1]), np.flatnonzero(above[:-1] & ~above[1:])
    ends = [_crossing(y, excess, first - 1, first), _crossing(y, excess, last, last - 1)]
    return np.stack(ends, axis=1)


def _crossing(y, excess, outside, inside):
    """Where the excess is zero between neighbours; at the outermost points these themselves."""
    outside = np.clip(outside, 0, len(y) - 1)
    below, above = np.abs(excess[outside]), excess[inside]
    share = np.where(outside == inside, 0.0, above / np.maximum(above + below, 1e-300))
    return y[inside] + share * (y[outside] - y[inside])


def with_points(continuous, points, masses, coverage):
    """Regions of a mixture of a continuous distribution and points (a,) with masses (n, a).

    The heaviest points come first, since their density is infinite.
    """
    order = np.argsort(-masses, axis=1, kind="stable")
    ranked = np.take_along_axis(masses, order, axis=1)
    needed = np.cumsum(ranked, axis=1) - ranked < coverage - _ROUNDING
    missing = coverage - np.sum(needed * ranked, axis=1)
    share = np.clip(missing / np.maximum(1 - masses.sum(axis=1), 1e-300), 0, 1)
    regions = continuous_regions(continuous, share)
    return [
        _joined(region if left > _ROUNDING else region[:0], np.sort(points[which[take]]))
        for region, left, which, take in zip(regions, missing, order, needed, strict=True)
    ]


def _joined(region, points):
    """The union of intervals (k, 2) and points (a,)."""
    inside = ((region[:, :1] <= points) & (points <= region[:, 1:])).any(axis=0)
    alone = points[~inside]
    every = np.concatenate([region, np.stack([alone, alone], axis=1)])
    return every[np.argsort(every[:, 0])]


def regions_of_values(values, masses, coverage):
    """The fewest values (q,) whose masses (n, q) have that sum; neighbours are one interval."""
    order = np.argsort(-masses, axis=1, kind="stable")
    ranked = np.take_along_axis(masses, order, axis=1)
    needed = np.cumsum(ranked, axis=1) - ranked < coverage - _ROUNDING
    taken = np.zeros(masses.shape, dtype=bool)
    np.put_along_axis(taken, order, needed, axis=1)
    return [_runs(values, np.where(row, 0.0, -1.0)) for row in taken]
