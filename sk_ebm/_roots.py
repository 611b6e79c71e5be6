"""Roots of many increasing functions at once."""

import numpy as np


def find_root(value_and_slope, low, high, max_steps=80):
    """Where increasing functions vanish, by Newton steps inside of brackets, which halve at worst.

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
        x = np.where((newton > low) & (newton < high), newton, (low + high) / 2)
        x, low, high, narrow, rows = (part[going] for part in (x, low, high, narrow, rows))
    return found
