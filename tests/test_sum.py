"""Sums of energies."""

import numpy as np
import pandas as pd
import pytest
from helpers import fit, training_of
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sk_ebm import EnergyClassifier
from sk_ebm._core.classes import Labels
from sk_ebm.energies import (
    ExpertEnergy,
    KernelEnergy,
    LinearEnergy,
    SumEnergy,
    TreesEnergy,
)
from sk_ebm.losses._registry import LOSSES

SMALL_TREES = TreesEnergy(20, early_stopping=False)


@pytest.mark.parametrize(
    "energy, error, message",
    [
        ([], ValueError, r"energy must be one of.*got \[\]"),
        (["linear", "linaer"], ValueError, "energy must be one of .*'linaer'"),
        ([("a", "linear"), ("a", "trees")], ValueError, "not unique"),
        ([("a__b", "linear")], ValueError, "must not contain __"),
        ([("terms", "linear")], ValueError, "conflict with constructor"),
        (SumEnergy(["linear"], "stacked"), ValueError, "combine must be 'pooled' or 'residual'"),
        (SumEnergy(["linear", SVC()], "residual"), ValueError, "'svc' cannot be fitted to what"),
        ([KernelEnergy(gamma=-1), "linear"], ValueError, "gamma"),
    ],
)
def test_bad_energies_are_named(energy, error, message, wine):
    with pytest.raises(error, match=message):
        EnergyClassifier(energy).fit(wine[0], wine[2])


def test_fewer_samples_than_folds():
    X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
    assert EnergyClassifier(["linear", "prototype"]).fit(X, y).score(X, y) == 1
    with pytest.raises(ValueError, match="n_splits=5"):
        EnergyClassifier(["linear", "prototype"], cv=5).fit(X, y)


def test_trees_and_experts_share_a_frame(rng):
    X = pd.DataFrame({"name": rng.choice(["a", "b", "c"], size=300), "x": rng.uniform(size=300)})
    X.loc[::7, "x"] = np.nan
    y = (X["name"] == "b").to_numpy()
    encoded = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["name"])), LogisticRegression()
    )
    classifier = EnergyClassifier(["trees", encoded], random_state=0).fit(X, y)
    assert classifier.score(X, y) == 1
    classifier = EnergyClassifier(["trees", "linear", encoded], random_state=0).fit(X, y)
    assert classifier.score(X, y) == 1


def test_terms_that_see_independent_columns_multiply(rng):
    """Columns independent given y: log-odds add, so the product of both experts is the truth."""
    y = rng.randint(2, size=4000)
    X = rng.standard_normal((4000, 2)) + y[:, None] * [1.5, 1.0]
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    terms = [
        (name, make_pipeline(make_column_transformer(("passthrough", [i])), LogisticRegression()))
        for i, name in enumerate(["first", "second"])
    ]
    pool = EnergyClassifier(terms, random_state=0).fit(X_train, y_train)
    assert list(pool.energy_.terms_) == ["first", "second"]
    assert_allclose(list(pool.energy_.weights_.values()), 1, atol=0.1)
    truth = LogisticRegression().fit(X_train, y_train)
    nats = log_loss(y_test, pool.predict_proba(X_test))
    assert_allclose(nats, log_loss(y_test, truth.predict_proba(X_test)), rtol=0.01)


def test_a_useless_term_gets_no_say(wine, rng):
    X, X_test, y, y_test = wine
    noise = make_pipeline(make_column_transformer((StandardScaler(), [0])), KNeighborsClassifier(1))
    X, X_test = (np.column_stack([rng.standard_normal(len(part)), part]) for part in (X, X_test))
    pool = EnergyClassifier([("good", "linear"), ("noise", noise)], random_state=0).fit(X, y)
    good, noisy = pool.energy_.weights_.values()
    assert noisy < 0.05 * good
    assert pool.score(X_test, y_test) > 0.9


