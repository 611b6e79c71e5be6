"""What the tests share."""

import os

# Read once, when scipy is imported; without it scikit-learn refuses array API dispatch.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
# The problems are small: one BLAS thread per test process is faster than several that wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from sklearn import config_context
from sklearn.utils._array_api import _check_array_api_dispatch


@pytest.fixture
def rng():
    return np.random.RandomState(0)


@pytest.fixture
def derivative():
    """derivative(f, at, along): directional derivative of f by central differences."""
    return lambda f, at, along, h=1e-6: (f(at + h * along) - f(at - h * along)) / (2 * h)


@pytest.fixture
def strict():
    """The strict array API namespace, with scikit-learn's dispatch on."""
    xp = pytest.importorskip("array_api_strict")
    try:
        _check_array_api_dispatch(True)
    except (ImportError, RuntimeError) as reason:
        pytest.skip(str(reason))
    with config_context(array_api_dispatch=True):
        yield xp
