from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm._core.classes import Labels
from sk_ebm._core.gibbs import Gibbs
from sk_ebm._core.objective import Objective
from sk_ebm.losses._likelihood import NLL
from sk_ebm.losses._registry import LOSSES
from sk_ebm.losses._table1 import Hinge, Log, Perceptron

n = 20


@pytest.fixture(params=[pytest.param(2, id="two"), pytest.param(4, id="four")])
def labels(request, rng):
    return Labels(rng.randint(request.param, size=n), request.param)


@pytest.fixture
def objective(labels, rng):
    return Objective(labels, NLL(), rng.uniform(0.5, 2, size=n))


@pytest.fixture
def outputs(labels, rng):
    return rng.standard_normal((n, labels.n_outputs))


@pytest.mark.parametrize("name", ["answers", "loss", "weights", "offset"])
def test_it_is_frozen(objective, name):
    with pytest.raises(FrozenInstanceError):
        setattr(objective, name, None)


def test_value_is_the_weighted_mean_loss(objective, outputs):
    answers = objective.answers
    values = NLL()(Gibbs(answers.arrange(outputs)[0]), answers.target)[0]
    expected = np.average(values, weights=objective.weights)
    assert_allclose(objective.value_and_gradient(outputs)[0], expected, rtol=1e-12)


EVERY_LOSS = [pytest.param(loss(), id=name) for name, loss in LOSSES.items()]


@pytest.mark.parametrize("loss", EVERY_LOSS)
def test_gradients_match_finite_differences(loss, objective, outputs, rng, derivative):
    objective, along = objective.replace(loss=loss), rng.standard_normal(outputs.shape)
    expected = derivative(lambda o: objective.value_and_gradient(o)[0], outputs, along)
    gradient = objective.value_and_gradient(outputs)[1]
    assert_allclose(np.vdot(gradient, along), expected, rtol=1e-6, atol=1e-8)


def test_gradients_by_all_answers_match_finite_differences(problem, rng, derivative):
    _, objective, outputs = problem
    along = rng.standard_normal(outputs.shape)
    expected = derivative(lambda o: objective.value_and_gradient(o)[0], outputs, along)
    gradient = objective.value_and_gradient(outputs)[1]
    assert_allclose(np.vdot(gradient, along), expected, rtol=1e-6)


@pytest.mark.parametrize("loss", [NLL(), Log()])
def test_curvature_matches_finite_differences(loss, objective, outputs, rng, derivative):
    objective, along = objective.replace(loss=loss), rng.standard_normal(outputs.shape)
    product = objective.curvature(outputs).product(along)
    expected = derivative(lambda o: objective.value_and_gradient(o)[1], outputs, along)
    assert_allclose(product, expected, rtol=1e-6, atol=1e-9)


