"""Tables of every library: missing values in one form, and dates that are refused by name."""

import datetime
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector, EnergyRanker
from sk_ebm._tables.reading import check_no_times, is_missing, with_nan
from sk_ebm.energies import TreesEnergy

N = 120
RNG = np.random.default_rng(0)
CITY = np.array(["a", "b", "c"], dtype=object)[RNG.integers(0, 3, N)]
COUNT, SIZE = RNG.integers(0, 5, N), RNG.standard_normal(N)
GAP, NO_COUNT = RNG.random(N) < 0.3, RNG.random(N) < 0.2
Y = ((CITY == "a") + SIZE + GAP + (COUNT > 2) * ~NO_COUNT > 1).astype(int)
QUERIES = np.arange(N) // 6


def with_gaps(values, gaps, missing):
    series = pd.Series(values.astype(object))
    series[gaps] = missing
    return series


def frame(missing, city=object, count=float):
    counts = with_gaps(COUNT, NO_COUNT, pd.NA if count == "Int64" else np.nan).astype(count)
    cities = with_gaps(CITY, GAP, missing).astype(city)
    return pd.DataFrame({"city": cities, "count": counts, "size": SIZE})


def polars_frame(dtype):
    city = [None if gap else name for name, gap in zip(CITY, GAP, strict=True)]
    count = [None if gap else int(value) for value, gap in zip(COUNT, NO_COUNT, strict=True)]
    return pl.DataFrame({"city": pl.Series(city, dtype=dtype), "count": count, "size": SIZE})


FORMS = {
    "None": lambda: frame(None),
    "pd.NA": lambda: frame(pd.NA),
    "NaT": lambda: frame(pd.NaT),
    "category": lambda: frame(np.nan, "category"),
    "string": lambda: frame(pd.NA, "string", "Int64"),
    "category of strings": lambda: frame(pd.NA, "string").astype({"city": "category"}),
    "object array": lambda: frame(pd.NA, count="Int64").to_numpy(dtype=object),
    "list": lambda: frame(None).to_numpy(dtype=object).tolist(),
    "polars": lambda: polars_frame(pl.String),
    "polars category": lambda: polars_frame(pl.Categorical),
}


def encoded(last, encoder):
    columns = make_column_transformer((encoder, [0]), remainder=SimpleImputer())
    return make_pipeline(columns, last)


TREES = TreesEnergy(5, min_samples_leaf=5, early_stopping=False)
ORDINAL = OrdinalEncoder(
    handle_unknown="use_encoded_value", unknown_value=-2, encoded_missing_value=-1
)
ONE_HOT = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
READERS = {
    "trees": (EnergyClassifier(TREES, random_state=0), {"y": Y}),
    "sum": (EnergyClassifier([TREES, encoded(LogisticRegression(), ONE_HOT)]), {"y": Y}),
    "boosting": (
        EnergyClassifier(HistGradientBoostingClassifier(max_iter=3, categorical_features=[0])),
        {"y": Y},
    ),
    "classifier": (EnergyClassifier(encoded(LogisticRegression(), ORDINAL)), {"y": Y}),
    "ranker of trees": (EnergyRanker(TREES), {"y": Y, "groups": QUERIES}),
    "ranker": (EnergyRanker(encoded(Ridge(), ORDINAL)), {"y": Y, "groups": QUERIES}),
    "density": (EnergyDetector(encoded(GaussianMixture(), ORDINAL)), {}),
    "label errors": (
        EnergyDetector(EnergyClassifier(TREES, beta=1.0), labels="answer"),
        {"y": Y},
    ),
}
NULL_IS_A_CATEGORY = {"classifier", "ranker", "density"}  # to encoders that are given polars


@pytest.mark.parametrize("reader", READERS)
def test_missing_is_missing_however_it_is_written(reader):
    model, data = READERS[reader]
    model.set_params(random_state=0, beta=1.0)
    wanted = model.fit(frame(np.nan), **data).decision_function(frame(np.nan))
    for name, make in FORMS.items():
        if reader == "boosting" and not isinstance(make(), pd.DataFrame):
            continue  # which takes text from frames alone
        if "polars" in name and reader in NULL_IS_A_CATEGORY:
            continue
        found = model.fit(make(), **data).decision_function(make())
        assert_allclose(found, wanted, rtol=0, atol=1e-9, err_msg=name)
        if isinstance(make(), pd.DataFrame):
            other = model.decision_function(frame(None))
            assert_allclose(other, wanted, rtol=0, atol=1e-9, err_msg=name)


def test_nothing_is_written_on_the_frame():
    given = frame(pd.NA, "string", "Int64")
    before = given.copy()
    with_nan(given)
    pd.testing.assert_frame_equal(given, before)
    complete = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    assert with_nan(complete) is complete


