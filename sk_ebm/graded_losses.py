"""Losses of items that are better and worse than each other: pairs, and places in a ranking.

Their target is a `Graded`. None depends on the order of the items, and in losses of pairs
items that are equally good give nothing to each other.
"""

from numbers import Integral

import numpy as np
from scipy.special import expit
from sklearn.base import clone

from sk_ebm._checks import check_number
from sk_ebm.grades import ties
from sk_ebm.losses import LOSSES, NLL, Curvature, Loss


class GradedLoss(Loss):
    """Base class of losses whose target must be a `Graded`."""

    graded = True
    curved = True

    def __call__(self, gibbs, target):
        return self.expansion(gibbs, target)[:2]

    def curvature(self, gibbs, target):
        return self.expansion(gibbs, target)[2]


class PairLoss(GradedLoss):
    """Base class of means over the pairs of a better and a worse item of a query.

    A subclass defines ``pair(gap)``: values, first and second derivatives by the gap E+ - E-
    between the energies of the better and the worse item.
    """

    def expansion(self, gibbs, target):
        energies = gibbs.energies.ravel()
        n, k = gibbs.energies.shape
        values, slopes, diagonal = np.zeros(n), np.zeros(n * k), np.zeros(n * k)
        for pairs in target.pairs():
            parts = self.pair(energies[pairs.better] - energies[pairs.worse])
            value, first, second = (part * pairs.weight for part in parts)
            values += np.bincount(pairs.sample, value, n)
            slopes += _by_energies(pairs, first, -first, n * k)
            diagonal += _by_energies(pairs, second, second, n * k)

        def product(v):
            moved, along = np.zeros(v.size), v.ravel()
            for pairs in target.pairs():
                second = self.pair(energies[pairs.better] - energies[pairs.worse])[2]
                bend = second * pairs.weight * (along[pairs.better] - along[pairs.worse])
                moved += _by_energies(pairs, bend, -bend, v.size)
            return moved.reshape(v.shape)

        return values, slopes.reshape(n, k), Curvature(diagonal.reshape(n, k), product)


class PairwiseLog(PairLoss):
    """Mean of log(1 + exp(E+ - E-)) over pairs of a better and a worse item (Burges et al., 2005).

    RankNet.
    """

    def pair(self, gap):
        probability = expit(gap)
        return np.logaddexp(0, gap), probability, probability * (1 - probability)


class PairwiseHinge(PairLoss):
    """Mean of max(0, margin + E+ - E-) over pairs of a better and a worse item (Joachims, 2002).

    The ranking support vector machine. Its second derivative, for boosted trees, is that of the
    Huber-like smoothing of its kink, 1 / margin where the margin is not met.
    """

    def __init__(self, margin=1.0):
        self.margin = margin

    def pair(self, gap):
        violated = (gap + self.margin > 0).astype(gap.dtype)
        return (gap + self.margin) * violated, violated, violated / self.margin


class Lambda(GradedLoss):
    """LambdaRank (Burges, 2010): RankNet's slopes, each pair weighted by the NDCG that it moves.

    A pair's weight is the change of NDCG if the two items changed places, where the first of them
    is among the first ``truncation``, over 0.01 + their distance in energy, and the slopes of
    a query are scaled by log2(1 + their sum) / their sum, as in LightGBM. The weights are held
    constant in differentiation, so that the slopes are not those of the value, which is
    1 - NDCG of the first ``truncation`` places. Items of equal energy share their places, and
    whatever its weight, an item has one.

    Parameters
    ----------
    truncation : int, default=30
    """

    exact = False

    def __init__(self, truncation=30):
        self.truncation = truncation

    def check(self):
        name = "truncation of Lambda"
        check_number(name, self.truncation, 1, closed=True, kind=Integral)

    def expansion(self, gibbs, target):
        gains = np.where(target.counts > 0, target.gains, 0)
        places = _Places(gibbs.present_energies, gains, self.truncation)
        n, k = gibbs.energies.shape
        energies = gibbs.energies.ravel()
        total, slopes, diagonal = np.zeros(n), np.zeros(n * k), np.zeros(n * k)
        for pairs in target.pairs():
            gap = energies[pairs.better] - energies[pairs.worse]
            pull = places.moved(pairs, gap)
            pull *= pairs.gain
            pull /= places.distance(pairs, gap)
            p = expit(gap)
            pull *= p
            bend = pull * (1 - p)
            total += np.bincount(pairs.sample, pull, n)
            slopes += _by_energies(pairs, pull, -pull, n * k)
            diagonal += _by_energies(pairs, bend, bend, n * k)
        unit = target.n_pairs / places.ideal  # from mean pairs to changes of NDCG
        total *= 2 * unit
        scale = (unit * np.log2(1 + total) / np.where(total > 0, total, 1.0))[:, None]
        diagonal = scale * diagonal.reshape(n, k)
        curvature = Curvature(diagonal, lambda v: diagonal * v)
        return 1 - places.ndcg, scale * slopes.reshape(n, k), curvature


