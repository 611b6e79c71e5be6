"""Threads of linear algebra."""

import re
from contextlib import ExitStack

import numpy as np
import pytest
from helpers import fit
from numpy.testing import assert_array_equal
from threadpoolctl import threadpool_info, threadpool_limits

from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm._utils.threads import one_blas_thread
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
