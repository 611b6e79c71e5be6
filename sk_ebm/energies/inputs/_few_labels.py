"""An energy of inputs that a few labelled anomalies improve."""

from copy import copy
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import clone
from sklearn.utils import get_tags

from sk_ebm._core.folds import DEFAULT_FOLDS, shuffled_folds
from sk_ebm._core.partial_labels import ANOMALOUS, COMPATIBLE, UNKNOWN, codes_of
from sk_ebm._core.training import FitResult
from sk_ebm._utils.row_keys import row_keys
from sk_ebm._utils.sklearn_private import take_rows
from sk_ebm.energies._base import Energy
from sk_ebm.energies.inputs._positive_unlabelled import LEARNERS, row_weights
from sk_ebm.energies.inputs._standardised import RobustScaler
from sk_ebm.energies.inputs._subspace import _Subspace
from sk_ebm.energies.inputs._survival import SurvivalEnergy

_PRIOR_LABELS = 3.0  # few_labels.py: 2 gains .01 by one label, and doubles the loss of the worst
_SHRINKAGE = 8.0  # few_labels.py: 2 loses .005 with five labels, 32 .007 with 50
_LEVEL_AT_START = 1.5  # nats between anomalies and others, where the descent starts
_MOST_ROWS = 20_000  # as many as the isolation forest draws from
_MOST_COLUMNS = 1_000  # more, and sparse ones, are projected on their principal components
_LARGEST = 20.0  # scales from the centre of a column: farther rows are far in any case


class LabelledRows(NamedTuple):
    """The rows that an energy with a few labels is fitted on.

    Attributes
    ----------
    X : array or CSR matrix of shape (n, d)
    codes : ndarray of int, shape (n,)
        As in `PartialLabels`.
    weights : ndarray of shape (n,)
    nats : ndarray of shape (n, t)
        Held-out energies of the terms without labels.
    calibrates : ndarray of bool, shape (n,)
        Rows that count as compatible where thresholds are learned: those known to be when the
        energy was fitted, or the unknown ones where none was. Rows that were shown to someone
        because of their energies are no sample of compatible rows, and are not added.
    samples : ndarray of int, shape (n,)
        Which rows of the fit these are; -1 for others, whose labels came later.
    """

    X: object
    codes: np.ndarray
    weights: np.ndarray
    nats: np.ndarray
    calibrates: np.ndarray
    samples: np.ndarray

    @classmethod
    def first(cls, X, codes, weights, nats, samples):
        known = codes == COMPATIBLE
        calibrates = known if known.any() else codes == UNKNOWN
        return cls(X, codes, weights, nats, calibrates, samples)

    def with_labels(self, X, codes, nats_of):
        """With labels of some of the rows, and with labelled rows that are not among them."""
        index = {key: i for i, key in reversed(list(enumerate(row_keys(self.X))))}
        places = np.array([index.get(key, -1) for key in row_keys(X)])
        known, new = (codes != UNKNOWN) & (places >= 0), (codes != UNKNOWN) & (places < 0)
        updated = self.codes.copy()
        updated[places[known]] = codes[known]
        calibrates = self.calibrates & (updated != ANOMALOUS)
        rows = self._replace(codes=updated, calibrates=calibrates)
        new = np.flatnonzero(new)
        return rows._with_more(take_rows(X, new), codes[new], nats_of) if len(new) else rows

    def _with_more(self, X, codes, nats_of):
        stack = sparse.vstack if sparse.issparse(self.X) else np.vstack
        return LabelledRows(
            stack([self.X, X]),
            np.append(self.codes, codes),
            np.append(self.weights, np.ones(len(codes))),
            np.vstack([self.nats, nats_of(X)]),
            np.append(self.calibrates, np.zeros(len(codes), dtype=bool)),
            np.append(self.samples, np.full(len(codes), -1)),
        )


