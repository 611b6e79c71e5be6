"""Distributions of a normal score: the standard normal law, tilted by a spline."""

from functools import cached_property

import numpy as np
from numpy.polynomial import legendre
from scipy import special
from scipy.interpolate import BSpline

from sk_ebm._core.gibbs import Gibbs
from sk_ebm._utils.roots import find_root

_PER_INTERVAL = 7  # Gauss-Legendre nodes; a polynomial of degree 13 is integrated exactly
_POINTS, _WEIGHTS = legendre.leggauss(_PER_INTERVAL)
_COARSE = legendre.leggauss(4)
_TAIL_KNOTS = (4.5, 9.0)  # beyond the outer knot; what lies farther has mass 2e-19


class NormalSplines:
    """Cubic splines phi of a normal score z, constant beyond the outer knots at -3 and 3.

    The functions are orthonormal under the standard normal law and ordered by their roughness
    E phi'(z)^2, as Hermite polynomials are, whose roughness is their degree; each is then divided
    by its roughness, so that a penalty on the size of its coefficient is one on how wiggly the
    spline is (Demmler and Reinsch, 1975). The quadrature has the same nodes for every x: those of
    Gauss and Legendre between any two knots, and beyond them with weights that sum to the normal
    tail.

    Parameters
    ----------
    n_basis : int, default=8
        Number of functions, at least 1. The knots are spaced evenly, two more intervals than
        functions.

    Attributes
    ----------
    nodes : ndarray of shape (q,)
    log_weights : ndarray of shape (q,)
        Logarithms of quadrature weights times the normal density: their exponentials sum to one.
    at_nodes : ndarray of shape (q, n_basis)
        phi at the nodes.
    coarse_log_weights, at_coarse : ndarray of shape (q',), (q', n_basis)
        The same of fewer nodes, enough to fit: log Z of fitted densities are off by 1e-4 on
        average, by 1e-2 at worst.
    """

    bound = 3.0

    def __init__(self, n_basis=8):
        self.knots = np.linspace(-self.bound, self.bound, n_basis + 3)
        self.ends = np.concatenate([-np.array(_TAIL_KNOTS[::-1]), self.knots, _TAIL_KNOTS])
        self.nodes, weights = _quadrature(self.knots, self.ends)
        self.log_weights = np.log(weights)
        padded = np.pad(self.knots, 3, mode="edge")
        spline = BSpline(padded, np.eye(len(padded) - 4), 3)
        inside = np.clip(self.nodes, -self.bound, self.bound)
        values, bends = spline(inside), spline.derivative()(inside)
        bends[self.nodes != inside] = 0
        mean = weights @ values
        variances, axes = np.linalg.eigh((values - mean).T * weights @ (values - mean))
        axes = axes[:, 1:] / np.sqrt(variances[1:])  # the first function is a constant
        roughness, turned = np.linalg.eigh(axes.T @ (bends.T * weights @ bends) @ axes)
        axes = (axes @ turned / roughness)[:, :n_basis]
        coefficients = axes - mean @ axes  # B-splines sum to one
        coefficients *= np.sign(coefficients[-1])  # the same on every machine
        self._spline = BSpline(padded, coefficients, 3)
        self.at_nodes = self(self.nodes)
        coarse, weights = _coarse_quadrature(self.knots)
        self.coarse_log_weights, self.at_coarse = np.log(weights), self(coarse)

    @property
    def n_basis(self):
        return self.at_nodes.shape[1]

    def __call__(self, z):
        """phi(z), of shape z.shape + (n_basis,)."""
        return self._spline(np.clip(z, -self.bound, self.bound))


def _quadrature(knots, ends):
    """Nodes, and weights under the standard normal law, which are exact beyond the knots."""
    nodes, weights = _legendre(ends[:-1], ends[1:])
    weights *= _normal(nodes)
    for beyond in (nodes < knots[0], nodes > knots[-1]):
        weights[beyond] *= special.ndtr(knots[0]) / weights[beyond].sum()
    return nodes.ravel(), weights.ravel() / weights.sum()


def _coarse_quadrature(knots):
    """The same with few nodes, of which the outer knots stand for all beyond them."""
    nodes, weights = _legendre(knots[:-1], knots[1:], *_COARSE)
    weights *= _normal(nodes)
    weights = np.pad(weights.ravel(), 1, constant_values=special.ndtr(knots[0]))
    return np.concatenate([knots[:1], nodes.ravel(), knots[-1:]]), weights / weights.sum()


def _legendre(low, high, points=_POINTS, weights=_WEIGHTS):
    """Gauss-Legendre nodes and weights between low and high, with a last axis for the nodes."""
    half = np.asarray(high - low)[..., None] / 2
    return np.asarray(low)[..., None] + half * (1 + points), half * weights


def _partial_weights():
    """Shares a_ik of the masses m_k of an interval's nodes in the mass below its node i."""
    fitted = np.linalg.inv(legendre.legvander(_POINTS, _PER_INTERVAL - 1))
    integrals = [legendre.legint(column, lbnd=-1) for column in fitted.T]
    return np.stack([legendre.legval(_POINTS, c) for c in integrals], axis=1) / _WEIGHTS


_PARTIAL = _partial_weights()


def masses_below(masses):
    """Mass below each node, of the masses (n, q) of nodes of successive intervals."""
    parts = masses.reshape(len(masses), -1, _PER_INTERVAL)
    before = np.cumsum(parts.sum(axis=2), axis=1)[:, :-1]
    before = np.pad(before, [(0, 0), (1, 0)])[:, :, None]
    return (before + parts @ _PARTIAL.T).reshape(masses.shape)


