"""Roots of increasing functions."""

import numpy as np
from numpy.testing import assert_allclose

from sk_ebm._utils.roots import find_root


def test_roots_are_found_where_newton_steps_go_to_and_fro():
    def value_and_slope(x, rows):
        distance = np.maximum(np.abs(x - 0.3), 1e-100)
        return np.sign(x - 0.3) * distance**0.51, 0.51 * distance**-0.49

    found = find_root(value_and_slope, np.array([[-3.0]]), np.array([[5.0]]))
    assert_allclose(found, 0.3, rtol=1e-9)
