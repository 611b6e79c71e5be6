"""Energies of inputs with their answers, and of those that are held out."""

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d

from sk_ebm._tables.refusals import check_target
from sk_ebm.energies._fold_median import of_compatible


def answers_of(X, y):
    """The answers y of validated inputs X: one of each, and none missing."""
    y = column_or_1d(y)
    check_consistent_length(X, y)
    check_target(y, numeric=False)
    return y


def check_known(energy, answers):
    """Raise a ValueError where the energy knows nothing of some answers (m,)."""
    unknown = list(dict.fromkeys(answers[~energy.knows(answers)].tolist()))[:5]
    if unknown:
        raise ValueError(
            "With labels='answer', calibrate needs rows whose answers were seen in fit, got "
            f"{unknown}. Leave these rows out, or add their answers by add_classes first."
        )


def pair_columns(energy, X, answers):
    """Energies of inputs and of pairs, (m, 2)."""
    return np.column_stack([of_compatible(energy(X)), energy.of_pairs(X, answers.target)])


def held_out_pairs(energy, X, answers):
    """The same, NaN where the energy was not fitted on rows of that answer."""
    known = energy.knows(answers.target)
    return np.where(known[:, None], pair_columns(energy, X, answers), np.nan)


def known_pairs(samples, energies):
    """Samples and energies without those that are NaN, which say nothing about compatible rows."""
    known = ~np.isnan(energies).any(axis=1)
    if not known.any():
        raise ValueError(
            "No held-out row has an answer that the rows fitted on have, too, so that thresholds "
            "cannot be learned. Give two rows or more of some answers."
        )
    return samples[known], energies[known]
