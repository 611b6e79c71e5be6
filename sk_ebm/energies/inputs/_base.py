"""What energies of the inputs alone have in common."""

import numpy as np

from sk_ebm._core.training import FitResult
from sk_ebm._utils.sklearn_private import take_rows
from sk_ebm.energies._base import Energy

_OF_ZERO_DENSITY = 1e100  # finite, as its square is, and above all others


def finite_energies(energies):
    """Energies of estimators, with those of zero density, or of none, above all others."""
    energies = np.nan_to_num(np.asarray(energies, dtype=float), nan=_OF_ZERO_DENSITY)
    return np.clip(energies, -_OF_ZERO_DENSITY, _OF_ZERO_DENSITY)


class InputEnergy(Energy):
    """Base class of energies of the inputs alone, fitted on the rows that count as compatible.

    The one output (m, 1) is -E(x). A member defines ``fit_rows(X, weights, rng)`` and
    ``energies(X)``. Neither loss nor solver act on it.
    """

    answers = frozenset({"inputs"})
    anchored = True
    takes_offset = False

    def fit(self, inputs, training):
        objective = training.objective
        rows = np.flatnonzero(objective.weights * (objective.answers.target == 1))
        self.fit_rows(take_rows(inputs, rows), objective.weights[rows], training.rng)
        return FitResult(self)

    def fit_rows(self, X, weights, rng):
        raise NotImplementedError(f"{type(self).__name__} must define fit_rows.")

    def energies(self, X):
        raise NotImplementedError(f"{type(self).__name__} must define energies.")

    def __call__(self, inputs):
        return -np.asarray(self.energies(inputs), dtype=float)[:, None]
