"""Fitted estimators that are saved and read again: by skops, pickle and joblib, and copied."""

import copy
import pickle
from importlib import import_module
from types import BuiltinFunctionType, FunctionType, MethodType

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
)
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sk_ebm import (
    EnergyClassifier,
    EnergyDensityEstimator,
    EnergyDetector,
    EnergyRanker,
    EnergyTransformer,
    exceptions,
)
from sk_ebm._utils import versions
from sk_ebm.energies import BilinearEnergy, MLPEnergy, SumEnergy, TreesEnergy
from sk_ebm.features import SequenceVectorizer, TokenFeatures, WindowFeatures
from sk_ebm.losses import ITEM_LOSSES, LOSSES
from sk_ebm.persistence import trusted_types
from sk_ebm.thresholds import THRESHOLDS, FalseAlarm, Level

N = 48
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, 3))
Y = (X[:, 0] + 0.5 * RNG.standard_normal(N) > 0).astype(int)
T = X[:, 0] + 0.3 * RNG.standard_normal(N)
QUERIES = np.repeat(np.arange(8), 6)
TREES = TreesEnergy(3, early_stopping=False)
PIPELINE = make_pipeline(StandardScaler(), LogisticRegression())

CLASSIFIERS = {
    "default": {},
    "kernel": {"energy": "kernel"},
    "mlp": {"energy": MLPEnergy((5,)), "max_iter": 3},
    "prototype": {"energy": "prototype"},
    "trees": {"energy": TREES},
    "sum": {"energy": ["linear", TREES]},
    "named sum": {"energy": [("a", "linear"), ("b", PIPELINE)]},
    "residual": {"energy": SumEnergy(["linear", TREES], "residual")},
    "expert": {"energy": PIPELINE},
    "density expert": {"energy": GaussianMixture()},
    "frozen": {"energy": FrozenEstimator(LogisticRegression().fit(X, Y))},
    "hinge": {"loss": "hinge"},
    "calibrated": {"calibrate": True},
    "splitter": {"cv": StratifiedKFold(2)},
    "rejecting": {"reject": "false_alarm"},
    "weighted": {"class_weight": "balanced"},
    "embedding": {"energy": "embedding", "reject": "false_alarm", "calibrate": True},
    "calibrated expert": {"energy": CalibratedClassifierCV(LogisticRegression(), cv=2)},
    "hierarchy": {"parents": {0: "all", 1: "all", "all": None}},
    **{loss: {"loss": loss, "alpha": 0.1, "tol": 0.1} for loss in LOSSES if loss != "energy"},
}
DETECTORS = {
    "default": {},
    "novelty": {"novelty": True},
    "anomalies": {"labels": "anomaly"},
    "label errors": {"labels": "answer", "energy": EnergyClassifier(alpha=0.1)},
    "expert": {"energy": IsolationForest(n_estimators=20)},
    "sum": {"energy": ["gaussian", "marginal", "neighbors"]},
    "forest": {"energy": "forest"},
    "split": {"energy": "mixture", "calibration": "split", "cv": None},
    "own level": {"energy": "gaussian", "threshold": max},
    "splitter": {"energy": "gaussian", "cv": KFold(2)},
    "uncalibrated": {"energy": "gaussian", "calibration": None},
    "level": {"energy": "gaussian", "threshold": Level(2.0)},
    "confident": {"energy": "gaussian", "threshold": FalseAlarm(0.1, confidence=0.5)},
    **{name: {"energy": "gaussian", "labels": "anomaly", "threshold": name} for name in THRESHOLDS},
}
RANKERS = {
    "default": {},
    "kernel": {"energy": "kernel"},
    "trees": {"energy": TREES, "loss": "lambda"},
    "expert": {"energy": Ridge()},
    "sum": {"energy": ["linear", TREES]},
    "bilinear": {"energy": BilinearEnergy([0])},
    "noise": {"loss": "xendcg"},
    "normalised": {"normalize": "query"},
    "column": {"group_column": 0},
    "own gain": {"gain": np.sqrt},
    **{loss: {"loss": loss, "alpha": 0.1} for loss in ITEM_LOSSES},
}
DENSITIES = {
    "default": {},
    "constant": {"energy": "linear", "location": None},
    "regressor": {"energy": "linear", "location": Ridge(), "power": 0.5, "point": "median"},
    "base": {"energy": "linear", "base": GaussianProcessRegressor()},
    "trees": {"energy": TREES, "location": Ridge()},
    "joint": {"energy": "linear", "conditional": False, "n_orders": 2},
}
CASES = [
    pytest.param(
        (estimator(**{"cv": 2} | options, random_state=0), data), id=f"{estimator.__name__}-{name}"
    )
    for estimator, family, data in [
        (EnergyClassifier, CLASSIFIERS, {"y": Y}),
        (EnergyDetector, DETECTORS, {"y": np.where(Y, 1, -1)}),
        (EnergyRanker, RANKERS, {"y": Y, "groups": QUERIES}),
        (EnergyDensityEstimator, DENSITIES, {"y": T}),
    ]
    for name, options in family.items()
]


