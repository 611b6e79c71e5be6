"""What a fitted classifier answers: energies of all classes, and the best of very many."""

from contextlib import suppress
from functools import partial
from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sk_ebm._core.class_index import IndexedSearch, index_of, may_be_indexed
from sk_ebm._core.class_search import ClassSearch, SearchedGibbs
from sk_ebm._core.classes import Labels, positions
from sk_ebm._core.gibbs import Gibbs
from sk_ebm._estimators.pairs import answers_of
from sk_ebm._estimators.rejection import HeldOut, energies_of_inputs
from sk_ebm._estimators.structures import by_structure
from sk_ebm._utils.estimators import row_blocks
from sk_ebm._utils.finite import finite_outputs
from sk_ebm._utils.memory import check_fits_in_memory
from sk_ebm._utils.sklearn_private import count_rows, take_rows
from sk_ebm._utils.validation import check_flag, check_number
from sk_ebm.thresholds import FalseAlarm

_MOST_HELD = 1000  # classes up to which all energies of a row are held, as `Gibbs` has them


class TopK(NamedTuple):
    """The k classes of least energy of each row, the best first.

    Attributes
    ----------
    classes : ndarray of shape (n, k)
    energies : ndarray of shape (n, k)
    probabilities : ndarray of shape (n, k)
    """

    classes: np.ndarray
    energies: np.ndarray
    probabilities: np.ndarray


def _has_free_energy(classifier):
    """Raises an AttributeError, as `available_if` asks, where a free energy would say nothing."""
    energy = vars(classifier).get("energy_")
    if energy is not None and energy.normalised:
        raise AttributeError(
            "The energies are -log p(y given x) of an expert: their free energy is 0 for every x "
            "and says nothing. Use least_energy(X)."
        )
    return True


