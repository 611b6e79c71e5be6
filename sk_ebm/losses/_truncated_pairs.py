"""Sums over LambdaRank's pairs of long queries, in time and memory of items times truncation."""

import numpy as np

from sk_ebm.losses._pairwise import expit

_FEWER = 4  # times fewer pairs than all make up for the loop over queries


def truncation_pays(target, truncation):
    """Whether pairs with one of the first items are much fewer than all."""
    n, k = target.gains.shape
    return k > truncation and target.n_pairs.sum() > _FEWER * n * k * truncation


def truncated_sums(ranks, energies, target, near):
    """Of the pairs of each sample: sums (n,) of their weights times p, and by candidate (n, k) the
    derivatives of the better minus the worse ones, and second derivatives.

    Pairs of one of the first items and any other are made. Items of equal energy across the
    truncation, which may be many, have the same weights: their sums over others are cumulated in
    the order of gains.
    """
    totals = np.zeros(len(energies))
    gradient, diagonal = np.zeros(energies.shape), np.zeros(energies.shape)
    for sample, own in enumerate(energies):
        query = _Query(ranks, own, target, sample, near)
        first, tied, others = ranks.first_items(sample)
        query.add_pairs(first, np.concatenate([first, tied, others]))
        if len(tied):
            query.add_tied(tied, others)
        unit = np.maximum(target.n_pairs[sample], np.finfo(float).tiny)
        totals[sample] = query.total / unit
        gradient[sample], diagonal[sample] = query.gradient / unit, query.diagonal / unit
    return totals, gradient, diagonal


class _Query:
    """The sums of one query, to which pairs are added."""

    def __init__(self, ranks, energies, target, sample, near):
        self.ranks, self.near = ranks, near
        self.start = sample * len(energies)  # in the flat (n k,)
        self.energies = energies.astype(float)
        self.gains, self.counts = target.relative_gains[sample], target.counts[sample]
        self.total = 0.0
        self.gradient, self.diagonal = np.zeros(len(energies)), np.zeros(len(energies))

    def add_pairs(self, first, items):
        """Pairs of each of the first items with those that come after it in ``items``."""
        gap = self.energies[first, None] - self.energies[items]
        gain = self.gains[first, None] - self.gains[items]
        weight = self.ranks.changes(self.start + first, self.start + items, gap == 0)
        weight *= np.abs(gain) * self.counts[first, None] * self.counts[items]
        weight *= np.arange(len(items)) > np.arange(len(first))[:, None]
        p, sign = expit(np.sign(gain) * gap), np.sign(gain)
        weight *= p / (np.abs(gap) + self.near)
        self.total += weight.sum()
        second, signed = weight * (1 - p), weight * sign
        self._add(first, signed.sum(axis=1), second.sum(axis=1))
        self._add(items, -signed.sum(axis=0), second.sum(axis=0))

    def _add(self, items, gradient, diagonal):
        self.gradient[items] += gradient  # items are distinct
        self.diagonal[items] += diagonal

    def add_tied(self, tied, others):
        """Pairs of items of one energy, and of these with others of higher energy."""
        within = self.ranks.change_within(self.start + tied[0]) / self.near / 2
        gains, counts = self.gains[tied], self.counts[tied]
        above = within * counts * _above(gains, gains, counts)
        below = within * counts * _below(gains, gains, counts)
        self.total += above.sum()
        self._add(tied, above - below, (above + below) / 2)
        gap = self.energies[tied[0]] - self.energies[others]
        change = self.ranks.changes(self.start + tied[:1], self.start + others, gap[None] == 0)[0]
        weight = change * self.counts[others] / (np.abs(gap) + self.near)
        p, q, other_gains = expit(gap), expit(-gap), self.gains[others]
        above = counts * _above(gains, other_gains, weight * p)
        below = counts * _below(gains, other_gains, weight * q)
        both = _above(gains, other_gains, weight * p * q) + _below(
            gains, other_gains, weight * p * q
        )
        self._add(tied, above - below, counts * both)
        better, worse = _below(other_gains, gains, counts), _above(other_gains, gains, counts)
        self.total += above.sum() + below.sum()
        self._add(others, weight * (q * worse - p * better), weight * p * q * (better + worse))


def _above(at, points, masses):
    """sum_j max(at_i - points_j, 0) masses_j of each i."""
    order = np.argsort(points)
    points, masses = points[order], masses[order]
    sums = np.append(0, np.cumsum(masses)), np.append(0, np.cumsum(masses * points))
    index = np.searchsorted(points, at)
    return at * sums[0][index] - sums[1][index]


def _below(at, points, masses):
    """sum_j max(points_j - at_i, 0) masses_j of each i."""
    return _above(-at, -points, masses)
