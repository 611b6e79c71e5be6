"""Repeated values of a continuous answer: a rounding grid, point masses, a common step."""

from dataclasses import dataclass, replace

import numpy as np

from sk_ebm._density.column_transform import ColumnTransform
from sk_ebm._utils.weighted import weighted_std

_ROWS_PER_ROUNDED_VALUE = 10  # on average: with fewer, a histogram of the values is mostly noise
_POINT_MASS_SHARE = 0.02  # of the rows: below, a point mass changes the mean density hardly
_POINT_MASS_ROWS = 20  # below, its probability given x cannot be learned
_POINT_MASS_RATIO = 5  # to the next frequent value: ordinary ties do not differ that much
_DECIMALS = 3  # at most, of values that are decimal fractions
_SPREAD_POINTS = 8  # that stand for a rounding interval
_STEPS_PER_VALUE = 2  # at most, of a lattice whose missing values are filled in
_ROUNDING_ERROR = 1e-13  # relative, of values that were transformed and back


@dataclass(frozen=True, eq=False)
class Rounding:
    """Which values of an answer are repeated: all of them, some point masses, or none.

    - With at least 10 rows for each distinct value, values are *rounded*. Each stands for an
      interval, which ends half-way to its neighbours. Missing values of a lattice are filled in.
    - *Point masses* are values with at least 20 rows and 2 % of all, at least 5 times as many as
      any value that is none; at least 20 rows of three other values remain.

    Attributes
    ----------
    values : ndarray of shape (n_values,)
        Sorted; empty unless values are rounded.
    point_masses : ndarray of shape (n_point_masses,)
        Sorted.
    step : float
        The largest number of which all differences are multiples, in the unit of the answer; 0
        where there is none.
    width : float
        The step, or a hundredth of the standard deviation where there is none.
    seen : ndarray of shape (n_seen,)
        All distinct values of the training rows, sorted.
    counts : ndarray of shape (n_seen,)
        How many training rows have each.
    frequencies : ndarray of shape (n_seen,)
        The weights of these rows, which sum to the number of all rows.
    spreads : bool, default=True
        Whether rounded values are spread over their intervals to fit a density.
    transform : ColumnTransform or None
        The scale that values, point masses, width and seen values are on.
    """

    values: np.ndarray
    point_masses: np.ndarray
    step: float
    width: float
    seen: np.ndarray
    counts: np.ndarray
    frequencies: np.ndarray
    spreads: bool = True
    transform: ColumnTransform | None = None

    @classmethod
    def of(cls, y, weights=None):
        """The rounding of the values y (n,); weights say how frequent each is."""
        values, index, counts = np.unique(y, return_inverse=True, return_counts=True)
        counts = counts.astype(np.int32)
        if weights is None or np.ptp(weights) == 0:
            frequencies = counts
        else:
            frequencies = np.bincount(index, weights)
            frequencies *= len(y) / frequencies.sum()
        seen = values, counts, frequencies
        step, point_masses = _common_step(values), values[_frequent(counts)]
        width = step or 0.01 * weighted_std(y, np.ones(len(y)))
        others = ~np.isin(values, point_masses)
        if counts[others].mean() < _ROWS_PER_ROUNDED_VALUE:
            return cls(values[:0], point_masses, step, width, *seen)
        n_steps = round(np.ptp(values) / step) if step else np.inf
        if n_steps <= _STEPS_PER_VALUE * len(values):
            lattice = values[0] + step * np.arange(n_steps + 1)
            lattice[np.searchsorted(lattice, values - step / 2)] = values
            values = lattice
        return cls(values, point_masses, step, width, *seen)

    @property
    def rounded(self):
        return len(self.values) > 1

    @property
    def has_intervals(self):
        """Whether each value stands for an interval, which has a mass."""
        return self.rounded or self.step > 0

    @property
    def masses_at(self):
        """The values with positive probability."""
        return self.values if self.rounded else self.point_masses

    def is_point_mass(self, y):
        return np.isin(y, self.point_masses)

    def transformed(self, transform, spreads):
        """The rounding of the transformed answer; transforms are linear where values repeat."""
        return replace(
            self,
            values=transform(self.values),
            point_masses=transform(self.point_masses),
            seen=transform(self.seen),
            width=self.width * transform.derivatives[0],
            spreads=spreads,
            transform=transform,
        )

    def without_single_values(self):
        """The same after the fit: draws without a step equal no value that one row has."""
        if self.step:
            return self
        kept = self.counts > 1
        kept[[0, -1]] = True
        counts = self.counts[kept]
        is_same = self.frequencies is self.counts
        frequencies = counts if is_same else self.frequencies[kept]
        return replace(self, seen=self.seen[kept], counts=counts, frequencies=frequencies)

    @property
    def edges(self):
        """The ends of the inner rounding intervals."""
        return (self.values[1:] + self.values[:-1]) / 2

    def nearest(self, y):
        """The nearest value of the rounding grid to each of y, or y where there is none."""
        return self.values[np.searchsorted(self.edges, y)] if self.rounded else y

    def restored(self, y):
        """y rounded as the training values are, without the rounding errors of transforms."""
        y = self.nearest(y)
        if self.step and not self.rounded:
            y = self.seen[0] + self.step * np.rint((y - self.seen[0]) / self.step)
        closest = self.seen[np.searchsorted((self.seen[1:] + self.seen[:-1]) / 2, y)]
        error = _ROUNDING_ERROR * np.ptp(self.seen)
        return np.where(np.isclose(y, closest, rtol=_ROUNDING_ERROR, atol=error), closest, y)

    def intervals(self, y):
        """Both ends, shaped like y, of what is rounded to y; outer ends are infinite."""
        if self.step and not self.rounded:
            half = self.step / 2
            if self.transform is None:
                return y - half, y + half
            y = self.transform.inverse(y)
            return self.transform(y - half), self.transform(y + half)
        below, above = self._half_gaps(y)
        if self.rounded:
            below = np.where(y == self.values[0], np.inf, below)
            above = np.where(y == self.values[-1], np.inf, above)
        return y - below, y + above

    def _half_gaps(self, y):
        """Half the distances to the next values below and above."""
        padded = np.pad(self.values, 1, constant_values=np.nan)
        below = (y - padded[np.searchsorted(self.values, y, side="left")]) / 2
        above = (padded[np.searchsorted(self.values, y, side="right") + 1] - y) / 2
        return np.where(np.isnan(below), above, below), np.where(np.isnan(above), below, above)

    def _half_widths(self, y):
        """How far y is spread to both sides: within its interval, and an outlier no further."""
        return np.minimum(np.minimum(*self._half_gaps(y)), np.median(np.diff(self.values)) / 2)

    def spread(self, y):
        """Points (n, k) spread evenly over the rounding intervals of y (n,), or y itself.

        Their mean log density is a lower bound of the log of their mean density, and narrow peaks
        do not raise it.
        """
        if not (self.rounded and self.spreads):
            return y[:, None]
        half = self._half_widths(y)[:, None]
        return y[:, None] + half * (2 * np.arange(_SPREAD_POINTS) + 1 - _SPREAD_POINTS) / (
            _SPREAD_POINTS
        )

    def dequantised(self, y, rng):
        """A random point in the rounding interval of each of y (n,), or y itself."""
        if not (self.rounded and self.spreads):
            return y
        return y + self._half_widths(y) * rng.uniform(-1, 1, size=len(y))


