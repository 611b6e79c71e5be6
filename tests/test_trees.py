"""Boosted trees: LightGBM's own where the loss is its own, and every objective beyond."""

import builtins
import pickle
from contextlib import nullcontext

import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import fit
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sk_ebm import EnergyClassifier, EnergyDetector, EnergyRanker
from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm._core.temperature import learn_beta
from sk_ebm.energies import SumEnergy, TreesEnergy
from sk_ebm.exceptions import NothingLearnedWarning
from sk_ebm.losses._registry import LOSSES

lightgbm = pytest.importorskip("lightgbm")
ROUNDS = {"n_estimators": 30, "early_stopping": False, "max_step": None, "colsample": 1.0}


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer], ids=["multiclass", "binary"])
@pytest.mark.parametrize("weighted", [False, True])
def test_nll_gives_the_probabilities_of_lightgbm(load, weighted, rng):
    X, y = load(return_X_y=True)
    weights = rng.uniform(0.5, 2, size=len(y)) if weighted else None
    ours = EnergyClassifier(TreesEnergy(**ROUNDS), beta=1).fit(X, y, sample_weight=weights)
    assert_allclose(ours.predict_proba(X), lightgbms(X, y, weights), atol=1e-4)


def lightgbms(X, y, weights=None, **params):
    """Probabilities of 30 rounds, without the wrapper: LightGBM 4.3's takes no scikit-learn 1.9."""
    kind = {"objective": "binary"}
    if y.max() > 1:
        kind = {"objective": "multiclass", "num_class": y.max() + 1}
    data = lightgbm.Dataset(X, y, weight=weights)
    p = lightgbm.train({**kind, **params, "verbose": -1}, data, 30).predict(X)
    return p if p.ndim == 2 else np.column_stack([1 - p, p])


def test_alpha_acts_on_leaves_as_on_weights():
    X, y = load_breast_cancer(return_X_y=True)
    ours = EnergyClassifier(TreesEnergy(**ROUNDS), beta=1, alpha=0.1, l1_ratio=0.3).fit(X, y)
    penalty = 0.1 * len(y)
    peer = lightgbms(X, y, lambda_l2=0.7 * penalty, lambda_l1=0.3 * penalty)
    assert_allclose(ours.predict_proba(X), peer, atol=1e-4)


WITH_MARGIN = [n for n, loss in LOSSES.items() if loss.trivial_minimum is None]


@pytest.mark.parametrize("loss", WITH_MARGIN)
def test_every_round_lowers_the_loss(loss):
    X, y = load_iris(return_X_y=True)
    trees = TreesEnergy(30, early_stopping=False, learning_rate=0.05)
    curve = EnergyClassifier(trees, loss, beta=1).fit(X, y).loss_curve_
    assert (np.diff(curve) < 0).all()
    assert curve[-1] < 0.5 * curve[0]


@pytest.mark.parametrize("loss", ["perceptron", "lvq2"])
def test_losses_without_a_margin_end_where_nothing_is_violated(loss):
    X, y = load_breast_cancer(return_X_y=True)
    trees = TreesEnergy(200, min_samples_leaf=1, early_stopping=False)
    classifier = EnergyClassifier(trees, loss, beta=1).fit(X, y)
    assert classifier.score(X, y) == 1
    assert classifier.n_iter_ < 200


def test_beta_is_learned_at_the_rounds_that_are_kept(rng):
    """Each fold at rounds of its own, the least of its loss, would be too confident."""
    X = rng.standard_normal((4400, 5))
    y = X[:, 0] + 2 * rng.logistic(size=4400) > 0
    logs = []
    for seed in range(4):
        rows = np.random.RandomState(seed).permutation(4400)
        classifier = EnergyClassifier("trees", random_state=0).fit(X[rows[:400]], y[rows[:400]])
        energies, target = classifier.energies(X[rows[400:]]), y[rows[400:]].astype(int)
        best = learn_beta(energies, target, np.ones(4000))
        logs.append(np.log(classifier.beta_ / best))
    assert abs(np.median(logs)) < 0.3


