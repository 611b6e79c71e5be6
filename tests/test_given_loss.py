"""An energy that is fitted to a loss of its own."""

import numpy as np
from numpy.testing import assert_array_equal
from sklearn.base import clone

from sk_ebm import EnergyClassifier
from sk_ebm.energies import LinearEnergy
from sk_ebm.energies._given_loss import GivenLossEnergy
from sk_ebm.losses import Hinge


def test_the_loss_is_its_own(rng):
    X = rng.standard_normal((80, 3))
    y = (X[:, 0] + 0.3 * rng.standard_normal(80) > 0).astype(int)
    given = EnergyClassifier(GivenLossEnergy(LinearEnergy(), Hinge()), alpha=0.1, beta=1).fit(X, y)
    hinge = EnergyClassifier("linear", "hinge", alpha=0.1, beta=1).fit(X, y)
    assert_array_equal(given.energies(X), hinge.energies(X))
    assert not np.allclose(
        given.energies(X), EnergyClassifier(alpha=0.1, beta=1).fit(X, y).energies(X)
    )
    again = given.energy_.clone_with_choices()
    assert isinstance(again.loss, Hinge) and clone(again).energy is not again.energy
