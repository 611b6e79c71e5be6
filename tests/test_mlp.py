"""Energies of multi-layer perceptrons."""

import numpy as np
import pytest
from helpers import fit
from numpy.testing import assert_allclose

from sk_ebm import EnergyClassifier
from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm.energies import MLPEnergy
from sk_ebm.losses._likelihood import NLL


def value(objective, outputs):
    return objective.value_and_gradient(outputs)[0]


@pytest.mark.parametrize(
    "energy",
    [MLPEnergy(), MLPEnergy((8, 6), "tanh", early_stopping=False, n_epochs=40)],
    ids=["default", "deep"],
)
def test_vjp_matches_finite_differences(energy, X, objective, rng, derivative):
    energy = fit(energy, X, objective, alpha=0.01).energy
    size = sum(a.size for a in energy.coefs_ + energy.intercepts_)
    params, along = 0.5 * rng.standard_normal((2, size))
    gradient = rng.standard_normal((60, 3))
    expected = derivative(lambda p: np.vdot(energy._vjp(p, X)[0], gradient), params, along)
    assert_allclose(energy._vjp(params, X)[1](gradient) @ along, expected, rtol=1e-6)


def test_it_descends_on_all_answers(problem, rng):
    X, objective, outputs = problem
    energy = MLPEnergy((16,), learning_rate=0.03, n_epochs=20)
    energy = fit(energy, X, objective, rng, alpha=0.01).energy
    assert value(objective, energy(X)) < value(objective, np.zeros_like(outputs)) - 0.02


@pytest.mark.parametrize("fraction", [0.05, 0.3, 0.6, 0.9])
def test_any_fraction_is_held_out(fraction, X, objective, rng):
    energy = MLPEnergy((4,), n_epochs=2, validation_fraction=fraction)
    assert np.isfinite(fit(energy, X, objective, rng).energy(X)).all()


def test_it_learns_what_no_linear_energy_can(rng):
    X = rng.standard_normal((400, 2))
    objective = Objective(Labels((X[:, 0] * X[:, 1] > 0).astype(int), 2), NLL(), np.ones(400))
    energy = fit(MLPEnergy((16,), learning_rate=0.02), X, objective, rng).energy
    assert value(objective, energy(X)) < 0.4 * np.log(2)


def test_the_parameters_of_least_held_out_loss_are_kept(X, objective):
    result = fit(MLPEnergy((16,), learning_rate=0.3, n_epochs=60), X, objective)
    assert len(result.history) < 60
    assert np.argmin(result.history) < len(result.history) - 1


def test_a_class_without_weight_has_no_probability(rng):
    X = rng.standard_normal((100, 2))
    y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 1)
    classifier = EnergyClassifier("mlp", random_state=0).fit(X, y, sample_weight=y < 2)
    assert classifier.predict_proba(3 * X)[:, 2].max() < 1e-3


def test_huge_single_precision_columns_do_not_warn(rng):
    X = np.where(rng.uniform(size=(60, 6)) < 0.5, -1e38, 1e38).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    classifier = EnergyClassifier(MLPEnergy((4,), n_epochs=20), random_state=0).fit(X, y)
    assert np.isfinite(classifier.predict_proba(X)).all()
