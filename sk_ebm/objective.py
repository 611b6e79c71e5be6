"""The objective: answers + loss + weights + regulariser -> value and slopes of the outputs."""

from copy import copy

import numpy as np

from sk_ebm.gibbs import Gibbs
from sk_ebm.losses import NLL, Curvature
from sk_ebm.solvers import SOLVERS


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
    report : callable, default=None
        Called with (value, fitted) after each iteration, ``fitted()`` building the energy.

    Attributes
    ----------
    held_out : None or tuple (samples, outputs)
        Outputs of samples that they were not fitted on, where the energy's own fit gave some.
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
        self.held_out = None
        self.n_iter = 0
        self.converged = True

    def _gibbs(self, outputs):
        energies, pullback = self.answers.arrange(outputs)
        return Gibbs(energies, self.answers.log_measure), pullback

    def __call__(self, outputs):
        """Weighted mean loss (without R) and its slopes by the outputs, (m, o)."""
        gibbs, pullback = self._gibbs(outputs)
        values, slopes = self.loss(gibbs, self.answers.target)
        share = self.weights / self.weights.sum()
        slopes *= share.astype(slopes.dtype, copy=False)[:, None]
        return float(share @ values), pullback(slopes)

    def curvature(self, outputs, damping=0.0):
        """Curvature of the weighted mean loss by the outputs: diagonal and product, (m, o).

        ``damping`` is added to the second derivatives, over the number of outputs' rows.
        """
        gibbs, pullback = self._gibbs(outputs)
        of_energies = self.loss.curvature(gibbs, self.answers.target)
        share = (self.weights / self.weights.sum()).astype(outputs.dtype, copy=False)[:, None]
        damping = damping / len(outputs)

        def weighted(v):
            curved = of_energies.product(v)
            curved *= share
            return curved

        def product(v):
            curved = pullback(weighted(self.answers.arrange(v)[0]))
            if damping:
                curved += damping * v
            return curved

        of_energies_weighted = Curvature(of_energies.diagonal * share, weighted)
        diagonal = self.answers.diagonal(of_energies_weighted, outputs)
        return Curvature(diagonal + damping, product)

    @property
    def row_weights(self):
        """Weights of the rows of the inputs, (m,)."""
        return self.answers.per_row(self.weights)

    def with_(self, **changes):
        """A copy with other attributes and a fresh record."""
        other = copy(self)
        other.held_out, other.n_iter, other.converged = None, 0, True
        vars(other).update(changes)
        return other

    def take(self, samples):
        """The objective of some samples, without reports."""
        answers = self.answers.take(samples)
        return self.with_(answers=answers, weights=self.weights[samples], report=None)

    def only(self, samples):
        """The objective in which all other samples weigh nothing."""
        weights = np.zeros_like(self.weights)
        weights[samples] = self.weights[samples]
        if not weights.any():
            raise ValueError(
                "All samples of a training fold have weight 0; got cv with such a fold."
            )
        return self.with_(weights=weights, report=None)

    def as_likelihood(self):
        """The same with the negative log-likelihood as its loss."""
        return self.with_(loss=NLL(), solver="auto", report=None)

    def default_splits(self, rng):
        """Five folds of the samples, stratified where every class is frequent enough."""
        return self.answers.splits(min(5, len(self.answers)), rng)

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

        def report(value, params):
            self.n_iter += 1
            if self.report is not None:
                self.report(value, lambda: fitted(params))

        result = SOLVERS[self._solver(details)](
            self,
            init,
            vjp,
            l2=self._penalty * (1 - self.l1_ratio) * np.square(scale),
            l1=self._penalty * self.l1_ratio * np.abs(scale),
            tol=self.tol,
            max_iter=self.max_iter,
            report=report,
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
        if self.loss.zero_margin or "batch_size" in details:
            return "adam"
        smooth = self.loss.smooth and self._penalty * self.l1_ratio == 0
        return "newton" if smooth and "preconditioner" in details else "lbfgs"
