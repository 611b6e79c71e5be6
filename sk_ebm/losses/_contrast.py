"""Losses of the energies of the correct and of the most offending incorrect answer."""

import numpy as np

from sk_ebm._utils.sklearn_private import namespace
from sk_ebm.losses._base import Curvature, Loss, shares_of


class ContrastiveLoss(Loss):
    """Base class of losses of the two numbers E+ and E-.

    A subclass defines ``pair(plus, minus)``, which returns values and the derivatives by E+ and
    by E-, all (n,); if it is curved also ``second(plus, minus)``, which returns the second
    derivatives (by E+ twice, mixed, by E- twice).
    """

    def __call__(self, gibbs, target):
        correct, minus, offending = _contrast(gibbs, target)
        values, by_plus, by_minus = self.pair(correct.energy, minus)
        return values, _add(correct.spread(by_plus), offending, by_minus)

    def pair(self, plus, minus):
        raise NotImplementedError(f"{type(self).__name__} must define pair.")

    def curvature(self, gibbs, target):
        """Where several answers are correct, without the curvature of E+, which is concave."""
        correct, minus, offending = _contrast(gibbs, target)
        twice_plus, mixed, twice_minus = self.second(correct.energy, minus)

        def product(v):
            v_plus, v_minus = correct.along(v), _pick(v, offending)
            along_plus = twice_plus * v_plus + mixed * v_minus
            along_minus = mixed * v_plus + twice_minus * v_minus
            return _add(correct.spread(along_plus), offending, along_minus)

        diagonal = _add(correct.spread_squares(twice_plus), offending, twice_minus)
        return Curvature(diagonal, product)


class _One:
    """One correct answer: E+ is its energy."""

    def __init__(self, gibbs, target):
        self.target = target
        self.energies = gibbs.energies
        self.energy = _pick(gibbs.energies, target)

    def without(self, energies):
        """A copy of the energies in which the correct answer is infinitely bad."""
        xp = namespace(energies)
        return _add(xp.asarray(energies, copy=True), self.target, xp.inf)

    def spread(self, amount):
        """amount times the slopes of E+ by the energies, (n, k)."""
        return _add(namespace(self.energies).zeros_like(self.energies), self.target, amount)

    spread_squares = spread

    def along(self, v):
        """The change of E+ (n,) with energies that change by v."""
        return _pick(v, self.target)


class _Several:
    """Several correct answers, by their shares: E+ is their free energy."""

    def __init__(self, gibbs, shares):
        xp = namespace(gibbs.energies)
        self.known = xp.astype(xp.sum(shares, axis=1) > 0, gibbs.energies.dtype)
        self.correct = shares > 0
        any_ = self.correct | (self.known == 0)[:, None]  # so that nothing is infinite
        log_shares = xp.where(any_, xp.log(xp.where(self.correct, shares, 1.0)), -xp.inf)
        among = gibbs.under(log_shares)
        self.energy = among.free_energy
        self.slopes = among.probabilities * self.known[:, None]

    def without(self, energies):
        xp = namespace(energies)
        return xp.where(self.correct, xp.inf, energies)

    def spread(self, amount):
        return self.slopes * amount[:, None]

    def spread_squares(self, amount):
        return self.slopes**2 * amount[:, None]

    def along(self, v):
        return namespace(v).sum(self.slopes * v, axis=1)


def _correct(gibbs, target):
    """E+, and how it depends on the energies."""
    return _One(gibbs, target) if target.ndim == 1 else _Several(gibbs, shares_of(target))


def _contrast(gibbs, target):
    """The correct answer, E- and the index of the most offending incorrect answer, both (n,)."""
    xp = namespace(gibbs.energies)
    correct = _correct(gibbs, target)
    others = correct.without(gibbs.present_energies)
    far = xp.finfo(others.dtype).max ** 0.25  # stands for E- where there is no other answer
    offending = xp.argmin(others, axis=1)
    return correct, xp.clip(_pick(others, offending), max=far), offending


def _pick(a, index):
    """a[i, index[i]] for each row i."""
    return namespace(a).take_along_axis(a, index[:, None], axis=1)[:, 0]


def _add(a, index, amount):
    """a with a[i, index[i]] += amount[i] for each row i; in place for numpy, a hot loop."""
    if isinstance(a, np.ndarray):
        a[np.arange(len(a)), index] += amount
        return a
    xp = namespace(a)
    amount = xp.broadcast_to(xp.asarray(amount, dtype=a.dtype), index.shape)
    chosen = xp.arange(a.shape[1])[None, :] == index[:, None]
    return xp.where(chosen, a + amount[:, None], a)
