"""Sets of labels as answers of a classifier."""

from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.metrics import accuracy_score
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from sk_ebm._core.folds import user_folds
from sk_ebm._core.label_sets import LabelSets
from sk_ebm._estimators.structures import Structure
from sk_ebm._utils.estimators import row_blocks
from sk_ebm._utils.finite import finite_outputs
from sk_ebm._utils.memory import check_fits_in_memory
from sk_ebm._utils.sklearn_private import check_sample_weight, count_rows, take_rows
from sk_ebm._utils.validation import check_largest_weight, check_number, check_weighs
from sk_ebm.energies._encoded import on_inputs
from sk_ebm.energies._label_training import fit_labels

_COPIES = 8  # of log odds: potentials, messages and beliefs of two values each
_LEAST = np.finfo(float).smallest_normal


class TopSets(NamedTuple):
    """The label sets of least energy of each row, the best first.

    Attributes
    ----------
    sets : ndarray of int, shape (n, k, L)
    energies : ndarray of shape (n, k)
    probabilities : ndarray of shape (n, k)
    """

    sets: np.ndarray
    energies: np.ndarray
    probabilities: np.ndarray


def is_indicator(y):
    """Whether y (n, L) says of each row and label whether the label is in the set: an array, sparse
    matrix or frame of two columns or more, or a list of as long lists of 0 and 1."""
    if issparse(y):
        return True
    if isinstance(y, (list, tuple)):
        return _are_rows_of_bits(y)
    shape = getattr(y, "shape", ())
    return len(shape) == 2 and shape[1] > 1


def _are_rows_of_bits(y):
    rows = [row if isinstance(row, (list, tuple, np.ndarray)) else () for row in y]
    equal = len({len(row) for row in rows}) == 1 and len(rows[0]) > 1
    return equal and all(label in (0, 1) for row in rows for label in row)


def indicator_of(y, n_labels=None):
    """The indicator (n, L) of int of label sets y, with an error unless it is one."""
    if issparse(y):
        check_fits_in_memory(
            8 * np.prod(y.shape), f"Label sets of shape {y.shape}", "Use fewer rows."
        )
        y = y.toarray()
    y = np.asarray(y)
    if y.ndim != 2 or y.shape[1] < 2 or n_labels not in (None, y.shape[1]):
        columns = "two columns or more" if n_labels is None else f"{n_labels} columns, as in fit"
        raise ValueError(f"y must have {columns}, one for each label, got shape {y.shape}.")
    try:
        numbers = y.astype(float)
    except (ValueError, TypeError):
        numbers = np.full(y.shape, np.nan)
    bad = np.argwhere((numbers != 0) & (numbers != 1))
    if len(bad):
        row, column = bad[0]
        raise ValueError(
            "y of two columns or more must hold 0 and 1, for labels that are in the set of a row "
            f"or not, got {y[row].tolist()[column]!r} in row {row}, column {column}. Give classes "
            "as one column, and label sequences with a list of sequences as X."
        )
    return numbers.astype(int)


def fit_label_sets(classifier, energy, loss, given, sample_weight, groups, report):
    """Fitted attributes of a classifier of label sets, and whether iterations converged."""
    X, y = given
    indicator = indicator_of(y)
    X = classifier._validated(energy, X)
    energy = on_inputs(energy, X)
    check_consistent_length(X, indicator)
    weights = check_sample_weight(sample_weight, X)
    check_weighs(weights)
    check_largest_weight(weights)
    varying, log_odds = _constant_labels(indicator, weights)
    folds = None
    if classifier.cv is not None or groups is not None:
        folds = user_folds(classifier.cv, X, indicator, groups, classifier._rng(), classifier=False)
    answers = LabelSets(indicator[:, varying])
    training = classifier._training(loss, answers, weights, folds, report, calibrates=True)
    if type(loss) not in classifier._losses.values():
        training.objective.check_gradient()
    beta = None if classifier.beta == "auto" else float(classifier.beta)
    result, links = fit_labels(energy, X, training, beta)
    structure = LabelSetStructure(links.with_constant(varying, log_odds), varying)
    attributes = {
        "classes_": np.arange(indicator.shape[1]),
        "energy_": result.energy,
        "beta_": links.beta,
        "n_iter_": result.n_iter,
        "loss_curve_": list(result.history),
        "inference_": {"method": "exact", "recall": 1.0, "negatives": "all", "proposal": None},
        "structure_": structure,
    }
    return attributes, result.converged


def _constant_labels(indicator, weights):
    """Which labels vary (L,), and log odds of the others, with half a row of each kind added."""
    shares = weights @ indicator / weights.sum()
    of_weight = indicator[weights > 0]
    varying = of_weight.min(axis=0) < of_weight.max(axis=0)
    if not varying.any():
        raise ValueError(
            "y must hold a label that some rows with positive weight have and others have not, got "
            f"{indicator.shape[1]} labels without any."
        )
    n = weights.sum()
    return varying, np.log((n * shares + 0.5) / (n * (1 - shares) + 0.5))


def _of_other_answers(classifier):
    """Parameters that are given, but make sense for other answers only: (name, value, default)."""
    defaults = {
        "class_weight": None,
        "reject": None,
        "parents": None,
        "constraints": None,
    }
    given = [(name, getattr(classifier, name), value) for name, value in defaults.items()]
    given = [(name, value, default) for name, value, default in given if value is not default]
    if classifier.calibrate is True:
        given.append(("calibrate", True, "auto"))
    if classifier.negatives not in ("auto", "all"):
        given.append(("negatives", classifier.negatives, "auto"))
    if classifier.transitions != "constant":
        given.append(("transitions", classifier.transitions, "constant"))
    return given