class FewLabelsEnergy(Energy):
    """Energies without labels, and learners of a few labelled anomalies among unknown rows, added.

    All are in nats, -log of the share of unlabelled rows with at least this energy, on held-out
    rows. The learners are bagged trees [1]_ and least squares in a kernel, of standardised columns
    and of the energies without labels, as in XGBOD [2]_. In both, unknown rows count as compatible
    with the same total weight as the anomalies: the risk of ranking anomalies above unknown rows is
    that above compatible rows, up to constants that depend on the share of anomalies alone [3]_.

    The energies without labels have the strength of three labels: k labels give the learners a
    weight of k / (k + 3). A logistic regression on held-out rows, shrunk towards these weights,
    then decides which of them pay, from two labels on. Where d columns are many for n rows, k
    counts n / (n + d) times. A row known to be compatible counts
    as a label, too, if the energies without labels place it highest, and not if it is as others.

    Parameters
    ----------
    energy : Energy, estimator or list
        Energies of inputs, without labels; a list is a `SurvivalSum`.

    Attributes
    ----------
    terms_ : dict of str to Energy
        The energies without labels, in nats.
    weights_ : dict of str to float
        Of the terms, and of the learners "trees" and "kernel"; their sum is one.
    rows_ : NamedTuple
        The training rows, at most 20,000 and all that have labels.

    References
    ----------
    .. [1] Mordelet and Vert, "A bagging SVM to learn from positive and unlabeled examples", 2014.
    .. [2] Zhao and Hryniewicki, "XGBOD: improving supervised outlier detection with unsupervised
       representation learning", 2018.
    .. [3] Menon, van Rooyen, Ong and Williamson, "Learning from corrupted binary labels via
       class-probability estimation", 2015.
    """

    answers = frozenset({"inputs"})
    anchored = True
    takes_offset = False

    def __init__(self, energy):
        self.energy = energy

    def _unlabelled(self):
        from sk_ebm.energies._sum import as_energy  # a sum is made of energies, as this one may be

        return as_energy(self.energy).as_detector(False)

    def as_detector(self, labelled):
        unlabelled = self._unlabelled()
        return FewLabelsEnergy(unlabelled) if labelled else unlabelled

    def check(self):
        self._unlabelled().check()
        for term in self.all_terms():
            if "inputs" not in term.answers:
                raise ValueError(
                    f"FewLabelsEnergy takes energies of inputs, got {type(term).__name__}, which "
                    "learns from labels: give it beside, as [FewLabelsEnergy([...]), 'linear']."
                )

    def all_terms(self):
        return self._unlabelled().all_terms()

    def fit(self, inputs, training):
        codes, weights = codes_of(training.answers), training.objective.weights
        rows, leaves_out = _drawn(codes, training.rng), training.leave_one_out
        if len(rows) < len(codes):
            inputs, codes, weights = take_rows(inputs, rows), codes[rows], weights[rows]
            training = training.replace(objective=training.objective.take(rows), folds=None)
        if training.folds is None:
            n_folds = min(DEFAULT_FOLDS, len(codes))
            folds = shuffled_folds(len(codes), n_folds, training.rng)
            training = training.replace(folds=folds, leave_one_out=True)
        nats = self._fit_terms(inputs, training)
        self._fit_scales(inputs, weights * (codes != ANOMALOUS), training.rng)
        result = self._learned(LabelledRows.first(inputs, codes, weights, nats, rows), training.rng)
        held_out = (rows, result.held_out[1]) if leaves_out else None
        return FitResult(result.energy, held_out)

    def _fit_terms(self, inputs, training):
        """Fit the energies without labels; their held-out values (n, t)."""
        summed = self._unlabelled()
        named = summed.named_terms() if hasattr(summed, "named_terms") else [("energy", summed)]
        shares = getattr(summed, "weights", None)
        shares = np.ones(len(named)) if shares is None else np.asarray(shares, dtype=float)
        self._shares, self.terms_ = shares / shares.sum(), {}
        columns = []
        for name, energy in named:
            in_nats = energy if isinstance(energy, SurvivalEnergy) else SurvivalEnergy(energy)
            result = clone(in_nats).fit(inputs, training)
            self.terms_[name] = result.energy
            samples, outputs = training.held_out_outputs(result, inputs)
            column = np.empty(len(training.objective.weights))
            if len(samples) < len(column):
                column[:] = result.energy(inputs)[:, 0]
            column[samples] = outputs[:, 0]
            columns.append(result.energy.level - column)
        return np.column_stack(columns)

    def _nats(self, inputs):
        return np.column_stack([term.level - term(inputs)[:, 0] for term in self.terms_.values()])

    def _fit_scales(self, X, weights, rng):
        used = np.flatnonzero(weights)
        self._scaler = RobustScaler().fit(take_rows(X, used), weights[used])
        self._subspace = None
        if sparse.issparse(X) or X.shape[1] > _MOST_COLUMNS:
            self._subspace = _Subspace(self._scaled(take_rows(X, used)), weights[used], rng)

    def _scaled(self, X):
        X = self._scaler.transform(X)
        values = X.data if sparse.issparse(X) else X
        np.nan_to_num(values, copy=False, nan=0.0)
        np.clip(values, -_LARGEST, _LARGEST, out=values)
        return X

    def _columns(self, X, nats):
        """What the learners read: scaled columns, and the energies without labels."""
        X = self._scaled(X)
        return np.hstack([X if self._subspace is None else self._subspace.transform(X), nats])

    def with_labels(self, inputs, codes, rng):
        """A copy that knows more labels, and its held-out energies of ``rows_``, as a `FitResult`.

        The energies without labels are not fitted again.

        Parameters
        ----------
        inputs : array or CSR matrix of shape (m, d)
            Rows among those of the fit, whose labels replace what was known, or others.
        codes : ndarray of int, shape (m,)
            -1 for anomalies, 1 for compatible rows, 0 for unknown ones, which change nothing.
        rng : RandomState
        """
        rows = self.rows_.with_labels(inputs, codes, self._nats)
        return copy(self)._learned(rows, rng)

    def keys_of_rows(self, inputs):
        """Keys of rows of the inputs, by which those that are among ``rows_`` are found."""
        return row_keys(inputs)

    def of_rows(self):
        """The outputs of ``rows_``, (n, 1)."""
        return self(self.rows_.X)

    def _learned(self, rows, rng):
        """Learn from the labels of rows."""
        self.rows_ = rows
        unlabelled = rows.nats @ self._shares
        self.learners_, nats = {}, [unlabelled]
        if (rows.codes == ANOMALOUS).any():
            columns = self._columns(rows.X, rows.nats)
            for name, kind in LEARNERS.items():
                scores = kind().fit(columns, rows.codes, rows.weights, rng)
                found = ~np.isnan(scores.held_out)
                used = found & (rows.codes != ANOMALOUS)
                scale = SurvivalEnergy.of(scores.held_out[used], rows.weights[used])
                self.learners_[name] = scores.learner, scale
                in_nats = _bounded(scale.nats(scores.held_out), rows)
                nats.append(np.where(found, in_nats, np.minimum(unlabelled, in_nats[found].max())))
        self._weights = _pooled(np.array(nats), rows)
        names = [*self.terms_, *self.learners_]
        weights = [*self._weights[0] * self._shares, *self._weights[1:]]
        self.weights_ = dict(zip(names, map(float, weights), strict=True))
        return FitResult(self, (np.arange(len(unlabelled)), -(self._weights @ nats)[:, None]))

    def __call__(self, inputs):
        nats = self._nats(inputs)
        total = self._weights[0] * (nats @ self._shares)
        columns = self._columns(inputs, nats)
        for weight, (learner, scale) in zip(
            self._weights[1:], self.learners_.values(), strict=True
        ):
            if weight > 0:
                total = total + weight * _bounded(scale.nats(learner.scores(columns)), self.rows_)
        return -total[:, None]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._unlabelled()).input_tags
        return tags


