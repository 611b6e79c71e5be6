"""Losses of items that are better and worse than each other: pairs, and places in a ranking.

Their target is a `Graded`. Only noise depends on the order of the items, and in losses of pairs
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
        energies, shape = gibbs.energies.ravel(), gibbs.energies.shape
        values, slopes, diagonal = np.zeros(len(target.gains)), np.zeros(shape), np.zeros(shape)
        for pairs in target.pairs():
            parts = self.pair(pairs.gaps(energies))
            value, first, second = (part * pairs.weight for part in parts)
            values += pairs.per_sample(value)
            slopes += pairs.opposed(first)
            diagonal += pairs.shared(second)

        def product(v):
            moved = np.zeros(shape)
            for pairs in target.pairs():
                bend = self.pair(pairs.gaps(energies))[2]
                bend *= pairs.weight
                bend *= pairs.gaps(v.ravel())
                moved += pairs.opposed(bend)
            return moved

        return values, slopes, Curvature(diagonal, product)


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
        places = _Places(gibbs.present_energies, target, self.truncation)
        energies, shape = gibbs.energies.ravel(), gibbs.energies.shape
        total, slopes, diagonal = np.zeros(shape[0]), np.zeros(shape), np.zeros(shape)
        for pairs in target.pairs():
            gap = pairs.gaps(energies)
            pull = places.moved(pairs, gap)
            pull *= pairs.gain
            p = expit(gap)
            pull *= p
            pull /= places.distance(pairs, gap)
            np.subtract(1, p, out=p)
            p *= pull
            total += pairs.per_sample(pull)
            slopes += pairs.opposed(pull)
            diagonal += pairs.shared(p)
        unit = target.n_pairs / places.ideal  # from mean pairs to changes of NDCG
        total *= 2 * unit
        scale = (unit * np.log2(1 + total) / np.where(total > 0, total, 1.0))[:, None]
        diagonal *= scale
        curvature = Curvature(diagonal, lambda v: diagonal * v)
        return 1 - places.ndcg, scale * slopes, curvature


class XENDCG(GradedLoss):
    """Cross-entropy that bounds NDCG (Bruch et al., 2020): targets 2^y - gamma, gamma uniform.

    The noise gamma in [0, 1) is drawn anew for each item whenever the loss is called, from
    the estimator's ``random_state``, row after row, so that slopes are not those of the value,
    which has the noise's mean. Gains other than 2^y - 1 take the place of these.
    """

    exact = False

    def __init__(self):
        self._rng = np.random.default_rng(0)

    def seeded(self, rng):
        loss = clone(self)
        loss._rng = np.random.default_rng(rng.randint(np.iinfo(np.int32).max))
        return loss

    def __call__(self, gibbs, target):
        slopes = target.shares_with(1 - self._rng.random(gibbs.energies.shape))
        slopes -= gibbs.probabilities
        expected = np.einsum("nk,nk->n", target.half_shares, gibbs.energies)
        return expected - gibbs.free_energy, slopes

    def curvature(self, gibbs, target):
        return NLL().curvature(gibbs, target)


ITEM_LOSSES = {
    "pairwise_log": PairwiseLog,
    "pairwise_hinge": PairwiseHinge,
    "lambda": Lambda,
    "xendcg": XENDCG,
}
GRADED_LOSSES: dict[str, type[Loss]] = {**LOSSES, **ITEM_LOSSES}
"""All that take a `Graded`, by name."""


class _Places:
    """The places of the items of each query in the order of their energies, and their worth.

    With places p from 0, discounts d_p = 1 / log2(2 + p) and T = ``truncation``, an item i before
    j moves E[(d_i - d_j) 1(p_i < T)], over all orders of items of equal energy.
    """

    def __init__(self, energies, target, truncation):
        n, k = energies.shape
        places = np.arange(k)
        self._discounts, self._top = 1 / np.log2(2.0 + places), places < truncation
        order = np.argsort(energies, axis=1, kind="stable")
        ranked = np.take_along_axis(energies, order, axis=1)
        order += np.arange(n)[:, None] * k
        equal = (ranked[:, 1:] == ranked[:, :-1]) & np.isfinite(ranked[:, 1:])
        self._tied = np.flatnonzero(equal.any(axis=1))  # samples with items of equal energy
        self._order = order
        tied = order[self._tied]
        self._firsts, self._lasts = np.empty((2, n * k), dtype=int)  # of items of these samples
        self._firsts[tied], self._lasts[tied] = ties(ranked[self._tied])
        last = np.count_nonzero(np.isfinite(ranked), axis=1) - 1
        self._spread_out = ranked[np.arange(n), last] > ranked[:, 0]
        self._mean = self._top_mean = self._per_item(self._discounts)
        self._top_share = None
        if k > truncation:
            self._top_mean = self._per_item(self._discounts * self._top)
            self._top_share = self._per_item(self._top)
        best = target.gains_in_order @ (self._discounts * self._top)
        self.ideal = np.maximum(best, np.finfo(float).tiny)
        found = np.einsum("nk,nk->n", target.present_gains, self._top_mean.reshape(n, k))
        self.ndcg = found / self.ideal

    def _per_item(self, worth):
        """The worth (k,) of the place of each item, (n k,), its mean where a place is shared."""
        found = np.empty(self._order.size)
        found[self._order] = worth
        tied = self._order[self._tied]
        found[tied] = self._shared(worth, tied)
        return found

    def _shared(self, worth, items):
        """Mean of the worth (k,) of places over the items that share them."""
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
        if self._top_share is None:  # both are the negative of each other
            moved = pairs.gaps(self._mean)
            np.abs(moved, out=moved)
        else:
            moved = self._top_mean[a] - self._top_share[a] * self._mean[b]
            other = self._top_mean[b] - self._top_share[b] * self._mean[a]
            np.maximum(moved, other, out=moved)
        tied = np.flatnonzero(gap == 0)
        if len(tied):
            moved[tied] = self._moved_within(a[tied])
        return moved

    def distance(self, pairs, gap):
        """0.01 + the distance of each pair in energy; 1 where all items of a query are tied."""
        distance = np.abs(gap)
        distance += 0.01
        if not self._spread_out.all():
            distance[~self._spread_out[pairs.sample]] = 1.0
        return distance
