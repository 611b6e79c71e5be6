"""Forests whose held-out outputs are those of trees that did not draw a row."""

import numpy as np
from helpers import training_of
from sklearn.ensemble import ExtraTreesClassifier

from sk_ebm._core.classes import Labels
from sk_ebm._core.folds import Folds
from sk_ebm._core.objective import Objective
from sk_ebm.energies.experts._forest_expert import OutOfBagEnergy
from sk_ebm.losses import NLL


def forest():
    return OutOfBagEnergy(ExtraTreesClassifier(50, bootstrap=True, oob_score=True))


def test_held_out_outputs_are_out_of_bag(rng):
    X, y = rng.standard_normal((200, 3)), rng.randint(2, size=200)  # nothing to learn
    training = training_of(Objective(Labels.of(y), NLL(), np.ones(len(y))))
    result = forest().fit(X, training)
    samples, outputs = result.held_out
    assert samples.tolist() == list(range(200))
    held_out = np.mean(outputs.argmax(axis=1) == y)
    assert abs(held_out - 0.5) < 0.15 < np.mean(result.energy(X).argmax(axis=1) == y) - 0.5


def test_folds_of_the_user_are_respected(rng):
    X, y = rng.standard_normal((60, 3)), rng.randint(2, size=60)
    training = training_of(Objective(Labels.of(y), NLL(), np.ones(len(y))))
    folds = Folds(((np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))))
    assert forest().fit(X, training.replace(folds=folds)).held_out is None
