"""Distributions with the probabilities of a histogram blended in."""

from functools import cached_property

import numpy as np
from scipy import special

from sk_ebm._density.normal_scores import score_from_tails

_MIN_MASS = 1e-12  # of a bin that can be reweighted
_CELLS = np.concatenate([[-8.0, -6.0], np.arange(-5.0, 6.0), [6.0, 8.0]])
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(3)
_MIN_SHARE_OF_TAIL = 1e-8  # the same, of the smaller tail: below, differences lose their digits


class BlendedDistribution:
    """Distributions in which the probabilities of bins are blended with those of a histogram.

    Within a bin the density keeps its form. Bins without probability get none.

    Parameters
    ----------
    distribution : distributions
    edges : ndarray of shape (n_bins - 1,)
        Where the bins meet, in ascending order.
    shares : ndarray of shape (n, n_bins)
        The histogram.
    weight : float
        That of the histogram, in [0, 1].
    """

    def __init__(self, distribution, edges, shares, weight):
        self.distribution, self.edges = distribution, edges
        self._base_edge_scores = scores = distribution.normal_score(edges)
        tail = special.ndtr(-np.abs(scores))
        below, above = (
            np.pad(np.where(side, tail, 1 - tail), [(0, 0), (1, 1)])
            for side in (scores < 0, scores >= 0)
        )
        below[:, -1] = above[:, 0] = 1.0
        masses = np.where(below[:, 1:] < 0.5, np.diff(below, axis=1), -np.diff(above, axis=1))
        tails = np.minimum(below[:, 1:], above[:, :-1])
        added = np.where(
            masses > np.maximum(_MIN_MASS, _MIN_SHARE_OF_TAIL * tails), weight * shares, 0.0
        )
        kept = 1 - added.sum(axis=1, keepdims=True)
        self._ratios = kept + added / np.maximum(masses, _MIN_MASS)
        self._masses, self._blended_masses = masses, self._ratios * masses
        blended = self._blended_masses
        self._tails = below[:, :-1], above[:, 1:]  # beyond the two ends of each bin
        self._blended_tails = (
            np.pad(np.cumsum(blended, axis=1), [(0, 0), (1, 0)])[:, :-1],
            np.pad(np.cumsum(blended[:, ::-1], axis=1)[:, ::-1], [(0, 0), (0, 1)])[:, 1:],
        )

    @cached_property
    def _edge_scores(self):
        """Normal scores where bins meet, (n, n_bins - 1)."""
        below, above = self._blended_tails
        return score_from_tails(below[:, 1:], above[:, :-1])

    @property
    def breaks(self):
        """Where bins meet, and the breaks of the distribution itself."""
        if not hasattr(self.distribution, "breaks"):
            return self._edge_scores
        inner = self.normal_score(self.distribution.from_normal_score(self.distribution.breaks))
        return np.hstack([self._edge_scores, inner])

    def density_ratio(self, y):
        """The density over that of the distribution, at y (n, k)."""
        return np.take_along_axis(self._ratios, np.searchsorted(self.edges, y), axis=1)

    def logpdf(self, y):
        return self.distribution.logpdf(y) + np.log(self.density_ratio(y))

    def normal_score(self, y):
        scores = self.distribution.normal_score(y)
        bins = np.broadcast_to(np.searchsorted(self.edges, y), scores.shape)
        return _reweighted(
            scores, bins, self._tails, self._blended_tails, self._ratios, self._blended_masses
        )

    def from_normal_score(self, z):
        return self.distribution.from_normal_score(self._base_scores(z))

    def _base_scores(self, z):
        """The normal scores under the distribution itself where those of the blend are z."""
        z = np.broadcast_to(z, (len(self._ratios), np.shape(z)[-1]))
        bins = _n_below(self._edge_scores, z)
        return _reweighted(
            z, bins, self._blended_tails, self._tails, 1 / self._ratios, self._masses
        )

    def mean(self, tilted):
        """The means of the distributions, tilted by a `TiltedNormal`.

        Between the ends of bins, the knots of the tilt and points a normal score apart masses are
        exact, and three nodes of Gauss and Legendre stand for the distribution, whose tilt is
        linear: the means are exact to a thousandth.
        """
        knots = self._base_scores(tilted.splines.knots)
        fixed = np.tile(_CELLS, (len(knots), 1))
        ends = np.hstack([self._base_edge_scores, knots, fixed])
        ends = np.sort(np.clip(ends, _CELLS[0], _CELLS[-1]), axis=1)
        bins = _n_below(self._base_edge_scores, ends)
        scores = _reweighted(
            ends, bins, self._tails, self._blended_tails, self._ratios, self._blended_masses
        )
        levels = tilted.cdf(scores)
        levels[:, 0], levels[:, -1] = 0, 1
        masses, half = np.diff(levels, axis=1), np.diff(ends, axis=1)[:, :, None] / 2
        nodes = ends[:, :-1, None] + half * (1 + _NODES)
        slopes = np.diff(tilted.tilt(scores), axis=1)[:, :, None] / 2
        shares = _WEIGHTS * np.exp(slopes * _NODES - 0.5 * nodes**2)
        shares /= np.maximum(shares.sum(axis=2, keepdims=True), 1e-300)
        y = self.distribution.from_normal_score(nodes.reshape(len(ends), -1)).reshape(nodes.shape)
        return np.einsum("nc,nck,nck->n", masses, shares, y)


def _n_below(edges, z):
    """How many of the edges (n, b) of a row are below its z (n, k)."""
    found = np.zeros(z.shape, dtype=np.uint8)  # of at most 32 bins
    for edge in edges.T:
        found += z > edge[:, None]
    return found.astype(np.intp)


def _reweighted(scores, bins, tails, new_tails, ratios, new_masses):
    """Normal scores (n, k) after the densities in bins have been multiplied by ratios."""
    ratios, new_masses = (np.take_along_axis(a, bins, axis=1) for a in (ratios, new_masses))
    new = []
    for side, before, after in zip((scores, -scores), tails, new_tails, strict=True):
        before, after = (np.take_along_axis(tail, bins, axis=1) for tail in (before, after))
        inside = (special.ndtr(side) - before) * ratios  # with rounding errors of the tails
        new.append(after + np.clip(inside, 0, new_masses))
    return score_from_tails(*new)