class XENDCG(GradedLoss):
    """Cross-entropy that bounds NDCG (Bruch et al., 2020): targets 2^y - gamma, gamma uniform.

    The noise gamma in [0, 1) is drawn anew for each item whenever the loss is called, from
    the estimator's ``random_state``, so that slopes are not those of the value, which has the
    noise's mean. Gains other than 2^y - 1 take the place of these.
    """

    exact = False

    def seeded(self, rng):
        loss = clone(self)
        loss._rng = np.random.RandomState(rng.randint(np.iinfo(np.int32).max))
        return loss

    def __call__(self, gibbs, target):
        p = gibbs.probabilities
        slopes = _phi(target, self._noise(gibbs)) - p
        expected = _phi(target, 0.5)
        return np.sum(expected * gibbs.energies, axis=1) - gibbs.free_energy, slopes

    def curvature(self, gibbs, target):
        return NLL().curvature(gibbs, target)

    def _noise(self, gibbs):
        """Uniform draws (n, k), given to the items in the order of their energies."""
        rng = vars(self).setdefault("_rng", np.random.RandomState(0))
        order = np.argsort(gibbs.present_energies, axis=1)
        noise = np.empty(order.shape)
        np.put_along_axis(noise, order, rng.uniform(size=order.shape), axis=1)
        return noise


ITEM_LOSSES = {
    "pairwise_log": PairwiseLog,
    "pairwise_hinge": PairwiseHinge,
    "lambda": Lambda,
    "xendcg": XENDCG,
}
GRADED_LOSSES = {**LOSSES, **ITEM_LOSSES}
"""All that take a `Graded`, by name."""


class _Places:
    """The places of the items of each query in the order of their energies, and their worth.

    With places p from 0, discounts d_p = 1 / log2(2 + p) and T = ``truncation``, an item i before
    j moves E[(d_i - d_j) 1(p_i < T)], over all orders of items of equal energy.
    """

    def __init__(self, energies, gains, truncation):
        n, k = energies.shape
        places = np.arange(k)
        self._discounts, self._top = 1 / np.log2(2.0 + places), places < truncation
        order = np.argsort(energies, axis=1, kind="stable")
        ranked = np.take_along_axis(energies, order, axis=1)
        last = np.max(ranked, axis=1, where=np.isfinite(ranked), initial=-np.inf)
        self._spread_out = last > ranked[:, 0]
        order += np.arange(n)[:, None] * k
        self._firsts, self._lasts = np.empty((2, n * k), dtype=int)
        self._firsts[order], self._lasts[order] = ties(ranked)
        self._mean = self._shared(self._discounts)
        self._top_mean = self._shared(self._discounts * self._top)
        self._top_share = self._shared(self._top)
        best = -np.sort(-gains, axis=1) @ (self._discounts * self._top)
        self.ideal = np.maximum(best, np.finfo(float).tiny)
        self.ndcg = np.sum(gains * self._top_mean.reshape(n, k), axis=1) / self.ideal

    def _shared(self, worth, items=...):
        """Mean of the worth (k,) of places over the items that share them, (n k,)."""
        firsts, lasts = self._firsts[items], self._lasts[items]
        sums = np.append(0.0, np.cumsum(worth))
        return (sums[1:][lasts] - sums[firsts]) / (lasts - firsts + 1)

    def _moved_within(self, items):
        """What each of these items and another one of equal energy move."""
        firsts, lasts = self._firsts[items], self._lasts[items]
        in_top, after = self._discounts * self._top, np.cumsum(self._discounts)
        moved = lasts * self._shared(in_top, items)
        moved -= self._shared(np.arange(len(after)) * in_top, items)
        moved -= after[lasts] * self._shared(self._top, items)
        moved += self._shared(after * self._top, items)
        return 2 * moved / np.maximum(lasts - firsts, 1)

    def moved(self, pairs, gap):
        """What each pair moves: the formula of the order in which the items are not is negative."""
        a, b = pairs.better, pairs.worse
        moved = self._top_mean[a] - self._top_share[a] * self._mean[b]
        other = self._top_mean[b] - self._top_share[b] * self._mean[a]
        np.maximum(moved, other, out=moved)
        tied = np.flatnonzero(gap == 0)
        moved[tied] = self._moved_within(a[tied])
        return moved

    def distance(self, pairs, gap):
        """0.01 + the distance of each pair in energy; 1 where all items of a query are tied."""
        distance = np.abs(gap)
        distance += 0.01
        if not self._spread_out.all():
            distance[~self._spread_out[pairs.sample]] = 1.0
        return distance


def _by_energies(pairs, by_better, by_worse, size):
    """What belongs to the better and to the worse items of pairs, summed (size,)."""
    return np.bincount(pairs.better, by_better, size) + np.bincount(pairs.worse, by_worse, size)


def _phi(target, noise):
    """Distributions proportional to gains + 1 - noise among the items that are there."""
    worth = (target.gains + 1 - noise) * target.counts
    return worth / worth.sum(axis=1, keepdims=True)
