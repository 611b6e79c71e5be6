"""Losses of items that are better and worse than each other: pairs, and places in a ranking.

Their target is a `Graded`. Only noise depends on the order of the items, and in losses of pairs
items that are equally good give nothing to each other.
"""

from numbers import Integral

import numpy as np
from sklearn.base import clone

from sk_ebm._checks import check_number
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
        probability = _expit(gap)
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
            p = _expit(gap)
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
        discounts, top = 1 / np.log2(2.0 + places), places < truncation
        order = np.argsort(energies, axis=1)
        order += np.arange(n)[:, None] * k
        self._order = order.ravel()
        self._find_ties(energies.ravel()[self._order], k)
        self._mean = self._top_mean = self._worth(discounts)
        within = np.zeros(len(self._sizes))
        within[self._tied] = _moved_within(discounts, top, *self._ties)
        self._within = self._per_item(within)
        self._straddled = None
        if k > truncation:
            self._least_of_top = discounts[truncation - 1]
            self._top_mean = self._worth(discounts * top)
            self._top_share = self._worth(top.astype(float))
            straddles = (self._top_share > 0) & (self._top_share < 1)
            self._straddled = straddles.reshape(n, k).any(axis=1)
        best = target.gains_in_order @ (discounts * top)
        self.ideal = np.maximum(best, np.finfo(float).tiny)
        found = np.einsum("nk,nk->n", target.present_gains, self._top_mean.reshape(n, k))
        self.ndcg = found / self.ideal

    def _find_ties(self, ranked, k):
        """First place of the items of each energy and their number; places that several share."""
        new = np.empty(len(ranked), dtype=bool)
        np.not_equal(ranked[1:], ranked[:-1], out=new[1:])
        new[::k] = True
        starts = np.flatnonzero(new)
        self._sizes = np.diff(starts, append=len(ranked))
        self._firsts = starts % k
        several = (self._firsts > 0) & np.isfinite(ranked[starts])
        self._spread_out = np.bincount(starts // k, several) > 0
        self._tied = np.flatnonzero(self._sizes > 1)
        firsts = self._firsts[self._tied]
        self._ties = firsts, firsts + self._sizes[self._tied] - 1

    def _worth(self, worth):
        """The worth (k,) of the place of each item, its mean where several share it, (n k,)."""
        values = worth[self._firsts]
        values[self._tied] = _means(worth, *self._ties)
        return self._per_item(values)

    def _per_item(self, values):
        """Values of the items of each energy, for each item, (n k,)."""
        found = np.empty(len(self._order))
        found[self._order] = np.repeat(values, self._sizes)
        return found

    def moved(self, pairs, gap):
        """What each pair moves."""
        if self._straddled is None:
            moved = pairs.gaps(self._mean)
            np.abs(moved, out=moved)
        else:
            better, worse = pairs.of_better(self._mean), self._mean[pairs.worse]
            moved = np.abs(better - worse)
            moved *= np.maximum(better, worse, out=better) >= self._least_of_top
            straddled = np.flatnonzero(self._straddled[pairs.sample])
            a, b = pairs.better[straddled], pairs.worse[straddled]
            moved[straddled] = np.maximum(self._first(a, b), self._first(b, a))
        tied = np.flatnonzero(gap == 0)
        if len(tied):
            moved[tied] = self._within[pairs.better[tied]]
        return moved

    def _first(self, a, b):
        """What items a before b move; negative, or less, where b are before a."""
        return self._top_mean[a] - self._top_share[a] * self._mean[b]

    def distance(self, pairs, gap):
        """0.01 + the distance of each pair in energy; 1 where all items of a query are tied."""
        distance = np.abs(gap)
        distance += 0.01
        if not self._spread_out.all():
            distance[~self._spread_out[pairs.sample]] = 1.0
        return distance


def _means(worth, firsts, lasts):
    """Mean of the worth (k,) of places over those from first to last."""
    sums = np.append(0.0, np.cumsum(worth))
    return (sums[lasts + 1] - sums[firsts]) / (lasts - firsts + 1)


def _moved_within(discounts, top, firsts, lasts):
    """What two items move that share the places from first to last."""
    after = np.cumsum(discounts)
    moved = lasts * _means(discounts * top, firsts, lasts)
    moved -= _means(np.arange(len(top)) * discounts * top, firsts, lasts)
    moved -= after[lasts] * _means(top, firsts, lasts)
    moved += _means(after * top, firsts, lasts)
    return 2 * moved / (lasts - firsts)


def _expit(a):
    """1 / (1 + exp(-a)), three times as fast as that of scipy."""
    p = np.negative(a)
    with np.errstate(over="ignore"):
        np.exp(p, out=p)
    p += 1
    return np.divide(1, p, out=p)
