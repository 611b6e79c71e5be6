"""Losses: per-sample functions of the candidates' energies (Table 1 of LeCun et al., 2006).

E+ is the energy of the correct answer, E- that of the most offending incorrect answer: the
least energy among all others. A loss sees neither inputs nor parameters.
"""

from collections import namedtuple

import numpy as np
from sklearn.base import BaseEstimator

from sk_ebm._utils.sklearn_private import namespace
from sk_ebm._utils.validation import check_number

Curvature = namedtuple("Curvature", ["diagonal", "product"])
"""diagonal (n, k) of the matrix of second derivatives of each sample, and product(v): that
matrix times v, both (n, k). Positive semi-definite."""


class Loss(BaseEstimator):
    """Base class of losses.

    ``loss(gibbs, target)`` returns values (n,) and slopes (n, k) = d values / d energies; the
    slope of an absent candidate is 0. ``target`` is the index (n,) of the correct answer, or,
    where several are correct, a distribution (n, k) over them, or a `Graded` that holds one. E+
    is then their free energy, -log sum_y t(y) exp(-E(y)), t that distribution.

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
    exact : bool
        Whether the slopes are those of the values: without it values may only be compared to
        stop, not to search along a line.
    graded : bool
        Whether the target must be a `Graded`, the items of a query.
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
    exact = True
    graded = False
    steepness = 1.0

    def __call__(self, gibbs, target):
        raise NotImplementedError(f"{type(self).__name__} must define __call__.")

    def expansion(self, gibbs, target):
        """Values, slopes and curvature, which is None where the loss is not curved."""
        return *self(gibbs, target), self.curvature(gibbs, target) if self.curved else None

    def seeded(self, rng):
        """Itself, or a clone that draws noise from the generator."""
        return self

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


class EnergyLoss(Loss):
    """E+ (Table 1, "energy"): pulls the correct answer down and pushes nothing up."""

    only_pulls = True
    shift_invariant = False

    def __call__(self, gibbs, target):
        correct = _correct(gibbs, target)
        return correct.energy, correct.spread(namespace(gibbs.energies).ones_like(correct.energy))


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
            target, xp = shares_of(target), namespace(gibbs.energies)
            slopes += target
            return xp.sum(target * gibbs.energies, axis=1) - gibbs.free_energy, slopes
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
        if target.ndim == 2:
            return self._of_several(p, getattr(target, "gains", target))
        correct = _pick(p, target)
        slopes = -p * (self.beta * correct)[:, None]
        return 1 - correct, _add(slopes, target, self.beta * correct)

    def _of_several(self, p, gains):
        """Each correct answer counts by its gain, the best one fully."""
        xp = namespace(p)
        best = xp.max(gains, axis=1, keepdims=True)
        worth = gains / xp.where(best > 0, best, 1.0)
        correct = xp.sum(p * worth, axis=1)
        return 1 - correct, self.beta * p * (worth - correct[:, None])


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


def shares_of(target):
    """A target that is a distribution (n, k), from one or from a `Graded`."""
    return getattr(target, "shares", target)


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


def _sigmoid(a):
    xp = namespace(a)
    return xp.where(a < -80, 0.0, 1 / (1 + xp.exp(-xp.clip(a, min=-80))))


def _softplus(a):
    xp = namespace(a)
    return xp.clip(a, min=0) + xp.log1p(xp.exp(-xp.abs(a)))
