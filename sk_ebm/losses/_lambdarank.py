"""LambdaRank: pairs weighted by the change of NDCG if their items swapped ranks."""

from functools import cached_property, lru_cache
from numbers import Integral

import numpy as np

from sk_ebm._utils.ranks import ranges, ties
from sk_ebm._utils.validation import check_number
from sk_ebm.losses._base import Curvature
from sk_ebm.losses._pairwise import GradedLoss, expit
from sk_ebm.losses._truncated_pairs import truncated_sums, truncation_pays

_NEAR = 0.01  # added to distances in energy, so that near items do not dominate: LightGBM's


class Lambda(GradedLoss):
    """LambdaRank (Burges, 2010): RankNet's gradient, each pair weighted by a change of NDCG.

    The weight of a pair is the change of NDCG if its items swapped ranks, over 0.01 + their
    distance in energy; pairs without an item among the first ``truncation`` have weight 0. The
    gradient of a query is multiplied by log2(1 + s) / s, where s is the sum of the absolute
    gradients of its pairs, by either item. All this is as in LightGBM. Weights are constants in
    differentiation, so that the gradient is not that of the value, which is 1 - NDCG of the first
    ``truncation`` ranks. Items of equal energy share the mean discount of their ranks. An item
    takes one rank, whatever its sample weight.

    Parameters
    ----------
    truncation : int, default=30
        LightGBM's ``lambdarank_truncation_level``.
    """

    exact = False

    def __init__(self, truncation=30):
        self.truncation = truncation

    def check(self):
        check_number("truncation of Lambda", self.truncation, 1, closed=True, kind=Integral)

    def expansion(self, gibbs, target):
        energies = gibbs.present_energies
        ranks = _Ranks(energies, self.truncation)
        if truncation_pays(target, self.truncation):
            total, gradient, diagonal = truncated_sums(ranks, energies, target, _NEAR)
        else:
            total, gradient, diagonal = _sums(ranks, target, gibbs.energies)
        ideal = target.gains_in_order @ ranks.top_discounts
        ideal = np.maximum(ideal, np.finfo(float).tiny)
        ndcg = np.einsum("nk,nk->n", target.relative_gains, ranks.top_discount) / ideal
        unit = target.n_pairs / ideal  # from the mean over pairs to changes of NDCG
        unit[ranks.all_tied] *= _NEAR  # no division by the distance there: LightGBM's
        total *= 2 * unit
        scale = (unit * np.log2(1 + total) / np.where(total > 0, total, 1.0))[:, None]
        gradient *= scale
        diagonal *= scale
        return 1 - ndcg, gradient, Curvature(diagonal, lambda v: diagonal * v)


def _sums(ranks, target, energies):
    """The same as `truncated_sums`, of all pairs."""
    total = np.zeros(len(energies))
    gradient, diagonal = np.zeros_like(energies), np.zeros_like(energies)
    for pairs in target.pairs():  # in place: this is the hot loop of boosted trees
        gap, first = ranks.compare(pairs)
        first *= pairs.gain_like(gap)
        p = expit(gap)
        first *= p
        distance = np.abs(gap)
        distance += _NEAR
        first /= distance
        second = np.subtract(1, p, out=p)
        second *= first
        by_better, by_worse = pairs.sums(first)
        total += by_better.sum(axis=1)
        gradient += by_better
        gradient -= by_worse
        diagonal += np.add(*pairs.sums(second))
    return total, gradient, diagonal


