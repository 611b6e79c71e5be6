"""Features of tokens and of windows, nested and flat."""

import pickle
from itertools import chain

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import clone, config_context
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from sk_ebm.features import SequenceVectorizer, TokenFeatures, WindowFeatures

TOKENS = [["The", "Boeing-747", "took", "off"], ["Off", "we", "go"], ["USA"]]
ENDS = np.cumsum([len(one) for one in TOKENS])[:-1]
TABLES = [np.arange(8.0).reshape(4, 2), 10 + np.arange(6.0).reshape(3, 2), np.full((1, 2), -1.0)]
NAMES = ["b"] * 4 + ["a"] * 3 + ["c"]


def dense(one):
    return one.toarray() if sparse.issparse(one) else one


def by_hand(tables, window):
    """The definition: a loop over positions and offsets."""
    rows = []
    for table in tables:
        for i in range(len(table)):
            beyond = [not 0 <= i + k < len(table) for k in range(-window, window + 1)]
            parts = [
                np.zeros(table.shape[1]) if out else table[i + k]
                for k, out in zip(range(-window, window + 1), beyond, strict=True)
            ]
            del beyond[window]
            rows.append(np.concatenate([*parts, np.array(beyond, dtype=float)]))
    return np.array(rows)


def test_features_of_a_token():
    found = TokenFeatures(prefixes=2, suffixes=1).fit_transform(TOKENS)
    assert [len(one) for one in found] == [4, 3, 1]
    assert found[0][1] == {
        "word": "Boeing-747",
        "lower": "boeing-747",
        "prefix1": "b",
        "prefix2": "bo",
        "suffix1": "7",
        "shape": "Xxxxx-ddd",
        "capitalized": True,
        "digit": True,
        "hyphen": True,
    }
    assert found[2][0]["upper"] is True
    plain = TokenFeatures(prefixes=0, suffixes=9, shapes=False, lowercase=False)
    assert plain.transform([["Off"]]) == [
        [{"word": "Off", "suffix1": "f", "suffix2": "ff", "suffix3": "Off"}]
    ]


def test_each_token_has_a_dictionary_of_its_own():
    first, second = TokenFeatures().transform(["a", "a"])
    first["more"] = 1
    assert "more" not in second


@pytest.mark.parametrize(
    "X",
    [
        [np.array(one) for one in TOKENS],
        tuple(map(tuple, TOKENS)),
        pd.Series(TOKENS),
        np.array(TOKENS, dtype=object),
        [pd.Series(one) for one in TOKENS],
    ],
)
def test_forms_of_tokens(X):
    assert TokenFeatures().transform(X) == TokenFeatures().transform(TOKENS)


@pytest.mark.parametrize("kind", [list, np.array, pd.Series])
def test_flat_tokens(kind):
    flat = TokenFeatures().transform(kind(list(chain.from_iterable(TOKENS))))
    assert flat == list(chain.from_iterable(TokenFeatures().transform(TOKENS)))


@pytest.mark.parametrize(
    "X, message",
    [
        ("text", "X must be a list of lists of strings, or a list of strings, got 'text'"),
        (["a", 1], "got 1 in row 1"),
        ([["a"], ["b", None]], "got None in sequence 1, position 1"),
        ([["a"], []], "at least one string for each sequence, got \\[\\] for sequence 1"),
        ([["a"], "b"], "got 'b' for sequence 1"),
    ],
)
def test_what_are_no_tokens(X, message):
    with pytest.raises(ValueError, match=message):
        TokenFeatures().transform(X)


