"""Scales of the columns of a table, on which each is alike."""

import numpy as np
from scipy.special import ndtri

from sk_ebm._density.repeated_values import recurrence

_RECURS = 0.8  # of new rows that hold a value seen before, above which a scale stays straight
_ROWS = 2000  # below which an empirical distribution function is noise
_VALUES = 10  # between two bends of a scale, at least, but none in a gap
_BENDS = 2.0  # Kolmogorov and Smirnov's statistic, above which a scale is not straight


class ColumnTransform:
    """A scale of a column, straight between knots and beyond them.

    Parameters
    ----------
    x : ndarray of shape (n_knots,)
        Knots in the unit of the column, ascending; two at least.
    z : ndarray of shape (n_knots,)
        The same on the scale, ascending.
    """

    def __init__(self, x, z):
        self.x = x
        self.z = z
        self.slopes = np.diff(z) / np.diff(x)

    @classmethod
    def of(cls, column, recording):
        """The scale of a column (n,), recorded as ``recording`` says.

        A column of 2,000 rows or more without masses, the values of which hardly recur, is read as
        normal scores: of its empirical distribution function, at as many knots as the cube root of
        its rows, and at others where it surely bends between two. The rest are in units of their
        standard deviation.
        """
        values, counts = recording.seen, recording.counts
        smooth = len(recording.masses_at) == 0 and recurrence(counts) <= _RECURS
        if smooth and len(column) >= _ROWS:
            ranks = np.cumsum(counts) - counts / 2
            knots = _refined(values, ranks, _knots(ranks, len(column) ** (2 / 3)))
            return cls(values[knots], ndtri(ranks[knots] / len(column)))
        mean, spread = np.mean(column), np.std(column) if len(values) > 1 else 0.0
        spread = next(unit for unit in (spread, 1.0, abs(mean)) if mean + unit > mean)
        return cls(np.array([mean, mean + spread]), np.array([0.0, 1.0]))

    def __call__(self, x):
        """Values x on the scale."""
        piece = self._piece(self.x, x)
        return self.z[piece] + self.slopes[piece] * (x - self.x[piece])

    def inverse(self, z):
        """Values z of the scale in the unit of the column."""
        piece = self._piece(self.z, z)
        return self.x[piece] + (z - self.z[piece]) / self.slopes[piece]

    def log_slope(self, x):
        """Log derivative of the scale at x: what densities on the scale gain in the unit."""
        return np.log(self.slopes[self._piece(self.x, x)])

    @staticmethod
    def _piece(knots, values):
        return np.searchsorted(knots[1:-1], values, side="right")


def _knots(ranks, rows):
    """Indices of values, from the first to the last, apart by so many rows and a few values."""
    found, last = [0], len(ranks) - 1
    while True:
        later = np.searchsorted(ranks, ranks[found[-1]] + rows)
        later = max(later, found[-1] + _VALUES)
        if later > last - _VALUES:
            return [*found, last]
        found.append(later)


def _refined(values, ranks, knots):
    """Knots, and others between two where ranks are no straight line of values.

    That is where the distance of Kolmogorov and Smirnov is one of 7 in 10,000 by chance; then the
    value at which it is reached is a knot too, and so on.
    """
    found, ends = knots[:1], knots[:0:-1]
    while ends:
        first, last = found[-1], ends[-1]
        inner = np.arange(first + 1, last)
        x, z = ((of[inner] - of[first]) / (of[last] - of[first]) for of in (values, ranks))
        apart = np.minimum(inner - first, last - inner)
        distance = np.where((apart >= _VALUES) | (apart == 1), np.abs(z - x), 0)
        if np.sqrt(ranks[last] - ranks[first]) * distance.max(initial=0) > _BENDS:
            ends.append(inner[np.argmax(distance)])
        else:
            found.append(ends.pop())
    return found