def test_columns_of_one_name_are_read_by_position():
    given = frame(pd.NA, count="Int64").set_axis(["a", "a", "a"], axis=1)
    read = with_nan(given)
    assert list(read.columns) == ["a", "a", "a"]
    assert read.iloc[:, 1].dtype == float
    assert_array_equal(np.isnan(read.iloc[:, 1]), NO_COUNT)


@pytest.mark.parametrize("loaded", [True, False], ids=["pandas", "no pandas"])
def test_missing_entries(loaded, monkeypatch):
    values = [1, "a", None, np.nan, np.datetime64("NaT"), 0.0]
    values = values + [pd.NA, pd.NaT] if loaded else values
    if not loaded:
        monkeypatch.delitem(sys.modules, "pandas")
    found = is_missing(np.array(values, dtype=object))
    assert found.tolist() == [False, False, True, True, True, False] + [True, True] * loaded
    assert not is_missing(np.array(["a", "b"])).any()


DAY = pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 1000, N), unit="D")
TIMES = {
    "datetime64": pd.Series(DAY),
    "time zone": pd.Series(DAY.tz_localize("Europe/Oslo")),
    "timedelta": pd.Series(DAY - DAY[0]),
    "period": pd.Series(DAY.to_period("M")),
    "date objects": pd.Series([day.date() for day in DAY], dtype=object),
    "timestamps and gaps": with_gaps(np.array(DAY.to_list(), dtype=object), GAP, None),
    "periods as objects": pd.Series(DAY.to_period("M")).astype(object),
    "timedelta objects": pd.Series([datetime.timedelta(1)] * N, dtype=object),
    "category of days": pd.Series(DAY).astype("category"),
    "polars datetime": pl.Series(DAY.to_pydatetime()),
    "polars date": pl.Series([day.date() for day in DAY]),
    "polars duration": pl.Series((DAY - DAY[0]).to_pytimedelta()),
    "polars time": pl.Series([datetime.time(1)] * N),
}


def table_of(times, alone):
    make = pl.DataFrame if isinstance(times, pl.Series) else pd.DataFrame
    return make({"day": times} if alone else {"size": SIZE, "day": times})


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "beside numbers"])
@pytest.mark.parametrize("kind", TIMES)
def test_columns_of_times_are_named(kind, alone):
    with pytest.raises(ValueError, match="X holds dates or durations in the column 'day': turn"):
        check_no_times(table_of(TIMES[kind], alone))


ARRAYS = {
    "datetime64": DAY.to_numpy()[:, None],
    "timedelta64": (DAY - DAY[0]).to_numpy()[:, None],
    "objects": np.array([[day.date(), 1.0] for day in DAY], dtype=object),
    "list": [[day.date(), 1.0] for day in DAY],
    "list of timestamps": [[day] for day in DAY],
}


@pytest.mark.parametrize("form", ARRAYS)
def test_columns_of_times_in_arrays_are_numbered(form):
    with pytest.raises(ValueError, match="dates or durations in the column 0: "):
        check_no_times(ARRAYS[form])


def test_tables_without_times_pass():
    for table in (frame(None), frame(pd.NaT), polars_frame(pl.Enum(["a", "b", "c"])), np.eye(2)):
        check_no_times(table)
    for table in ([[1, "a"]], [[1.0], [2.0, 3.0]], sparse.eye(2), pd.DataFrame()):
        check_no_times(table)


REFUSING = {
    "expert": EnergyClassifier(HistGradientBoostingClassifier()),
    "joint": EnergyDensityEstimator("linear", conditional=False),
}


@pytest.mark.parametrize("name", REFUSING)
def test_what_reads_no_times_names_their_column(name):
    for X in (table_of(TIMES["datetime64"], False), table_of(TIMES["polars duration"], True)):
        with pytest.raises(ValueError, match="dates or durations in the column 'day'"):
            REFUSING[name].fit(X, Y)


def test_times_are_refused_where_numbers_were_fitted():
    X = pd.DataFrame({"day": SIZE})
    for model in (EnergyClassifier(alpha=0.1, beta=1.0), EnergyClassifier(TREES, beta=1.0)):
        with pytest.raises(ValueError, match="column 'day'"):
            model.fit(X, Y).predict(table_of(TIMES["datetime64"], True))


def test_a_pipeline_reads_dates():
    def weekday(X):
        return np.eye(7)[X["day"].dt.day_of_week]

    X, y = table_of(TIMES["datetime64"], False), np.asarray(DAY.day_of_week) > 3
    pipeline = make_pipeline(FunctionTransformer(weekday), LogisticRegression())
    assert EnergyClassifier(pipeline, beta=1.0).fit(X, y).score(X, y) == 1


def test_a_lazy_frame_is_to_be_collected():
    lazy = pl.DataFrame({"a": [1.0, 2.0, 3.0, 4.0]}).lazy()
    with pytest.raises(TypeError, match=r"X is a LazyFrame, .*: X\.collect\(\)"):
        EnergyClassifier().fit(lazy, [0, 1, 0, 1])
