import numpy as np

from sk_ebm._utils.weighted import significantly_positive


def test_significantly_positive():
    assert significantly_positive(np.array([1.0, 1.1, 0.9]), np.ones(3))
    assert not significantly_positive(np.array([1.0, -1.1, 0.9]), np.ones(3))
    assert not significantly_positive(np.zeros(3), np.ones(3))
