"""Label sequences as answers of a classifier."""

from typing import NamedTuple

import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.metrics import accuracy_score
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from sk_ebm._core.chains import Chains
from sk_ebm._core.classes import Labels
from sk_ebm._core.folds import user_folds
from sk_ebm._core.label_schemes import allowed_labels, check_allowed, longest_allowed
from sk_ebm._estimators.given_sequences import check_finite, read_sequences
from sk_ebm._estimators.rejection import keeps_energies
from sk_ebm._estimators.structures import Structure
from sk_ebm._tables.sequences import split
from sk_ebm._utils.finite import finite_outputs
from sk_ebm._utils.fit_arguments import many_classes_expected
from sk_ebm._utils.memory import check_fits_in_memory
from sk_ebm._utils.sklearn_private import check_sample_weight
from sk_ebm._utils.validation import check_largest_weight, check_number, check_weighs
from sk_ebm.energies._chain_training import fit_chains
from sk_ebm.losses import NLL

TRANSITIONS = ("constant", "input", "none")


class TopSequences(NamedTuple):
    """The label sequences of least energy of one sequence, the best first.

    Attributes
    ----------
    labels : ndarray of shape (k, length)
    energies : ndarray of shape (k,)
    """

    labels: np.ndarray
    energies: np.ndarray


def check_sequence_parameters(classifier, energy, class_features):
    """Raise a ValueError where a parameter does not go with label sequences."""
    name = type(energy).__name__
    if classifier.transitions == "input" and not energy.fits_chains:
        raise ValueError(
            "transitions='input' needs energy='linear' or 'kernel', which are fitted jointly with "
            f"transitions, got {name}. Use one of these, or transitions='constant'."
        )
    if classifier.solver == "newton" and energy.fits_chains:
        raise ValueError(
            f"solver='newton' is of classes: {name} of label sequences is fitted by 'lbfgs', which "
            "solver='auto' takes, or by 'adam'."
        )
    of_classes = {
        "reject": classifier.reject is not None,
        "class_weight": classifier.class_weight is not None,
        "class_features": class_features is not None,
        "parents": classifier.parents is not None,
        "negatives": not isinstance(classifier.negatives, str),
    }
    for name, given in of_classes.items():
        if given:
            raise ValueError(
                f"{name} is of classes, and X holds label sequences. Leave {name} at its default."
            )


def fit_sequences(classifier, energy, loss, X, y, sample_weight, groups, sequences):
    """Fitted attributes of a classifier of label sequences."""
    read, vectorizer = read_sequences(X, y, sequences, energy), None
    if read.holds_dictionaries:
        vectorizer = DictVectorizer()
        read = read._replace(X=vectorizer.fit_transform(read.X))
        check_finite(read, takes_nan=False)
    X, y = classifier._validated(energy, read.X, read.y)
    with many_classes_expected():
        check_classification_targets(y)
    labels, weights = Labels.of(y), _weights(read, sample_weight)
    _check_enough(classifier, energy, read, labels, weights)
    structure = SequenceStructure(
        vectorizer, classifier.transitions, allowed_labels(classifier.constraints, labels.classes)
    )
    check_allowed(structure.allowed, labels.target, read.starts, labels.classes, read.where)
    answers = structure.answers_of(read.starts, labels.n_classes, labels.target, loss)
    folds = _folds(classifier, read, groups)
    calibrates = classifier.beta == "auto" or classifier.calibrate is True
    training = classifier._training(loss, answers, weights, folds, None, calibrates=calibrates)
    training = training.replace(report=None)  # an energy without transitions is no classifier
    fitted = fit_chains(energy, X, training)
    beta = fitted.learn_beta() if classifier.beta == "auto" else float(classifier.beta)
    structure.scale = fitted.scale
    learned = {
        "classes_": labels.classes,
        "energy_": fitted.energy,
        "beta_": beta,
        "n_iter_": fitted.n_iter,
        "loss_curve_": fitted.history,
        "structure_": structure,
        "inference_": {"method": "exact", "recall": 1.0, "negatives": "all", "proposal": None},
    }
    if fitted.transitions is not None:
        learned["transitions_"] = fitted.transitions
    if keeps_energies(classifier, len(fitted.parts) > 0):
        learned["_held_out_sequences"] = HeldOutPositions.of(fitted.parts, beta)
        learned["guarantee_"] = "approximate"
    return learned, fitted.converged


def _check_enough(classifier, energy, read, labels, weights):
    """Raise a ValueError where sequences or labels are too few, or too many for the memory."""
    present = np.unique(labels.target[np.repeat(weights > 0, read.lengths)])
    if len(present) < 2:
        raise ValueError(
            "y must hold at least two labels with positive weight, got one in all "
            f"{len(read.lengths)} sequences: {labels.classes[present].tolist()}."
        )
    sets = classifier.calibrate is True
    of_held_out = "calibrate=True" if sets else f"energy={classifier.energy!r}"
    if np.count_nonzero(weights) < 2 and (sets or not energy.fits_chains):
        raise ValueError(
            f"{of_held_out} learns on held-out sequences and needs at least two of positive weight,"
            " got one: cut it into parts, or use energy='linear' and calibrate=False."
        )
    if classifier.transitions == "input":
        check_fits_in_memory(
            3 * 8 * len(labels.target) * labels.n_classes**2,
            f"Transitions between {labels.n_classes} labels at {len(labels.target)} positions",
            "Use transitions='constant'.",
        )


