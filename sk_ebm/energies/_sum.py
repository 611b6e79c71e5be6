"""Sums of energies: results of different models, combined through the Gibbs distribution."""

from contextlib import suppress

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags

from sk_ebm._core.contributions import add_contributions, with_equal_outputs
from sk_ebm._core.folds import Folds
from sk_ebm._core.pooling import aligned, pool
from sk_ebm._core.training import FitResult
from sk_ebm._utils.sklearn_private import NamedParts
from sk_ebm._utils.validation import check_choice
from sk_ebm.energies._base import Energy
from sk_ebm.energies._registry import ENERGIES, INPUT_ENERGIES
from sk_ebm.energies.experts._class_expert import ExpertEnergy
from sk_ebm.energies.experts._item_expert import ItemExpertEnergy, ranks_items
from sk_ebm.energies.inputs._survival import SurvivalEnergy


class WeightedSum(Energy):
    """Base class of energies that are a weighted sum of fitted terms and a constant."""

    def _total(self, outputs):
        return np.sum(aligned(outputs), axis=0) if outputs else None

    def __call__(self, inputs):
        total = self._total(list(self.outputs_of_terms(inputs).values()))
        return total + np.asarray(self.constant_, dtype=total.dtype)

    @property
    def additive(self):
        return all(energy.additive for energy in self.terms_.values())

    def contributions(self, inputs, background):
        """The sum of those to each term, times its weight."""
        found = [
            energy.contributions(inputs, background).times(self.weights_[name])
            for name, energy in self.terms_.items()
        ]
        total = add_contributions(with_equal_outputs(found))
        return total._replace(base=total.base + np.asarray(self.constant_))

    @property
    def constant_of_terms(self):
        return self.constant_

    def outputs_of_terms(self, inputs):
        """Outputs (n, o) of each term, times its weight, by its name."""
        outputs = [self.weights_[name] * term(inputs) for name, term in self.terms_.items()]
        return dict(zip(self.terms_, aligned(outputs), strict=True))


