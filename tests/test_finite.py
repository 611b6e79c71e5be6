"""Energies far from the data."""

import warnings

import numpy as np
import pytest
from scipy import sparse

from sk_ebm import EnergyClassifier, EnergyRanker
from sk_ebm.energies import BilinearEnergy

FAR = np.array([[1e300, 0.0], [-1e200, 1e200], [1e155, 1.0], [1.7e308, -1.7e308]])
far_in_every_precision = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def far_rows(dtype):
    return np.clip(FAR, -3e38, 3e38).astype(dtype) if dtype == np.float32 else FAR


@far_in_every_precision
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("energy", ["linear", "kernel", "mlp", "prototype"])
def test_a_classifier_is_finite_far_from_the_data(energy, n_classes, form, dtype, rng):
    X = rng.standard_normal((60, 2))
    y = (X[:, 0] > 0).astype(int) + (n_classes == 3) * (X[:, 1] > 1)
    classifier = EnergyClassifier(energy, beta=1.0, alpha=0.01, random_state=0)
    classifier.fit(form(X.astype(dtype)), y)
    rows = form(far_rows(dtype))
    for method in ("energies", "free_energy", "decision_function", "predict_log_proba"):
        assert np.isfinite(getattr(classifier, method)(rows)).all()
    np.testing.assert_allclose(classifier.predict_proba(rows).sum(axis=1), 1, rtol=1e-6)


@far_in_every_precision
@pytest.mark.parametrize("energy", ["linear", "kernel", "mlp", BilinearEnergy()], ids=str)
def test_a_ranker_is_finite_far_from_the_data(energy, dtype, rng):
    X, queries = rng.standard_normal((60, 2)), np.repeat(np.arange(10), 6)
    ranker = EnergyRanker(energy, beta=1.0, alpha=0.01, random_state=0)
    ranker.fit(X.astype(dtype), X[:, 0] > 0, groups=queries)
    rows = far_rows(dtype)
    assert np.isfinite(ranker.energies(rows)).all()
    assert np.isfinite(ranker.predict_proba(rows)).all()
    np.testing.assert_allclose(ranker.query_proba(rows, np.zeros(4)).sum(), 1, rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-300, 1e-100, 1e100, 1e200])
@pytest.mark.parametrize("energy", ["linear", "kernel", "mlp", "prototype"])
def test_columns_whose_squares_overflow_are_refused_by_number(energy, scale, rng):
    X = rng.standard_normal((40, 3)) * [1.0, scale, 1.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="1e-75 and 1e.75.* in column 1 of X"):
            EnergyClassifier(energy).fit(X, X[:, 0] > 0)


@pytest.mark.parametrize("offset", [0.0, 1e8])
@pytest.mark.parametrize("energy", ["linear", "kernel", "prototype"])
def test_energies_far_from_zero_do_not_depend_on_the_batch(energy, offset, rng):
    X = rng.standard_normal((60, 2)).round(3) + offset
    classifier = EnergyClassifier(energy, random_state=0).fit(X, X[:, 0] > offset)
    energies = classifier.energies(X)
    one_by_one = np.vstack([classifier.energies(X[i : i + 1]) for i in range(len(X))])
    np.testing.assert_allclose(one_by_one, energies, rtol=0, atol=1e-9 * np.std(energies))
    assert classifier.score(X, X[:, 0] > offset) > 0.95