@pytest.fixture(params=CASES, scope="module")
def fitted(request):
    model, data = request.param
    if getattr(model, "group_column", None) is not None:
        return clone(model).fit(with_queries(), Y), lambda m: m.decision_function(with_queries())
    known = {"groups": QUERIES} if isinstance(model, EnergyRanker) else {}
    return clone(model).fit(X, **data), lambda m: m.decision_function(X, **known)


def with_queries():
    return np.column_stack([QUERIES, X])


def functions_in(value, seen):
    """Functions and methods in the state of an object, which files name and may not find."""
    if id(value) in seen:
        return []
    seen[id(value)] = value
    if isinstance(value, (FunctionType, MethodType, BuiltinFunctionType)):
        return [value]
    parts = value if isinstance(value, (list, tuple, set)) else []
    if isinstance(value, dict):
        parts = value.values()
    elif hasattr(value, "__dict__") and not isinstance(value, type):
        parts = vars(value).values()
    return [found for part in parts for found in functions_in(part, seen)]


few_calibration_rows = pytest.mark.filterwarnings("ignore:threshold='auto' bounds")


@few_calibration_rows
def test_no_function_is_fitted_state(fitted):
    given = set(map(id, fitted[0].get_params().values()))
    assert [found for found in functions_in(fitted[0], {}) if id(found) not in given] == []


@few_calibration_rows
def test_skops(fitted):
    skops = pytest.importorskip("skops.io")
    model, answers = fitted
    saved = skops.dumps(model)
    given = [f"builtins.{v.__name__}" for v in model.get_params().values() if v is max]
    read = skops.loads(saved, trusted=trusted_types() + given)
    assert_array_equal(answers(read), answers(model))


