"""EnergyClassifier: scikit-learn's contract, and what it promises beyond it."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyClassifier
from sk_ebm.energies import ENERGIES, MLPEnergy, PrototypeEnergy
from sk_ebm.losses._likelihood import NLL
from sk_ebm.losses._registry import LOSSES
from sk_ebm.losses._table1 import Hinge


def split(load):
    X, y = load(return_X_y=True)
    return train_test_split(StandardScaler().fit_transform(X), y, random_state=0)


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer], ids=["multiclass", "binary"])
@pytest.mark.parametrize("C", [0.01, 1.0])
def test_linear_nll_has_the_optimum_of_logistic_regression(load, C):
    X, _, y, _ = split(load)
    peer = LogisticRegression(C=C, tol=1e-10, max_iter=10_000).fit(X, y)
    ours = EnergyClassifier(alpha=1 / (C * len(y)), beta=1).fit(X, y)
    np.testing.assert_allclose(ours.coef_, peer.coef_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.predict_proba(X), peer.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(
        ours.decision_function(X), X @ ours.coef_.T.squeeze() + ours.intercept_, atol=1e-10
    )


@pytest.mark.parametrize("energy", ENERGIES)
@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "energy"])
def test_every_energy_trains_on_every_loss(wine, energy, loss):
    X, X_test, y, y_test = wine
    classifier = EnergyClassifier(energy, loss, random_state=0).fit(X, y)
    # Without a margin trees stop growing as soon as they separate the few rows.
    least = 0.8 if energy == "trees" and classifier.loss in ("perceptron", "lvq2") else 0.9
    assert classifier.score(X_test, y_test) > least
    assert log_loss(y_test, classifier.predict_proba(X_test)) < 0.4


@pytest.mark.parametrize("energy", ["linear", "kernel", "mlp", "trees"])
def test_the_energy_loss_is_refused_where_it_collapses(wine, energy):
    with pytest.raises(ValueError, match="collapses.*prototype"):
        EnergyClassifier(energy, "energy").fit(wine[0], wine[2])


def test_the_energy_loss_puts_one_prototype_at_each_class_mean(wine):
    X, _, y, _ = wine
    classifier = EnergyClassifier(PrototypeEnergy(n_prototypes=1), "energy").fit(X, y)
    means = [X[y == k].mean(axis=0) for k in range(3)]
    np.testing.assert_allclose(classifier.energy_.prototypes_, means, atol=1e-8)


def test_beta_calibrates_an_overly_strong_penalty():
    X, X_test, y, y_test = split(load_digits)
    fixed = EnergyClassifier(alpha=1.0, beta=1).fit(X, y)
    learned = EnergyClassifier(alpha=1.0).fit(X, y)
    assert learned.beta_ > 2
    fixed, learned = (log_loss(y_test, m.predict_proba(X_test)) for m in (fixed, learned))
    assert learned < 0.6 * fixed


@pytest.mark.parametrize("loss", ["perceptron", "lvq2"])
def test_losses_without_a_margin_are_calibrated(loss):
    """Their energies of overlapping classes were nearly ties."""
    X, y = make_blobs(4000, n_features=5, centers=8, cluster_std=6.0, random_state=0)
    X, y, X_test, y_test = X[:2000], y[:2000], X[2000:], y[2000:]
    likelihood = EnergyClassifier().fit(X, y)
    classifier = EnergyClassifier(loss=loss, random_state=0).fit(X, y)
    nats = [log_loss(y_test, m.predict_proba(X_test)) for m in (classifier, likelihood)]
    assert nats[0] < nats[1] + 0.1
    p = classifier.predict_proba(X_test)
    assert abs(p.max(axis=1).mean() - classifier.score(X_test, y_test)) < 0.05


def test_auto_alpha_beats_a_bad_one(wine):
    X, X_test, y, y_test = wine
    chosen = EnergyClassifier().fit(X, y)
    assert 1e-5 < chosen.energy_.alpha_ < 1
    bad = EnergyClassifier(alpha=100.0, beta=1).fit(X, y)
    assert log_loss(y_test, chosen.predict_proba(X_test)) < log_loss(
        y_test, bad.predict_proba(X_test)
    )


def test_l1_gives_exact_zeros(wine):
    X, _, y, _ = wine
    classifier = EnergyClassifier(alpha=0.1, l1_ratio=1.0, beta=1).fit(X, y)
    assert 0 < np.mean(classifier.coef_ == 0) < 1


def test_probabilities_are_the_gibbs_distribution_of_the_energies(wine):
    X, X_test, y, _ = wine
    classifier = EnergyClassifier(beta=2.0).fit(X, y)
    energies = classifier.energies(X_test)
    unnormalised = np.exp(-2.0 * energies)
    total = unnormalised.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(classifier.predict_proba(X_test), unnormalised / total)
    np.testing.assert_allclose(classifier.free_energy(X_test), -np.log(total[:, 0]) / 2.0)
    np.testing.assert_allclose(
        np.exp(classifier.predict_log_proba(X_test)), classifier.predict_proba(X_test)
    )


def test_grid_search_reaches_energies_and_losses(wine):
    X, _, y, _ = wine
    grid = [
        {"energyclassifier__loss": ["nll", "hinge"]},
        {"energyclassifier__loss": [Hinge()], "energyclassifier__loss__margin": [0.5, 2.0]},
        {
            "energyclassifier__energy": [MLPEnergy(n_epochs=5)],
            "energyclassifier__energy__hidden_layer_sizes": [(5,), (10,)],
        },
        {"energyclassifier__alpha": [0.1], "energyclassifier__beta": [1.0, "auto"]},
    ]
    search = GridSearchCV(make_pipeline(StandardScaler(), EnergyClassifier(random_state=0)), grid)
    assert search.set_params(cv=2).fit(X, y).best_score_ > 0.9
    assert len(search.cv_results_["params"]) == 8


def test_fit_never_changes_a_component(wine):
    loss = NLL()
    classifier = EnergyClassifier(PrototypeEnergy(), loss).fit(wine[0], wine[2])
    assert not hasattr(classifier.energy, "prototypes_")
    assert clone(classifier).loss is not loss


@pytest.mark.parametrize("energy", ENERGIES)
def test_pickle_and_seed_give_the_same_predictions(wine, energy):
    X, X_test, y, _ = wine
    first = EnergyClassifier(energy, random_state=3).fit(X, y)
    second = EnergyClassifier(energy, random_state=3).fit(X, y)
    copied = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(first.energies(X_test), second.energies(X_test))
    np.testing.assert_array_equal(first.energies(X_test), copied.energies(X_test))


@pytest.mark.parametrize("energy", ENERGIES)
def test_float32_is_kept(wine, energy):
    X, X_test, y, _ = wine
    classifier = EnergyClassifier(energy, random_state=0).fit(X.astype(np.float32), y)
    assert classifier.predict_proba(X_test.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("energy", ENERGIES)
def test_sparse_rows_are_never_densified(wine, energy, monkeypatch):
    X, _, y, _ = wine
    X = sparse.csr_matrix(np.where(X > 0, X, 0))
    if energy == "linear":  # which makes tables of at most 80 MB dense
        X = sparse.csr_matrix(sparse.hstack([X, sparse.csr_matrix((len(y), 100_000))]))
    shape = X.shape
    classifier = EnergyClassifier(energy, random_state=0)

    def toarray(self, *args, **kwargs):
        assert self.shape != shape
        return original(self, *args, **kwargs)

    original = sparse.csr_matrix.toarray
    monkeypatch.setattr(sparse.csr_matrix, "toarray", toarray)
    assert classifier.fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_frames_keep_their_names(make):
    X, y = load_iris(return_X_y=True)
    frame = make(dict(zip("abcd", X.T, strict=True)))
    classifier = EnergyClassifier().fit(frame, y)
    assert classifier.feature_names_in_.tolist() == list("abcd")
    np.testing.assert_array_equal(classifier.predict(frame), classifier.predict(frame))


@pytest.mark.parametrize("names", [["b", "a"], [7, -1], [True, False]], ids=["str", "int", "bool"])
def test_labels_of_any_kind(names):
    X, _, y, _ = split(load_breast_cancer)
    labels = np.array(names)[y]
    classifier = EnergyClassifier().fit(X, labels)
    assert classifier.classes_.tolist() == sorted(names)
    assert np.mean(classifier.predict(X) == labels) > 0.95


def test_weights_and_class_weights(wine):
    X, _, y, _ = wine
    doubled = np.where(y == 0, 2.0, 1.0)
    by_weight = EnergyClassifier(alpha=0.1, beta=1).fit(X, y, sample_weight=doubled)
    by_class = EnergyClassifier(alpha=0.1, beta=1, class_weight={0: 2.0, 1: 1.0, 2: 1.0}).fit(X, y)
    np.testing.assert_allclose(by_weight.coef_, by_class.coef_, rtol=1e-6, atol=1e-9)
    assert (
        np.abs(by_weight.coef_ - EnergyClassifier(alpha=0.1, beta=1).fit(X, y).coef_).max() > 1e-3
    )


def test_columns_of_very_different_scale_and_constant_ones(wine):
    X, X_test, y, y_test = wine
    scale = np.logspace(-4, 4, X.shape[1])
    X, X_test = (np.hstack([part * scale, np.full((len(part), 1), 3.0)]) for part in (X, X_test))
    classifier = EnergyClassifier().fit(X, y)
    assert classifier.score(X_test, y_test) > 0.9
    assert not classifier.coef_[:, -1].any()


def test_more_classes_than_rows_in_a_block(rng):
    X, y = rng.standard_normal((60, 5)), np.arange(60) % 30
    classifier = EnergyClassifier(random_state=0).fit(X, y)
    with config_context(working_memory=1e-3):
        blocks = classifier.predict_proba(X)
    np.testing.assert_allclose(blocks, classifier.predict_proba(X), rtol=1e-10)


@pytest.mark.parametrize("energy", ["linear", LogisticRegression(), [KernelDensity(), "linear"]])
def test_many_classes_in_few_rows_are_nothing_to_warn_of(energy, rng):
    X, y = rng.standard_normal((30, 2)), np.arange(30) % 20
    assert len(EnergyClassifier(energy, random_state=0).fit(X, y).classes_) == 20


def test_cv_is_used_for_alpha_and_beta(wine):
    X, _, y, _ = wine
    half = np.arange(len(y)) % 2 == 0
    folds = [(np.flatnonzero(half), np.flatnonzero(~half))]
    first = EnergyClassifier(cv=folds).fit(X, y)
    assert first.beta_ != EnergyClassifier().fit(X, y).beta_
    assert cross_val_score(EnergyClassifier("kernel", cv=3, random_state=0), X, y).mean() > 0.9


def test_routing_carries_sample_weight(wine):
    X, _, y, _ = wine
    with config_context(enable_metadata_routing=True):
        classifier = EnergyClassifier().set_fit_request(sample_weight=True)
        classifier.set_score_request(sample_weight=True)
        search = GridSearchCV(classifier, {"alpha": [0.1, 1.0]}, cv=2)
        search.fit(X, y, sample_weight=(y != 2).astype(float))
    assert 2 not in search.best_estimator_.predict(X)


def test_callbacks_see_each_iteration(wine):
    from sklearn.callback import ScoringMonitor

    monitor = ScoringMonitor(scoring="neg_log_loss")
    classifier = EnergyClassifier(alpha=0.1).set_callbacks(monitor)
    classifier.fit(wine[0], wine[2])
    assert len(classifier.loss_curve_) == classifier.n_iter_ > 1


def test_a_fit_that_stops_early_warns_what_to_change(wine):
    with pytest.warns(ConvergenceWarning, match=r"1 iterations did not reach tol=1e-07; increase"):
        EnergyClassifier(alpha=1e-6, beta=1, max_iter=1).fit(wine[0], wine[2])


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "pipeline"])
def test_the_warning_points_at_the_line_of_the_user(wine, inside):
    classifier = EnergyClassifier(alpha=1e-6, beta=1, max_iter=1)
    if inside:
        classifier = make_pipeline(StandardScaler(), classifier)
    with pytest.warns(ConvergenceWarning) as caught:
        classifier.fit(wine[0], wine[2])
    assert [warning.filename for warning in caught] == [__file__]


def test_reports_of_a_fit_do_not_outlive_it(wine):
    classifier = EnergyClassifier(alpha=0.1).fit(wine[0], wine[2])
    assert len(classifier.loss_curve_) == classifier.n_iter_
    assert pickle.loads(pickle.dumps(classifier)).loss_curve_ == classifier.loss_curve_


def test_a_grid_search_may_stand_in_a_cross_validation(wine):
    search = GridSearchCV(EnergyClassifier(beta=1), {"alpha": [0.01, 100.0]}, cv=2)
    assert cross_val_score(search, wine[0], wine[2], cv=2).min() > 0.9


@pytest.mark.parametrize("energy", ENERGIES)
def test_memory_maps_are_only_read(wine, energy, tmp_path):
    maps = []
    for name, part in zip("Xy", (wine[0], wine[2]), strict=True):
        np.save(tmp_path / f"{name}.npy", part)
        maps.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    assert EnergyClassifier(energy, random_state=0).fit(*maps).score(*maps) > 0.9


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"energy": "quadratic"}, r"energy must be one of \['embedding', .*'auto'.*'quadratic'"),
        ({"loss": "zero_one"}, r"loss must be one of .*'hinge'.*'zero_one'"),
        ({"solver": "sgd"}, "solver must be 'auto', .* or 'adam', got 'sgd'"),
        ({"alpha": -1}, "alpha must be 'auto' or a finite number >= 0, got -1"),
        ({"beta": 0}, "beta must be 'auto' or a finite number > 0, got 0"),
        ({"l1_ratio": 2}, "l1_ratio must be a finite number >= 0 and <= 1, got 2"),
        ({"max_iter": 0}, "max_iter must be an integer >= 1, got 0"),
        ({"tol": float("nan")}, "tol must be a finite number > 0, got nan"),
        ({"loss": Hinge(margin=-1)}, "margin of Hinge must be .* got -1"),
        ({"solver": "newton", "loss": "hinge"}, "solver='newton' needs .*Hinge"),
        ({"energy": "mlp", "solver": "newton"}, "MLPEnergy takes solver in"),
        ({"loss": "perceptron", "solver": "lbfgs"}, "least where all energies are equal"),
    ],
)
def test_bad_parameters_are_named(wine, parameters, message):
    with pytest.raises(ValueError, match=message):
        EnergyClassifier(**parameters).fit(wine[0], wine[2])


@pytest.mark.parametrize("bad", ["inf", "width", "one class", "no weight"])
def test_a_fitted_model_survives_a_failed_fit(wine, bad):
    X, X_test, y, _ = wine
    classifier = EnergyClassifier().fit(X, y)
    before = classifier.predict_proba(X_test)
    X, y, weights = X.copy(), y.copy(), np.ones(len(y))
    if bad == "inf":
        X[0, 0] = np.inf
    elif bad == "width":
        X, y = X[:, :4], y[:-1]
    elif bad == "one class":
        y[:] = 1
    else:
        weights[:] = 0
    with pytest.raises(ValueError):
        classifier.fit(X, y, sample_weight=weights)
    np.testing.assert_array_equal(classifier.predict_proba(X_test), before)


@pytest.mark.parametrize("params", [{"calibrate": True}, {"reject": "false_alarm"}])
def test_what_needs_more_than_beta_is_learned_on_all_folds(params):
    assert EnergyClassifier()._enough_held_out() == 1000
    assert EnergyClassifier(**params)._enough_held_out() == np.inf


@pytest.mark.parametrize("weight", [1e-300, 1e200])
def test_weights_that_cannot_be_computed_with_are_refused(weight):
    with pytest.raises(ValueError, match="largest sample_weight must be .* 1e-100 and <= 1e"):
        EnergyClassifier().fit([[0], [1]], [0, 1], [weight, weight])


@pytest.mark.parametrize(
    "class_weight", ["x", 3, [1, 2], {0: -1, 1: 1}, {0: np.nan}, {0: "a"}, {0: np.inf}], ids=str
)
def test_bad_class_weights_are_refused(class_weight):
    with pytest.raises(ValueError, match="class_weight"):
        EnergyClassifier(class_weight=class_weight).fit([[0], [1], [2]], [0, 1, 1])