@pytest.mark.parametrize("n", [400, 2500], ids=["folds", "part"])
def test_early_stopping_ends_before_the_loss_of_unseen_rows_rises(n, rng):
    X = rng.standard_normal((n, 5))
    y = X[:, 0] + 2 * rng.logistic(size=n) > 0
    classifier = EnergyClassifier("trees", random_state=0).fit(X, y)
    assert classifier.n_iter_ == classifier.energy_.n_estimators_ < 50
    new, target = rng.standard_normal((20_000, 5)), 2 * rng.logistic(size=20_000)
    target = (new[:, 0] + target > 0).astype(int)
    best = learn_beta(classifier.energies(new), target, np.ones(20_000))
    assert 0.5 < classifier.beta_ / best < 2
    X, noise = rng.standard_normal((2000, 5)), 2 * rng.logistic(size=2000)
    full = EnergyClassifier(TreesEnergy(early_stopping=False), beta=1).fit(X, X[:, 0] + noise > 0)
    y = X[:, 0] + 2 * rng.logistic(size=2000) > 0
    stopped, full = (log_loss(y, model.predict_proba(X)) for model in (classifier, full))
    assert stopped < full


def test_steps_are_bounded_where_second_derivatives_vanish(rng):
    """A wrong and sure offset: Newton steps are as large as the surprise is improbable."""
    y = np.arange(200) % 2
    answers, offset = Labels(y, 2), np.where(y, -7.0, 7.0)[:, None]
    objective = Objective(answers, LOSSES["nll"](), np.ones(200), offset=offset)
    trees = TreesEnergy(1, early_stopping=False, learning_rate=1.0)
    trees = fit(trees, y[:, None], objective, rng).energy
    assert_allclose(np.abs(trees(y[:, None]) - trees.intercept_), 3)


def separated(n):
    """Two columns, the first of which tells two classes apart."""
    rng = np.random.RandomState(0)
    y = np.arange(n) % 2
    return np.column_stack([y + 0.05 * rng.standard_normal(n), rng.standard_normal(n)]), y


def class_energies(energy):
    return lambda X, y: EnergyClassifier(energy, random_state=0).fit(X, y).energies(X)[:, 1]


def anomaly_energies(X, y):
    detector = EnergyDetector(TreesEnergy(30), labels="anomaly", random_state=0)
    few = pytest.warns(UserWarning, match="at least 19 compatible rows")
    with few if (y == 0).sum() < 19 else nullcontext():
        return detector.fit(X, 1 - 2 * y).energies(X)


