"""The objective: answers + loss + weights + regulariser -> value and slopes of the outputs."""

from copy import copy

import numpy as np
from scipy.optimize import minimize
from sklearn.utils.parallel import Parallel, delayed

from sk_ebm._core.gibbs import Gibbs
from sk_ebm._core.temperature import learn_beta_of_blocks
from sk_ebm._solvers.registry import SOLVERS
from sk_ebm._utils.sklearn_private import take_rows
from sk_ebm._utils.threads import one_blas_thread
from sk_ebm.losses._base import Curvature, shares_of
from sk_ebm.losses._likelihood import NLL

_POWER = 0.2  # of the divergence by which beta is learned
_FEW_PRODUCTS = {"newton": 1e7, "lbfgs": 1e8, "adam": 0}  # too few to gain from threads


class Objective:
    """mean_i loss(energies_i, target_i) + R(W), as an energy function sees it while it fits.

    The mean is weighted; R(W) = alpha (l1_ratio |W|_1 + (1 - l1_ratio)/2 |W|^2) acts on weights,
    never on biases. The first term is a sum over samples, so blocks of rows can be added up.

    Parameters
    ----------
    answers : Answers
    loss : Loss
    weights : ndarray of shape (n,)
        Non-negative, not all zero.
    alpha : float or "auto", default=0.0
        "auto" leaves the choice to the energy, which sets it.
    l1_ratio : float, default=0.0
    solver : str, default="auto"
    max_iter, tol : int, float
    splits : list of (train, test), default=None
        Samples to choose and calibrate on; None leaves it to the energy.
    calibrate : bool, default=False
        Whether held-out outputs are wanted.
    offset : ndarray of shape (m, o), default=None
        Outputs of other energies, whose energies are added to those of the one that fits.
    n_jobs : int, default=None
        Processes that fit folds, as in joblib.
    report : callable, default=None
        Called with (value, fitted) after each iteration, ``fitted()`` building the energy.

    Attributes
    ----------
    held_out : None or tuple (samples, outputs)
        Outputs of samples that they were not fitted on, where the energy's own fit gave some.
    fitted : None or ndarray
        Outputs of all rows by the fitted energy, where its own fit ended with them.
    n_iter : int
        Iterations so far.
    """

    def __init__(
        self,
        answers,
        loss,
        weights,
        *,
        alpha=0.0,
        l1_ratio=0.0,
        solver="auto",
        max_iter=1000,
        tol=1e-8,
        splits=None,
        calibrate=False,
        report=None,
        offset=None,
        n_jobs=None,
    ):
        self.answers = answers
        self.loss = loss
        self.weights = weights
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.splits = splits
        self.calibrate = calibrate
        self.report = report
        self.offset = offset
        self.n_jobs = n_jobs
        self.held_out = self.fitted = None
        self.n_iter = 0
        self.converged = True

    def _blocks(self, outputs, dtype=None):
        """Blocks of samples, arranged apart: (samples, rows, answers, gibbs, pullback) of each.

        Where a ``dtype`` is given, energies and base measure are of it.
        """
        for samples, rows, answers in self.answers.blocks or [(..., ..., self.answers)]:
            energies, pullback = answers.arrange(outputs[rows])
            if self.offset is not None:
                energies = energies + answers.arrange(self.offset[rows])[0]
            log_measure = answers.log_measure
            if dtype is not None:
                energies = energies.astype(dtype, copy=False)
                log_measure = None if log_measure is None else log_measure.astype(dtype)
            yield samples, rows, answers, Gibbs(energies, log_measure), pullback

    def _joined(self, parts):
        """What was found for the rows of each block, for all rows."""
        if self.answers.blocks is None:
            return parts[0]
        return np.concatenate(parts).take(self.answers.places_in_blocks, axis=0)

    def __call__(self, outputs):
        """Weighted mean loss (without R) and its slopes by the outputs, (m, o)."""
        share = self.weights / self.weights.sum()
        total, parts = 0.0, []
        for samples, _, answers, gibbs, pullback in self._blocks(outputs):
            values, slopes = self.loss(gibbs, answers.target)
            slopes *= share[samples].astype(slopes.dtype, copy=False)[:, None]
            total += float(share[samples] @ values)
            parts.append(pullback(slopes))
        return total, self._joined(parts)

    def values(self, outputs):
        """The loss of each sample, (n,)."""
        values = np.empty(len(self.answers))
        for samples, _, answers, gibbs, _ in self._blocks(outputs):
            values[samples] = self.loss(gibbs, answers.target)[0]
        return values

    def curvature(self, outputs, damping=0.0):
        """Curvature of the weighted mean loss by the outputs: diagonal and product, (m, o).

        ``damping`` is added to the second derivatives, over the number of outputs' rows.
        """
        share = self.weights / self.weights.sum()
        damping = damping / len(outputs)
        found = []
        for samples, rows, answers, gibbs, pullback in self._blocks(outputs):
            curvature = self.loss.curvature(gibbs, answers.target)
            weighted = _weighted(curvature, share[samples].astype(outputs.dtype, copy=False))
            found.append((rows, answers.curvature(weighted, outputs[rows], pullback)))

        def product(v):
            curved = self._joined([part.product(v[rows]) for rows, part in found])
            if damping:
                curved += damping * v
            return curved

        return Curvature(self._joined([part.diagonal for _, part in found]) + damping, product)

    def second_order(self, outputs):
        """Weighted mean loss, and slopes and second derivatives (m, o) of the weighted *sum*.

        What a descent needs that moves all outputs of a row at once, each by its own second
        derivative: diagonals are raised by o / (o - 1) where adding one number to all outputs
        changes nothing (Friedman, 2001), and losses without curvature have a constant one. All is
        computed in the precision of the outputs.
        """
        total, slopes_of, diagonals = 0.0, [], []
        for samples, rows, answers, gibbs, pullback in self._blocks(outputs, outputs.dtype):
            values, slopes, curvature = self.loss.expansion(gibbs, answers.target)
            weights = answers.per_row(self.weights[samples])
            weights = weights.astype(outputs.dtype, copy=False)[:, None]
            total += float(self.weights[samples] @ values)
            slopes_of.append(pullback(slopes) * weights)
            diagonals.append(self._diagonal(answers, curvature, outputs[rows]) * weights)
        return total / self.weights.sum(), self._joined(slopes_of), self._joined(diagonals)

    def _diagonal(self, answers, curvature, outputs):
        """Second derivatives (m, o) for `second_order`, before weights."""
        if curvature is not None:
            diagonal = answers.diagonal(curvature, outputs)
        else:
            diagonal = np.full(outputs.shape, self.loss.steepness, dtype=outputs.dtype)
        if answers.shifts:
            diagonal = diagonal * (outputs.shape[1] / (outputs.shape[1] - 1))
        return diagonal

    @property
    def row_weights(self):
        """Weights of the rows of the inputs, (m,)."""
        return self.answers.per_row(self.weights)

    def with_(self, **changes):
        """A copy with other attributes and a fresh record."""
        other = copy(self)
        other.held_out = other.fitted = None
        other.n_iter, other.converged = 0, True
        vars(other).update(changes)
        return other

    def judge(self, samples):
        """The objective of test samples, which must not all weigh nothing."""
        self._check_fold(samples, "test")
        return self.take(samples)

    def take(self, samples):
        """The objective of some samples, without reports."""
        offset = None if self.offset is None else self.offset[self.answers.rows(samples)]
        return self.with_(
            answers=self.answers.take(samples),
            weights=self.weights[samples],
            offset=offset,
            report=None,
        )

    def only(self, samples):
        """The objective in which all other samples weigh nothing."""
        self._check_fold(samples)
        weights = np.zeros_like(self.weights)
        weights[samples] = self.weights[samples]
        return self.with_(weights=weights, report=None)

    def _check_fold(self, samples, kind="training"):
        if not self.weights[samples].any():
            raise ValueError(
                f"All samples of a {kind} fold have weight 0; got cv with such a fold."
            )

    def as_likelihood(self):
        """The same with the negative log-likelihood as its loss."""
        return self.with_(loss=NLL(), solver="auto", report=None)

    def default_splits(self, rng):
        """Five folds of the samples, stratified where every class is frequent enough.

        None at all where there is one sample, as one query.
        """
        return self.answers.splits(min(5, len(self.answers)), rng)

    def hold_out(self, fraction, rng):
        """About that fraction of the samples, to stop on; None if too few, or without weight."""
        n_splits = max(round(1 / min(fraction, 1 - fraction)), 2)
        if len(self.answers) < 2 * n_splits:
            return None
        splits = self.answers.splits(n_splits, rng)
        if not splits:
            return None
        train, test = splits[0]
        held_out = test if fraction <= 0.5 else train
        return held_out if self.weights[held_out].any() else None

    def unseen_loss(self, outputs):
        """Mean loss of samples that the outputs were not fitted on, to stop on.

        A loss without a margin grows with the scale of the energies: then it is the negative
        log-likelihood at the inverse temperature that suits them.
        """
        if not self.loss.zero_margin:
            return self(outputs)[0]
        judge = self.as_likelihood()
        return judge(judge.learn_beta(outputs) * outputs)[0]

    def learn_beta(self, outputs):
        """The inverse temperature that suits outputs of samples they were not fitted on.

        Losses other than the likelihood leave some samples sure and wrong, which then have a
        bounded say.
        """
        return learn_beta_of_blocks(
            [
                (
                    gibbs.energies,
                    shares_of(answers.target),
                    self.weights[samples],
                    gibbs.log_measure,
                )
                for samples, _, answers, gibbs, _ in self.with_(offset=None)._blocks(outputs)
            ],
            power=0.0 if isinstance(self.loss, NLL) else _POWER,
        )

    def outputs_of(self, energy, inputs):
        """Outputs of all rows by the energy that was fitted on them."""
        return energy(inputs) if self.fitted is None else self.fitted

    def cross_fit(self, energy, inputs, splits, rng):
        """Samples and their outputs, each from a clone of the energy fitted on the other folds.

        Clones take what the fitted energy has settled (`Energy.settled`). A loss without a margin
        leaves the scale of the energies to chance: then the outputs of the clones are brought to
        the scale of the energy itself.

        Parameters
        ----------
        energy : Energy
            Fitted on all rows.
        inputs : rows as the energy reads them
        splits : list of (train, test)
            Samples.
        rng : RandomState

        Returns
        -------
        samples : ndarray of int
        outputs : ndarray, those of ``answers.rows(samples)``
        """
        seeds = rng.randint(np.iinfo(np.int32).max, size=len(splits))
        for train, _ in splits:
            self._check_fold(train)
        spread = np.std(self.outputs_of(energy, inputs)) if self.loss.zero_margin else None
        fold = self.with_(splits=None, calibrate=False, report=None, n_jobs=None)
        outputs = Parallel(n_jobs=self.n_jobs)(
            delayed(_fit_and_call)(energy.settled(), inputs, fold, *split, seed, spread)
            for split, seed in zip(splits, seeds, strict=True)
        )
        return np.concatenate([test for _, test in splits]), np.concatenate(outputs)

    def pool(self, parts):
        """Weights w_k >= 0 and a constant c: of least loss are the outputs sum_k w_k o_k + c.

        Each energy is first brought to the inverse temperature b_k that calibrates it alone. The
        penalty (M / n) / 2 * sum_k (w_k / b_k - 1 / M)^2 + |c|^2 / (2 n) draws M energies towards
        equal weights. Losses without a margin, which are least where all weights vanish, and
        those whose slopes are not exact pool by likelihood.

        Parameters
        ----------
        parts : list of ndarray of shape (m, o)
            Outputs of samples that the energies were not fitted on.

        Returns
        -------
        weights : ndarray of shape (M,)
        constant : ndarray of shape (o,)
        """
        scale_free = self.loss.zero_margin or self.loss.only_pulls
        objective = self.as_likelihood() if scale_free or not self.loss.exact else self
        n_parts = len(parts)
        scales = np.array([self.learn_beta(part) for part in parts])
        parts = scales[:, None, None] * parts
        equal = np.concatenate([np.full(n_parts, 1 / n_parts), np.zeros(parts.shape[2])])
        shrink = np.where(equal > 0, n_parts, 1) / self.weights.sum()

        def value_and_slopes(params):
            weights, constant = params[:n_parts], params[n_parts:]
            value, slopes = objective(np.tensordot(weights, parts, 1) + constant)
            away = params - equal
            pulled = np.array([np.vdot(slopes, part) for part in parts])
            gradient = np.concatenate([pulled, slopes.sum(axis=0)]) + shrink * away
            return value + 0.5 * float(shrink @ away**2), gradient

        bounds = [(0, None)] * n_parts + [(None, None)] * parts.shape[2]
        found = minimize(value_and_slopes, equal, jac=True, method="L-BFGS-B", bounds=bounds)
        return scales * found.x[:n_parts], found.x[n_parts:]

    def record(self, value, fitted):
        """Counts an iteration and reports it; ``fitted()`` builds the energy."""
        self.n_iter += 1
        if self.report is not None:
            self.report(value, fitted)

    def minimize(self, init, vjp, scale, fitted, **details):
        """Parameters of least objective, by the solver.

        Parameters
        ----------
        init : ndarray
            Initial parameters.
        vjp : callable
            ``vjp(params, rows=None) -> outputs, pullback`` of some rows of the inputs, or all.
        scale : ndarray broadcastable to init
            W = scale * params; 0 for biases.
        fitted : callable
            ``fitted(params)`` builds the fitted energy, for reports.
        **details
            What particular solvers use, see there. A ``preconditioner`` says that outputs are
            linear in the parameters, a ``batch_size`` that mini-batches suit them.
        """

        solver = self._solver(details)
        products = len(self.row_weights) * init.size  # of an evaluation
        with one_blas_thread(products <= _FEW_PRODUCTS[solver]):
            result = SOLVERS[solver](
                self,
                init,
                vjp,
                l2=self._penalty * (1 - self.l1_ratio) * np.square(scale),
                l1=self._penalty * self.l1_ratio * np.abs(scale),
                tol=self.tol,
                max_iter=self.max_iter,
                report=lambda value, params: self.record(value, lambda: fitted(params)),
                **details,
            )
        self.converged &= result.converged
        return result.params

    @property
    def _penalty(self):
        """alpha; none for losses that are scale-free, which any penalty would take to zero."""
        return 0.0 if self.loss.zero_margin else self.alpha

    def _solver(self, details):
        if self.solver != "auto":
            return self.solver
        if self.loss.zero_margin or not self.loss.exact or "batch_size" in details:
            return "adam"
        smooth = self.loss.smooth and self._penalty * self.l1_ratio == 0
        return "newton" if smooth and "preconditioner" in details else "lbfgs"


def _weighted(curvature, share):
    """The curvature of samples (n,) of that share of the weight."""

    def product(v):
        curved = curvature.product(v)
        curved *= share[:, None]
        return curved

    return Curvature(curvature.diagonal * share[:, None], product)


def _fit_and_call(energy, inputs, objective, train, test, seed, spread):
    """Outputs of the test samples, of an energy fitted on the training samples; of that spread."""
    answers = objective.answers
    rng = np.random.RandomState(seed)
    part = objective.take(train).with_(loss=objective.loss.seeded(rng))
    energy.fit(take_rows(inputs, answers.rows(train)), part, rng)
    outputs = energy(take_rows(inputs, answers.rows(test)))
    if spread is None:
        return outputs
    own = np.std(energy(inputs))
    return outputs * (spread / own) if own > 0 else outputs
