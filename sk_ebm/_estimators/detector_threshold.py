"""What threshold="auto" and contamination= of a detector stand for."""

import numpy as np

from sk_ebm._utils.validation import check_number
from sk_ebm._utils.warnings import warn_user
from sk_ebm.thresholds import Contamination, FalseAlarm, resolve_threshold


class DefaultFalseAlarm(FalseAlarm):
    """The level of `FalseAlarm`; of too few rows the greatest energy, which guarantees nothing."""

    _enough = True

    @property
    def guarantee(self):
        return super().guarantee if self._enough else None

    def check_rows(self, n_compatible):
        """Every number of rows is accepted."""

    def learn(self, energies, weights, compatible):
        if compatible is not None:
            energies, weights = energies[compatible], weights[compatible]
        self._enough = self.is_enough(weights.sum())
        return super().learn(energies, weights, None) if self._enough else np.max(energies)

    def warn_of_few(self, n_compatible):
        """Warn that nothing is guaranteed."""
        warn_user(
            f"threshold='auto' bounds the share of false alarms by {self.rate:g} where at least "
            f"{self.needed()} compatible rows can be held out for calibration, got "
            f"{n_compatible:g}: the threshold is the largest held-out energy, and guarantees "
            "nothing. Give more rows, or calibrate with more; threshold=FalseAlarm(rate) with a "
            "higher rate needs fewer, 1 / rate - 1.",
            UserWarning,
        )


def detector_threshold(threshold, contamination, calibration):
    """The unfitted threshold that these parameters of a detector stand for."""
    check_contamination(contamination)
    if isinstance(threshold, str) and threshold == "auto":
        rate = FalseAlarm().rate
        found = Contamination(rate) if calibration is None else DefaultFalseAlarm(rate)
    else:
        found = resolve_threshold(threshold, other=("auto",))
    found.check()
    if contamination is None or isinstance(contamination, str):
        return found
    return Contamination(float(contamination))


def check_contamination(value):
    """Raise a ValueError unless it is None, "auto" or a share of rows."""
    if value is None or (isinstance(value, str) and value == "auto"):
        return
    check_number("contamination", value, 0, 0.5, closed="above", other=("auto", None))
