"""Predictive distributions: a base density corrected by an energy of its normal score, with atoms
beside it, and rounded. All have one distribution for each row, and the same methods.
"""

from functools import cached_property

import numpy as np
from scipy.interpolate import PchipInterpolator

from sk_ebm._density.splines import masses_below

_CERTAIN = 1e-8  # mass below which a difference of two cdfs is not accurate
_FINER = 2  # values for each node among which the mode is looked for
_CLOSE = 1e-7  # distance of normal scores to which it is found


class Predictive:
    """p(y given x) = q(y given x) exp(<o, phi(z)>) / Z(x), z the normal score of y under q.

    Parameters
    ----------
    base : distribution
        As `sk_ebm._density.base_fit` describes.
    tilted : TiltedNormal
        The law of z.
    """

    def __init__(self, base, tilted):
        self.base = base
        self.tilted = tilted

    @property
    def n_rows(self):
        return len(self.tilted.outputs)

    @property
    def masses(self):
        """Gibbs masses of the grid, (n, q)."""
        return self.tilted.masses

    @cached_property
    def grid(self):
        """Values of y at the nodes, (n, q)."""
        return self.base.from_normal_score(self.tilted.splines.nodes)

    def logpdf(self, y):
        """log p(y given x) at y (n, k), in nats."""
        return self.base.logpdf(y) + self.tilted.tilt(self.base.normal_score(y))

    def log_mass(self, y, low, high):
        """Log mass of a cell (low, high) around y, all (n, k); an end may be infinite."""
        mass = self.cdf(high) - self.cdf(low)
        width = 2 * np.minimum(high - y, y - low)
        return np.where(
            mass > _CERTAIN,
            np.log(np.maximum(mass, _CERTAIN)),
            self.logpdf(y) + np.log(width),
        )

    def energies(self, y):
        """-log q(y given x) - <o, phi(z)> at y (n, k): log p = -E - log Z."""
        return -self.logpdf(y) - self.log_z[:, None]

    @property
    def log_z(self):
        return self.tilted.log_z

    def cdf(self, y):
        """P(Y <= y given x) at y (n, k)."""
        return self.tilted.cdf(self.base.normal_score(y))

    def quantile(self, p):
        """Values of y with probability p (n, k) below."""
        return self.base.from_normal_score(self.tilted.quantile(p))

    @cached_property
    def _breaks(self):
        """Where values bend sharply between the nodes, normal scores (n, b), or None."""
        return getattr(self.base, "breaks", None)

    @cached_property
    def _pieces(self):
        """Values and their masses, (n, q) each, whose sums are integrals: those of the grid,
        or, where there are breaks, of more between these."""
        if self._breaks is None:
            return self.grid, self.masses
        nodes, masses = self.tilted.quadrature(self._breaks)
        return self.base.from_normal_score(nodes), masses

    @cached_property
    def mean(self):
        values, masses = self._pieces
        return np.sum(masses * values, axis=1)

    @cached_property
    def mode(self):
        """The value of greatest density: of many, then of closer and closer ones around it.

        No slopes are used: a base may have jumps.
        """
        nodes = self.tilted.splines.nodes
        z = np.tile(
            np.interp(np.arange(0, len(nodes), 1 / _FINER), np.arange(len(nodes)), nodes),
            (self.n_rows, 1),
        )
        while True:
            best = np.argmax(self.logpdf(self.base.from_normal_score(z)), axis=1)
            ends = np.stack([np.maximum(best - 1, 0), np.minimum(best + 1, z.shape[1] - 1)], axis=1)
            low, high = np.take_along_axis(z, ends, axis=1).T
            if (high - low).max() < _CLOSE:
                return self.base.from_normal_score(np.take_along_axis(z, best[:, None], axis=1))[
                    :, 0
                ]
            z = np.linspace(low, high, 4 * _FINER + 1, axis=1)

    def crps(self, y):
        """Continuous ranked probability score (Gneiting and Raftery, 2007) at y (n,).

        It is E|Y - y| - E|Y - Y'| / 2.
        """
        return self.distance(y) - self.gini

    def distance(self, y):
        """E|Y - y| = y (2 F(y) - 1) + E Y - 2 E[Y; Y <= y] at y (n,)."""
        y = y[:, None]
        z = self.base.normal_score(y)
        if self._breaks is not None:
            nodes, masses = self.tilted.quadrature(np.hstack([self._breaks, z]))
            return np.sum(masses * np.abs(self.base.from_normal_score(nodes) - y), axis=1)
        below = self.tilted.partial_mean(z, self.base.from_normal_score)
        twice = 2 * self.tilted.cdf(z) - 1
        return (y * twice - 2 * below)[:, 0] + self.mean

    @cached_property
    def gini(self):
        """E|Y - Y'| / 2 = E[Y (2 F(Y) - 1)], (n,)."""
        values, masses = self._pieces
        return np.sum(masses * (2 * masses_below(masses) - 1) * values, axis=1)

    def shortest(self, coverage):
        """Ends (n, 2) of the shortest interval with that probability."""
        lows = np.linspace(0, 1 - coverage, 201)
        below = self.tilted.cdf_at_nodes
        start = np.empty(len(below))
        for i, (level, values) in enumerate(zip(below, self.grid, strict=True)):
            level, first = np.unique(level, return_index=True)
            quantile = PchipInterpolator(level, values[first], extrapolate=True)
            start[i] = lows[np.argmin(quantile(lows + coverage) - quantile(lows))]
        return self.quantile(np.stack([start, start + coverage], axis=1))


