"""Outputs of energies that are finite, however large the inputs."""

import numpy as np
from scipy import sparse


def finite_outputs(energy, inputs):
    """Outputs (m, o) of the energy; rows for which they overflow are moved towards zero first.

    Outputs are clipped where their products with an inverse temperature could overflow.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = energy(inputs)
        largest = np.finfo(outputs.dtype).max ** 0.5
        if np.abs(outputs).max(initial=0) <= largest:
            return outputs
        rows = np.flatnonzero(~(np.abs(outputs) <= largest).all(axis=1))
        if _is_numeric(inputs):
            outputs = np.array(outputs)
            outputs[rows] = energy(_moved_to_zero(inputs[rows]))
        return np.clip(outputs, -largest, largest)


def _is_numeric(inputs):
    return hasattr(inputs, "dtype") and inputs.dtype.kind == "f"


def _moved_to_zero(rows):
    """Rows times numbers that make their largest entries the fourth root of the largest number."""
    sizes = abs(rows).max(axis=1)
    sizes = sizes.toarray().ravel() if sparse.issparse(sizes) else sizes
    factors = np.minimum(np.finfo(rows.dtype).max ** 0.25 / np.maximum(sizes, 1), 1)
    if sparse.issparse(rows):
        return (sparse.diags_array(factors) @ rows).tocsr().astype(rows.dtype)
    return rows * factors[:, None].astype(rows.dtype)
