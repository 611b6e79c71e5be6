"""Predictive distributions: a base density, corrected by an energy of its normal score."""

from functools import cached_property

import numpy as np
from scipy.interpolate import PchipInterpolator


class Predictive:
    """p(y given x) = q(y given x) exp(<o, phi(z)>) / Z(x), z the normal score of y under q.

    Parameters
    ----------
    base : distribution
        As `sk_ebm.distributions` describes.
    tilted : TiltedNormal
        The law of z.
    """

    def __init__(self, base, tilted):
        self.base = base
        self.tilted = tilted

    @property
    def n_rows(self):
        return len(self.tilted.outputs)

    @cached_property
    def grid(self):
        """Values of y at the nodes, (n, q)."""
        return self.base.at(self.tilted.splines.nodes)

    def log_density(self, y):
        """log p(y given x) at y (n, k), in nats."""
        return self.base.log_density(y) + self.tilted.tilt(self.base.normal_score(y))

    def energies(self, y):
        """-log q(y given x) - <o, phi(z)> at y (n, k): log p = -E - log Z."""
        return -self.log_density(y) - self.tilted.log_z[:, None]

    def cdf(self, y):
        """P(Y <= y given x) at y (n, k)."""
        return self.tilted.cdf(self.base.normal_score(y))

    def quantile(self, p):
        """Values of y with probability p (n, k) below."""
        return self.base.at(self.tilted.quantile(p))

    @cached_property
    def mean(self):
        return np.sum(self.tilted.masses * self.grid, axis=1)

    @cached_property
    def mode(self):
        """The value of greatest density: of the nodes, then refined by golden sections."""
        nodes = self.tilted.splines.nodes
        best = np.argmax(self.log_density(self.grid), axis=1)
        low = nodes[np.maximum(best - 1, 0)][:, None]
        high = nodes[np.minimum(best + 1, len(nodes) - 1)][:, None]
        shrink = (np.sqrt(5) - 1) / 2
        for _ in range(40):
            left, right = high - shrink * (high - low), low + shrink * (high - low)
            at_left, at_right = (self.log_density(self.base.at(z)) for z in (left, right))
            low = np.where(at_left < at_right, left, low)
            high = np.where(at_left < at_right, high, right)
        return self.base.at((low + high) / 2)[:, 0]

    def crps(self, y):
        """Continuous ranked probability score (Gneiting and Raftery, 2007) at y (n,).

        E|Y - y| - E|Y - Y'| / 2 = y (2 F(y) - 1) + E Y - 2 E[Y; Y <= y] - E[Y (2 F(Y) - 1)].
        """
        y = y[:, None]
        z = self.base.normal_score(y)
        below = self.tilted.partial_mean(z, self.base.at)
        twice = 2 * self.tilted.cdf(z) - 1
        gini = np.sum(self.tilted.masses * (2 * self.tilted.cdf_at_nodes - 1) * self.grid, axis=1)
        return (y * twice - 2 * below)[:, 0] + self.mean - gini

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
