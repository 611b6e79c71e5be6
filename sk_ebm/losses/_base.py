"""The base class of losses."""

from collections import namedtuple

from sklearn.base import BaseEstimator

from sk_ebm._utils.html import Boxes
from sk_ebm._utils.validation import check_number

Curvature = namedtuple("Curvature", ["diagonal", "product"])
"""Second derivatives of the loss of each sample by its energies, a positive semi-definite matrix:
its diagonal (n, k), and product(v), the matrix times v, both (n, k)."""


class Loss(Boxes, BaseEstimator):
    """Base class of losses: functions of the energies of a sample's candidate answers.

    ``loss(gibbs, target)`` returns values (n,) and their gradient (n, k) by the energies, which is
    0 for absent candidates. ``target`` is the index (n,) of the correct answer, or, where several
    are correct, a distribution t (n, k) over them or a `RelevanceTarget`, which holds one. E+, the
    energy of the correct answer, is then their free energy -log sum_y t(y) exp(-E(y)).

    To write a loss, define ``__call__``, ``curvature(gibbs, target)`` where it has second
    derivatives, and those of the attributes that differ from the defaults.

    Attributes
    ----------
    second_derivatives : {None, "jumping", "continuous"}
        None: the loss is not convex in the energies, or its second derivatives are zero almost
        everywhere. Otherwise ``curvature`` gives them. "jumping": the gradient may jump, for
        example where another answer becomes the most offending one. Newton's method needs
        "continuous".
    trivial_minimum : {None, "equal", "falling"}
        The minimum that says nothing about the answers. "equal": energies that are all equal.
        "falling": energies that fall for all answers, as nothing raises those of incorrect ones.
    several_correct : bool
        Whether the target may hold several correct answers. Otherwise `EnergyRanker` uses the mean
        of the losses of the relevant items as the correct answer, by their shares of the gains.
    positive : bool
        Whether the loss is defined for positive energies only.
    shift_invariant : bool
        Whether adding one number to all energies of a sample changes nothing.
    exact : bool
        Whether the gradient is that of the values. Without it a solver must not search along a
        line; it may only compare values to stop.
    non_negative : bool
        Whether values are never negative, so that a value of nearly zero is nearly the minimum.
    graded : bool
        Whether the target must be a `RelevanceTarget`, the items of a query.
    second_derivative_bound : float
        What boosted trees use where ``second_derivatives`` is None: a bound of the second
        derivative by an energy or, where the gradient jumps, its jump over the loss's width.
    """

    second_derivatives: str | None = None
    trivial_minimum: str | None = None
    several_correct = False
    positive = False
    shift_invariant = True
    exact = True
    non_negative = False
    graded = False
    second_derivative_bound = 1.0

    def __call__(self, gibbs, target):
        raise NotImplementedError(f"{type(self).__name__} must define __call__.")

    def expansion(self, gibbs, target):
        """Values, gradient and, None where the loss has no second derivatives, curvature."""
        curvature = None if self.second_derivatives is None else self.curvature(gibbs, target)
        return *self(gibbs, target), curvature

    def seeded(self, rng):
        """The loss itself, or a clone that draws noise from the generator."""
        return self

    def check(self):
        """Raise a ValueError if a parameter is out of range."""
        for name, value in self.get_params().items():
            if not isinstance(value, bool):
                check_number(f"{name} of {type(self).__name__}", value, 0)


def shares_of(target):
    """The distribution (n, k) over correct answers: the target itself, or that it holds."""
    return getattr(target, "shares", target)
