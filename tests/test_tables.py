"""Tables of mixed columns in all four estimators."""

import datetime
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from skops import io as skops

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector, EnergyRanker
from sk_ebm._tables.numbers import Circles, Surprisals, TableNumbers, Target
from sk_ebm._tables.schema import Schema, Table
from sk_ebm.energies import MLPEnergy, TreesEnergy

N = 200
RNG = np.random.default_rng(0)
DAYS = pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 1000, N), unit="D")
CITY = np.array(["Berlin", "Rome", "Vienna", "Bern"], dtype=object)[RNG.integers(0, 4, N)]
SIZE = RNG.standard_normal(N)
GOODS = np.array(["bicycle", "kettle", "lamp"], dtype=object)[RNG.integers(0, 3, N)]
NAMES = np.array([f"{g} {k}" for g, k in zip(GOODS, RNG.integers(0, 99, N), strict=True)], object)
VALUE = SIZE + (CITY == "Berlin") + (DAYS.day_of_week >= 5) + (GOODS == "lamp")
AMOUNT = VALUE + 0.5 * RNG.standard_normal(N)
MEDIAN = np.median(AMOUNT)
Y = (AMOUNT > MEDIAN).astype(int)
QUERIES = np.array([f"query {i}" for i in np.arange(N) // 8])


def mixed():
    columns = {"city": CITY, "size": SIZE, "open": RNG.random(N) < 0.4, "day": DAYS, "name": NAMES}
    frame = pd.DataFrame(columns)
    return frame.mask(np.random.default_rng(1).random(frame.shape) < 0.05)


FRAME = mixed()
TREES = TreesEnergy(20, early_stopping=False)


def by_name(last):
    return make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["city"])), last
    )


MODELS = {
    **{
        energy: (EnergyClassifier(energy, beta=1.0), {"y": Y})
        for energy in ("auto", "linear", "kernel", "prototype", "trees", "embedding")
    },
    "mlp": (EnergyClassifier(MLPEnergy(n_epochs=5), beta=1.0), {"y": Y}),
    "list": (EnergyClassifier(["linear", "trees"]), {"y": Y}),
    "experts": (EnergyClassifier(["kernel", by_name(LogisticRegression())]), {"y": Y}),
    **{
        f"ranker {energy}": (EnergyRanker(energy, beta=1.0), {"y": Y, "groups": QUERIES})
        for energy in ("auto", "linear", "kernel", "trees")
    },
    "ranker list": (EnergyRanker(["linear", by_name(Ridge())]), {"y": Y, "groups": QUERIES}),
    **{
        f"detector {energy}": (EnergyDetector(energy), {})
        for energy in ("auto", "forest", "gaussian", "marginal", "mixture", "neighbors")
    },
    "anomalies": (EnergyDetector(["linear", "gaussian"], labels="anomaly"), {"y": 1 - 2 * Y}),
    "label errors": (EnergyDetector(EnergyClassifier(), labels="answer"), {"y": Y}),
    "density": (EnergyDensityEstimator("linear", location=None), {"y": AMOUNT}),
}


@pytest.fixture(scope="module", params=MODELS)
def fitted(request):
    model, data = MODELS[request.param]
    return clone(model).set_params(random_state=0).fit(FRAME, **data)


SAVED = ["auto", "linear", "trees", "experts", "ranker kernel", "detector gaussian", "density"]


def test_every_estimator_reads_a_mixed_frame(fitted):
    found = fitted.decision_function(FRAME)
    assert np.isfinite(found).all() and np.ptp(found) > 0


def test_missing_values_and_categories_that_are_new(fitted):
    new = FRAME.iloc[:5].assign(
        city=["Paris", None, "Rome", "Bern", "Oslo"], open=None, size=np.nan
    )
    assert np.isfinite(fitted.decision_function(new)).all()


def test_columns_are_found_by_name(fitted):
    if isinstance(fitted, EnergyDetector) and fitted.labels == "answer":
        return  # the whole frame is the classifier's
    found = fitted.decision_function(FRAME[FRAME.columns[::-1]])
    assert_array_equal(found, fitted.decision_function(FRAME))
    with pytest.raises(ValueError, match="seen at fit time, yet now missing:\n- city"):
        fitted.decision_function(FRAME.drop(columns="city"))


