import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.base import clone
from sklearn.metrics import log_loss

from sk_ebm._core.gibbs import Gibbs
from sk_ebm.losses._likelihood import MEE, NLL
from sk_ebm.losses._registry import LOSSES
from sk_ebm.losses._table1 import LVQ2, MCE, Hinge, Perceptron, SquareSquare

VARIANTS = {
    **{name: loss() for name, loss in LOSSES.items()},
    "hinge_wide": Hinge(margin=2.5),
    "lvq2_relative": LVQ2(relative=True, delta=0.5),
    "nll_cold": NLL(beta=2.5),
    "mee_hot": MEE(beta=0.4),
    "square_square_wide": SquareSquare(margin=2.0),
}


def cases(wanted=lambda loss: True):
    chosen = {name: loss for name, loss in VARIANTS.items() if wanted(loss)}
    return pytest.mark.parametrize(
        "loss", [pytest.param(loss, id=name) for name, loss in chosen.items()]
    )


every_loss = cases()
every_curved = cases(lambda loss: loss.curved)
n, k = 30, 5


@pytest.fixture
def target(rng):
    return rng.randint(k, size=n)


def energies_for(loss, rng):
    energies = 1.5 * rng.standard_normal((n, k))
    return np.abs(energies) + 0.1 if loss.positive else energies


def without(absent):
    """A log measure in which one candidate per sample is absent."""
    log_measure = np.zeros((n, k))
    log_measure[np.arange(n), absent] = -np.inf
    return log_measure


@every_loss
def test_slopes_match_finite_differences(loss, rng, target, derivative):
    energies, along = energies_for(loss, rng), rng.standard_normal((n, k))
    slopes = loss(Gibbs(energies), target)[1]
    expected = derivative(lambda e: loss(Gibbs(e), target)[0], energies, along)
    assert_allclose((slopes * along).sum(axis=1), expected, rtol=1e-6, atol=1e-7)


@every_loss
def test_slopes_match_finite_differences_beside_an_absent_candidate(loss, rng, target, derivative):
    energies, along = energies_for(loss, rng), rng.standard_normal((n, k))
    log_measure = without((target + 2) % k)
    slopes = loss(Gibbs(energies, log_measure), target)[1]
    expected = derivative(lambda e: loss(Gibbs(e, log_measure), target)[0], energies, along)
    assert_allclose((slopes * along).sum(axis=1), expected, rtol=1e-6, atol=1e-7)


@every_loss
def test_absent_candidates_get_slope_zero(loss, rng, target):
    absent = (target + 2) % k
    energies = energies_for(loss, rng)
    energies[np.arange(n), absent] = 0.01  # the least of the positive ones
    slopes = loss(Gibbs(energies, without(absent)), target)[1]
    assert_array_equal(slopes[np.arange(n), absent], 0)


@every_loss
def test_absent_candidates_do_not_change_the_loss(loss, rng, target):
    absent = (target + 2) % k
    energies = energies_for(loss, rng)
    values = loss(Gibbs(energies, without(absent)), target)[0]
    energies[np.arange(n), absent] = 1e-3
    assert_array_equal(loss(Gibbs(energies, without(absent)), target)[0], values)


@every_loss
def test_the_only_candidate_leaves_absent_ones_at_slope_zero(loss, rng, target):
    log_measure = np.where(np.arange(k) == target[:, None], 0.0, -np.inf)
    slopes = loss(Gibbs(energies_for(loss, rng), log_measure), target)[1]
    slopes[np.arange(n), target] = 0
    assert_array_equal(slopes, 0)


@every_loss
def test_losses_do_not_change_the_energies(loss, rng, target):
    energies = energies_for(loss, rng)
    before = energies.copy()
    loss(Gibbs(energies), target)
    assert_array_equal(energies, before)


@every_loss
def test_slopes_permute_with_the_answers(loss, rng, target):
    energies, order = energies_for(loss, rng), rng.permutation(k)
    slopes = loss(Gibbs(energies), target)[1]
    permuted = loss(Gibbs(energies[:, order]), np.argsort(order)[target])[1]
    assert_allclose(permuted, slopes[:, order], rtol=1e-12, atol=1e-14)


@every_loss
def test_values_permute_with_the_answers(loss, rng, target):
    energies, order = energies_for(loss, rng), rng.permutation(k)
    permuted = loss(Gibbs(energies[:, order]), np.argsort(order)[target])[0]
    assert_allclose(permuted, loss(Gibbs(energies), target)[0], rtol=1e-12, atol=1e-14)


