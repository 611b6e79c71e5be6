"""Labels that come one after another: learning from them without a refit, and asking for them."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted

from sk_ebm._core.partial_labels import ANOMALOUS, UNKNOWN, PartialLabels
from sk_ebm._estimators.row_labels import RowLabels, check_anomalies, read_codes
from sk_ebm._utils.row_keys import row_keys
from sk_ebm._utils.sklearn_private import count_rows, take_rows
from sk_ebm._utils.validation import check_number
from sk_ebm.energies._fold_median import of_compatible


class FewLabels:
    """Mixin of the detector: `add_labels` and `query`."""

    def add_labels(self, X, y):
        """Learn from more labels, without fitting the energies again that need none.

        Threshold, guarantee and calibration energies are learned again, too, from the rows that
        counted as compatible in `fit`, without those that are anomalies now; after `calibrate`,
        from its rows. Labelled rows that are added do not count among them, as rows that are shown
        because of their energies are no sample of compatible rows.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            Rows of the training set, whose labels replace what was known of them, or others.
        y : array-like of shape (n_samples,)
            Labels in the form of the y in `fit`: -1 (anomaly), 1 (compatible) and 0 (unknown)
            where that held a -1; else 1 or True (anomaly) and 0 or False (unknown). A y that holds
            a -1 is always read in the first form. Unknown rows change nothing.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Without ``labels="anomaly"``, with other energies than "auto" or a `FewLabelsEnergy`, or
            if y does not fit. The detector then stays as it was.
        """
        check_is_fitted(self)
        self._check_takes_labels()
        X = self._validated(self.energy_, X, reset=False)
        y = column_or_1d(y)
        check_consistent_length(X, y)
        codes = read_codes(y, self._signed_labels)
        result = self.energy_.with_labels(X, codes, check_random_state(self.random_state))
        check_anomalies(result.energy.rows_.codes, y)
        with self._keeping_fitted():
            self.energy_ = result.energy
            self._signed_labels |= bool((y == -1).any())
            self._calibrate_again(of_compatible(result.held_out[1]), X, codes)
        return self

    def _read_labels(self, y):
        """The answers that energies learn from, and which rows are known to be what."""
        codes = read_codes(y)
        check_anomalies(codes, y)
        self._signed_labels = bool((y == -1).any())
        return PartialLabels(codes), RowLabels.of(codes)

    def _keep_held_out(self, X, weights, labels, train, held_out):
        """Rows that thresholds are learned from again when there are more labels, if held out, and
        the strata of others."""
        self._row_strata = labels.take(train).strata
        self._calibration_rows = None
        if self.calibration == "split" and self.labels == "anomaly":
            rows = take_rows(X, held_out), weights[held_out], labels.take(held_out)
            self._calibration_rows = rows

    def _check_takes_labels(self):
        if self.labels != "anomaly":
            raise ValueError(
                f"add_labels needs a detector with labels='anomaly', got labels={self.labels!r}."
            )
        if not hasattr(self.energy_, "with_labels"):
            raise ValueError(
                f"add_labels needs energy='auto' or a FewLabelsEnergy, got {self.energy!r}, which "
                "learns from labels in fit alone: fit it again, or use "
                "FewLabelsEnergy([...]) with a list of energies of inputs."
            )

    def _calibrate_again(self, held_out, X, codes):
        """Thresholds and p-values, given held-out energies of the energy's rows, and new labels."""
        threshold, rows = self._resolved_threshold(), self.energy_.rows_
        strata = None if self._row_strata is None else self._row_strata[rows.samples]
        labels = RowLabels(rows.calibrates, rows.codes == ANOMALOUS, strata)
        of_rows, weights, first = labels, rows.weights, rows.samples >= 0
        energies = held_out if self.calibration == "cv" else None
        levels = energies, weights, labels
        if self._calibration_rows is not None:
            keys_of = self.energy_.keys_of_rows
            self._calibration_rows = _without(self._calibration_rows, X, codes, keys_of)
            others, weights, labels = self._calibration_rows
            energies = self._input_energies(others)
            levels = energies, weights, labels
        if threshold.in_sample:
            energies_of_rows = of_compatible(self.energy_.of_rows())
            levels = energies_of_rows[first], rows.weights[first], of_rows.take(first)
        self._set_thresholds(threshold, *levels)
        self._set_reference(energies, weights, labels)
        if self._threshold.guarantee is None:  # fewer compatible rows than it needs are left
            self.guarantee_ = "none"

    def query(self, X, n=1):
        """Which rows to label next: those of highest energy that have no label yet.

        An analyst who is shown the rows that look most anomalous finds most anomalies, and labels
        of those that are none teach as much (Das, Wong, Dietterich, Fern and Emmott, "Incorporating
        expert feedback into active anomaly discovery", 2016).

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        n : int, default=1
            How many rows, at most those without a label.

        Returns
        -------
        rows : ndarray of int, shape (n,)
            Indices of rows of X, that of highest energy first.
        """
        check_is_fitted(self)
        check_number("n", n, 1, closed=True, kind=Integral)
        energies = self.energies(X)
        rows = np.flatnonzero(self._are_unknown(self._validated(self.energy_, X, reset=False)))
        if n > len(rows):
            raise ValueError(
                f"n must be at most the number of rows without a label, {len(rows)} of "
                f"{len(energies)}, got {n}."
            )
        return rows[np.argsort(-energies[rows], kind="stable")[:n]]

    def _are_unknown(self, X):
        """Which rows have no label, (n,)."""
        rows = getattr(self.energy_, "rows_", None)
        if rows is None:
            return np.ones(count_rows(X), dtype=bool)
        known = set(row_keys(take_rows(rows.X, np.flatnonzero(rows.codes != UNKNOWN))))
        return np.array([key not in known for key in self.energy_.keys_of_rows(X)])


def _without(calibration_rows, X, codes, keys_of):
    """Held-out rows, weights and labels, of which those with a new label are known or left out."""
    rows, weights, labels = calibration_rows
    anomalies = set(keys_of(take_rows(X, np.flatnonzero(codes == ANOMALOUS))))
    found = np.array([key in anomalies for key in keys_of(rows)], dtype=bool)
    updated = labels._replace(
        compatible=labels.compatible & ~found, anomalous=labels.anomalous | found
    )
    return rows, weights, updated