def test_models_of_tables_are_saved(fitted, request):
    if request.node.callspec.params["fitted"] not in SAVED:
        return
    wanted = fitted.decision_function(FRAME)
    saved = skops.dumps(fitted)
    read = skops.loads(saved, trusted=skops.get_untrusted_types(data=saved))
    for other in (read, pickle.loads(pickle.dumps(fitted))):
        assert_array_equal(other.decision_function(FRAME), wanted)


def as_polars(frame):
    rows = {name: [None if v is pd.NA or v != v else v for v in frame[name]] for name in frame}
    rows["day"] = [None if d is None else d.to_pydatetime() for d in rows["day"]]
    return pl.DataFrame(rows, schema_overrides={"open": pl.Boolean})


FORMS = {
    "string": lambda f: f.astype({"city": "string", "open": "boolean", "size": "Float64"}),
    "category": lambda f: f.astype({"city": "category", "name": "category"}),
    "levels in another order": lambda f: f.assign(
        city=pd.Categorical(f["city"], ["Oslo", "Vienna", "Rome", "Berlin", "Bern"])
    ),
    "None": lambda f: f.astype(object).where(f.notna(), None),
    "date objects": lambda f: f.assign(day=[None if d is pd.NaT else d.date() for d in f["day"]]),
    "polars": as_polars,
    "objects": lambda f: f[sorted(f)].to_numpy(dtype=object),  # tables read columns in this order
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("energy", ["linear", TREES], ids=["linear", "trees"])
def test_forms_of_one_table_give_equal_answers(energy, form):
    wanted = EnergyClassifier(energy, beta=1.0, random_state=0).fit(FRAME, Y).predict_proba(FRAME)
    X = FORMS[form](FRAME)
    found = EnergyClassifier(energy, beta=1.0, random_state=0).fit(X, Y).predict_proba(X)
    assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("energy", ["linear", "kernel", TREES], ids=["linear", "kernel", "trees"])
def test_what_says_nothing_changes_nothing(energy):
    """The order of columns, names of categories, a constant column, levels that do not occur."""
    model = EnergyClassifier(energy, beta=1.0, random_state=0)
    wanted = model.fit(FRAME, Y).predict_proba(FRAME)
    renamed = FRAME["city"].map({"Berlin": "x", "Rome": "a", "Vienna": "m", "Bern": "b"})
    others = {
        "permuted": FRAME[["name", "day", "city", "open", "size"]],
        "renamed": FRAME.assign(city=renamed),
        "constant": FRAME.assign(country="one"),
        "a constant number": FRAME.assign(number=1.0),
        "a level more": FRAME.assign(city=FRAME["city"].astype("category").cat.add_categories("z")),
    }
    for name, X in others.items():
        assert_allclose(model.fit(X, Y).predict_proba(X), wanted, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("energy", ["linear", "kernel", "trees"])
def test_random_categories_of_many_levels_gain_nothing(energy):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"noise": rng.standard_normal(600), "id": rng.integers(0, 1000, 600)})
    X["id"] = "k" + X["id"].astype(str)
    y = rng.integers(0, 2, 600)
    losses = -cross_val_score(
        EnergyClassifier(energy, random_state=0), X, y, scoring="neg_log_loss", cv=3
    )
    assert losses.mean() < np.log(2) + 0.03


@pytest.mark.parametrize("energy", ["linear", "auto"])
def test_names_of_rows_turn_nothing_around(energy):
    named = FRAME.assign(row=[f"number {i}" for i in range(N)])
    without = EnergyClassifier(energy, random_state=0).fit(FRAME, Y).score(FRAME, Y)
    found = EnergyClassifier(energy, random_state=0).fit(named, Y).score(named, Y)
    assert found > without - 0.05


def test_many_categories_are_encoded_by_the_target(rng):
    effect = rng.standard_normal(60)
    group = rng.randint(60, size=1200)
    y = (effect[group] + 0.3 * rng.standard_normal(1200) > 0).astype(int)
    X = pd.DataFrame({"group": group})
    model = EnergyClassifier(categorical_features=["group"], random_state=0)
    assert cross_val_score(model, X, y).mean() > 0.85
    assert cross_val_score(EnergyClassifier(random_state=0), X, y).mean() < 0.7


@pytest.mark.parametrize("columns", [["a"], [0], [True, False], np.array([True, False])])
def test_categories_are_named_numbered_or_masked(columns, rng):
    X = pd.DataFrame({"a": rng.randint(4, size=300), "b": rng.standard_normal(300)})
    y = (X["a"] % 2).to_numpy()
    model = EnergyClassifier(categorical_features=columns, random_state=0)
    assert model.fit(X, y).score(X, y) == 1
    if not isinstance(columns[0], str):
        assert model.fit(X.to_numpy(), y).score(X.to_numpy(), y) == 1