def extreme_energies(loss, rng, dtype):
    low = 0.0 if loss.positive else -1e4
    return rng.choice([low, 0.0, 1e4], size=(n, k)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_loss
def test_extreme_energies_give_finite_values_and_slopes(loss, rng, target, dtype):
    values, slopes = loss(Gibbs(extreme_energies(loss, rng, dtype)), target)
    assert np.isfinite(values).all() and np.isfinite(slopes).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_curved
def test_extreme_energies_give_finite_curvatures(loss, rng, target, dtype):
    curvature = loss.curvature(Gibbs(extreme_energies(loss, rng, dtype)), target)
    products = curvature.product(np.ones((n, k), dtype=dtype))
    assert np.isfinite(curvature.diagonal).all() and np.isfinite(products).all()


@every_loss
def test_float32_is_kept(loss, rng, target):
    values, slopes = loss(Gibbs(energies_for(loss, rng).astype(np.float32)), target)
    assert values.dtype == slopes.dtype == np.float32


@every_curved
def test_float32_is_kept_by_curvatures(loss, rng, target):
    gibbs = Gibbs(energies_for(loss, rng).astype(np.float32))
    curvature = loss.curvature(gibbs, target)
    assert curvature.diagonal.dtype == curvature.product(gibbs.energies).dtype == np.float32


@every_curved
def test_curvature_product_matches_finite_differences_of_slopes(loss, rng, target, derivative):
    energies, along = energies_for(loss, rng), rng.standard_normal((n, k))
    product = loss.curvature(Gibbs(energies), target).product(along)
    expected = derivative(lambda e: loss(Gibbs(e), target)[1], energies, along)
    assert_allclose(product, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("answer", range(k))
@every_curved
def test_curvature_diagonal_matches_finite_differences(loss, rng, target, answer, derivative):
    energies, along = energies_for(loss, rng), np.eye(k)[answer]
    diagonal = loss.curvature(Gibbs(energies), target).diagonal
    expected = derivative(lambda e: loss(Gibbs(e), target)[1], energies, along)
    assert_allclose(diagonal[:, answer], expected[:, answer], rtol=1e-6, atol=1e-7)


@every_curved
def test_curvature_is_positive_semidefinite(loss, rng, target):
    curvature = loss.curvature(Gibbs(energies_for(loss, rng)), target)
    v = rng.standard_normal((n, k))
    assert ((v * curvature.product(v)).sum(axis=1) >= -1e-12).all()


@every_curved
def test_absent_candidates_have_no_curvature(loss, rng, target):
    absent = (target + 2) % k
    gibbs = Gibbs(energies_for(loss, rng), without(absent))
    assert_array_equal(loss.curvature(gibbs, target).diagonal[np.arange(n), absent], 0)


def log_z(energies):
    return np.log(np.exp(-energies).sum())


# Table 1 of the tutorial, for one sample: E+, E- and all energies.
TABLE_1 = {
    "energy": lambda plus, minus, all_: plus,
    "perceptron": lambda plus, minus, all_: plus - all_.min(),
    "hinge": lambda plus, minus, all_: max(0, 1 + plus - minus),
    "hinge_wide": lambda plus, minus, all_: max(0, 2.5 + plus - minus),
    "log": lambda plus, minus, all_: np.log(1 + np.exp(plus - minus)),
    "lvq2": lambda plus, minus, all_: min(1, max(0, plus - minus)),
    "lvq2_relative": lambda plus, minus, all_: min(1, max(0, (plus - minus) / (0.5 * minus))),
    "mce": lambda plus, minus, all_: 1 / (1 + np.exp(-(plus - minus))),
    "square_square": lambda plus, minus, all_: plus**2 + max(0, 1 - minus) ** 2,
    "square_square_wide": lambda plus, minus, all_: plus**2 + max(0, 2 - minus) ** 2,
    "square_exponential": lambda plus, minus, all_: plus**2 + np.exp(-minus),
    "nll": lambda plus, minus, all_: plus + log_z(all_),
    "nll_cold": lambda plus, minus, all_: plus + log_z(2.5 * all_) / 2.5,
    "mee": lambda plus, minus, all_: 1 - np.exp(-plus) / np.exp(-all_).sum(),
    "mee_hot": lambda plus, minus, all_: 1 - np.exp(-0.4 * plus) / np.exp(-0.4 * all_).sum(),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_values_are_those_of_table_1(name, rng, target):
    energies = energies_for(VARIANTS[name], rng)
    expected = [
        TABLE_1[name](row[y], np.delete(row, y).min(), row)
        for row, y in zip(energies, target, strict=True)
    ]
    assert_allclose(VARIANTS[name](Gibbs(energies), target)[0], expected, rtol=1e-10, atol=1e-14)


NUMBERS = [
    pytest.param(loss, name, id=f"{kind}-{name}")
    for kind, loss in LOSSES.items()
    for name, value in loss().get_params().items()
    if not isinstance(value, bool)
]


BAD = [0, -1.0, np.inf, np.nan, "one", None, pytest.param(np.int64(-1), id="int64")]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize("loss, name", NUMBERS)
def test_check_names_the_bad_parameter(loss, name, value):
    with pytest.raises((ValueError, TypeError), match=name):
        loss(**{name: value}).check()


@every_loss
def test_check_accepts_good_parameters(loss):
    assert clone(loss).check() is None


def test_hinge_is_zero_once_the_margin_holds(target):
    energies = np.where(np.arange(k) == target[:, None], -1.5, 0.0)
    values, slopes = Hinge(margin=1.5)(Gibbs(energies), target)
    assert not values.any() and not slopes.any()


def test_hinge_pulls_and_pushes_before_the_margin_holds(target):
    energies = np.where(np.arange(k) == target[:, None], -1.4, 0.0)
    slopes = Hinge(margin=1.5)(Gibbs(energies), target)[1]
    assert_array_equal(slopes[np.arange(n), target], 1)


@pytest.mark.parametrize("loss", [Perceptron(), LVQ2()])
def test_a_tie_counts_as_violated(loss, target):
    slopes = loss(Gibbs(np.zeros((n, k))), target)[1]
    assert_array_equal(slopes[np.arange(n), target], 1)


def test_a_tie_in_the_perceptron_pushes_another_answer(target):
    slopes = Perceptron()(Gibbs(np.zeros((n, k))), target)[1]
    assert_array_equal(slopes.sum(axis=1), 0)


def test_mce_lies_between_zero_and_one(rng, target):
    values = MCE()(Gibbs(energies_for(MCE(), rng)), target)[0]
    assert ((values > 0) & (values < 1)).all()


def test_mce_of_two_answers_is_the_probability_of_the_wrong_one(rng):
    energies, target = rng.standard_normal((n, 2)), rng.randint(2, size=n)
    expected = expit(energies[np.arange(n), target] - energies[np.arange(n), 1 - target])
    assert_allclose(MCE()(Gibbs(energies), target)[0], expected, rtol=1e-12)


def test_nll_equals_the_log_loss_of_scikit_learn(rng, target):
    energies = energies_for(NLL(), rng)
    expected = log_loss(target, softmax(-energies, axis=1), labels=range(k))
    assert_allclose(NLL()(Gibbs(energies), target)[0].mean(), expected, rtol=1e-12)


@pytest.mark.parametrize("part", [pytest.param(0, id="values"), pytest.param(1, id="slopes")])
def test_nll_of_a_one_hot_distribution_equals_the_index(rng, target, part):
    gibbs, loss = Gibbs(energies_for(NLL(), rng)), NLL(beta=2.0)
    expected = loss(gibbs, target)[part]
    assert_allclose(loss(gibbs, np.eye(k)[target])[part], expected, rtol=1e-10, atol=1e-12)


def test_nll_of_a_distribution_matches_finite_differences(rng, derivative):
    energies, along = energies_for(NLL(), rng), rng.standard_normal((n, k))
    target = rng.dirichlet(np.ones(k), size=n)
    slopes = NLL()(Gibbs(energies), target)[1]
    expected = derivative(lambda e: NLL()(Gibbs(e), target)[0], energies, along)
    assert_allclose((slopes * along).sum(axis=1), expected, rtol=1e-6, atol=1e-7)


def test_square_exponential_goes_on_as_its_tangent():
    loss, target = LOSSES["square_exponential"](), np.array([0])
    at = loss(Gibbs(np.array([[0.0, -30.0]])), target)
    beyond = loss(Gibbs(np.array([[0.0, -32.0]])), target)[0]
    assert_allclose(beyond, at[0] - 2 * at[1][:, 1], rtol=1e-12)


@every_loss
def test_array_api_arrays_flow_through(loss, rng, target, strict):
    energies = energies_for(loss, rng)
    found = loss(Gibbs(strict.asarray(energies)), strict.asarray(target))
    for part, expected in zip(found, loss(Gibbs(energies), target), strict=True):
        assert isinstance(part, type(strict.asarray(1.0)))
        assert_allclose(np.asarray(part), expected, rtol=1e-12, atol=1e-14)


@every_curved
def test_curvatures_of_array_api_arrays_flow_through(loss, rng, target, strict):
    energies, along = rng.standard_normal((2, n, k))
    found = loss.curvature(Gibbs(strict.asarray(energies)), strict.asarray(target))
    expected = loss.curvature(Gibbs(energies), target)
    assert_allclose(np.asarray(found.diagonal), expected.diagonal, rtol=1e-12, atol=1e-14)
    product = found.product(strict.asarray(along))
    assert_allclose(np.asarray(product), expected.product(along), rtol=1e-12, atol=1e-14)
