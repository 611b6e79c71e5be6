"""Standard normal distributions, tilted by splines: how a base density is corrected."""

from functools import cached_property, lru_cache
from math import factorial

import numpy as np
from scipy import special

from sk_ebm._density.splines import (
    NODES,
    NODES_PER_INTERVAL,
    PIECES,
    TAIL_KNOTS,
    WEIGHTS,
    legendre_nodes,
    normal_density,
)

_N_TAIL = len(TAIL_KNOTS)
_LOWER_LEVELS = np.array([0, 1e-9, 1e-6, 1e-4, 1e-2, 0.1, 0.3])
_LEVELS = np.concatenate([_LOWER_LEVELS, [0.5], 1 - _LOWER_LEVELS[::-1]])  # ends of quadratures
_N_TERMS = 8  # of a series: with arguments up to 1 the next is 1 / 16! / 17 of the sum
_LEAST_SCORE = -37.0  # whose normal tail is a normal number: below, logarithms are subtracted
_LEAST_LEVEL, _GREATEST_LEVEL = 1e-300, 1 - 2**-53  # probabilities with finite quantiles


class TiltedNormal:
    """Densities N(z) exp(<o, phi(z)>) / Z of normal scores, one for each row of the outputs o.

    The exponent is linear between the points of a grid, so that masses, cdf and quantiles are exact
    however steep it is. The masses of quadrature nodes sum to those of their intervals.

    Parameters
    ----------
    splines : NormalSplines
    outputs : ndarray of shape (n, n_basis)
    """

    def __init__(self, splines, outputs):
        self.splines = splines
        self.outputs = np.asarray(outputs, dtype=np.float64)
        self._exponents = splines.exponents(self.outputs)  # (n, n_grid)
        self._slopes = np.diff(self._exponents, axis=1) / np.diff(splines.grid)

    @cached_property
    def _log_masses(self):
        """Of the lower tail, the pieces and the upper tail, times Z: (n, n_grid + 1)."""
        grid, values = self.splines.grid, self._exponents
        pieces = values[:, :-1] + _log_piece_masses(grid, self._slopes)
        lower, upper = values[:, [0]] + special.log_ndtr(grid[0]), values[:, [-1]]
        return np.hstack([lower, pieces, upper + special.log_ndtr(-grid[-1])])

    @cached_property
    def log_z(self):
        """Log partition function, (n,)."""
        logs = self._log_masses
        peak = logs.max(axis=1)  # scipy's logsumexp takes a tenth of the time of one row
        return peak + np.log(np.exp(logs - peak[:, None]).sum(axis=1))

    @cached_property
    def _below_grid(self):
        """Mass below each point of the grid, (n, n_grid)."""
        masses = np.exp(self._log_masses - self.log_z[:, None])
        return np.minimum(np.cumsum(masses[:, :-1], axis=1), 1)

    @cached_property
    def masses(self):
        """Gibbs masses of the quadrature nodes, (n, q)."""
        logs = self.splines.log_weights + self.tilt(
            np.tile(self.splines.nodes, (len(self.outputs), 1))
        )
        shares, sums = _shares(logs.reshape(len(logs), -1, NODES_PER_INTERVAL))
        sums[:, _N_TAIL:-_N_TAIL] = np.diff(self._below_grid[:, ::PIECES], axis=1)
        return (shares * sums[:, :, None]).reshape(logs.shape)

    def _pieces(self, z):
        return np.clip(
            np.searchsorted(self.splines.grid, z, side="right") - 1, 0, len(self.splines.grid) - 2
        )

    def tilt(self, z):
        """Log density over that of the standard normal, at z (n, ...)."""
        flat = np.clip(z, *self.splines.grid[[0, -1]]).reshape(len(z), -1)
        piece = self._pieces(flat)
        start, slope = (
            np.take_along_axis(a, piece, axis=1) for a in (self._exponents, self._slopes)
        )
        values = start + slope * (flat - self.splines.grid[piece]) - self.log_z[:, None]
        return values.reshape(np.shape(z))

    @cached_property
    def _tail_factors(self):
        """The constant ratios to the standard normal density in both tails, (n, 1)."""
        return np.hsplit(np.exp(self._exponents[:, [0, -1]] - self.log_z[:, None]), 2)

    def cdf(self, z):
        """Mass below z (n, k)."""
        grid, piece = self.splines.grid, self._pieces(z)
        below, start, slope = (
            np.take_along_axis(a, piece, axis=1)
            for a in (self._below_grid, self._exponents, self._slopes)
        )
        inner = np.clip(z, grid[0], grid[-1])
        log_mass = start + _log_mass(grid[piece], inner, slope) - self.log_z[:, None]
        lower, upper = self._tail_factors
        left, right = lower * special.ndtr(z), upper * special.ndtr(-z)
        inside = below + np.exp(log_mass)
        mass = np.where(z < grid[0], left, np.where(z > grid[-1], 1 - right, inside))
        return np.clip(mass, 0, 1)  # which rounding errors may be beyond

    def quantile(self, p):
        """Scores with mass p (n, k) below."""
        grid, below = self.splines.grid, self._below_grid
        lower, upper = self._tail_factors
        with np.errstate(divide="ignore", over="ignore"):
            left = np.minimum(special.ndtri(np.minimum(p / lower, 1)), grid[0])
            right = np.maximum(-special.ndtri(np.minimum((1 - p) / upper, 1)), grid[-1])
        passed = np.stack(
            [np.searchsorted(b, levels, side="right") for b, levels in zip(below, p, strict=True)]
        )
        piece = np.clip(passed - 1, 0, len(grid) - 2)
        start, slope, missing = (
            np.take_along_axis(a, piece, axis=1) for a in (self._exponents, self._slopes, below)
        )
        with np.errstate(divide="ignore"):
            log_missing = np.log(np.maximum(p - missing, 0)) - start + self.log_z[:, None]
        inside = np.clip(
            _end_of_mass(grid[piece], slope, log_missing), grid[piece], grid[piece + 1]
        )
        return np.where(passed == 0, left, np.where(passed == len(grid), right, inside))

    def quadrature_ends(self, breaks):
        """Levels between which quantiles are smooth, (n, e).

        In equal parts of the mass spikes count, and between knots and breaks (n, b) the gaps.
        """
        levels = np.tile(_LEVELS, (len(breaks), 1))
        ends = np.hstack([levels, self._below_grid[:, ::PIECES], self.cdf(breaks)])
        return np.sort(np.clip(ends, 0, 1), axis=1)

    def quadrature(self, ends):
        """Levels, their quantiles and masses, (n, e - 1, NODES_PER_INTERVAL), between ends."""
        levels, masses = legendre_nodes(ends[:, :-1], ends[:, 1:])
        inside = np.clip(levels, _LEAST_LEVEL, _GREATEST_LEVEL)
        return levels, self.quantile(inside.reshape(len(ends), -1)).reshape(levels.shape), masses


