"""Fitted estimators that are saved and read again: by skops, pickle and joblib, and copied."""

import copy
import pickle
from types import BuiltinFunctionType, FunctionType, MethodType

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector, EnergyRanker
from sk_ebm.energies import BilinearEnergy, MLPEnergy, SumEnergy, TreesEnergy

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
    "rejecting": {"reject": "false_alarm"},
    "weighted": {"class_weight": "balanced"},
    "embedding": {"energy": "embedding", "reject": "false_alarm", "calibrate": True},
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
    "uncalibrated": {"energy": "gaussian", "calibration": None},
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


def test_no_function_is_fitted_state(fitted):
    given = set(map(id, fitted[0].get_params().values()))
    assert [found for found in functions_in(fitted[0], {}) if id(found) not in given] == []


def test_skops(fitted):
    skops = pytest.importorskip("skops.io")
    model, answers = fitted
    saved = skops.dumps(model)
    read = skops.loads(saved, trusted=skops.get_untrusted_types(data=saved))
    assert_array_equal(answers(read), answers(model))


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
