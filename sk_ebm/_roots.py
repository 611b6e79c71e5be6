"""Roots of many increasing functions at once."""

import numpy as np


def find_root(value_and_slope, low, high, max_steps=80):
    """Where increasing functions vanish, by Newton steps inside of brackets, which halve at worst.

    ``scipy.optimize.elementwise``, which came with scipy 1.15, has no method that takes slopes.

    Parameters
    ----------
    value_and_slope : callable
        Of x, an array like ``low``, to two arrays.
    low, high : ndarray
        Ends of the brackets.
    """
    x, narrow = (low + high) / 2, 1e-12 * (1 + np.abs(low) + np.abs(high))
    for _ in range(max_steps):
        value, slope = value_and_slope(x)
        low, high = np.where(value > 0, low, x), np.where(value > 0, x, high)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = value / slope
        if (np.fmin(np.abs(step), high - low) <= narrow).all():
            break
        newton = x - step
        x = np.where((newton > low) & (newton < high), newton, (low + high) / 2)
    return x
