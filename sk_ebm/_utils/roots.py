"""Roots of many increasing functions at once."""

import numpy as np


def find_root(value_and_derivative, low, high, max_steps=80):
    """Where increasing functions vanish, by Newton steps inside of brackets.

    Brackets are halved where such a step would leave them, or where it is not half as long as the
    last step but one: steps could alternate.

    ``scipy.optimize.elementwise`` of scipy 1.15 has no method that takes derivatives.

    Parameters
    ----------
    value_and_derivative : callable
        Takes x (m, k) and the indices (m,) of those rows that have not converged; returns two
        arrays (m, k).
    low, high : ndarray of shape (n, k)
        Ends of the brackets.

    Returns
    -------
    x : ndarray of shape (n, k)
    """
    x, tol = (low + high) / 2, 1e-12 * (1 + np.abs(low) + np.abs(high))
    roots, rows = np.empty_like(x), np.arange(len(x))
    step_length = earlier_length = high - low
    for _ in range(max_steps):
        roots[rows] = x
        value, derivative = value_and_derivative(x, rows)
        low, high = np.where(value > 0, low, x), np.where(value > 0, x, high)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = value / derivative
        open_rows = (np.fmin(np.abs(step), high - low) > tol).any(axis=1)
        if not open_rows.any():
            break
        newton = x - step
        accepted = (newton > low) & (newton < high) & (2 * np.abs(step) < earlier_length)
        new = np.where(accepted, newton, (low + high) / 2)
        step_length, earlier_length = np.abs(new - x), step_length
        state = new, low, high, tol, rows, step_length, earlier_length
        x, low, high, tol, rows, step_length, earlier_length = (part[open_rows] for part in state)
    return roots
