"""Distributions of a continuous answer with known cdf, one for each row of the inputs.

Each has ``logpdf(y)`` in nats of y (n, k), the normal score ``normal_score(y)`` = Phi^-1(F(y)),
accurate in both tails, of y (n, k) or, the same in all rows, (k,), and its inverse
``from_normal_score(z)`` for z of these shapes. Where the latter bends sharply, ``breaks`` (n, b)
are the normal scores at these places.
"""

from copy import copy
from functools import cached_property, lru_cache

import numpy as np
from scipy import special, stats
from scipy.interpolate import CubicSpline

from sk_ebm._utils.roots import find_root

_LOG_ROOT = 0.5 * np.log(2 * np.pi)
_LEAST = 1e-290  # of a sum of products, below which some may be cut to zero
_LEAST_MASS = 1e-12  # of a cell that others' probabilities can raise


class Student:
    """Student's distributions with one number of degrees of freedom.

    Parameters
    ----------
    loc, scale : ndarray of shape (n,)
    df : float
    """

    def __init__(self, loc, scale, df):
        self.loc, self.scale, self.df = loc, scale, df

    def _standard(self, y):
        return (y - self.loc[:, None]) / self.scale[:, None]

    def logpdf(self, y):
        return stats.t.logpdf(self._standard(y), self.df) - np.log(self.scale)[:, None]

    def normal_score(self, y):
        t = self._standard(y)
        spline = _student_scores(self.df)
        u = np.arcsinh(np.abs(t) / np.sqrt(self.df))
        scores, beyond = spline(u), u > spline.x[-1]
        scores[beyond] = _student_score(np.abs(t[beyond]), self.df)
        return np.copysign(scores, t)

    def from_normal_score(self, z):
        t = -np.sign(z) * special.stdtrit(self.df, special.ndtr(-np.abs(z)))
        return self.loc[:, None] + self.scale[:, None] * t


def _student_score(t, df):
    """Normal scores of t >= 0, accurate in the tail."""
    with np.errstate(divide="ignore"):
        return -special.ndtri_exp(np.log(special.stdtr(df, -t)))


@lru_cache(maxsize=64)
def _student_scores(df):
    """Normal scores of t = sqrt(df) sinh(u) as a spline of u >= 0, in which they are smooth.

    From 3 degrees of freedom on its error is below 1e-10; it takes a fifth of the time.
    """
    u = np.linspace(0, min(12.0, 600 / df), 2048)  # the tail is about exp(-df u): not below tiny
    return CubicSpline(u, _student_score(np.sqrt(df) * np.sinh(u), df))


class TransformedDistribution:
    """Distributions of y, given those of a power of it.

    Parameters
    ----------
    raised : distributions
    power : PowerTransform
    """

    def __init__(self, raised, power):
        self.raised, self.power = raised, power

    def logpdf(self, y):
        return self.raised.logpdf(self.power(y)) + self.power.log_slope(y)

    def normal_score(self, y):
        return self.raised.normal_score(self.power(y))

    def from_normal_score(self, z):
        return self.power.inverse(self.raised.from_normal_score(z))