@pytest.mark.parametrize("wrong", ["all", None, 3])
def test_other_categorical_features_are_refused(wrong):
    with pytest.raises(ValueError, match="categorical_features must be 'auto'"):
        EnergyClassifier(categorical_features=wrong).fit(FRAME, Y)


def test_an_expert_that_reads_no_text_is_named():
    with pytest.raises(ValueError, match="LogisticRegression.* takes no text .*OneHotEncoder"):
        EnergyClassifier(["linear", LogisticRegression()]).fit(FRAME[["city"]].fillna("none"), Y)


def test_a_mask_has_a_value_for_each_column():
    with pytest.raises(ValueError, match="must have 5 values, one for each column of X, got 2"):
        EnergyClassifier(categorical_features=[True, False]).fit(FRAME, Y)


@pytest.mark.parametrize("value", [pd.Timestamp("2024-01-01"), pd.Timedelta(1, "D"), "once"])
def test_columns_of_one_value_say_nothing(value):
    numbers = pd.DataFrame({"size": SIZE})
    for frame in (numbers, FRAME):
        models = [EnergyClassifier().fit(X, Y) for X in (frame, frame.assign(same=value))]
        found = [models[0].predict_proba(frame), models[1].predict_proba(frame.assign(same=value))]
        assert_allclose(*found, atol=1e-6)


def test_numbers_are_read_as_before():
    X, y = load_wine(return_X_y=True)
    wanted = EnergyClassifier().fit(X, y)
    assert_array_equal(EnergyClassifier().fit(pd.DataFrame(X), y).coef_, wanted.coef_)
    pool = EnergyClassifier(["linear", GaussianNB()])
    names = [f"x{i}" for i in range(13)]
    linear = pool.fit(pd.DataFrame(X, columns=names), y).energy_.terms_["linear"]
    assert_allclose(linear.coef_, pool.fit(X, y).energy_.terms_["linear"].coef_)
    assert_array_equal(linear.get_feature_names_out(), names)


def test_sparse_and_dense_numbers_have_one_model():
    X, y = load_wine(return_X_y=True)
    dense, csr = EnergyClassifier().fit(X, y), EnergyClassifier().fit(sparse.csr_array(X), y)
    assert csr.energy_.alpha_ == dense.energy_.alpha_
    assert_allclose(csr.predict_proba(sparse.csr_array(X)), dense.predict_proba(X), atol=1e-6)


def test_missing_numbers_of_arrays():
    X = np.where(RNG.random((N, 3)) < 0.2, np.nan, SIZE[:, None] + RNG.standard_normal((N, 3)))
    pipeline = make_pipeline(SimpleImputer(), LogisticRegression())
    for energy in ("linear", "kernel", ["linear", pipeline], pipeline):
        assert EnergyClassifier(energy, random_state=0).fit(X, Y).score(X, Y) > 0.6
    density = EnergyDensityEstimator("linear", location=None).fit(X, AMOUNT)
    assert np.isfinite(density.crps(X, AMOUNT)).all()
    with pytest.raises(ValueError, match="NaN.*in the columns 0, 1, 2"):
        EnergyDensityEstimator(conditional=False).fit(X)


def test_a_density_of_inputs_names_the_column_of_text():
    with pytest.raises(ValueError, match="'city'"):
        EnergyDensityEstimator(conditional=False).fit(FRAME[["city", "size"]].dropna())


def test_coefficients_of_a_table_have_names():
    model = EnergyClassifier(alpha=0.1, beta=1.0).fit(FRAME, Y)
    names = model.energy_.get_feature_names_out()
    assert len(names) == model.coef_.shape[1]
    assert {"size", "city_Berlin", "city_missing", "day_week_cos"} <= set(names)


def test_tables_in_pipelines_and_searches():
    search = GridSearchCV(
        make_pipeline(EnergyClassifier(beta=1.0)), {"energyclassifier__alpha": [0.01, 1.0]}, cv=2
    ).fit(FRAME, Y)
    assert search.best_score_ > 0.7


def test_the_query_is_a_column_of_strings():
    X = FRAME.assign(query=QUERIES)
    ranker = EnergyRanker(group_column="query", alpha=0.1).fit(X, Y)
    assert ranker.score(X, Y) > 0.8
    assert_allclose(ranker.query_proba(X).sum(), len(set(QUERIES)))


