"""Properties that every loss has, where the target is graded relevance."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from sk_ebm import EnergyClassifier
from sk_ebm._core.gibbs import Gibbs
from sk_ebm.losses._contrast import ContrastiveLoss
from sk_ebm.losses._lambdarank import Lambda
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
    relevance = rng.randint(4, size=(n, k))
    relevance[:, 0], relevance[:, 1] = 0, 2
    return 2.0**relevance - 1


@pytest.fixture
def energies(rng):
    return np.abs(rng.standard_normal((n, k))) + 0.1


def graded(gains, counts=None):
    return RelevanceTarget(gains, np.ones(gains.shape) if counts is None else counts)


def fresh(loss):
    """A loss whose noise, if it has any, starts anew."""
    return loss.seeded(np.random.RandomState(0))


@every_exact
def test_gradients_match_finite_differences(loss, energies, gains, rng, derivative):
    along, target = rng.standard_normal((n, k)), graded(gains)
    gradient = loss(Gibbs(energies), target)[1]
    expected = derivative(lambda e: loss(Gibbs(e), target)[0], energies, along)
    assert_allclose((gradient * along).sum(axis=1), expected, rtol=1e-6, atol=1e-7)


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
def test_expansion_is_values_gradient_and_curvature(loss, energies, gains):
    gibbs, target = Gibbs(energies), graded(gains)
    values, gradient, curvature = fresh(loss).expansion(gibbs, target)
    expected = fresh(loss)(gibbs, target)
    assert_array_equal(values, expected[0])
    assert_array_equal(gradient, expected[1])
    several = isinstance(loss, ContrastiveLoss)  # whose curvature boosted trees cannot use
    assert (curvature is None) == (loss.second_derivatives is None or several)


@pytest.mark.parametrize("loss", [p for p in EVERY if not isinstance(p.values[0], XENDCG)])
def test_the_order_of_items_does_not_matter(loss, energies, gains, rng):
    order = rng.permutation(k)
    values, gradient = fresh(loss)(Gibbs(energies), graded(gains))
    permuted = fresh(loss)(Gibbs(energies[:, order]), graded(gains[:, order]))
    assert_allclose(permuted[0], values, rtol=1e-12)
    assert_allclose(permuted[1], gradient[:, order], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("loss", [NLL(), PairwiseLog(), PairwiseHinge(), Lambda()])
def test_the_order_of_items_of_equal_energy_does_not_matter(loss, energies, gains, rng):
    order, tied = rng.permutation(k), energies.round()
    values, gradient = loss(Gibbs(tied), graded(gains))
    permuted = loss(Gibbs(tied[:, order]), graded(gains[:, order]))
    assert_allclose(permuted[0], values, rtol=1e-12, atol=1e-14)
    assert_allclose(permuted[1], gradient[:, order], rtol=1e-10, atol=1e-14)


@every_loss
def test_absent_items_change_nothing_and_get_gradient_zero(loss, energies, gains):
    counts = np.ones((n, k))
    counts[:, -2:] = 0
    absent = gains.copy()
    absent[:, -2:] = 0
    energies[:, -2:] = 0.01
    padded = Gibbs(energies, np.where(counts > 0, 0.0, -np.inf))
    values, gradient, curvature = fresh(loss).expansion(padded, graded(absent, counts))
    short = Gibbs(energies[:, :-2]), graded(gains[:, :-2])
    assert_array_equal(gradient[:, -2:], 0)
    if curvature is not None:
        assert_array_equal(curvature.diagonal[:, -2:], 0)
    assert_allclose(values, fresh(loss)(*short)[0], rtol=1e-12)
    if loss.exact:
        assert_allclose(gradient[:, :-2], fresh(loss)(*short)[1], rtol=1e-10, atol=1e-14)


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
    values, gradient = loss(Gibbs(energies), graded(np.ones((n, k))))
    assert_array_equal(gradient, 0)
    if loss.exact:
        assert_array_equal(values, 0)


def test_nll_has_the_target_distribution_as_its_optimum(gains):
    gains = gains + 0.5
    energies = -np.log(gains / gains.sum(axis=1, keepdims=True))
    assert_allclose(NLL()(Gibbs(energies), graded(gains))[1], 0, atol=1e-14)


def test_plus_is_the_free_energy_of_the_relevant_items(energies, gains):
    shares = gains / gains.sum(axis=1, keepdims=True)
    plus = -logsumexp(-energies, b=shares, axis=1)
    minus = np.where(gains > 0, np.inf, energies).min(axis=1)
    values = Hinge(margin=2.0)(Gibbs(energies), graded(gains))[0]
    assert_allclose(values, np.maximum(0, 2 + plus - minus), rtol=1e-12)


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"nll", "mee"}))
def test_the_least_gain_of_a_sample_is_that_of_incorrect_answers(name, energies, gains):
    raised = gains + np.arange(len(gains))[:, None]
    values, gradient = LOSSES[name]()(Gibbs(energies), graded(raised))
    expected = LOSSES[name]()(Gibbs(energies), graded(raised - raised.min(axis=1)[:, None]))
    assert_allclose(values, expected[0], rtol=1e-12)
    assert_allclose(gradient, expected[1], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", LOSSES)
def test_one_relevant_item_is_one_correct_answer(name, energies, rng):
    loss, target = LOSSES[name](), rng.randint(k, size=n)
    result = loss(Gibbs(energies), graded(3.0 * np.eye(k)[target]))
    for part, expected in zip(result, loss(Gibbs(energies), target), strict=True):
        assert_allclose(part, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", sorted(set(GRADED_LOSSES) - set(LOSSES)))
def test_classifiers_refuse_losses_of_items(name):
    with pytest.raises(ValueError, match="compares the items of a query: it is for EnergyRanker"):
        EnergyClassifier(loss=GRADED_LOSSES[name]()).fit([[0.0], [1.0]], [0, 1])


@pytest.mark.parametrize("loss", [PairwiseHinge(margin=0), Lambda(truncation=0)])
def test_bad_parameters_are_named(loss):
    with pytest.raises(ValueError, match=f"{'margin' if loss.exact else 'truncation'} of "):
        loss.check()
