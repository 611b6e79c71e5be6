"""Answers: which candidates each sample has, which is correct, and how outputs become energies."""

import numpy as np

from sk_ebm._core.folds import shuffled_folds
from sk_ebm._core.gibbs import Gibbs
from sk_ebm.losses import Curvature


class Answers:
    """The candidate answers of n samples.

    A member of the family offers

    - ``kind``: "classes", "items" of a query, or "values", whose energies can have any number of
      outputs, as in `Energy.answers`;
    - ``target``: index (n,) of the correct candidate, or a `RelevanceTarget` if there are several;
    - ``log_measure``: None, or an array broadcastable to (n, k), -inf for absent candidates;
    - ``n_outputs``: how many outputs (m, o) an energy function computes for it;
    - ``len()``: the number of samples n, over which an objective is a sum;
    - ``take(samples)``: the answers of some samples, for folds, and ``batch(samples, rng)``, those
      of a mini-batch, whose candidates may be drawn;
    - ``rows(samples)``: which rows of the inputs belong to those samples, and ``per_row(values)``;
    - ``folds(n_folds, rng)``: the default `Folds` of the samples;
    - ``arrange(outputs) -> energies (n, k), pullback``: linear in the outputs; the pullback, its
      adjoint, turns a gradient (n, k) by the energies into one (m, o) by the outputs;
    - ``gibbs(outputs, offset, dtype)``: the Gibbs distribution over the candidates, and the same
      pullback, made of ``arrange`` and ``log_measure`` unless the answers are structured;
    - ``columns``: which of the outputs it reads, as an energy that can compute some of them takes
      it; None means all;
    - ``shift_axis``: along which axis of the outputs (m, o) adding one number adds the same number
      to all energies of a sample: 1, all outputs of a row; 0, an output of all rows; None;
    - ``idle_outputs(shift_invariant)``: None, or an orthonormal basis (o, r) of the directions of
      the outputs of a row that change no energy, or all alike where that changes nothing;
    - ``absent_outputs(weights)``: indices of outputs that no sample with weight has anything to do
      with;
    - ``diagonal(curvature, outputs)``: diagonal (m, o) of a loss curvature, seen from the outputs;
    - ``curvature(by_energies, outputs, pullback)``: the whole of it, diagonal and product, made of
      ``arrange`` and ``diagonal`` unless something cheaper is possible;
    - ``linked``: whether energies of their parts are added to those of links between them, and
      ``distribution(outputs)`` is a `ChainGibbs`;
    - ``blocks``: triples (samples, rows, answers) where samples are arranged apart, since their
      numbers of candidates differ: then ``target``, ``log_measure``, ``arrange`` and ``diagonal``
      are those of the answers of each block, and ``positions_in_blocks`` (m,) is the position of
      each row among those of the blocks, one after another. None: all samples are one block.
    """

    kind = "values"
    log_measure = None
    shift_axis: int | None = None
    columns = None
    blocks = None
    linked = False

    def gibbs(self, outputs, offset=None, dtype=None):
        """The Gibbs distribution of outputs (m, o) plus an offset (m, o), and the pullback.

        Energies and base measure are of the ``dtype``, where one is given.
        """
        energies, pullback = self.arrange(outputs)
        if offset is not None:
            energies = energies + self.arrange(offset)[0]
        log_measure = self.log_measure
        if dtype is not None:
            energies = energies.astype(dtype, copy=False)
            log_measure = None if log_measure is None else log_measure.astype(dtype)
        return Gibbs(energies, log_measure), pullback

    def batch(self, samples, rng):
        """The answers of a mini-batch of samples: of ``take``, unless candidates are drawn."""
        return self.take(samples)

    def idle_outputs(self, shift_invariant):
        return None

    def absent_outputs(self, weights):
        return []

    def curvature(self, by_energies, outputs, pullback):
        """`Curvature` (m, o) by the outputs, of that by the energies, with the pullback there."""

        def product(v):
            return pullback(by_energies.product(self.arrange(v)[0]))

        return Curvature(self.diagonal(by_energies, outputs), product)

    def rows(self, samples):
        """Rows of the inputs that belong to the samples: one each, unless overridden."""
        return samples

    def per_row(self, values):
        """Values (n,) of the samples for each row of the inputs, (m,)."""
        return values

    def folds(self, n_folds, rng):
        """Shuffled folds of the samples."""
        return shuffled_folds(len(self), n_folds, rng)

    def known(self, samples, weights):
        """Which of the samples have answers (m,) that others of the n weighted ones have, too, so
        that a fit without them knows of these: all, unless answers are classes."""
        return np.ones(len(samples), dtype=bool)

    def known_folds(self, folds, weights, rng, warns=False):
        """Folds that test no class which their training samples lack (`Folds.knowing`), with a
        warning that names classes which some lacked, if these folds are the user's."""
        return folds


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
