"""Models evaluated on samples that they were not fitted on."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sk_ebm._core.cross_fit import cross_fit
from sk_ebm._core.folds import Folds


@pytest.fixture
def folds():
    return Folds.of_numbers(np.array([1, 0, 2, 2, 0, 1, 1]))


def test_each_model_is_evaluated_on_its_fold_only(folds):
    crossed = cross_fit(lambda k, train: (k, train), lambda model, test: (model, test), folds)
    for k, (train, test) in enumerate(folds):
        assert crossed.models[k][0] == k
        assert_array_equal(crossed.models[k][1], train)
        model, evaluated = crossed.held_out[k]
        assert model is crossed.models[k]
        assert_array_equal(evaluated, test)
    assert crossed.folds is folds


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_values_come_in_the_order_of_the_samples(folds, n_jobs):
    y = np.arange(7.0)
    crossed = cross_fit(
        lambda k, train: y[train].sum(), lambda total, test: total + y[test], folds, n_jobs=n_jobs
    )
    expected = [21 - (0 + 5 + 6) + 0, 21 - (1 + 4) + 1, 21 - (2 + 3) + 2, 21 - (2 + 3) + 3]
    assert crossed.in_order[:4].tolist() == expected