class _Ranks:
    """Discounts of the items of each query, in the order of their energies (n, k).

    Ranks r start at 0, d(r) = 1 / log2(2 + r), and t(r) is 1 for the first ``truncation`` ranks and
    0 for others. Absent items have infinite energies. Means are over all orders of items of equal
    energy.
    """

    def __init__(self, energies, truncation):
        n, k = energies.shape
        self._truncation = truncation
        self._find_ties(energies)
        self._table, self._sums = _rank_table(k, truncation)
        self._means = (self._sums[:, self._ends] - self._sums[:, self._starts]) / self._sizes
        self._dtype = energies.dtype
        self._discount = top_discount = self._per_item(_DISCOUNT)
        self._least_of_top = self._split = None
        if k > truncation:
            top_discount = self._per_item(_TOP_DISCOUNT)
            self._least_of_top = self._table[_DISCOUNT, truncation - 1].astype(self._dtype)
            if np.any((self._starts < truncation) & (self._ends > truncation)):
                self._top = self._per_item(_TOP)
                self._split = (self._top > 0) & (self._top < 1)
        self._flat_top_discount = top_discount
        self.top_discount = top_discount.reshape(n, k)
        self.top_discounts = self._table[_TOP_DISCOUNT].astype(self._dtype)
        self._discount_and_energy = 1j * self._discount  # one look-up of pairs for both
        self._discount_and_energy += energies.ravel()

    def _find_ties(self, energies):
        """Of the energies that several items share: first rank, end and number of the items."""
        n, k = energies.shape
        query_starts = np.arange(0, n * k, k)
        order = np.argsort(energies, axis=1)
        order += query_starts[:, None]
        self._order = order.ravel()
        ordered = energies.ravel()[self._order]
        starts, sizes = ties(ordered, query_starts)
        shared = (sizes > 1) & np.isfinite(ordered[starts])
        starts, self._sizes = starts[shared], sizes[shared]
        self._tied = self._order[ranges(starts, self._sizes)]
        query, self._starts = np.divmod(starts, k)
        self._ends = self._starts + self._sizes
        self._query_of_ties, self._n_present = (
            query,
            np.count_nonzero(np.isfinite(energies), axis=1),
        )
        self.all_tied = query[self._sizes == self._n_present[query]]  # queries of one energy

    def _per_item(self, row):
        """The entry of the table for the rank of each item, (n k,); of equal energies the mean."""
        by_rank = self._table[row]
        values = np.empty(self._order.size, self._dtype)
        values[self._order] = np.tile(by_rank, len(values) // len(by_rank))
        values[self._tied] = np.repeat(self._means[row], self._sizes)
        return values

    def compare(self, pairs):
        """Gaps in energy of pairs, and the means of |d_i - d_j| max(t_i, t_j), both (P,)."""
        better = pairs.of_better(self._discount_and_energy)
        worse = pairs.of_worse(self._discount_and_energy)
        gap, change = better.real - worse.real, better.imag - worse.imag
        np.abs(change, out=change)
        if self._least_of_top is not None:
            change *= np.maximum(better.imag, worse.imag) >= self._least_of_top
        if self._split is not None:
            split = np.flatnonzero(pairs.of_better(self._split) | pairs.of_worse(self._split))
            a, b = pairs.better[split], pairs.worse[split]
            change[split] = np.maximum(self._change_above(a, b), self._change_above(b, a))
        if len(self._sizes):
            tied = np.flatnonzero(gap == 0)
            change[tied] = self._change_within[pairs.better[tied]]
        return gap, change

    def first_items(self, query):
        """The present items of a query in order: the first, those whose energy others across the
        truncation share, and others."""
        k, truncation = len(self.top_discounts), self._truncation
        order = self._order[query * k :][: self._n_present[query]] - query * k
        across = (self._starts < truncation) & (self._ends > truncation)
        split = np.flatnonzero(across & (self._query_of_ties == query))
        bounds = [min(truncation, len(order))] * 2
        if len(split):
            bounds = [self._starts[split[0]], self._ends[split[0]]]
        return np.split(order, bounds)

    def changes(self, first, items, tied):
        """The same as of `compare`, of pairs of first items (a,) that come before others (b,)."""
        change = np.abs(
            self._flat_top_discount[first, None] - self._tops(first) * self._discount[items]
        )
        if tied.any():
            change[tied] = np.broadcast_to(self._change_within[first, None], change.shape)[tied]
        return change.astype(float)

    def _tops(self, items):
        """The share (a, 1) of orders in which an item is among the first."""
        return 1.0 if self._split is None else self._top[items, None]

    def change_within(self, item):
        """The same of two items that have the energy of this one."""
        return self._change_within[item]

    def _change_above(self, i, j):
        """The mean of (d_i - d_j) t_i for i above j; at most 0 for i below j."""
        return self._flat_top_discount[i] - self._top[i] * self._discount[j]

    @cached_property
    def _change_within(self):
        """The mean of |d_i - d_j| max(t_i, t_j) for two items of the same energy, (n k,)."""
        _, top_discount, top, rank_discount, cumulated = self._means
        total = (self._ends - 1) * top_discount - rank_discount
        total += cumulated - self._sums[_DISCOUNT, self._ends] * top
        change = np.zeros(self._order.size, self._dtype)
        change[self._tied] = np.repeat(2 * total / (self._sizes - 1), self._sizes)
        return change


_DISCOUNT, _TOP_DISCOUNT, _TOP = range(3)  # the first rows of the table


@lru_cache(maxsize=16)  # blocks of queries differ in their number of ranks
def _rank_table(k, truncation):
    """d, d t, t, r d t and (d(0) + ... + d(r)) t of each rank, (5, k); their sums before each rank,
    (5, k + 1)."""
    ranks = np.arange(k)
    discount, top = 1 / np.log2(2.0 + ranks), (ranks < truncation).astype(float)
    rows = [discount, discount * top, top, ranks * discount * top, np.cumsum(discount) * top]
    sums = np.zeros((len(rows), k + 1))
    np.cumsum(rows, axis=1, out=sums[:, 1:])
    return np.array(rows), sums
