"""What a fitted classifier answers: energies of all classes, and the best of very many."""

from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array, issparse, vstack
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sk_ebm._core.classes import Labels
from sk_ebm._core.gibbs import Gibbs
from sk_ebm._utils.estimators import row_blocks
from sk_ebm._utils.finite import finite_outputs
from sk_ebm._utils.memory import check_fits_in_memory
from sk_ebm._utils.sklearn_private import count_rows, take_rows
from sk_ebm._utils.validation import check_flag, check_number
from sk_ebm.energies._class_search import ClassSearch, Found, largest
from sk_ebm.thresholds import FalseAlarm

_FEW_CLASSES = 1000  # up to which all energies of a row are always computed and held


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

    def top_k(self, X, k=10):
        """The k classes of least energy of each row, the best first, and their probabilities.

        Of very many classes no more than a block is held at once. See ``recall`` for when this is
        exact. Rejection (``reject``) changes nothing here.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        k : int, default=10
            At least 1; all classes, where it is larger than their number.

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
        found = self._found(X, k, with_sums=True)
        logs = np.minimum(self.beta_ * found.outputs - found.log_sums[:, None], 0)
        return TopK(self.classes_[found.classes], -found.outputs, np.exp(logs))

    def predict(self, X):
        """The class of least energy; see ``recall`` for when it is exact, and ``reject``.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        found = self._found(X, 1, with_sums=self.reject is not None)
        classes = self.classes_[found.classes[:, 0]]
        if self.reject is None:
            return classes
        rejected = self._of_inputs(found) > self.reject_threshold_
        common = np.result_type(classes, np.asarray(self.reject_label))
        return np.where(rejected, np.asarray(self.reject_label, dtype=common), classes)

    def least_energy(self, X):
        """min_y E(x, y), the energy of the decision: low where some class fits x.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        least_energy : ndarray of shape (n_samples,)
        """
        return -self._found(X, 1).outputs[:, 0]

    @available_if(_has_free_energy)
    def free_energy(self, X):
        """F(x) = -(1/beta) log sum_y exp(-beta E(x, y)): low where some class fits x.

        Not there where the energy is a classifier with probabilities: its energies are
        normalised, so that F(x) is the same for every x; `least_energy` is what remains.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        free_energy : ndarray of shape (n_samples,)
        """
        return -self._found(X, 1, with_sums=True).log_sums / self.beta_

    def energies(self, X):
        """Energies of all classes, low where the class fits.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        energies : ndarray of shape (n_samples, n_classes)
            In the arbitrary unit of the loss; ``beta_`` times them is in nats.

        Raises
        ------
        ValueError
            If they exceed the available memory: use `top_k`.
        """
        return self._of_all(X, lambda gibbs: gibbs.energies)

    def decision_function(self, X):
        """Negative energies; with two classes E_0 - E_1, positive for the second class.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

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

    def predict_proba(self, X):
        """Gibbs probabilities of the classes at inverse temperature ``beta_``.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)

        Raises
        ------
        ValueError
            If they exceed the available memory: use `top_k`.
        """
        return self._of_all(X, lambda gibbs: gibbs.probabilities)

    def predict_log_proba(self, X):
        """Logarithms of the Gibbs probabilities, in nats, accurate where these underflow.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)

        Raises
        ------
        ValueError
            If they exceed the available memory: use `top_k`.
        """
        return self._of_all(X, lambda gibbs: gibbs.log_probabilities)

    def predict_set(self, X, coverage=0.9, by_class=False, sparse=False):
        """All classes whose energy -log p(y given x) is below a conformal threshold.

        Of new rows, at least a share ``coverage`` has its correct class in the set, on average
        over calibration sets (Sadinle, Lei and Wasserman, 2019): exactly after `conformalize`,
        approximately with the out-of-sample energies of ``calibrate=True``. A set may be empty, or
        hold several classes.

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
        check_flag("sparse", sparse)
        levels = self._set_levels(coverage, by_class)
        if sparse:
            return self._sparse_sets(X, levels)
        return self._of_all(X, lambda gibbs: -gibbs.log_probabilities <= levels, n_bytes=1)

    def _sparse_sets(self, X, levels):
        """Classes of surprisals up to the levels, one for all or one of each, as a CSR array."""
        X = self._prepared(X)
        search, shape = self._search(X), (count_rows(X), len(self.classes_))
        if search is None:
            blocks = (-gibbs.log_probabilities <= levels for gibbs in self._gibbs(X))
            return vstack([csr_array(block) for block in blocks], format="csr")
        # -log p = beta E + log Z <= level, where outputs are -E
        raised = search.raised(levels / self.beta_)
        parts, start = [], 0
        for features in self._features(X, search):
            log_sums = search.top(features, 1, self.beta_).log_sums
            rows, classes = raised.above(features, log_sums / self.beta_)
            parts.append((rows + start, classes))
            start += len(features)
        rows, classes = map(np.concatenate, zip(*parts, strict=True))
        return csr_array((np.ones(len(rows), dtype=bool), (rows, classes)), shape)

    def _set_levels(self, coverage, by_class):
        """The threshold of the sets, or one for each class."""
        if not hasattr(self, "calibration_energies_"):
            raise ValueError(
                "predict_set needs held-out energies, and calibrate=False keeps none: use "
                "calibrate=True, or call conformalize(X, y)."
            )
        threshold = FalseAlarm(rate=1 - coverage)
        energies, (target, weights) = self.calibration_energies_, self._calibration
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

    def _found(self, X, k, with_sums=False):
        """The k classes of least energy of each row, as `Found`."""
        X = self._prepared(X)
        search, beta = self._search(X), self.beta_ if with_sums else None
        if search is None:
            return Found.joined([_least(gibbs, k, with_sums) for gibbs in self._gibbs(X)])
        blocks = self._features(X, search)
        return Found.joined([search.top(features, k, beta) for features in blocks])

    def _of_inputs(self, found):
        """Energies of the inputs, which say whether any class fits."""
        return -found.outputs[:, 0] if self.energy_.normalised else -found.log_sums / self.beta_

    def _of_all(self, X, of, n_bytes=8):
        """``of(gibbs)`` (m, K) of all rows, in one array."""
        check_is_fitted(self)
        remedy = "Use top_k(X, k), or predict_set(X, sparse=True), or fewer rows at once."
        self._check_memory(X, len(self.classes_), n_bytes, remedy)
        X = self._prepared(X)
        every, start = None, 0
        for part in map(of, self._gibbs(X)):
            if len(part) == count_rows(X):
                return part
            if every is None:
                every = np.empty((count_rows(X), part.shape[1]), part.dtype)
            every[start : start + len(part)] = part
            start += len(part)
        return every

    @staticmethod
    def _check_memory(X, n_columns, n_bytes, remedy):
        """Raise a ValueError where so many numbers for each row exceed the available memory."""
        n_rows = np.shape(X)[0] if np.ndim(X) else 0
        check_fits_in_memory(
            n_rows * n_columns * n_bytes, f"{n_columns} numbers for each of {n_rows} rows", remedy
        )

    def _surprisals(self, X, target):
        """-log p of the classes of these indices (n,), in nats."""
        X = self._prepared(X)
        search, parts, start = self._search(X), [], 0
        if search is None:
            for gibbs in self._gibbs(X):
                logs = gibbs.log_probabilities
                chosen = target[start : start + len(logs)]
                parts.append(-logs[np.arange(len(logs)), chosen])
                start += len(logs)
            return np.concatenate(parts)
        for features in self._features(X, search):
            chosen = target[start : start + len(features)]
            log_sums = search.top(features, 1, self.beta_).log_sums
            parts.append(log_sums - self.beta_ * search.outputs_of(features, chosen))
            start += len(features)
        return np.concatenate(parts)

    def _prepared(self, X):
        check_is_fitted(self)
        return self._validated(self.energy_, X, reset=False)

    def _gibbs(self, X):
        """The Gibbs distribution of each block of rows."""
        for rows in row_blocks(X, len(self.classes_)):
            outputs = finite_outputs(self.energy_, take_rows(X, rows))
            yield Gibbs(Labels.arrange(outputs)[0], beta=self.beta_)

    def _search(self, X):
        """The search of very many classes by their vectors; None where all energies are held."""
        vectors = self.energy_.class_vectors() if len(self.classes_) > _FEW_CLASSES else None
        if vectors is None or issparse(self.energy_.features(take_rows(X, slice(1)))):
            return None
        return ClassSearch(*vectors, precise=self.recall == 1)

    def _features(self, X, search):
        """Features of each block of rows."""
        for rows in row_blocks(X, search.vectors.shape[1]):
            yield finite_outputs(self.energy_.features, take_rows(X, rows))


def _least(gibbs, k, with_sums):
    """The k classes of least energy, as `Found`."""
    log_sums = gibbs.log_z if with_sums else None
    if k > 1:
        return Found(*largest(-gibbs.energies, k), log_sums)
    classes = gibbs.mode[:, None]
    return Found(classes, -np.take_along_axis(gibbs.energies, classes, axis=1), log_sums)
