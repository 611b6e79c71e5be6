"""Roots of many increasing functions at once."""

import numpy as np


def find_root(value_and_slope, low, high, max_steps=80):
    """Where increasing functions vanish, by Newton steps inside of brackets.

    Brackets are halved where such a step would leave them, or is not half as long as the step
    before the last one: steps could go to and fro.

    ``scipy.optimize.elementwise``, which came with scipy 1.15, has no method that takes slopes.

    Parameters
    ----------
    value_and_slope : callable
        Of x (m, k) and indices of its rows among all, of those that are not found yet, to two
        arrays (m, k).
    low, high : ndarray of shape (n, k)
        Ends of the brackets.

    Returns
    -------
    x : ndarray of shape (n, k)
    """
    x, narrow = (low + high) / 2, 1e-12 * (1 + np.abs(low) + np.abs(high))
    found, rows = np.empty_like(x), np.arange(len(x))
    last = before_last = high - low  # lengths of steps
    for _ in range(max_steps):
        found[rows] = x
        value, slope = value_and_slope(x, rows)
        low, high = np.where(value > 0, low, x), np.where(value > 0, x, high)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = value / slope
        going = (np.fmin(np.abs(step), high - low) > narrow).any(axis=1)
        if not going.any():
            break
        newton = x - step
        taken = (newton > low) & (newton < high) & (2 * np.abs(step) < before_last)
        new = np.where(taken, newton, (low + high) / 2)
        last, before_last = np.abs(new - x), last
        state = new, low, high, narrow, rows, last, before_last
        x, low, high, narrow, rows, last, before_last = (part[going] for part in state)
    return found
