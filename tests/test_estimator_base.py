"""What the four estimators share: callbacks, nested parameters, containers, scores with weights."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer
from sklearn.pipeline import make_pipeline

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector, EnergyRanker
from sk_ebm.energies import (
    KernelEnergy,
    MLPEnergy,
    NeighborsEnergy,
    PrototypeEnergy,
    TreesEnergy,
)
from sk_ebm.thresholds import Contamination, FalseAlarm

N = 48
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, 3)).round(1)
Y = (X[:, 0] + 0.5 * RNG.standard_normal(N) > 0).astype(int)
T = X[:, 0] + 0.3 * RNG.standard_normal(N)
QUERIES = np.repeat(np.arange(8), 6)
TREES = TreesEnergy(3, early_stopping=False)
FRAME = pd.DataFrame(X, columns=list("abc"))

ANOMALIES = {"y": np.where(Y, 1, -1)}
MONITORED = {
    "rejecting": (EnergyClassifier(reject="false_alarm"), {"y": Y}),
    "sum": (EnergyClassifier(["linear", TREES]), {"y": Y}),
    "expert": (EnergyClassifier(LogisticRegression()), {"y": Y}),
    "detector": (EnergyDetector(["gaussian", "marginal"]), ANOMALIES),
    "novelty": (EnergyDetector("gaussian", novelty=True), ANOMALIES),
    "anomalies": (EnergyDetector("linear", labels="anomaly"), ANOMALIES),
    "label errors": (EnergyDetector(EnergyClassifier(beta=1.0), labels="answer"), {"y": Y}),
    "density": (EnergyDensityEstimator("linear", location=Ridge(), alpha=1.0), {"y": T}),
    "two targets": (
        EnergyDensityEstimator("linear", location=Ridge()),
        {"y": np.column_stack([T, X[:, 1] + 0.1 * T])},
    ),
    "joint": (EnergyDensityEstimator("linear", conditional=False), {"y": T}),
}


@pytest.mark.parametrize("name", MONITORED)
def test_every_fit_can_be_monitored(name):
    model, data = MONITORED[name]

    def ask(fitted, X, y):
        assert isinstance(X, pd.DataFrame)  # as the user gave it: an array would lack the names
        if hasattr(fitted, "score"):
            return {"score": fitted.score(X, y)}
        assert np.isfinite(fitted.predict_proba(X)).all()
        return {"score": np.mean(fitted.predict(X) == 1)}

    monitor = ScoringMonitor(scoring=ask)
    model.set_params(random_state=0, cv=2).set_callbacks(monitor).fit(FRAME, **data)
    log = monitor.get_logs().data
    assert log[0]["score"] == ask(model, FRAME, data["y"])["score"]  # at the end of the fit
    assert len(log) > 1 or name in ("expert", "detector", "novelty", "label errors")


FINISHED = {
    "sets": (EnergyClassifier(calibrate=True), {"y": Y}, lambda m, X: m.predict_set(X)),
    "rejection": (EnergyClassifier(reject="false_alarm"), {"y": Y}, lambda m, X: m.predict(X)),
    "hierarchy": (
        EnergyClassifier(parents={0: "all", 1: "all"}),
        {"y": Y},
        lambda m, X: m.predict_proba(X),
    ),
    "anomalies": (
        EnergyDetector("linear", labels="anomaly"),
        ANOMALIES,
        lambda m, X: m.p_values(X) + m.threshold_,
    ),
}


@pytest.mark.parametrize("name", FINISHED)
def test_callbacks_are_given_finished_estimators(name):
    """As if the fit had ended with the iteration: what is learned after it is there, too."""
    model, data, ask = FINISHED[name]
    monitor = ScoringMonitor(scoring=lambda fitted, X, y: {"score": np.mean(ask(fitted, X))})
    model.set_params(random_state=0, cv=2).set_callbacks(monitor).fit(X, **data)
    scores = [entry["score"] for entry in monitor.get_logs().data]
    assert len(scores) > 2
    assert abs(scores[-1] - np.mean(ask(model, X))) < 0.5


def test_flat_sequences_are_known_to_callbacks():
    monitor = ScoringMonitor(scoring="accuracy")
    model = EnergyClassifier().set_callbacks(monitor).fit(X, Y, sequences=QUERIES)
    assert monitor.get_logs().data[0]["accuracy"] == model.score(X, Y, sequences=QUERIES)
    assert not hasattr(model, "_sequences_in_fit")


def test_label_sets_are_scored_when_they_are_fitted():
    sets = np.stack([Y, 1 - Y], axis=1)
    monitor = ScoringMonitor(scoring="accuracy")
    model = EnergyClassifier().set_callbacks(monitor).fit(X, sets)
    assert monitor.get_logs().data[0]["accuracy"] == model.score(X, sets)


def test_weights_are_passed_to_callbacks():
    weights = np.linspace(0.1, 2, len(Y))
    for model, data, scoring in [
        (EnergyClassifier(alpha=0.1), {"y": Y}, "accuracy"),
        (EnergyDensityEstimator("linear", location=Ridge(), alpha=1.0), {"y": T}, "r2"),
    ]:
        monitor = ScoringMonitor(scoring=scoring)
        model.set_callbacks(monitor).fit(X, sample_weight=weights, **data)
        expected = get_scorer(scoring)(model, X, data["y"], sample_weight=weights)
        assert monitor.get_logs().data[0][scoring] == pytest.approx(expected)


@pytest.mark.parametrize("name", MONITORED)
def test_progress_is_shown(name):
    pytest.importorskip("rich")
    model, data = MONITORED[name]
    model = clone(model).set_params(random_state=0, cv=2)
    model.set_callbacks(ProgressBar()).fit(FRAME, **data)


@pytest.mark.parametrize("name", MONITORED)
def test_verbose_prints_one_line_for_each_step(name, capsys):
    model, data = MONITORED[name]
    model = clone(model).set_params(random_state=0, cv=2, verbose=True).fit(FRAME, **data)
    *steps, last = capsys.readouterr().out.splitlines()
    name = type(model).__name__
    assert last.startswith(f"[{name}] fitted after {len(steps)} iterations")
    for k, line in enumerate(steps, start=1):
        assert line.startswith(f"[{name}] iteration {k}: objective ")


def test_nothing_is_printed_unless_asked(capsys):
    EnergyClassifier().fit(X, Y)
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    "model, change, message",
    [
        (
            EnergyClassifier("kernel"),
            {"energy__gamma": 1},
            "energy is 'kernel': give KernelEnergy(",
        ),
        (EnergyDetector(), {"energy__n": 1}, "energy is 'auto': give a component"),
        (EnergyDetector("forest"), {"energy__n": 1}, "energy is 'forest': give ForestEnergy()"),
        (EnergyRanker(), {"loss__k": 1}, "loss is 'nll': give NLL()"),
        (EnergyDetector(threshold="false_alarm"), {"threshold__rate": 1}, "give FalseAlarm() as"),
        (EnergyClassifier(), {"reject__rate": 1}, "reject is None: give a component as reject"),
        (EnergyDensityEstimator(), {"base__alpha": 1}, "base is None: give a component as base"),
    ],
)
def test_parameters_of_what_is_given_by_name(model, change, message):
    with pytest.raises(ValueError) as caught:
        model.set_params(**change)
    assert message in str(caught.value)


def test_components_and_their_parameters_are_set_together():
    model = EnergyClassifier().set_params(energy=KernelEnergy(), energy__gamma=2.0)
    assert model.energy.gamma == 2.0
    model.set_params(reject=FalseAlarm(), reject__rate=0.2)
    assert model.reject.rate == 0.2
    with pytest.raises(ValueError, match="Invalid parameter 'nothing'"):
        model.set_params(nothing__rate=0.2)


ESTIMATORS = [EnergyClassifier, EnergyRanker, EnergyDetector, EnergyDensityEstimator]
UNLIKELY = (["a"], {"a": 1}, np.ones(2), "misspelt", -9.5, np.nan, object())


@pytest.mark.parametrize("make", ESTIMATORS)
@pytest.mark.parametrize("value", UNLIKELY, ids=lambda value: type(value).__name__)
def test_errors_name_the_parameter(make, value):
    data = {"y": Y} | ({"groups": QUERIES} if make is EnergyRanker else {})
    for name in set(make().get_params(deep=False)) - {"reject_label"}:
        with pytest.raises(ValueError, match=name):
            make(**{name: value}).fit(X, **data)


@pytest.mark.parametrize(
    "component, names",
    [
        (KernelEnergy, ["approximation", "n_components", "gamma"]),
        (MLPEnergy, ["activation", "early_stopping", "batch_size"]),
        (PrototypeEnergy, ["latent", "n_prototypes"]),
        (TreesEnergy, ["subsample", "colsample", "early_stopping", "n_jobs", "max_step"]),
        (NeighborsEnergy, ["whiten", "n_neighbors"]),
        (Contamination, ["rate"]),
    ],
)
@pytest.mark.parametrize("value", [*UNLIKELY, True], ids=lambda value: type(value).__name__)
def test_errors_of_components_name_the_parameter(component, names, value):
    for name in names:
        if not (value is True and name in ("early_stopping", "whiten")):
            with pytest.raises(ValueError, match=name):
                component(**{name: value}).check()


@pytest.mark.parametrize("value", [None, 1, ["from_dtype"]], ids=str)
def test_columns_of_categories_are_a_list(value):
    energy = TreesEnergy(categorical_features=value)
    with pytest.raises(ValueError, match="categorical_features must be"):
        EnergyClassifier(energy).fit(FRAME, Y)


def test_folds_are_at_least_one():
    with pytest.raises(ValueError, match=r"cv=\[\] cannot split 48 rows: it has no folds"):
        EnergyClassifier(cv=[]).fit(X, Y)


def read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


CONTAINERS = {
    "list": lambda X: X.tolist(),
    "Fortran": np.asfortranarray,
    "read-only": read_only,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "objects": lambda X: X.astype(object),
    "pandas": lambda X: pd.DataFrame(X, columns=list("abc")),
    "nullable": lambda X: pd.DataFrame(X).astype("Float64"),
    "polars": lambda X: pl.DataFrame(X),
}
SPARSE = {
    f"{form}_{kind}": getattr(sparse, f"{form}_{kind}")
    for form in ("csr", "coo", "dia")
    for kind in ("array", "matrix")
}
SPARSE["frame"] = lambda X: pd.DataFrame(X).astype(pd.SparseDtype(float, 0.0))
MODELS = {
    "linear": (EnergyClassifier(alpha=0.1, beta=1.0), {"y": Y}),
    "kernel": (EnergyClassifier("kernel", alpha=0.1, beta=1.0), {"y": Y}),
    "trees": (EnergyClassifier(TREES, beta=1.0), {"y": Y}),
    "sum": (EnergyClassifier(["linear", TREES], beta=1.0), {"y": Y}),
    "expert": (EnergyClassifier(LogisticRegression(), beta=1.0), {"y": Y}),
    "ranker": (EnergyRanker(alpha=0.1, beta=1.0), {"y": Y, "groups": QUERIES}),
    "gaussian": (EnergyDetector("gaussian"), {}),
    "forest": (EnergyDetector(IsolationForest(n_estimators=5, random_state=0)), {}),
    "density": (EnergyDensityEstimator("linear", location=Ridge()), {"y": T}),
    "joint": (EnergyDensityEstimator("linear", conditional=False, atoms=False, alpha=1.0), {}),
}


@pytest.fixture(params=MODELS, scope="module")
def reference(request):
    model, data = MODELS[request.param]
    model.set_params(random_state=0, cv=2)
    return model, data, model.fit(X, **data).decision_function(X)


def test_containers_give_equal_answers(reference):
    model, data, wanted = reference
    slow = isinstance(model, EnergyDensityEstimator)
    for name, make in list(CONTAINERS.items())[:: 3 if slow else 1]:
        found = model.fit(make(X), **data).decision_function(make(X))
        assert_allclose(found, wanted, rtol=1e-9, atol=1e-9, err_msg=name)


def test_sparse_containers_give_equal_answers_or_are_refused(reference):
    model, data, _ = reference
    wanted = None
    for name, make in SPARSE.items():
        if isinstance(model, EnergyDensityEstimator):
            with pytest.raises(TypeError, match="dense data is required"):
                model.fit(make(X), **data)
            continue
        found = model.fit(make(X), **data).decision_function(make(X))
        wanted = found if wanted is None else wanted
        assert_allclose(found, wanted, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, bool])
def test_integers_and_truth_values_are_numbers(dtype, reference):
    model, data, _ = reference
    if isinstance(model, EnergyDensityEstimator) and not model.conditional:
        return  # the density of what takes two values is that of masses
    integers = (10 * (X + 4)).astype(np.int64) % (2 if dtype is bool else 100)
    wanted = model.fit(integers.astype(float), **data).decision_function(integers.astype(float))
    given = integers.astype(dtype)
    for form in (given.tolist(), pd.DataFrame(given)):
        found = model.fit(form, **data).decision_function(form)
        assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def test_other_columns_than_in_fit_are_refused(reference):
    model, data, _ = reference
    model.fit(FRAME, **data)
    with pytest.raises(ValueError, match="feature names should match"):
        model.decision_function(FRAME[["b", "a", "c"]])
    model.fit(X, **data)
    with pytest.raises(ValueError, match="2 features, but Energy.* is expecting 3"):
        model.decision_function(X[:, :2])
    with pytest.raises(ValueError, match="several columns of one name, \\['a'\\]: rename them"):
        model.fit(pd.DataFrame(X, columns=["a", "b", "a"]), **data)
    for empty in (X[:0], FRAME[:0]):
        with pytest.raises(ValueError, match="0 sample"):
            model.fit(empty, **{key: value[:0] for key, value in data.items()})


def test_weights_of_zero_alone_are_refused_by_name(reference):
    model, data, _ = reference
    with pytest.raises(ValueError, match="sample_weight must hold a positive weight"):
        model.fit(X, **data, sample_weight=np.zeros(N))


def test_columns_whose_sums_overflow_are_read_without_warnings():
    """Sums of parts of the single precision column are inf and -inf."""
    huge = np.where(np.arange(N) % 2, 3e38, -3e38).astype(np.float32)[:, None]
    assert np.isfinite(EnergyClassifier(TREES, beta=1.0).fit(huge, Y).energies(huge)).all()


@pytest.mark.parametrize("make", [EnergyClassifier, EnergyRanker])
def test_weights_reach_the_score_through_a_pipeline(make):
    model = make(alpha=0.1, beta=1.0)
    if make is EnergyRanker:
        model.set_params(group_column=0)
    table = np.column_stack([QUERIES, X])
    weights = RNG.uniform(0.1, 3, N)
    pipeline = make_pipeline("passthrough", model).fit(table, Y)
    expected = model.score(table, Y, sample_weight=weights)
    assert pipeline.score(table, Y, sample_weight=weights) == expected
    assert expected != model.score(table, Y)