def _shares(logs):
    """Shares (..., k) of exp(logs) in their sums over the last axis, and these sums."""
    peak = np.maximum(logs.max(axis=-1, keepdims=True), -1e300)  # an empty interval has -inf
    masses = np.exp(logs - peak)
    sums = masses.sum(axis=-1, keepdims=True)
    return masses / np.maximum(sums, 1e-300), (sums * np.exp(peak))[..., 0]


def _log_mass(low, high, slope):
    """Logarithm of the integral of N(z) exp(slope (z - low)) from low to high."""
    shift = slope * (0.5 * slope - low)
    return shift + _log_difference(low - slope, high - slope)


def _log_piece_masses(grid, slopes):
    """`_log_mass` between the points of an even grid, by a series in (slope - middle) unless steep.

    A third of the time of the differences.
    """
    half, middle = (grid[1] - grid[0]) / 2, (grid[1:] + grid[:-1]) / 2
    square = (half * (slopes - middle)) ** 2
    highest, *others = _even_moments(half)
    series = np.full_like(slopes, highest)
    for moment in others:  # Horner's scheme
        series *= square
        series += moment
    logs = np.log(series) + half * slopes - 0.5 * middle**2
    rows, pieces = np.nonzero(square > 1)
    logs[rows, pieces] = _log_mass(grid[pieces], grid[pieces + 1], slopes[rows, pieces])
    return logs


@lru_cache(maxsize=64)
def _even_moments(half):
    """Integrals from -half to half of N(z) (z / half)^2k / (2k)!, from the highest k to 0."""
    gauss = WEIGHTS * half * normal_density(half * NODES)
    return [gauss @ NODES ** (2 * k) / factorial(2 * k) for k in reversed(range(_N_TERMS))]


def _log_difference(low, high):
    """log(Phi(high) - Phi(low)), from the smaller tails."""
    flipped = low + high > 0
    low, high = np.where(flipped, -high, low), np.where(flipped, -low, high)
    with np.errstate(divide="ignore"):
        mass = special.ndtr(high) - special.ndtr(low)
        logs = np.log(np.maximum(mass, 0))  # rounding errors let ndtr fall
        far = high < _LEAST_SCORE
        log_high = special.log_ndtr(high[far])
        log_ratio = np.minimum(special.log_ndtr(low[far]) - log_high, 0)
        logs[far] = log_high + np.log(-np.expm1(log_ratio))
    return logs


def _end_of_mass(low, slope, log_mass):
    """The z where `_log_mass` from low to z is log_mass."""
    start, log_part = low - slope, log_mass - slope * (0.5 * slope - low)
    from_below = special.ndtri_exp(np.minimum(np.logaddexp(special.log_ndtr(start), log_part), 0))
    log_above = special.log_ndtr(-start)
    with np.errstate(divide="ignore", invalid="ignore"):
        left_above = log_above + np.log(-np.expm1(np.minimum(log_part - log_above, 0)))
    from_above = -special.ndtri_exp(left_above)
    return slope + np.where(start < 0, from_below, from_above)
