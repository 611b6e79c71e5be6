"""Standard normal distributions, tilted by splines: how a base density is corrected."""

from functools import cached_property

import numpy as np
from scipy import special

from sk_ebm._core.gibbs import Gibbs
from sk_ebm._density.splines import (
    NODES_PER_INTERVAL,
    TAIL_KNOTS,
    legendre_nodes,
    masses_below,
    normal_density,
)
from sk_ebm._utils.roots import find_root


class TiltedNormal:
    """Densities N(z) exp(<o, phi(z)>) / Z of normal scores, one for each row of the outputs o.

    Parameters
    ----------
    splines : NormalSplines
    outputs : ndarray of shape (n, n_basis)
        Shrunk where the splines' quadrature would not resolve the density.
    """

    def __init__(self, splines, outputs):
        self.splines = splines
        self.outputs = splines.limited(np.asarray(outputs, dtype=np.float64))

    @cached_property
    def _gibbs(self):
        """The Gibbs distribution over the nodes, whose energies are -<o, phi>."""
        return Gibbs(-(self.outputs @ self.splines.at_nodes.T), self.splines.log_weights)

    @cached_property
    def log_z(self):
        """Log partition function, (n,)."""
        return self._gibbs.log_z

    @cached_property
    def masses(self):
        """Gibbs masses of the quadrature nodes, (n, q)."""
        return self._gibbs.probabilities

    def tilt(self, z, rows=slice(None)):
        """Log density over that of the standard normal, of (some) rows at z (n, k)."""
        log_z = self.log_z[rows].reshape(-1, *[1] * (np.ndim(z) - 1))
        return np.einsum("nk,n...k->n...", self.outputs[rows], self.splines(z)) - log_z

    @cached_property
    def _below_knots(self):
        """Mass below each knot, (n, n_knots)."""
        n_tail = len(TAIL_KNOTS)
        below = np.cumsum(self._sum_intervals(self.masses), axis=1)
        return below[:, n_tail - 1 : -n_tail] / below[:, -1:]

    def _sum_intervals(self, at_nodes):
        return at_nodes.reshape(len(self.outputs), -1, NODES_PER_INTERVAL).sum(axis=2)

    @cached_property
    def _tail_factors(self):
        """The constant ratios to the standard normal density in both tails, (n, 1)."""
        ends = self.outputs @ self.splines(self.splines.knots[[0, -1]]).T
        return np.hsplit(np.exp(ends - self.log_z[:, None]), 2)

    def cdf(self, z):
        """Mass below z (n, k)."""
        knots = self.splines.knots
        interval = np.clip(np.searchsorted(knots, z, side="right") - 1, 0, len(knots) - 2)
        inside = np.take_along_axis(self._below_knots, interval, axis=1)
        inside += self._between(knots[interval], np.clip(z, knots[0], knots[-1]))
        lower, upper = self._tail_factors
        left, right = lower * special.ndtr(z), upper * special.ndtr(-z)
        return np.where(z < knots[0], left, np.where(z > knots[-1], 1 - right, inside))

    def _between(self, low, high, rows=slice(None)):
        """Mass between two scores in one interval of the knots, (n, k)."""
        nodes, weights = legendre_nodes(low, high)
        return np.sum(weights * normal_density(nodes) * np.exp(self.tilt(nodes, rows)), axis=2)

    @staticmethod
    def masses_below(masses):
        """Mass below each node, of the masses (n, q) of a quadrature."""
        return masses_below(masses)

    @cached_property
    def cdf_at_nodes(self):
        """Mass below each node, (n, q)."""
        return masses_below(self.masses)

    def quadrature(self, breaks):
        """Nodes and their masses, (n, q') each, of intervals that end at breaks (n, b) too."""
        ends = self.splines.ends
        breaks = np.clip(breaks, ends[0], ends[-1])
        ends = np.sort(np.hstack([np.tile(ends, (len(breaks), 1)), breaks]), axis=1)
        nodes, weights = legendre_nodes(ends[:, :-1], ends[:, 1:])
        masses = weights * normal_density(nodes) * np.exp(self.tilt(nodes))
        masses = masses.reshape(len(breaks), -1)
        return nodes.reshape(masses.shape), masses / masses.sum(axis=1, keepdims=True)

    def partial_mean(self, z, function):
        """E[f(Z); Z <= z], (n, 1), for a function f of scores (n, k) or (k,) and z (n, 1)."""
        ends = self.splines.ends
        z = np.clip(z, ends[0], ends[-1])
        interval = np.clip(np.searchsorted(ends, z, side="right") - 1, 0, len(ends) - 2)
        by_interval = self._sum_intervals(self.masses * function(self.splines.nodes))
        below = np.pad(np.cumsum(by_interval, axis=1), [(0, 0), (1, 0)])
        nodes, weights = legendre_nodes(ends[interval][:, 0], z[:, 0])
        inside = weights * normal_density(nodes) * np.exp(self.tilt(nodes)) * function(nodes)
        return np.take_along_axis(below, interval, axis=1) + inside.sum(axis=1, keepdims=True)

    def quantile(self, p):
        """Scores with mass p (n, k) below."""
        knots, below = self.splines.knots, self._below_knots
        lower, upper = self._tail_factors
        with np.errstate(divide="ignore"):
            left = special.ndtri(np.minimum(p / lower, 1))
            right = -special.ndtri(np.minimum((1 - p) / upper, 1))
        interval = np.sum(below[:, None, :] <= p[:, :, None], axis=2) - 1
        inner = np.clip(interval, 0, len(knots) - 2)
        missing = p - np.take_along_axis(below, inner, axis=1)
        start = knots[inner]

        def excess(z, rows):
            mass = self._between(start[rows], z, rows)
            return mass - missing[rows], normal_density(z) * np.exp(self.tilt(z, rows))

        inside = find_root(excess, start, knots[inner + 1])
        return np.where(interval < 0, left, np.where(interval > len(knots) - 2, right, inside))
