"""Checks of the parameters and data of a density, and which methods it has."""

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.metaestimators import available_if

from sk_ebm._tables.refusals import check_target
from sk_ebm._utils.validation import check_array, check_choice, check_number

_LARGEST_NUMBER = 1e150  # in absolute value: larger ones have squares that overflow
MIN_ROWS_JOINT = 3  # of p(x)
_POINTS = ("mean", "median", "mode")


def check_base(base, location, power):
    """Raise a ValueError where one of the parameters of the base is out of range."""
    locations = location if isinstance(location, (list, tuple)) else [location]
    is_given = not (location is None or (isinstance(location, str) and location == "auto"))
    if is_given and not (locations and all(map(_is_estimator, locations))):
        raise ValueError(
            f"location must be 'auto', a regressor, a list of regressors or None, got {location!r}."
        )
    check_number("power", power, -2, 3, closed=True, other=("auto", None))
    if base is not None and not _is_estimator(base):
        raise ValueError(f"base must be an estimator that predicts distributions, got {base!r}.")


def _is_estimator(value):
    return hasattr(value, "fit") and hasattr(value, "predict") and not isinstance(value, type)


def given_estimators(base, location):
    """What a user gave for one of these: a list of estimators, none for the defaults."""
    given = [base] if base is not None else location
    return list(filter(_is_estimator, given if isinstance(given, (list, tuple)) else [given]))


def check_point(point, n_targets):
    """Raise a ValueError unless so many targets have such a point."""
    check_choice("point", point, tuple(_POINTS))
    if point == "mode" and n_targets > 1:
        raise ValueError("point='mode' needs one target; use 'mean' or 'median' for several.")


def check_choices(point, atoms):
    """Raise a ValueError unless these parameters are among what is accepted."""
    check_point(point, 1)
    check_choice("atoms", atoms, ("auto", False))


def check_kind(kind, roundings):
    """Raise a ValueError unless the targets with these roundings have such a log-likelihood."""
    check_choice("kind", kind, ("density", "mass"))
    if kind == "mass" and not all(rounding.has_intervals for rounding in roundings):
        raise ValueError(
            "kind='mass' needs answers that are repeated, or multiples of one number as rounded "
            "ones are; use kind='density'."
        )


def check_squares(name, values):
    """Raise a ValueError where squares of the values overflow."""
    largest = np.fmax.reduce(np.abs(values), axis=None, initial=0)
    if largest > _LARGEST_NUMBER:
        raise ValueError(
            f"{name} must be at most {_LARGEST_NUMBER:g} in absolute value, got {largest:g}, the "
            "square of which overflows: use another unit."
        )


def check_data(X, targets, weights, conditional, point):
    """Raise a ValueError unless targets (n, n_targets) with weights (n,) have a density."""
    check_squares("X", X)
    check_squares("y", targets)
    if not conditional:
        n_rows = np.count_nonzero(weights)
        if n_rows < MIN_ROWS_JOINT:
            raise ValueError(
                f"sample_weight must be positive for at least {MIN_ROWS_JOINT} rows, got {n_rows}."
            )
        return
    check_point(point, targets.shape[1])
    used = targets[weights > 0]
    for j in np.flatnonzero(np.ptp(used, axis=0) == 0):
        column = f" in column {j}" if used.shape[1] > 1 else ""
        raise ValueError(
            "y must take at least two values with positive weight, got only "
            f"{used[0, j]:g}{column}: a constant has no density."
        )


def validated_targets(X, y, n_targets):
    """Targets (n, n_targets) of the rows of X."""
    if y is None:
        raise ValueError("y must have a value for each row of X, got None.")
    check_target(y, numeric=True)
    y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
    check_consistent_length(X, y)
    targets = y.reshape(len(y), -1)
    if targets.shape[1] != n_targets:
        raise ValueError(f"y must have {n_targets} columns, got {targets.shape[1]}.")
    return targets


def _is_conditional(estimator):
    if not estimator.conditional:
        raise AttributeError("It is for densities of y given x, with conditional=True.")
    return True


def _is_joint(estimator):
    if estimator.conditional:
        raise AttributeError("It is for densities of x, with conditional=False; see log_prob.")
    return True


conditional_only = available_if(_is_conditional)
joint_only = available_if(_is_joint)