STRUCTURES = {
    "sets": (EnergyClassifier(), X, np.stack([Y, 1 - Y, X[:, 1] > 0], axis=1).astype(int)),
    "sequences": (EnergyClassifier(), list(X.reshape(8, 6, 3)), list(Y.reshape(8, 6))),
    "words": (
        make_pipeline(TokenFeatures(), SequenceVectorizer(), WindowFeatures(), EnergyClassifier()),
        [["the", "cat"], ["a", "Dog"]] * 4,
        [["D", "N"], ["D", "N"]] * 4,
    ),
    "targets": (EnergyDensityEstimator("linear", location=Ridge(), random_state=0), X, X[:, :2]),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_structured_answers_are_read_by_skops(name):
    skops = pytest.importorskip("skops.io")
    model, rows, answers = STRUCTURES[name]
    model = clone(model).fit(rows, answers)
    read = skops.loads(skops.dumps(model), trusted=trusted_types())
    for found, expected in zip(read.predict(rows), model.predict(rows), strict=True):
        assert_array_equal(found, expected)


def in_this_module(energies):
    return 2.0


@pytest.mark.parametrize(
    "name, model",
    [
        ("threshold", EnergyDetector("gaussian", threshold=lambda energies: 2.0)),
        ("reject", EnergyClassifier(reject=lambda energies: 2.0)),
        ("gain", EnergyRanker(gain=lambda grade: grade)),
        ("func", EnergyClassifier(make_pipeline(FunctionTransformer(lambda X: X), PIPELINE))),
    ],
)
def test_functions_that_skops_cannot_read_are_refused(name, model):
    skops = pytest.importorskip("skops.io")
    with pytest.raises(ValueError, match=rf"{name}=<function .*lambda.* cannot be saved by skops"):
        skops.dumps(make_pipeline(StandardScaler(), model))
    for same in (copy.deepcopy(model), clone(model)):
        assert repr(same) == repr(model)


def test_functions_of_a_module_are_read_by_skops():
    skops = pytest.importorskip("skops.io")
    model = EnergyDetector("gaussian", threshold=in_this_module).fit(X)
    saved = skops.dumps(model)
    read = skops.loads(saved, trusted=skops.get_untrusted_types(data=saved))
    assert read.threshold is in_this_module
    assert_array_equal(read.predict(X), model.predict(X))


class Forgetful(EnergyDetector):
    def __getstate__(self):
        return super().__getstate__() | {"offset_": None}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_states_of_subclasses_are_pickled(protocol):
    model = Forgetful("gaussian", threshold=in_this_module).fit(X)
    same = pickle.loads(pickle.dumps(model, protocol))
    assert same.offset_ is None and same.threshold_ == model.threshold_


def test_pickles_and_copies(fitted):
    model, answers = fitted
    for same in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert_array_equal(answers(same), answers(model))
    assert not hasattr(clone(model), "n_features_in_")


def test_read_only_memory_maps(fitted, tmp_path):
    model, answers = fitted
    joblib.dump(model, tmp_path / "model")
    assert_array_equal(answers(joblib.load(tmp_path / "model", mmap_mode="r")), answers(model))


def test_files_of_another_version_are_read_with_a_warning(monkeypatch, tmp_path):
    model, features = EnergyClassifier(alpha=0.1).fit(X, Y), TokenFeatures()
    monkeypatch.setattr(versions, "__version__", "0.0.9")
    joblib.dump(model, tmp_path / "model")
    saved = pickle.dumps(model), pickle.dumps(features)
    monkeypatch.undo()
    for read in (
        lambda: pickle.loads(saved[0]),
        lambda: pickle.loads(saved[1]),
        lambda: joblib.load(tmp_path / "model"),
    ):
        with pytest.warns(
            exceptions.InconsistentVersionWarning, match=r"saved by sk_ebm 0\.0\.9"
        ) as w:
            read()
        assert w[0].filename == __file__
        assert isinstance(w[0].message, InconsistentVersionWarning)  # scikit-learn's filters work


def test_files_of_another_version_are_read_by_skops_with_a_warning(monkeypatch):
    skops = pytest.importorskip("skops.io")
    monkeypatch.setattr(versions, "__version__", "0.0.9")
    saved = skops.dumps(EnergyDetector("gaussian").fit(X))
    monkeypatch.undo()
    with pytest.warns(exceptions.InconsistentVersionWarning, match=r"sk_ebm 0\.0\.9"):
        skops.loads(saved, trusted=trusted_types())


def test_the_version_is_no_attribute():
    same = pickle.loads(pickle.dumps(EnergyClassifier()))
    assert vars(same) == vars(EnergyClassifier())


def test_functions_are_not_trusted():
    skops = pytest.importorskip("skops.io")
    model = EnergyDetector("gaussian", threshold=in_this_module).fit(X)
    assert not set(skops.get_untrusted_types(data=skops.dumps(model))) <= set(trusted_types())
    for name in trusted_types():
        module, _, attribute = name.rpartition(".")
        if module.startswith(("sk_ebm", "numpy", "collections")):
            assert isinstance(getattr(import_module(module), attribute), type), name


def test_gradient_boosting_as_an_energy_is_trusted():
    skops = pytest.importorskip("skops.io")
    for model, target in [
        (EnergyClassifier(HistGradientBoostingClassifier(max_iter=3), cv=2), Y),
        (EnergyDensityEstimator("linear", location=HistGradientBoostingRegressor(max_iter=3)), T),
    ]:
        saved = skops.dumps(model.fit(X, target))
        assert skops.loads(saved, trusted=trusted_types())


SEARCH = GridSearchCV(EnergyClassifier(), {"alpha": [0.1, 1]}, cv=2)


@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (EnergyDetector("gaussian"), None),
        (EnergyDensityEstimator("linear", location=Ridge()), T),
        (make_pipeline(StandardScaler(), EnergyClassifier()), Y),
        (SEARCH, Y),
    ],
    ids=["detector", "density", "pipeline", "search"],
)
def test_skops_reads_transformers(estimator, y):
    skops = pytest.importorskip("skops.io")
    transformer = EnergyTransformer(estimator, cv=KFold(2), random_state=0).fit(X, y)
    restored = skops.loads(skops.dumps(transformer), trusted=trusted_types())
    assert_array_equal(restored.transform(X), transformer.transform(X))
    assert_array_equal(restored.get_feature_names_out(), transformer.get_feature_names_out())
