"""The generic class: energies as log likelihood ratios."""

import numpy as np
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal

from sk_ebm.energies._class_prior import class_prior
from sk_ebm.energies._generic_class import (
    beside_generic_class,
    generic_energies,
    with_generic_class,
)


def test_energies_are_log_likelihood_ratios(rng):
    between = np.array([4.0, 0.5, 1.0])
    prior = class_prior(np.zeros((2, 3)), np.ones(2), between)
    x, vectors = rng.standard_normal((5, 3)), rng.standard_normal((4, 3))
    biases = -0.5 * np.square(vectors).sum(axis=1)
    outputs = beside_generic_class(x, prior) @ with_generic_class(vectors).T + biases
    generic = multivariate_normal(cov=np.diag(1 + between)).logpdf(x)
    ratios = [multivariate_normal(v, np.eye(3)).logpdf(x) - generic for v in vectors]
    assert_allclose(outputs, np.transpose(ratios))


def test_scaled_features_have_scaled_energies_in_their_precision(rng):
    prior = class_prior(np.zeros((2, 3)), np.ones(2), np.array([4.0, 0.5, 1.0]))
    x = rng.standard_normal((5, 3))
    scaled = generic_energies(0.3 * x, prior.scaled(0.3))
    assert_allclose(scaled, 0.09 * generic_energies(x, prior))
    single = beside_generic_class(x.astype(np.float32), prior)
    assert single.dtype == np.float32
    assert with_generic_class(x.astype(np.float32)).dtype == np.float32
