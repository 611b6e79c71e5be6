"""What the estimators share: components by name, parameter checks, fitting, energies in blocks."""

import copyreg
import sys
from contextlib import suppress
from numbers import Integral
from types import FunctionType
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_consistent_length, check_random_state, get_tags

from sk_ebm._core.compatibility import check_compatible
from sk_ebm._core.folds import user_folds
from sk_ebm._core.objective import Objective
from sk_ebm._core.training import FitResult, Penalty, Training
from sk_ebm._estimators.monitoring import Monitored
from sk_ebm._solvers.registry import SOLVERS
from sk_ebm._tables.reading import check_names, check_no_times, with_nan
from sk_ebm._tables.refusals import check_target, saying_why
from sk_ebm._tables.routing import check_categorical_features, needs_schema, reads_frames
from sk_ebm._tables.schema import Schema, Table
from sk_ebm._utils.estimators import KeepsFitted
from sk_ebm._utils.html import Boxes
from sk_ebm._utils.validation import (
    check_choice,
    check_flag,
    check_n_jobs,
    check_number,
    check_reachable,
    check_seed,
    validate_data,
)
from sk_ebm._utils.versions import CarriesVersion
from sk_ebm._utils.warnings import warn_user
from sk_ebm.energies import (
    ENERGIES,
    INPUT_ENERGIES,
    Energy,
    LinearEnergy,
    SumEnergy,
    as_energy,
)
from sk_ebm.energies._encoded import on_inputs
from sk_ebm.energies.experts._shared import warn_of_refit
from sk_ebm.losses._base import Loss
from sk_ebm.losses._registry import LOSSES
from sk_ebm.thresholds import THRESHOLDS

# What to do about missing values and text in X where the fit has read no table (`needs_schema`).
_REMEDIES = {
    "missing": "the fit had none, so fill them, or fit again with rows that have some",
    "text": "the fit had numbers, so turn it into numbers, or fit again with text",
}
_ENOUGH_FOR_BETA = 1000  # samples: beta's standard error is then a few percent


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


