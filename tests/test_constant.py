"""The energy that is the same for all inputs."""

import numpy as np
from numpy.testing import assert_allclose

from sk_ebm import EnergyClassifier
from sk_ebm.energies._constant import ConstantEnergy


def test_classes_have_their_shares():
    X, y = np.full((10, 2), np.nan), np.repeat([0, 1, 2], [5, 3, 2])
    classifier = EnergyClassifier(ConstantEnergy(), beta=1).fit(X, y)
    assert_allclose(classifier.predict_proba(X)[0], [0.5, 0.3, 0.2], atol=1e-4)
