"""Repeated values of an answer: which have masses of their own, and how likely they are given x."""

import numpy as np

from sk_ebm._core.classes import Labels
from sk_ebm._core.gibbs import Gibbs

_ROWS_PER_VALUE = 10  # on average, from which on all values are taken to be rounded
_FREQUENT = 0.02  # of the rows, and
_FEWEST = 20  # rows that an atom has at least, and
_TIMES = 5  # how many times as many as any value that is none
_DIGITS = 3  # after the point, at most, of decimal fractions
_POINTS = 8  # that stand for a cell
_GAPS = 2  # at most so many steps of a lattice for each of its values that is taken


class Rounding:
    """How values were recorded: rounded to few values, with atoms, or neither.

    - Values are *rounded* where there are at least 10 rows for each distinct one. Each then stands
      for its cell, which ends half-way to its neighbours. Values of a lattice are completed.
    - *Atoms* are values with at least 20 rows and 2 % of all, at least 5 times as many as any
      value that is none; at least 20 rows of three values are left.

    Attributes
    ----------
    values : ndarray of shape (n_values,)
        Sorted; empty where values are not rounded.
    atoms : ndarray of shape (n_atoms,)
        Sorted.
    step : float
        The largest number of which all differences are multiples; 0 where there is none.
    width : float
        The step, or a hundredth of the standard deviation where there is none.
    seen : ndarray of shape (n_seen,)
        All that occurred, sorted.
    counts : ndarray of shape (n_seen,)
        How often each did.
    spreads : bool, default=True
        Whether rounded values are spread over their cells to fit a density.
    margin : ColumnTransform or None
        The scale that values and atoms are on; the step is in the unit of the column.
    """

    def __init__(self, values, atoms, step, width, seen, counts, spreads=True, margin=None):
        self.values = values
        self.atoms = atoms
        self.step = step
        self.width = width
        self.seen = seen
        self.counts = counts
        self.spreads = spreads
        self.margin = margin

    @classmethod
    def of(cls, y):
        """That of the values y (n,)."""
        values, counts = seen = np.unique(y, return_counts=True)
        step, atoms = _find_step(values), values[_atoms(counts)]
        width = step or 0.01 * np.std(y)
        others = ~np.isin(values, atoms)
        if counts[others].mean() < _ROWS_PER_VALUE:
            return cls(values[:0], atoms, step, width, *seen)
        n_steps = round(np.ptp(values) / step) if step else np.inf
        if n_steps <= _GAPS * len(values):
            lattice = values[0] + step * np.arange(n_steps + 1)
            lattice[np.searchsorted(lattice, values - step / 2)] = values
            values = lattice
        return cls(values, atoms, step, width, *seen)

    @property
    def rounded(self):
        return len(self.values) > 1

    @property
    def has_cells(self):
        return self.rounded or self.step > 0

    @property
    def masses_at(self):
        """The values that have masses."""
        return self.values if self.rounded else self.atoms

    def on(self, margin, spreads):
        """The recording of what is on the scale of a margin, straight where there are atoms."""
        values, atoms, seen = (margin(of) for of in (self.values, self.atoms, self.seen))
        width = self.width * margin.derivatives[0]
        return Rounding(values, atoms, self.step, width, seen, self.counts, spreads, margin)

    @property
    def edges(self):
        """Where the cells of neighbouring values meet."""
        return (self.values[1:] + self.values[:-1]) / 2

    def nearest(self, y):
        """Each of y replaced by the value in whose cell it is."""
        return self.values[np.searchsorted(self.edges, y)] if self.rounded else y

    def restored(self, y):
        """y as it would be recorded, with rounding errors of the last digits taken back."""
        y = self.nearest(y)
        if self.step and not self.rounded:
            y = self.seen[0] + self.step * np.rint((y - self.seen[0]) / self.step)
        closest = self.seen[np.searchsorted((self.seen[1:] + self.seen[:-1]) / 2, y)]
        errors = 1e-13 * np.ptp(self.seen)
        return np.where(np.isclose(y, closest, rtol=1e-13, atol=errors), closest, y)

    def cells(self, y):
        """Both ends, like y, of what is recorded as y: of the first and last value, infinite."""
        if self.step and not self.rounded:
            half = self.step / 2
            if self.margin is None:
                return y - half, y + half
            y = self.margin.inverse(y)
            return self.margin(y - half), self.margin(y + half)
        below, above = self._half_gaps(y)
        if self.rounded:
            below = np.where(y == self.values[0], np.inf, below)
            above = np.where(y == self.values[-1], np.inf, above)
        return y - below, y + above

    def _half_gaps(self, y):
        """Half of how far the values next to y are, below and above."""
        padded = np.pad(self.values, 1, constant_values=np.nan)
        below = (y - padded[np.searchsorted(self.values, y, side="left")]) / 2
        above = (padded[np.searchsorted(self.values, y, side="right") + 1] - y) / 2
        return np.where(np.isnan(below), above, below), np.where(np.isnan(above), below, above)

    def _half_widths(self, y):
        """How far to both sides y is spread: within its cell, and an outlier no further."""
        return np.minimum(np.minimum(*self._half_gaps(y)), np.median(np.diff(self.values)) / 2)

    def spread(self, y):
        """Points (n, k) that are spread evenly around y (n,), within its cell, or y itself.

        The mean log-density of these is a lower bound of the log of their mean density, which
        spikes do not raise.
        """
        if not (self.rounded and self.spreads):
            return y[:, None]
        half = self._half_widths(y)[:, None]
        return y[:, None] + half * (2 * np.arange(_POINTS) + 1 - _POINTS) / _POINTS

    def dequantised(self, y, rng):
        """One point at random in the cell of each of y (n,), or y itself."""
        if not (self.rounded and self.spreads):
            return y
        half = self._half_widths(y)
        return y + half * rng.uniform(-1, 1, size=len(y))