def test_curvature_by_all_answers_matches_finite_differences(problem, rng, derivative):
    _, objective, outputs = problem
    along = rng.standard_normal(outputs.shape)
    expected = derivative(lambda o: objective.value_and_gradient(o)[1], outputs, along)
    product = objective.curvature(outputs).product(along)
    assert_allclose(product, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_curvature_diagonal_is_that_of_its_product(damping, objective, outputs):
    curvature = objective.curvature(outputs, damping)
    for o, unit in enumerate(np.eye(outputs.shape[1])):
        expected = curvature.product(np.tile(unit, (n, 1)))[:, o]
        assert_allclose(curvature.diagonal[:, o], expected, rtol=1e-12)


def test_curvature_diagonal_by_all_answers_is_that_of_its_product(problem):
    _, objective, outputs = problem
    curvature = objective.curvature(outputs, damping=0.1)
    for row, o in [(0, 0), (7, 0), (9, outputs.shape[1] - 1)]:
        unit = np.zeros_like(outputs)
        unit[row, o] = 1
        assert_allclose(curvature.diagonal[row, o], curvature.product(unit)[row, o], rtol=1e-12)


def test_damping_adds_to_the_curvature(objective, outputs, rng):
    v = rng.standard_normal(outputs.shape)
    damped = np.vdot(v, objective.curvature(outputs, damping=0.3).product(v))
    assert damped > np.vdot(v, objective.curvature(outputs).product(v))


@pytest.mark.parametrize("part", [pytest.param(0, id="value"), pytest.param(1, id="gradient")])
def test_parts_add_up(objective, outputs, part):
    total, found = objective.weights.sum(), []
    for rows in np.array_split(np.arange(n), 3):
        some = objective.take(rows)
        share = some.weights.sum() / total
        found.append(some.value_and_gradient(outputs[rows])[part] * share)
    whole = objective.value_and_gradient(outputs)[part]
    assert_allclose(np.vstack(found) if part else sum(found), whole, rtol=1e-12, atol=1e-15)


def test_parts_of_all_answers_add_up(problem):
    _, objective, outputs = problem
    value = 0.0
    for samples in np.array_split(np.arange(len(objective.answers)), 3):
        some = objective.take(samples)
        share = some.weights.sum() / objective.weights.sum()
        value += some.value_and_gradient(outputs[objective.answers.rows(samples)])[0] * share
    assert_allclose(value, objective.value_and_gradient(outputs)[0], rtol=1e-12)


def test_a_weight_of_two_equals_a_repeated_row(labels, outputs):
    weights = np.append(2.0, np.ones(n - 1))
    repeated = np.append(0, np.arange(n))
    of_repeated = Objective(labels.take(repeated), NLL(), np.ones(n + 1))
    expected = of_repeated.value_and_gradient(outputs[repeated])[0]
    found = Objective(labels, NLL(), weights).value_and_gradient(outputs)[0]
    assert_allclose(found, expected, rtol=1e-12)


def test_gradients_keep_float32(objective, outputs):
    assert objective.value_and_gradient(outputs.astype(np.float32))[1].dtype == np.float32


def test_curvature_keeps_float32(objective, outputs):
    outputs = outputs.astype(np.float32)
    assert objective.curvature(outputs, damping=0.1).product(outputs).dtype == np.float32


def test_masked_gives_the_value_of_those_samples(objective, outputs):
    rows = np.arange(5, 12)
    expected = objective.take(rows).value_and_gradient(outputs[rows])[0]
    found = objective.masked(rows).value_and_gradient(outputs)[0]
    assert_allclose(found, expected, rtol=1e-12)


def test_masked_refuses_a_fold_without_weight(labels):
    objective = Objective(labels, NLL(), np.append(1.0, np.zeros(n - 1)))
    with pytest.raises(ValueError, match="training fold have weight 0"):
        objective.masked([1, 2])


def test_evaluation_refuses_a_fold_without_weight(labels):
    objective = Objective(labels, NLL(), np.append(1.0, np.zeros(n - 1)))
    with pytest.raises(ValueError, match="test fold have weight 0"):
        objective.evaluation([1, 2])


def test_evaluation_is_the_objective_of_those_samples(objective, outputs):
    rows = np.array([3, 1, 11])
    expected = objective.take(rows).value_and_gradient(outputs[rows])[0]
    found = objective.evaluation(rows).value_and_gradient(outputs[rows])[0]
    assert_array_equal(found, expected)


def test_values_have_the_weighted_mean(objective, outputs):
    found = np.average(objective.values(outputs), weights=objective.weights)
    assert_allclose(found, objective.value_and_gradient(outputs)[0], rtol=1e-12)


def test_replace_leaves_the_original(objective):
    loss, other = objective.loss, Hinge()
    assert objective.replace(loss=other).loss is other
    assert objective.loss is loss


def test_as_likelihood_has_the_value_of_nll(objective, outputs):
    other = objective.replace(loss=Hinge()).as_likelihood()
    expected = objective.value_and_gradient(outputs)[0]
    assert_array_equal(other.value_and_gradient(outputs)[0], expected)


def test_an_offset_moves_energies(rng):
    answers = Labels(rng.randint(3, size=20), 3)
    outputs, offset = rng.standard_normal((2, 20, 3))
    moved = Objective(answers, NLL(), np.ones(20), offset=offset)
    plain = Objective(answers, NLL(), np.ones(20))
    expected = plain.value_and_gradient(outputs + offset)[0]
    assert_allclose(moved.value_and_gradient(outputs)[0], expected, rtol=1e-12)
    some = np.array([3, 7])
    expected = plain.take(some).value_and_gradient((outputs + offset)[some])[0]
    found = moved.take(some).value_and_gradient(outputs[some])[0]
    assert_allclose(found, expected, rtol=1e-12)


def test_second_order_sums_what_the_objective_averages(rng):
    answers = Labels(rng.randint(3, size=50), 3)
    objective = Objective(answers, NLL(), rng.uniform(0.5, 2, size=50))
    outputs = rng.standard_normal((50, 3))
    total = objective.weights.sum()
    value, gradient, diagonal = objective.second_order(outputs)
    expected_value, expected_gradient = objective.value_and_gradient(outputs)
    assert_allclose(value, expected_value, rtol=1e-12)
    assert_allclose(gradient, expected_gradient * total, rtol=1e-10)
    expected = 1.5 * objective.curvature(outputs).diagonal * total
    assert_allclose(diagonal, expected, rtol=1e-10)


def test_the_held_out_loss_is_the_value_where_a_margin_sets_the_scale(objective, outputs):
    objective = objective.replace(loss=Hinge())
    expected = objective.value_and_gradient(outputs)[0]
    assert_array_equal(objective.held_out_loss(outputs), expected)


def test_the_held_out_loss_without_a_margin_does_not_depend_on_the_scale(objective, outputs):
    objective = objective.replace(loss=Perceptron())
    least = min(
        objective.as_likelihood().value_and_gradient(beta * outputs)[0]
        for beta in np.geomspace(1e-3, 10, 500)
    )
    found = [objective.held_out_loss(scale * outputs) for scale in (1.0, 100.0)]
    assert_allclose(found[1], found[0], rtol=1e-6)
    assert_allclose(found[0], least, rtol=1e-2)


class _WrongGradient(NLL):
    def __call__(self, gibbs, target):
        values, gradient = super().__call__(gibbs, target)
        return values, -gradient


def test_a_gradient_that_is_not_of_the_values_is_named(objective):
    with pytest.raises(ValueError, match="loss=_WrongGradient.* is not that of its values"):
        objective.replace(loss=_WrongGradient()).check_gradient()


@pytest.mark.parametrize("loss", [kind() for kind in LOSSES.values()], ids=str)
def test_gradients_of_the_losses_pass_the_check(objective, loss):
    objective.replace(loss=loss).check_gradient()


RETURNED = {
    "values alone": lambda values, gradient: values,
    "nothing": lambda values, gradient: None,
    "one value": lambda values, gradient: (values.mean(), gradient),
    "a flat gradient": lambda values, gradient: (values, gradient.ravel()),
    "one column": lambda values, gradient: (values, gradient[:, :1]),
    "lists": lambda values, gradient: (values.tolist(), gradient.tolist()),
    "second derivatives": lambda values, gradient: (values, gradient, gradient),
}


@pytest.mark.parametrize("returned", RETURNED)
def test_shapes_of_what_a_loss_returns_are_checked(objective, returned):
    class Wrong(NLL):
        def __call__(self, gibbs, target):
            return RETURNED[returned](*super().__call__(gibbs, target))

    with pytest.raises(ValueError, match=r"loss=Wrong.* must return .* arrays.* got \["):
        objective.replace(loss=Wrong()).check_gradient()


@pytest.mark.parametrize("most", [0, n * 4])
def test_expanding_gives_value_gradient_and_curvature(objective, outputs, most, monkeypatch, rng):
    """Whether or not outputs are few enough to share their distribution."""
    monkeypatch.setattr("sk_ebm._core.objective._FEW_OUTPUTS", most)
    value, gradient, curvature_at = objective.expand(outputs)
    expected, by_outputs = objective.value_and_gradient(outputs)
    assert value == expected
    assert_array_equal(gradient, by_outputs)
    v = rng.standard_normal(outputs.shape)
    found, curvature = curvature_at(0.1), objective.curvature(outputs, 0.1)
    assert_array_equal(found.diagonal, curvature.diagonal)
    assert_array_equal(found.product(v), curvature.product(v))
