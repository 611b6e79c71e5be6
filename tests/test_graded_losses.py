"""Losses of items that are better and worse than each other, and Table 1 of several correct."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from sklearn.metrics import ndcg_score

from sk_ebm import EnergyClassifier
from sk_ebm._core.gibbs import Gibbs
from sk_ebm.losses import _relevance as grades
from sk_ebm.losses._lambdarank import Lambda, _Places
from sk_ebm.losses._likelihood import NLL
from sk_ebm.losses._pairwise import PairwiseHinge, PairwiseLog
from sk_ebm.losses._registry import GRADED_LOSSES, LOSSES
from sk_ebm.losses._relevance import RelevanceTarget
from sk_ebm.losses._table1 import Hinge
from sk_ebm.losses._xendcg import XENDCG

n, k = 25, 7
EVERY = [pytest.param(kind(), id=name) for name, kind in GRADED_LOSSES.items()]
every_loss = pytest.mark.parametrize("loss", EVERY)
every_exact = pytest.mark.parametrize("loss", [p for p in EVERY if p.values[0].exact])
every_pair = pytest.mark.parametrize("loss", [PairwiseLog(), PairwiseHinge(), Lambda()])


@pytest.fixture
def gains(rng):
    """Something relevant and something irrelevant in each sample."""
    grades = rng.randint(4, size=(n, k))
    grades[:, 0], grades[:, 1] = 0, 2
    return 2.0**grades - 1


@pytest.fixture
def energies(rng):
    return np.abs(rng.standard_normal((n, k))) + 0.1


def graded(gains, counts=None):
    return RelevanceTarget(gains, np.ones(gains.shape) if counts is None else counts)


def fresh(loss):
    """A loss whose noise, if it has any, starts anew."""
    return loss.seeded(np.random.RandomState(0))


@every_exact
def test_slopes_match_finite_differences(loss, energies, gains, rng, derivative):
    along, target = rng.standard_normal((n, k)), graded(gains)
    slopes = loss(Gibbs(energies), target)[1]
    expected = derivative(lambda e: loss(Gibbs(e), target)[0], energies, along)
    assert_allclose((slopes * along).sum(axis=1), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("loss", [NLL(), PairwiseLog()])
def test_curvatures_match_finite_differences(loss, energies, gains, rng, derivative):
    along, target = rng.standard_normal((n, k)), graded(gains)
    curvature = loss.curvature(Gibbs(energies), target)
    expected = derivative(lambda e: loss(Gibbs(e), target)[1], energies, along)
    assert_allclose(curvature.product(along), expected, rtol=1e-6, atol=1e-8)
    for item in range(k):
        unit = np.zeros((n, k))
        unit[:, item] = 1
        assert_allclose(curvature.diagonal[:, item], curvature.product(unit)[:, item], rtol=1e-10)


@every_loss
def test_expansion_is_values_slopes_and_curvature(loss, energies, gains):
    gibbs, target = Gibbs(energies), graded(gains)
    values, slopes, curvature = fresh(loss).expansion(gibbs, target)
    expected = fresh(loss)(gibbs, target)
    assert_array_equal(values, expected[0])
    assert_array_equal(slopes, expected[1])
    assert (curvature is None) != loss.curved


@pytest.mark.parametrize("loss", [p for p in EVERY if not isinstance(p.values[0], XENDCG)])
def test_the_order_of_items_does_not_matter(loss, energies, gains, rng):
    order = rng.permutation(k)
    values, slopes = fresh(loss)(Gibbs(energies), graded(gains))
    permuted = fresh(loss)(Gibbs(energies[:, order]), graded(gains[:, order]))
    assert_allclose(permuted[0], values, rtol=1e-12)
    assert_allclose(permuted[1], slopes[:, order], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("loss", [NLL(), PairwiseLog(), PairwiseHinge(), Lambda()])
def test_the_order_of_items_of_equal_energy_does_not_matter(loss, energies, gains, rng):
    order, tied = rng.permutation(k), energies.round()
    values, slopes = loss(Gibbs(tied), graded(gains))
    permuted = loss(Gibbs(tied[:, order]), graded(gains[:, order]))
    assert_allclose(permuted[0], values, rtol=1e-12, atol=1e-14)
    assert_allclose(permuted[1], slopes[:, order], rtol=1e-10, atol=1e-14)


@every_loss
def test_absent_items_change_nothing_and_get_slope_zero(loss, energies, gains):
    counts = np.ones((n, k))
    counts[:, -2:] = 0
    absent = gains.copy()
    absent[:, -2:] = 0
    energies[:, -2:] = 0.01
    padded = Gibbs(energies, np.where(counts > 0, 0.0, -np.inf))
    values, slopes, curvature = fresh(loss).expansion(padded, graded(absent, counts))
    short = Gibbs(energies[:, :-2]), graded(gains[:, :-2])
    assert_array_equal(slopes[:, -2:], 0)
    if curvature is not None:
        assert_array_equal(curvature.diagonal[:, -2:], 0)
    assert_allclose(values, fresh(loss)(*short)[0], rtol=1e-12)
    if loss.exact:
        assert_allclose(slopes[:, :-2], fresh(loss)(*short)[1], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", [*LOSSES, "pairwise_log", "pairwise_hinge"])
def test_an_item_counted_twice_is_two_items(name, energies, gains):
    loss, twice = GRADED_LOSSES[name](), np.append(np.arange(k), 2)
    counts = np.ones((n, k))
    counts[:, 2] = 2
    once = loss(Gibbs(energies, np.log(counts)), graded(gains, counts))
    repeated = loss(Gibbs(energies[:, twice]), graded(gains[:, twice]))
    assert_allclose(once[0], repeated[0], rtol=1e-12)


@every_pair
def test_equally_good_items_give_nothing_to_each_other(loss, energies):
    values, slopes = loss(Gibbs(energies), graded(np.ones((n, k))))
    assert_array_equal(slopes, 0)
    if loss.exact:
        assert_array_equal(values, 0)


def test_pairwise_log_is_the_mean_over_pairs(energies, gains):
    found = PairwiseLog()(Gibbs(energies), graded(gains))[0]
    for i in range(n):
        terms = [
            np.log1p(np.exp(energies[i, a] - energies[i, b]))
            for a in range(k)
            for b in range(k)
            if gains[i, a] > gains[i, b]
        ]
        assert_allclose(found[i], np.mean(terms), rtol=1e-12)


def test_pairwise_hinge_is_zero_once_every_margin_holds(gains):
    energies = -1.5 * np.log2(gains + 1)
    values, slopes = PairwiseHinge(margin=1.5)(Gibbs(energies), graded(gains))
    assert not values.any() and not slopes.any()


def test_nll_has_the_target_distribution_as_its_optimum(gains):
    gains = gains + 0.5
    energies = -np.log(gains / gains.sum(axis=1, keepdims=True))
    assert_allclose(NLL()(Gibbs(energies), graded(gains))[1], 0, atol=1e-14)


def test_plus_is_the_free_energy_of_the_relevant_items(energies, gains):
    shares = gains / gains.sum(axis=1, keepdims=True)
    plus = -logsumexp(-energies, b=shares, axis=1)
    minus = np.where(gains > 0, np.inf, energies).min(axis=1)
    found = Hinge(margin=2.0)(Gibbs(energies), graded(gains))[0]
    assert_allclose(found, np.maximum(0, 2 + plus - minus), rtol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_one_relevant_item_is_one_correct_answer(name, energies, rng):
    loss, target = LOSSES[name](), rng.randint(k, size=n)
    found = loss(Gibbs(energies), graded(3.0 * np.eye(k)[target]))
    for part, expected in zip(found, loss(Gibbs(energies), target), strict=True):
        assert_allclose(part, expected, rtol=1e-10, atol=1e-12)


def test_pairs_in_blocks_are_the_same_pairs(energies, gains, monkeypatch):
    gibbs = Gibbs(energies)
    expected = PairwiseLog().expansion(gibbs, graded(gains))
    monkeypatch.setattr(grades, "_BLOCK", 1)
    monkeypatch.setattr(grades, "_KEPT", 0)
    found = PairwiseLog().expansion(gibbs, graded(gains))
    assert len(list(graded(gains).pairs())) > 1
    assert_allclose(found[1], expected[1], rtol=1e-12, atol=1e-15)
    assert_allclose(found[2].diagonal, expected[2].diagonal, rtol=1e-12)


def brute_lambda(energies, gains, truncation):
    """LightGBM's loop over pairs of one query, without ties."""
    order, slopes, total = np.argsort(energies), np.zeros(len(energies)), 0.0
    discounts = 1 / np.log2(2 + np.arange(len(energies)))
    ideal = np.sort(gains)[::-1][:truncation] @ discounts[:truncation]
    for p in range(min(truncation, len(order))):
        for q in range(p + 1, len(order)):
            i, j = order[p], order[q]
            if gains[i] == gains[j]:
                continue
            better, worse = (i, j) if gains[i] > gains[j] else (j, i)
            gap = energies[better] - energies[worse]
            moved = abs(gains[i] - gains[j]) * (discounts[p] - discounts[q]) / ideal
            pull = moved / (0.01 + abs(gap)) / (1 + np.exp(-gap))
            slopes[better] += pull
            slopes[worse] -= pull
            total += 2 * pull
    return slopes * np.log2(1 + total) / total


