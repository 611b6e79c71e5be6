"""Checks of numbers and weights that users give."""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn import utils
from sklearn.utils import check_random_state, validation

_COLUMN_SIZES = 1e-75, 1e75  # products of variances and inverse variances are finite
_SINGLE_SIZES = 1e-18, 1e18  # squares are finite in single precision

# scikit-learn looks for NaN by a sum of all numbers, of which parts may be inf and -inf.
check_array = np.errstate(invalid="ignore")(utils.check_array)
validate_data = np.errstate(invalid="ignore")(validation.validate_data)


def check_number(name, value, low, high=np.inf, *, closed=False, kind=Real, other=()):
    """Raise a ValueError that names the parameter unless low < value < high.

    ``closed`` includes the bounds, "above" the upper one alone; ``kind`` may be Integral, and
    ``other`` holds None or strings that are accepted too.
    """
    if isinstance(value, (str, type(None))) and value in other:
        return
    from_low, to_high = closed is True, bool(closed)
    if _is_number(value, kind) and _is_between(value, low, high, from_low, to_high):
        return
    accepted = [repr(choice) for choice in other]
    accepted.append("an integer" if kind is Integral else "a finite number")
    at_least, at_most = ">=" if from_low else ">", "<=" if to_high else "<"
    bounds = f"{at_least} {low}" + (f" and {at_most} {high}" if high < np.inf else "")
    raise ValueError(f"{name} must be {' or '.join(accepted)} {bounds}, got {value!r}.")


def _is_between(value, low, high, from_low, to_high):
    return (low <= value if from_low else low < value) and (
        value <= high if to_high else value < high
    )


def check_choice(name, value, choices):
    """Raise a ValueError that names the parameter unless it is one of the choices, at least two."""
    if not isinstance(value, tuple(map(type, choices))) or value not in choices:
        *others, last = map(repr, choices)
        raise ValueError(f"{name} must be {', '.join(others)} or {last}, got {value!r}.")


def check_flag(name, value):
    """Raise a ValueError that names the parameter unless it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False, got {value!r}.")


def check_n_jobs(value):
    """Raise a ValueError unless it is a number of processes or threads, as in joblib."""
    if value is not None and not (_is_number(value, Integral) and value != 0):
        raise ValueError(
            f"n_jobs must be None, an integer >= 1, or -1 for all processors, got {value!r}."
        )


def check_seed(value):
    """Raise a ValueError unless it is a ``random_state`` of scikit-learn."""
    if isinstance(value, Integral) and 0 <= value < 2**32:  # 2 % of a fit of a hundred rows less
        return
    try:
        check_random_state(value)
    except (ValueError, TypeError) as error:
        raise ValueError(
            "random_state must be None, an integer from 0 to 2**32 - 1 or a RandomState, got "
            f"{value!r}."
        ) from error


def _is_number(value, kind):
    return isinstance(value, kind) and not isinstance(value, bool) and value < np.inf


def check_scales(X, *, squares=False):
    """Raise a ValueError that names a column of X (n, d) whose squares overflow or vanish.

    ``squares`` says that they are held in the precision of X.
    """
    sizes = abs(X).max(axis=0)
    sizes = sizes.toarray().ravel() if sparse.issparse(sizes) else sizes
    low, high = _SINGLE_SIZES if squares and X.dtype == np.float32 else _COLUMN_SIZES
    sizes = sizes.astype(np.float64)
    bad = np.flatnonzero((sizes > high) | ((sizes > 0) & (sizes < low)))
    if len(bad):
        raise ValueError(
            f"The largest number of a column must be 0 or between {low:g} and {high:g}, got "
            f"{sizes[bad[0]]:g} in column {bad[0]} of X. Use other units, or energy='trees'."
        )


def check_weighs(weights):
    """Raise a ValueError unless some weight is positive."""
    if not weights.any():
        raise ValueError("sample_weight must hold a positive weight, got only zeros.")


def check_largest_weight(weights):
    """Raise a ValueError unless products and inverses of the largest weight are finite."""
    largest = float(weights.max())
    check_number("The largest sample_weight", largest, 1e-100, 1e100, closed=True)


def check_reachable(params, values, classes):
    """Raise a ValueError where a parameter of a component is set that is given by its name only.

    ``values`` are those that components have now, and ``classes(name)`` those that names stand for.
    """
    for key in params:
        name, _, inner = key.partition("__")
        value = params.get(name, values.get(name))
        if inner and name in values and (value is None or isinstance(value, str)):
            kind = classes(name).get(value)
            component = f"{kind.__name__}()" if kind else "a component"
            raise ValueError(
                f"{key} cannot be set where {name} is {value!r}: give {component} as {name}, whose "
                "parameters can be set."
            )