def _weights(read, sample_weight):
    n = len(read.lengths)
    if sample_weight is not None:
        sample_weight = read.per_sequence(sample_weight, "sample_weight")
    weights = check_sample_weight(sample_weight, np.empty((n, 1)))
    check_weighs(weights)
    check_largest_weight(weights)
    return weights


def _folds(classifier, read, groups):
    """The user's folds of sequences, or None."""
    if groups is not None:
        groups = read.per_sequence(groups, "groups")
    rows, rng = np.zeros((len(read.lengths), 1)), check_random_state(classifier.random_state)
    return user_folds(classifier.cv, rows, np.zeros(len(rows)), groups, rng, classifier=False)


class HeldOutPositions(NamedTuple):
    """What prediction sets are calibrated on.

    Attributes
    ----------
    surprisals : ndarray of shape (m,)
        -log p of the correct labels of held-out positions, in nats.
    shares : ndarray of shape (m,)
        The weight of each one's sequence over its length.
    total : float
        The weight of all sequences.
    """

    surprisals: np.ndarray
    shares: np.ndarray
    total: float

    @classmethod
    def of(cls, parts, beta):
        """From `HeldOutChains` of several folds."""
        values = [
            (
                -_log(gibbs.at(beta).marginals)[np.arange(len(gibbs.unary)), gibbs.chains.labels],
                gibbs.chains.per_row(weights / np.diff(gibbs.chains.starts)),
            )
            for _, weights, gibbs in parts
        ]
        surprisals, shares = map(np.concatenate, zip(*values, strict=True))
        return cls(surprisals, shares, float(shares.sum()))

    def level(self, coverage):
        """The least level that misses no more than 1 - coverage of the positions of a sequence.

        On average over exchangeable sequences, each counting once: conformal risk control
        (Angelopoulos, Bates, Fisch, Lei and Schuster, ICLR, 2024).
        """
        allowed = (1 - coverage) * (self.total + 1) - 1
        if allowed < 0:
            raise ValueError(
                f"coverage={coverage} needs at least {np.ceil(1 / (1 - coverage)) - 1:.0f} "
                f"calibration sequences, got {self.total:g}. Use more, or a lower coverage."
            )
        order = np.argsort(-self.surprisals, kind="stable")
        missed = np.cumsum(self.shares[order])  # where the level is just below each
        index = np.searchsorted(missed, allowed + 1e-12, side="right")
        return self.surprisals[order][index] if index < len(order) else -np.inf


