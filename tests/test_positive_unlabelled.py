"""Learners of a few anomalies among unknown rows: held-out scores and weights."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sk_ebm.energies.inputs import _positive_unlabelled
from sk_ebm.energies.inputs._positive_unlabelled import (
    LEARNERS,
    BaggedTrees,
    KernelRidge,
    row_weights,
)


@pytest.fixture
def rows(rng):
    codes = np.where(np.arange(120) < 6, -1, 0)
    X = rng.standard_normal((120, 3)) + 1.5 * (codes == -1)[:, None]
    return X, codes, np.ones(120)


def test_anomalies_weigh_as_much_as_all_others():
    codes = np.array([-1, -1, 0, 0, 0, 1])
    weights = row_weights(codes, np.array([1.0, 3.0, 1.0, 1.0, 2.0, 5.0]))
    assert_allclose(weights[:2], [0.125, 0.375])
    assert_allclose(weights[2:].sum(), 0.5)
    assert_allclose(weights[5], 1 / 3 / 2 / 2)  # one compatible row, two anomalies
    assert_allclose(row_weights(codes[[0, 5]], np.ones(2)), [0.5, 0.5])


@pytest.mark.parametrize("name", LEARNERS)
def test_anomalies_that_are_held_out_are_told_from_others(name, rows, rng):
    X, codes, weights = rows
    scores = LEARNERS[name]().fit(X, codes, weights, rng)
    assert scores.held_out[codes == -1].mean() > scores.held_out[codes == 0].mean() + 0.2
    noise = rng.standard_normal(X.shape)
    blind = LEARNERS[name]().fit(noise, codes, weights, rng)
    gap = blind.held_out[codes == -1].mean() - blind.held_out[codes == 0].mean()
    seen = blind.learner.scores(noise)
    assert gap < 0.5 * (seen[codes == -1].mean() - seen[codes == 0].mean())


def test_a_single_anomaly_is_not_held_out(rows, rng):
    X, _, weights = rows
    codes = np.where(np.arange(120) < 1, -1, 0)
    for kind in LEARNERS.values():
        held_out = kind().fit(X, codes, weights, rng).held_out
        assert np.isnan(held_out[0])
        assert np.isfinite(held_out[1:]).all()


def test_held_out_scores_of_the_kernel_are_those_of_refits(rows, rng, monkeypatch):
    X, codes, weights = rows
    monkeypatch.setattr(_positive_unlabelled, "_PENALTIES", [0.01])
    learner, held_out = KernelRidge().fit(X, codes, weights, rng)
    features, target = learner._features(X), np.where(codes == -1, 1.0, -1.0)
    balanced = row_weights(codes, weights)
    centered = features - balanced @ features
    penalty = 0.01 * (balanced @ centered**2).sum()
    for row in (0, 60):
        others = np.arange(120) != row
        w, A = balanced[others], np.column_stack([features[others], np.ones(119)])
        ridge = np.diag(np.append(np.full(features.shape[1], penalty), 0))
        beta = np.linalg.solve((w[:, None] * A).T @ A + ridge, A.T @ (w * target[others]))
        assert_allclose(np.append(features[row], 1) @ beta, held_out[row], rtol=1e-6)


def test_trees_draw_few_of_the_unknown_rows(rows, rng, monkeypatch):
    monkeypatch.setattr(_positive_unlabelled, "_N_TREES", 5)
    trees = BaggedTrees().fit(*rows, rng).learner.trees_
    assert [tree.tree_.n_node_samples[0] <= 6 + 30 for tree in trees] == [True] * 5
