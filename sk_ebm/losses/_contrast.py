"""Losses of the energies of the correct and of the most offending incorrect answer."""

import numpy as np

from sk_ebm._utils.sklearn_private import namespace
from sk_ebm.losses._base import Curvature, Loss


class ContrastiveLoss(Loss):
    """Base class of losses of E+ and E-, the energy of the most offending incorrect answer.

    To write one, define ``pair(plus, minus)``, which returns values and the derivatives by E+ and
    by E-, all (n,); where ``second_derivatives`` is not None also ``second(plus, minus)``, which
    returns the second derivatives by E+, by both, and by E-. Values are never negative.
    """

    several_correct = True
    non_negative = True

    def __call__(self, gibbs, target):
        correct, minus, offending = _contrast(gibbs, target)
        values, by_plus, by_minus = self.pair(correct.energy, minus)
        return values, add_at(correct.gradient(by_plus), offending, by_minus)

    def expansion(self, gibbs, target):
        """As for all losses, but without the curvature of several correct answers: its diagonal is
        zero for nearly all items, so that boosted trees step too far, or find no split."""
        return (
            super().expansion(gibbs, target) if target.ndim == 1 else (*self(gibbs, target), None)
        )

    def pair(self, plus, minus):
        raise NotImplementedError(f"{type(self).__name__} must define pair.")

    def curvature(self, gibbs, target):
        """Second derivatives; of E+ of several correct answers, which is concave, none."""
        correct, minus, offending = _contrast(gibbs, target)
        plus_plus, plus_minus, minus_minus = self.second(correct.energy, minus)

        def product(v):
            v_plus, v_minus = correct.derivative(v), pick(v, offending)
            by_plus = plus_plus * v_plus + plus_minus * v_minus
            by_minus = plus_minus * v_plus + minus_minus * v_minus
            return add_at(correct.gradient(by_plus), offending, by_minus)

        diagonal = add_at(correct.squared_gradient(plus_plus), offending, minus_minus)
        return Curvature(diagonal, product)


class _OneCorrect:
    """One correct answer: E+ is its energy."""

    def __init__(self, gibbs, target):
        self.target = target
        self._energies = gibbs.energies
        self.energy = pick(gibbs.energies, target)

    def excluded(self, energies):
        """A copy of the energies, infinite for correct answers."""
        xp = namespace(energies)
        return add_at(xp.asarray(energies, copy=True), self.target, xp.inf)

    def gradient(self, factor):
        """The gradient (n, k) of E+ by the energies, times a factor (n,)."""
        return add_at(namespace(self._energies).zeros_like(self._energies), self.target, factor)

    squared_gradient = gradient

    def derivative(self, v):
        """The derivative (n,) of E+ where the energies move along v (n, k)."""
        return pick(v, self.target)


class _SeveralCorrect:
    """Several correct answers with shares (n, k): E+ is their free energy, constant without any."""

    def __init__(self, gibbs, shares):
        xp = namespace(gibbs.energies)
        self._correct = shares > 0
        some_correct = xp.any(self._correct, axis=1)[:, None]
        log_shares = xp.log(xp.where(self._correct, shares, 1.0))
        finite = self._correct | ~some_correct  # so that E+ is finite where no answer is correct
        among_correct = gibbs.under(xp.where(finite, log_shares, -xp.inf))
        self.energy = among_correct.free_energy
        weight = xp.astype(some_correct, gibbs.energies.dtype)
        self._gradient = among_correct.probabilities * weight

    def excluded(self, energies):
        xp = namespace(energies)
        return xp.where(self._correct, xp.inf, energies)

    def gradient(self, factor):
        return self._gradient * factor[:, None]

    def squared_gradient(self, factor):
        return self._gradient**2 * factor[:, None]

    def derivative(self, v):
        return namespace(v).sum(self._gradient * v, axis=1)


def correct_answer(gibbs, target):
    """E+ and its derivatives by the energies."""
    if target.ndim == 1:
        return _OneCorrect(gibbs, target)
    return _SeveralCorrect(gibbs, getattr(target, "contrasted_shares", target))


def _contrast(gibbs, target):
    """The correct answer, E- and the index of the most offending incorrect answer, both (n,)."""
    xp = namespace(gibbs.energies)
    correct = correct_answer(gibbs, target)
    incorrect = correct.excluded(gibbs.present_energies)
    offending = xp.argmin(incorrect, axis=1)
    # E- where there is no incorrect answer: squares and products of it are finite
    huge = xp.finfo(incorrect.dtype).max ** 0.25
    least = pick(incorrect, offending)
    return correct, xp.where(least < huge, least, huge), offending  # faster than xp.clip


def pick(a, index):
    """a[i, index[i]] for each row i."""
    return namespace(a).take_along_axis(a, index[:, None], axis=1)[:, 0]


def add_at(a, index, amount):
    """a with a[i, index[i]] += amount[i] for each row i; in place for numpy, a hot loop."""
    if isinstance(a, np.ndarray):
        a[np.arange(len(a)), index] += amount
        return a
    xp = namespace(a)
    amount = xp.broadcast_to(xp.asarray(amount, dtype=a.dtype), index.shape)
    chosen = xp.arange(a.shape[1])[None, :] == index[:, None]
    return xp.where(chosen, a + amount[:, None], a)
