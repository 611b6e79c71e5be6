"""Fits of the energies of label sequences."""

import numpy as np
import pytest
from helpers import training_of
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from sklearn.base import clone

from sk_ebm._core.chains import Chains
from sk_ebm._core.folds import Folds
from sk_ebm._core.objective import Objective
from sk_ebm.energies import ENERGIES, LinearEnergy, TreesEnergy
from sk_ebm.energies._chain_training import chain_folds, fit_chains
from sk_ebm.losses import NLL, Perceptron

K, D = 3, 4
WEIGHTS = np.random.RandomState(7).standard_normal((D, K))
TRANSITIONS = np.array([[1.5, 0, -1], [-1, 1.5, 0], [0, -1, 1.5]])


def problem(rng, n=300, loss=None, **settings):
    """Sequences drawn from known energies: inputs, and an objective."""
    starts = np.concatenate([[0], np.cumsum(rng.randint(1, 8, size=n))])
    X = rng.standard_normal((starts[-1], D))
    true = Chains(None, starts, K, None, transitions=TRANSITIONS)
    labels = true.distribution(X @ WEIGHTS).sample(rng)
    chains = Chains(labels, starts, K, loss or NLL(), **settings)
    return X, Objective(chains, loss or NLL(), np.ones(n))


def centred(transitions):
    """Without what biases of labels can take over."""
    rows = transitions - transitions.mean(axis=0)
    return rows - rows.mean(axis=1, keepdims=True)


def test_the_linear_fit_is_the_joint_optimum(rng):
    X, objective = problem(rng, 100)
    found = fit_chains(LinearEnergy(), X, training_of(objective, alpha=0.01, tol=1e-9))
    n_weights = (D + 1) * K

    def value(flat):
        weights = flat[:n_weights].reshape(D + 1, K)
        transitions = flat[n_weights:].reshape(K, K)
        outputs = np.concatenate([X @ weights[:-1] + weights[-1], transitions])
        squares = np.sum(weights[:-1] ** 2) + np.sum(transitions**2)
        return objective.value_and_gradient(outputs)[0] + 0.005 * squares

    least = minimize(value, np.zeros(n_weights + K * K), tol=1e-9)
    coef, biases = found.energy.coef_, found.energy.intercept_
    flat = np.concatenate([coef.ravel(), biases, found.transitions.ravel()])
    assert_allclose(value(flat), least.fun, rtol=1e-4)
    assert_allclose(coef, least.x[: D * K].reshape(D, K), atol=0.02)


def test_transitions_are_those_that_sequences_were_drawn_with(rng):
    """Within two standard errors, about: the largest of nine within three."""
    X, objective = problem(rng, 3000)
    found = fit_chains(LinearEnergy(), X, training_of(objective, alpha=1e-5, tol=1e-9))
    errors = []
    for part in np.array_split(np.arange(3000), 5):
        of_part = objective.take(part)
        rows = objective.answers.rows(part)
        fit = fit_chains(LinearEnergy(), X[rows], training_of(of_part, alpha=1e-5, tol=1e-9))
        errors.append(centred(fit.transitions))
    standard_error = np.std(errors, axis=0, ddof=1).mean() / np.sqrt(5)
    gap = np.abs(centred(found.transitions) - centred(TRANSITIONS))
    assert gap.max() < 3 * standard_error
    assert np.sqrt(np.mean(gap**2)) < 2 * standard_error


@pytest.mark.parametrize("name", ["linear", "kernel", "mlp", "trees", "prototype"])
def test_every_energy_learns_transitions_and_is_calibrated(name, rng):
    X, objective = problem(rng)
    training = training_of(objective, alpha="auto", calibrates=True)
    found = fit_chains(clone(ENERGIES[name]()), X, training)
    beta = found.learn_beta()
    X_test, new = problem(rng, 300)
    answers = new.answers.with_transitions(found.transitions)
    gibbs = answers.distribution(found.scale * found.energy(X_test)).at(beta)
    independent = answers.with_transitions(np.zeros((K, K)))
    alone = independent.distribution(found.scale * found.energy(X_test)).mode
    correct = gibbs.mode == answers.labels
    assert correct.mean() > np.mean(alone == answers.labels) + 0.02
    marginals = gibbs.marginals
    assert (
        abs(marginals.max(axis=1).mean() - np.mean(marginals.argmax(axis=1) == answers.labels))
        < 0.05
    )


def test_transitions_by_input_depend_on_it(rng):
    X, objective = problem(rng, 200, by_input=True)
    found = fit_chains(LinearEnergy(), X, training_of(objective, alpha=0.01))
    assert found.transitions is None
    assert found.energy.coef_.shape == (D, K + K * K)


def test_given_transitions_stay(rng):
    given = np.zeros((K, K))
    for energy in (LinearEnergy(), TreesEnergy()):
        X, objective = problem(rng, 100, transitions=given)
        assert fit_chains(energy, X, training_of(objective, alpha=0.01)).transitions is given


def test_held_out_sequences_are_of_folds_that_were_not_fitted_on_them(rng):
    X, objective = problem(rng, 50)
    pairs = ((np.arange(25), np.arange(25, 50)), (np.arange(25, 50), np.arange(25)))
    training = training_of(objective, alpha=0.01, folds=Folds(pairs), calibrates=True)
    found = fit_chains(LinearEnergy(), X, training)
    assert [part.sequences.tolist() for part in found.parts] == [list(t) for _, t in pairs]
    alone = fit_chains(
        LinearEnergy(),
        X[objective.answers.rows(pairs[0][0])],
        training_of(objective.take(pairs[0][0]), alpha=0.01),
    )
    rows = objective.answers.rows(pairs[0][1])
    answers = objective.answers.take(pairs[0][1]).with_transitions(alone.transitions)
    expected = answers.distribution(alone.energy(X[rows])).marginals
    assert_allclose(found.parts[0].gibbs.marginals, expected, atol=2e-3)


def test_folds_hold_out_enough_positions(rng):
    objective = problem(rng, 300)[1]
    folds = chain_folds(training_of(objective))
    lengths = np.diff(objective.answers.starts)
    tested = [lengths[test].sum() for _, test in folds]
    assert sum(tested) >= 1000 or len(folds) == 5
    assert sum(tested[:-1]) < 1000


def test_losses_that_leave_the_scale_open_are_calibrated_at_that_of_the_fit(rng):
    X, objective = problem(rng, 300, Perceptron())
    training = training_of(objective, alpha="auto", calibrates=True)
    found = fit_chains(LinearEnergy(), X, training)
    spread = np.std(found.energy(X))
    for part in found.parts:
        assert_allclose(np.std(part.gibbs.unary), spread, rtol=0.1)


def test_one_sequence_has_nothing_to_hold_out(rng):
    X, objective = problem(rng, 1)
    found = fit_chains(LinearEnergy(), X, training_of(objective, alpha="auto", calibrates=True))
    assert not found.parts
    assert found.learn_beta() == 1.0