def takes_label_sets(classifier, energy):
    """Whether a classifier of the energy can be fitted to label sets."""
    terms = energy.all_terms()
    return all("values" in term.answers for term in terms) and not _of_other_answers(classifier)


def check_label_options(classifier, class_features):
    """Raise a ValueError if something is given that is of other answers."""
    if class_features is not None:
        raise ValueError("class_features are of other answers, and y holds sets of labels.")
    for name, value, default in _of_other_answers(classifier):
        raise ValueError(
            f"{name} is of other answers, and y holds sets of labels: leave it at {default!r}, got "
            f"{value!r}."
        )


class LabelSetStructure(Structure):
    """What a classifier predicts where its answers are sets of labels.

    Attributes
    ----------
    links : Links
    varying : ndarray of bool, shape (L,)
        Labels that some training rows have and others have not, which the outputs are of.
    edges : ndarray of int, shape (L - 1, 2)
        Linked labels.
    link_energies : ndarray of shape (L - 1,)
        Energies of having both, in the unit of `energies`.
    """

    answers = "sets of labels"

    def __init__(self, links, varying):
        self.links, self.varying = links, varying

    @property
    def edges(self):
        return self.links.tree.edges

    @property
    def link_energies(self):
        return -self.links.weights

    def of_outputs(self, by_output):
        """Values (L, ...) of those (o, ...) of the labels that vary, zero for the others."""
        every = np.zeros((len(self.varying), *by_output.shape[1:]), by_output.dtype)
        every[self.varying] = by_output
        return every

    def _distributions(self, classifier, X, indicator=None):
        """Gibbs distributions over the label sets of blocks of rows."""
        check_is_fitted(classifier)
        X = classifier._validated(classifier.energy_, X, reset=False)
        for rows in row_blocks(X, _COPIES * len(self.varying)):
            outputs = self.of_outputs(finite_outputs(classifier.energy_, take_rows(X, rows)).T).T
            yield self.links.distribution(outputs, None if indicator is None else indicator[rows])

    def _join(self, classifier, X, of):
        return np.concatenate([of(gibbs) for gibbs in self._distributions(classifier, X)])

    def _sets(self, labels):
        return labels.reshape(-1, len(self.varying))

    def predict(self, classifier, X):
        """The label sets of least energy, (n, L) of 0 and 1."""
        return self._join(classifier, X, lambda gibbs: self._sets(gibbs.mode)).astype(int)

    def _log_marginals(self, classifier, X):
        """Logarithms of the probabilities of labels not to be in the set, and to be in it."""
        marginals = self._join(classifier, X, lambda gibbs: gibbs.marginals)
        logs = np.log(np.maximum(marginals, _LEAST))
        return self._sets(logs[:, 0]), self._sets(logs[:, 1])

    def predict_proba(self, classifier, X):
        """Probabilities of the labels, (n, L)."""
        marginals = self._join(classifier, X, lambda gibbs: gibbs.marginals[:, 1])
        return np.clip(self._sets(marginals), 0, 1)

    def predict_log_proba(self, classifier, X):
        """Their logarithms."""
        return self._log_marginals(classifier, X)[1]

    def decision_function(self, classifier, X):
        """Their log odds."""
        without, with_label = self._log_marginals(classifier, X)
        return with_label - without

    def free_energy(self, classifier, X):
        """-(1/beta) log of the sum of exp(-beta E) over all label sets, (n,)."""
        return self._join(classifier, X, lambda gibbs: gibbs.free_energy)

    def least_energy(self, classifier, X):
        """Energies of the predicted label sets, (n,)."""
        return self._join(classifier, X, lambda gibbs: gibbs.best()[1][:, 0])

    def _of_pairs(self, classifier, X, y, of):
        check_is_fitted(classifier)
        indicator = indicator_of(y, len(self.varying))
        check_consistent_length(X, indicator)
        blocks = self._distributions(classifier, X, indicator)
        return np.concatenate([of(gibbs) for gibbs in blocks])

    def energies(self, classifier, X, y=None):
        """Energies of label sets y, (n,)."""
        if y is None:
            raise ValueError(
                "energies(X, y) of sets of labels needs y, the sets whose energies are asked for. "
                "Use top_k(X, k) for the sets of least energy."
            )
        return self._of_pairs(classifier, X, y, lambda g: g.energies_of(g.chains.labels))

    def pair_energies(self, classifier, X, y):
        """-log p(y given x) of label sets, in nats, (n,)."""

        def surprisals(gibbs):
            energies = gibbs.energies_of(gibbs.chains.labels)
            return np.maximum(gibbs.beta * energies + gibbs.log_z, 0)

        return self._of_pairs(classifier, X, y, surprisals)

    def score(self, classifier, X, y, sample_weight=None):
        """Share of the rows whose whole label set is predicted (subset accuracy)."""
        indicator = indicator_of(y, len(self.varying))
        found = self.predict(classifier, X)
        check_consistent_length(found, indicator)
        return float(accuracy_score(indicator, found, sample_weight=sample_weight))

    def top_k(self, classifier, X, k=10):
        """The k label sets of least energy of each row, `TopSets`."""
        check_number("k", k, 1, closed=True, kind=Integral)
        n_labels = len(self.varying)
        k = min(k, 2 ** min(n_labels, 62))
        n_bytes = 8 * count_rows(X) * n_labels * k
        check_fits_in_memory(n_bytes, f"{k} label sets of each row", "Use a smaller k.")
        parts = [self._best(g, k) for g in self._distributions(classifier, X)]
        return TopSets(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def _best(self, gibbs, k):
        labels, energies = gibbs.best(k)
        sets = labels.reshape(k, -1, len(self.varying)).swapaxes(0, 1)
        logs = np.minimum(-gibbs.beta * energies - gibbs.log_z[:, None], 0)
        return sets, energies, np.exp(logs)
