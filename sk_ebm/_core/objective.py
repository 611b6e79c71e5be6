"""The training objective: answers + loss + weights -> value and derivatives by the outputs."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from sk_ebm._core.answers import Answers
from sk_ebm._core.temperature import BetaProblem, learn_beta_of_blocks
from sk_ebm.losses import NLL, Curvature, Loss
from sk_ebm.losses._base import shares_of

_GRADIENT_SAMPLES = 50  # on which the gradient of a user's loss is checked
_FEW_OUTPUTS = 300_000  # of which a fit holds the distributions from one step to the next: 7 MB


@dataclass(frozen=True, eq=False)
class Objective:
    """The weighted mean loss, sum_i w_i loss(energies_i, target_i) / sum_i w_i, of some outputs.

    It is a sum over samples, so that blocks of rows can be evaluated apart and added. Shapes: n
    samples, m rows of the inputs (m = n, unless samples are queries), o outputs of each row, k
    candidate answers of each sample.

    Parameters
    ----------
    answers : Answers
        Of n samples.
    loss : Loss
    weights : ndarray of shape (n,)
        Non-negative, not all zero.
    offset : ndarray of shape (m, o), default=None
        Outputs of other energies, which are added to those of the energy that is fitted.
    """

    answers: Answers
    loss: Loss
    weights: np.ndarray
    offset: np.ndarray | None = None

    @cached_property
    def _shares(self):
        return self.weights / self.weights.sum()

    @property
    def row_weights(self):
        """Weights of the rows of the inputs, (m,)."""
        return self.answers.per_row(self.weights)

    def _blocks(self, outputs, dtype=None):
        """Blocks of samples, arranged apart: (samples, rows, answers, gibbs, pullback) of each.

        Energies and base measure are of the ``dtype``, where one is given.
        """
        for samples, rows, answers in self.answers.blocks or [(..., ..., self.answers)]:
            offset = None if self.offset is None else self.offset[rows]
            gibbs, pullback = answers.gibbs(outputs[rows], offset, dtype)
            yield samples, rows, answers, gibbs, pullback

    def expand(self, outputs):
        """The objective, its gradient (m, o) by the outputs and ``curvature(damping=0.0)`` there.

        Few outputs have their Gibbs distribution computed once for all.
        """
        blocks = list(self._blocks(outputs)) if outputs.size <= _FEW_OUTPUTS else None
        value, gradient = self.value_and_gradient(outputs, blocks)
        return value, gradient, partial(self.curvature, outputs, blocks=blocks)

    def value_and_gradient(self, outputs, blocks=None):
        """The objective and its gradient by the outputs, (m, o), of which there may be blocks."""
        total, gradients = 0.0, _ByRow(self.answers, len(outputs))
        for samples, rows, answers, gibbs, pullback in blocks or self._blocks(outputs):
            values, gradient = self.loss(gibbs, answers.target)
            gradient *= self._shares[samples].astype(gradient.dtype, copy=False)[:, None]
            total += float(self._shares[samples] @ values)
            gradients.add(rows, pullback(gradient))
        return total, gradients.joined

    def check_gradient(self):
        """Raise a ValueError unless the gradient of the loss is that of its values, in shape too.

        Compared with differences of values at random outputs, which no kink is likely to hit.
        """
        if not self.loss.exact:
            return
        part = self.take(np.flatnonzero(self.weights)[:_GRADIENT_SAMPLES]).replace(offset=None)
        rng = np.random.RandomState(0)
        shape = len(part.row_weights), part.answers.n_outputs
        outputs, direction = -np.abs(rng.standard_normal(shape)), rng.standard_normal(shape)
        for _, _, answers, gibbs, _ in part._blocks(outputs):
            _check_shapes(self.loss, gibbs, answers.target)
        expected = float(np.vdot(part.value_and_gradient(outputs)[1], direction))
        ahead, behind = (
            part.value_and_gradient(outputs + sign * 1e-4 * direction)[0] for sign in (1, -1)
        )
        found = (ahead - behind) / 2e-4
        if not abs(found - expected) <= 1e-2 * (abs(found) + abs(expected)) + 1e-3:
            raise ValueError(
                f"The gradient of loss={self.loss!r} is not that of its values: along a random "
                f"direction it is {expected:.3g}, and these change by {found:.3g}. Correct "
                "__call__, or set exact = False for a loss without values to match."
            )

    def values(self, outputs):
        """The loss of each sample, (n,)."""
        values = np.zeros(len(self.answers))
        for samples, _, answers, gibbs, _ in self._blocks(outputs):
            np.add.at(values, samples, self.loss(gibbs, answers.target)[0])
        return values

    def curvature(self, outputs, damping=0.0, blocks=None):
        """Second derivatives by the outputs: their diagonal, and products with them, (m, o).

        ``damping`` over m is added to the diagonal.
        """
        damping = damping / len(outputs)
        diagonals, products = _ByRow(self.answers, len(outputs)), []
        for samples, rows, answers, gibbs, pullback in blocks or self._blocks(outputs):
            curvature = self.loss.curvature(gibbs, answers.target)
            shares = self._shares[samples].astype(outputs.dtype, copy=False)
            curvature = answers.curvature(_weighted(curvature, shares), outputs[rows], pullback)
            diagonals.add(rows, curvature.diagonal + damping if damping else curvature.diagonal)
            products.append((rows, _damped(curvature.product, damping)))

        def product(v):
            found = _ByRow(self.answers, len(v))
            for rows, of_block in products:
                found.add(rows, of_block(v[rows]))
            return found.joined

        in_order = all(isinstance(rows, slice) for rows, _ in products)
        blocks = products if in_order else [(None, product)]
        return BlockCurvature(diagonals.joined, product, blocks)

    def second_order(self, outputs):
        """The objective, and gradient and second derivatives (m, o) of the weighted *sum*.

        For boosting, which moves all outputs of a row at once, each by its own second derivative:
        diagonals are raised by o / (o - 1) where adding one number to all outputs changes nothing
        (Friedman, 2001), and losses without second derivatives have a constant one. All is computed
        in the precision of the outputs.
        """
        total = 0.0
        gradients, diagonals = (_ByRow(self.answers, len(outputs)) for _ in range(2))
        for samples, rows, answers, gibbs, pullback in self._blocks(outputs, outputs.dtype):
            values, gradient, curvature = self.loss.expansion(gibbs, answers.target)
            weights = answers.per_row(self.weights[samples])
            weights = weights.astype(outputs.dtype, copy=False)[:, None]
            total += float(self.weights[samples] @ values)
            gradients.add(rows, pullback(gradient) * weights)
            diagonals.add(rows, self._diagonal(answers, curvature, outputs[rows]) * weights)
        return total / self.weights.sum(), gradients.joined, diagonals.joined

    def _diagonal(self, answers, curvature, outputs):
        """Second derivatives (m, o) for `second_order`, before weights."""
        if curvature is not None:
            diagonal = answers.diagonal(curvature, outputs)
        else:
            bound = self.loss.second_derivative_bound
            diagonal = np.full(outputs.shape, bound, dtype=outputs.dtype)
        if answers.shift_axis == 1:
            diagonal = diagonal * (outputs.shape[1] / (outputs.shape[1] - 1))
        return diagonal

    def replace(self, **changes):
        """A copy with other fields."""
        return dataclasses.replace(self, **changes)

    def take(self, samples):
        """The objective of some samples."""
        return self._of(samples, self.answers.take(samples))

    def batch(self, samples, rng):
        """The objective of a mini-batch of samples, whose candidates may be drawn."""
        return self._of(samples, self.answers.batch(samples, rng))

    def _of(self, samples, answers):
        offset = None if self.offset is None else self.offset[self.answers.rows(samples)]
        return self.replace(answers=answers, weights=self.weights[samples], offset=offset)

    def evaluation(self, samples):
        """The objective of test samples, some of which must have weight."""
        self.check_fold(samples, "test")
        return self.take(samples)

    def masked(self, samples):
        """The objective in which all other samples have weight zero."""
        self.check_fold(samples)
        weights = np.zeros_like(self.weights)
        weights[samples] = self.weights[samples]
        return self.replace(weights=weights)

    def check_fold(self, samples, kind="training"):
        """Raise a ValueError if all samples of a fold have weight zero."""
        if not self.weights[samples].any():
            raise ValueError(
                f"All samples of a {kind} fold have weight 0; got cv with such a fold."
            )

    def as_likelihood(self):
        """The same with the negative log-likelihood as its loss."""
        return self.replace(loss=NLL())

    def held_out_loss(self, outputs):
        """Mean loss of held-out samples, to stop on.

        A loss without a margin grows with the scale of the energies: then it is the negative
        log-likelihood at the best inverse temperature.
        """
        if self.loss.trivial_minimum != "equal":
            return self.value_and_gradient(outputs)[0]
        likelihood = self.as_likelihood()
        beta = likelihood.learn_beta(outputs)
        return likelihood.value_and_gradient(beta * outputs)[0]

    def learn_beta(self, outputs):
        """The inverse temperature of greatest likelihood for outputs of held-out samples."""
        blocks = self.replace(offset=None)._blocks(outputs)
        problems = [
            BetaProblem(
                gibbs.energies,
                shares_of(answers.target),
                self.weights[samples],
                gibbs.log_measure,
            )
            for samples, _, answers, gibbs, _ in blocks
        ]
        return learn_beta_of_blocks(problems)


def _check_shapes(loss, gibbs, target):
    """Raise a ValueError unless a loss returns its values (n,) and their gradient (n, k)."""
    n, k = gibbs.energies.shape
    returned = loss(gibbs, target)
    pair = returned if isinstance(returned, tuple) and len(returned) == 2 else [returned]
    got = [getattr(part, "shape", type(part).__name__) for part in pair]
    if got != [(n,), (n, k)]:
        raise ValueError(
            f"loss={loss!r} must return a tuple of two arrays, the values of {n} samples, of shape "
            f"{(n,)}, and their gradient by the energies, of shape {(n, k)}, got {got}."
        )


class _ByRow:
    """Values of the rows of blocks, in the order of the rows; slices are put in place at once."""

    def __init__(self, answers, n_rows):
        self._answers, self._n_rows, self._parts, self._whole = answers, n_rows, [], None

    def add(self, rows, values):
        if not isinstance(rows, slice):
            self._parts.append(values)
            return
        if self._whole is None:
            order = "F" if values.flags.f_contiguous else "C"
            self._whole = np.empty((self._n_rows, *values.shape[1:]), values.dtype, order)
        self._whole[rows] = values

    @property
    def joined(self):
        if self._whole is not None or self._answers.blocks is None:
            return self._parts[0] if self._whole is None else self._whole
        positions = self._answers.positions_in_blocks
        return np.concatenate(self._parts).take(positions, axis=0)


class BlockCurvature(NamedTuple):
    """A `Curvature` with the products of blocks of rows, in pairs (rows, product)."""

    diagonal: np.ndarray
    product: Callable
    blocks: list


def _damped(product, damping):
    """The product, plus damping times what it is of."""
    return (lambda v: product(v) + damping * v) if damping else product


def _weighted(curvature, shares):
    """The curvature of samples with these shares (n,) of the weight."""
    unweighted = curvature.product

    def product(v):
        products = unweighted(v)
        products *= shares[:, None]
        return products

    return Curvature(curvature.diagonal * shares[:, None], product)
