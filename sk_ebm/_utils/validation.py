"""One way to check what a user gives."""

from numbers import Integral, Real

import numpy as np


def check_number(name, value, low, high=np.inf, *, closed=False, kind=Real, other=()):
    """Raise a ValueError that names the parameter unless low < value < high.

    ``closed`` includes the bounds, ``kind`` may be Integral, and ``other`` holds what else is
    accepted.
    """
    if (value is None or isinstance(value, str)) and value in other:
        return
    number = isinstance(value, kind) and not isinstance(value, bool)
    if number and (low <= value <= high if closed else low < value < high) and value < np.inf:
        return
    wanted = [repr(accepted) for accepted in other]
    wanted.append("an integer" if kind is Integral else "a finite number")
    bounds = f" {'>=' if closed else '>'} {low}"
    bounds += f" and {'<=' if closed else '<'} {high}" if high < np.inf else ""
    raise ValueError(f"{name} must be {' or '.join(wanted)}{bounds}, got {value!r}.")


def check_weighs(weights):
    """Raise a ValueError unless some weight is positive."""
    if not weights.any():
        raise ValueError("sample_weight must hold a positive weight, got only zeros.")
