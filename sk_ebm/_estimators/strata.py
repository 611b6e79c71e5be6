"""Thresholds and references of strata of rows (Mondrian conformal prediction)."""

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_consistent_length, column_or_1d

from sk_ebm._utils.warnings import warn_user
from sk_ebm.thresholds import Contamination, FalseAlarm, Reference


def check_strata(strata, X):
    """Strata of the rows as an array (n,), or None; a ValueError unless each row has one."""
    if strata is None:
        return None
    try:
        strata = column_or_1d(strata)
        check_consistent_length(X, strata)
        missing = np.array([value is None or value != value for value in strata], dtype=bool)
        np.unique(strata[~missing])
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"strata must hold the stratum of each row, all numbers or all strings: {error}"
        ) from error
    if missing.any():
        raise ValueError(
            f"strata must hold the stratum of each row, got {missing.sum()} missing values. Name "
            "a stratum for these rows, or leave them out."
        )
    return strata


class Strata:
    """Levels and references of the strata that have enough calibration rows.

    Parameters
    ----------
    threshold : Threshold
        Unfitted. `FalseAlarm` and `Contamination` are learned in each stratum; the level of others
        is common to all.

    Attributes
    ----------
    levels : dict
        Level of each stratum with enough rows.
    references : dict
        `Reference` of each stratum with enough rows.
    """

    def __init__(self, threshold):
        self._threshold = threshold
        self.levels, self.references = {}, {}

    def learn_levels(self, energies, weights, labels):
        """From the energies (n,) of the rows that the threshold learns from."""
        if not self._learns or labels.strata is None:
            return self
        few = []
        for stratum, rows in _rows_of(labels.strata):
            rows = rows & ~labels.anomalous
            if self._is_enough(weights[rows].sum()):
                fitted = clone(self._threshold).fit(energies[rows], weights[rows])
                self.levels[stratum] = fitted.level_
            else:
                few.append(stratum)
        self._warn(few, "have too few calibration rows")
        return self

    def learn_references(self, energies, weights, labels):
        """From the energies (n,) of held-out compatible rows."""
        for stratum, rows in () if labels.strata is None else _rows_of(labels.strata):
            if self._is_enough(weights[rows].sum()):
                self.references[stratum] = Reference(energies[rows], weights[rows])

    @property
    def _learns(self):
        return isinstance(self._threshold, (FalseAlarm, Contamination))

    def _is_enough(self, n_rows):
        if isinstance(self._threshold, Contamination):
            return n_rows * self._threshold.rate >= 1
        by_rate = self._threshold if isinstance(self._threshold, FalseAlarm) else FalseAlarm()
        return by_rate.is_enough(n_rows)

    def levels_of(self, strata, common):
        """The level (n,) of each row; the common one in strata without their own."""
        found, others = np.full(len(strata), float(common)), []
        for stratum, rows in _rows_of(strata):
            if stratum in self.levels:
                found[rows] = self.levels[stratum]
            else:
                others.append(stratum)
        if self._learns:
            self._warn(others, "were not in the calibration, or with too few rows")
        return found

    def p_values(self, energies, strata, common, tail):
        """p-values (n,), each among the calibration rows of the stratum, else among all."""
        found, others = np.empty(len(energies)), []
        for stratum, rows in _rows_of(strata):
            if stratum not in self.references:
                others.append(stratum)
            reference = self.references.get(stratum, common)
            found[rows] = reference.p_values(energies[rows], tail)
        self._warn(others, "were not in the calibration, or with too few rows")
        return found

    def _warn(self, strata, what):
        if strata:
            warn_user(
                f"The strata {strata[:5]} {what}: their rows are compared with the calibration "
                "rows of all strata, and false alarms are bounded over all strata only. Give "
                "calibrate more rows of them, a higher rate, or join strata.",
                UserWarning,
            )


def _rows_of(strata):
    """(stratum, mask of its rows) pairs."""
    return [(stratum, strata == stratum) for stratum in np.unique(strata).tolist()]