def test_terms_that_are_all_useless_leave_finite_energies(rng):
    X, y = rng.standard_normal((60, 1)), np.arange(60) % 2
    pool = EnergyClassifier([KNeighborsClassifier(1), DecisionTreeClassifier()], random_state=0)
    probabilities = pool.fit(X, y).predict_proba(X)
    assert np.isfinite(pool.energies(X)).all()
    assert_allclose(probabilities, 0.5, atol=0.25)


def test_pooled_energies_are_the_weighted_sum_of_the_terms(cancer):
    X, X_test, y, _ = cancer
    pool = EnergyClassifier(["linear", "prototype", GaussianNB()], random_state=0).fit(X, y)
    energies = [
        weight * Labels.arrange(pool.energy_.terms_[name](X_test))[0]
        for name, weight in pool.energy_.weights_.items()
    ]
    constant = Labels.arrange(pool.energy_.constant_[None])[0]
    expected = np.sum(energies, axis=0) + constant
    assert_allclose(pool.energies(X_test), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "loss", [name for name, loss in LOSSES.items() if loss.trivial_minimum != "falling"]
)
def test_sums_train_on_every_loss(loss, wine):
    X, X_test, y, y_test = wine
    for combine in ("pooled", "residual"):
        energy = SumEnergy([LogisticRegression(), "linear"], combine)
        classifier = EnergyClassifier(energy, loss, random_state=0).fit(X, y)
        assert classifier.score(X_test, y_test) > 0.9
        assert log_loss(y_test, classifier.predict_proba(X_test)) < 0.4


def test_the_second_of_a_residual_pair_learns_what_the_first_left(rng):
    X = rng.standard_normal((2000, 2))
    step = np.sign(X[:, 1]) * (np.abs(X[:, 1]) > 0.7)
    y = 2 * X[:, 0] - X[:, 1] + 3 * step + rng.logistic(size=2000) > 0
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    energy = SumEnergy(["linear", TreesEnergy(learning_rate=0.05, max_leaf_nodes=4)], "residual")
    both = EnergyClassifier(energy, random_state=0).fit(X_train, y_train)
    assert both.energy_.weights_ == {"linear": 1, "trees": 1}
    alone = EnergyClassifier("linear").fit(X_train, y_train)
    assert_allclose(both.energy_.terms_["linear"].coef_, alone.energy_.coef_, rtol=1e-6)
    nats = [log_loss(y_test, model.predict_proba(X_test)) for model in (both, alone)]
    assert nats[0] < 0.95 * nats[1]


def test_energies_add_with_a_plus():
    total = LinearEnergy() + TreesEnergy() + SVC()
    assert [type(term) for term in total.terms] == [LinearEnergy, TreesEnergy, ExpertEnergy]
    names = [name for name, _ in total.named_terms()]
    assert names == ["linear", "trees", "svc"]
    assert isinstance((SVC() + LinearEnergy()).terms[0], ExpertEnergy)
    twice = SumEnergy(["linear", LinearEnergy()])
    assert [name for name, _ in twice.named_terms()] == ["linear-1", "linear-2"]


def test_grid_search_reaches_the_terms_of_a_list(wine):
    X, _, y, _ = wine
    terms = [("linear", LinearEnergy()), ("trees", TreesEnergy(5, early_stopping=False))]
    grid = {"energy__trees__learning_rate": [0.1, 0.3], "energy__linear": ["linear", SVC()]}
    for energy in (terms, SumEnergy(terms)):
        search = GridSearchCV(EnergyClassifier(energy, random_state=0), grid, cv=2).fit(X, y)
        assert search.best_score_ > 0.9
        chosen = search.best_estimator_.energy_.terms_["trees"].learning_rate
        assert chosen == search.best_params_["energy__trees__learning_rate"]
    assert terms[1][1].learning_rate == 0.1


