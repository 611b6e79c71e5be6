"""What the tests share."""

import os

# Read once, when scipy is imported; without it scikit-learn refuses array API dispatch.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
# The problems are small: one BLAS thread per test process is faster than several that wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from helpers import ANSWERS
from sklearn import config_context
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils._array_api import _check_array_api_dispatch

from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm.losses import NLL


@pytest.fixture(autouse=True)
def seeded():
    """`random_state=None` draws from numpy's global generator: each test starts it anew."""
    np.random.seed(0)  # noqa: NPY002 (the generator that scikit-learn takes for None)


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


@pytest.fixture
def X(rng):
    """60 rows of five columns, half of the entries zero."""
    return rng.standard_normal((60, 5)) * (rng.uniform(size=(60, 5)) < 0.5)


@pytest.fixture
def objective(X, rng):
    """Of three classes that depend on X, with uneven weights."""
    noisy = X @ rng.standard_normal((5, 3)) + rng.gumbel(size=(60, 3))
    weights = rng.uniform(0.5, 2, size=60)
    return Objective(Labels(noisy.argmax(axis=1), 3), NLL(), weights)


@pytest.fixture(params=ANSWERS)
def problem(request, rng):
    """For each kind of answers: inputs, an objective with uneven weights, and random outputs."""
    X, answers = ANSWERS[request.param](rng)
    objective = Objective(answers, NLL(), rng.uniform(0.5, 2, size=len(answers)))
    return X, objective, rng.standard_normal((len(X), answers.n_outputs))


def _split(load):
    X, y = load(return_X_y=True)
    return train_test_split(StandardScaler().fit_transform(X), y, random_state=0)


@pytest.fixture
def wine():
    """X, X_test, y, y_test of three classes."""
    return _split(load_wine)


@pytest.fixture
def cancer():
    """X, X_test, y, y_test of two classes."""
    return _split(load_breast_cancer)


def pytest_addoption(parser):
    group = parser.getgroup("laws", "random situations of tests/test_laws.py")
    group.addoption("--examples", type=int, default=200, help="how many, from --first on")
    group.addoption("--first", type=int, default=0, help="number of the first")
    group.addoption("--step", type=int, default=1, help="4: of one kind of estimator alone")
