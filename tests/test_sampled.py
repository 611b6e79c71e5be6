"""Candidates that mini-batches draw among many classes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_ebm import EnergyClassifier
from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm._core.sampled import HeldOutCandidates, Sampled, candidates_of
from sk_ebm._utils import memory
from sk_ebm.energies import ENERGIES, LinearEnergy, MLPEnergy
from sk_ebm.losses import NLL

N_CLASSES = 40


@pytest.fixture
def labels(rng):
    return Labels(rng.randint(N_CLASSES, size=300), N_CLASSES)


@pytest.fixture
def outputs(rng):
    return rng.standard_normal((8, N_CLASSES))


@pytest.mark.parametrize("proposal", ["frequency", "uniform", "hardest"])
def test_partition_functions_are_estimated_without_bias(proposal, labels, outputs, rng):
    """Of the incorrect classes; the correct one counts exactly."""
    answers = Sampled(labels, 16, proposal)
    if proposal == "hardest":
        answers = answers.among(rng.randint(N_CLASSES, size=(N_CLASSES, 2)))
    samples = np.arange(8)
    found = []
    for _ in range(1500):
        drawn = answers.batch(samples, rng)
        gibbs, _ = drawn.gibbs(outputs[:, drawn.columns])
        found.append(np.exp(gibbs.log_z))
    error = np.std(found, axis=0) / np.sqrt(len(found))
    expected = np.exp(outputs).sum(axis=1)
    assert (np.abs(np.mean(found, axis=0) - expected) < 4 * error).all()


def test_correct_classes_are_candidates_of_measure_one(labels, rng):
    samples = np.arange(20)
    drawn = Sampled(labels, 5).batch(samples, rng)
    assert_array_equal(drawn.columns[drawn.target], labels.target[samples])
    assert_array_equal(drawn.log_measure[samples, drawn.target], 0)
    assert (drawn.log_measure > -np.inf).sum(axis=1).max() <= 6


def test_the_nearest_classes_count_once_each(labels, rng):
    near = np.tile(np.arange(N_CLASSES)[:, None] // 2, (1, 4))
    drawn = Sampled(labels, 10, "hardest").among(near).batch(np.arange(3), rng)
    positions = np.searchsorted(drawn.columns, near[labels.target[:3], 0])
    assert_array_equal(drawn.log_measure[:, positions], 0)


def test_gradients_are_those_of_values(labels, outputs, rng):
    answers = Sampled(labels, 16)
    drawn = Objective(answers, NLL(), np.ones(300)).batch(np.arange(8), rng)
    part, direction = outputs[:, drawn.answers.columns], rng.standard_normal(outputs.shape)
    direction = direction[:, drawn.answers.columns]
    ahead, behind = (drawn.value_and_gradient(part + e * direction)[0] for e in (1e-6, -1e-6))
    gradient = drawn.value_and_gradient(part)[1]
    assert_allclose(np.vdot(gradient, direction), (ahead - behind) / 2e-6, rtol=1e-5)


def test_held_out_candidates_stand_for_all_classes(rng):
    """Exactly up to as many classes as are drawn of the others."""
    features, vectors = rng.standard_normal((20, 3)), rng.standard_normal((500, 3))
    target, biases = rng.randint(500, size=20), rng.standard_normal(500)
    outputs = features @ vectors.T + biases
    blocks = [(slice(0, 12), outputs[:12]), (slice(12, 20), outputs[12:])]
    candidates = HeldOutCandidates.of(target, blocks, 500, rng)
    found = candidates.outputs(features, vectors, biases)
    assert_allclose(found[:, 0], outputs[np.arange(20), target])
    gibbs, _ = candidates.answers.gibbs(found)
    assert_allclose(gibbs.log_z, np.log(np.exp(outputs).sum(axis=1)))


@pytest.mark.parametrize(
    "n_classes, energy, negatives, solver, expected",
    [
        (1000, "linear", "auto", "auto", "all"),
        (1001, "linear", "auto", "auto", 512),
        (1001, "embedding", "auto", "adam", 512),
        (1001, "linear", "auto", "lbfgs", "all"),
        (1001, "kernel", "auto", "auto", "all"),
        (100_000, "linear", "all", "auto", "all"),
        (10, "linear", 4, "auto", 4),
        (10, "linear", 10, "auto", "all"),
    ],
)
def test_which_candidates_there_are(n_classes, energy, negatives, solver, expected):
    labels = Labels(np.zeros(2, dtype=int), n_classes)
    answers = candidates_of(labels, ENERGIES[energy](), negatives, "frequency", solver)
    assert answers.n_negatives == expected


@pytest.mark.parametrize(
    "options, message",
    [
        ({"negatives": 0}, "negatives must be 'auto' or 'all' or an integer >= 1, got 0"),
        ({"negatives": "some"}, "negatives must be .* got 'some'"),
        ({"proposal": "nearest"}, "proposal must be 'frequency', 'uniform' or 'hardest'"),
        ({"negatives": 2, "energy": "kernel"}, "negatives=2 needs an energy .*negatives='all'"),
        ({"negatives": 2, "solver": "newton"}, "negatives=2 needs mini-batches.*'adam'"),
    ],
)
def test_bad_choices_name_the_parameter(options, message):
    with pytest.raises(ValueError, match=message):
        EnergyClassifier(**options).fit(np.eye(6), np.arange(6) // 2)


def clusters(rng, n_classes=60, n_rows=700):
    centres = 2.5 * rng.standard_normal((n_classes, 8))
    y = np.append(np.arange(n_classes), rng.randint(n_classes, size=2 * n_rows - n_classes))
    X = centres[y] * 10.0 ** np.arange(-3, 5) + rng.standard_normal((len(y), 8)) * 10.0 ** (
        np.arange(-3, 5)
    )
    return X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:]


@pytest.mark.parametrize(
    "options, remedy",
    [
        ({"negatives": "all"}, "Use negatives='auto' or a number"),
        ({"energy": "trees"}, "Use energy='linear', 'mlp' or 'embedding' alone"),
    ],
)
def test_fits_beyond_memory_are_refused_and_nothing_is_lost(options, remedy, rng, monkeypatch):
    X, y = rng.standard_normal((3200, 2)), np.arange(3200)
    classifier = EnergyClassifier("linear").fit(X[:20], y[:20] % 2).set_params(**options)
    monkeypatch.setattr(memory, "available_memory", lambda: 2**20)
    with pytest.raises(ValueError, match=f"all 3200 classes for 3200 rows need .* {remedy}"):
        classifier.fit(X, y)
    assert list(classifier.classes_) == [0, 1]


@pytest.mark.parametrize("proposal", ["frequency", "uniform", "hardest"])
@pytest.mark.parametrize("energy", ["embedding", "linear"])
def test_few_candidates_do_nearly_as_well_as_all(energy, proposal, rng):
    X, y, X_test, y_test = clusters(rng)
    options = {"random_state": 0, "proposal": proposal, "calibrate": True}
    some = EnergyClassifier(energy, negatives=20, **options).fit(X, y)
    reference = EnergyClassifier("embedding", random_state=0).fit(X, y)
    assert some.score(X_test, y_test) > reference.score(X_test, y_test) - 0.01
    p = some.predict_proba(X_test)[np.arange(len(X_test)), y_test]
    expected = reference.predict_proba(X_test)[np.arange(len(X_test)), y_test]
    assert -np.log(p).mean() < -np.log(expected).mean() + 0.03
    sets = some.predict_set(X_test, 0.9)
    assert abs(sets[np.arange(len(X_test)), y_test].mean() - 0.9) < 0.06


def test_the_sampled_linear_energy_is_linear_and_keeps_single_precision(rng):
    X, y, X_test, _ = clusters(rng)
    X, X_test = X.astype(np.float32), X_test.astype(np.float32)
    classifier = EnergyClassifier(negatives=20, alpha=0.1, random_state=0).fit(X, y)
    assert type(classifier.energy_) is LinearEnergy
    outputs = X_test.astype(float) @ classifier.coef_.T + classifier.intercept_
    assert_allclose(classifier.decision_function(X_test), outputs, atol=1e-3)
    assert classifier.coef_.dtype == np.float32


def test_a_network_trains_its_last_layer_on_candidates(rng):
    X, y, X_test, y_test = clusters(rng)
    network = MLPEnergy((32,), learning_rate=0.02, n_epochs=40)
    some = EnergyClassifier(network, negatives=30, random_state=0).fit(X, y)
    every = EnergyClassifier(network, random_state=0).fit(X, y)
    assert some.score(X_test, y_test) > every.score(X_test, y_test) - 0.02
    p, expected = (
        model.predict_proba(X_test)[np.arange(len(X_test)), y_test] for model in (some, every)
    )
    assert -np.log(p).mean() < -np.log(expected).mean() + 0.1


@pytest.mark.parametrize("energy", ["embedding", "linear", MLPEnergy((8,), n_epochs=3)])
def test_folds_of_the_user_hold_out_rows(energy, rng):
    X, y, X_test, _ = clusters(rng)
    classifier = EnergyClassifier(energy, negatives=20, cv=3, random_state=0, calibrate=True)
    classifier.fit(X, y)
    assert 200 < len(classifier.calibration_energies_) <= 234
    assert np.isfinite(classifier.predict_proba(X_test)).all()


@pytest.mark.parametrize("loss", ["hinge", "perceptron", "log"])
def test_other_losses_are_trained_on_candidates(loss, rng):
    X, y, X_test, y_test = clusters(rng)
    classifier = EnergyClassifier("embedding", loss, negatives=20, random_state=0).fit(X, y)
    assert classifier.score(X_test, y_test) > 0.8


def test_classes_of_one_row_are_ordinary(rng):
    X = rng.standard_normal((60, 4))
    with pytest.warns(UserWarning, match="beta|held out"):
        classifier = EnergyClassifier("embedding", negatives=5, random_state=0).fit(
            X, np.arange(60)
        )
    assert classifier.score(X, np.arange(60)) > 0.9
