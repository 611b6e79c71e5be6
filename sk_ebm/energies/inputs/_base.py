"""What energies of the inputs alone have in common."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sk_ebm._core.contributions import sampled_shapley
from sk_ebm._core.training import FitResult
from sk_ebm._utils.sklearn_private import take_rows
from sk_ebm.energies._base import Energy
from sk_ebm.energies._fold_median import leaves_rows_out

_OF_ZERO_DENSITY = 1e100  # finite, as its square is, and above all others


def finite_energies(energies):
    """Energies of estimators, with those of zero density, or of none, above all others."""
    energies = np.nan_to_num(np.asarray(energies, dtype=float), nan=_OF_ZERO_DENSITY)
    return np.clip(energies, -_OF_ZERO_DENSITY, _OF_ZERO_DENSITY)


class LeftOut(NamedTuple):
    """The energies of rows as if each had been left out of the fit.

    Parameters
    ----------
    rows : ndarray of int
        Of X, which an energy was fitted on.
    energies : callable
        ``energies(index)`` gives those of ``rows[index]``.
    """

    rows: np.ndarray
    energies: Callable


class InputEnergy(Energy):
    """Base class of energies of the inputs alone, fitted on the rows that count as compatible.

    The one output (m, 1) is -E(x). A member defines ``fit_rows(X, weights, rng)`` and
    ``energies(X)``; `fit_rows` may return the `LeftOut`, where ``can_leave_out`` says so. Neither
    loss nor solver act on it.
    """

    answers = frozenset({"inputs"})
    anchored = True
    takes_offset = False

    def fit(self, inputs, training):
        objective = training.objective
        rows = np.flatnonzero(objective.weights * (objective.answers.target == 1))
        left_out = self.fit_rows(take_rows(inputs, rows), objective.weights[rows], training.rng)
        if not leaves_rows_out(self, inputs, training):
            return FitResult(self)
        samples, index = training.folds.samples, np.full(len(objective.weights), -1)
        index[rows[left_out.rows]] = np.arange(len(left_out.rows))
        index = index[samples]
        fitted, energies = index >= 0, np.empty(len(samples))
        energies[fitted] = left_out.energies(index[fitted])
        if not fitted.all():
            energies[~fitted] = self.energies(take_rows(inputs, samples[~fitted]))
        return FitResult(self, (samples, -energies[:, None]))

    def fit_rows(self, X, weights, rng):
        raise NotImplementedError(f"{type(self).__name__} must define fit_rows.")

    def energies(self, X):
        raise NotImplementedError(f"{type(self).__name__} must define energies.")

    def contributions(self, inputs, background):
        """Sampled Shapley values beside the rows of the background that are nearest to each: they
        say what the row would be without its strange values."""
        return sampled_shapley(lambda table, rows: self(table), inputs, background, near=True)

    def __call__(self, inputs):
        return -np.asarray(self.energies(inputs), dtype=float)[:, None]
