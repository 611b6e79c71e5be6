"""Which energies, losses, solvers and estimators go together: one table.

Energies and losses declare what they need and give; each rule reads these declarations, and says
what to do instead. The documentation prints the table.
"""

from collections.abc import Callable
from typing import NamedTuple


class Choice(NamedTuple):
    """What a user has chosen, for one term of a sum.

    Parameters
    ----------
    term, energy : Energy
        The term, and the whole energy, which is the same unless it is a sum.
    loss : Loss
    solver : str
    l1_ratio : float
    answers : {"classes", "items", "values", "inputs", "parts"}
        What the estimator has energies of; parts of a larger answer are nodes on the path of a
        class, or labels.
    name : str
        Of the estimator's class.
    """

    term: object
    energy: object
    loss: object
    solver: str
    l1_ratio: float
    answers: str
    name: str

    @property
    def solvers(self):
        """Names of the solvers that some term can use."""
        return sorted({name for term in self.energy.all_terms() for name in term.solvers})


class Rule(NamedTuple):
    """A combination without a meaningful result, and what to do instead."""

    applies: Callable
    message: Callable


# Energies of what an estimator of these answers can use, and, for messages, what these are.
_USABLE = {
    "classes": {"classes"},
    "items": {"items"},
    "values": {"values"},
    "parts": {"values"},
    "inputs": {"inputs", "classes"},  # compatible and not are classes, with labels
}
_TAKES = {
    "classes": "'linear', 'kernel', 'mlp', 'prototype', 'trees', a classifier with predict_proba "
    "or decision_function, a density with score_samples, and sums of these",
    "items": "'linear', 'kernel', 'mlp', 'trees', rankers, regressors on relevance, and sums of "
    "these",
    "values": "'linear', 'kernel', 'mlp', 'trees', and sums of these; give regressors as location=",
    "parts": "for answers of several parts (parents, label sets) 'linear', 'kernel', 'mlp', "
    "'trees', and sums of these",
    "inputs": "energies of inputs, a density, an outlier detector, with labels also 'linear', "
    "'kernel', 'mlp', 'trees' and classifiers, and sums of these",
}
_OF = {
    "classes": "is one of classes",
    "items": "orders the items of a query, for EnergyRanker",
    "inputs": "is one of the inputs alone, the same for all answers, for EnergyDetector",
}

RULES = (
    Rule(
        lambda c: not c.term.answers & _USABLE[c.answers],
        lambda c: (
            f"energy={c.term!r} {_OF[min(c.term.answers)]}: {c.name} takes {_TAKES[c.answers]}."
        ),
    ),
    Rule(
        lambda c: c.loss.graded and c.answers != "items",
        lambda c: (
            f"loss={c.loss!r} compares the items of a query: it is for EnergyRanker, not {c.name}."
        ),
    ),
    Rule(
        lambda c: c.loss.trivial_minimum == "falling" and not c.term.anchored,
        lambda c: (
            f"loss='energy' collapses with {type(c.term).__name__}: its energies fall without any "
            "other rising. Use energy='prototype', or another loss, such as 'nll' or 'hinge'."
        ),
    ),
    Rule(
        lambda c: c.loss.positive and not c.term.positive,
        lambda c: (
            f"{type(c.loss).__name__} in its relative form needs energies that are never negative, "
            f"not those of {type(c.term).__name__}. Use energy='prototype', or relative=False."
        ),
    ),
    Rule(
        lambda c: c.solver != "auto" and not c.loss.exact and c.solver != "adam" and c.solvers,
        lambda c: (
            f"The gradients of {type(c.loss).__name__} are not those of its values, so that "
            f"solver={c.solver!r} cannot search along a line. Use solver='auto' or 'adam'."
        ),
    ),
    Rule(
        lambda c: c.solver != "auto" and c.solver not in c.solvers,
        lambda c: (
            f"{type(c.energy).__name__} takes solver in {c.solvers} or 'auto', got {c.solver!r}."
        ),
    ),
    Rule(
        lambda c: (
            c.solver == "newton" and (c.l1_ratio > 0 or c.loss.second_derivatives != "continuous")
        ),
        lambda c: (
            "solver='newton' needs l1_ratio=0 and a smooth loss ('nll'), got "
            f"l1_ratio={c.l1_ratio} and {type(c.loss).__name__}. Use solver='auto' or 'lbfgs'."
        ),
    ),
    Rule(
        lambda c: (
            c.solver not in ("auto", "adam")
            and c.loss.trivial_minimum == "equal"
            and not c.energy.anchored
        ),
        lambda c: (
            f"{type(c.loss).__name__} is least where all energies are equal, which "
            f"solver={c.solver!r} would find. Use solver='auto' or 'adam', which count a tie as "
            "violated and average, or loss='hinge'."
        ),
    ),
)


def check_compatible(energy, loss, solver, l1_ratio, answers, name):
    """Raise a ValueError where the parts cannot give a meaningful optimum together."""
    for term in energy.all_terms():
        reason = conflict(Choice(term, energy, loss, solver, l1_ratio, answers, name))
        if reason is not None:
            raise ValueError(reason)


def conflict(choice):
    """Why a choice has no meaningful result, or None."""
    return next((rule.message(choice) for rule in RULES if rule.applies(choice)), None)


def compatible(energies, losses, answers):
    """The table: for each energy and loss, by name, whether they go together with these answers."""
    return {
        name: {
            loss_name: conflict(Choice(energy, energy, loss, "auto", 0.0, answers, "")) is None
            for loss_name, loss in losses.items()
        }
        for name, energy in energies.items()
    }
