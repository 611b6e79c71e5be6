"""What the estimators share: components by name, parameter checks, fitting, energies in blocks."""

import warnings
from contextlib import contextmanager
from numbers import Integral

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state, gen_batches

from sk_ebm._checks import check_number
from sk_ebm.energies import ENERGIES, Energy
from sk_ebm.gibbs import learn_beta
from sk_ebm.losses import LOSSES, Loss
from sk_ebm.objective import Objective
from sk_ebm.solvers import SOLVERS


def resolve(name, value, registry, kind):
    """A fresh component from a name, or a clone of one; ``name`` is the parameter's."""
    if isinstance(value, str) and value in registry:
        return registry[value]()
    if isinstance(value, kind):
        return clone(value)
    raise ValueError(
        f"{name} must be one of {sorted(registry)} or an instance of {kind.__name__}, "
        f"got {value!r}."
    )


class EnergyEstimator(CallbackSupportMixin, BaseEstimator):
    """Base class of the estimators: an energy, a loss, and the Gibbs distribution."""

    def _components(self):
        """Energy and loss, after checking every parameter and that they go together."""
        energy = resolve("energy", self.energy, ENERGIES, Energy)
        loss = resolve("loss", self.loss, LOSSES, Loss)
        check_number("alpha", self.alpha, 0, closed=True, other=("auto",))
        check_number("beta", self.beta, 0, other=("auto",))
        check_number("l1_ratio", self.l1_ratio, 0, 1, closed=True)
        check_number("tol", self.tol, 0)
        check_number("max_iter", self.max_iter, 1, closed=True, kind=Integral)
        if self.solver != "auto" and self.solver not in SOLVERS:
            raise ValueError(
                f"solver must be 'auto' or one of {sorted(SOLVERS)}, got {self.solver!r}."
            )
        energy.check()
        loss.check()
        _check_together(energy, loss, self.solver, self.l1_ratio)
        return energy, loss

    def _fit_energy(self, energy, loss, inputs, answers, weights, splits, y):
        """Fit the energy and learn beta; sets the fitted attributes all at once, at the end."""
        rng = check_random_state(self.random_state)
        context = self._init_callback_context(max_subtasks=None)
        data = {"estimator": self, "X": inputs, "y": y}
        context.call_on_fit_task_begin(**data)
        curve = []

        def report(value, fitted):
            curve.append(value)
            task = context.subcontext(task_name="iteration").call_on_fit_task_begin(estimator=self)
            task.call_on_fit_task_end(
                **data,
                reconstruction_attributes=lambda: {"energy_": fitted(), "beta_": 1.0},
            )

        objective = Objective(
            answers,
            loss,
            weights,
            alpha=self.alpha,
            l1_ratio=self.l1_ratio,
            solver=self.solver,
            max_iter=self.max_iter,
            tol=self.tol,
            splits=splits,
            calibrate=self.beta == "auto",
            report=report,
        )
        energy.fit(inputs, objective, rng)
        beta = self.beta
        if beta == "auto":
            beta = _calibrated_beta(energy, inputs, objective, rng)
        if not objective.converged:
            warnings.warn(
                f"{objective.n_iter} iterations did not reach tol={self.tol}; "
                f"increase max_iter (now {self.max_iter}) or tol.",
                ConvergenceWarning,
                stacklevel=3,
            )
        self.energy_ = energy
        self.beta_ = float(beta)
        self.n_iter_ = objective.n_iter
        self.loss_curve_ = curve
        context.call_on_fit_task_end(**data, reconstruction_attributes={})
        return self

    def _splits(self, X, y):
        """The samples of the folds of ``cv``, or None."""
        if self.cv is None:
            return None
        return list(check_cv(self.cv, y, classifier=True).split(X, y))


def _check_together(energy, loss, solver, l1_ratio):
    """Raise where loss, energy and solver cannot give a meaningful optimum."""
    names = type(energy).__name__, type(loss).__name__
    if loss.only_pulls and not energy.anchored:
        raise ValueError(
            f"loss='energy' collapses with {names[0]}: its energies fall without any other rising. "
            "Use energy='prototype', or another loss, such as 'nll' or 'hinge'."
        )
    if loss.positive and not energy.positive:
        raise ValueError(
            "{1} in its relative form needs energies that are never negative, not those of {0}. "
            "Use energy='prototype', or relative=False.".format(*names)
        )
    if solver == "auto":
        return
    if solver not in energy.solvers:
        raise ValueError(f"{names[0]} takes solver in {energy.solvers} or 'auto', got {solver!r}.")
    if solver == "newton" and (l1_ratio > 0 or not loss.smooth):
        raise ValueError(
            f"solver='newton' needs l1_ratio=0 and a smooth loss ('nll'), got l1_ratio={l1_ratio} "
            f"and {names[1]}. Use solver='auto' or 'lbfgs'."
        )
    if loss.zero_margin and solver != "adam" and not energy.anchored:
        raise ValueError(
            f"{names[1]} is least where all energies are equal, which solver={solver!r} would "
            "find. Use solver='auto' or 'adam', which count a tie as violated and average, or "
            "loss='hinge'."
        )


def _calibrated_beta(energy, inputs, objective, rng):
    """beta learned on the energies of samples that the energy was not fitted on."""
    if objective.held_out is None:
        splits = objective.splits or objective.default_splits(rng)
        samples, outputs = _cross_fit(energy, inputs, objective, splits, rng)
    else:
        samples, outputs = objective.held_out
    part = objective.take(samples)
    return learn_beta(part.answers.arrange(outputs)[0], part.answers.target, part.weights)


def _cross_fit(energy, inputs, objective, splits, rng):
    """Samples and their outputs, each from an energy fitted on the other folds."""
    samples, outputs = [], []
    for train, test in splits:
        answers = objective.answers
        fold = objective.take(train).with_(splits=None, calibrate=False)
        fitted = clone(energy).fit(inputs[answers.rows(train)], fold, rng)
        scale = _relative_scale(energy, fitted, inputs) if objective.loss.zero_margin else 1.0
        samples.append(test)
        outputs.append(scale * fitted(inputs[answers.rows(test)]))
    return np.concatenate(samples), np.concatenate(outputs)


def _relative_scale(energy, other, inputs):
    """How much larger the outputs of an energy are than those of another: a loss of zero margin
    leaves their scale to chance."""
    spread = np.std(other(inputs))
    return np.std(energy(inputs)) / spread if spread > 0 else 1.0


def row_blocks(X, n_candidates):
    """Slices of rows whose energies fit into scikit-learn's ``working_memory``."""
    n_rows = int(get_config()["working_memory"] * 2**20 / (4 * 8 * max(n_candidates, 1)))
    return gen_batches(X.shape[0], max(n_rows, 1))


@contextmanager
def keep_fitted(estimator):
    """Leaves the fitted attributes as they were if what is inside fails."""
    before = {name: value for name, value in vars(estimator).items() if _is_fitted(name)}
    try:
        yield
    except BaseException:
        for name in [name for name in vars(estimator) if _is_fitted(name)]:
            delattr(estimator, name)
        vars(estimator).update(before)
        raise


def _is_fitted(name):
    return name.endswith("_") and not name.startswith("_")