@pytest.mark.parametrize("window", [0, 1, 2, 5])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csr_array, pd.DataFrame])
def test_windows_of_tables(window, kind):
    found = WindowFeatures(window).fit_transform([kind(table) for table in TABLES])
    assert [one.shape[0] for one in found] == [4, 3, 1]
    assert_array_equal(np.concatenate([dense(one) for one in found]), by_hand(TABLES, window))


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, pd.DataFrame])
def test_flat_windows_are_the_nested_ones_in_the_order_of_the_rows(kind, rng):
    flat, rows = np.concatenate(TABLES), rng.permutation(8)
    rows = rows[np.argsort(np.array(NAMES)[rows] == "c", kind="stable")]
    # Rows of one sequence in their order, those of others between them.
    order = np.empty(8, dtype=int)
    for name in "abc":
        order[np.array(NAMES)[rows] == name] = np.flatnonzero(np.array(NAMES) == name)
    found = WindowFeatures().fit_transform(kind(flat[order]), sequences=np.array(NAMES)[order])
    assert not np.array_equal(order, np.arange(8))
    assert_array_equal(dense(found), by_hand(TABLES, 2)[order])


def test_windows_of_dictionaries_are_those_of_their_tables():
    features = TokenFeatures().transform(TOKENS)
    vectorizer, joined = SequenceVectorizer(), WindowFeatures().fit_transform(features)
    tables = WindowFeatures().fit(vectorizer.fit_transform(features))
    names = tables.get_feature_names_out(vectorizer.get_feature_names_out())
    rows = [dense(one) for one in tables.transform(vectorizer.transform(features))]
    later = SequenceVectorizer().fit(joined)
    columns = [list(names).index(name) for name in later.get_feature_names_out()]
    for one, row in zip(later.transform(joined), rows, strict=True):
        assert_array_equal(dense(one), row[:, columns])
    assert_array_equal(np.delete(np.concatenate(rows), columns, axis=1), 0)


def test_names_in_windows_of_dictionaries():
    X = [[{"w": "a"}, {"w": "b", 3: 1}]]
    assert WindowFeatures(1).fit_transform(X) == [
        [
            {"w": "a", "+1:w": "b", "+1:3": 1, "-1:boundary": True},
            {"-1:w": "a", "w": "b", "3": 1, "+1:boundary": True},
        ]
    ]
    assert WindowFeatures(0).fit_transform(X) == [[{"w": "a"}, {"w": "b", "3": 1}]]
    flat = WindowFeatures(1, boundaries=False).fit_transform(
        np.array([{"w": "a"}, {"w": "c"}, {"w": "b"}]), sequences=[0, 1, 0]
    )
    assert flat == [{"w": "a", "+1:w": "b"}, {"w": "c"}, {"-1:w": "a", "w": "b"}]


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, pd.DataFrame])
def test_chosen_features_of_tables(kind):
    X = [kind(table) for table in TABLES]
    full, some = WindowFeatures(1).fit(X), WindowFeatures(1, features=[1]).fit(X)
    names = list(some.get_feature_names_out(["u", "v"]))
    assert names == ["-1:v", "u", "v", "+1:v", "-1:boundary", "+1:boundary"]
    columns = [list(full.get_feature_names_out(["u", "v"])).index(name) for name in names]
    for one, other in zip(some.transform(X), full.transform(X), strict=True):
        assert_array_equal(dense(one), dense(other)[:, columns])


def test_chosen_features_of_frames_and_dictionaries():
    frame = pd.DataFrame({"u": [1, 2], "v": [3, 4]})
    window = WindowFeatures(1, boundaries=False, features=["v"])
    assert_array_equal(window.fit_transform([frame])[0], [[0, 1, 3, 4], [3, 2, 4, 0]])
    assert_array_equal(window.fit_transform(frame, sequences=[0, 1])[1], [0, 2, 4, 0])
    assert window.fit_transform([[{"u": 1, "v": 2}, {"u": 3}, {"v": 4}]]) == [
        [{"u": 1, "v": 2}, {"-1:v": 2, "u": 3, "+1:v": 4}, {"v": 4}]
    ]
    with pytest.raises(ValueError, match="got \\['word'\\]; X has 'u', 'v'"):
        WindowFeatures(features=["word"]).fit([[{"u": 1, "v": 2}]])
    with pytest.raises(ValueError, match="features must be the name of a column"):
        WindowFeatures(features=["w"]).fit([frame])


