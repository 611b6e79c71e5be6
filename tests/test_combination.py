"""Estimators as energies, and sums of energies."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, GroupKFold, train_test_split
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_ebm import EnergyClassifier
from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm.energies import (
    ExpertEnergy,
    KernelEnergy,
    LinearEnergy,
    SumEnergy,
    TreesEnergy,
)
from sk_ebm.losses._likelihood import NLL
from sk_ebm.losses._registry import LOSSES

SMALL_TREES = TreesEnergy(20, early_stopping=False)
COUNTED_ROWS = (
    "Each splits rows into folds or counts them, which differ when a row of weight 2 becomes two."
)
SHARES = "A class of 1e-7 of the weight is 16 nats behind, less than log densities differ there."


def expected_failures(estimator):
    if isinstance(estimator.energy, KernelDensity):
        return {"check_class_weight_classifiers": SHARES}
    return {
        "check_sample_weight_equivalence_on_dense_data": COUNTED_ROWS,
        "check_sample_weight_equivalence_on_sparse_data": COUNTED_ROWS,
    }


@parametrize_with_checks(
    [
        EnergyClassifier(LogisticRegression(max_iter=10_000)),
        EnergyClassifier(RandomForestClassifier(5), random_state=0),
        EnergyClassifier(make_pipeline(StandardScaler(), SVC())),
        EnergyClassifier(KernelDensity(), random_state=0),
        EnergyClassifier(["linear", LogisticRegression(max_iter=10_000)], random_state=0),
        EnergyClassifier([("a", LinearEnergy()), ("b", SMALL_TREES)], random_state=0),
        EnergyClassifier(SumEnergy(["linear", SMALL_TREES], "residual"), random_state=0),
    ],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture
def wine():
    X, y = load_wine(return_X_y=True)
    return train_test_split(StandardScaler().fit_transform(X), y, random_state=0)


@pytest.fixture
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return train_test_split(StandardScaler().fit_transform(X), y, random_state=0)


EXPERTS = {
    "logistic": LogisticRegression(),
    "forest": RandomForestClassifier(20),
    "neighbors": KNeighborsClassifier(),
    "svc": SVC(),
    "ridge": RidgeClassifier(),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    "boosting": HistGradientBoostingClassifier(max_iter=20),
    "ours": EnergyClassifier("kernel"),
    "mixture": GaussianMixture(covariance_type="diag"),
    "kernel density": KernelDensity(),
}
every_expert = pytest.mark.parametrize("name", EXPERTS)


@every_expert
@pytest.mark.parametrize("data", ["wine", "cancer"])
def test_every_expert_decides(name, data, request):
    X, X_test, y, y_test = request.getfixturevalue(data)
    classifier = EnergyClassifier(EXPERTS[name], random_state=0).fit(X, y)
    assert classifier.score(X_test, y_test) > 0.9
    assert log_loss(y_test, classifier.predict_proba(X_test)) < 0.5


@every_expert
def test_experts_follow_the_seed_and_survive_a_pickle(name, wine):
    X, X_test, y, _ = wine
    one, same = (
        EnergyClassifier(EXPERTS[name], beta=1, random_state=0).fit(X, y) for _ in range(2)
    )
    assert_array_equal(one.energies(X_test), same.energies(X_test))
    assert_array_equal(one.energies(X_test), pickle.loads(pickle.dumps(one)).energies(X_test))


@pytest.mark.parametrize("data", ["wine", "cancer"])
def test_energies_of_a_classifier_are_minus_log_p(data, request):
    X, X_test, y, _ = request.getfixturevalue(data)
    expert = LogisticRegression().fit(X, y)
    energies = EnergyClassifier(LogisticRegression(), beta=1).fit(X, y).energies(X_test)
    n, n_classes = len(y), len(np.unique(y))
    mixed = (n * expert.predict_proba(X_test) + 1 / n_classes) / (n + 1)
    assert_allclose(energies, -np.log(mixed), rtol=1e-10)


@pytest.mark.parametrize("expert", [DecisionTreeClassifier(), KNeighborsClassifier(1)], ids=str)
def test_probabilities_of_zero_and_one_give_finite_energies(expert, wine):
    X, X_test, y, _ = wine
    energies = EnergyClassifier(expert, beta=1, random_state=0).fit(X, y).energies(X_test)
    assert_allclose(energies.max(), np.log(3 * (len(y) + 1)))
    assert_allclose(np.exp(-energies).sum(axis=1), 1)


def test_a_density_expert_is_a_generative_classifier(wine):
    X, X_test, y, _ = wine
    ours = EnergyClassifier(GaussianMixture(covariance_type="diag", reg_covar=0), beta=1).fit(X, y)
    peer = GaussianNB(var_smoothing=0).fit(X, y)
    assert_allclose(ours.predict_proba(X_test), peer.predict_proba(X_test), atol=1e-6)
    joint = peer.predict_joint_log_proba(X_test)
    assert_allclose(ours.free_energy(X_test), -np.logaddexp.reduce(joint, axis=1), rtol=1e-6)


def test_normalised_experts_have_no_free_energy(wine):
    X, X_test, y, _ = wine
    classifier = EnergyClassifier(LogisticRegression()).fit(X, y)
    assert not hasattr(classifier, "free_energy")
    with pytest.raises(AttributeError) as caught:
        classifier.free_energy(X_test)
    assert "-log p" in str(caught.value.__cause__) and "least_energy" in str(caught.value.__cause__)
    assert_allclose(classifier.least_energy(X_test), classifier.energies(X_test).min(axis=1))
    assert hasattr(EnergyClassifier(SVC()).fit(X, y), "free_energy")


def test_a_frozen_estimator_is_not_fitted_again(wine):
    X, X_test, y, y_test = wine
    names = np.array(["a", "b", "c"])
    fitted = LogisticRegression().fit(X, names[y])
    before = fitted.coef_.copy()
    classifier = EnergyClassifier(FrozenEstimator(fitted)).fit(X[:30], names[y[:30]])
    assert_array_equal(fitted.coef_, before)
    assert classifier.score(X_test, names[y_test]) > 0.9


def test_a_frozen_estimator_with_other_classes(wine):
    X, X_test, y, _ = wine
    fitted = FrozenEstimator(LogisticRegression().fit(X, y))
    two = y < 2
    classifier = EnergyClassifier(fitted, beta=1).fit(X[two], y[two])
    assert set(classifier.predict(X_test)) == {0, 1}
    assert_allclose(classifier.predict_proba(X_test).sum(axis=1), 1)
    with pytest.raises(ValueError, match=r"knows the classes \[0, 1, 2\], none of which"):
        EnergyClassifier(fitted, beta=1).fit(X, y + 10)


@pytest.mark.parametrize("expert", [LogisticRegression(), RidgeClassifier(), KernelDensity()])
def test_a_class_that_a_fold_lacks_is_incompatible(expert, rng):
    X, y = rng.standard_normal((41, 2)), np.arange(41) % 2
    X[:, 0] += 6 * y
    y[0] = 2  # its only row is in no training fold of its own test fold
    classifier = EnergyClassifier([expert, "linear"], random_state=0).fit(X, y)
    assert np.isfinite(classifier.energies(X)).all()
    assert classifier.score(X, y) > 0.9


def test_weights_reach_experts_that_take_them(wine):
    X, _, y, _ = wine
    weights = np.where(y == 2, 1e-6, 1.0)
    for expert in (LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression())):
        classifier = EnergyClassifier(expert, beta=1).fit(X, y, sample_weight=weights)
        assert 2 not in classifier.predict(X)
    without = EnergyClassifier(KNeighborsClassifier(), beta=1)
    with pytest.raises(ValueError, match=r"sample_weight.*KNeighborsClassifier"):
        without.fit(X, y, sample_weight=weights)
    zero = without.fit(X, y, sample_weight=(y < 2).astype(float))
    assert 2 not in zero.predict(X)


def test_routing_asks_for_a_request(wine):
    X, _, y, _ = wine
    weights = np.where(y == 2, 1e-6, 1.0)
    with config_context(enable_metadata_routing=True):
        silent, asking = (
            LogisticRegression(),
            LogisticRegression().set_fit_request(sample_weight=True),
        )
        with pytest.raises(ValueError, match="request it"):
            EnergyClassifier(silent, beta=1).fit(X, y, sample_weight=weights)
        classifier = EnergyClassifier(asking, beta=1).fit(X, y, sample_weight=weights)
    assert 2 not in classifier.predict(X)


class Fails(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise RuntimeError("no licence")

    def predict_proba(self, X):
        return np.ones((len(X), 2)) / 2


@pytest.mark.parametrize(
    "energy, error, message",
    [
        (LinearRegression(), ValueError, "classifier with predict_proba or .*LinearRegression"),
        (IsolationForest(), ValueError, "classifier with predict_proba or .*IsolationForest"),
        (make_pipeline(StandardScaler()), ValueError, "classifier with predict_proba"),
        (LogisticRegression, ValueError, "energy must be one of"),
        ([], ValueError, r"energy must be one of.*got \[\]"),
        (["linear", "linaer"], ValueError, "energy must be one of .*'linaer'"),
        ([("a", "linear"), ("a", "trees")], ValueError, "not unique"),
        ([("a__b", "linear")], ValueError, "must not contain __"),
        ([("terms", "linear")], ValueError, "conflict with constructor"),
        (SumEnergy(["linear"], "stacked"), ValueError, "combine must be 'pooled' or 'residual'"),
        (SumEnergy(["linear", SVC()], "residual"), ValueError, "'svc' cannot be fitted to what"),
        (SVC(decision_function_shape="ovo"), None, None),
        ([KernelEnergy(gamma=-1), "linear"], ValueError, "gamma"),
    ],
)
def test_bad_energies_are_named(energy, error, message, wine):
    if error is None:  # three classes have as many pairs
        assert EnergyClassifier(energy).fit(wine[0], wine[2]).score(wine[0], wine[2]) >= 0
        return
    with pytest.raises(error, match=message):
        EnergyClassifier(energy).fit(wine[0], wine[2])


def test_an_expert_that_raises_is_named_and_the_fitted_model_survives(cancer):
    X, X_test, y, _ = cancer
    classifier = EnergyClassifier().fit(X, y)
    before = classifier.predict_proba(X_test)
    with pytest.raises(RuntimeError, match="no licence") as caught:
        classifier.set_params(energy=["linear", Fails()]).fit(X, y)
    assert "Fails()" in caught.value.__notes__[0]
    assert_array_equal(classifier.predict_proba(X_test), before)


def test_decisions_with_a_column_per_pair_are_refused(rng):
    X, y = rng.standard_normal((80, 2)), np.arange(80) % 4
    with pytest.raises(ValueError, match="a column for each of the 4 classes, got 6"):
        EnergyClassifier(SVC(decision_function_shape="ovo")).fit(X, y)


def test_fewer_samples_than_folds():
    X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 0, 1, 1])
    assert EnergyClassifier(["linear", "prototype"]).fit(X, y).score(X, y) == 1
    with pytest.raises(ValueError, match="n_splits=5"):
        EnergyClassifier(["linear", "prototype"], cv=5).fit(X, y)


def test_experts_read_frames_and_text_themselves():
    texts = pd.Series(["cheap pills", "noon lunch", "cheap watch", "noon talk"] * 10)
    y = np.array(["spam", "mail"] * 20)
    model = EnergyClassifier(
        [
            make_pipeline(TfidfVectorizer(), MultinomialNB()),
            make_pipeline(TfidfVectorizer(), LogisticRegression()),
        ]
    )
    for X in (texts, texts.tolist(), texts.to_numpy()):
        assert model.fit(X, y).predict(["cheap talk pills"]).tolist() == ["spam"]


def test_trees_and_experts_share_a_frame(rng):
    X = pd.DataFrame({"name": rng.choice(["a", "b", "c"], size=300), "x": rng.uniform(size=300)})
    X.loc[::7, "x"] = np.nan
    y = (X["name"] == "b").to_numpy()
    encoded = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["name"])), LogisticRegression()
    )
    classifier = EnergyClassifier(["trees", encoded], random_state=0).fit(X, y)
    assert classifier.score(X, y) == 1
    with pytest.raises(ValueError, match="could not convert"):
        EnergyClassifier(["trees", "linear"]).fit(X, y)


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


def test_weights_minimise_the_loss_of_unseen_energies(rng):
    """Answers drawn from the product of two experts, the second of half the weight."""
    parts = 2 * rng.standard_normal((2, 4000, 3))
    p = np.exp(parts[0] + 0.5 * parts[1])
    cumulative = (p / p.sum(axis=1, keepdims=True)).cumsum(axis=1)
    target = (cumulative < rng.uniform(size=(4000, 1))).sum(axis=1)
    objective = Objective(Labels(target, 3), NLL(), np.ones(4000))
    weights, constant = objective.pool(list(parts))
    assert_allclose(weights, [1, 0.5], atol=0.1)
    assert_allclose(constant, 0, atol=0.1)


def test_the_constant_corrects_the_shares_of_the_answers(rng):
    """A term that says nothing, so that only the shares are left."""
    target = (rng.uniform(size=4000) < 0.2).astype(int)
    objective = Objective(Labels(target, 2), NLL(), np.ones(4000))
    weights, constant = objective.pool([rng.standard_normal((4000, 2))])
    assert_allclose(
        constant[1] - constant[0], np.log(target.mean() / (1 - target.mean())), atol=0.02
    )
    assert weights[0] < 0.1


def test_few_samples_leave_weights_nearly_equal(rng):
    target = np.array([0, 1])
    parts = [np.eye(2)[target], 1.5 * np.eye(2)[target]]
    weights, _ = Objective(Labels(target, 2), NLL(), np.ones(2)).pool(parts)
    assert_allclose(weights[0], 1.5 * weights[1], rtol=0.01)


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


def test_an_offset_moves_energies(rng):
    answers = Labels(rng.randint(3, size=20), 3)
    outputs, offset = rng.standard_normal((2, 20, 3))
    moved = Objective(answers, NLL(), np.ones(20), offset=offset)
    plain = Objective(answers, NLL(), np.ones(20))
    assert_allclose(moved(outputs)[0], plain(outputs + offset)[0], rtol=1e-12)
    some = np.array([3, 7])
    expected = plain.take(some)((outputs + offset)[some])[0]
    assert_allclose(moved.take(some)(outputs[some])[0], expected, rtol=1e-12)


def test_one_output_and_two_outputs_add(rng):
    target = rng.randint(2, size=20)
    one, two = rng.standard_normal((20, 1)), rng.standard_normal((20, 2))
    total = np.sum(Labels.aligned([one, two]), axis=0)
    expected = Labels.arrange(one)[0] + Labels.arrange(two)[0]
    assert_allclose(Labels.arrange(total)[0], expected)
    objective = Objective(Labels(target, 2), NLL(), np.ones(20), offset=two)
    assert_allclose(
        objective(one)[0], Objective(Labels(target, 2), NLL(), np.ones(20))(total)[0], rtol=1e-12
    )


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


def test_groups_stay_together_in_the_folds(rng):
    """Labels are noise, the same in all rows of a group: only split groups make a forest sure."""
    groups = np.repeat(np.arange(40), 5)
    X = np.repeat(rng.standard_normal((40, 2)), 5, axis=0)
    y = np.repeat(np.arange(40) % 2, 5)
    forest = EnergyClassifier(RandomForestClassifier(20), random_state=0)
    split = forest.fit(X, y).beta_
    assert forest.fit(X, y, groups=groups).beta_ < 0.3 * split
    assert forest.set_params(cv=GroupKFold(4)).fit(X, y, groups=groups).beta_ < 0.3 * split
    assert forest.set_params(cv=4).fit(X, y, groups=groups).beta_ < 0.3 * split


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

    assert tags("linear") == (True, False)
    assert tags("trees") == (True, True)
    assert tags(HistGradientBoostingClassifier()) == (False, True)
    assert tags(["trees", HistGradientBoostingClassifier()]) == (False, True)
    assert tags(["trees", "linear"]) == (True, False)
    assert tags("nonsense") == (False, False)


def test_iris_in_one_line():
    X, y = load_iris(return_X_y=True)
    assert EnergyClassifier(["linear", KNeighborsClassifier()]).fit(X, y).score(X, y) > 0.9