class ClassInference:
    """Inference over classes: a mixin of `EnergyClassifier`."""

    @by_structure
    def top_k(self, X, k=10, *, sequences=None):
        """The k classes of least energy of each row, the best first, and their probabilities.

        Of very many classes no more than a block is held at once. See ``recall`` for when this is
        exact. Rejection (``reject``) changes nothing here.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        k : int, default=10
            At least 1; all classes, where it is larger than their number.
        sequences : array-like of shape (n_samples,), default=None
            The sequence of each row, for label sequences.

        Returns
        -------
        top : TopK
            ``classes``, ``energies`` and ``probabilities``, each of shape (n_samples, k).

        Raises
        ------
        ValueError
            If k is less than 1, or the result exceeds the available memory.
        """
        check_number("k", k, 1, closed=True, kind=Integral)
        check_is_fitted(self)
        k = min(k, len(self.classes_))
        self._check_memory(X, k, 4 * 8, "Use a smaller k, or fewer rows at once.")
        return TopK(*self._join(X, lambda gibbs: self._best(gibbs, k)))

    def _best(self, gibbs, k):
        classes, energies = gibbs.least(k)
        logs = np.minimum(-self.beta_ * energies - gibbs.log_z[:, None], 0)
        return self.classes_[classes], energies, np.exp(logs)

    def predict(self, X, *, coverage=None, sequences=None):
        """The class of least energy; see ``recall`` for when it is exact, and ``reject``.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        coverage : float, default=None
            In (0, 1): return the sets of `predict_set` with this coverage. Pipelines hand it on.
        sequences : array-like of shape (n_samples,), default=None
            The sequence of each row, for label sequences.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            With ``coverage``, sets (n_samples, n_classes) of bool.
        """
        if coverage is not None:
            return self.predict_set(X, coverage, sequences=sequences)
        return self._predict(X, sequences=sequences)

    @partial(by_structure, name="predict")
    def _predict(self, X, *, sequences=None):
        """The class of least energy, or ``reject_label``."""
        if self.reject is None:
            modes = self._join(X, lambda gibbs: (gibbs.mode,))[0]
            return self.classes_[modes]
        check_is_fitted(self)
        self._check_reject()
        energies, modes = self._join(X, lambda gibbs: (self._of_inputs(gibbs), gibbs.mode))
        classes, rejected = self.classes_[modes], energies > self.reject_threshold_
        common = np.result_type(classes, np.asarray(self.reject_label))
        return np.where(rejected, np.asarray(self.reject_label, dtype=common), classes)

    @by_structure
    def least_energy(self, X, *, sequences=None):
        """min_y E(x, y), the energy of the decision: low where some class fits x.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        sequences : array-like of shape (n_samples,), default=None
            The sequence of each row, for label sequences.

        Returns
        -------
        least_energy : ndarray of shape (n_samples,)
        """
        return self._join(X, lambda gibbs: (gibbs.least_energy,))[0]

    @by_structure
    def input_energies(self, X):
        """What ``reject`` compares with a threshold: high where no class fits x.

        The free energy; or the least energy, where the energy is a classifier with probabilities or
        one of class vectors, whose energies are log likelihood ratios to a generic class.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        input_energies : ndarray of shape (n_samples,)
        """
        return self._join(X, lambda gibbs: (self._of_inputs(gibbs),))[0]

    @by_structure
    def pair_energies(self, X, y, *, sequences=None):
        """Energies -log p(y given x) of inputs with their answers, in nats.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            A class that is not in ``classes_`` has p = 0, and infinite energy.
        sequences : array-like of shape (n_samples,), default=None
            The sequence of each row, for label sequences.

        Returns
        -------
        energies : ndarray of shape (n_samples,)
        """
        target = positions(self.classes_, self._validated_pairs(X, y)[1])
        rows = HeldOut.of_blocks(self._distributions(X), np.maximum(target, 0), self.energy_)
        return np.where(target >= 0, rows.surprisals, np.inf)

    def _validated_pairs(self, X, y):
        """Inputs and their answers, which may be none of the classes."""
        check_is_fitted(self)
        X = self._validated(self.energy_, X, reset=False)
        return X, answers_of(X, y)

    def predict_joint_proba(self, X, y, *, sequences=None):
        """Probabilities p(y given x) of inputs with their answers: classes, whole sets of labels or
        whole label sequences.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
        sequences : array-like of shape (n_samples,), default=None
            The sequence of each row, for label sequences.

        Returns
        -------
        probabilities : ndarray of shape (n_samples,)
        """
        return np.exp(-self.pair_energies(X, y, sequences=sequences))

    def predict_sequence_proba(self, X, y, *, sequences=None):
        """Probabilities of whole label sequences, at ``beta_``.

        Parameters
        ----------
        X : list of arrays, CSR matrices or lists of dictionaries, or one flat table
        y : list of arrays, or array-like of shape (n_samples,)
            Labels seen in fit.
        sequences : array-like of shape (n_samples,), default=None
            The sequence of each row of a flat table.

        Returns
        -------
        probabilities : ndarray of shape (n_sequences,)
        """
        check_is_fitted(self)
        structure = vars(self).get("structure_")
        if not hasattr(structure, "predict_sequence_proba"):
            raise ValueError(
                "predict_sequence_proba needs a classifier that is fitted to label sequences: give "
                "fit lists of sequences, or a flat table and sequences=."
            )
        return structure.predict_sequence_proba(self, X, y, sequences=sequences)

    @available_if(_has_free_energy)
    @by_structure
    def free_energy(self, X, *, sequences=None):
        """F(x) = -(1/beta) log sum_y exp(-beta E(x, y)): low where some class fits x.

        Not there where the energy is a classifier with probabilities: its energies are
        normalised, so that F(x) is the same for every x; `least_energy` is what remains.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        sequences : array-like of shape (n_samples,), default=None
            The sequence of each row, for label sequences.

        Returns
        -------
        free_energy : ndarray of shape (n_samples,)
        """
        return self._join(X, lambda gibbs: (gibbs.free_energy,))[0]

    @by_structure
    def energies(self, X, y=None, *, sequences=None):
        """Energies of all classes, low where the class fits.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        y : default=None
            Answers whose energies are asked for, where these are not classes: sets of labels or
            label sequences, whose energies are returned, one for each.
        sequences : array-like of shape (n_samples,), default=None
            The sequence of each row, for label sequences.

        Returns
        -------
        energies : ndarray of shape (n_samples, n_classes)
            In the arbitrary unit of the loss; ``beta_`` times them is in nats.

        Raises
        ------
        ValueError
            If they exceed the available memory: use `top_k`.
        """
        check_is_fitted(self)
        if y is not None:
            raise ValueError("y must be None where answers are classes: all of them are returned.")
        return self._of_all(X, lambda gibbs: gibbs.energies)

    @by_structure
    def decision_function(self, X, *, sequences=None):
        """Negative energies; with two classes E_0 - E_1, positive for the second class.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        sequences : array-like of shape (n_samples,), default=None
            The sequence of each row, for label sequences.

        Returns
        -------
        decision : ndarray of shape (n_samples, n_classes), or (n_samples,) with two classes

        Raises
        ------
        ValueError
            If it exceeds the available memory: use `top_k`.
        """
        energies = self.energies(X)
        if energies.shape[1] == 2:
            return energies[:, 0] - energies[:, 1]
        return np.negative(energies, out=energies)

    @by_structure
    def predict_proba(self, X, *, sequences=None):
        """Gibbs probabilities of the classes at inverse temperature ``beta_``.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        sequences : array-like of shape (n_samples,), default=None
            The sequence of each row, for label sequences.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)

        Raises
        ------
        ValueError
            If they exceed the available memory: use `top_k`.
        """
        return self._of_all(X, lambda gibbs: gibbs.probabilities)

    @by_structure
    def predict_log_proba(self, X, *, sequences=None):
        """Logarithms of the Gibbs probabilities, in nats, accurate where these underflow.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        sequences : array-like of shape (n_samples,), default=None
            The sequence of each row, for label sequences.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)

        Raises
        ------
        ValueError
            If they exceed the available memory: use `top_k`.
        """
        return self._of_all(X, lambda gibbs: gibbs.log_probabilities)

    @by_structure
    def predict_set(self, X, coverage=0.9, by_class=False, sparse=False, *, sequences=None):
        """All classes whose energy -log p(y given x) is below a conformal threshold.

        Of new rows, at least a share ``coverage`` has its correct class in the set, on average
        over calibration sets (Sadinle, Lei and Wasserman, 2019): exactly after `conformalize`,
        approximately with the held-out energies that a default fit keeps (``calibrate``). A set may
        be empty, or hold several classes.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        coverage : float, default=0.9
            In (0, 1).
        by_class : bool, default=False
            Whether to learn a threshold for each class, so that the coverage holds for the rows of
            each class.
        sparse : bool, default=False
            Whether to return a CSR array, of which very many classes take little memory.
        sequences : array-like of shape (n_samples,), default=None
            The sequence of each row, for label sequences.

        Returns
        -------
        sets : ndarray of bool or CSR array of bool, shape (n_samples, n_classes)

        Raises
        ------
        ValueError
            If the calibration rows, of each class with ``by_class``, are too few, or the sets
            exceed the available memory: use ``sparse=True``.
        """
        check_is_fitted(self)
        check_number("coverage", coverage, 0, 1)
        check_flag("by_class", by_class)
        check_flag("sparse", sparse)
        levels = self._set_levels(coverage, by_class)
        if sparse:
            return self._sparse_sets(X, levels)
        return self._of_all(X, lambda gibbs: -gibbs.log_probabilities <= levels, n_bytes=1)

    def _sparse_sets(self, X, levels):
        """Classes of -log p up to the levels, one for all or one for each, as a CSR array."""
        parts, start = [], 0
        for gibbs in self._distributions(X):
            rows, classes = gibbs.likely(levels)
            parts.append((rows + start, classes))
            start += len(gibbs)
        rows, classes = map(np.concatenate, zip(*parts, strict=True))
        values = np.ones(len(rows), dtype=bool)
        return csr_array((values, (rows, classes)), (start, len(self.classes_)))

    def _set_levels(self, coverage, by_class):
        """The threshold of the sets, or one for each class."""
        if not hasattr(self, "calibration_energies_"):
            raise ValueError(
                f"Sets of classes need held-out energies, and calibrate={self.calibrate!r} with "
                f"beta={self.beta!r} has kept none: fit again with calibrate=True, or call "
                "conformalize(X, y) with held-out rows."
            )
        threshold = FalseAlarm(rate=1 - coverage)
        energies, target = self.calibration_energies_, self._held_out.target
        weights = self._held_out.weights
        members = {"": np.ones(len(target), dtype=bool)}
        if by_class:
            members = {
                f" of class {c!r}": target == k for k, c in enumerate(self.classes_.tolist())
            }
        levels = []
        for name, rows in members.items():
            try:
                levels.append(threshold.fit(energies[rows], weights[rows]).level_)
            except ValueError as error:
                raise ValueError(
                    f"coverage={coverage} needs at least {threshold.needed()} calibration rows"
                    f"{name}, got {weights[rows].sum():g}. Use more rows, or a lower coverage."
                ) from error
        return np.array(levels)

    def _searched(self, energy, n_classes, features):
        """The index of the classes, or None, and what ``inference_`` says of it, by name;
        ``features()`` are those of rows on which its recall is measured."""
        index = None
        if self.parents is None and may_be_indexed(energy, n_classes, self.recall):
            index = index_of(energy, features(), self.recall)
        if index is None:
            return {"_index": None}, {"method": "exact", "recall": 1.0}
        return {"_index": index}, {"method": "index", "recall": index.recall}

    def _of_inputs(self, gibbs):
        return energies_of_inputs(self.energy_, gibbs)

    def _join(self, X, of):
        """The arrays of all rows of which ``of`` returns several for each Gibbs distribution."""
        parts = zip(*map(of, self._distributions(X)), strict=True)
        return [np.concatenate(part) for part in parts]

    def _of_all(self, X, of, n_bytes=8):
        """``of(gibbs)`` (m, K) of all rows, in one array."""
        check_is_fitted(self)
        remedy = "Use top_k(X, k), or predict_set(X, sparse=True), or fewer rows at once."
        self._check_memory(X, len(self.classes_), n_bytes, remedy)
        X = self._validated(self.energy_, X, reset=False)
        n, start, every = count_rows(X), 0, None
        for part in map(of, self._gibbs(X)):
            if len(part) == n:
                return part
            every = np.empty((n, part.shape[1]), part.dtype) if every is None else every
            every[start : start + len(part)] = part
            start += len(part)
        return every

    @staticmethod
    def _check_memory(X, n_columns, n_bytes, remedy):
        """Raise a ValueError where so many numbers for each row exceed the available memory."""
        with suppress(TypeError):  # what has no rows is for validation to refuse
            n_rows = count_rows(X)
            what = f"{n_columns} numbers for each of {n_rows} rows"
            check_fits_in_memory(n_rows * n_columns * n_bytes, what, remedy)

    def _gibbs(self, X):
        """The Gibbs distribution of each block of rows, which holds all energies."""
        for rows in row_blocks(X, len(self.classes_)):
            outputs = finite_outputs(self.energy_, take_rows(X, rows))
            yield Gibbs(self._arrange(outputs), beta=self.beta_)

    def _arrange(self, outputs):
        """Energies (m, K) of outputs (m, o)."""
        return vars(self).get("hierarchy_", Labels).arrange(outputs)[0]

    def _distributions(self, X):
        """The same, but of very many classes a `SearchedGibbs`, where these have vectors."""
        check_is_fitted(self)
        X = self._validated(self.energy_, X, reset=False)
        search = self._search(X) if len(self.classes_) > _MOST_HELD else None
        if search is None:
            yield from self._gibbs(X)
            return
        for rows in row_blocks(X, search.vectors.shape[1]):
            features = finite_outputs(self.energy_.features, take_rows(X, rows))
            yield SearchedGibbs(search, features, self.beta_)

    def _check_recall(self):
        check_number("recall", self.recall, 0, 1, closed="above")

    def _search(self, X):
        """The `ClassSearch`, or None without vectors, or where features are sparse."""
        self._check_recall()
        vectors = self.energy_.class_vectors()
        if vectors is not None and hasattr(self, "hierarchy_"):
            vectors = [self.hierarchy_.paths @ by_node for by_node in vectors]
        if vectors is None or issparse(self.energy_.features(take_rows(X, slice(1)))):
            return None
        index = vars(self).get("_index")
        if index is not None and index.recall >= self.recall and index.usable:
            return IndexedSearch(*vectors, index)
        return ClassSearch(*vectors, precise=self.recall == 1)
