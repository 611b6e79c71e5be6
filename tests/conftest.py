"""What the tests share."""

import os

# Read once, when scipy is imported; without it scikit-learn refuses array API dispatch.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
# The problems are small: one BLAS thread per test process is faster than several that wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.RandomState(0)


@pytest.fixture
def derivative():
    """derivative(f, at, along): directional derivative of f by central differences."""
    return lambda f, at, along, h=1e-6: (f(at + h * along) - f(at - h * along)) / (2 * h)
