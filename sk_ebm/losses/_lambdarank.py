"""LambdaRank: pairs weighted by the NDCG that they move."""

from functools import cached_property, lru_cache
from numbers import Integral

import numpy as np

from sk_ebm._utils.validation import check_number
from sk_ebm.losses._base import Curvature
from sk_ebm.losses._pairwise import GradedLoss, _expit


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
        shape = gibbs.energies.shape
        total, dtype = np.zeros(shape[0]), gibbs.energies.dtype
        slopes, diagonal = np.zeros(shape, dtype), np.zeros(shape, dtype)
        for pairs in target.pairs():
            gap, pull = places.between(pairs)
            pull *= pairs.gain_like(gap)
            p = _expit(gap)
            pull *= p
            pull /= places.distance(pairs, gap)
            np.subtract(1, p, out=p)
            p *= pull
            of_better, of_worse = pairs.sums(pull)
            total += of_better.sum(axis=1)
            slopes += of_better
            slopes -= of_worse
            diagonal += np.add(*pairs.sums(p))
        unit = target.n_pairs / places.ideal  # from mean pairs to changes of NDCG
        total *= 2 * unit
        scale = (unit * np.log2(1 + total) / np.where(total > 0, total, 1.0))[:, None]
        slopes *= scale
        diagonal *= scale
        curvature = Curvature(diagonal, lambda v: diagonal * v)
        return 1 - places.ndcg, slopes, curvature


class _Places:
    """The places of the items of each query in the order of their energies, and their worth.

    With places p from 0, discounts d_p = 1 / log2(2 + p) and T = ``truncation``, an item i before
    j moves E[(d_i - d_j) 1(p_i < T)], over all orders of items of equal energy.

    Parameters
    ----------
    energies : ndarray of shape (n, k)
        Infinite where an item is absent.
    """

    def __init__(self, energies, target, truncation):
        n, k = energies.shape
        order = np.argsort(energies, axis=1)
        order += np.arange(0, n * k, k)[:, None]
        self._order = order.ravel()
        self._find_ties(energies.ravel()[self._order], k)
        worth, self._sums = _worth_of_places(k, truncation)
        self._worth = worth.astype(energies.dtype)
        self._means = self._sums[:, self._lasts + 1] - self._sums[:, self._firsts]
        self._means /= self._sizes
        self._mean = self._top_mean = self._of_items(_DISCOUNT)
        self._least_of_top = self._straddles = None
        if k > truncation:
            self._least_of_top = self._worth[_DISCOUNT, truncation - 1]
            self._top_mean = self._of_items(_TOP_DISCOUNT)
            if np.any((self._firsts < truncation) & (self._lasts >= truncation)):
                self._top_share = self._of_items(_TOP)
                self._straddles = (self._top_share > 0) & (self._top_share < 1)
        self._energies_and_means = 1j * self._mean  # so that pairs look up both at once
        self._energies_and_means += energies.ravel()
        best = target.gains_in_order @ self._worth[_TOP_DISCOUNT]
        self.ideal = np.maximum(best, np.finfo(float).tiny)
        top_mean = self._top_mean.reshape(n, k)
        self.ndcg = np.einsum("nk,nk->n", target.present_gains, top_mean) / self.ideal

    def _find_ties(self, ranked, k):
        """First and last place of the items of each energy that several have, and these items."""
        same = np.zeros(len(ranked) + 1, dtype=bool)  # as the item before, of the same query
        np.equal(ranked[1:], ranked[:-1], out=same[1:-1])
        same[1:-1] &= np.isfinite(ranked[1:])
        same[::k] = False
        ends = np.flatnonzero(same[1:] != same[:-1])
        starts, ends = ends[::2], ends[1::2]
        self._firsts, self._lasts = starts % k, ends % k
        self._sizes = ends - starts + 1
        self._tied = self._order[same[1:] | same[:-1]]
        from_first = self._firsts == 0
        queries = starts[from_first] // k
        present = np.isfinite(ranked.reshape(-1, k)[queries])
        self._spread_out = np.ones(len(ranked) // k, dtype=bool)
        self._spread_out[queries] = self._sizes[from_first] < np.sum(present, axis=1)

    def _of_items(self, kind):
        """The worth of the place of each item, its mean where several share it, (n k,)."""
        found = np.empty(self._order.size, self._worth.dtype)
        found[self._order] = np.tile(self._worth[kind], len(self._spread_out))
        self._share(found, self._means[kind])
        return found

    def _share(self, found, values):
        """Gives all items that share their energy the value of this energy."""
        found[self._tied] = np.repeat(values, self._sizes)

    def between(self, pairs):
        """Gap in energy of each pair, and what it moves."""
        better = pairs.of_better(self._energies_and_means)
        worse = pairs.of_worse(self._energies_and_means)
        gap, moved = better.real - worse.real, better.imag - worse.imag
        np.abs(moved, out=moved)
        if self._least_of_top is not None:
            moved *= np.maximum(better.imag, worse.imag) >= self._least_of_top
        if self._straddles is not None:
            either = pairs.of_better(self._straddles) | pairs.of_worse(self._straddles)
            either = np.flatnonzero(either)
            a, b = pairs.better[either], pairs.worse[either]
            moved[either] = np.maximum(self._first(a, b), self._first(b, a))
        if len(self._firsts):
            tied = np.flatnonzero(gap == 0)
            if len(tied):
                moved[tied] = self._within[pairs.better[tied]]
        return gap, moved

    @cached_property
    def _within(self):
        """What two items that share their energy move, (n k,)."""
        _, top_discount, top, placed, after = self._means
        until_last = self._sums[_DISCOUNT, self._lasts + 1]
        moved = self._lasts * top_discount - placed - until_last * top + after
        found = np.zeros(self._order.size, self._worth.dtype)
        self._share(found, 2 * moved / (self._sizes - 1))
        return found

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


_DISCOUNT, _TOP_DISCOUNT, _TOP = range(3)  # first rows of what the next returns


@lru_cache(maxsize=16)
def _worth_of_places(k, truncation):
    """What places p are worth, (5, k), and the sums of this before each place, (5, k + 1).

    With discounts d, and t = 1 for the first ``truncation`` places, 0 for others: d, d t, t, p d t
    and (d_0 + ... + d_p) t.
    """
    places = np.arange(k)
    discounts, top = 1 / np.log2(2.0 + places), (places < truncation).astype(float)
    top_discounts = discounts * top
    after = np.cumsum(discounts) * top
    worth = np.stack([discounts, top_discounts, top, places * top_discounts, after])
    sums = np.zeros((5, k + 1))
    np.cumsum(worth, axis=1, out=sums[:, 1:])
    return worth, sums
