"""The energy that chooses its terms: candidates race, cheapest first, on held-out samples."""

import time
import warnings
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, clone

from sk_ebm._core.selection import (
    adds_significantly,
    loss_alone,
    loss_in_pool,
    pool_without_idle,
)
from sk_ebm._core.training import FitResult
from sk_ebm._utils.sklearn_private import take_rows
from sk_ebm._utils.validation import check_choice, check_number
from sk_ebm._utils.warnings import warn_user
from sk_ebm.energies._candidates import EFFORTS, Facts, candidates_of, n_folds_for
from sk_ebm.energies._constant import ConstantEnergy
from sk_ebm.energies._encoded import on_inputs
from sk_ebm.energies._linear import LinearEnergy
from sk_ebm.energies._sum import SumEnergy, WeightedSum, for_term, held_out_on
from sk_ebm.exceptions import NothingLearnedWarning

_ENOUGH_HELD_OUT = 1000  # samples, as for other sums
_FALLBACKS = {
    "linear": "the linear energy with a strong penalty",
    "constant": "a constant energy for each answer, which gives classes their shares",
}
_FALLBACK_ENERGIES = {"linear": LinearEnergy, "constant": ConstantEnergy}


class AutoEnergy(WeightedSum):
    """A pool of the energies that stand a chance on a table and earn their place in it.

    Rules (see the user guide) say which energies are candidates. They are fitted one after another,
    the cheapest first, and pooled by the likelihood of cross-fitted energies. Before a dear
    candidate is fitted, a sketch of it, with a tenth of its trees or epochs, is pooled with the
    terms so far on the first fold: without a significantly higher held-out likelihood it is not
    fitted further (successive halving, Jamieson and Talwalkar, 2016). Terms whose weight is below
    .02 are dropped.

    Parameters
    ----------
    effort : {"low", "medium", "high"}, default="medium"
    max_seconds : float, default=None
        A candidate that would probably end later is left out, but for the cheapest one.

    Attributes
    ----------
    terms_ : dict of str to Energy
        The fitted terms by name.
    weights_ : dict of str to float
        What each term's energy is multiplied with.
    constant_ : ndarray of shape (n_outputs,), or 0.0
        Outputs that do not depend on x.
    selection_ : dict of str to ndarray of shape (n_candidates,)
        ``term``, the candidates in the order in which they were tried; ``loss_alone`` and
        ``loss_in_pool``, the held-out loss in nats of the candidate and of its pool with those
        before it, those of its sketch on the first fold where that added nothing, NaN where time
        was short; ``seconds`` and ``kept``.
    loss_curves_ : dict of str to list of float
        The objective of each term after each of its iterations.

    References
    ----------
    Genest and Zidek, "Combining probability distributions", 1986.
    Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
    optimization", 2016.
    """

    fits_on_folds = True
    takes_offset = False
    solvers = ("newton", "lbfgs", "adam")

    def __init__(self, effort="medium", max_seconds=None):
        self.effort = effort
        self.max_seconds = max_seconds

    def check(self):
        check_choice("effort", self.effort, EFFORTS)
        check_number("max_seconds", self.max_seconds, 0, other=(None,))

    def on_tables(self):
        """Itself: its terms read tables each in their own form."""
        return self

    def fit(self, inputs, training):
        facts = Facts.of(inputs, training.objective)
        folds = self._folds(training, n_folds_for(facts, self.effort))
        candidates = candidates_of(facts, self.effort) if len(folds) else []
        if not candidates:
            return self._fit_fallback(inputs, training, facts)
        race = Race(inputs, training, folds, self.max_seconds)
        for candidate in candidates:
            race.enter(candidate)
        race.finish()
        return self._pooled(race)

    @staticmethod
    def _folds(training, n_folds):
        """Those of the user, or so many."""
        if training.folds is not None:
            return training.folds
        answers = training.answers
        folds = answers.folds(min(n_folds, len(answers)), training.rng)
        return answers.known_folds(folds, training.objective.weights, training.rng)

    def _pooled(self, race):
        """The result of the pool of the terms that are left."""
        objective = race.objective
        self.weights_, self.constant_, history = pool_without_idle(objective, race.outputs)
        results = {name: race.results[name] for name in self.weights_}
        outputs = [weight * race.outputs[name] for name, weight in self.weights_.items()]
        return self._result(results, race.records, (race.samples, self._total(outputs)), history)

    def _result(self, results, records, held_out, history):
        self.terms_ = {name: result.energy for name, result in results.items()}
        self.loss_curves_ = {name: list(result.history) for name, result in results.items()}
        self.selection_ = table_of(records, set(results))
        if held_out is not None:
            held_out = held_out[0], held_out[1] + self.constant_
        return FitResult(
            self,
            held_out,
            converged=all(result.converged for result in results.values()),
            history=history,
            n_iter=max(result.n_iter for result in results.values()),
        )

    def _fit_fallback(self, inputs, training, facts):
        """The linear energy, or a constant for each answer, where nothing can be compared."""
        name = "linear" if facts.varies else "constant"
        warn_user(
            "No energies can be compared for energy='auto', as "
            + ("no sample can be held out" if facts.varies else "no column says anything")
            + f": it is {_FALLBACKS[name]}. Give more rows, or columns that differ between rows.",
            NothingLearnedWarning,
        )
        energy, start = on_inputs(_FALLBACK_ENERGIES[name](), inputs), time.perf_counter()
        result = energy.fit(inputs, for_term(training, energy))
        self.weights_, self.constant_ = {name: 1.0}, 0.0
        record = Record(name, seconds=time.perf_counter() - start)
        return self._result({name: result}, [record], result.held_out, list(result.history))

    def clone_with_choices(self):
        """The sum of the chosen terms, whose weights are learned again."""
        return SumEnergy([(name, term.clone_with_choices()) for name, term in self.terms_.items()])

    def get_params(self, deep=True):
        return BaseEstimator.get_params(self, deep)