def _frequent(counts):
    """Indices of the values that are point masses."""
    order = np.argsort(-counts, kind="stable")
    ranked = counts[order]
    needed = max(_POINT_MASS_ROWS, _POINT_MASS_SHARE * counts.sum())
    apart = (ranked[:-1] >= needed) & (ranked[:-1] >= _POINT_MASS_RATIO * ranked[1:])
    apart &= counts.sum() - np.cumsum(ranked)[:-1] >= _POINT_MASS_ROWS
    apart[-2:] = False  # a density needs three values
    n_point_masses = np.flatnonzero(apart)[-1] + 1 if apart.any() else 0
    return np.sort(order[:n_point_masses])


def _common_step(values):
    """The largest number of which all gaps between sorted values are multiples, or 0."""
    gaps = np.diff(values)
    if not len(gaps):
        return 0.0
    for unit in 10.0 ** np.arange(_DECIMALS + 1):
        whole = np.rint(values * unit)
        if np.abs(whole).max() < 2**53 and np.allclose(values * unit, whole, 1e-12, 1e-9):
            return float(np.gcd.reduce(np.diff(whole).astype(np.int64))) / unit
    least = gaps.min()
    for divisor in range(1, 11):  # the step is the least gap, a half of it, a third, ...
        step = gaps.sum() / max(np.round(gaps * divisor / least).sum(), 1)
        if (np.abs(gaps / step - np.round(gaps / step)) < 1e-6).all():
            return float(step)
    return 0.0
