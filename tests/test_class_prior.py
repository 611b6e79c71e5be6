"""What features of classes say about their means."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sk_ebm.energies._class_prior import _ridge, class_prior


def drawn(rng, n_classes=60, noise=1.0):
    """Features (K, 3) of classes, their means (K, 2), and means of four rows each."""
    features = rng.standard_normal((n_classes, 3))
    means = features @ rng.standard_normal((3, 2)) + noise * rng.standard_normal((n_classes, 2))
    return features, means, means + 0.5 * rng.standard_normal((n_classes, 2))


def test_without_features_means_shrink_towards_the_mean_of_all():
    prior = class_prior(np.ones((3, 2)), np.ones(3), np.array([1.0, 3.0]))
    counts = np.array([0.0, 1.0, 3.0])
    found = prior.posterior_means(np.ones((3, 2)), counts, prior.predicted())
    assert_allclose(found, [[0, 0], [1 / 2, 3 / 4], [3 / 4, 9 / 10]])


@pytest.mark.parametrize("noise", [0.1, 1.0])
def test_features_predict_means_and_the_variances_around_them(rng, noise):
    features, means, observed = drawn(rng, noise=noise)
    counts = np.full(60, 4.0)
    prior = class_prior(observed[:40], counts[:40], np.var(means, axis=0), features[:40])
    new = prior.predicted(features[40:])
    assert np.mean((new - means[40:]) ** 2) < 0.3 * np.var(means) + noise**2
    assert np.all(prior.between < 3 * noise**2 + 0.3)
    shrunk = prior.posterior_means(observed[40:], counts[40:], new)
    errors = [np.mean((guess - means[40:]) ** 2) for guess in (shrunk, observed[40:], new)]
    assert errors[0] < 1.1 * min(errors[1:])


def test_features_that_predict_nothing_leave_the_mean_of_all(rng):
    _, means, observed = drawn(rng)
    nothing = np.column_stack([rng.standard_normal((60, 5)), np.full(60, 7.0)])
    prior = class_prior(observed, np.full(60, 4.0), np.var(means, axis=0), nothing)
    assert np.std(prior.predicted(nothing)) < 0.3 * np.std(means)
    assert np.all(prior.between > 0.5 * np.var(means, axis=0))


def test_leave_one_out_errors_are_those_of_refits(rng):
    features, _, observed = drawn(rng, 12)
    weights = rng.uniform(0.5, 2, 12)
    centred = features - weights @ features / weights.sum()
    _, _, errors = _ridge(centred, observed, weights)
    left = np.delete(np.arange(12), 3)
    best = np.inf
    for strength in 12 * np.logspace(-4, 4, 17):  # the error of one of them
        design = np.column_stack([centred[left], np.ones(11)])
        gram = design.T @ (weights[left, None] * design) + strength * np.diag([1, 1, 1, 0])
        coef = np.linalg.solve(gram, design.T @ (weights[left, None] * observed[left]))
        error = observed[3] - np.append(centred[3], 1) @ coef
        best = min(best, np.abs(error - errors[3]).max())
    assert best < 1e-8


def test_classes_without_rows_are_predicted_and_not_learned_from(rng):
    features, means, observed = drawn(rng)
    counts = np.full(60, 4.0)
    counts[50:] = 0
    observed[50:] = 1e6
    prior = class_prior(observed, counts, np.var(means, axis=0), features)
    predicted = prior.predicted(features)
    assert_allclose(prior.posterior_means(observed, counts, predicted)[50:], predicted[50:])
    assert np.abs(predicted).max() < 20