def test_names_of_columns():
    frames = [pd.DataFrame(table, columns=["u", "v"]) for table in TABLES]
    window = WindowFeatures(1).fit(frames)
    assert window.n_features_in_ == 2
    expected = ["-1:u", "-1:v", "u", "v", "+1:u", "+1:v", "-1:boundary", "+1:boundary"]
    assert list(window.get_feature_names_out()) == expected
    assert list(WindowFeatures(0).fit(TABLES).get_feature_names_out()) == ["x0", "x1"]
    with pytest.raises(ValueError, match="feature names"):
        window.transform([frame[["v", "u"]] for frame in frames])
    with pytest.raises(ValueError, match="1 features, but WindowFeatures is expecting 2"):
        WindowFeatures().fit(TABLES).transform([np.ones((3, 1))])
    with pytest.raises(NotFittedError):
        WindowFeatures().fit([[{"a": 1}]]).get_feature_names_out()


def test_precision_is_kept():
    single = [table.astype(np.float32) for table in TABLES]
    assert WindowFeatures().fit_transform(single)[0].dtype == np.float32
    assert (
        WindowFeatures().fit_transform(list(map(sparse.csr_matrix, single)))[0].dtype == np.float32
    )
    flat = WindowFeatures().fit_transform(np.concatenate(single), sequences=NAMES)
    assert flat.dtype == np.float32
    tokens = TokenFeatures().transform(TOKENS)
    assert SequenceVectorizer(dtype=np.float32).fit_transform(tokens)[0].dtype == np.float32


def test_arguments_stay_as_they_are():
    X = [table.copy() for table in TABLES]
    for one in X:
        one.flags.writeable = False
    WindowFeatures(0, boundaries=False).fit_transform(X)[0][:] = 7
    assert_array_equal(X[0], TABLES[0])


def test_a_vectorizer_is_scikit_learns():
    features = TokenFeatures().transform(TOKENS)
    reference = DictVectorizer().fit(list(chain.from_iterable(features)))
    vectorizer = SequenceVectorizer().fit(features)
    assert_array_equal(vectorizer.get_feature_names_out(), reference.get_feature_names_out())
    for one, positions in zip(vectorizer.transform(features), features, strict=True):
        assert_array_equal(one.toarray(), reference.transform(positions).toarray())
    assert_array_equal(
        vectorizer.transform(list(chain.from_iterable(features))).toarray(),
        reference.transform(list(chain.from_iterable(features))).toarray(),
    )


def test_hashed_features_need_no_fit():
    features = TokenFeatures().transform(TOKENS)
    hashed = SequenceVectorizer(n_features=64).transform(features)
    fitted = SequenceVectorizer(n_features=64).fit(features)
    assert [one.shape for one in hashed] == [(4, 64), (3, 64), (1, 64)]
    assert_array_equal(hashed[1].toarray(), fitted.transform(features)[1].toarray())
    assert not hasattr(fitted, "get_feature_names_out")
    with pytest.raises(NotFittedError):
        SequenceVectorizer().transform(features)


@pytest.mark.parametrize(
    "X, message",
    [
        (TABLES, "X must be a list with a list of dictionaries for each sequence"),
        ([{"a": 1}, 3], "X must be a list with a list of dictionaries for each sequence"),
        ([[{"a": 1}], []], "Sequence 1 of X is empty"),
        (
            [[{"a": 1}], [{"a": 1}, {"a": np.nan}]],
            "X holds NaN in sequence 1, position 1, column 0",
        ),
    ],
)
def test_what_are_no_dictionaries(X, message):
    with pytest.raises(ValueError, match=message):
        SequenceVectorizer().fit_transform(X)


