"""Threads of linear algebra."""

import os
import re
import subprocess
import sys
from contextlib import ExitStack

import numpy as np
import pytest
from helpers import fit
from joblib import Parallel, delayed
from numpy.testing import assert_array_equal
from threadpoolctl import threadpool_info, threadpool_limits

from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm._utils import threads
from sk_ebm._utils.threads import lightgbm_threads, one_blas_thread
from sk_ebm.energies import LinearEnergy
from sk_ebm.losses import NLL


def blas_threads():
    """Of the libraries that numpy and scipy bring, not of those that others load later."""
    return [
        library["num_threads"]
        for library in threadpool_info()
        if library["user_api"] == "blas" and re.search(r"(num|sci)py\.libs", library["filepath"])
    ]


@pytest.fixture
def two_threads():
    """The threads of the libraries of linear algebra, where these can be set."""
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        if not before or max(before) == 1:
            pytest.skip("no library of linear algebra whose threads can be set")
        yield before


@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_small_problems_have_one_thread_of_linear_algebra(solver, rng, two_threads):
    found, X = [], rng.standard_normal((20, 2))
    objective = Objective(Labels(rng.randint(3, size=20), 3), NLL(), np.ones(20))

    def report(value, fitted):
        found.append(max(blas_threads()))

    fit(LinearEnergy(), X, objective, alpha=0.1, solver=solver, report=report)
    assert set(found) == {1}
    assert_array_equal(blas_threads(), two_threads)


def test_threads_of_linear_algebra_come_back_after_the_last_that_wanted_one(two_threads):
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(one_blas_thread(True))
        second.enter_context(one_blas_thread(True))
        first.close()
        assert max(blas_threads()) == 1
        second.close()
        assert blas_threads() == two_threads
        with one_blas_thread(False):
            assert blas_threads() == two_threads


COUNTED = """
import numpy as np
import lightgbm
from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector, EnergyRanker
from sk_ebm._density.regressors import boosted_trees
from sk_ebm._utils.threads import lightgbm_threads

def n_threads():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("Threads:"))

X, before = np.random.RandomState(0).standard_normal((200, 3)), n_threads()
EnergyClassifier("trees", random_state=0).fit(X, X[:, 0] > 0).predict(X)
EnergyClassifier(random_state=0).fit(X, X[:, 0] > 0).predict(X)
EnergyDetector(random_state=0).fit(X).predict(X)
EnergyRanker("trees", random_state=0).fit(X, X[:, 0] > 0, groups=np.arange(200) // 10).predict(X)
EnergyDensityEstimator(random_state=0).fit(X[:60], X[:60, 0]).predict(X)
boosted_trees(10**9, n_estimators=5).fit(X, X[:, 0]).predict(X)
print(n_threads() - before, lightgbm_threads(), lightgbm_threads(2), lightgbm_threads(-1))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts threads in /proc")
def test_defaults_start_no_threads_beyond_those_that_openmp_is_given():
    """Fails where LightGBM takes all cores, of which there must be two."""
    pytest.importorskip("lightgbm")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = [sys.executable, "-c", COUNTED]
    found = subprocess.run(run, capture_output=True, check=True, env=environment, text=True)
    assert found.stdout.split() == ["0", "1", "2", "1"]


def test_one_thread_for_every_million_values(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(
        threads, "count_threads", lambda n_jobs=None: 64 if n_jobs is None else n_jobs
    )
    assert lightgbm_threads(None, 1000, 10) == lightgbm_threads(None, 1_000_000, 1) == 1
    assert lightgbm_threads(None, 100_000, 30) == 3
    assert lightgbm_threads(None, 10**9) == lightgbm_threads() == 64
    assert lightgbm_threads(5, 10, 10) == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")  # of a session that has begun
    assert lightgbm_threads(None, 10**9) == 2


def test_one_thread_within_threads_of_joblib(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "count_threads", lambda n_jobs=None: 64)
    found = Parallel(n_jobs=2, prefer="threads")(delayed(lightgbm_threads)() for _ in range(2))
    assert found == [1, 1]