def _atoms(counts):
    """Which values stand out by how often they occur."""
    order = np.argsort(-counts, kind="stable")
    ranked = counts[order]
    enough = max(_FEWEST, _FREQUENT * counts.sum())
    apart = (ranked[:-1] >= enough) & (ranked[:-1] >= _TIMES * ranked[1:])
    apart &= counts.sum() - np.cumsum(ranked)[:-1] >= _FEWEST
    apart[-2:] = False  # a density is of three values or more
    n_atoms = np.flatnonzero(apart)[-1] + 1 if apart.any() else 0
    return np.sort(order[:n_atoms])


def _find_step(values):
    """The largest number of which all gaps between sorted values are multiples, or 0."""
    gaps = np.diff(values)
    if not len(gaps):
        return 0.0
    for unit in 10.0 ** np.arange(_DIGITS + 1):
        whole = np.rint(values * unit)
        if np.abs(whole).max() < 2**53 and np.allclose(values * unit, whole, 1e-12, 1e-9):
            return float(np.gcd.reduce(np.diff(whole).astype(np.int64))) / unit
    least = gaps.min()
    for parts in range(1, 11):
        step = gaps.sum() / max(np.round(gaps * parts / least).sum(), 1)
        if (np.abs(gaps / step - np.round(gaps / step)) < 1e-6).all():
            return float(step)
    return 0.0


class PointMassClassifier:
    """The probabilities of atoms given x, by an energy over them and "none of them".

    Parameters
    ----------
    atoms : ndarray of shape (n_atoms,)
    energy_, beta_, n_iter_, loss_curve_
        As for `EnergyClassifier`; of labels as `labels` gives them.
    """

    def __init__(self, atoms, energy_, beta_, n_iter_=0, loss_curve_=()):
        self.atoms = atoms
        self.energy_ = energy_
        self.beta_ = beta_
        self.n_iter_ = n_iter_
        self.loss_curve_ = loss_curve_

    @staticmethod
    def labels(y, atoms):
        """The index of the atom that each of y (n,) is, or their number."""
        equal = np.column_stack([y[:, None] == atoms, np.ones(len(y), dtype=bool)])
        return Labels(np.argmax(equal, axis=1), len(atoms) + 1)

    def log_masses(self, features):
        """Log probabilities (n, n_atoms + 1), the last that of no atom."""
        energies = Labels.arrange(self.energy_(features).astype(np.float64))[0]
        return Gibbs(energies, beta=self.beta_).log_probabilities
