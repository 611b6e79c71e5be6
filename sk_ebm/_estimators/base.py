"""What the estimators share: components by name, parameter checks, fitting, energies in blocks."""

from contextlib import contextmanager, suppress
from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, check_cv
from sklearn.utils import check_consistent_length, check_random_state, get_tags
from sklearn.utils.validation import validate_data

from sk_ebm._core.compatibility import _check_together, _refuse_rankings
from sk_ebm._core.objective import Objective
from sk_ebm._solvers.registry import SOLVERS
from sk_ebm._utils.validation import check_number
from sk_ebm._utils.warnings import warn_user
from sk_ebm.energies import Energy, LinearEnergy, SumEnergy, as_energy
from sk_ebm.losses._base import Loss
from sk_ebm.losses._registry import LOSSES

_ENOUGH_FOR_BETA = 1000


def resolve_loss(value, losses):
    """A fresh loss from a name, or a clone of one."""
    if isinstance(value, str) and value in losses:
        return losses[value]()
    if isinstance(value, Loss):
        return clone(value)
    raise ValueError(f"loss must be one of {sorted(losses)} or an instance of Loss, got {value!r}.")


class FittedComponent(NamedTuple):
    """What fitting one energy found.

    Attributes
    ----------
    energy : Energy
        Fitted.
    beta : float
        Inverse temperature of the Gibbs distribution of its energies.
    n_iter : int
        Iterations of the final fit.
    converged : bool
        Whether they reached ``tol``.
    history : list of float
        The objective after each of them.
    learned : dict
        Further attributes that an estimator learns on held-out samples.
    """

    energy: Energy
    beta: float
    n_iter: int
    converged: bool
    history: list
    learned: dict

    @property
    def attributes(self):
        """Fitted attributes of an estimator, by name."""
        return {
            "energy_": self.energy,
            "beta_": self.beta,
            "n_iter_": self.n_iter,
            "loss_curve_": self.history,
            **self.learned,
        }