def _normal(z):
    return np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)


class TiltedNormal:
    """Densities N(z) exp(<o, phi(z)>) / Z of normal scores, one for each row of the outputs o.

    Parameters
    ----------
    splines : NormalSplines
    outputs : ndarray of shape (n, n_basis)
    """

    def __init__(self, splines, outputs):
        self.splines = splines
        self.outputs = np.asarray(outputs, dtype=np.float64)

    @cached_property
    def _of_nodes(self):
        """The Gibbs distribution over the nodes, whose energies are -<o, phi>."""
        return Gibbs(-(self.outputs @ self.splines.at_nodes.T), self.splines.log_weights)

    @cached_property
    def log_z(self):
        """Log partition function, (n,)."""
        return self._of_nodes.log_z

    @cached_property
    def masses(self):
        """Gibbs masses of the quadrature nodes, (n, q)."""
        return self._of_nodes.probabilities

    def tilt(self, z):
        """Logarithm of the density over that of the standard normal law, at z (n, k)."""
        return np.einsum("nk,n...k->n...", self.outputs, self.splines(z)) - self._log_z(z)

    def _log_z(self, z):
        return self.log_z.reshape(-1, *[1] * (np.ndim(z) - 1))

    @cached_property
    def _below(self):
        """Mass below each knot, (n, knots), and in all."""
        n_tail = len(_TAIL_KNOTS)
        parts = self.masses.reshape(len(self.outputs), -1, _PER_INTERVAL).sum(axis=2)
        below = np.cumsum(parts, axis=1)
        return below[:, n_tail - 1 : -n_tail] / below[:, -1:]

    @cached_property
    def _beyond(self):
        """What densities of the standard normal law are multiplied with in both tails, (n, 1)."""
        ends = self.outputs @ self.splines(self.splines.knots[[0, -1]]).T
        return np.hsplit(np.exp(ends - self.log_z[:, None]), 2)

    def cdf(self, z):
        """Mass below z (n, k)."""
        knots = self.splines.knots
        interval = np.clip(np.searchsorted(knots, z, side="right") - 1, 0, len(knots) - 2)
        inside = np.take_along_axis(self._below, interval, axis=1)
        inside += self._between(knots[interval], np.clip(z, knots[0], knots[-1]))
        first, last = self._beyond
        left, right = first * special.ndtr(z), last * special.ndtr(-z)
        return np.where(z < knots[0], left, np.where(z > knots[-1], 1 - right, inside))

    def _between(self, low, high):
        """Mass between two scores in one interval of the knots, (n, k)."""
        nodes, weights = _legendre(low, high)
        return np.sum(weights * _normal(nodes) * np.exp(self.tilt(nodes)), axis=2)

    @cached_property
    def cdf_at_nodes(self):
        """Mass below each node, (n, q)."""
        return masses_below(self.masses)

    def quadrature(self, breaks):
        """Nodes, and their masses, (n, q) each, of intervals that end at breaks (n, b) too."""
        ends = self.splines.ends
        breaks = np.clip(breaks, ends[0], ends[-1])
        ends = np.sort(np.hstack([np.tile(ends, (len(breaks), 1)), breaks]), axis=1)
        nodes, weights = _legendre(ends[:, :-1], ends[:, 1:])
        masses = weights * _normal(nodes) * np.exp(self.tilt(nodes))
        masses = masses.reshape(len(breaks), -1)
        return nodes.reshape(masses.shape), masses / masses.sum(axis=1, keepdims=True)

    def partial_mean(self, z, of):
        """E[of(Z); Z <= z], (n, 1), for a function of scores (n, k) or (k,) and z (n, 1)."""
        nodes, ends = self.splines.nodes, self.splines.ends
        z = np.clip(z, ends[0], ends[-1])
        interval = np.clip(np.searchsorted(ends, z, side="right") - 1, 0, len(ends) - 2)
        parts = (self.masses * of(nodes)).reshape(len(z), -1, _PER_INTERVAL).sum(axis=2)
        before = np.pad(np.cumsum(parts, axis=1), [(0, 0), (1, 0)])
        at, weights = _legendre(ends[interval][:, 0], z[:, 0])
        inside = weights * _normal(at) * np.exp(self.tilt(at)) * of(at)
        return np.take_along_axis(before, interval, axis=1) + inside.sum(axis=1, keepdims=True)

    def quantile(self, p):
        """The scores z (n, k) with mass p (n, k) in (0, 1) below."""
        knots, below = self.splines.knots, self._below
        first, last = self._beyond
        with np.errstate(divide="ignore"):
            left = special.ndtri(np.minimum(p / first, 1))
            right = -special.ndtri(np.minimum((1 - p) / last, 1))
        interval = np.sum(below[:, None, :] <= p[:, :, None], axis=2) - 1
        middle = np.clip(interval, 0, len(knots) - 2)
        wanted = p - np.take_along_axis(below, middle, axis=1)
        start = knots[middle]

        def excess(z, rows):
            some = TiltedNormal(self.splines, self.outputs[rows])
            some.log_z = self.log_z[rows]
            mass = some._between(start[rows], z)
            return mass - wanted[rows], _normal(z) * np.exp(some.tilt(z))

        inside = find_root(excess, start, knots[middle + 1])
        return np.where(interval < 0, left, np.where(interval > len(knots) - 2, right, inside))
