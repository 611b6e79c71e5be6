"""Losses of one correct answer, where several are correct."""

import numpy as np

from sk_ebm.losses._base import Curvature, Loss, shares_of

_DECLARED = (
    "second_derivatives",
    "trivial_minimum",
    "positive",
    "shift_invariant",
    "exact",
    "second_derivative_bound",
)


class MeanOverCorrect(Loss):
    """sum_y t(y) loss(E, y): the mean of a loss over the correct answers y, by their shares t.

    Parameters
    ----------
    loss : Loss
        Of the index of one correct answer.
    """

    several_correct = True

    def __init__(self, loss):
        self.loss = loss
        vars(self).update({name: getattr(loss, name) for name in _DECLARED})

    def seeded(self, rng):
        return MeanOverCorrect(self.loss.seeded(rng))

    def __call__(self, gibbs, target):
        values, gradient = np.zeros(len(gibbs.energies)), np.zeros_like(gibbs.energies)
        for share, correct in _by_share(target):
            value, derivatives = self.loss(gibbs, correct)
            values += _times(share, value)
            gradient += _times(share[:, None], derivatives)
        return values, gradient

    def curvature(self, gibbs, target):
        parts = [(s[:, None], self.loss.curvature(gibbs, y)) for s, y in _by_share(target)]

        def product(v):
            return sum((_times(s, c.product(v)) for s, c in parts), np.zeros_like(v))

        diagonal = sum((_times(s, c.diagonal) for s, c in parts), np.zeros_like(gibbs.energies))
        return Curvature(diagonal, product)


def _by_share(target):
    """Pairs of shares (n,) and indices (n,): the largest of each sample, the next, and so on.

    Where a sample has no more, the share is zero and the index that of its first.
    """
    shares = shares_of(target)
    order = np.lexsort((-target.counts, -shares), axis=1)  # absent ones last
    for correct in order.T[: np.count_nonzero(shares, axis=1).max()]:
        share = np.take_along_axis(shares, correct[:, None], axis=1)[:, 0]
        yield share, np.where(share > 0, correct, order[:, 0])


def _times(share, values):
    """The product, zero where the share is."""
    return np.where(share > 0, share * values, 0.0)