class SumEnergy(NamedParts, WeightedSum):
    """A weighted sum of energies, E(x, y) = sum_k w_k E_k(x, y): a product of experts.

    - *pooled*: the terms are fitted independently on all rows; their weights w_k >= 0 minimise the
      loss of cross-fitted energies. The Gibbs distribution of the sum is a logarithmic opinion pool
      (Genest and Zidek, 1986). Each term is first scaled to its own calibrated temperature; weights
      are shrunk towards equal ones with the strength of one pseudo-observation for each term. A
      constant energy for each answer, learned with them, corrects the answers' shares.
    - *residual*: each term is fitted with the earlier ones as offset, so it learns what they left,
      and all weights are 1. The offset is cross-fitted. Experts can only come first.

    Parameters
    ----------
    terms : list of energies, or of (name, energy) pairs
        An energy may be given by its name; a scikit-learn estimator becomes an `ExpertEnergy`, a
        ranker or regressor an `ItemExpertEnergy`. Names make parameters of the terms reachable,
        ``energy__trees__learning_rate``.
    combine : {"pooled", "residual"}, default="pooled"

    Attributes
    ----------
    terms_ : dict of str to Energy
        The fitted terms by name.
    weights_ : dict of str to float
        What each term's energy is multiplied with.
    constant_ : ndarray of shape (n_outputs,), or 0.0 for residual sums
        Outputs that do not depend on x.
    loss_curves_ : dict of str to list of float
        The objective of each term after each of its iterations.

    References
    ----------
    Hinton, "Training products of experts by minimizing contrastive divergence", 2002.
    Genest and Zidek, "Combining probability distributions", 1986.
    """

    fits_on_folds = True
    # As for beta: five folds of 1,250 samples, one of 5,000; log-loss .0003 +- .0009 on 8 sets.
    _enough_held_out: float = 1000

    def __init__(self, terms, combine="pooled"):
        self.terms = terms
        self.combine = combine

    def get_params(self, deep=True):
        """As in scikit-learn; terms without names are reached by those that `weights_` has."""
        params = BaseEstimator.get_params(self, deep=False)
        if deep:
            for name, term in self._pairs():
                params[name] = term
                inner = term.get_params() if hasattr(term, "get_params") else {}
                params.update({f"{name}__{key}": value for key, value in inner.items()})
        return params

    def set_params(self, **params):
        """As in scikit-learn; terms without names are reached by those that `weights_` has."""
        for own in params.keys() & {"terms", "combine", "weights"}:
            BaseEstimator.set_params(self, **{own: params.pop(own)})
        if params:
            inside = {key.partition("__")[0] for key in params if "__" in key}
            self.terms = [
                (name, as_energy(term) if name in inside and not hasattr(term, "fit") else term)
                for name, term in self._pairs()
            ]
            self._set_params("terms", **params)
        return self

    def _pairs(self):
        """(name, term) pairs, terms as given; none where the terms are no energies."""
        with suppress(ValueError, TypeError):  # bad terms are for fit to refuse
            if all(_is_pair(term) for term in self.terms):
                return list(self.terms)
            names = _names([as_energy(term) for term in self.terms])
            return list(zip(names, self.terms, strict=True))
        return []

    def named_terms(self):
        """(name, energy) pairs, energies as components; names are made where none are given."""
        if not isinstance(self.terms, (list, tuple)) or not len(self.terms):
            raise ValueError(f"terms must be a list of at least one energy, got {self.terms!r}.")
        if all(_is_pair(term) for term in self.terms):
            self._validate_names([name for name, _ in self.terms])
            return [(name, as_energy(energy)) for name, energy in self.terms]
        energies = [as_energy(term) for term in self.terms]
        return list(zip(_names(energies), energies, strict=True))

    def as_detector(self, labelled):
        """The sum with energies of inputs in nats."""
        self._check_combine()
        if self.combine == "residual" and not labelled:
            raise ValueError(
                "combine='residual' fits terms to what others left, which needs labels: use "
                "combine='pooled', or labels='anomaly'."
            )
        terms = [(name, energy.as_detector(labelled)) for name, energy in self.named_terms()]
        terms = [(name, _in_nats(energy)) for name, energy in terms]
        return SumEnergy(terms, self.combine) if labelled else SurvivalSum(terms)

    def on_tables(self):
        terms = [(name, energy.on_tables()) for name, energy in self.named_terms()]
        return clone(self).set_params(terms=terms)

    @property
    def _energies(self):
        return [energy for _, energy in self.named_terms()]

    def all_terms(self):
        return [term for energy in self._energies for term in energy.all_terms()]

    @property
    def raw(self):
        return all(energy.raw for energy in self._energies)

    @property
    def reads_dates(self):
        return all(energy.reads_dates for energy in self._energies)

    @property
    def takes_offset(self):
        return all(energy.takes_offset for energy in self._energies)

    def check(self):
        self._check_combine()
        terms = self.named_terms()
        for _, energy in terms:
            energy.check()
        if self.combine == "residual":
            for name, energy in terms[1:]:
                if not energy.takes_offset:
                    raise ValueError(
                        f"The term {name!r} cannot be fitted to what others left: put it first, "
                        "or use combine='pooled'."
                    )

    def _check_combine(self):
        check_choice("combine", self.combine, ("pooled", "residual"))

    def fit(self, inputs, training):
        folds = training.folds or training.default_folds()
        terms = {name: clone(energy) for name, energy in self.named_terms()}
        fit = self._fit_pooled if self.combine == "pooled" else self._fit_residual
        results, held_out, history = fit(terms, inputs, training, folds)
        self.terms_ = {name: result.energy for name, result in results.items()}
        self.loss_curves_ = {name: list(result.history) for name, result in results.items()}
        return FitResult(
            self,
            held_out,
            converged=all(result.converged for result in results.values()),
            history=history,
            n_iter=max(result.n_iter for result in results.values()),
        )

    def _fit_pooled(self, terms, inputs, training, folds):
        training = training.replace(shared_folds=folds)
        if training.folds is None and len(folds):
            folds = folds.first_with(self._enough_held_out, training.objective.weights)
        results, outputs = {}, []
        for name, energy in terms.items():
            settings = for_term(training, energy)
            results[name] = energy.fit(inputs, settings)
            samples, held_out = held_out_on(results[name], inputs, settings, folds)
            outputs.append(held_out)
        outputs = aligned(outputs)
        weights, self.constant_, history = self._pool(training.objective.take(samples), outputs)
        self.weights_ = dict(zip(terms, weights.tolist(), strict=True))
        total = self._total([w * o for w, o in zip(weights, outputs, strict=True)])  # as predicted
        total = total + self.constant_
        return results, (samples, total), history

    def _pool(self, objective, outputs):
        return pool(objective, outputs)

    def _fit_residual(self, terms, inputs, training, folds):
        self.weights_, self.constant_ = dict.fromkeys(terms, 1.0), 0.0
        offset, rows = training.objective.offset, training.answers.rows
        offsets, results = [] if offset is None else [offset], {}
        earlier = []  # outputs of the earlier terms, held-out where the folds test a row
        for name, energy in terms.items():
            settings = for_term(training, energy, self._total(offsets + earlier))
            results[name] = energy.fit(inputs, settings)
            if len(results) < len(terms):
                samples, held_out = settings.cross_fit(results[name], inputs, folds)
                outputs = np.array(results[name].outputs_of(inputs))
                outputs[rows(samples)] = held_out
                earlier.append(outputs)
        final, held_out = results[name], None
        if final.held_out is not None:
            samples, outputs = final.held_out
            total = self._total([*(term[rows(samples)] for term in earlier), outputs])
            held_out = samples, total
        return results, held_out, final.history

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        every = [get_tags(energy).input_tags for energy in self._energies]
        for name in ("sparse", "allow_nan", "categorical", "string"):
            setattr(tags.input_tags, name, all(getattr(t, name) for t in every))
        for name in ("positive_only", "pairwise"):
            setattr(tags.input_tags, name, any(getattr(t, name) for t in every))
        return tags


