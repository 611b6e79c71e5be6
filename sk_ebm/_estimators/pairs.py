"""Energies of inputs with their answers, and of those that are held out."""

import numpy as np

from sk_ebm.energies._fold_median import of_compatible


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