class Blended:
    """Distributions in which the probabilities of cells are blended with given ones.

    Within a cell the density keeps its form. Cells of no probability get none.

    Parameters
    ----------
    distribution : distributions
    edges : ndarray of shape (n_cells - 1,)
        Where the cells meet, in ascending order.
    shares : ndarray of shape (n, n_cells)
        The given probabilities.
    weight : float
        Theirs, in [0, 1].
    """

    def __init__(self, distribution, edges, shares, weight):
        self.distribution, self.edges = distribution, edges
        scores = distribution.normal_score(edges)
        tail = special.ndtr(-np.abs(scores))
        low, high = (
            np.pad(np.where(side, tail, 1 - tail), [(0, 0), (1, 1)])
            for side in (scores < 0, scores >= 0)
        )
        low[:, -1] = high[:, 0] = 1.0
        self._own_ends = low[:, :-1], high[:, 1:]
        own = np.where(low[:, 1:] < 0.5, np.diff(low, axis=1), -np.diff(high, axis=1))
        self._blend(own, shares, weight)

    def _blend(self, own, shares, weight):
        self._own, self._shares = own, shares
        given = np.where(own > _LEAST_MASS, weight * shares, 0.0)
        rest = 1 - given.sum(axis=1, keepdims=True)
        self._ratios = rest + given / np.maximum(own, _LEAST_MASS)
        blended = self._ratios * own
        below = np.pad(np.cumsum(blended, axis=1), [(0, 0), (1, 0)])
        above = np.pad(np.cumsum(blended[:, ::-1], axis=1)[:, ::-1], [(0, 0), (0, 1)])
        self._ends = below[:, :-1], above[:, 1:]

    def weighing(self, weight):
        """The same with another weight."""
        other = copy(self)
        vars(other).pop("_edges_at", None)
        other._blend(self._own, self._shares, weight)
        return other

    @cached_property
    def _edges_at(self):
        """Normal scores where cells meet, (n, n_cells - 1)."""
        return _score(self._ends[0][:, 1:], self._ends[1][:, :-1])

    @property
    def breaks(self):
        """Where cells meet, and where the distribution has its own."""
        if not hasattr(self.distribution, "breaks"):
            return self._edges_at
        inner = self.normal_score(self.distribution.from_normal_score(self.distribution.breaks))
        return np.hstack([self._edges_at, inner])

    def ratios_of(self, y):
        """Of the density to that of the distribution, at y (n, k)."""
        return np.take_along_axis(self._ratios, np.searchsorted(self.edges, y), axis=1)

    def logpdf(self, y):
        return self.distribution.logpdf(y) + np.log(self.ratios_of(y))

    def normal_score(self, y):
        scores = self.distribution.normal_score(y)
        cells = np.broadcast_to(np.searchsorted(self.edges, y), scores.shape)
        return _moved(scores, cells, self._own_ends, self._ends, self._ratios)

    def from_normal_score(self, z):
        z = np.broadcast_to(z, (len(self._ratios), np.shape(z)[-1]))
        cells = (z[:, :, None] > self._edges_at[:, None]).sum(axis=2)
        return self.distribution.from_normal_score(
            _moved(z, cells, self._ends, self._own_ends, 1 / self._ratios)
        )


def _moved(scores, cells, ends, new_ends, ratios):
    """Normal scores (n, k) after cells have got new ends and densities have been multiplied.

    Ends are the probabilities below the cells and above; the smaller tail is the accurate one.
    """
    ratios = np.take_along_axis(ratios, cells, axis=1)
    tails = []
    for side, old, new in zip((scores, -scores), ends, new_ends, strict=True):
        old, new = (np.take_along_axis(table, cells, axis=1) for table in (old, new))
        tails.append(new + (special.ndtr(side) - old) * ratios)
    return _score(*tails)


def _score(low, high):
    """Normal scores from both tails, whichever is the smaller one."""
    low, high = (np.clip(tail, np.finfo(float).tiny, 1.0) for tail in (low, high))
    return np.where(low < high, special.ndtri(low), -special.ndtri(high))


class PredictedDistribution:
    """Distributions of others: ``logpdf``, ``logcdf`` and ``logsf``, perhaps ``ppf`` and ``isf``.

    Parameters
    ----------
    distributions : object
        Its methods take and return arrays (n,).
    near : ndarray of shape (2,)
        Two values of y, between which inverting begins.
    """

    def __init__(self, distributions, near):
        self.distributions = distributions
        self.near = near

    def _columns(self, name, values):
        method = getattr(self.distributions, name)
        return np.stack([np.asarray(method(v), dtype=float) for v in values.T], axis=1)

    def logpdf(self, y):
        return self._columns("logpdf", y)

    def normal_score(self, y):
        return score_of(self._columns("logcdf", y), self._columns("logsf", y))

    def from_normal_score(self, z):
        z = np.atleast_2d(z)
        if hasattr(self.distributions, "ppf") and hasattr(self.distributions, "isf"):
            low = self._columns("ppf", special.ndtr(np.minimum(z, 0)))
            return np.where(z <= 0, low, self._columns("isf", special.ndtr(-np.maximum(z, 0))))
        n_rows = len(np.asarray(self.distributions.logpdf(self.near[0])))
        z = np.broadcast_to(z, (n_rows, z.shape[1]))
        low, high = (np.full(z.shape, float(v)) for v in self.near)
        for _ in range(60):
            short, long = self.normal_score(low) > z, self.normal_score(high) < z
            if not (short | long).any():
                break
            width = high - low
            low, high = np.where(short, low - width, low), np.where(long, high + width, high)

        def excess(y, rows):
            everywhere = low.copy()
            everywhere[rows] = y
            return tuple(part[rows] for part in _excess(self, everywhere, z))

        return find_root(excess, low, high)