class SurvivalSum(SumEnergy):
    """The weighted mean of energies of inputs in nats (`SurvivalEnergy`), which needs no labels.

    Parameters
    ----------
    terms : list of energies, or of (name, energy) pairs
    weights : list of float, default=None
        Non-negative, scaled to a sum of one; None for equal ones.
    """

    answers = frozenset({"inputs"})
    _enough_held_out = np.inf  # thresholds are learned on all samples

    def __init__(self, terms, weights=None):
        super().__init__(terms)
        self.weights = weights

    def check(self):
        super().check()
        if self.weights is not None:
            weights = np.asarray(self.weights, dtype=float)
            bad = weights.shape != (len(self.terms),) or not np.isfinite(weights).all()
            if bad or (weights < 0).any() or not weights.any():
                raise ValueError(
                    f"weights must be {len(self.terms)} numbers >= 0, one for each term and not "
                    f"all zero, got {self.weights!r}."
                )

    def as_detector(self, labelled):
        summed = super().as_detector(labelled)
        return summed if labelled else summed.set_params(weights=self.weights)

    def _pool(self, objective, outputs):
        weights = np.ones(len(outputs)) if self.weights is None else np.asarray(self.weights)
        return weights / weights.sum(), 0.0, []


def as_energy(value):
    """An energy from a name, an energy, an estimator, or a list of these or of named pairs."""
    if isinstance(value, str) and value in ENERGIES | INPUT_ENERGIES:
        return (ENERGIES | INPUT_ENERGIES)[value]()
    if isinstance(value, Energy):
        return value
    if isinstance(value, (list, tuple)) and len(value):
        return SumEnergy(value)
    if hasattr(value, "fit") and hasattr(value, "get_params") and not isinstance(value, type):
        return ItemExpertEnergy(value) if ranks_items(value) else ExpertEnergy(value)
    raise ValueError(
        f"energy must be one of {sorted(ENERGIES)}, of inputs {sorted(INPUT_ENERGIES)}, an "
        "instance of Energy, a scikit-learn estimator or a list of these, or 'auto' (within a list "
        f"AutoEnergy()), got {value!r}."
    )


def add(first, second):
    """The sum of two energies; the terms of pooled sums without names stand beside the new one."""
    terms = []
    for value in (first, second):
        energy = as_energy(value)
        flat = isinstance(energy, SumEnergy) and energy.combine == "pooled"
        terms += list(energy.terms) if flat else [energy]
    return SumEnergy(terms)


def held_out_on(result, inputs, training, folds):
    """The test samples of the folds, and held-out outputs: those of the fit itself where it was one
    on these folds, and of clones."""
    if result.held_out is None or not result.energy.fits_on_folds:
        return training.cross_fit(result, inputs, folds)
    rows, (known, given) = training.answers.rows, result.held_out
    outputs = np.empty((len(training.objective.row_weights), given.shape[1]), given.dtype)
    outputs[rows(known)] = given
    other = Folds(tuple(pair for pair in folds if not np.isin(pair[1], known).all()))
    if len(other):
        samples, held_out = training.cross_fit(result, inputs, other)
        outputs[rows(samples)] = held_out
    samples = folds.samples if len(folds) else np.arange(len(training.answers))
    return samples, outputs[rows(samples)]


def for_term(training, energy, offset=None):
    """The settings with which a term is fitted, with the outputs of other terms as offset."""
    solvers = [name for term in energy.all_terms() for name in term.solvers]
    solver = training.solver if training.solver in solvers else "auto"
    offset = training.objective.offset if offset is None else offset
    return training.replace(objective=training.objective.replace(offset=offset), solver=solver)


def _in_nats(energy):
    return SurvivalEnergy(energy) if "inputs" in energy.answers else energy


def _is_pair(term):
    return isinstance(term, (list, tuple)) and len(term) == 2 and isinstance(term[0], str)


def _names(energies):
    """The registered name, or that of the class in lower case, numbered where it recurs."""
    registered = {kind: name for name, kind in (ENERGIES | INPUT_ENERGIES).items()}
    names = []
    for energy in energies:
        estimator = getattr(energy, "estimator", energy)
        names.append(registered.get(type(energy), type(estimator).__name__.lower()))
    return [
        f"{name}-{names[: i + 1].count(name)}" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]