class Record(NamedTuple):
    """What is known of a candidate in the end."""

    term: str
    loss_alone: float = np.nan
    loss_in_pool: float = np.nan
    seconds: float = 0.0


def table_of(records, kept):
    """The records as columns, and which of them are kept."""
    columns = {
        field: np.array([getattr(record, field) for record in records]) for field in Record._fields
    }
    return {**columns, "kept": np.array([record.term in kept for record in records])}


class Race:
    """Candidates that are fitted one after another and pooled on the same held-out samples.

    Attributes
    ----------
    records : list of Record
        Of all candidates that entered.
    results : dict of str to FitResult
        Of those that were fitted.
    outputs : dict of str to ndarray
        Their held-out outputs, of ``samples``, whose objective is ``objective``.
    """

    def __init__(self, inputs, training, folds, max_seconds):
        objective = training.objective
        if training.folds is None:
            folds = folds.first_with(_ENOUGH_HELD_OUT, objective.weights)
        self._inputs, self._folds = inputs, folds
        self._training = training.replace(shared_folds=folds)
        self._clock = Clock(max_seconds)
        self.samples, self.objective = folds.samples, objective.take(folds.samples)
        self.records, self.results, self.outputs, self._errors = [], {}, {}, []

    def enter(self, candidate):
        """Fit a candidate, if there is time and it promises to add something."""
        name = candidate.name
        if self.records and not self._clock.affords(candidate.seconds):
            self.records.append(Record(name))
            return
        losses, start = (np.nan, np.nan), time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NothingLearnedWarning)  # its weight is then zero
                losses = self._fit(candidate)
        except Exception as error:
            self._errors.append(error)
            warn_user(
                f"energy='auto' leaves out the energy {name!r}, whose fit failed: "
                f"{type(error).__name__}: {error}",
                UserWarning,
            )
        seconds = time.perf_counter() - start
        self._clock.record(candidate.seconds, seconds)
        self.records.append(Record(name, *losses, seconds))

    def _fit(self, candidate):
        """Losses of the candidate alone and in the pool, of its sketch if that adds nothing."""
        settings = for_term(self._training, candidate.energy)
        if candidate.sketch is not None and self.outputs:
            losses, promises = self._sketched(on_inputs(candidate.sketch, self._inputs), settings)
            if not promises:
                return losses
        result = clone(on_inputs(candidate.energy, self._inputs)).fit(self._inputs, settings)
        _, outputs = held_out_on(result, self._inputs, settings, self._folds)
        self.results[candidate.name], self.outputs[candidate.name] = result, outputs
        pooled = loss_in_pool(self.objective, list(self.outputs.values()))
        return loss_alone(self.objective, outputs), pooled

    def _sketched(self, sketch, settings):
        """Losses of a sketch on the first fold, and whether it adds to the terms so far."""
        fold, rows = self._folds.first(1), settings.answers.rows

        def outputs_of(result, test):
            return result.energy(take_rows(self._inputs, rows(test)))

        outputs = settings.fit_on_folds([clone(sketch)], self._inputs, fold, outputs_of).held_out[0]
        objective = settings.objective.take(fold.samples)
        terms = [known[: len(outputs)] for known in self.outputs.values()]
        losses = loss_alone(objective, outputs), loss_in_pool(objective, [*terms, outputs])
        return losses, adds_significantly(objective, terms, outputs)

    def finish(self):
        """Raise the first error where all candidates failed; warn where time left one alone."""
        if not self.results:
            raise self._errors[0]
        if self._clock.refused and len(self.results) == 1:
            warn_user(
                f"max_seconds={self._clock.max_seconds} is too little for more than the cheapest "
                f"energy, {self.records[0].term!r}. Give more time, or None.",
                UserWarning,
            )


class Clock:
    """Whether a fit of known expected length would end in time, at the pace of those before."""

    def __init__(self, max_seconds):
        self.max_seconds, self.refused = max_seconds, False
        self._start = time.perf_counter()
        self._expected, self._taken = 0.0, 0.0

    def record(self, expected, taken):
        self._expected, self._taken = self._expected + expected, self._taken + taken

    def affords(self, expected):
        if self.max_seconds is None:
            return True
        pace = self._taken / self._expected if self._expected else 1.0
        left = self.max_seconds - (time.perf_counter() - self._start)
        self.refused |= pace * expected > left
        return pace * expected <= left