class Wrapped:
    """Another form of a law of each row, with methods of the same names."""

    def __init__(self, law):
        self.law = law

    @property
    def n_rows(self):
        return self.law.n_rows

    @property
    def log_z(self):
        return self.law.log_z

    def energies(self, y):
        return -self.logpdf(y) - self.log_z[:, None]

    def shortest(self, coverage):
        lows = np.linspace(1e-9, 1 - coverage - 1e-9, 201)
        ends = self.quantile(np.tile(np.append(lows, lows + coverage), (self.n_rows, 1)))
        low, high = np.hsplit(ends, 2)
        best = np.argmin(high - low, axis=1)[:, None]
        return np.hstack([np.take_along_axis(end, best, axis=1) for end in (low, high)])


class WithPointMasses(Wrapped):
    """A law with atoms, each of which has a mass beside the density of the rest.

    The density at an atom is its mass over the width of what is recorded as it.

    Parameters
    ----------
    law : Predictive
        That of the rest.
    atoms : ndarray of shape (a,)
        Sorted.
    width : float
    log_masses : ndarray of shape (n, a + 1)
        Logarithms of the masses of the atoms, and of the rest.
    """

    def __init__(self, law, atoms, width, log_masses):
        super().__init__(law)
        self.atoms = atoms
        self.width = width
        self.log_masses = log_masses
        self._of_atoms, self._of_rest = np.hsplit(np.exp(log_masses), [-1])

    @cached_property
    def grid(self):
        """Values at the nodes and then the atoms, (n, q + a)."""
        return np.hstack([self.law.grid, np.tile(self.atoms, (self.n_rows, 1))])

    @cached_property
    def masses(self):
        return np.hstack([self._of_rest * self.law.masses, self._of_atoms])

    @cached_property
    def mean(self):
        return self._of_rest[:, 0] * self.law.mean + self._of_atoms @ self.atoms

    def logpdf(self, y):
        found = self.log_masses[:, -1:] + self.law.logpdf(y)
        for atom, log_mass in zip(self.atoms, self.log_masses.T, strict=False):
            found = np.where(y == atom, log_mass[:, None] - np.log(self.width), found)
        return found

    def log_mass(self, y, low, high):
        found = self.log_masses[:, -1:] + self.law.log_mass(y, low, high)
        for atom, log_mass in zip(self.atoms, self.log_masses.T, strict=False):
            inside = (low <= atom) & (atom <= high)
            found = np.where(inside, np.logaddexp(found, log_mass[:, None]), found)
        return found

    def cdf(self, y):
        passed = (self.atoms <= y[:, :, None]) @ self._of_atoms[:, :, None]
        return self._of_rest * self.law.cdf(y) + passed[:, :, 0]

    def quantile(self, p):
        after = self.cdf(np.tile(self.atoms, (self.n_rows, 1)))
        before = after - self._of_atoms
        passed = (p[:, :, None] > after[:, None]) @ self._of_atoms[:, :, None]
        of_rest = (p - passed[:, :, 0]) / np.maximum(self._of_rest, np.finfo(float).tiny)
        found = self.law.quantile(np.clip(of_rest, 1e-300, 1 - 2**-53))
        for j, atom in enumerate(self.atoms):
            found = np.where((p > before[:, [j]]) & (p <= after[:, [j]]), atom, found)
        return found

    @cached_property
    def mode(self):
        """An atom if it has half of all mass, else the mode of the rest."""
        top = np.argmax(self._of_atoms, axis=1)
        return np.where(self._of_atoms.max(axis=1) >= 0.5, self.atoms[top], self.law.mode)

    def crps(self, y):
        """E|Y - y| - E|Y - Y'| / 2, of which each expectation is a sum over atoms and rest."""
        of_rest, ones = self._of_rest[:, 0], np.ones(self.n_rows)
        gini = of_rest**2 * self.law.gini
        for atom, mass in zip(self.atoms, self._of_atoms.T, strict=True):
            from_rest = of_rest * self.law.distance(atom * ones)
            gini += mass * (from_rest + self._from_atoms(atom * ones) / 2)
        return of_rest * self.law.distance(y) + self._from_atoms(y) - gini

    def _from_atoms(self, y):
        return np.sum(self._of_atoms * np.abs(self.atoms - y[:, None]), axis=1)


