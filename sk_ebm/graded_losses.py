"""Losses of items that are better and worse than each other: pairs, and places in a ranking.

Their target is a `Graded`. None depends on the order of the items, and items that are equally good
give nothing to each other.
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
    1 - NDCG of the first ``truncation`` places. Items of equal energy share their places.

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
        places = _Places(gibbs.present_energies, target.gains, self.truncation)
        n, k = gibbs.energies.shape
        energies = gibbs.energies.ravel()
        total, slopes, diagonal = np.zeros(n), np.zeros(n * k), np.zeros(n * k)
        for pairs in target.pairs():
            gap = energies[pairs.better] - energies[pairs.worse]
            weight = pairs.weight * pairs.gain * places.moved(pairs, gap)
            weight /= np.where(places.spread_out[pairs.sample], 0.01 + np.abs(gap), 1.0)
            p = expit(gap)
            pull = weight * p
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
        slopes = _phi(target, self._noise(gibbs, target)) - p
        expected = _phi(target, 0.5)
        return np.sum(expected * gibbs.energies, axis=1) - gibbs.free_energy, slopes

    def curvature(self, gibbs, target):
        return NLL().curvature(gibbs, target)

    def _noise(self, gibbs, target):
        """Uniform draws (n, k), given to the items by their energies and gains."""
        rng = vars(self).setdefault("_rng", np.random.RandomState(0))
        order = np.lexsort((target.gains, gibbs.present_energies), axis=1)
        noise = np.empty(order.shape)
        np.put_along_axis(noise, order, rng.uniform(size=order.shape), axis=1)
        return noise


GRADED_LOSSES = {
    **LOSSES,
    "pairwise_log": PairwiseLog,
    "pairwise_hinge": PairwiseHinge,
    "lambda": Lambda,
    "xendcg": XENDCG,
}


class _Places:
    """The places of the items of each query in the order of their energies, and their worth.

    With places p from 0, discounts d_p = 1 / log2(2 + p) and T = ``truncation``, an item i before
    j moves E[(d_i - d_j) 1(p_i < T)], over all orders of items of equal energy.
    """

    def __init__(self, energies, gains, truncation):
        places = np.arange(energies.shape[1])
        self._discounts, self._top = 1 / np.log2(2.0 + places), places < truncation
        self._order = np.argsort(energies, axis=1, kind="stable")
        ranked = np.take_along_axis(energies, self._order, axis=1)
        self.spread_out = np.max(ranked, axis=1, where=np.isfinite(ranked), initial=-np.inf)
        self.spread_out = self.spread_out > ranked[:, 0]
        self._firsts, self._lasts = ties(ranked)
        mean, top_mean, top_share = (
            self._of_items(self._shared(worth))
            for worth in (self._discounts, self._discounts * self._top, self._top)
        )
        self._mean, self._top_mean, self._top_share = (
            mean.ravel(),
            top_mean.ravel(),
            top_share.ravel(),
        )
        self._within = self._of_items(self._moved_within()).ravel()
        best = -np.sort(-gains, axis=1) @ (self._discounts * self._top)
        self.ideal = np.maximum(best, np.finfo(float).tiny)
        self.ndcg = np.sum(gains * top_mean, axis=1) / self.ideal

    def _shared(self, worth):
        """Mean of the worth (k,) of places over the items that share them, (n, k) by places."""
        sums = np.append(0.0, np.cumsum(worth))
        return (sums[self._lasts + 1] - sums[self._firsts]) / (self._lasts - self._firsts + 1)

    def _moved_within(self):
        """What two items of equal energy move, (n, k) by places."""
        in_top, after = self._discounts * self._top, np.cumsum(self._discounts)
        moved = self._lasts * self._shared(in_top)
        moved -= self._shared(np.arange(len(after)) * in_top)
        moved -= after[self._lasts] * self._shared(self._top) - self._shared(after * self._top)
        return 2 * moved / np.maximum(self._lasts - self._firsts, 1)

    def _of_items(self, by_places):
        found = np.empty_like(by_places)
        np.put_along_axis(found, self._order, by_places, axis=1)
        return found

    def moved(self, pairs, gap):
        """What each pair moves: the formula of the order in which the items are not is negative."""
        a, b = pairs.better, pairs.worse
        mean_a, mean_b = self._mean[a], self._mean[b]
        moved = np.maximum(
            self._top_mean[a] - self._top_share[a] * mean_b,
            self._top_mean[b] - self._top_share[b] * mean_a,
        )
        tied = np.flatnonzero(gap == 0)
        moved[tied] = self._within[a[tied]]
        return moved


def _by_energies(pairs, by_better, by_worse, size):
    """What belongs to the better and to the worse items of pairs, summed (size,)."""
    return np.bincount(pairs.better, by_better, size) + np.bincount(pairs.worse, by_worse, size)


def _phi(target, noise):
    """Distributions proportional to gains + 1 - noise among the items that are there."""
    worth = (target.gains + 1 - noise) * target.counts
    return worth / worth.sum(axis=1, keepdims=True)
