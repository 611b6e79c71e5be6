"""Answers of a continuous target, by their normal scores."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sk_ebm._core.objective import Objective
from sk_ebm._density.score_answers import NormalScoreAnswers
from sk_ebm._density.splines import NormalSplines
from sk_ebm.losses._likelihood import NLL

SPLINES = NormalSplines(8)


@pytest.fixture
def problem(rng):
    answers = NormalScoreAnswers(rng.standard_normal(40), SPLINES)
    objective = Objective(answers, NLL(), rng.uniform(0.5, 2, size=40))
    return objective, rng.standard_normal((40, 8))


def test_pullback_of_the_answers_is_the_adjoint_of_arrange(problem, rng):
    objective, outputs = problem
    energies, pullback = objective.answers.arrange(outputs)
    gradients = rng.standard_normal(energies.shape)
    assert_allclose(np.vdot(energies, gradients), np.vdot(outputs, pullback(gradients)), rtol=1e-12)


def test_gradients_of_the_answers_match_finite_differences(problem, rng, derivative):
    objective, outputs = problem
    along = rng.standard_normal(outputs.shape)
    expected = derivative(lambda o: objective.value_and_gradient(o)[0], outputs, along)
    assert_allclose(np.vdot(objective.value_and_gradient(outputs)[1], along), expected, rtol=1e-6)


def test_curvature_of_the_answers_matches_finite_differences(problem, rng, derivative):
    objective, outputs = problem
    along = rng.standard_normal(outputs.shape)
    expected = derivative(lambda o: objective.value_and_gradient(o)[1], outputs, along)
    assert_allclose(objective.curvature(outputs).product(along), expected, rtol=1e-5, atol=1e-9)


def test_curvature_diagonal_of_the_answers_is_that_of_its_product(problem):
    objective, outputs = problem
    curvature = objective.curvature(outputs)
    unit = np.zeros_like(outputs)
    unit[7, 3] = 1
    assert_allclose(curvature.diagonal[7, 3], curvature.product(unit)[7, 3], rtol=1e-12)


def test_curvature_of_a_density_with_all_mass_on_one_node_is_not_negative(problem, rng):
    objective, outputs = problem
    assert (objective.curvature(1000 * outputs).diagonal >= 0).all()
