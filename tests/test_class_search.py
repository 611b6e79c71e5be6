"""The search of classes in blocks, against all outputs at once."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from sk_ebm._core import class_search
from sk_ebm._core.class_search import ClassSearch, SearchedGibbs
from sk_ebm._core.gibbs import Gibbs


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 32 rows and 64 classes."""
    monkeypatch.setattr(class_search, "_BLOCK_ROWS", 32)
    monkeypatch.setattr(class_search, "_BLOCK_OUTPUTS", 32 * 64)


def random_problem(rng, kind, n=70, n_classes=500, r=6):
    features = rng.standard_normal((n, r))
    vectors, biases = rng.standard_normal((n_classes, r)), rng.standard_normal(n_classes)
    if kind == "ties":
        vectors, biases = np.round(vectors), np.zeros(n_classes)
        features = np.round(features)
    if kind == "equal":
        vectors, biases = np.zeros_like(vectors), np.zeros(n_classes)
    if kind == "rising":
        biases = np.arange(n_classes) * 10.0
    if kind == "close":  # single precision does not tell most of them apart
        vectors = 1e3 + 1e-6 * vectors
        biases *= 1e-6
    if kind == "units":
        scales = 10.0 ** np.array([-60, -20, 0, 3, 20, 60])
        features, vectors = features * scales, vectors / scales
    return features, vectors, biases


every_kind = pytest.mark.parametrize("kind", ["usual", "ties", "equal", "rising", "close", "units"])


@every_kind
@pytest.mark.parametrize("precise", [False, True])
@pytest.mark.parametrize("k", [1, 10, 100, 10**6])
def test_it_finds_what_a_stable_sort_of_all_outputs_finds(kind, precise, k, small_blocks, rng):
    features, vectors, biases = random_problem(rng, kind)
    outputs = features @ vectors.T + biases
    found = ClassSearch(vectors, biases, precise).top(features, k)
    expected = np.sort(outputs, axis=1)[:, ::-1][:, :k]
    assert_allclose(found.outputs, expected, rtol=1e-9, atol=1e-9 * np.abs(outputs).max())
    if kind != "close":  # where rounding of double precision decides
        classes = np.argsort(-outputs, axis=1, kind="stable")[:, :k]
        assert_array_equal(found.classes, classes)
    assert found.log_sums is None


@every_kind
def test_log_sums(kind, small_blocks, rng):
    features, vectors, biases = random_problem(rng, kind)
    expected = logsumexp(0.7 * (features @ vectors.T + biases), axis=1)
    single, double = (
        ClassSearch(vectors, biases, precise).top(features, 1, beta=0.7).log_sums
        for precise in (False, True)
    )
    assert_allclose(double, expected, rtol=1e-12)
    assert_allclose(single, expected, rtol=1e-6, atol=1e-5)


@every_kind
def test_classes_above_levels(kind, small_blocks, rng):
    features, vectors, biases = random_problem(rng, kind)
    outputs = features @ vectors.T + biases
    search = ClassSearch(vectors, biases)
    levels = np.sort(outputs, axis=1)[:, -20] - 1e-9 * np.abs(outputs).max()
    sets = np.zeros(outputs.shape, dtype=bool)
    sets[search.above(features, levels)] = True
    assert_array_equal(sets, outputs >= levels[:, None])


def test_few_rows_and_single_precision_keep_their_kind(rng):
    features, vectors, biases = random_problem(rng, "usual")
    single = [part.astype(np.float32) for part in (features, vectors, biases)]
    for n in (1, 70):
        found = ClassSearch(*single[1:]).top(single[0][:n], 3, beta=1.0)
        expected = ClassSearch(vectors, biases).top(features[:n], 3, beta=1.0)
        assert found.outputs.dtype == found.log_sums.dtype == np.float32
        assert_array_equal(found.classes, expected.classes)
        assert_allclose(found.outputs, expected.outputs, rtol=1e-5)


def test_a_searched_distribution_is_that_of_all_energies(small_blocks, rng):
    features, vectors, biases = random_problem(rng, "usual")
    searched = SearchedGibbs(ClassSearch(vectors, biases, precise=True), features, 0.7)
    gibbs = Gibbs(-(features @ vectors.T + biases), beta=0.7)
    assert len(searched) == len(gibbs)
    for name in ("mode", "least_energy", "free_energy", "log_z"):
        assert_allclose(getattr(searched, name), getattr(gibbs, name), rtol=1e-12)
    target = rng.randint(500, size=70)
    assert_allclose(searched.surprise(target), gibbs.surprise(target), rtol=1e-12)
    for found, expected in zip(searched.least(5), gibbs.least(5), strict=True):
        assert_allclose(found, expected, rtol=1e-12)
    for level in (3.0, rng.uniform(2, 5, size=500)):
        expected = np.zeros(gibbs.energies.shape, dtype=bool)
        expected[gibbs.likely(level)] = True
        found = np.zeros_like(expected)
        found[searched.likely(level)] = True
        assert expected.any()
        assert_array_equal(found, expected)


def test_rows_do_not_depend_on_the_batch(rng):
    features, vectors, biases = random_problem(rng, "usual")
    search = ClassSearch(vectors, biases)
    whole = search.top(features, 4, beta=1.0)
    for rows in (slice(3, 4), slice(10, 50)):
        part = search.top(features[rows], 4, beta=1.0)
        assert_array_equal(part.classes, whole.classes[rows])
        assert_allclose(part.outputs, whole.outputs[rows], rtol=1e-12, atol=1e-12)
        assert_allclose(part.log_sums, whole.log_sums[rows], rtol=1e-6)
