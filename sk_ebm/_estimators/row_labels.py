"""Which rows of a detector are known to be compatible, and which to be anomalies."""

from typing import NamedTuple

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit

from sk_ebm._core.partial_labels import ANOMALOUS, COMPATIBLE

_FORMS = (
    "either -1 (anomaly), 1 (compatible) and 0 (unknown), at least one of them -1, or 1 or True "
    "(anomaly) and 0 or False (unknown)"
)

# Of as many training rows that 2,000 exceed the level, which then is a quantile of all to 2 %.
_IN_SAMPLE_ROWS, _FLAGGED_ROWS = 20_000, 2_000
_HELD_OUT_FRACTION = 0.3  # of the rows, by calibration="split": false alarms of .05 need 19


class RowLabels(NamedTuple):
    """Masks (n,) of the rows that are known to be compatible, and to be anomalies; their strata."""

    compatible: np.ndarray
    anomalous: np.ndarray
    strata: np.ndarray | None = None

    @classmethod
    def all_compatible(cls, n_rows):
        return cls(np.ones(n_rows, bool), np.zeros(n_rows, bool))

    @classmethod
    def of(cls, codes):
        """From codes: 1 compatible, -1 anomalous, 0 unknown, or compatible where there is no 1."""
        anomalous, known = codes == ANOMALOUS, codes == COMPATIBLE
        return cls(known if known.any() else ~anomalous, anomalous)

    @property
    def known(self):
        return self.compatible | self.anomalous

    def take(self, rows):
        strata = None if self.strata is None else self.strata[rows]
        return RowLabels(self.compatible[rows], self.anomalous[rows], strata)

    def check_enough(self):
        """Raise a ValueError unless an energy of compatible rows can be fitted and held out."""
        n_rows = np.count_nonzero(~self.anomalous)
        if n_rows < 2:
            raise ValueError(
                "X must have at least two rows to fit on, of positive sample_weight and not "
                f"labelled as anomalies, got {n_rows}."
            )

    def split(self, groups, rng, tests_anomalies):
        """Rows to fit on, and rows held out, of each label where each has more than three.

        All anomalies are to be fitted on, if none is tested, unless groups must not be split.
        """
        strata = 2 * self.compatible + self.anomalous
        kind = ShuffleSplit if groups is None else GroupShuffleSplit
        if groups is None and np.unique(strata, return_counts=True)[1].min() > 3:
            kind = StratifiedShuffleSplit
        splitter = kind(1, test_size=_HELD_OUT_FRACTION, random_state=rng)
        train, held_out = next(splitter.split(np.zeros(len(strata)), strata, groups))
        if groups is None and not tests_anomalies:
            moved = held_out[self.anomalous[held_out]]
            train, held_out = np.append(train, moved), np.setdiff1d(held_out, moved)
        if len(train) < 2:
            raise ValueError(
                f"calibration='split' leaves {len(train)} of {len(strata)} rows to fit on, but two "
                "are needed."
            )
        if not self.compatible[held_out].any():
            raise ValueError(
                f"calibration='split' holds out none of {np.sum(self.compatible)} compatible rows "
                "of y. Use calibration='cv', or more rows with y = 1."
            )
        return train, held_out


def enough_rows(threshold, n_rows, labels, rng):
    """Rows of the fit whose energies tell where a share of them lies; all with labels."""
    enough = max(_IN_SAMPLE_ROWS, int(_FLAGGED_ROWS / getattr(threshold, "rate", 1.0)))
    if labels is not None or n_rows <= enough:
        return np.arange(n_rows)
    return np.sort(rng.choice(n_rows, enough, replace=False))


def read_codes(y, signed=False):
    """Codes -1 (anomaly), 1 (compatible) and 0 (unknown) of y, in one of two forms.

    A y that holds a -1, or any with ``signed``, has these values; else 1 is an anomaly and 0 is
    unknown, as in PyOD.
    """
    y = np.asarray(y)
    if not (y.dtype.kind in "biuf" and np.isin(y, (-1, 0, 1)).all()):
        shown = list(dict.fromkeys(y.ravel().tolist()))[:5]
        raise ValueError(f"With labels='anomaly', y must be {_FORMS}, got {shown}.")
    codes = y.astype(int)
    return codes if (signed and y.dtype.kind != "b") or (codes == -1).any() else -codes


def check_anomalies(codes, y):
    """Raise a ValueError unless some rows, and not all, are known to be anomalies."""
    anomalous = codes == ANOMALOUS
    if not anomalous.any() or anomalous.all():
        found = "no anomaly" if not anomalous.any() else "anomalies only"
        raise ValueError(
            f"With labels='anomaly', y must hold an anomaly and another row: {_FORMS}, got "
            f"{found}, y = {np.unique(y).tolist()}. Without labelled anomalies, use labels=None."
        )
