"""Losses: per-sample functions of the candidates' energies (Table 1 of LeCun et al., 2006).

E+ is the energy of the correct answer, E- that of the most offending incorrect answer: the
least energy among all others. A loss sees neither inputs nor parameters.
"""

from collections import namedtuple

import numpy as np
from sklearn.base import BaseEstimator

from sk_ebm._checks import check_number
from sk_ebm._private import namespace

Curvature = namedtuple("Curvature", ["diagonal", "product"])
"""diagonal (n, k) of the matrix of second derivatives of each sample, and product(v): that
matrix times v, both (n, k). Positive semi-definite."""


class Loss(BaseEstimator):
    """Base class of losses.

    ``loss(gibbs, target)`` returns values (n,) and slopes (n, k) = d values / d energies; the
    slope of an absent candidate is 0. ``target`` is the index (n,) of the correct answer; `NLL`
    also takes a distribution (n, k).

    Attributes
    ----------
    curved : bool
        Whether ``curvature(gibbs, target)`` exists: the loss is convex in the energies and its
        second derivatives are not zero almost everywhere.
    smooth : bool
        Whether it is curved, and its slopes have no jump where another answer becomes the most
        offending one.
    zero_margin : bool
        Whether energies that are all equal are a global minimum.
    only_pulls : bool
        Whether the loss only lowers the correct answer, with nothing that raises the others.
    positive : bool
        Whether the loss is defined for positive energies only.
    shift_invariant : bool
        Whether adding one number to all energies of a sample changes nothing.
    steepness : float
        Stands for the second derivative by an energy, for boosted trees, where the loss is not
        curved: a bound of it or, where slopes jump, their jump over the width of the loss.
    """

    curved = False
    smooth = False
    zero_margin = False
    only_pulls = False
    positive = False
    shift_invariant = True
    steepness = 1.0

    def __call__(self, gibbs, target):
        raise NotImplementedError(f"{type(self).__name__} must define __call__.")

    def check(self):
        """Raise a ValueError if a parameter is out of range."""
        for name, value in self.get_params().items():
            if not isinstance(value, bool):
                check_number(f"{name} of {type(self).__name__}", value, 0)


class ContrastiveLoss(Loss):
    """Base class of losses of the two numbers E+ and E-.

    A subclass defines ``pair(plus, minus)``, which returns values and the derivatives by E+ and
    by E-, all (n,); if it is curved also ``second(plus, minus)``, which returns the second
    derivatives (by E+ twice, mixed, by E- twice).
    """

    def __call__(self, gibbs, target):
        plus, minus, offending = _contrast(gibbs, target)
        values, by_plus, by_minus = self.pair(plus, minus)
        slopes = _scatter(gibbs.energies, (target, by_plus), (offending, by_minus))
        return values, slopes

    def pair(self, plus, minus):
        raise NotImplementedError(f"{type(self).__name__} must define pair.")

    def curvature(self, gibbs, target):
        plus, minus, offending = _contrast(gibbs, target)
        twice_plus, mixed, twice_minus = self.second(plus, minus)

        def product(v):
            v_plus, v_minus = _pick(v, target), _pick(v, offending)
            along_plus = twice_plus * v_plus + mixed * v_minus
            along_minus = mixed * v_plus + twice_minus * v_minus
            return _scatter(v, (target, along_plus), (offending, along_minus))

        diagonal = _scatter(gibbs.energies, (target, twice_plus), (offending, twice_minus))
        return Curvature(diagonal, product)


class EnergyLoss(Loss):
    """E+ (Table 1, "energy"): pulls the correct answer down and pushes nothing up."""

    only_pulls = True
    shift_invariant = False

    def __call__(self, gibbs, target):
        plus = _pick(gibbs.energies, target)
        return plus, _scatter(gibbs.energies, (target, namespace(plus).ones_like(plus)))


class Perceptron(ContrastiveLoss):
    """E+ - min E (Table 1, "perceptron"); a tie counts as violated."""

    zero_margin = True

    def pair(self, plus, minus):
        xp = namespace(plus)
        gap = plus - minus
        violated = xp.astype(gap >= 0, gap.dtype)
        return gap * violated, violated, -violated


class Hinge(ContrastiveLoss):
    """max(0, margin + E+ - E-) (Table 1, "hinge")."""

    def __init__(self, margin=1.0):
        self.margin = margin

    @property
    def steepness(self):
        return 1 / self.margin

    def pair(self, plus, minus):
        xp = namespace(plus)
        gap = plus - minus + self.margin
        violated = xp.astype(gap > 0, gap.dtype)
        return gap * violated, violated, -violated


class Log(ContrastiveLoss):
    """log(1 + exp(E+ - E-)) (Table 1, "log")."""

    curved = True

    def pair(self, plus, minus):
        gap = plus - minus
        probability = _sigmoid(gap)
        return _softplus(gap), probability, -probability

    def second(self, plus, minus):
        probability = _sigmoid(plus - minus)
        bend = probability * (1 - probability)
        return bend, -bend, bend