def item_energies(X, y):
    ranker = EnergyRanker(TreesEnergy(30), random_state=0)
    return ranker.fit(X, 1.0 + y, groups=np.arange(len(y)) // 4).energies(X)


FEW = TreesEnergy(30)
SEPARATING = {
    "classifier": class_energies(FEW),
    "pooled": class_energies(["linear", FEW]),
    "residual": class_energies(SumEnergy([FEW, FEW], "residual")),
    "anomalies": anomaly_energies,
    "ranker": item_energies,
}


@pytest.mark.parametrize("energies", SEPARATING.values(), ids=SEPARATING)
@pytest.mark.parametrize("n", [8, 24, 60])
@pytest.mark.filterwarnings("ignore:The highest energy is that of")
def test_few_rows_are_split(n, energies):
    X, y = separated(n)
    found = energies(X, y)
    gap = abs(found[y == 1].mean() - found[y == 0].mean())
    assert gap > 2 * (found[y == 1].std() + found[y == 0].std())


@pytest.mark.parametrize("n", [6, 60, 120])
def test_few_rows_are_split_by_categories(n):
    codes = np.arange(n) % 6
    X = pd.DataFrame({"name": pd.Categorical([f"name {code}" for code in codes])})
    classifier = EnergyClassifier(TreesEnergy(30), random_state=0).fit(X, codes % 2)
    assert classifier.score(X, codes % 2) == 1


def test_large_leaves_and_constant_columns_warn_and_leave_the_shares_of_the_classes():
    y = np.arange(12) % 3 == 0
    for X, trees in (
        (np.ones((12, 2)), TreesEnergy()),
        (np.arange(12.0)[:, None], TreesEnergy(min_samples_leaf=7)),
    ):
        with pytest.warns(NothingLearnedWarning, match="same energies.* min_samples_leaf") as found:
            classifier = EnergyClassifier(trees, beta=1).fit(X, y)
        assert [warning.filename for warning in found] == [__file__]
        assert_allclose(classifier.predict_proba(X), np.tile([2 / 3, 1 / 3], (12, 1)), atol=1e-5)


def test_rows_of_weight_zero_do_not_count():
    X, y = separated(30)
    X_more, y_more = np.vstack([X, np.full((500, 2), 0.5)]), np.append(y, np.arange(500) % 2)
    weights = np.append(np.ones(30), np.zeros(500))
    trees = TreesEnergy(10, early_stopping=False)
    with_them = EnergyClassifier(trees, beta=1).fit(X_more, y_more, sample_weight=weights)
    assert_array_equal(
        with_them.predict_proba(X), EnergyClassifier(trees, beta=1).fit(X, y).predict_proba(X)
    )


@pytest.mark.parametrize("scale", [1e-99, 1e-20, 1e99])
def test_the_scale_of_weights_does_not_matter(scale, rng):
    X, y = separated(100)
    trees, weights = TreesEnergy(10, early_stopping=False), rng.uniform(1, 2, size=100)
    expected = EnergyClassifier(trees, beta=1, alpha=0.1).fit(X, y, sample_weight=weights)
    found = EnergyClassifier(trees, beta=1, alpha=0.1).fit(X, y, sample_weight=scale * weights)
    assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-4)


def frame(make, rng):
    """A label that depends on the category of a column, whose order says nothing, and a number."""
    names = np.array(["red", "green", "blue", "pink", "grey"])[rng.randint(5, size=600)]
    number = rng.standard_normal(600)
    y = np.isin(names, ["red", "blue"]) ^ (number > 1)
    if make == "pandas":
        return pd.DataFrame({"number": number, "name": pd.Categorical(names)}), y
    if make == "pandas strings":
        return pd.DataFrame({"number": number, "name": names}), y
    return pl.DataFrame({"number": number, "name": names}), y


@pytest.mark.parametrize("make", ["pandas", "pandas strings", "polars"])
def test_categories_are_read_from_frames(make, rng):
    X, y = frame(make, rng)
    classifier = EnergyClassifier("trees", random_state=0).fit(X[:400], y[:400])
    assert classifier.score(X[400:], y[400:]) > 0.97
    assert classifier.feature_names_in_.tolist() == ["number", "name"]


def test_unseen_and_missing_categories_are_missing_values(rng):
    X, y = frame("pandas strings", rng)
    classifier = EnergyClassifier("trees", random_state=0).fit(X, y)
    other = pd.DataFrame({"number": [0.0, 0.0], "name": ["black", None]})
    found = classifier.predict_proba(other)
    assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("columns", [[1], ["name"]], ids=["index", "name"])
def test_categorical_features_name_columns_of_codes(columns, rng):
    X, y = frame("pandas", rng)
    X = X.assign(name=X["name"].cat.codes)
    trees = TreesEnergy(1, max_leaf_nodes=2, categorical_features=columns, early_stopping=False)
    X = X if columns == ["name"] else X.to_numpy()
    energy = EnergyClassifier(trees, beta=1).fit(X, y).energy_
    assert energy.booster_.trees_to_dataframe()["decision_type"][0] == "=="


