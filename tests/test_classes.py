"""Classes as answers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm import EnergyClassifier
from sk_ebm._core.answers import Answers
from sk_ebm._core.classes import Labels, positions
from sk_ebm._core.gibbs import Gibbs
from sk_ebm._core.objective import Objective
from sk_ebm._core.pooling import aligned
from sk_ebm.losses._likelihood import NLL

n = 24


@pytest.fixture(params=[pytest.param(2, id="two"), pytest.param(4, id="four")])
def labels(request, rng):
    return Labels(rng.randint(request.param, size=n), request.param)


@pytest.mark.parametrize("n_classes, n_outputs", [(2, 1), (3, 3), (7, 7)])
def test_two_classes_have_one_output(n_classes, n_outputs):
    assert Labels(np.zeros(n, dtype=int), n_classes).n_outputs == n_outputs


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param([7, 3.0, 4], id="numbers"),
        pytest.param(np.array([7, None, 4], object), id="objects"),
        pytest.param(["7", "3", "a"], id="text"),
        pytest.param(np.array(["2020", "2021", "2022"], "M8[Y]"), id="dates"),
    ],
)
def test_positions_of_labels_of_any_kind(labels):
    numbers, words = np.array([3, 7]), np.array(["3", "7"])
    assert positions(numbers, labels).tolist() == [{3: 0, 7: 1}.get(v, -1) for v in labels]
    assert positions(words, labels).tolist() == [{"3": 0, "7": 1}.get(v, -1) for v in labels]


def test_pullback_is_the_adjoint_of_arrange(labels, rng):
    outputs = rng.standard_normal((n, labels.n_outputs))
    gradient = rng.standard_normal((n, labels.n_classes))
    energies, pullback = labels.arrange(outputs)
    assert_allclose(np.vdot(energies, gradient), np.vdot(outputs, pullback(gradient)), rtol=1e-12)


def test_arrange_is_linear(labels, rng):
    a, b = rng.standard_normal((2, n, labels.n_outputs))
    expected = labels.arrange(a)[0] + 2 * labels.arrange(b)[0]
    assert_allclose(labels.arrange(a + 2 * b)[0], expected, rtol=1e-12, atol=1e-14)


def test_arrange_keeps_float32(labels, rng):
    energies, pullback = labels.arrange(np.ones((n, labels.n_outputs), dtype=np.float32))
    assert energies.dtype == pullback(energies).dtype == np.float32


def test_two_classes_share_one_output(rng):
    o = rng.standard_normal((n, 1))
    assert_array_equal(Labels.arrange(o)[0], np.hstack([o / 2, -o / 2]))


def test_more_classes_have_negative_outputs_as_energies(rng):
    outputs = rng.standard_normal((n, 3))
    assert_array_equal(Labels.arrange(outputs)[0], -outputs)


def test_diagonal_is_that_of_the_curvature_by_the_outputs(labels, rng):
    outputs = rng.standard_normal((n, labels.n_outputs))
    energies, pullback = labels.arrange(outputs)
    curvature = NLL().curvature(Gibbs(energies), labels.target)
    for o, unit in enumerate(np.eye(labels.n_outputs)):
        moved = labels.arrange(np.tile(unit, (n, 1)))[0]
        expected = pullback(curvature.product(moved))[:, o]
        assert_allclose(labels.diagonal(curvature, outputs)[:, o], expected, rtol=1e-12)


def test_take_of_all_is_the_identity(labels):
    taken = labels.take(np.arange(n))
    assert_array_equal(taken.target, labels.target)
    assert (len(taken), taken.n_classes) == (n, labels.n_classes)


def test_take_picks_samples(labels):
    assert_array_equal(labels.take([3, 1]).target, labels.target[[3, 1]])


def test_one_row_belongs_to_each_sample(labels):
    assert_array_equal(labels.rows(np.array([3, 1])), [3, 1])


TARGETS = {
    "balanced": np.arange(n) % 3,
    "one_member": np.append(np.zeros(n - 1, dtype=int), 1),
    "absent_class": np.arange(n) % 2 * 2,
}


@pytest.mark.parametrize("target", [pytest.param(t, id=name) for name, t in TARGETS.items()])
def test_test_folds_partition_the_samples(target, rng):
    folds = Labels(target, 3).folds(5, rng)
    assert_array_equal(np.sort(folds.samples), np.arange(n))


@pytest.mark.parametrize("target", [pytest.param(t, id=name) for name, t in TARGETS.items()])
def test_training_folds_are_what_test_folds_leave(target, rng):
    for train, test in Labels(target, 3).folds(5, rng):
        assert_array_equal(np.sort(np.append(train, test)), np.arange(n))


def test_folds_are_stratified_where_every_class_is_frequent(rng):
    target = TARGETS["balanced"]
    counts = [np.bincount(target[test]) for _, test in Labels(target, 3).folds(4, rng)]
    assert_array_equal(counts, np.full((4, 3), 2))


def test_one_output_and_two_outputs_add(rng):
    target = rng.randint(2, size=20)
    one, two = rng.standard_normal((20, 1)), rng.standard_normal((20, 2))
    total = np.sum(aligned([one, two]), axis=0)
    expected = Labels.arrange(one)[0] + Labels.arrange(two)[0]
    assert_allclose(Labels.arrange(total)[0], expected)
    plain = Objective(Labels(target, 2), NLL(), np.ones(20))
    found = plain.replace(offset=two).value_and_gradient(one)[0]
    assert_allclose(found, plain.value_and_gradient(total)[0], rtol=1e-12)


@pytest.mark.parametrize(("n_classes", "axis"), [(2, None), (3, 1)])
def test_a_shift_of_all_outputs_of_a_row_changes_nothing_but_of_two_classes(n_classes, axis):
    assert Labels(np.arange(n) % n_classes, n_classes).shift_axis == axis


@pytest.mark.parametrize("n_classes", [2, 5])
def test_blocks_of_rows_change_nothing(n_classes, rng, monkeypatch):
    n, o = 40, 1 if n_classes == 2 else n_classes
    labels = Labels(rng.randint(n_classes, size=n), n_classes)
    X, weights = rng.standard_normal((n, 3)), rng.uniform(0.5, 2, n)
    outputs, v = rng.standard_normal((n, o)), rng.standard_normal((n, o))
    objective = Objective(labels, NLL(), weights)

    def results():
        curvature = objective.curvature(outputs, damping=0.1)
        fitted = EnergyClassifier(random_state=0).fit(X, labels.target, weights)
        return (
            *objective.value_and_gradient(outputs),
            objective.values(outputs),
            curvature.diagonal,
            curvature.product(v),
            *objective.second_order(outputs),
            objective.learn_beta(outputs),
            fitted.coef_,
            fitted.beta_,
        )

    whole = results()
    assert labels.blocks is None
    monkeypatch.setattr("sk_ebm._core.classes._ROWS_AT_ONCE", 7)
    assert [len(part) for _, _, part in labels.blocks] == [7] * 5 + [5]
    for one, other in zip(results(), whole, strict=True):
        assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def test_curvature_by_the_outputs_is_that_of_any_answers(labels, rng):
    outputs, v = rng.standard_normal((2, n, labels.n_outputs))
    gibbs, pullback = labels.gibbs(outputs)
    by_energies = NLL(0.7).curvature(gibbs, labels.target)
    found = labels.curvature(by_energies, outputs, pullback)
    expected = Answers.curvature(labels, by_energies, outputs, pullback)
    assert_allclose(found.diagonal, expected.diagonal, rtol=1e-12)
    assert_allclose(found.product(v), expected.product(v), rtol=1e-10, atol=1e-15)
