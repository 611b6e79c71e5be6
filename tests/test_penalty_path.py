"""The choice of a penalty along a path."""

import numpy as np
import pytest
from helpers import fit, training_of
from numpy.testing import assert_allclose

from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm.energies import LinearEnergy
from sk_ebm.energies._design import make_design
from sk_ebm.energies._penalty_path import _trials
from sk_ebm.losses._likelihood import NLL

n, d, n_classes = 60, 5, 3


@pytest.mark.parametrize(("with_folds", "unit"), [(False, 1.0), (False, 1e3), (True, 1.0)])
def test_no_penalty_of_the_path_is_better_out_of_sample(with_folds, unit, X, objective, rng):
    """Nor where a column in a large unit says nothing, so that strong penalties do neither."""
    X = np.column_stack([X, unit * rng.standard_normal(n)])
    training = training_of(objective, rng, alpha="auto")
    folds = training.default_folds() if with_folds else None
    training = training.replace(folds=folds)
    design = make_design(
        X, objective.weights, rotate=True, idle=objective.answers.idle_outputs(True)
    )
    trial = _trials(design, training, folds)
    path = LinearEnergy()._path(design, objective.weights.sum())
    inits = [np.zeros((d + 2, n_classes))] * (len(folds) if with_folds else 1)
    chosen = trial(LinearEnergy().fit(X, training).alpha, inits).value
    assert chosen < 1.004 * min(trial(alpha, inits).value for alpha in path)


def test_the_penalty_of_a_likelihood_goes_with_its_beta(X, objective, rng):
    """It is the same problem: (1 / b) times the likelihood of b W at the penalty alpha / b."""
    folds = objective.answers.folds(5, rng)
    settings = {"alpha": "auto", "calibrates": True, "folds": folds}
    alphas = [
        fit(LinearEnergy(), X, objective.replace(loss=NLL(beta)), **settings).alpha
        for beta in (1, 0.1)
    ]
    assert_allclose(alphas[1], 0.1 * alphas[0], rtol=1e-9)


def test_a_likelihood_that_will_be_calibrated_is_evaluated_as_such(rng):
    X = rng.standard_normal((200, d))
    labels = Labels((X[:, 0] + 0.3 * rng.logistic(size=200) > 0).astype(int), 2)
    objective = Objective(labels, NLL(), np.ones(200))
    training = training_of(objective, rng, alpha="auto")
    design, folds = make_design(X, objective.weights, rotate=True), training.default_folds()
    inits = [np.zeros((d + 1, 1))] * len(folds)
    alone = _trials(design, training, folds)(1.0, inits)
    calibrated = _trials(design, training.replace(calibrates=True), folds)(1.0, inits)
    samples, outputs = alone.held_out
    evaluation = objective.take(samples)
    best = min(
        evaluation.value_and_gradient(scale * outputs)[0] for scale in np.geomspace(0.1, 100, 200)
    )
    assert_allclose(calibrated.value, best, rtol=1e-2)
    assert best < 0.9 * alone.value


def test_an_outlier_counts_no_more_than_a_probability_of_one_in_n(X, objective, rng):
    X[0] = 1e4
    training = training_of(objective, rng, alpha=0.01)
    folds = training.default_folds()
    design = make_design(
        X, objective.weights, rotate=True, idle=objective.answers.idle_outputs(True)
    )
    trial = _trials(design, training, folds)(1e-6, [np.zeros((d + 1, n_classes))] * 5)
    samples, outputs = trial.held_out
    evaluation = objective.take(samples)
    values, share = evaluation.values(outputs), evaluation.weights / evaluation.weights.sum()
    most = np.log(n_classes) + np.log1p(objective.weights.sum())
    assert values.max() > 2 * most
    assert_allclose(trial.value, share @ np.minimum(values, most), rtol=1e-9)
