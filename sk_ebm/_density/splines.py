"""Splines of a normal score, and a quadrature under the standard normal distribution."""

import numpy as np
from numpy.polynomial import legendre
from scipy import special
from scipy.interpolate import BSpline

NODES_PER_INTERVAL = 7  # of Gauss and Legendre: exact for polynomials of degree 13
NODES, WEIGHTS = legendre.leggauss(NODES_PER_INTERVAL)
PIECES = 6  # between two knots, in which exponents are linear: .001 nats off the splines
_STEEPEST = 1e4  # exponents of normal scores: up to here their masses have 8 digits
_LARGEST_OUTPUT = 1e100  # beyond, products may overflow
TAIL_KNOTS = (4.5, 9.0)  # beyond the outer knot; what lies farther has mass 2e-19


class NormalSplines:
    """Cubic splines phi of a normal score z, constant beyond the outer knots at -3 and 3.

    The functions are orthonormal under the standard normal distribution and ordered by their
    roughness E phi'(z)^2, as Hermite polynomials are, whose roughness is their degree; each is then
    divided by its roughness, so that a penalty on the size of its coefficient is one on how wiggly
    the spline is (Demmler and Reinsch, 1975). The quadrature has the same nodes for every x: those
    of Gauss and Legendre between any two knots, and beyond them with weights that sum to the normal
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
    grid, at_grid : ndarray of shape (n_grid,) and (n_grid, n_basis)
        The knots with points between them, and phi there.
    """

    bound = 3.0

    def __init__(self, n_basis=8):
        self.knots = np.linspace(-self.bound, self.bound, n_basis + 3)
        self.ends = np.concatenate([-np.array(TAIL_KNOTS[::-1]), self.knots, TAIL_KNOTS])
        self.nodes, weights = _quadrature(self.knots, self.ends)
        self.log_weights = np.log(weights)
        self._coefficients = _orthonormal(self.knots, self.nodes, weights, n_basis)
        self.at_nodes = self(self.nodes)
        self.grid = np.linspace(-self.bound, self.bound, PIECES * (n_basis + 2) + 1)
        self.at_grid = self(self.grid)

    @property
    def n_basis(self):
        return self.at_nodes.shape[1]

    def __call__(self, z):
        """phi(z), of shape z.shape + (n_basis,)."""
        # Made anew, since scipy's object keeps functions of scipy's own, which saved models name.
        spline = BSpline(_padded(self.knots), self._coefficients, 3)
        return spline(np.clip(z, -self.bound, self.bound))

    def exponents(self, outputs):
        """<o, phi> of outputs o (n, n_basis) on the grid, (n, n_grid), shrunk if very steep."""
        outputs = np.clip(outputs, -_LARGEST_OUTPUT, _LARGEST_OUTPUT)
        values = outputs @ self.at_grid.T
        steepest = np.abs(np.diff(values, axis=1)).max(axis=1, keepdims=True)
        largest = _STEEPEST * (self.grid[1] - self.grid[0])
        return values * (largest / np.maximum(steepest, largest))


def _padded(knots):
    return np.pad(knots, 3, mode="edge")


def _orthonormal(knots, nodes, weights, n_basis):
    """Coefficients of the smoothest orthonormal functions without a mean, over their roughness."""
    padded = _padded(knots)
    spline = BSpline(padded, np.eye(len(padded) - 4), 3)
    inside = np.clip(nodes, knots[0], knots[-1])
    values, derivatives = spline(inside), spline.derivative()(inside)
    derivatives[nodes != inside] = 0
    mean = weights @ values
    variances, axes = np.linalg.eigh((values - mean).T * weights @ (values - mean))
    axes = axes[:, 1:] / np.sqrt(variances[1:])  # the first function is a constant
    roughness, rotation = np.linalg.eigh(axes.T @ (derivatives.T * weights @ derivatives) @ axes)
    axes = (axes @ rotation / roughness)[:, :n_basis]
    coefficients = axes - mean @ axes  # B-splines sum to one
    return coefficients * np.sign(coefficients[-1])  # the same on every machine


def _quadrature(knots, ends):
    """Nodes, and weights under the standard normal, which are exact beyond the knots."""
    nodes, weights = legendre_nodes(ends[:-1], ends[1:])
    weights *= normal_density(nodes)
    for beyond in (nodes < knots[0], nodes > knots[-1]):
        weights[beyond] *= special.ndtr(knots[0]) / weights[beyond].sum()
    return nodes.ravel(), weights.ravel() / weights.sum()


def legendre_nodes(low, high):
    """Gauss-Legendre nodes and weights between low and high, along a new last axis."""
    half = np.asarray(high - low)[..., None] / 2
    return np.asarray(low)[..., None] + half * (1 + NODES), half * WEIGHTS


def normal_density(z):
    return np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
