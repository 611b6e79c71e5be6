"""The margin losses of Table 1 of LeCun et al. (2006)."""

from sk_ebm._utils.sklearn_private import namespace
from sk_ebm.losses._base import Loss
from sk_ebm.losses._contrast import ContrastiveLoss, _correct


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


def _sigmoid(a):
    xp = namespace(a)
    return xp.where(a < -80, 0.0, 1 / (1 + xp.exp(-xp.clip(a, min=-80))))


def _softplus(a):
    xp = namespace(a)
    return xp.clip(a, min=0) + xp.log1p(xp.exp(-xp.abs(a)))
