"""The words energy against Dirichlet-smoothed naive Bayes, and what it is chosen for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context

from sk_ebm import EnergyClassifier
from sk_ebm.energies import EmbeddingEnergy, WordsEnergy


def text(rng, n_classes=30, n_rows=4, n_words=1200, length=25):
    """Counts of words of the language, and of ten words of each class; all classes in turn."""
    y = np.tile(np.arange(n_classes), n_rows)
    own = rng.randint(n_words, size=(n_classes, 10))
    language = (n_words ** rng.uniform(size=(len(y), length))).astype(int) - 1
    words = np.where(
        rng.uniform(size=language.shape) < 0.3,
        own[y[:, None], rng.randint(10, size=language.shape)],
        language,
    )
    rows = np.repeat(np.arange(len(y)), length)
    X = sparse.csr_array((np.ones(rows.size), (rows, words.ravel())), (len(y), n_words))
    X.sum_duplicates()
    return X, y


def test_outputs_are_log_likelihood_ratios_of_naive_bayes(rng):
    X, y = text(rng)
    classifier = EnergyClassifier(WordsEnergy(), random_state=0).fit(X, y)
    energy = classifier.energy_
    rows = X.toarray() ** energy.power_
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    counts = np.array([rows[y == k].sum(axis=0) for k in range(30)])
    shares = counts.sum(axis=0) / counts.sum()
    strength = energy.smoothing_ * counts.sum() / len(y)
    smoothed = counts + strength * shares
    smoothed /= smoothed.sum(axis=1, keepdims=True)
    known = shares > 0
    expected = rows[:, known] @ np.log(smoothed[:, known] / shares[known]).T
    expected = energy.scale_ * expected + energy.biases_
    assert_allclose(-classifier.energies(X), expected, rtol=1e-9, atol=1e-9)
    vectors, biases = energy.class_vectors()
    assert_allclose((energy.features(X) @ vectors.T).toarray() + biases, expected, atol=1e-9)


def test_few_rows_of_a_class_are_enough(rng):
    X, y = text(rng, n_rows=8)
    train = np.arange(len(y)) < 90
    words = EnergyClassifier(WordsEnergy(), random_state=0).fit(X[train], y[train])
    linear = EnergyClassifier("linear", random_state=0).fit(X[train], y[train])
    assert words.score(X[~train], y[~train]) > linear.score(X[~train], y[~train])


def test_the_length_of_a_row_and_words_never_seen_change_nothing(rng):
    X, y = text(rng)
    known = X.sum(axis=0) > 0
    classifier = EnergyClassifier(WordsEnergy(), random_state=0).fit(X, y)
    longer = X * 3.0 + sparse.csr_array(np.where(known, 0.0, 5.0)[None].repeat(len(y), axis=0))
    assert not known.all()
    assert_allclose(classifier.energies(longer), classifier.energies(X), atol=1e-9)


def test_single_precision_and_empty_rows(rng):
    X, y = text(rng)
    X = sparse.vstack([X[1:2] * 0, X[1:]], format="csr").astype(np.float32)
    classifier = EnergyClassifier(WordsEnergy(), random_state=0).fit(X, y)
    energies = classifier.energies(X)
    assert energies.dtype == np.float32
    assert np.isfinite(energies).all()
    assert_array_equal(energies[0], -classifier.energy_.biases_)


def test_classes_without_weight_are_not_predicted(rng):
    X, y = text(rng)
    classifier = EnergyClassifier(WordsEnergy(), random_state=0)
    classifier.fit(X, y, sample_weight=(y > 0).astype(float))
    assert not (classifier.predict(X) == 0).any()


def test_the_embedding_of_wide_counts_has_words(rng):
    X, y = text(rng)
    assert isinstance(EnergyClassifier("embedding").fit(X, y).energy_, WordsEnergy)
    for other in (X[:, :900], X - 2 * X.sign(), X.toarray()):
        assert isinstance(EnergyClassifier("embedding").fit(other, y).energy_, EmbeddingEnergy)


def test_candidates_stand_for_very_many_classes(rng):
    X, y = text(rng, n_classes=1100, n_rows=2, n_words=5000)
    exact = EnergyClassifier(WordsEnergy(), negatives="all", random_state=0).fit(X, y)
    with config_context(working_memory=1):
        sampled = EnergyClassifier(WordsEnergy(), random_state=0).fit(X, y)
    assert exact.energy_.smoothing_ / 3.5 < sampled.energy_.smoothing_
    assert sampled.energy_.smoothing_ < exact.energy_.smoothing_ * 3.5
    assert_allclose(sampled.energy_.scale_, exact.energy_.scale_, rtol=0.5)
    top = sampled.top_k(X[:50], k=3)
    outputs = -sampled.energies(X[:50])
    assert_allclose(-top.energies, np.sort(outputs, axis=1)[:, :-4:-1])


def test_new_classes_have_the_vectors_that_their_rows_give(rng):
    X, y = text(rng, n_rows=6)
    old, train = y != 7, np.arange(len(y)) < 120
    classifier = EnergyClassifier(WordsEnergy(), calibrate=True, random_state=0)
    classifier.fit(X[old & train], y[old & train])
    before = classifier.energies(X)
    new = ~old & train
    classifier.add_classes(X[new], y[new])
    assert_allclose(np.delete(classifier.energies(X), 7, axis=1), before)
    assert (classifier.predict(X[~old & ~train]) == 7).all()


def test_refusals(rng):
    X, y = text(rng)
    with pytest.raises(ValueError, match="never negative, got -1"):
        EnergyClassifier(WordsEnergy()).fit(-X.sign(), y)
    features = {k: [float(k)] for k in range(30)}
    with pytest.raises(ValueError, match="leave class_features out"):
        EnergyClassifier(WordsEnergy()).fit(X, y, class_features=features)
    with pytest.raises(ValueError, match="smoothing"):
        EnergyClassifier(WordsEnergy(smoothing=0)).fit(X, y)
