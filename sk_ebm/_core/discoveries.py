"""Selections of rows with a bound on the share of false discoveries."""

import numpy as np
from scipy.stats import false_discovery_control

from sk_ebm._utils.warnings import warn_user

_ROUNDING = 1e-9  # relative error up to which p-values and rates count as equal


def discoveries(p_values, false_discovery_rate, tail, n_rows):
    """A mask of discoveries among rows, given their p-values as a function of the tail.

    Where there are none, as too few calibration rows, n_rows, limit p-values, a warning says so.
    """
    accepted = false_discovery_rate * (1 + _ROUNDING)
    selected = false_discovery_control(p_values(tail)) <= accepted
    if tail is None and not selected.any():
        found = np.sum(false_discovery_control(p_values("exponential")) <= accepted)
        if found:
            _warn_of_resolution(n_rows, int(np.ceil(len(selected) / (found * accepted))) - 1)
    return selected


def _warn_of_resolution(n_rows, needed):
    warn_user(
        "No row is selected, as p-values are never less than 1 / (n + 1), here with "
        f"n = {n_rows:g} calibration rows, and greater still where these are anomalies "
        f"themselves: this selection needs at least {needed} compatible calibration rows. Use "
        "tail='exponential', or call calibrate with more compatible rows.",
        UserWarning,
    )