class LVQ2(ContrastiveLoss):
    """min(cap, max(0, E+ - E-)) (Table 1, "LVQ2"); a tie counts as violated.

    With ``relative=True``, min(1, max(0, (E+ - E-) / (delta E-))), for positive energies.
    """

    zero_margin = True

    def __init__(self, cap=1.0, relative=False, delta=1.0):
        self.cap = cap
        self.relative = relative
        self.delta = delta

    @property
    def positive(self):
        return self.relative

    @property
    def steepness(self):
        return 1.0 if self.relative else 1 / self.cap

    def pair(self, plus, minus):
        xp = namespace(plus)
        if not self.relative:
            gap, cap, by_plus, by_minus = plus - minus, self.cap, 1.0, -1.0
        else:
            floor = xp.maximum(minus, minus * 0 + xp.finfo(minus.dtype).smallest_normal ** 0.25)
            gap, cap = (plus - minus) / (self.delta * floor), 1.0
            by_plus, by_minus = 1 / (self.delta * floor), -(plus / floor) / (self.delta * floor)
        inside = xp.astype((gap >= 0) & (gap < cap), gap.dtype)
        return xp.clip(gap, 0, cap), inside * by_plus, inside * by_minus


class MCE(ContrastiveLoss):
    """1 / (1 + exp(-(E+ - E-))) (Table 1, "MCE": minimum classification error)."""

    steepness = 108**-0.5  # the largest second derivative of the logistic function

    def pair(self, plus, minus):
        probability = _sigmoid(plus - minus)
        bend = probability * (1 - probability)
        return probability, bend, -bend


class SquareSquare(ContrastiveLoss):
    """E+^2 + max(0, margin - E-)^2 (Table 1, "square-square")."""

    curved = True
    shift_invariant = False

    def __init__(self, margin=1.0):
        self.margin = margin

    def pair(self, plus, minus):
        short = namespace(plus).clip(self.margin - minus, min=0)
        return plus**2 + short**2, 2 * plus, -2 * short

    def second(self, plus, minus):
        xp = namespace(plus)
        active = xp.astype(minus < self.margin, plus.dtype)
        return xp.full_like(plus, 2.0), xp.zeros_like(plus), 2 * active


class SquareExponential(ContrastiveLoss):
    """E+^2 + gamma exp(-E-) (Table 1, "square-exponential").

    Below E- = -30 the exponential goes on as its tangent, which is convex and never overflows.
    """

    curved = True
    shift_invariant = False
    _turn = 30.0

    def __init__(self, gamma=1.0):
        self.gamma = gamma

    def _push(self, minus):
        xp = namespace(minus)
        push = self.gamma * xp.exp(xp.clip(-minus, max=self._turn))
        return push, xp.clip(-minus - self._turn, min=0)

    def pair(self, plus, minus):
        push, beyond = self._push(minus)
        return plus**2 + push * (1 + beyond), 2 * plus, -push

    def second(self, plus, minus):
        xp = namespace(plus)
        push, beyond = self._push(minus)
        return xp.full_like(plus, 2.0), xp.zeros_like(plus), xp.where(beyond > 0, 0.0, push)


class NLL(Loss):
    """E+ + (1/beta) log sum exp(-beta E) (Table 1, "NLL/MMI"): cross-entropy, divided by beta.

    A target that is a distribution (n, k) gives the cross-entropy with it.
    """

    curved = smooth = True

    def __init__(self, beta=1.0):
        self.beta = beta

    def __call__(self, gibbs, target):
        gibbs = gibbs.at(self.beta)
        slopes = -gibbs.probabilities
        if target.ndim == 2:
            xp = namespace(target)
            return xp.sum(target * gibbs.energies, axis=1) - gibbs.free_energy, slopes + target
        return gibbs.surprise(target) / self.beta, _add(slopes, target, 1.0)

    def curvature(self, gibbs, target):
        xp = namespace(gibbs.energies)
        p = gibbs.at(self.beta).probabilities

        def product(v):
            moved = p * v
            moved -= p * xp.sum(moved, axis=1, keepdims=True)
            return moved if self.beta == 1 else moved * self.beta

        return Curvature(self.beta * p * (1 - p), product)


class MEE(Loss):
    """1 - exp(-beta E+) / sum exp(-beta E) (Table 1, "MEE": minimum empirical error)."""

    def __init__(self, beta=1.0):
        self.beta = beta

    @property
    def steepness(self):
        return self.beta**2 * MCE.steepness

    def __call__(self, gibbs, target):
        p = gibbs.at(self.beta).probabilities
        correct = _pick(p, target)
        slopes = -p * (self.beta * correct)[:, None]
        return 1 - correct, _add(slopes, target, self.beta * correct)


LOSSES = {
    "energy": EnergyLoss,
    "perceptron": Perceptron,
    "hinge": Hinge,
    "log": Log,
    "lvq2": LVQ2,
    "mce": MCE,
    "square_square": SquareSquare,
    "square_exponential": SquareExponential,
    "nll": NLL,
    "mee": MEE,
}


def _contrast(gibbs, target):
    """E+, E- and the index of the most offending incorrect answer, each (n,)."""
    xp = namespace(gibbs.energies)
    others = _add(xp.asarray(gibbs.present_energies, copy=True), target, xp.inf)
    far = xp.finfo(others.dtype).max ** 0.25  # stands for E- where there is no other answer
    offending = xp.argmin(others, axis=1)
    return _pick(gibbs.energies, target), xp.clip(_pick(others, offending), max=far), offending


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


def _scatter(like, *parts):
    """Zeros shaped like ``like``, with each (index, amount) added at one entry per row."""
    out = namespace(like).zeros_like(like)
    for index, amount in parts:
        out = _add(out, index, amount)
    return out


def _sigmoid(a):
    xp = namespace(a)
    return xp.where(a < -80, 0.0, 1 / (1 + xp.exp(-xp.clip(a, min=-80))))


def _softplus(a):
    xp = namespace(a)
    return xp.clip(a, min=0) + xp.log1p(xp.exp(-xp.abs(a)))