class EnergyEstimator(KeepsFitted, CarriesVersion, Monitored, Boxes, BaseEstimator):
    """Base class of the estimators: an energy, a loss, and the Gibbs distribution."""

    _losses = LOSSES  # by name
    _answer_kind = "classes"  # what it has energies of, as in `Energy.answers`

    def _resolved_components(self, answers=None):
        """Energy and loss, after checking every parameter and that they go together.

        ``answers`` is what it has energies of, as in `Choice`.
        """
        energy, loss = self._resolved_energy(), resolve_loss(self.loss, self._losses)
        warn_of_refit(self.energy)
        check_number("alpha", self.alpha, 0, closed=True, other=("auto",))
        check_number("beta", self.beta, 0, other=("auto",))
        check_number("l1_ratio", self.l1_ratio, 0, 1, closed=True)
        check_number("tol", self.tol, 0)
        check_number("max_iter", self.max_iter, 1, closed=True, kind=Integral)
        check_choice("solver", self.solver, ("auto", *SOLVERS))
        if isinstance(self.cv, Integral):
            check_number("cv", self.cv, 2, closed=True, kind=Integral)
        check_n_jobs(self.n_jobs)
        check_seed(self.random_state)
        check_flag("verbose", self.verbose)
        energy.check()
        loss.check()
        check_compatible(
            energy,
            loss,
            self.solver,
            self.l1_ratio,
            answers or self._answer_kind,
            type(self).__name__,
        )
        return energy, loss

    def _resolved_energy(self):
        """A fresh component from the parameter ``energy``."""
        return clone(as_energy(self.energy))

    def _training(
        self, loss, answers, weights, folds, report, *, calibrates, rng=None, class_features=None
    ):
        """The settings of a fit; ``report(value, attributes)`` follows each iteration."""
        rng = check_random_state(self.random_state if rng is None else rng)

        def report_value(value, fitted):
            report(value, None)

        return Training(
            Objective(answers, loss.seeded(rng), weights),
            Penalty(self.alpha, self.l1_ratio),
            self.solver,
            self.max_iter,
            self.tol,
            folds,
            rng,
            calibrates,
            report_value,
            self.n_jobs,
            class_features,
        )

    def _finished(self, energy, inputs, training):
        """Fitted attributes of an estimator with this energy: what is learned on held-out samples
        is learned on those of the fit."""
        held_out = np.arange(len(training.answers)), energy(inputs)
        learned = self._learn(FitResult(energy, held_out), inputs, training)
        return {"energy_": energy, **learned}

    def _fit_component(
        self, energy, loss, inputs, answers, weights, folds, report, class_features=None
    ):
        """Fit one energy, and learn its beta and what else there is on held-out samples."""
        energy = on_inputs(energy, inputs)
        calibrates = self._calibrates()
        training = self._training(
            loss,
            answers,
            weights,
            folds,
            report,
            calibrates=calibrates,
            class_features=class_features,
        )
        if type(loss) not in self._losses.values():
            training.objective.check_gradient()
        settings = self._monitored(
            training, report, lambda energy: self._finished(energy, inputs, training)
        )
        result = energy.fit(inputs, settings)
        learned = self._learn(result, inputs, training)
        beta = learned.pop("beta_")
        return FittedComponent(
            result.energy, beta, result.n_iter, result.converged, result.history, learned
        )

    def _warn_unconverged(self, n_iter, of=""):
        """Warn, at the user's line, that iterations ended before tol was reached."""
        warn_user(
            f"{n_iter} iterations{of} did not reach tol={self.tol}; increase max_iter (now "
            f"{self.max_iter}) or tol.",
            ConvergenceWarning,
        )

    def _calibrates(self):
        """Whether something is learned on held-out energies."""
        return self.beta == "auto"

    def _learn(self, result, inputs, training):
        """Fitted attributes that are learned on held-out energies: beta."""
        if not self._calibrates():
            return {"beta_": float(self.beta)}
        enough = self._enough_held_out()
        samples, outputs = training.held_out_outputs(result, inputs, enough)
        objective = result.held_out_objective or training.objective.take(samples)
        return {"beta_": float(objective.learn_beta(outputs))}

    def _enough_held_out(self):
        """Held-out samples that are enough for what is learned on them."""
        return _ENOUGH_FOR_BETA

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
        check_reachable(params, self.get_params(deep=False), self._named_classes)
        return super().set_params(**params)

    def __reduce_ex__(self, protocol):
        """For pickle, joblib and copies."""
        return copyreg.__newobj__, (type(self),), self.__getstate__()

    def __reduce__(self):
        """For skops alone, which keeps no more of a function than where to import it from."""
        for name, value in self.get_params().items():
            if isinstance(value, FunctionType) and not _can_be_imported(value):
                raise ValueError(
                    f"{name}={value!r} cannot be saved by skops, which reads functions by importing"
                    " them: define it in a module, not in a session, nor as a lambda, nor inside "
                    "another function; or save by cloudpickle, which keeps its code."
                )
        return self.__reduce_ex__(2)

    def _named_classes(self, parameter):
        """The classes that the names which a parameter takes stand for."""
        if parameter in ("threshold", "reject"):
            return THRESHOLDS
        return {"energy": ENERGIES | INPUT_ENERGIES, "loss": self._losses}.get(parameter, {})

    def _validated(self, energy, X, y="no_validation", reset=True):
        """X as the energy takes it, and y: the tags of the energy say what may come."""
        tags = get_tags(energy).input_tags
        takes_nan = energy.raw or tags.allow_nan  # what is raw judges itself
        as_given = reads_frames(energy) and not _is_numeric(X)
        if reset:
            some_raw = any(term.raw for term in energy.all_terms())
            self._schema = None if as_given else self._learn_schema(X, takes_nan, some_raw)
        if as_given:
            return self._validated_table(X, y, reset, energy.reads_dates)
        if self._schema is not None:
            return self._read_table(X, y, reset)
        return self._validated_numbers(
            X,
            y=y,
            takes_nan=takes_nan,
            reset=reset,
            accept_sparse="csr" if energy.raw or tags.sparse else False,
            dtype=[np.float64, np.float32],
            order="C",
        )

    def _validated_table(self, X, y, reset, reads_dates):
        """A frame, or rows of objects, with NaN for what is missing, and y."""
        check_names(X)
        if not reads_dates:
            check_no_times(X)
        has_y = not isinstance(y, str)
        X = with_nan(X) if self._schema is None else X  # else where rows are given as they are
        if has_y:
            check_target(y, numeric=self._answer_kind == "items")
            y = validate_data(self, y=y)
        validate_data(self, X, reset=reset, skip_check_array=True)
        X = X if hasattr(X, "shape") else np.asarray(X, dtype=object)
        if 0 in X.shape:
            raise ValueError(f"X must have rows and columns, got 0 samples or features: {X.shape}.")
        check_consistent_length(X, y if has_y else None)
        return (X, y) if has_y else X

    def _learn_schema(self, X, takes_nan, keeps_frames):
        """The schema of a table that is not read as plain numbers, or None; see `needs_schema`."""
        columns = self.categorical_features
        check_categorical_features(columns)
        check_names(X)
        if not needs_schema(X, columns, takes_nan, keeps_frames):
            return None
        return Schema.of(with_nan(X), columns)

    def _read_table(self, X, y="no_validation", reset=True):
        """A `Table` by the schema, and y."""
        X = X if reset else self._schema.in_order(X)
        validated = self._validated_table(X, y, reset, reads_dates=True)
        X, *y = validated if isinstance(validated, tuple) else (validated,)
        table = Table(X, None, self._schema)
        return (table, *y) if y else table

    def _validated_numbers(self, X, *, y="no_validation", takes_nan=False, **how):
        """X as numbers, and y."""
        check_names(X)
        check_no_times(X)
        X = with_nan(X)
        if not isinstance(y, str):
            check_target(y, numeric=self._answer_kind in ("items", "values"))
        remedies = dict(_REMEDIES)
        if how.get("reset", True):  # else tables that are not sparse have a schema
            remedies["missing"] = "fill them, or give a table that is not sparse"
        if takes_nan:
            del remedies["missing"]
        with saying_why(X, remedies):
            finite = "allow-nan" if takes_nan else True
            return validate_data(self, X, y, ensure_all_finite=finite, **how)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        with suppress(ValueError):  # a bad energy is for fit to refuse
            energy = self._resolved_energy()
            tags.input_tags = get_tags(energy).input_tags
            tags.input_tags.allow_nan = all(  # experts judge themselves, others read encoded tables
                get_tags(term).input_tags.allow_nan or not term.raw for term in energy.all_terms()
            )
        return tags

    def _linear(self, name):
        """An attribute of the fitted linear energy."""
        energy = vars(self).get("energy_")
        energy = vars(energy).get("energy_", energy)  # within one that reads a table
        if type(energy) is not LinearEnergy:
            raise AttributeError(f"{name} exists once a linear energy is fitted.")
        return getattr(energy, name)

    def _folds(self, X, y, groups):
        """The folds of ``cv``, or None; groups are never split."""
        if self.cv is None and groups is None:
            return None
        rng = check_random_state(self.random_state)
        return user_folds(self.cv, X, y, groups, rng, classifier=is_classifier(self))


def _is_numeric(X):
    """Whether X is an array, a list or a sparse matrix of numbers, not a frame."""
    if hasattr(X, "columns"):
        return False
    return sparse.issparse(X) or np.asarray(X).dtype.kind in "biufc"


def _can_be_imported(function):
    """Whether another process finds the function by its name in its module."""
    module = sys.modules.get(function.__module__)
    found = getattr(module, function.__name__, None)
    return found is function and function.__module__ != "__main__"
