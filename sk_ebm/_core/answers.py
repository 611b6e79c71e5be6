"""Answers: which candidates each sample has, which is correct, and how outputs become energies."""

import numpy as np
from sklearn.model_selection import KFold

from sk_ebm.losses._base import Curvature


class Answers:
    """The candidate answers of n samples.

    A family member offers

    - ``target``: index (n,) of the correct candidate, or a `RelevanceTarget` if there are several;
    - ``log_measure``: None, or an array broadcastable to (n, k), -inf for absent candidates;
    - ``n_outputs``: how many outputs (m, o) an energy function computes for it;
    - ``len()``: the number of samples n, over which an objective is a sum;
    - ``take(rows)``: the answers of some samples, for mini-batches and folds;
    - ``rows(samples)``: which rows of the inputs belong to those samples, and ``per_row(values)``;
    - ``splits(n_splits, rng)``: (train, test) pairs of samples, for cross-fitting;
    - ``arrange(outputs) -> energies (n, k), pullback``: linear in the outputs; the pullback, its
      adjoint, turns slopes (n, k) into slopes (m, o) of the outputs;
    - ``aligned(parts)``: outputs of several energies with the same columns, so that they add;
    - ``shifts``: whether a number added to all outputs of a sample is added to all energies;
    - ``floats``: whether a number added to all outputs is added to all energies of each sample;
    - ``diagonal(curvature, outputs)``: diagonal (m, o) of a loss curvature, seen from the outputs;
    - ``curvature(of_energies, outputs, pullback)``: the whole of it, diagonal and product, made of
      ``arrange`` and ``diagonal`` unless something cheaper is known;
    - ``blocks``: triples (samples, rows, answers) where samples are arranged apart, since their
      numbers of candidates differ: then ``target``, ``log_measure``, ``arrange`` and ``diagonal``
      are those of the answers of each block, and ``places_in_blocks`` (m,) says where each row is
      among those of the blocks, one after another. None: all samples are one block.
    """

    log_measure = None
    shifts = False
    floats = False
    blocks = None

    def curvature(self, of_energies, outputs, pullback):
        """`Curvature` (m, o) by the outputs, of that by the energies, with the pullback there."""

        def product(v):
            return pullback(of_energies.product(self.arrange(v)[0]))

        return Curvature(self.diagonal(of_energies, outputs), product)

    def rows(self, samples):
        """Rows of the inputs that belong to the samples: one each, unless overridden."""
        return samples

    def per_row(self, values):
        """Weights (n,) of the samples for each row of the inputs, (m,)."""
        return values

    @staticmethod
    def aligned(parts):
        """Outputs of several energies for the same rows, all with the same columns."""
        return parts

    def splits(self, n_splits, rng):
        """Shuffled folds: (train, test) pairs of samples, for cross-fitting."""
        folds = KFold(n_splits, shuffle=True, random_state=rng)
        return list(folds.split(np.arange(len(self))))


class PassthroughAnswers(Answers):
    """Answers that an estimator of its own reads, of any kind.

    Parameters
    ----------
    target : ndarray of shape (n,)
    """

    def __init__(self, target):
        self.target = target

    def __len__(self):
        return len(self.target)

    def take(self, samples):
        return PassthroughAnswers(self.target[samples])
