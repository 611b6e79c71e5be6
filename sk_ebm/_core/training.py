"""Training: the settings with which an energy is fitted to an objective, and what a fit returns."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sk_ebm._core.cross_fit import cross_fit
from sk_ebm._core.folds import DEFAULT_FOLDS, Folds
from sk_ebm._core.objective import Objective
from sk_ebm._solvers import SOLVERS
from sk_ebm._utils.sklearn_private import take_rows
from sk_ebm._utils.threads import one_blas_thread

# Products of an evaluation up to which one thread of linear algebra is as fast as several: numpy's
# and scipy's libraries wait for each other's threads (prototypes on 1,257 digits: 6.8 -> 1.6 s).
_FEW_PRODUCTS = {"newton": 1e7, "lbfgs": 1e8, "adam": 0}


class Penalty(NamedTuple):
    """R(W) = alpha (l1_ratio |W|_1 + (1 - l1_ratio)/2 |W|^2); "auto" leaves alpha to the energy."""

    alpha: float | str = 0.0
    l1_ratio: float = 0.0


_NO_PENALTY = Penalty()


class Minimum(NamedTuple):
    """Parameters of least objective, and how they were found."""

    params: np.ndarray
    converged: bool
    history: list


@dataclass(frozen=True, eq=False)
class FitResult:
    """What fitting an energy found.

    Parameters
    ----------
    energy : Energy
        Fitted: ``energy(inputs)`` gives outputs (m, o).
    held_out : None or tuple (samples, outputs)
        Outputs of samples that they were not fitted on, where the energy's own fit gave some.
    outputs : None or ndarray of shape (m, o)
        Outputs of all rows, where the energy's own fit ended with them.
    alpha : None or float
        The penalty used, which fits on folds then use too.
    converged : bool
    history : list of float
        The objective after each iteration.
    n_iter : int, default=None
        Iterations; None means the length of the history, and 1 without any.
    held_out_objective : None or Objective
        Of the held-out samples, where it is not the objective's part.
    """

    energy: object
    held_out: tuple | None = None
    outputs: np.ndarray | None = None
    alpha: float | None = None
    converged: bool = True
    history: list = field(default_factory=list)
    n_iter: int | None = None
    held_out_objective: Objective | None = None

    def __post_init__(self):
        if self.n_iter is None:
            object.__setattr__(self, "n_iter", max(len(self.history), 1))

    def outputs_of(self, inputs):
        """Outputs of the rows that the energy was fitted on."""
        return self.energy(inputs) if self.outputs is None else self.outputs


@dataclass(frozen=True, eq=False)
class Training:
    """The settings of one fit.

    Parameters
    ----------
    objective : Objective
    penalty : Penalty
    solver : str, default="auto"
    max_iter, tol : int, float
    folds : Folds, default=None
        Those of the user, to choose and calibrate on; None leaves them to the energy.
    rng : RandomState, default=None
    calibrates : bool, default=False
        Whether held-out outputs are wanted.
    report : callable, default=None
        Called with (value, fitted) after each iteration, ``fitted()`` building the energy.
    n_jobs : int, default=None
        Processes that fit folds, as in joblib.
    class_features : ndarray of shape (K, p), default=None
        What is known of the classes themselves.
    shared_folds : Folds, default=None
        The default folds of all terms of a sum, so that their held-out rows are the same.
    leave_one_out : bool, default=False
        Whether what is held out may be single rows in place of the folds' test samples, as
        nobody said which rows belong together.
    """

    objective: Objective
    penalty: Penalty = _NO_PENALTY
    solver: str = "auto"
    max_iter: int = 1000
    tol: float = 1e-8
    folds: Folds | None = None
    rng: np.random.RandomState | None = None
    calibrates: bool = False
    report: Callable | None = None
    n_jobs: int | None = None
    class_features: np.ndarray | None = None
    shared_folds: Folds | None = None
    leave_one_out: bool = False

    def replace(self, **changes):
        """A copy with other fields."""
        return dataclasses.replace(self, **changes)

    def with_alpha(self, alpha):
        """A copy with another strength of the penalty."""
        return self.replace(penalty=self.penalty._replace(alpha=alpha))

    def with_default_alpha(self, alpha):
        """A copy in which ``alpha="auto"`` is a number."""
        return self.with_alpha(alpha) if self.penalty.alpha == "auto" else self

    def as_likelihood(self):
        """A copy for the negative log-likelihood, without reports."""
        objective = self.objective.as_likelihood()
        return self.replace(objective=objective, solver="auto", report=None)

    @property
    def answers(self):
        return self.objective.answers

    def default_folds(self):
        """Five shuffled folds of the samples, stratified by class.

        None at all where there is one sample, as one query, or of each class.
        """
        if self.shared_folds is not None:
            return self.shared_folds
        return self._folds(min(DEFAULT_FOLDS, len(self.answers)))

    def _folds(self, n_folds):
        folds = self.answers.folds(n_folds, self.rng)
        return self.answers.known_folds(folds, self.objective.weights, self.rng)

    def hold_out(self, fraction):
        """About that fraction of the samples, to stop on; None if too few, or without weight."""
        n_folds = max(round(1 / min(fraction, 1 - fraction)), 2)
        if len(self.answers) < 2 * n_folds:
            return None
        folds = self._folds(n_folds)
        if not len(folds):
            return None
        train, test = folds.pairs[0]
        held_out = test if fraction <= 0.5 else train
        return held_out if self.objective.weights[held_out].any() else None

    def l2(self, scale):
        """Strength of the l2 penalty on parameters, where weights are these times ``scale``."""
        return self._alpha * (1 - self.penalty.l1_ratio) * np.square(scale)

    def minimize(self, init, vjp, scale, fitted=None, *, kind="general", l2=None, **details):
        """Parameters of least objective, by the solver.

        Parameters
        ----------
        init : ndarray
            Initial parameters.
        vjp : callable
            ``vjp(params, rows=None) -> outputs, pullback`` of some rows of the inputs, or all; the
            pullback turns a gradient by the outputs into one by the parameters.
        scale : ndarray broadcastable to init
            W = scale * params; 0 for biases.
        fitted : callable, default=None
            ``fitted(params)`` builds the fitted energy, for reports.
        kind : {"general", "linear", "minibatch"}, default="general"
            What ``solver="auto"`` may use: whether outputs are linear in the parameters, or
            mini-batches suit them.
        l2 : ndarray broadcastable to init, default=None
            None means that of ``l2(scale)``.
        **details
            What particular solvers take, see there.

        Returns
        -------
        minimum : Minimum
        """
        solver, history = self._solver(kind), []

        def record(value, params):
            history.append(value)
            if self.report is not None:
                self.report(value, lambda: fitted(params))

        n_products = len(self.objective.row_weights) * init.size
        with one_blas_thread(n_products <= _FEW_PRODUCTS[solver]):
            params, converged = SOLVERS[solver](
                self.objective,
                init,
                vjp,
                l2=self.l2(scale) if l2 is None else l2,
                l1=self._alpha * self.penalty.l1_ratio * np.abs(scale),
                tol=self.tol,
                max_iter=self.max_iter,
                report=record,
                rng=self.rng,
                **details,
            )
        return Minimum(params, converged, history)

    @property
    def _alpha(self):
        """The strength of the penalty; none for scale-free losses, whose weights it would take to
        zero, and where ``alpha="auto"`` leaves it to an energy without a choice."""
        if self.objective.loss.trivial_minimum == "equal":
            return 0.0
        return self.with_default_alpha(0.0).penalty.alpha

    def _solver(self, kind):
        if self.solver != "auto":
            return self.solver
        loss = self.objective.loss
        if loss.trivial_minimum == "equal" or not loss.exact or kind == "minibatch":
            return "adam"
        smooth = (
            loss.second_derivatives == "continuous" and self._alpha * self.penalty.l1_ratio == 0
        )
        return "newton" if smooth and kind == "linear" else "lbfgs"

    def cross_fit(self, result, inputs, folds):
        """Held-out outputs: each sample's by a clone of the energy fitted on the other folds.

        Without folds, as of a single sample, which cannot be held out, its own outputs.
        Clones keep the choices of the fitted energy. A loss without a margin leaves the scale of
        the energies open: then the outputs of the clones are brought to the scale of the energy.

        Parameters
        ----------
        result : FitResult
            Of the fit on all rows.
        inputs : rows as the energy reads them
        folds : Folds

        Returns
        -------
        samples : ndarray of int
        outputs : ndarray, those of ``answers.rows(samples)``
        """
        if not len(folds):
            return np.arange(len(self.answers)), result.outputs_of(inputs)
        scale_free = self.objective.loss.trivial_minimum == "equal"
        spread = np.std(result.outputs_of(inputs)) if scale_free else None
        rows = self.answers.rows

        def outputs_of(fitted, test):
            outputs = fitted.energy(take_rows(inputs, rows(test)))
            if spread is None:
                return outputs
            clone_spread = np.std(fitted.energy(inputs))
            return outputs * (spread / clone_spread) if clone_spread > 0 else outputs

        clones = [result.energy.clone_with_choices() for _ in folds]
        training = self if result.alpha is None else self.with_alpha(result.alpha)
        crossed = training.fit_on_folds(clones, inputs, folds, outputs_of)
        outputs = np.concatenate(crossed.held_out)
        if not np.isfinite(outputs).all():
            raise ValueError(
                f"{result.energy!r}, fitted on {len(folds.pairs[0][0])} rows of a fold, gives "
                "energies of others that are not finite. Give more rows, or another energy."
            )
        return folds.samples, outputs

    def fit_on_folds(self, energies, inputs, folds, evaluate):
        """An unfitted energy for each fold, fitted on its training samples, as a `CrossFit`.

        Its models are results, and ``evaluate(result, test)`` says what is wanted of test samples.
        """
        seeds = self.rng.randint(np.iinfo(np.int32).max, size=len(folds))
        for train, _ in folds:
            self.objective.check_fold(train)
        settings = self.replace(
            folds=None,
            shared_folds=None,
            calibrates=False,
            report=None,
            n_jobs=None,
            rng=None,
            leave_one_out=False,
        )
        rows = self.answers.rows

        def fit(k, train):
            rng = np.random.RandomState(seeds[k])
            objective = settings.objective.take(train)
            objective = objective.replace(loss=objective.loss.seeded(rng))
            training = settings.replace(objective=objective, rng=rng)
            return energies[k].fit(take_rows(inputs, rows(train)), training)

        return cross_fit(fit, evaluate, folds, n_jobs=self.n_jobs)

    def held_out_outputs(self, result, inputs, enough=np.inf):
        """Samples and their outputs, of energies that were not fitted on them.

        Of the default folds only the first that hold ``enough`` samples of positive weight.
        """
        if result.held_out is not None:
            return result.held_out
        folds = self.folds
        if not folds:
            folds = self.default_folds()
            if len(folds):
                folds = folds.first_with(enough, self.objective.weights)
        return self.cross_fit(result, inputs, folds)
