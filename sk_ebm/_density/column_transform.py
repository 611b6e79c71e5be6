"""Monotone transforms that bring each column of a table to a standard normal scale."""

import numpy as np
from scipy.special import ndtri

from sk_ebm._density.repeated_values import recurrence
from sk_ebm._density.standardised import FARTHEST
from sk_ebm._utils.weighted import weighted_std

_LEAST_GAP = np.finfo(float).tiny  # between knots: less has an inverse that overflows
_MAX_RECURRENCE = 0.8  # share of new rows that hold a value seen before
_MIN_ROWS = 2000  # below which an empirical distribution function is noise
_MIN_VALUES_APART = 10  # between two knots, but not at the ends of a gap
_CRITICAL_STATISTIC = 2.0  # of Kolmogorov and Smirnov: by chance in 7 of 10,000 cases


class ColumnTransform:
    """A piecewise linear, increasing transform of a column, linear beyond the outer knots too.

    Parameters
    ----------
    x : ndarray of shape (n_knots,)
        Knots in the unit of the column, ascending; two at least.
    z : ndarray of shape (n_knots,)
        Their transforms, ascending.
    """

    def __init__(self, x, z):
        self.x = x
        self.z = z
        self.derivatives = np.diff(z) / np.maximum(np.diff(x), _LEAST_GAP)

    @classmethod
    def of(cls, column, rounding):
        """The transform of a column (n,) with this `Rounding`.

        A column of 2,000 rows or more without point masses, whose values hardly recur, becomes the
        normal scores of its empirical distribution function, at as many knots as the cube root of
        its rows, and at more where that function is significantly not linear between two. Other
        columns are standardised.
        """
        values, counts = rounding.seen, rounding.counts
        smooth = len(rounding.masses_at) == 0 and recurrence(counts) <= _MAX_RECURRENCE
        if smooth and len(column) >= _MIN_ROWS:
            ranks = np.cumsum(counts) - counts / 2
            knots = _refined_knots(values, ranks, _even_knots(ranks, len(column) ** (2 / 3)))
            return cls(values[knots], ndtri(ranks[knots] / len(column)))
        mean = np.mean(column)
        spread = weighted_std(column, np.ones(len(column))) if len(values) > 1 else 0.0
        spread = next(unit for unit in (spread, 1.0, abs(mean)) if mean + unit > mean)
        return cls(np.array([mean, mean + spread]), np.array([0.0, 1.0]))

    def __call__(self, x):
        piece = self._piece(self.x, x)
        with np.errstate(over="ignore"):
            z = self.z[piece] + self.derivatives[piece] * (x - self.x[piece])
        return np.clip(z, -FARTHEST, FARTHEST)

    def inverse(self, z):
        """The x of which z are the transforms."""
        piece = self._piece(self.z, z)
        return self.x[piece] + (z - self.z[piece]) / self.derivatives[piece]

    def log_derivative(self, x):
        """Logarithm of the derivative at x."""
        return np.log(self.derivatives[self._piece(self.x, x)])

    @staticmethod
    def _piece(knots, values):
        return np.searchsorted(knots[1:-1], values, side="right")


def _even_knots(ranks, n_rows):
    """Indices of values, from the first to the last, so many rows and some values apart."""
    knots, last = [0], len(ranks) - 1
    while True:
        following = np.searchsorted(ranks, ranks[knots[-1]] + n_rows)
        following = max(following, knots[-1] + _MIN_VALUES_APART)
        if following > last - _MIN_VALUES_APART:
            return [*knots, last]
        knots.append(following)


def _refined_knots(values, ranks, knots):
    """Knots, and between two of them, again and again, the value at which the distance of
    Kolmogorov and Smirnov between ranks and a linear function of values is significant."""
    refined, ends = knots[:1], knots[:0:-1]
    while ends:
        first, last = refined[-1], ends[-1]
        inner = np.arange(first + 1, last)
        x, z = ((v[inner] - v[first]) / (v[last] - v[first]) for v in (values, ranks))
        apart = np.minimum(inner - first, last - inner)
        allowed = (apart >= _MIN_VALUES_APART) | (apart == 1)  # next to a knot: the end of a gap
        distance = np.where(allowed, np.abs(z - x), 0)
        statistic = np.sqrt(ranks[last] - ranks[first]) * distance.max(initial=0)
        if statistic > _CRITICAL_STATISTIC:
            ends.append(inner[np.argmax(distance)])
        else:
            refined.append(ends.pop())
    return refined
