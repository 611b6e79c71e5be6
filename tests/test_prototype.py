"""Prototype energies."""

import numpy as np
import pytest
from helpers import fit
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm import EnergyClassifier
from sk_ebm.energies import PrototypeEnergy
from sk_ebm.losses._table1 import EnergyLoss

n, n_classes = 60, 3


@pytest.mark.parametrize("energy", [PrototypeEnergy(), PrototypeEnergy(2, latent="min")])
def test_vjp_matches_finite_differences(energy, X, objective, rng, derivative):
    energy = fit(energy, X, objective, alpha=0.01).energy
    params, along = rng.standard_normal((2, *energy.prototypes_.shape))
    gradient = rng.standard_normal((n, n_classes))
    expected = derivative(lambda p: np.vdot(energy._vjp(p, X)[0], gradient), params, along)
    assert_allclose(np.vdot(energy._vjp(params, X)[1](gradient), along), expected, rtol=1e-6)


def test_the_energy_loss_with_one_prototype_gives_weighted_class_means(X, objective, rng):
    target, weights = objective.answers.target, objective.weights
    expected = [
        np.average(X[target == k], axis=0, weights=weights[target == k]) for k in range(n_classes)
    ]
    energy = fit(PrototypeEnergy(1), X, objective.replace(loss=EnergyLoss()), alpha=0.01).energy
    assert_allclose(energy.prototypes_, expected, atol=1e-6)


@pytest.mark.parametrize("latent", ["min", "free"])
def test_energies_are_never_negative(latent, X, objective, rng):
    energy = fit(PrototypeEnergy(3, latent=latent), X, objective, rng, alpha=0.01).energy
    assert (energy(X) <= 0).all()


def test_a_prototype_has_the_energy_of_its_class_alone(X, objective, rng):
    energy = fit(PrototypeEnergy(2, latent="min"), X, objective, rng, alpha=0.01).energy
    own = -energy(energy.prototypes_)[np.arange(len(energy.prototypes_)), energy.classes_of_]
    assert_allclose(own, energy.surprise_[energy.classes_of_], atol=1e-12)
    shares = np.bincount(objective.answers.target, objective.weights) / objective.weights.sum()
    assert_allclose(energy.surprise_, -np.log(shares))


def test_a_class_has_no_more_prototypes_than_distinct_samples(X, objective, rng):
    X[objective.answers.target == 1] = X[0]
    energy = fit(PrototypeEnergy(3), X, objective, rng, alpha=0.01).energy
    assert_array_equal(np.bincount(energy.classes_of_), [3, 1, 3])


def test_a_class_of_one_row_has_one_prototype(rng):
    X, y = rng.standard_normal((6, 18)), np.array([0, 0, 0, 1, 1, 2])
    energy = (
        EnergyClassifier(PrototypeEnergy(latent="min"), "log", random_state=0).fit(X, y).energy_
    )
    assert_array_equal(np.bincount(energy.classes_of_)[1:], [2, 1])


@pytest.mark.parametrize("size", [1e20, 1e-20])
def test_squares_that_single_precision_does_not_hold_are_refused(size, rng):
    X = (size * rng.standard_normal((20, 2))).astype(np.float32)
    with pytest.raises(ValueError, match=r"between 1e-18 and 1e\+18"):
        EnergyClassifier("prototype").fit(X, np.arange(20) % 2)
