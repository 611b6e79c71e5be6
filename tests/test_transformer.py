"""EnergyTransformer: features that are honest in training, their names, and bad input."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_ebm import (
    EnergyClassifier,
    EnergyDensityEstimator,
    EnergyDetector,
    EnergyRanker,
    EnergyTransformer,
)

CLASSIFIER = EnergyClassifier(alpha=0.1, beta=1.0)
DENSITY = EnergyDensityEstimator("linear", location=Ridge(), power=None, alpha=0.1, random_state=0)
JOINT = KernelDensity()
DETECTOR = EnergyDetector("marginal", random_state=0)


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    order = np.random.RandomState(0).permutation(len(y))
    return X[order][:, :4], y[order]


HONEST = "features of training rows are held-out ones, as TargetEncoder's are"


WEIGHTS = {
    "check_sample_weight_equivalence_on_dense_data": "p-values leave out single rows, whose copies "
    "stay"
}


@pytest.mark.filterwarnings("ignore:The highest energy is that of")
@pytest.mark.filterwarnings("ignore:threshold='auto' bounds")  # of few rows
@parametrize_with_checks(
    [
        EnergyTransformer(CLASSIFIER, cv=2, random_state=0),
        EnergyTransformer(DETECTOR, features=["surprisals", "p_values"], cv=2, random_state=0),
    ],
    expected_failed_checks=lambda estimator: {
        **(WEIGHTS if isinstance(estimator.estimator, EnergyDetector) else {}),
        "check_transformer_general": HONEST,
        "check_transformer_general(readonly_memmap=True)": HONEST,
        "check_transformer_data_not_an_array": HONEST,
    },
    xfail_strict=True,
)
def test_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("estimator", "features", "names"),
    [
        (CLASSIFIER, "auto", ["log_proba_0", "log_proba_1", "log_proba_2"]),
        (CLASSIFIER, "energies", ["energy_0", "energy_1", "energy_2"]),
        (DENSITY, "auto", ["quantile_0.1", "quantile_0.5", "quantile_0.9"]),
        (JOINT, "auto", ["surprisal"]),
        (DETECTOR, ["energies", "p_values"], ["energy", "p_value"]),
        (make_pipeline(StandardScaler(), DETECTOR), "auto", ["surprisal"]),
    ],
)
def test_features_are_those_of_the_methods(estimator, features, names, wine):
    X, y = wine
    transformer = EnergyTransformer(estimator, features=features, cv=KFold(2)).fit(X, y)
    assert transformer.get_feature_names_out().tolist() == names
    fitted = clone(estimator).fit(X, y)
    found = transformer.transform(X)
    assert found.shape == (len(X), len(names))
    expected = {
        "log_proba_0": lambda: fitted.predict_log_proba(X)[:, 0],
        "energy_0": lambda: fitted.energies(X)[:, 0],
        "quantile_0.1": lambda: fitted.predict_quantile(X, 0.1),
        "surprisal": lambda: found[:, 0] if hasattr(fitted, "steps") else -fitted.score_samples(X),
        "energy": lambda: fitted.energies(X),
    }
    assert_allclose(found[:, 0], expected[names[0]]())
    held_out = transformer.fit_transform(X, y)
    half = len(X) // 2
    other = EnergyTransformer(estimator, features=features).fit(X[half:], y[half:])
    assert_allclose(held_out[:half], other.transform(X[:half]), rtol=1e-7)
    assert np.abs(held_out - found).max() > 1e-6


def test_training_features_tell_nothing_of_their_answers(rng):
    X, y = rng.standard_normal((150, 60)), rng.randint(2, size=150)
    transformer = EnergyTransformer(EnergyClassifier(alpha=1e-4, beta=1.0), random_state=0)
    held_out = transformer.fit_transform(X, y)
    assert np.mean(held_out.argmax(axis=1) == y) < 0.65
    assert np.mean(transformer.transform(X).argmax(axis=1) == y) > 0.7


def test_several_targets_and_queries_have_features(rng):
    X = rng.standard_normal((60, 2))
    y = X + rng.standard_normal((60, 2))
    transformer = EnergyTransformer(DENSITY, quantiles=[0.5], cv=2)
    assert transformer.fit_transform(X, y).shape == (60, 2)
    assert transformer.get_feature_names_out()[1] == "target_1_quantile_0.5"
    ranker = EnergyTransformer(EnergyRanker(alpha=0.1, beta=1.0), cv=3, random_state=0)
    items = ranker.fit_transform(X, rng.randint(3, size=60), groups=np.arange(60) // 6)
    assert items.shape == (60, 1) and ranker.get_feature_names_out() == ["energy"]


def test_frames_have_names(wine):
    pd = pytest.importorskip("pandas")
    X, y = pd.DataFrame(wine[0], columns=list("abcd")), np.array(["x", "y", "z"])[wine[1]]
    transformer = EnergyTransformer(CLASSIFIER, cv=2, random_state=0)
    transformer.set_output(transform="pandas")
    for frame in (transformer.fit_transform(X, y), transformer.transform(X)):
        assert list(frame.columns) == ["log_proba_x", "log_proba_y", "log_proba_z"]
        assert frame.index.equals(X.index)
    assert transformer.feature_names_in_.tolist() == list("abcd")


def test_it_is_a_step_of_pipelines_and_searches(wine):
    X, y = wine
    both = make_union(EnergyTransformer(CLASSIFIER, cv=3), EnergyTransformer(DETECTOR, cv=3))
    pipe = make_pipeline(StandardScaler(), both, LogisticRegression())
    assert cross_val_score(pipe, X, y, cv=2).mean() > 0.7
    grid = {"featureunion__energytransformer-1__estimator__alpha": [0.1, 1.0]}
    search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    copied = pickle.loads(pickle.dumps(search))
    assert_array_equal(copied.predict(X), search.predict(X))


def test_a_class_that_a_fold_does_not_know_is_like_the_worst(wine):
    X, y = wine[0][:41], np.append(np.arange(40) % 2, 5)
    for features, worst in (("log_proba", np.min), ("energies", np.max)):
        transformer = EnergyTransformer(CLASSIFIER, features=features, cv=2, random_state=0)
        values = transformer.fit_transform(X, y)
        assert np.isfinite(values).all()
        assert values[-1, 2] == worst(values[-1])


def test_weights_are_handed_on(wine):
    X, y = wine
    weights = np.arange(len(y)) % 2
    transformer = EnergyTransformer(CLASSIFIER, cv=2, random_state=0)
    transformer.fit_transform(X, y, sample_weight=weights)
    expected = clone(CLASSIFIER).fit(X, y, sample_weight=weights).predict_log_proba(X)
    assert_allclose(transformer.transform(X), expected)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"estimator": "linear"}, "estimator must be an EnergyClassifier"),
        ({"features": "scores"}, "features must be 'auto', 'energies', .* got 'scores'"),
        ({"features": []}, "features must name at least one kind"),
        (
            {"features": "p_values"},
            r"features='p_values' needs an estimator with p_values, got Energy.*\)\. "
            "It has 'energies', 'log_proba'",
        ),
        ({"estimator": Ridge()}, "needs an estimator with score_samples, got Ridge.* this package"),
        ({"features": "surprisals"}, "needs an estimator with score_samples"),
        ({"features": "quantiles"}, "needs an estimator with predict_quantile"),
        (
            {"estimator": DENSITY, "features": "energies"},
            "needs an estimator with energies without y",
        ),
        ({"quantiles": [1.5]}, "quantiles must be"),
        ({"cv": 1}, "cv must be an integer >= 2, got 1"),
    ],
)
def test_bad_parameters(params, said, wine):
    transformer = EnergyTransformer(**{"estimator": CLASSIFIER, **params})
    with pytest.raises(ValueError, match=said):
        transformer.fit_transform(*wine)