def _drawn(codes, rng):
    """Rows with labels, and as many of the others as are fitted to."""
    unknown = np.flatnonzero(codes == UNKNOWN)
    if len(unknown) <= _MOST_ROWS:
        return np.arange(len(codes))
    drawn = rng.choice(unknown, _MOST_ROWS, replace=False)
    return np.sort(np.append(np.flatnonzero(codes != UNKNOWN), drawn))


def _bounded(nats, rows):
    """At most those of the highest of n rows: a learner does not know what is beyond them.

    With an exponential tail, few_labels.py loses .17 on a split of mammography by a single label.
    """
    return np.minimum(nats, np.log(len(rows.codes)))


def _pooled(nats, rows):
    """Weights (t,) of held-out energies (t, n): first that of those without labels."""
    n_labels, n_learners = np.count_nonzero(rows.codes == ANOMALOUS), len(nats) - 1
    strength = _PRIOR_LABELS / (_PRIOR_LABELS + _counted(nats[0], rows))
    prior = np.append(strength, np.full(n_learners, (1 - strength) / max(n_learners, 1)))
    if n_labels < 2:
        return prior / prior.sum()
    sign = np.where(rows.codes == ANOMALOUS, 1.0, -1.0)
    weights, shrinkage = row_weights(rows.codes, rows.weights), _SHRINKAGE / n_labels

    def value_and_gradient(params):
        margins = sign * (params[:-1] @ nats - params[-1])
        deviation = params[:-1] - prior
        value = weights @ np.logaddexp(0, -margins) + shrinkage / 2 * deviation @ deviation
        by_nats = -weights * sign * expit(-margins)
        return value, np.append(nats @ by_nats + shrinkage * deviation, -by_nats.sum())

    start = np.append(prior, _LEVEL_AT_START)
    bounds = [(0, None)] * len(prior) + [(None, None)]
    found = minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", bounds=bounds).x[:-1]
    return found / found.sum() if found.any() else prior


def _counted(unlabelled, rows):
    """How many labels speak for the learners.

    Rows that are known to be compatible do where the energies without labels (n,) are high, as of
    those that a query shows: mean nats of others are one.
    """
    (n_rows, n_columns), n_labels = rows.X.shape, np.count_nonzero(rows.codes == ANOMALOUS)
    excess = np.sum(unlabelled[rows.codes == COMPATIBLE] - 1) / np.log(n_rows)
    return (n_labels + max(excess, 0)) * n_rows / (n_rows + n_columns)
