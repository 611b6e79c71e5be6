"""Held-out energies of inputs without refits: as if each row had been left out of the fit."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from scipy.stats import ks_2samp
from sklearn.ensemble import IsolationForest

from sk_ebm import EnergyDetector
from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm._core.training import Training
from sk_ebm.energies import (
    ForestEnergy,
    GaussianEnergy,
    MixtureEnergy,
    NeighborsEnergy,
)
from sk_ebm.energies._fold_median import FoldMedian
from sk_ebm.energies.inputs._normal_mixture import fit_robust_mixture
from sk_ebm.energies.inputs._normal_scores import NormalScores
from sk_ebm.energies.inputs._shrunk_covariance import ShrunkCovariance
from sk_ebm.energies.inputs._whitening import Whitening
from sk_ebm.losses import NLL
from sk_ebm.thresholds import Contamination

ENERGIES = [
    ForestEnergy(n_estimators=50),
    GaussianEnergy(),
    MixtureEnergy(),
    NeighborsEnergy(),
    NeighborsEnergy(n_neighbors=2, whiten=True),
    NeighborsEnergy(n_neighbors=2, whiten=0.5, normal_scores=True),
    NeighborsEnergy(n_neighbors=5, whiten=0.5),
]
every_energy = pytest.mark.parametrize("energy", ENERGIES, ids=str)


def held_out_energies(energy, X, folds=None):
    answers, rng = Labels(np.ones(X.shape[0], int), 2), np.random.RandomState(0)
    folds = answers.folds(5, rng) if folds is None else folds
    objective = Objective(answers, NLL(), np.ones(X.shape[0]))
    result = energy.fit(X, Training(objective, folds=folds, rng=rng, leave_one_out=True))
    samples, outputs = result.held_out
    return -outputs[np.argsort(samples), 0]


@every_energy
@pytest.mark.parametrize("shape", [(300, 4), (300, 100)], ids=str)
def test_they_are_distributed_as_those_of_new_rows(energy, shape, rng):
    mixing = rng.standard_normal((shape[1], shape[1]))
    X, new = (rng.standard_t(4, (n, shape[1])) @ mixing for n in (shape[0], 2000))
    held_out = held_out_energies(energy, X)
    assert ks_2samp(held_out, energy.energies(new)).statistic < 0.12  # .08 at a level of 5 %
    assert abs(np.mean(energy.energies(new) > np.quantile(held_out, 0.9)) - 0.1) < 0.06


@every_energy
def test_they_are_higher_than_those_of_the_fit(energy, rng):
    X = rng.standard_normal((40, 3))
    X[0] = 20
    held_out = held_out_energies(energy, X)
    assert held_out.argmax() == 0
    assert held_out.mean() >= energy.energies(X).mean()


def test_of_the_covariance_they_are_those_of_a_refit(rng):
    X, weights = rng.standard_normal((400, 4)) * [1, 2, 3, 9], rng.uniform(0.5, 2, 400)
    found = ShrunkCovariance(X, weights).mahalanobis_left_out(X, weights)
    for i in (0, 7, int(found.argmax())):
        others = np.delete(X, i, 0), np.delete(weights, i)
        refitted = ShrunkCovariance(*others).mahalanobis(X[[i]])
        assert_allclose(found[i], refitted, rtol=1e-3)  # the shrinkage changes a little
    assert found.argmax() == ShrunkCovariance(X, weights).mahalanobis(X).argmax()


def test_of_one_component_they_are_those_of_a_refit(rng):
    X = rng.standard_normal((60, 3))
    mixture, masses = fit_robust_mixture(X, np.ones(60), 1, 0.0)
    found = mixture.log_densities_left_out(X, masses, np.ones(60))
    for i in (0, 7):
        refitted = fit_robust_mixture(np.delete(X, i, 0), np.ones(59), 1, 0.0)[0]
        assert_allclose(found[i], refitted.log_densities(X[[i]]), rtol=1e-6)


@pytest.mark.parametrize("power", [0.5, 1.0])
@pytest.mark.parametrize("shape", [(60, 4), (30, 60)], ids=str)
def test_of_whitened_rows_they_are_those_of_a_refit(power, shape, rng):
    X, ones = rng.standard_normal(shape) * rng.uniform(0.5, 2, shape[1]), np.ones(shape[0])
    covariance = ShrunkCovariance(X, ones)
    whitening = Whitening(covariance, power)
    white = whitening(X)
    differences = white[:5, None] - white[None, 5:9]
    squares = np.square(differences).sum(axis=2)
    found = whitening.distances_left_out(white[:5], differences, ones[:5])
    n, mean_variance = shape[0], covariance.outside
    for i in range(5):
        others = np.delete(X, i, axis=0)
        S = covariance.unshrunk * np.cov(others.T, bias=True)  # with the shrinkage of all rows
        S += mean_variance * np.eye(shape[1]) * n / (n - 1)
        values, directions = np.linalg.eigh(S)
        inner = (X[i] - X[5:9]) @ directions
        exact = np.sqrt((inner**2 / values**power).sum(axis=1))
        assert_allclose(found[i], exact, rtol=0.03)
        assert np.abs(np.sqrt(squares[i]) - exact).max() > np.abs(found[i] - exact).max()


def test_normal_scores_are_those_without_the_row(rng):
    X, weights = np.round(rng.standard_normal((40, 3)), 1), rng.choice([1.0, 2.0], 40)
    scores = NormalScores(X, weights)
    left_out = scores.left_out(X, weights)
    assert_allclose(left_out.inside(), scores(X))
    for i in range(40):
        rows = np.delete(np.arange(40), i)
        refitted = NormalScores(X[rows], weights[rows])
        assert_allclose(refitted(X[[i]])[0], left_out.outside[i])
        found = left_out.of_others(np.array([i]), rows[None])[0]
        assert_allclose(refitted(X[rows]), found)
    far = scores(X.max(axis=0) + np.array([[1.0], [10.0], [1e20]]))
    assert (np.diff(far, axis=0) > 0).all()
    assert far.max() < 60


def test_neighbors_are_others(rng):
    X = np.repeat(rng.standard_normal((15, 2)), 2, axis=0)
    found = held_out_energies(NeighborsEnergy(n_neighbors=1), X)
    assert_allclose(found, 0, atol=1e-6)  # the copy is another row
    assert held_out_energies(NeighborsEnergy(n_neighbors=2), X).min() > 0


def test_the_forest_is_that_of_scikit_learn(rng):
    X = rng.standard_normal((600, 3))
    energy = ForestEnergy(n_estimators=20)
    energy.fit_rows(X, np.ones(600), np.random.RandomState(0))
    inner = energy.forest_
    assert isinstance(inner, IsolationForest)
    assert inner.max_samples_ == 256
    assert_allclose(energy.energies(X), -inner.score_samples(energy._columns(X)))


@pytest.mark.parametrize("n_rows", [50, 12_000])
def test_rows_that_are_not_drawn_have_the_energies_of_new_rows(n_rows, rng, monkeypatch):
    monkeypatch.setattr(GaussianEnergy, "max_rows", 30)
    X = rng.standard_normal((n_rows, 2))
    energy = GaussianEnergy()
    found = held_out_energies(energy, X)
    assert np.mean(found == energy.energies(X)) > 1 - 40 / n_rows


@pytest.mark.parametrize(
    ("settings", "n_fits"),
    [({}, 1), ({"cv": 3}, 4), ({"groups": np.arange(60) // 2}, 6)],
    ids=["default", "cv", "groups"],
)
def test_folds_are_fitted_where_the_user_gives_them(settings, n_fits, rng, monkeypatch):
    calls, fit = [], GaussianEnergy.fit_rows

    def counting(self, *arguments):
        calls.append(1)
        return fit(self, *arguments)

    monkeypatch.setattr(GaussianEnergy, "fit_rows", counting)
    groups = settings.get("groups")
    own = {"cv": settings["cv"]} if "cv" in settings else {}
    EnergyDetector("gaussian", novelty=True, **own).fit(rng.standard_normal((60, 2)), groups=groups)
    assert len(calls) == n_fits


def test_forests_need_no_median_of_folds_in_wide_tables(rng):
    X = rng.standard_normal((40, 60))
    for energy, expected in (("forest", False), ("gaussian", True), ("mixture", True)):
        found = EnergyDetector(energy, random_state=0).fit(X)
        assert isinstance(found.energy_, FoldMedian) == expected
    wide = EnergyDetector("gaussian", random_state=0).fit(rng.standard_normal((300, 200)))
    assert not isinstance(wide.energy_, FoldMedian)  # many rows: each moves the scales little


@every_energy
def test_of_sparse_rows(energy, rng):
    X = sparse.random_array((120, 8), density=0.3, rng=rng, format="csr")
    found = held_out_energies(energy, X)
    assert np.isfinite(found).all()
    assert not np.array_equal(found, energy.energies(X))


def test_labelled_anomalies_are_held_out_anyhow(rng):
    X, y = rng.standard_normal((60, 2)), np.repeat([1, -1], [50, 10])
    X[50:] += 5
    found = EnergyDetector(["gaussian", "linear"], labels="anomaly", random_state=0).fit(X, y)
    assert found.energies(X[50:]).min() > found.energies(X[:50]).max()


@pytest.mark.parametrize("rate", [0.1, 0.05])
def test_the_level_of_many_rows_is_estimated_from_some(rate, rng):
    X = rng.standard_normal((50_000, 2))
    found = EnergyDetector("gaussian", threshold=Contamination(rate), random_state=0).fit(X)
    assert abs(np.mean(found.predict(X) == -1) / rate - 1) < 0.06


@pytest.mark.parametrize("whiten", [False, 0.5])
def test_of_ranks_of_few_rows_they_are_nearly_those_of_a_refit(whiten, rng):
    X = rng.standard_normal((40, 5))
    energy = NeighborsEnergy(2, whiten, normal_scores=True)
    found = held_out_energies(energy, X)
    refitted = []
    for i in range(40):
        held_out_energies(energy, np.delete(X, i, axis=0))
        refitted.append(energy.energies(X[[i]])[0])
    assert abs(np.log(np.mean(found) / np.mean(refitted))) < 0.03
    assert abs(np.log(np.quantile(found, 0.9) / np.quantile(refitted, 0.9))) < 0.06