def test_a_list_of_terms_is_cloned_with_its_estimator():
    classifier = EnergyClassifier([("a", SVC(C=2)), ("b", "linear")])
    copied = clone(classifier).set_params(energy__a__C=3)
    assert (classifier.energy[0][1].C, copied.energy[0][1].C) == (2, 3)
    with pytest.raises(ValueError, match="Invalid parameter"):
        copied.set_params(energy__c=1)


def test_terms_without_names_can_be_replaced_together():
    classifier = EnergyClassifier(["linear", SVC()]).set_params(energy=["linear", "kernel"], beta=1)
    assert (classifier.energy, classifier.beta) == (["linear", "kernel"], 1)
    total = (LinearEnergy() + SVC()).set_params(combine="residual")
    assert (total.combine, len(total.terms)) == ("residual", 2)
    with pytest.raises(ValueError, match="Invalid parameter"):
        classifier.set_params(energy__linear__C=1)


NAMED_BY_WEIGHTS = {
    "strings": ["linear", "kernel"],
    "components": [LinearEnergy(), KernelEnergy()],
    "twice": ["linear", "kernel", SVC(), SVC()],
    "nested": ["linear", "kernel", ["linear", SVC()]],
    "pairs": [("linear", "linear"), ("kernel", "kernel")],
}


@pytest.mark.parametrize("name", NAMED_BY_WEIGHTS)
@pytest.mark.parametrize("as_sum", [False, True])
def test_parameters_of_terms_are_reached_by_the_names_of_weights(name, as_sum, wine):
    X, _, y, _ = wine
    terms = clone(NAMED_BY_WEIGHTS[name], safe=False)
    classifier = EnergyClassifier(SumEnergy(terms) if as_sum else terms, beta=1, random_state=0)
    names = list(classifier.fit(X, y).energy_.weights_)
    changed = clone(classifier).set_params(energy__kernel__gamma=0.25)
    assert f"energy__{names[-1]}" in changed.get_params()
    changed.fit(X, y)
    assert list(changed.energy_.weights_) == names
    assert changed.energy_.terms_["kernel"].gamma == 0.25
    with pytest.raises(ValueError, match="Invalid parameter 'trees'"):
        changed.set_params(energy__trees__n_leaves=3)


def test_jobs_change_nothing(wine):
    X, X_test, y, _ = wine
    one, two = (
        EnergyClassifier(["linear", RandomForestClassifier(5)], n_jobs=n, random_state=0).fit(X, y)
        for n in (None, 2)
    )
    assert_allclose(one.energies(X_test), two.energies(X_test), rtol=1e-10)


def test_tags_are_those_of_the_energy():
    from sklearn.utils import get_tags

    def tags(energy):
        found = get_tags(EnergyClassifier(energy)).input_tags
        return found.sparse, found.allow_nan

    assert tags("linear") == (True, True)
    assert tags("trees") == (True, True)
    assert tags(HistGradientBoostingClassifier()) == (False, True)
    assert tags(["trees", HistGradientBoostingClassifier()]) == (False, True)
    assert tags(["trees", "linear"]) == (True, True)
    assert tags("nonsense") == (False, False)


def test_iris_in_one_line():
    X, y = load_iris(return_X_y=True)
    assert EnergyClassifier(["linear", KNeighborsClassifier()]).fit(X, y).score(X, y) > 0.9


def test_iterations_of_a_sum_are_the_most_of_its_terms(wine):
    X, _, y, _ = wine
    terms = [("linear", LinearEnergy()), ("trees", SMALL_TREES), ("svc", SVC())]
    for combine in ("pooled", "residual"):
        ordered = terms if combine == "pooled" else terms[::-1]
        classifier = EnergyClassifier(SumEnergy(ordered, combine), alpha=0.01, random_state=0)
        classifier.fit(X, y)
        curves = classifier.energy_.loss_curves_
        assert list(curves) == [name for name, _ in ordered]
        assert curves["svc"] == []
        assert len(curves["trees"]) == 20
        assert 1 < len(curves["linear"]) < 20
        assert classifier.n_iter_ == max(map(len, curves.values()))


