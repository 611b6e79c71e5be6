"""What holds for answers of every kind."""

import numpy as np
import pytest
from helpers import SPLINES, each_block, scores
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm._core.answers import PassthroughAnswers
from sk_ebm._core.gibbs import Gibbs
from sk_ebm.losses import NLL


def test_pullback_is_the_adjoint_of_arrange(problem, rng):
    _, objective, outputs = problem
    for rows, answers in each_block(objective.answers):
        energies, pullback = answers.arrange(outputs[rows])
        gradient = rng.standard_normal(energies.shape)
        gradient[~getattr(answers, "present", np.full(energies.shape, True))] = 0
        pulled = np.vdot(outputs[rows], pullback(gradient))
        assert_allclose(np.vdot(energies, gradient), pulled, rtol=1e-12)


def test_a_shift_along_its_axis_moves_all_energies_of_a_sample_alike(problem, rng):
    _, objective, outputs = problem
    for rows, answers in each_block(objective.answers):
        axis = objective.answers.shift_axis
        if axis is None:
            return
        shift = rng.standard_normal((len(outputs[rows]), 1)) if axis == 1 else 0.7
        moved = answers.arrange(outputs[rows] + shift)[0] - answers.arrange(outputs[rows])[0]
        assert_allclose(np.ptp(moved, axis=1), 0, atol=1e-14)


def test_folds_test_every_sample_once_and_never_one_that_they_train_on(problem, rng):
    answers = problem[1].answers
    folds = answers.folds(5, rng)
    folds.check_partition(len(answers))
    for train, test in folds:
        assert_array_equal(np.sort(np.append(train, test)), np.arange(len(answers)))


def test_take_in_another_order_takes_the_outputs_of_the_rows(problem, rng):
    _, objective, outputs = problem
    samples = rng.permutation(len(objective.answers))
    values = objective.take(samples).values(outputs[objective.answers.rows(samples)])
    assert_allclose(values, objective.values(outputs)[samples], rtol=1e-10, atol=1e-12)


def test_values_of_rows_are_those_of_their_samples(problem):
    answers = problem[1].answers
    samples = np.arange(len(answers), dtype=float) + 1
    for i in (0, len(answers) // 2, len(answers) - 1):
        assert_allclose(answers.per_row(samples)[answers.rows(np.array([i]))], i + 1)


def test_answers_that_an_estimator_reads_are_taken_as_they_are(rng):
    answers = PassthroughAnswers(np.array(["a", "b", "c", "d"]))
    assert len(answers) == 4
    assert answers.take([2, 0]).target.tolist() == ["c", "a"]
    assert_array_equal(np.sort(answers.folds(2, rng).samples), np.arange(4))
    with pytest.raises(AttributeError):
        answers.arrange(np.zeros((4, 1)))


def test_an_observed_score_counts_in_its_energy_and_not_in_z(rng):
    X, answers = scores(rng)
    outputs = rng.standard_normal((len(X), answers.n_outputs))
    energies, _ = answers.arrange(outputs)
    values = NLL()(Gibbs(energies, answers.log_measure), answers.target)[0]
    z = np.exp(outputs @ SPLINES.at_nodes.T) @ np.exp(SPLINES.log_weights)
    at_observed = len(X) / (len(X) + 1) * SPLINES(answers.z)  # beside one pseudo-observation
    expected = -np.sum(outputs * at_observed, axis=1) + np.log(z)
    assert_allclose(values, expected, rtol=1e-10, atol=1e-12)
