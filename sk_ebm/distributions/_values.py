"""The shapes in which values and probabilities come: for all rows, one for each row, or several."""

import numpy as np

from sk_ebm._tables.refusals import check_target

_FARTHEST = 1e300  # answers are at most 1e150
_SHAPES = "a number, ({n},) with one for each row, ({n}, k) with k for each, or (1, k) for all rows"


def per_row(name, values, n_rows):
    """Values (n_rows, k), and whether there is one for each row, which answers have no axis of."""
    values = as_numbers(name, values)
    if values.ndim == 0:
        return np.full((n_rows, 1), values), True
    if values.ndim == 1 and len(values) == n_rows:
        return values[:, None], True
    if values.ndim == 1 and n_rows == 1:
        values = values[None]
    if values.ndim != 2 or len(values) not in (1, n_rows):
        raise ValueError(
            f"{name} must be {_SHAPES.format(n=n_rows)}, got an array of shape {values.shape}."
        )
    return np.broadcast_to(values, (n_rows, values.shape[1])), False


def per_row_and_target(name, values, n_rows, n_targets):
    """Values (n_rows, k, n_targets) of several targets, and whether there is one for each row."""
    values = as_numbers(name, values)
    if values.ndim == 0:
        return np.full((n_rows, 1, n_targets), values), True
    if values.shape == (n_targets,) and n_rows == 1:
        return values[None, None], True
    if values.shape in ((n_rows, n_targets), (1, n_targets)):
        return np.broadcast_to(values[:, None], (n_rows, 1, n_targets)), True
    if values.ndim == 2 and n_rows == 1:
        values = values[None]
    if values.ndim != 3 or len(values) not in (1, n_rows) or values.shape[2] != n_targets:
        raise ValueError(
            f"{name} must be a number, ({n_rows}, {n_targets}) with one for each row and target, "
            f"({n_rows}, k, {n_targets}) with k for each, or (1, k, {n_targets}) for all rows, got "
            f"an array of shape {values.shape}."
        )
    return np.broadcast_to(values, (n_rows, *values.shape[1:])), False


def as_numbers(name, values):
    """Finite numbers as an array."""
    if values is None:
        raise ValueError(f"{name} must have a value for each row of X, got None.")
    if np.ndim(values) in (1, 2):
        check_target(values, numeric=True)
    try:
        values = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers only, got {values!r:.100}.") from error
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must hold finite numbers only, got {values!r:.100}.")
    return values


def without_infinity(values):
    """Values beyond which there is no mass in place of infinite ones."""
    array = np.asarray(values)
    return np.clip(array, -_FARTHEST, _FARTHEST) if array.dtype.kind == "f" else values


def as_levels(name, values):
    """Probabilities in (0, 1) as an array, in the order in which they are given."""
    levels = np.asarray(values)
    if levels.dtype.kind not in "iuf" or not ((levels > 0) & (levels < 1)).all():
        raise ValueError(
            f"{name} must be a number, or an array of numbers, in (0, 1), got {values!r:.100}."
        )
    return levels
