"""The margin losses of Table 1 of LeCun et al. (2006)."""

from sk_ebm._utils.sklearn_private import namespace
from sk_ebm.losses._base import Loss
from sk_ebm.losses._contrast import ContrastiveLoss, correct_answer


class EnergyLoss(Loss):
    """E+ (Table 1, "energy"): lowers the correct answer and raises no other."""

    trivial_minimum = "falling"
    several_correct = True
    shift_invariant = False

    def __call__(self, gibbs, target):
        plus = correct_answer(gibbs, target)
        return plus.energy, plus.gradient(namespace(gibbs.energies).ones_like(plus.energy))


class Perceptron(ContrastiveLoss):
    """E+ - min E (Table 1, "perceptron"); a tie counts as violated."""

    trivial_minimum = "equal"

    def pair(self, plus, minus):
        gap = plus - minus
        violated = namespace(plus).astype(gap >= 0, gap.dtype)
        return gap * violated, violated, -violated


class Hinge(ContrastiveLoss):
    """max(0, margin + E+ - E-) (Table 1, "hinge")."""

    def __init__(self, margin=1.0):
        self.margin = margin

    @property
    def second_derivative_bound(self):
        return 1 / self.margin

    def pair(self, plus, minus):
        short = plus - minus + self.margin
        violated = namespace(plus).astype(short > 0, short.dtype)
        return short * violated, violated, -violated


class Log(ContrastiveLoss):
    """log(1 + exp(E+ - E-)) (Table 1, "log")."""

    second_derivatives = "jumping"
    second_derivative_bound = 0.25

    def pair(self, plus, minus):
        p = _sigmoid(plus - minus)
        return _softplus(plus - minus), p, -p

    def second(self, plus, minus):
        p = _sigmoid(plus - minus)
        second = p * (1 - p)
        return second, -second, second


class LVQ2(ContrastiveLoss):
    """min(cap, max(0, E+ - E-)) (Table 1, "LVQ2"); a tie counts as violated.

    With ``relative=True``, min(1, max(0, (E+ - E-) / (delta E-))), for positive energies.
    """

    trivial_minimum = "equal"

    def __init__(self, cap=1.0, relative=False, delta=1.0):
        self.cap = cap
        self.relative = relative
        self.delta = delta

    @property
    def positive(self):
        return self.relative

    @property
    def second_derivative_bound(self):
        return 1.0 if self.relative else 1 / self.cap

    def pair(self, plus, minus):
        xp = namespace(plus)
        if self.relative:
            # where E- is 0, a number whose inverse squared is finite
            positive = xp.maximum(minus, minus * 0 + xp.finfo(minus.dtype).smallest_normal ** 0.25)
            unit, cap = self.delta * positive, 1.0
            gap, by_plus, by_minus = (plus - minus) / unit, 1 / unit, -(plus / positive) / unit
        else:
            gap, by_plus, by_minus, cap = plus - minus, 1.0, -1.0, self.cap
        inside = xp.astype((gap >= 0) & (gap < cap), gap.dtype)
        return xp.clip(gap, 0, cap), inside * by_plus, inside * by_minus


class MCE(ContrastiveLoss):
    """1 / (1 + exp(-(E+ - E-))) (Table 1, "MCE": minimum classification error)."""

    second_derivative_bound = 108**-0.5  # the largest second derivative of the logistic function

    def pair(self, plus, minus):
        p = _sigmoid(plus - minus)
        return p, p * (1 - p), -p * (1 - p)


class SquareSquare(ContrastiveLoss):
    """E+^2 + max(0, margin - E-)^2 (Table 1, "square-square")."""

    second_derivatives = "jumping"
    second_derivative_bound = 2.0
    shift_invariant = False

    def __init__(self, margin=1.0):
        self.margin = margin

    def pair(self, plus, minus):
        short = namespace(plus).clip(self.margin - minus, min=0)
        return plus**2 + short**2, 2 * plus, -2 * short

    def second(self, plus, minus):
        xp = namespace(plus)
        short = xp.astype(minus < self.margin, plus.dtype)
        return xp.full_like(plus, 2.0), xp.zeros_like(plus), 2 * short


class SquareExponential(ContrastiveLoss):
    """E+^2 + gamma exp(-E-) (Table 1, "square-exponential").

    Below E- = -30 the exponential is continued as its tangent, which is convex and never overflows.
    """

    second_derivatives = "jumping"
    second_derivative_bound = 2.0
    shift_invariant = False
    _tangent_below = -30.0  # exp(30) squared is finite in single precision

    def __init__(self, gamma=1.0):
        self.gamma = gamma

    def _exponential(self, minus):
        """gamma exp(-E-), at least at the tangent's point, and how far E- is below this point."""
        xp = namespace(minus)
        exponential = self.gamma * xp.exp(-xp.clip(minus, min=self._tangent_below))
        return exponential, xp.clip(self._tangent_below - minus, min=0)

    def pair(self, plus, minus):
        exponential, below = self._exponential(minus)
        return plus**2 + exponential * (1 + below), 2 * plus, -exponential

    def second(self, plus, minus):
        xp = namespace(plus)
        exponential, below = self._exponential(minus)
        return xp.full_like(plus, 2.0), xp.zeros_like(plus), xp.where(below > 0, 0.0, exponential)


def _sigmoid(a):
    xp = namespace(a)
    least = -80  # exp(80) is finite in single precision
    return xp.where(a < least, 0.0, 1 / (1 + xp.exp(-xp.clip(a, min=least))))


def _softplus(a):
    xp = namespace(a)
    return xp.clip(a, min=0) + xp.log1p(xp.exp(-xp.abs(a)))
