"""What every loss has in common."""

from collections import namedtuple

from sklearn.base import BaseEstimator

from sk_ebm._utils.validation import check_number

Curvature = namedtuple("Curvature", ["diagonal", "product"])

"""diagonal (n, k) of the matrix of second derivatives of each sample, and product(v): that
matrix times v, both (n, k). Positive semi-definite."""


class Loss(BaseEstimator):
    """Base class of losses.

    ``loss(gibbs, target)`` returns values (n,) and slopes (n, k) = d values / d energies; the
    slope of an absent candidate is 0. ``target`` is the index (n,) of the correct answer, or,
    where several are correct, a distribution (n, k) over them, or a `RelevanceTarget` that holds
    one. E+ is then their free energy, -log sum_y t(y) exp(-E(y)), t that distribution.

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
        Whether the target must be a `RelevanceTarget`, the items of a query.
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


def shares_of(target):
    """A target that is a distribution (n, k), from one or from a `RelevanceTarget`."""
    return getattr(target, "shares", target)