class Rounded(Wrapped):
    """A law of values, each of which has the mass of its cell under another law.

    Parameters
    ----------
    law : Predictive or WithPointMasses
    recording : Rounding
        Has the values, and the edges between their cells.
    """

    def __init__(self, law, recording):
        super().__init__(law)
        self.recording = recording
        self._values = recording.values

    @cached_property
    def grid(self):
        """The values, (n, n_values)."""
        return np.tile(self._values, (self.n_rows, 1))

    @cached_property
    def _below(self):
        """P(Y <= value), (n, n_values)."""
        inner = self.law.cdf(np.tile(self.recording.edges, (self.n_rows, 1)))
        return np.pad(inner, [(0, 0), (0, 1)], constant_values=1)

    @cached_property
    def masses(self):
        return np.maximum(np.diff(self._below, axis=1, prepend=0), 0)

    def logpdf(self, y):
        return self.law.logpdf(y)

    def cdf(self, y):
        below = np.pad(self._below, [(0, 0), (1, 0)])
        return np.take_along_axis(below, np.searchsorted(self._values, y, side="right"), axis=1)

    def quantile(self, p):
        return self.recording.nearest(self.law.quantile(p))

    @cached_property
    def mean(self):
        return self.masses @ self._values

    @cached_property
    def mode(self):
        return self._values[np.argmax(self.masses, axis=1)]

    def crps(self, y):
        """The integral over t of (F(t) - 1[t >= y])^2, a sum over the gaps between values."""
        gaps, below = np.diff(self._values), self._below[:, :-1]
        short = np.clip(y[:, None] - self._values[:-1], 0, gaps)  # of each gap the part below y
        inside = below**2 * short + (1 - below) ** 2 * (gaps - short)
        return inside.sum(axis=1) + np.abs(y - np.clip(y, self._values[0], self._values[-1]))
