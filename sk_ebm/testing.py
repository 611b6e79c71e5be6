"""Checks of a user's own losses and energies: each raises an AssertionError that names the law.

`check_loss` and `check_energy` compare gradients with differences of values, try answers that are
absent, other orders of the answers, single rows and copies. The package's own components pass them.
"""

from sklearn.base import clone

from sk_ebm._testing.energy_laws import ENERGY_LAWS, PROBLEMS, EnergyCase
from sk_ebm._testing.loss_laws import LOSS_LAWS, LossCase
from sk_ebm._utils.validation import check_choice
from sk_ebm.energies import as_energy
from sk_ebm.losses import Loss

__all__ = ["check_energy", "check_loss"]


def check_loss(loss, *, random_state=0):
    """Check that a loss keeps the laws that training relies on.

    Values and gradient have shapes (n,) and (n, k) and are finite; the gradient is that of the
    values, and the curvature that of the gradient, positive semi-definite; absent answers get
    gradient 0 and change nothing; answers in another order have their gradient in that order;
    energies are not written on; single precision is kept; what the attributes declare
    (``shift_invariant``, ``non_negative``) holds.

    Parameters
    ----------
    loss : Loss
        Losses with ``several_correct`` are also tried with graded targets, those with ``graded``
        with these alone.
    random_state : int, RandomState instance or None, default=0
        Draws the energies. At random ones no kink is likely.

    Raises
    ------
    AssertionError
        That names the law, and shows what differs.

    Examples
    --------
    >>> from sk_ebm.losses import ContrastiveLoss, Hinge
    >>> from sk_ebm.testing import check_loss
    >>> check_loss(Hinge(margin=2.0))
    >>> class Wrong(ContrastiveLoss):
    ...     def pair(self, plus, minus):
    ...         gap = (1 + plus - minus).clip(min=0)
    ...         return gap**2, gap, -gap
    >>> check_loss(Wrong())  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    AssertionError: Wrong() breaks the law 'the gradient is that of the values'...
    """
    if not isinstance(loss, Loss):
        raise TypeError(f"loss must be an instance of sk_ebm.losses.Loss, got {loss!r}.")
    clone(loss).check()
    kinds = [True] if loss.graded else [False, True] if loss.several_correct else [False]
    for graded in kinds:
        for law, holds in LOSS_LAWS.items():
            _judge(loss, law, holds, LossCase.of(loss, graded, random_state))


def check_energy(energy, *, answers=None, random_state=0):
    """Check that an energy keeps the laws that the estimators rely on.

    It is fitted to small problems. The fit returns a `FitResult`, descends, writes on nothing that
    it is given, and is the same for the same seed; the pullback that it gives
    ``training.minimize`` is the gradient of its outputs; outputs have shape (m, o), are finite, and
    those of a row do not depend on other rows; clones are unfitted, and copies predict the same.

    Parameters
    ----------
    energy : Energy, or what stands for one
        As the parameter ``energy`` of the estimators.
    answers : {"classes", "items", "values", "inputs"}, default=None
        None means all that the energy declares in ``answers``.
    random_state : int, RandomState instance or None, default=0
        Draws inputs, answers and the seed of the fits.

    Raises
    ------
    AssertionError
        That names the law, and shows what differs.

    Examples
    --------
    >>> from sk_ebm.testing import check_energy
    >>> check_energy("linear")
    """
    check_choice("answers", answers, (None, *PROBLEMS))
    energy = as_energy(energy)
    energy.check()
    for kind in PROBLEMS if answers is None else [answers]:
        if answers is None and not all(kind in term.answers for term in energy.all_terms()):
            continue
        for law, holds in ENERGY_LAWS.items():
            _judge(
                energy, f"{law} (answers: {kind})", holds, EnergyCase.of(energy, kind, random_state)
            )


def _judge(component, law, holds, case):
    try:
        holds(case)
    except Exception as error:
        raise AssertionError(f"{component!r} breaks the law '{law}': {error}") from error