@pytest.mark.parametrize("truncation", [2, 5, 30])
def test_lambda_has_the_slopes_of_lightgbm(truncation, energies, gains):
    slopes = Lambda(truncation)(Gibbs(energies), graded(gains))[1]
    expected = [brute_lambda(e, g, truncation) for e, g in zip(energies, gains, strict=True)]
    assert_allclose(slopes, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("truncation", [2, 30])
def test_lambda_in_single_precision_is_that_in_double(truncation, energies, gains):
    energies[:, :3] = energies[:, :3].round()  # with ties
    single = energies.astype(np.float32)
    found = Lambda(truncation).expansion(Gibbs(single), graded(gains))
    expected = Lambda(truncation).expansion(Gibbs(single.astype(float)), graded(gains))
    assert_allclose(found[0], expected[0], rtol=1e-6, atol=1e-7)
    assert_allclose(found[1], expected[1], rtol=1e-5, atol=1e-6)
    assert_allclose(found[2].diagonal, expected[2].diagonal, rtol=1e-5, atol=1e-6)


def test_lambda_averages_over_the_orders_of_tied_items(rng):
    """What a pair moves is its mean over many random orders of items of equal energy."""
    energies, gains = rng.randint(3, size=(1, k)).astype(float), np.arange(k)[None] + 1.0
    (pairs,) = graded(gains).pairs()
    gap, found = _Places(energies, graded(gains), 3).between(pairs)
    assert_array_equal(gap, energies[0, pairs.better] - energies[0, pairs.worse])
    discounts = 1 / np.log2(2 + np.arange(k))
    moved = []
    for _ in range(20000):
        places = np.argsort(np.lexsort((rng.uniform(size=k), energies[0])))
        a, b = places[pairs.better], places[pairs.worse]
        in_top = np.minimum(a, b) < 3
        moved.append(np.abs(discounts[a] - discounts[b]) * in_top)
    assert_allclose(found, np.mean(moved, axis=0), atol=0.01)


def test_the_value_of_lambda_is_one_minus_ndcg(energies, gains):
    energies = energies.round()
    found = Lambda(5)(Gibbs(energies), graded(gains))[0]
    expected = [1 - ndcg_score([g], [-e], k=5) for g, e in zip(gains, energies, strict=True)]
    assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_the_noise_of_xendcg_is_seeded_and_changes_from_call_to_call(energies, gains):
    gibbs, target = Gibbs(energies), graded(gains)
    one, two = fresh(XENDCG()), fresh(XENDCG())
    first = one(gibbs, target)[1]
    assert_array_equal(two(gibbs, target)[1], first)
    assert np.abs(one(gibbs, target)[1] - first).max() > 1e-3


def test_the_mean_slope_of_xendcg_lies_near_that_of_its_value(energies, gains, rng, derivative):
    loss, target = fresh(XENDCG()), graded(gains)
    mean = np.mean([loss(Gibbs(energies), target)[1] for _ in range(2000)], axis=0)
    along = rng.standard_normal((n, k))
    expected = derivative(lambda e: loss(Gibbs(e), target)[0], energies, along)
    assert_allclose((mean * along).sum(axis=1), expected, atol=0.1)


@pytest.mark.parametrize("name", sorted(set(GRADED_LOSSES) - set(LOSSES)))
def test_classifiers_refuse_losses_of_items(name):
    with pytest.raises(ValueError, match="compares the items of a query: it is for EnergyRanker"):
        EnergyClassifier(loss=GRADED_LOSSES[name]()).fit([[0.0], [1.0]], [0, 1])


@pytest.mark.parametrize("loss", [PairwiseHinge(margin=0), Lambda(truncation=0)])
def test_bad_parameters_are_named(loss):
    with pytest.raises(ValueError, match=f"{'margin' if loss.exact else 'truncation'} of "):
        loss.check()