def test_a_sum_where_nothing_iterates_has_one_iteration(wine):
    classifier = EnergyClassifier([SVC(), KNeighborsClassifier(), GaussianNB()], random_state=0)
    assert classifier.fit(wine[0], wine[2]).n_iter_ == 1
    assert classifier.energy_.loss_curves_ == {
        "svc": [],
        "kneighborsclassifier": [],
        "gaussiannb": [],
    }


@pytest.mark.parametrize("loss", ["nll", "hinge", "log"])
def test_the_curve_of_a_pooled_sum_is_one_objective(loss, wine):
    """That of the pooled terms, which never rises, not one term's curve after the other."""
    terms = ["linear", SMALL_TREES, GaussianNB()]
    classifier = EnergyClassifier(terms, loss, random_state=0).fit(wine[0], wine[2])
    curve, curves = classifier.loss_curve_, classifier.energy_.loss_curves_
    assert len(curve) > 1
    assert (np.diff(curve) <= 1e-12).all()
    for of_term in curves.values():
        assert curve != of_term
    assert (np.diff(curves["trees"]) < 0).all()


def test_the_curve_of_a_residual_sum_is_that_of_the_last_term(wine):
    energy = SumEnergy(["linear", SMALL_TREES], "residual")
    classifier = EnergyClassifier(energy, random_state=0).fit(wine[0], wine[2])
    assert classifier.loss_curve_ == classifier.energy_.loss_curves_["trees"]


def test_a_fit_of_a_sum_changes_nothing_of_its_training(X, objective):
    folds = objective.answers.folds(3, np.random.RandomState(0))
    training = training_of(objective, alpha="auto", folds=folds, calibrates=True)
    before, fields = dict(vars(training)), ("answers", "loss", "weights", "offset")
    of_objective = {name: getattr(objective, name) for name in fields}
    for combine in ("pooled", "residual"):
        SumEnergy(["linear", SMALL_TREES], combine).fit(X, training)
    assert vars(training).keys() == before.keys()
    assert all(vars(training)[name] is value for name, value in before.items())
    assert all(getattr(objective, name) is value for name, value in of_objective.items())


def test_held_out_outputs_of_a_pooled_sum_are_those_of_its_weights(X, objective):
    result = fit(SumEnergy(["linear", GaussianNB()]), X, objective, alpha=0.1)
    samples, outputs = result.held_out
    assert_array_equal(np.sort(samples), np.arange(60))
    value = objective.take(samples).value_and_gradient(outputs)[0]
    assert value <= result.history[-1] <= value + 0.1


@pytest.mark.parametrize("n, n_fits", [(300, 6), (2400, 4), (6000, 2)])
def test_a_term_is_fitted_once_and_on_as_many_folds_as_hold_enough_rows(n, n_fits, rng):
    fits = []

    class Counted(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            fits.append(len(X))
            return super().fit(X, y, sample_weight)

    X = rng.standard_normal((n, 3))
    EnergyClassifier(["linear", Counted()], random_state=0).fit(X, X[:, 0] > 0)
    assert len(fits) == n_fits and fits[0] == n


def test_trees_of_a_pool_are_grown_once_on_each_fold(rng, monkeypatch):
    pytest.importorskip("lightgbm")
    grown, grow = [], TreesEnergy._grow

    def counted(trees, columns, *args, **options):
        grown.append(len(columns))
        return grow(trees, columns, *args, **options)

    monkeypatch.setattr(TreesEnergy, "_grow", counted)
    X = rng.standard_normal((300, 3))
    EnergyClassifier(["linear", TreesEnergy(30)], random_state=0).fit(X, X[:, 0] > 0)
    assert sorted(grown) == [240] * 5 + [300]
