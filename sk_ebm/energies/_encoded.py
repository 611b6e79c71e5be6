"""Energies as they read tables."""

from copy import copy
from dataclasses import replace

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if

from sk_ebm._tables.numbers import AsGiven, TableNumbers, Target
from sk_ebm._tables.schema import Table
from sk_ebm.energies._base import Energy


def _of_inner(name):
    """A property that the inner energy declares."""
    return property(lambda self: getattr(self.energy, name))


class EncodedEnergy(Energy):
    """An energy that is given the rows of a table in its form: numbers (`TableNumbers`), or as they
    are where it is ``raw``.

    It is fitted, with the encoding, on the rows that it is given, so that those of other folds are
    new to both. Attributes of the fitted energy are its own.

    Parameters
    ----------
    energy : Energy

    Attributes
    ----------
    energy_ : Energy
        The fitted energy.
    encoder_ : TableNumbers or AsGiven
        The fitted encoding.
    """

    answers = _of_inner("answers")
    anchored = _of_inner("anchored")
    positive = _of_inner("positive")
    normalised = _of_inner("normalised")
    rejects_by_least = _of_inner("rejects_by_least")
    solvers = _of_inner("solvers")
    takes_offset = _of_inner("takes_offset")
    takes_class_features = _of_inner("takes_class_features")
    samples_classes = _of_inner("samples_classes")
    fits_chains = _of_inner("fits_chains")
    fits_on_folds = _of_inner("fits_on_folds")

    def __init__(self, energy):
        self.energy = energy

    def check(self):
        self.energy.check()

    def check_weights(self, weights):
        self.energy.check_weights(weights)

    def can_leave_out(self, inputs, n_rows):
        return self.energy.can_leave_out(inputs, n_rows)

    def fit(self, inputs, training):
        self.encoder_, columns = _encoding(self.energy, inputs, training)
        result = self.energy.fit(columns, self._inside(training))
        self.energy_ = result.energy
        return replace(result, energy=self)

    def _inside(self, training):
        """The settings of the fit of the inner energy, which is reported as this one."""
        if training.report is None:
            return training

        def report(value, fitted):
            training.report(value, lambda: self._with(fitted()))

        return training.replace(report=report)

    def _with(self, energy):
        """A copy with another fitted energy."""
        fitted = copy(self)
        fitted.energy_ = energy
        return fitted

    def _encoded(self, inputs):
        """The columns of a table, once for all terms that share an encoder."""
        encoder = self.encoder_  # which stays alive for as long as its id is a key
        return inputs.shared(id(encoder), lambda: (encoder, encoder.transform(inputs)))[1]

    def __call__(self, inputs):
        return self.energy_(self._encoded(inputs))

    def features(self, inputs):
        """Those of the inner energy."""
        return self.energy_.features(self._encoded(inputs))

    def class_vectors(self):
        return self.energy_.class_vectors()

    def with_shares_of(self, objective, outputs):
        energy, outputs = self.energy_.with_shares_of(objective, outputs)
        return self._with(energy), outputs

    @available_if(lambda self: hasattr(self.energy_, "with_labels"))
    def with_labels(self, inputs, codes, rng):
        result = self.energy_.with_labels(self.encoder_.transform(inputs), codes, rng)
        return replace(result, energy=self._with(result.energy))

    def keys_of_rows(self, inputs):
        return self.energy_.keys_of_rows(self.encoder_.transform(inputs))

    def with_classes(self, new, order):
        return self._with(self.energy_.with_classes(new, order))

    def clone_with_choices(self):
        return EncodedEnergy(self.energy_.clone_with_choices())

    @property
    def additive(self):
        return self.energy_.additive

    def contributions(self, inputs, background):
        """Those of the encoded columns, summed over the column that they are made of."""
        if self.energy.raw:
            raise ValueError(
                f"{self.energy!r} reads rows as they are given, so that its energies of a table "
                "cannot be explained by columns: use explain_terms, or encode the table before."
            )
        encode = self.encoder_.transform
        found = self.energy_.contributions(encode(inputs), encode(background))
        return found.summed_over(self.encoder_.sources(), len(inputs.schema.names))

    def outputs_of_terms(self, inputs):
        return self.energy_.outputs_of_terms(self._encoded(inputs))

    def get_feature_names_out(self):
        """Names of the encoded columns that the inner energy reads."""
        return self.encoder_.get_feature_names_out()

    def __getattr__(self, name):
        fitted = vars(self).get("energy_")
        if fitted is None or name.startswith("__"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.")
        return getattr(fitted, name)


def on_inputs(energy, inputs):
    """The energy as it reads the inputs."""
    return energy.on_tables() if isinstance(inputs, Table) else energy


def _encoding(energy, table, training):
    """A fitted encoder, and the columns of a table: the same for terms that read the same form."""
    if energy.raw:
        return AsGiven(), table.given
    target, rows = _learned_from(energy, training)
    of_inputs, takes_nan = "inputs" in energy.answers, get_tags(energy).input_tags.allow_nan
    numbers = TableNumbers(of_inputs, takes_nan)

    def encoding():
        return numbers, numbers.fit_transform(table, target, rows)

    learned_from = None if rows is None else rows.tobytes()
    of_target = None if target is None else (target.kind, target.values.tobytes())
    return table.shared((of_inputs, takes_nan, learned_from, of_target), encoding)


def _learned_from(energy, training):
    """The target that columns of many categories are encoded by, and rows of positive weight."""
    answers, weights = training.answers, training.objective.row_weights
    rows = np.flatnonzero(weights)
    if "inputs" in energy.answers:
        rows = np.flatnonzero(weights * (answers.target == 1))
        return None, None if len(rows) == len(weights) else rows
    return _target(answers, len(weights)), None if len(rows) == len(weights) else rows


def _target(answers, n_rows):
    relevance = getattr(answers, "relevance", None)
    if relevance is not None and len(relevance) == n_rows:
        return Target(np.asarray(relevance, dtype=float), "continuous")
    codes, classes = getattr(answers, "target", None), getattr(answers, "classes", None)
    if classes is not None and np.shape(codes) == (n_rows,):
        return Target.of_classes(codes, len(classes))
    return None