class MixtureRows:
    """One Gaussian mixture for each row.

    Parameters
    ----------
    log_shares, means, widths : ndarray of shape (n, n_components)
    """

    def __init__(self, log_shares, means, widths):
        self.log_shares, self.means, self.widths = log_shares, means, widths

    @cached_property
    def _shares(self):
        return np.exp(self.log_shares)

    @cached_property
    def breaks(self):
        """At four widths from the means: values jump from one component to the next."""
        ends = [self.means - 4 * self.widths, self.means + 4 * self.widths]
        return self.normal_score(np.hstack(ends))

    def _standard(self, y):
        t = np.atleast_2d(y)[:, :, None] - self.means[:, None]  # (n, k, components)
        t /= self.widths[:, None]
        return t

    def _sum(self, of_components):
        return np.einsum("nc,nkc->nk", self._shares, of_components)

    def logpdf(self, y):
        t = self._standard(y)
        density = np.einsum("nc,nkc->nk", self._shares / self.widths, np.exp(-0.5 * t * t))
        found = np.log(np.maximum(density, _LEAST)) - _LOG_ROOT
        far = np.nonzero(density < _LEAST)
        logarithms = (self.log_shares - np.log(self.widths))[far[0]] - 0.5 * t[far] ** 2
        found[far] = special.logsumexp(logarithms, axis=1) - _LOG_ROOT
        return found

    def normal_score(self, y):
        t = self._standard(y)
        tails, over = special.ndtr(-np.abs(t)), (t > 0).astype(float)  # of components
        all_tails, share_over, share_under = map(self._sum, (tails, over, 1 - over))
        tails *= over
        tails_over = self._sum(tails)
        tails_under = all_tails - tails_over
        below = tails_under + (share_over - tails_over)  # a tail is at most half of its share
        above = tails_over + (share_under - tails_under)
        found = _score(below, above)
        far = np.nonzero(np.minimum(below, above) < _LEAST)
        log_tails = [
            special.logsumexp(self.log_shares[far[0]] + special.log_ndtr(side), axis=1)
            for side in (t[far], -t[far])
        ]
        found[far] = score_of(*log_tails)
        return found

    def from_normal_score(self, z):
        z = np.broadcast_to(z, (len(self.means), np.shape(z)[-1]))
        of_components = self.means[:, None] + self.widths[:, None] * z[:, :, None]

        def excess(y, rows):
            some = MixtureRows(self.log_shares[rows], self.means[rows], self.widths[rows])
            return _excess(some, y, z[rows])

        return find_root(excess, of_components.min(axis=2), of_components.max(axis=2))


def _excess(distribution, y, z):
    """How far the normal score at y is beyond z, and its slope, all (n, k)."""
    score = distribution.normal_score(y)
    log_slope = distribution.logpdf(y) + 0.5 * score * score + _LOG_ROOT
    return score - z, np.exp(log_slope)


def score_of(log_cdf, log_sf):
    """Normal scores from logarithms of both tails, whichever is the smaller one."""
    lower = special.ndtri_exp(np.minimum(log_cdf, -np.log(2)))
    return np.where(log_cdf < log_sf, lower, -special.ndtri_exp(np.minimum(log_sf, -np.log(2))))