class SequenceStructure(Structure):
    """What a classifier of label sequences predicts with.

    Parameters
    ----------
    vectorizer : DictVectorizer or None
        Of positions that are dictionaries.
    transitions : str
    allowed : tuple or None
        See `Chains`.
    """

    answers = "label sequences"
    takes_sequences = True

    def __init__(self, vectorizer, transitions, allowed):
        self.vectorizer, self.transitions, self.allowed = vectorizer, transitions, allowed
        self.scale = 1.0

    def answers_of(self, starts, n_labels, target=None, loss=None, transitions=None):
        """`Chains`, whose transitions are these, or as the parameter says."""
        if self.transitions == "none":
            transitions = np.zeros((n_labels, n_labels))
        return Chains(
            target,
            starts,
            n_labels,
            loss or NLL(),
            transitions=transitions,
            by_input=self.transitions == "input",
            allowed=self.allowed,
        )

    def _read(self, classifier, X, y, sequences):
        check_is_fitted(classifier)
        read = read_sequences(X, y, sequences, classifier.energy_)
        if read.holds_dictionaries != (self.vectorizer is not None):
            kinds = ("tables", "lists of dictionaries")
            fitted, given = kinds[self.vectorizer is not None], kinds[read.holds_dictionaries]
            raise ValueError(f"X must hold {fitted}, as in fit, got {given}.")
        if self.vectorizer is not None:
            read = read._replace(X=self.vectorizer.transform(read.X))
            check_finite(read, takes_nan=False)
        self._check_lengths(read)
        return read._replace(X=classifier._validated(classifier.energy_, read.X, reset=False))

    def _check_lengths(self, read):
        """Raise a ValueError where the constraints leave no label sequence of some length."""
        longest = longest_allowed(self.allowed, int(read.lengths.max()))
        too_long = read.lengths > longest
        if too_long.any():
            index = int(np.argmax(too_long))
            raise ValueError(
                f"constraints leave no label sequence of more than {longest} positions, got "
                f"{read.lengths[index]} of them: {read.where(read.starts[index])}."
            )

    def _gibbs(self, classifier, read, target=None):
        transitions = vars(classifier).get("transitions_")
        answers = self.answers_of(
            read.starts, len(classifier.classes_), target, transitions=transitions
        )
        outputs = self.scale * finite_outputs(classifier.energy_, read.X)
        return answers.distribution(outputs, classifier.beta_)

    def _asked(self, classifier, X, sequences):
        """What was read, and its Gibbs distribution."""
        read = self._read(classifier, X, None, sequences)
        return read, self._gibbs(classifier, read)

    def _of_labels(self, classifier, X, y, sequences):
        """The Gibbs distribution of sequences, and their labels as indices."""
        read = self._read(classifier, X, y, sequences)
        classes = classifier.classes_
        target = np.minimum(np.searchsorted(classes, read.y), len(classes) - 1)
        unknown = classes[target] != read.y
        if unknown.any():
            row = int(np.argmax(unknown))
            raise ValueError(
                f"y must hold labels seen in fit, {classes[:5].tolist()}, got "
                f"{read.y[row : row + 1].tolist()[0]!r} in {read.where(row)}."
            )
        return read, self._gibbs(classifier, read, target)

    def predict(self, classifier, X, *, sequences=None):
        read, gibbs = self._asked(classifier, X, sequences)
        return read.as_given(classifier.classes_[gibbs.mode])

    def predict_proba(self, classifier, X, *, sequences=None):
        read, gibbs = self._asked(classifier, X, sequences)
        return read.as_given(gibbs.marginals)

    def predict_log_proba(self, classifier, X, *, sequences=None):
        read, gibbs = self._asked(classifier, X, sequences)
        return read.as_given(_log(gibbs.marginals))

    decision_function = predict_log_proba

    def free_energy(self, classifier, X, *, sequences=None):
        return self._asked(classifier, X, sequences)[1].free_energy

    def least_energy(self, classifier, X, *, sequences=None):
        return self._asked(classifier, X, sequences)[1].best()[1][:, 0]

    def energies(self, classifier, X, y=None, *, sequences=None):
        if y is None:
            raise ValueError(
                "energies(X, y) of label sequences needs y, the labels whose energies are asked "
                "for. Use top_k(X, k) for the sequences of least energy."
            )
        gibbs = self._of_labels(classifier, X, y, sequences)[1]
        return gibbs.energies_of(gibbs.chains.labels)

    def pair_energies(self, classifier, X, y, *, sequences=None):
        gibbs = self._of_labels(classifier, X, y, sequences)[1]
        return np.maximum(gibbs.beta * gibbs.energies_of(gibbs.chains.labels) + gibbs.log_z, 0)

    def predict_sequence_proba(self, classifier, X, y, *, sequences=None):
        return np.exp(-self.pair_energies(classifier, X, y, sequences=sequences))

    def top_k(self, classifier, X, k=10, *, sequences=None):
        check_number("k", k, 1, closed=True, kind=int)
        read, gibbs = self._asked(classifier, X, sequences)
        labels, energies = gibbs.best(k)
        parts = split(np.ascontiguousarray(labels.T), read.starts)
        return [
            TopSequences(classifier.classes_[part.T[: len(of)]], of)
            for part, row in zip(parts, energies, strict=True)
            for of in [row[np.isfinite(row)]]
        ]

    def predict_set(
        self, classifier, X, coverage=0.9, by_class=False, sparse=False, *, sequences=None
    ):
        check_number("coverage", coverage, 0, 1)
        if by_class or sparse:
            raise ValueError(
                "by_class=True and sparse=True are of classes; sets of label sequences are a "
                "boolean array for each sequence. Leave them out."
            )
        held_out = vars(classifier).get("_held_out_sequences")
        if held_out is None:
            raise ValueError(
                f"predict_set needs held-out sequences, and calibrate={classifier.calibrate!r} "
                f"with beta={classifier.beta!r} has kept none: use calibrate=True, or call "
                "conformalize(X, y)."
            )
        level = held_out.level(coverage)
        read, gibbs = self._asked(classifier, X, sequences)
        return read.as_given(-_log(gibbs.marginals) <= level)

    def calibrated(self, classifier, X, y, sample_weight=None, *, sequences=None):
        """Fitted attributes, from sequences that the classifier was not fitted on."""
        read, gibbs = self._of_labels(classifier, X, y, sequences)
        part = None, _weights(read, sample_weight), gibbs
        held_out = HeldOutPositions.of([part], classifier.beta_)
        return {"_held_out_sequences": held_out, "guarantee_": "marginal"}

    def score(self, classifier, X, y, sample_weight=None, *, sequences=None):
        read = self._read(classifier, X, y, sequences)
        found = classifier.classes_[self._gibbs(classifier, read).mode]
        weights = np.repeat(_weights(read, sample_weight), read.lengths)
        return accuracy_score(read.y, found, sample_weight=weights)


def _log(probabilities):
    with np.errstate(divide="ignore"):
        return np.log(probabilities)