class EnergyEstimator(CallbackSupportMixin, BaseEstimator):
    """Base class of the estimators: an energy, a loss, and the Gibbs distribution."""

    _losses = LOSSES  # by name
    _ranks = False  # whether answers are the items of a query

    def _components(self):
        """Energy and loss, after checking every parameter and that they go together."""
        energy, loss = self._resolved_energy(), resolve_loss(self.loss, self._losses)
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
        if not self._ranks:
            _refuse_rankings(energy, loss, type(self).__name__)
        _check_together(energy, loss, self.solver, self.l1_ratio)
        return energy, loss

    def _resolved_energy(self):
        """A fresh component from the parameter ``energy``."""
        energy = clone(as_energy(self.energy))
        if any(part.of_inputs for part in energy.parts()):
            raise ValueError(
                f"energy={self.energy!r} is one of the inputs alone, the same for all answers: "
                "it is for EnergyDetector."
            )
        return energy

    @contextmanager
    def _reporting(self, X, y):
        """Runs a fit within a callback context; gives what is called after each iteration."""
        context = self._init_callback_context(max_subtasks=None)
        data = {"estimator": self, "X": X, "y": y}
        context.call_on_fit_task_begin(**data)

        def report(value, attributes):
            task = context.subcontext(task_name="iteration").call_on_fit_task_begin(estimator=self)
            task.call_on_fit_task_end(**data, reconstruction_attributes=attributes)

        yield report
        context.call_on_fit_task_end(**data, reconstruction_attributes={})

    def _fit_component(self, energy, loss, inputs, answers, weights, splits, report):
        """Fit one energy, and learn its beta and what else there is on held-out samples."""
        rng = check_random_state(self.random_state)
        objective, curve = self._descend(
            energy, loss, inputs, answers, weights, splits, report, rng, self._calibrates()
        )
        learned = self._learn(energy, inputs, objective, rng)
        beta = learned.pop("beta_")
        return FittedComponent(energy, beta, objective.n_iter, objective.converged, curve, learned)

    def _warn_unconverged(self, n_iter, of=""):
        """Warn, at the user's line, that iterations ended before tol was reached."""
        warn_user(
            f"{n_iter} iterations{of} did not reach tol={self.tol}; increase max_iter (now "
            f"{self.max_iter}) or tol.",
            ConvergenceWarning,
        )

    def _calibrates(self):
        """Whether something is learned on energies out of sample."""
        return self.beta == "auto"

    def _descend(self, energy, loss, inputs, answers, weights, splits, report, rng, calibrate):
        """Fit the energy; its objective, and the values of that after each iteration.

        ``report(value, attributes)`` is called after each, ``attributes()`` making the
        attributes of an estimator that ends there.
        """
        curve = []

        def record(value, fitted):
            curve.append(value)
            report(value, lambda: {"energy_": fitted(), "beta_": 1.0})

        objective = Objective(
            answers,
            loss.seeded(rng),
            weights,
            alpha=self.alpha,
            l1_ratio=self.l1_ratio,
            solver=self.solver,
            max_iter=self.max_iter,
            tol=self.tol,
            splits=splits,
            calibrate=calibrate,
            report=record,
            n_jobs=self.n_jobs,
        )
        energy.fit(inputs, objective, rng)
        return objective, curve

    def _learn(self, energy, inputs, objective, rng):
        """Fitted attributes that are learned on energies out of sample: beta."""
        if not self._calibrates():
            return {"beta_": float(self.beta)}
        samples, outputs = out_of_sample(energy, inputs, objective, rng, self._enough())
        return self._learn_unseen(energy, objective.take(samples), outputs)

    def _enough(self):
        """Samples out of sample that are enough for what is learned on them."""
        return _ENOUGH_FOR_BETA

    def _learn_unseen(self, energy, part, outputs):
        """The same, from the objective of some samples and outputs of energies that saw none."""
        return {"beta_": float(part.learn_beta(outputs) if self.beta == "auto" else self.beta)}

    def get_params(self, deep=True):
        """As in scikit-learn; the terms of a list of named pairs are reached through ``energy``."""
        params = super().get_params(deep)
        if deep and isinstance(self.energy, (list, tuple)):
            inner = SumEnergy(self.energy).get_params()
            own = SumEnergy([]).get_params()
            params.update({f"energy__{k}": v for k, v in inner.items() if k not in own})
        return params

    def set_params(self, **params):
        """As in scikit-learn; the terms of a list of named pairs are reached through ``energy``."""
        if "energy" in params:
            self.energy = params.pop("energy")
        if isinstance(self.energy, (list, tuple)):
            inner = {k: params.pop(k) for k in list(params) if k.startswith("energy__")}
            inner = {k.removeprefix("energy__"): v for k, v in inner.items()}
            self.energy = SumEnergy(self.energy).set_params(**inner).terms
        return super().set_params(**params)

    def _validated(self, energy, X, y="no_validation", reset=True):
        """X as the energy takes it, and y: the tags of the energy say what may come."""
        tags = get_tags(energy).input_tags
        if energy.raw and not _is_numeric(X):
            has_y = not isinstance(y, str)
            y = validate_data(self, y=y) if has_y else None
            validate_data(self, X, reset=reset, skip_check_array=True)
            X = X if hasattr(X, "shape") else np.asarray(X, dtype=object)
            check_consistent_length(X, y)
            return (X, y) if has_y else X
        return validate_data(
            self,
            X,
            y,
            reset=reset,
            accept_sparse="csr" if tags.sparse else False,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan" if tags.allow_nan else True,
            order="C",
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        with suppress(ValueError):  # a bad energy is for fit to refuse
            tags.input_tags = get_tags(self._resolved_energy()).input_tags
        return tags

    def _linear(self, name):
        """An attribute of the fitted linear energy."""
        energy = vars(self).get("energy_")
        if type(energy) is not LinearEnergy:
            raise AttributeError(f"{name} exists once a linear energy is fitted.")
        return getattr(energy, name)

    def _splits(self, X, y, groups):
        """The samples of the folds of ``cv``, or None; groups are never split."""
        if self.cv is None and groups is None:
            return None
        if groups is None or not (self.cv is None or isinstance(self.cv, Integral)):
            return list(check_cv(self.cv, y, classifier=is_classifier(self)).split(X, y, groups))
        n_splits = min(self.cv or 5, len(np.unique(groups)))
        rng = check_random_state(self.random_state)
        kind = StratifiedGroupKFold if is_classifier(self) else GroupKFold
        folds = kind(n_splits, shuffle=True, random_state=rng)
        return list(folds.split(np.zeros(len(y)), y, groups))


def out_of_sample(energy, inputs, objective, rng, enough=np.inf):
    """Samples and their outputs, of energies that were not fitted on them.

    Of the default folds only the first that hold ``enough`` samples that weigh something. Where
    there is one sample only, it and its own outputs.
    """
    if objective.held_out is not None:
        return objective.held_out
    splits = objective.splits
    if not splits:
        splits = objective.default_splits(rng)
        tested = np.cumsum([np.count_nonzero(objective.weights[test]) for _, test in splits])
        splits = splits[: np.searchsorted(tested, enough) + 1]
    if splits:
        return objective.cross_fit(energy, inputs, splits, rng)
    return np.arange(len(objective.answers)), objective.outputs_of(energy, inputs)


def _is_numeric(X):
    """Whether X is an array, a list or a sparse matrix of numbers, not a frame."""
    if hasattr(X, "columns"):
        return False
    return sparse.issparse(X) or np.asarray(X).dtype.kind in "biufc"
