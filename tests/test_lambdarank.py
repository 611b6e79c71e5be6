"""LambdaRank: LightGBM's gradient, and ties in energy."""

import tracemalloc
from itertools import permutations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import ndcg_score

from sk_ebm._core.gibbs import Gibbs
from sk_ebm.losses import _lambdarank
from sk_ebm.losses._lambdarank import Lambda, _Ranks
from sk_ebm.losses._relevance import RelevanceTarget

n, k = 25, 7


@pytest.fixture
def energies(rng):
    return rng.standard_normal((n, k))


@pytest.fixture
def target(rng):
    """Something relevant and something irrelevant in each sample."""
    relevance = rng.randint(4, size=(n, k))
    relevance[:, 0], relevance[:, 1] = 0, 2
    return RelevanceTarget(2.0**relevance - 1, np.ones((n, k)))


def brute_lambda(energies, gains, truncation):
    """LightGBM's loop over pairs of one query, without ties."""
    order, gradient, total = np.argsort(energies), np.zeros(len(energies)), 0.0
    discounts = 1 / np.log2(2 + np.arange(len(energies)))
    ideal = np.sort(gains)[::-1][:truncation] @ discounts[:truncation]
    for p in range(min(truncation, len(order))):
        for q in range(p + 1, len(order)):
            i, j = order[p], order[q]
            if gains[i] == gains[j]:
                continue
            better, worse = (i, j) if gains[i] > gains[j] else (j, i)
            gap = energies[better] - energies[worse]
            change = abs(gains[i] - gains[j]) * (discounts[p] - discounts[q]) / ideal
            pull = change / (0.01 + abs(gap)) / (1 + np.exp(-gap))
            gradient[better] += pull
            gradient[worse] -= pull
            total += 2 * pull
    return gradient * np.log2(1 + total) / total


@pytest.mark.parametrize("truncation", [2, 5, 30])
def test_lambda_has_the_gradient_of_lightgbm(truncation, energies, target):
    gradient = Lambda(truncation)(Gibbs(energies), target)[1]
    expected = [brute_lambda(e, g, truncation) for e, g in zip(energies, target.gains, strict=True)]
    assert_allclose(gradient, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("k", [8, 40, 200])
@pytest.mark.parametrize("ties", ["none", "some", "all"])
@pytest.mark.parametrize("copies", [1, 3])
def test_long_queries_have_the_sums_of_all_pairs(k, ties, copies, rng, monkeypatch):
    energies = rng.standard_normal((3, k)) * (ties != "all")
    energies = energies.round(1) if ties == "some" else energies
    counts = 1.0 * rng.randint(copies == 1, copies + 1, (3, k))
    target = RelevanceTarget(2.0 ** rng.randint(4, size=(3, k)) - 1, counts)
    gibbs = Gibbs(energies, np.where(counts > 0, 0.0, -np.inf))
    found = []
    for wanted in (False, True):
        monkeypatch.setattr(_lambdarank, "truncation_pays", lambda *_, wanted=wanted: wanted)
        value, gradient, curvature = Lambda(7).expansion(gibbs, target)
        found.append(np.r_[value, gradient.ravel(), curvature.diagonal.ravel()])
    assert_allclose(found[1], found[0], rtol=1e-12, atol=1e-12 * np.abs(found[0]).max())


def test_memory_of_a_long_query_is_that_of_its_items(rng):
    k = 10_000
    target = RelevanceTarget(2.0 ** rng.randint(4, size=(1, k)) - 1, np.ones((1, k)))
    energies = rng.randint(31, size=(1, k)).astype(float)
    tracemalloc.start()
    Lambda().expansion(Gibbs(energies), target)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 100 * k  # of all pairs: 300 MB


@pytest.mark.parametrize("truncation", [2, 30])
def test_lambda_in_single_precision_is_that_in_double(truncation, energies, target):
    energies[:, :3] = energies[:, :3].round()  # with ties
    single = energies.astype(np.float32)
    result = Lambda(truncation).expansion(Gibbs(single), target)
    expected = Lambda(truncation).expansion(Gibbs(single.astype(float)), target)
    assert_allclose(result[0], expected[0], rtol=1e-6, atol=1e-7)
    assert_allclose(result[1], expected[1], rtol=1e-5, atol=1e-6)
    assert_allclose(result[2].diagonal, expected[2].diagonal, rtol=1e-5, atol=1e-6)


def test_the_unit_of_gains_changes_nothing(energies, target):
    huge = RelevanceTarget(2.0**900 * target.gains, target.counts)
    for dtype in (np.float64, np.float32):
        one, other = (Lambda()(Gibbs(energies.astype(dtype)), t) for t in (target, huge))
        assert_array_equal(one[1], other[1])


@pytest.mark.parametrize("truncation", [1, 3, 7])
def test_changes_are_means_over_the_orders_of_tied_items(truncation):
    energies, gains = np.array([[0.0, 1, 1, 0, 1, 2, 1]]), np.arange(k)[None] + 1.0
    (pairs,) = RelevanceTarget(gains, np.ones((1, k))).pairs()
    gap, change = _Ranks(energies, truncation).compare(pairs)
    assert_array_equal(gap, energies[0, pairs.better] - energies[0, pairs.worse])
    discounts, expected = 1 / np.log2(2 + np.arange(k)), []
    for order in permutations(range(k)):
        if (np.diff(energies[0, list(order)]) >= 0).all():
            rank = np.argsort(order)
            a, b = rank[pairs.better], rank[pairs.worse]
            in_top = np.minimum(a, b) < truncation
            expected.append(np.abs(discounts[a] - discounts[b]) * in_top)
    assert_allclose(change, np.mean(expected, axis=0), rtol=1e-12, atol=1e-15)


def test_the_value_of_lambda_is_one_minus_ndcg(energies, target):
    energies = energies.round()
    values = Lambda(5)(Gibbs(energies), target)[0]
    expected = [1 - ndcg_score([g], [-e], k=5) for g, e in zip(target.gains, energies, strict=True)]
    assert_allclose(values, expected, rtol=1e-10, atol=1e-12)