def test_dates_and_texts_help():
    day = EnergyClassifier("trees", random_state=0)
    weekend = (FRAME["day"].dt.day_of_week >= 5).to_numpy()
    assert day.fit(FRAME[["day"]], weekend).score(FRAME[["day"]], weekend) > 0.95
    lamp = np.array([isinstance(n, str) and "lamp" in n for n in FRAME["name"]])
    for energy in ("linear", "trees"):
        model = EnergyClassifier(energy, random_state=0).fit(FRAME[["name"]][:150], lamp[:150])
        assert model.score(FRAME[["name"]][150:], lamp[150:]) > 0.9


def test_infinite_numbers_name_their_column():
    X = FRAME.assign(size=np.where(np.arange(N) == 3, np.inf, SIZE))
    with pytest.raises(ValueError, match="infinite values .inf. in the column 'size'"):
        EnergyClassifier().fit(X, Y)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2.5, None], "numeric"),
        ([True, None, False], "boolean"),
        (["a", "b", None], "category"),
        ([1, "a", 2], "category"),
        ([datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)], "date"),
        ([datetime.timedelta(1), datetime.timedelta(2)], "duration"),
        (["only", "only"], "constant"),
        ([f"word {i}" for i in range(40)], "text"),
        ([str(i) for i in range(40)], "category"),
    ],
)
def test_kinds_of_columns(values, kind):
    X = pd.DataFrame({"x": pd.Series(values, dtype=object), "c": (["u", "v"] * 20)[: len(values)]})
    schema = Schema.of(X)
    assert schema.kinds[0] == kind
    assert Schema.of(X.iloc[::-1]).kinds == schema.kinds


def test_columns_are_those_of_the_transformers_of_scikit_learn():
    table = Table(FRAME, None, Schema.of(FRAME))
    numbers = TableNumbers()
    encoded = numbers.fit_transform(table, Target(Y, "binary"))
    assert encoded.shape[1] == len(numbers.get_feature_names_out()) == len(numbers.sources())
    new = Table(FRAME[::-1].assign(city="Oslo"), None, table.schema)
    parts = [part.transform(new.values[:, columns]) for _, part, columns in numbers.parts_]
    assert_array_equal(numbers.transform(new), np.hstack(parts))


def test_terms_of_a_sum_share_the_columns_that_they_read(monkeypatch):
    fitted = []
    fit = TableNumbers.fit_transform

    def counted(self, *arguments):
        fitted.append(self)
        return fit(self, *arguments)

    monkeypatch.setattr(TableNumbers, "fit_transform", counted)
    model = EnergyClassifier(["linear", "kernel"], cv=3).fit(FRAME, Y)
    assert len(fitted) == 1 + 3  # once of all rows, and of each fold
    first, second = model.energy_.terms_.values()
    assert first.encoder_ is second.encoder_
    before = pickle.dumps(model)
    model.predict_proba(FRAME)
    assert pickle.dumps(model) == before


def test_surprisals_are_logarithms_of_shares():
    codes = np.array([[0.0], [0.0], [0.0], [1.0], [np.nan]])
    found = Surprisals().fit(codes).transform(np.array([[0.0], [1.0], [np.nan], [7.0]]))
    assert_allclose(found[:, 0], -np.log(np.array([3.5, 1.5, 1.5, 0.5]) / 7))


def test_sunday_is_next_to_monday():
    days = np.arange(14.0)[:, None]
    week = Circles().fit(days).transform(days)[:, :2]
    assert_allclose(week[:7], week[7:], atol=1e-9)
    steps = np.linalg.norm(np.diff(week, axis=0), axis=1)
    assert_allclose(steps, steps[0])


def test_contributions_are_those_of_the_columns_of_the_table():
    for energy in ("linear", TREES, ["linear", TREES]):
        model = EnergyClassifier(energy, beta=1.0, random_state=0).fit(FRAME, Y)
        found = model.explain(FRAME[:9])
        assert list(found.feature_names) == list(FRAME.columns)
        total = found.base + found.values.sum(axis=1)
        assert_allclose(total, model.energies(FRAME[:9]), atol=1e-6)
        assert model.feature_importances_.shape == (5,)
    density = EnergyDensityEstimator("linear", location=None).fit(FRAME, AMOUNT)
    found = density.explain(FRAME[:3], AMOUNT[:3])
    assert list(found.feature_names) == list(FRAME.columns)
    assert_allclose(found.energies(), -density.log_prob(FRAME[:3], AMOUNT[:3]))