@pytest.mark.parametrize(
    "transformer, message",
    [
        (WindowFeatures(-1), "window must be an integer >= 0"),
        (WindowFeatures(1.5), "window must be an integer >= 0"),
        (WindowFeatures(features="word"), "features must be a list of names"),
        (WindowFeatures(boundaries=2), "boundaries must be True or False"),
        (TokenFeatures(prefixes=-1), "prefixes must be an integer >= 0"),
        (TokenFeatures(suffixes=None), "suffixes must be an integer >= 0"),
        (TokenFeatures(shapes="x"), "shapes must be True or False"),
        (TokenFeatures(lowercase="x"), "lowercase must be True or False"),
        (SequenceVectorizer(n_features=0), "n_features must be None or an integer >= 1"),
    ],
)
def test_refused_parameters(transformer, message):
    with pytest.raises(ValueError, match=message):
        transformer.fit([[{"a": 1}]])


@pytest.mark.parametrize(
    "X, sequences, message",
    [
        (np.ones((3, 2)), None, "sequences must name the sequence of each row of a flat X"),
        (np.ones((3, 2)), [0, 1], "each of the 3 rows of X"),
        (TABLES, NAMES, "sequences must be None"),
        ([*TABLES, np.ones((1, 3))], None, "got 3 in sequence 3 and 2 in sequence 0"),
        ([*TABLES, np.full((1, 2), np.nan)], None, "NaN in sequence 3"),
        (np.full((1, 2), np.nan), [0], "NaN"),
    ],
)
def test_refused_windows(X, sequences, message):
    with pytest.raises(ValueError, match=message):
        WindowFeatures().fit(X, sequences=sequences)


@pytest.mark.parametrize("n_features", [None, 256])
def test_a_pipeline_of_nested_lists(n_features):
    pipeline = make_pipeline(TokenFeatures(), WindowFeatures(), SequenceVectorizer(n_features))
    found = clone(pipeline).fit(TOKENS, [list("abca"), list("abc"), ["a"]]).transform(TOKENS)
    assert [one.shape[0] for one in found] == [4, 3, 1]
    again = pickle.loads(pickle.dumps(pipeline.fit(TOKENS))).transform(TOKENS)
    assert_array_equal(again[0].toarray(), found[0].toarray())


def test_names_through_a_pipeline():
    pipeline = make_pipeline(SequenceVectorizer(), WindowFeatures(1))
    pipeline.fit([[{"w": "a"}, {"w": "b"}]])
    assert list(pipeline.get_feature_names_out())[:3] == ["-1:w=a", "-1:w=b", "w=a"]


def test_routed_sequences(rng):
    """The label of a position is the feature of the one before it, in the same sequence."""
    names = rng.randint(0, 20, size=300)
    tokens = rng.choice(["x", "y"], size=300)
    y = np.zeros(300)
    for name in range(20):
        rows = np.flatnonzero(names == name)
        y[rows[1:]] = tokens[rows[:-1]] == "x"
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(
            TokenFeatures(), SequenceVectorizer(), WindowFeatures(0), LogisticRegression()
        )
        search = GridSearchCV(pipeline, {"windowfeatures__window": [0, 1]}, cv=GroupKFold(3))
        search.fit(list(tokens), y, sequences=names, groups=names)
        assert search.best_params_ == {"windowfeatures__window": 1}
        assert_allclose(search.best_score_, 1)
        found = search.best_estimator_.predict(list(tokens), sequences=names)
        assert_array_equal(found, y)


@pytest.mark.filterwarnings("ignore:Can't test estimator")
@pytest.mark.parametrize(
    "transformer", [TokenFeatures(), SequenceVectorizer(2), SequenceVectorizer()]
)
def test_checks_of_scikit_learn(transformer):
    check_estimator(transformer)


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_lists_stay_lists(output):
    with config_context(transform_output=output):
        assert isinstance(WindowFeatures().fit_transform(TABLES), list)