def test_missing_values_are_taken_natively(rng):
    X = rng.standard_normal((400, 2))
    y = X[:, 0] > 0
    X[y & (rng.uniform(size=400) < 0.5), 0] = np.nan
    classifier = EnergyClassifier("trees", random_state=0).fit(X[:300], y[:300])
    assert classifier.score(X[300:], y[300:]) > 0.95
    classifier = EnergyClassifier(["trees", "linear"], random_state=0).fit(X[:300], y[:300])
    assert classifier.score(X[300:], y[300:]) > 0.95


def test_draws_follow_the_seed():
    X, y = load_wine(return_X_y=True)
    trees = TreesEnergy(20, subsample=0.5, colsample=0.5, early_stopping=False)
    one, same, other = (
        EnergyClassifier(trees, beta=1, random_state=seed).fit(X, y).energies(X)
        for seed in (0, 0, 1)
    )
    assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3


@pytest.mark.parametrize(
    "n_columns, form, share",
    [(16, np.asarray, 1.0), (64, np.asarray, 0.5), (400, sparse.csr_matrix, 0.3)],
)
def test_trees_of_many_columns_see_a_part_of_them(n_columns, form, share, rng):
    X = rng.standard_normal((100, n_columns))
    classifier = EnergyClassifier("trees", random_state=0).fit(form(X), X[:, 0] > 0)
    assert classifier.energy_.booster_.params["feature_fraction"] == share
    assert classifier.score(form(X), X[:, 0] > 0) > 0.9


@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(loss(), id=name)
        for name, loss in LOSSES.items()
        if loss.second_derivatives is None
    ],
)
def test_the_bound_holds_for_second_derivatives(loss, rng, derivative):
    """Of losses whose gradients do not jump; the others have jumps over their width."""
    if type(loss).__name__ not in ("MCE", "MEE"):
        assert loss.second_derivative_bound == 1
        return
    objective = Objective(Labels(rng.randint(3, size=500), 3), loss, np.ones(500))
    outputs = 3 * rng.standard_normal((500, 3))
    for along in np.eye(3):
        bend = derivative(
            lambda o: objective.value_and_gradient(o)[1] * 500, outputs, np.tile(along, (500, 1))
        )
        assert (np.abs(bend @ along) <= loss.second_derivative_bound + 1e-6).all()


def test_without_lightgbm_the_error_says_what_to_install(monkeypatch):
    original = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "lightgbm":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"pip install sk-ebm\[trees\]"):
        EnergyClassifier("trees").fit(*load_iris(return_X_y=True))


BAD = {
    "n_estimators": [0, 1.5, None],
    "learning_rate": [0, np.nan, "fast"],
    "max_leaf_nodes": [1, None],
    "max_depth": [0, -1],
    "min_samples_leaf": [0, 0.5],
    "subsample": [0, 1.5],
    "colsample": [0, 2],
    "max_step": [0, np.inf],
    "max_bins": [1, 1e5],
    "categorical_features": ["all"],
    "validation_fraction": [0, 1],
    "patience": [0],
    "n_jobs": [0, 1.5, "all"],
}


@pytest.mark.parametrize(
    "name, value", [(name, value) for name, values in BAD.items() for value in values]
)
def test_check_names_the_bad_parameter(name, value):
    with pytest.raises(ValueError, match=name):
        TreesEnergy(**{name: value}).check()


def test_pickled_trees_predict_the_same():
    X_train, X_test, y_train, _ = train_test_split(*load_wine(return_X_y=True), random_state=0)
    classifier = EnergyClassifier("trees", random_state=0).fit(X_train, y_train)
    copied = pickle.loads(pickle.dumps(classifier))
    assert_array_equal(copied.energies(X_test), classifier.energies(X_test))


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array, sparse.coo_array])
def test_sparse_rows_of_either_kind_are_read(make):
    X, y = separated(60)
    dense = EnergyClassifier(TreesEnergy(10), random_state=0).fit(X, y)
    found = EnergyClassifier(TreesEnergy(10), random_state=0).fit(make(X), y)
    assert_allclose(found.predict_proba(make(X)), dense.predict_proba(X))
