"""Label sequences in `EnergyClassifier`: what users give it, ask it and build with it."""

import copy
import itertools
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    LeaveOneOut,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyClassifier
from sk_ebm.features import SequenceVectorizer, TokenFeatures, WindowFeatures

K, D = 3, 4
ENERGIES = ("linear", "kernel", "mlp", "prototype", "trees", "embedding")
LOSSES = (
    "nll",
    "hinge",
    "log",
    "perceptron",
    "lvq2",
    "mce",
    "mee",
    "square_square",
    "square_exponential",
)


def generated(n, seed=0, longest=5):
    """Sequences of a chain with known potentials, and their labels."""
    rng = np.random.RandomState(seed)
    weights = np.random.RandomState(9).standard_normal((D + K, K))
    X = [rng.standard_normal((rng.randint(1, longest + 1), D)) for _ in range(n)]
    y = []
    for one in X:
        labels = []
        for row in one:
            logs = row @ weights[:D] + (weights[D + labels[-1]] if labels else 0)
            labels.append(int(np.argmax(logs + rng.gumbel(size=K))))
        y.append(np.array(labels))
    return X, y


X, Y = generated(40)
X_NEW, Y_NEW = generated(12, seed=1)
THREE = np.random.RandomState(2).standard_normal((3, D))
LENGTHS = np.array([len(one) for one in X])
FLAT, FLAT_Y = np.vstack(X), np.concatenate(Y)
SEQUENCES = np.repeat(np.arange(len(X)), LENGTHS)
DICTIONARIES = [[{f"f{j}": v for j, v in enumerate(row)} for row in one] for one in X]


def classifier(*args, **kwargs):
    """A classifier that is fitted quickly."""
    return EnergyClassifier(*args, **({"alpha": 0.05, "beta": 1.0, "random_state": 0} | kwargs))


def replaced(values, index, value):
    return [value if i == index else one for i, one in enumerate(values)]


def assert_all_close(found, expected, **tolerance):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, **tolerance)


@pytest.fixture(scope="module")
def fitted():
    return EnergyClassifier(calibrate=True, random_state=0).fit(X, Y)


# Forms of input


def in_objects(values):
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def in_frames(library):
    def frames(X):
        package = pytest.importorskip(library)
        return [package.DataFrame({f"c{j}": one[:, j] for j in range(D)}) for one in X]

    return frames


NESTED = {
    "tuple": tuple,
    "objects": in_objects,
    "csr": lambda X: [sparse.csr_matrix(one) for one in X],
    "csc and coo": lambda X: [
        (sparse.csc_array, sparse.coo_array)[i % 2](one) for i, one in enumerate(X)
    ],
    "dense and csr": lambda X: [sparse.csr_array(x) if i % 2 else x for i, x in enumerate(X)],
    "pandas": in_frames("pandas"),
    "polars": in_frames("polars"),
    "dictionaries": lambda X: [
        tuple({f"f{j}": v for j, v in enumerate(row)} for row in one) for one in X
    ],
}


@pytest.mark.parametrize("form", NESTED)
def test_nested_forms_are_alike(form):
    expected = classifier().fit(X, Y).predict_proba(X_NEW)
    model = classifier().fit(NESTED[form](X), NESTED.get(form, list)(Y) if form == "tuple" else Y)
    assert_all_close(model.predict_proba(NESTED[form](X_NEW)), expected, atol=1e-6)


@pytest.mark.parametrize(
    "form", [list, tuple, in_objects, lambda Y: [one.tolist() for one in Y], "series"]
)
def test_forms_of_labels(form):
    if form == "series":
        pandas = pytest.importorskip("pandas")
        labels = [pandas.Series(one, index=range(7, 7 + len(one))) for one in Y]
    else:
        labels = form(Y)
    assert_all_close(
        classifier().fit(X, labels).predict_proba(X), classifier().fit(X, Y).predict_proba(X)
    )


def test_equal_lengths_are_nested_too():
    rows = [one for one, labels in zip(X, Y, strict=True) if len(labels) == 3]
    labels = [one.tolist() for one in Y if len(one) == 3]
    found = classifier().fit(rows, labels).predict(rows)
    assert isinstance(found, list)
    assert found[0].shape == (3,)


FLAT_FORMS = {
    "array": (np.asarray, np.asarray),
    "csr": (sparse.csr_matrix, np.asarray),
    "lists": (np.ndarray.tolist, np.ndarray.tolist),
    "strings": (np.asarray, lambda names: [f"s{name}" for name in names]),
    "dictionaries": (
        lambda rows: [{f"f{j}": v for j, v in enumerate(row)} for row in rows],
        np.asarray,
    ),
}


@pytest.mark.parametrize("form", FLAT_FORMS)
def test_flat_and_nested_are_alike(form):
    table, named = FLAT_FORMS[form]
    nested = classifier().fit(X, Y)
    rows, names = table(FLAT), named(SEQUENCES)
    model = classifier().fit(rows, FLAT_Y, sequences=names)
    found = model.predict_proba(rows, sequences=names)
    assert_allclose(found, np.vstack(nested.predict_proba(X)), atol=1e-6)
    if form != "dictionaries":
        assert_all_close(model.predict_proba(X), nested.predict_proba(X), atol=1e-6)


def test_rows_of_a_sequence_need_not_be_contiguous(rng):
    order = rng.permutation(SEQUENCES)  # which sequence the next row is of
    rows = np.empty(len(order), dtype=int)
    rows[np.argsort(order, kind="stable")] = np.arange(len(order))
    model = classifier().fit(FLAT[rows], FLAT_Y[rows], sequences=order)
    first = list(dict.fromkeys(order.tolist()))
    nested = classifier().fit([X[i] for i in first], [Y[i] for i in first])
    found = model.predict_proba(FLAT[rows], sequences=order)
    assert_allclose(found, np.vstack(nested.predict_proba(X))[rows], atol=1e-8)
    energies = model.energies(FLAT[rows], FLAT_Y[rows], sequences=order)
    assert_allclose(energies, nested.energies([X[i] for i in first], [Y[i] for i in first]))
    labels = model.predict(FLAT[rows], sequences=order)
    assert_array_equal(labels, np.concatenate(nested.predict(X))[rows])
    assert model.score(FLAT[rows], FLAT_Y[rows], sequences=order) == pytest.approx(
        nested.score(X, Y)
    )


# What is returned


def test_forms_of_what_is_returned(fitted):
    for name in ("predict_proba", "predict_log_proba", "decision_function"):
        found = getattr(fitted, name)(X)
        assert isinstance(found, list)
        assert [one.shape for one in found] == [(length, K) for length in LENGTHS]
        assert getattr(fitted, name)(FLAT, sequences=SEQUENCES).shape == (len(FLAT), K)
    labels = fitted.predict(X)
    assert [one.shape for one in labels] == [(length,) for length in LENGTHS]
    assert_array_equal(fitted.predict(FLAT, sequences=SEQUENCES), np.concatenate(labels))
    for name in ("free_energy", "least_energy"):
        assert getattr(fitted, name)(X).shape == (len(X),)
        assert getattr(fitted, name)(FLAT, sequences=SEQUENCES).shape == (len(X),)
    for name in ("energies", "pair_energies", "predict_sequence_proba"):
        assert getattr(fitted, name)(X, Y).shape == (len(X),)
        flat = getattr(fitted, name)(FLAT, FLAT_Y, sequences=SEQUENCES)
        assert_allclose(flat, getattr(fitted, name)(X, Y))
    sets = fitted.predict_set(X)
    assert all(one.dtype == bool for one in sets)
    assert [one.shape for one in sets] == [(length, K) for length in LENGTHS]
    assert_array_equal(fitted.predict_set(FLAT, sequences=SEQUENCES), np.vstack(sets))
    top = fitted.top_k(X, 4)
    assert [one.labels.shape for one in top] == [(min(4, K**n), n) for n in LENGTHS]
    assert len(fitted.top_k(FLAT, 4, sequences=SEQUENCES)) == len(X)


LABELS = {
    "strings": np.array(["b", "c", "a"]),
    "objects": np.array(["b", "c", "a"], dtype=object),
    "negative": np.array([0, 1, -1]),
    "small integers": np.array([1, 2, 0], dtype=np.int8),
    "floats": np.array([1.0, 2.0, 0.0]),
    "booleans": np.array([True, True, False]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_all_kinds(kind):
    names = LABELS[kind]
    model = classifier().fit(X, [names[one] for one in Y])
    assert_array_equal(model.classes_, np.unique(names))
    labels = model.predict(X)
    assert {one.dtype for one in [*labels, model.top_k(X, 2)[0].labels]} == {names.dtype}
    order = np.searchsorted(model.classes_, names)
    columns = [one[:, order] for one in model.predict_proba(X)]
    if kind != "booleans":
        assert_all_close(columns, classifier().fit(X, Y).predict_proba(X), atol=1e-3)
    most = [model.classes_[one.argmax(axis=1)] for one in model.predict_proba(X)]
    assert np.mean(np.concatenate(most) == np.concatenate(labels)) > 0.8
    lists = [one.tolist() for one in labels]
    assert_allclose(model.energies(X, lists), model.least_energy(X))


def test_score_is_the_accuracy_of_labels(fitted, rng):
    found = np.concatenate(fitted.predict(X_NEW))
    assert fitted.score(X_NEW, Y_NEW) == np.mean(found == np.concatenate(Y_NEW))
    weights = rng.uniform(size=len(X_NEW))
    expected = accuracy_score(
        np.concatenate(Y_NEW), found, sample_weight=np.repeat(weights, list(map(len, Y_NEW)))
    )
    assert fitted.score(X_NEW, Y_NEW, sample_weight=weights) == pytest.approx(expected)
    assert fitted.score(X_NEW, [one + 7 for one in Y_NEW]) == 0  # labels that fit did not see


def test_float32():
    small = [one.astype(np.float32) for one in X]
    model = classifier().fit(small, Y)
    assert model.energy_.coef_.dtype == np.float32
    assert_all_close(model.predict_proba(small), classifier().fit(X, Y).predict_proba(X), atol=0.01)


def test_attributes(fitted):
    assert fitted.coef_.shape == (K, D)
    assert fitted.intercept_.shape == (K,)
    assert fitted.transitions_.shape == (K, K)
    assert fitted.n_features_in_ == D
    assert not hasattr(classifier(transitions="input").fit(X, Y), "transitions_")


def test_names_of_columns():
    pandas = pytest.importorskip("pandas")
    frames = [pandas.DataFrame(one, columns=list("abcd")) for one in X]
    model = classifier().fit(frames, Y)
    assert_array_equal(model.feature_names_in_, list("abcd"))
    assert_array_equal(
        model.predict(pandas.concat(frames), sequences=SEQUENCES),
        np.concatenate(model.predict(frames)),
    )
    for bad in (list("dcba"), list("abce")):
        with pytest.raises(ValueError, match="feature names should match"):
            model.predict([one.set_axis(bad, axis=1) for one in frames])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)


# Laws over energies, losses and transitions


ALL_SETTINGS = [
    (energy, loss, transitions)
    for energy, loss, transitions in itertools.product(
        ENERGIES, LOSSES, ("constant", "none", "input")
    )
    if loss in ("nll", "hinge") or (energy, transitions) == ("linear", "constant")
    if transitions != "input" or energy in ("linear", "kernel")
] + [("prototype", "energy", "constant")]


def enumerated(model, x):
    """All label sequences of x, their energies and their probabilities."""
    labels = [np.array(one) for one in itertools.product(model.classes_, repeat=len(x))]
    many = [x] * len(labels)
    return (
        np.array(labels),
        model.energies(many, labels),
        model.predict_sequence_proba(many, labels),
    )


def assert_is_gibbs(model, x):
    labels, energies, p = enumerated(model, x)
    assert p.sum() == pytest.approx(1, abs=1e-10)
    one_hot = labels[:, :, None] == model.classes_
    marginals = np.tensordot(p, one_hot, axes=1)
    assert_allclose(model.predict_proba([x])[0], marginals, atol=1e-10)
    assert_allclose(marginals.sum(axis=1), 1)
    assert_array_equal(model.predict([x])[0], labels[energies.argmin()])
    assert model.least_energy([x])[0] == pytest.approx(energies.min())
    if type(model.energy_).__name__ != "ExpertEnergy":
        assert_free_energy(model, x, energies, p)
    top = model.top_k([x], 7)[0]
    assert_allclose(top.energies, np.sort(energies[np.isfinite(energies)])[:7], atol=1e-10)
    found = model.energies([x] * len(top.labels), list(top.labels))
    assert_allclose(found, top.energies, atol=1e-10)
    with np.errstate(divide="ignore"):
        assert_allclose(model.decision_function([x])[0], np.log(model.predict_proba([x])[0]))


def assert_free_energy(model, x, energies, p):
    possible = p > 0
    free = -np.log(np.sum(np.exp(-model.beta_ * (energies - energies.min())))) / model.beta_
    assert model.free_energy([x])[0] == pytest.approx(free + energies.min())
    expected = np.exp(-model.beta_ * (energies - model.free_energy([x])[0]))
    assert_allclose(p[possible], expected[possible], rtol=1e-8, atol=1e-300)


@pytest.mark.parametrize("energy, loss, transitions", ALL_SETTINGS)
def test_predictions_are_those_of_a_gibbs_distribution(energy, loss, transitions):
    beta = "auto" if loss == "nll" else 2.0
    alpha = "auto" if energy == "trees" else 0.05
    model = classifier(
        energy, loss, transitions=transitions, beta=beta, alpha=alpha, tol=1e-3, max_iter=300
    )
    if energy == "mlp":
        model.set_params(solver="adam", max_iter=8)
    model.fit(X[:25], Y[:25])
    assert model.beta_ == 2.0 or beta == "auto"
    for x in (THREE, THREE[:1]):
        assert_is_gibbs(model, x)
    singles = [model.predict_proba([one])[0] for one in X_NEW]
    assert_all_close(model.predict_proba(X_NEW), singles, atol=1e-10)
    assert_allclose(model.free_energy(X_NEW)[::-1], model.free_energy(X_NEW[::-1]), atol=1e-10)


@pytest.mark.parametrize("transitions", ["constant", "input", "none"])
def test_constraints_hold(transitions):
    labels = [one.copy() for one in Y]
    for one in labels:
        for t in range(1, len(one)):
            one[t] = 1 if one[t] == one[t - 1] == 0 else one[t]
    model = classifier(constraints=[(0, 0)], transitions=transitions).fit(X, labels)
    x = THREE
    assert_is_gibbs(model, x)
    assert model.energies([x], [[1, 0, 0]])[0] == np.inf
    assert model.predict_sequence_proba([x], [[1, 0, 0]])[0] == 0
    assert len(model.top_k([x], 100)[0].energies) == 27 - 5


def test_tags_of_entities():
    names = np.array(["O", "B-PER", "I-PER"])
    labels = [np.where((one == 2) & (np.r_[0, one[:-1]] == 0), 1, one) for one in Y]
    model = classifier(constraints="bio").fit(X, [names[one] for one in labels])
    for one in model.predict([5 * x for x in X_NEW]):
        assert all(a != "O" for a, b in itertools.pairwise(["O", *one]) if b == "I-PER")


def test_constraints_that_leave_one_sequence():
    rows = [one[:2] for one in X if len(one) > 1]
    model = classifier(constraints=[(0, 0), (1, 1), (1, 0)]).fit(rows, [[0, 1]] * len(rows))
    assert_array_equal(model.predict(rows), [[0, 1]] * len(rows))
    assert_allclose(model.predict_proba(rows[:1])[0], np.eye(2))
    with pytest.raises(ValueError, match="no label sequence of more than 2 positions.*sequence 1"):
        model.predict_proba([rows[0], THREE])


@pytest.mark.parametrize("beta", [0.2, 5.0])
def test_beta_is_an_inverse_temperature(beta):
    one, other = classifier(beta=1.0).fit(X, Y), classifier(beta=beta).fit(X, Y)
    assert_allclose(one.energies(X, Y), other.energies(X, Y))
    with np.errstate(divide="ignore"):
        ratio = np.log(other.predict_sequence_proba(X, Y)) + beta * one.energies(X, Y)
    assert_allclose(ratio, beta * other.free_energy(X))


def test_beta_calibrates():
    sharp = classifier(alpha=1e-4, beta="auto").fit(X, Y)
    assert sharp.beta_ < 1
    many = generated(200, seed=3)
    nll = sharp.pair_energies(*many).mean()
    assert nll < sharp.set_params(beta=1.0).fit(X, Y).pair_energies(*many).mean()


def test_order_of_sequences_does_not_matter():
    one, other = (classifier(tol=1e-13).fit(X[::step], Y[::step]) for step in (1, -1))
    assert_all_close(one.predict_proba(X), other.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("energy", ["linear", "kernel"])
def test_a_weight_of_two_is_two_copies(energy):
    twice, n = np.arange(10), len(X)
    folds = [(np.arange(20), np.arange(20, n)), (np.arange(20, n), np.arange(20))]
    copies = [tuple(np.r_[part, n + twice] if 0 in part else part for part in f) for f in folds]
    weights = np.where(np.arange(n) < 10, 2.0, 1.0)
    model = EnergyClassifier(energy, cv=folds, random_state=0).fit(X, Y, sample_weight=weights)
    rows = np.r_[np.arange(n), twice]
    other = EnergyClassifier(energy, cv=copies, random_state=0)
    other.fit([X[i] for i in rows], [Y[i] for i in rows])
    assert model.beta_ == pytest.approx(other.beta_)
    assert_all_close(model.predict_proba(X), other.predict_proba(X), atol=1e-6)


def test_a_weight_of_zero_is_no_sequence():
    weights = np.where(np.arange(len(X)) < 30, 1.0, 0.0)
    model = classifier(tol=1e-13).fit(X, Y, sample_weight=weights)
    other = classifier(tol=1e-13).fit(X[:30], Y[:30])
    assert_all_close(model.predict_proba(X), other.predict_proba(X), atol=1e-4)


def test_without_transitions_positions_are_independent():
    model = classifier(transitions="none", tol=1e-13).fit(X, Y)
    flat = classifier(alpha=0.05 * len(X) / len(FLAT), tol=1e-12).fit(FLAT, FLAT_Y)
    assert_allclose(np.vstack(model.predict_proba(X)), flat.predict_proba(FLAT), atol=1e-5)
    singles = [one[None] for one in FLAT]
    assert_allclose(
        np.vstack(model.predict_proba(singles)), np.vstack(model.predict_proba(X)), atol=1e-12
    )
    assert not model.transitions_.any()


def test_two_labels():
    model = classifier("trees", alpha="auto").fit(X, [one > 0 for one in Y])
    assert_is_gibbs(model, THREE)
    model = classifier().fit(X, [one > 0 for one in Y])
    assert model.decision_function(X)[0].shape == (LENGTHS[0], 2)
    assert_is_gibbs(model, THREE)


@pytest.mark.parametrize("energy", ["linear", "trees"])
def test_sequences_of_one_position(energy):
    rows, labels = [one[:1] for one in X], [one[:1] for one in Y]
    model = EnergyClassifier(energy, random_state=0).fit(rows, labels)
    assert_is_gibbs(model, rows[0])
    assert_allclose(model.transitions_, 0, atol=1e-8)
    assert_array_equal(np.concatenate(model.predict(rows)).shape, len(rows))


def test_a_single_sequence():
    model = EnergyClassifier(random_state=0).fit([FLAT], [FLAT_Y])
    assert model.beta_ == 1
    assert model.score([FLAT], [FLAT_Y]) > 0.5
    for bad in ({"calibrate": True}, {"energy": "trees"}):
        with pytest.raises(ValueError, match="needs at least two of positive weight, got one"):
            EnergyClassifier(**bad).fit([FLAT], [FLAT_Y])


def test_sets_hold_their_guarantee():
    X, y = generated(300, seed=2)
    model = EnergyClassifier(calibrate=True, random_state=0).fit(X[:60], y[:60])

    def covered(X, y, coverage):
        sets = model.predict_set(X, coverage)
        return np.mean(
            [one[np.arange(len(of)), of].mean() for one, of in zip(sets, y, strict=True)]
        )

    for coverage in (0.7, 0.9):
        assert abs(covered(X[60:], y[60:], coverage) - coverage) < 0.06
    model.conformalize(X[60:160], y[60:160])
    assert 0.88 < covered(X[60:160], y[60:160], 0.9) < 0.93
    assert abs(covered(X[160:], y[160:], 0.9) - 0.9) < 0.05
    with pytest.raises(ValueError, match=r"needs at least 999 calibration sequences, got 100"):
        model.predict_set(X, 0.999)


def test_huge_and_constant_columns(fitted):
    huge = [1e300 * one for one in X]
    for one in fitted.predict_proba(huge):
        assert_allclose(one.sum(axis=1), 1)
    assert np.isfinite(fitted.free_energy(huge)).all()
    with pytest.raises(ValueError, match=r"got .*e\+300 in column 0 of X"):
        classifier().fit(huge, Y)
    constant = classifier().fit([np.ones((len(one), 2)) for one in X], Y)
    assert np.isfinite(constant.predict_proba([np.ones((3, 2))])[0]).all()
    with_constant = classifier().fit([np.c_[one, np.full(len(one), 7.0)] for one in X], Y)
    found = with_constant.predict_proba([np.c_[one, np.full(len(one), 7.0)] for one in X])
    assert_all_close(found, classifier().fit(X, Y).predict_proba(X), atol=0.01)


def test_trees_take_missing_values_in_both_forms():
    holes = [np.where(one > 1, np.nan, one) for one in X]
    nested = classifier("trees", alpha="auto").fit(holes, Y)
    flat = classifier("trees", alpha="auto").fit(np.vstack(holes), FLAT_Y, sequences=SEQUENCES)
    assert_allclose(
        np.vstack(nested.predict_proba(holes)),
        flat.predict_proba(np.vstack(holes), sequences=SEQUENCES),
    )


@pytest.mark.parametrize("energy", [LogisticRegression(), ["linear", LogisticRegression()]])
def test_experts_and_sums(energy):
    model = EnergyClassifier(energy, random_state=0).fit(X, Y)
    assert_is_gibbs(model, THREE)
    assert model.score(X_NEW, Y_NEW) > 0.4


def test_many_labels():
    rng = np.random.RandomState(0)
    labels = np.split(rng.permutation(300), 30)
    rows = [np.c_[one, one % 7, one % 11] / 1.0 for one in labels]
    model = classifier(tol=0.01, max_iter=3, solver="adam", alpha=1e-3)
    model.fit(rows, labels)
    assert model.transitions_.shape == (300, 300)
    assert_allclose(model.predict_proba(rows)[0].sum(axis=1), 1)
    model.set_params(transitions="input")
    enormous = [np.zeros((200_000, 1)), np.zeros((200_000, 1))]
    with pytest.raises(ValueError, match="Transitions between 1000 labels at 400000 positions"):
        model.fit(enormous, [np.arange(200_000) % 1000] * 2)


# Within scikit-learn


def test_pipeline_of_tokens():
    tokens = [[f"w{int(2 * row[0])}" for row in one] for one in X]
    pipeline = make_pipeline(TokenFeatures(), WindowFeatures(1), SequenceVectorizer(), classifier())
    pipeline.fit(tokens, Y)
    assert [len(one) for one in pipeline.predict(tokens)] == LENGTHS.tolist()
    assert pipeline.score(tokens, Y) > 0.5
    without = make_pipeline(TokenFeatures(), WindowFeatures(1), classifier()).fit(tokens, Y)
    assert_all_close(without.predict_proba(tokens), pipeline.predict_proba(tokens), atol=1e-6)
    assert without.predict_proba([["unseen", "words"]])[0].shape == (2, K)


def test_searches_of_nested_sequences():
    model = make_pipeline(SequenceVectorizer(), classifier())
    grid = {"energyclassifier__alpha": [0.01, 100.0]}
    search = GridSearchCV(model, grid, cv=KFold(2)).fit(DICTIONARIES, Y)
    assert search.best_params_ == {"energyclassifier__alpha": 0.01}
    assert search.score(DICTIONARIES, Y) > 0.5
    assert len(search.predict(DICTIONARIES)) == len(X)
    scores = cross_val_score(classifier(), X, Y, cv=GroupKFold(2), groups=np.arange(len(X)) // 4)
    assert scores.min() > 0.4


def test_searches_of_flat_sequences_with_metadata_routing():
    with config_context(enable_metadata_routing=True):
        model = make_pipeline(
            StandardScaler(), WindowFeatures(1), classifier().set_fit_request(groups=False)
        )
        grid = {"energyclassifier__alpha": [0.05, 100.0]}
        search = GridSearchCV(model, grid, cv=GroupKFold(2), error_score="raise")
        search.fit(FLAT, FLAT_Y, groups=SEQUENCES, sequences=SEQUENCES)
        assert search.best_params_ == {"energyclassifier__alpha": 0.05}
        best = search.best_estimator_
        assert search.score(FLAT, FLAT_Y, sequences=SEQUENCES) == best.score(
            FLAT, FLAT_Y, sequences=SEQUENCES
        )
        assert best.predict_proba(FLAT, sequences=SEQUENCES).shape == (len(FLAT), K)
        params = {"sequences": SEQUENCES, "groups": SEQUENCES}
        scores = cross_val_score(model, FLAT, FLAT_Y, cv=GroupKFold(2), params=params)
        assert scores.min() > 0.4


def test_pipelines_of_flat_sequences_without_metadata_routing():
    pipeline = make_pipeline(StandardScaler(), classifier())
    pipeline.fit(FLAT, FLAT_Y, energyclassifier__sequences=SEQUENCES)
    assert_array_equal(
        pipeline.predict(FLAT, sequences=SEQUENCES),
        pipeline[-1].predict(pipeline[0].transform(FLAT), sequences=SEQUENCES),
    )
    with pytest.raises(ValueError, match=r"sequences= needs set_config\(enable_metadata_routing"):
        pipeline.score(FLAT, FLAT_Y)


def test_cross_val_predict_of_equal_lengths():
    rows, labels = [one[:1] for one in X], [one[:1] for one in Y]
    assert cross_val_predict(classifier(), rows, labels, cv=KFold(2)).shape == (len(X), 1)


@pytest.mark.parametrize("cv", [2, KFold(2), LeaveOneOut(), [(range(20), range(20, 40))]])
def test_folds_of_sequences(cv):
    rows, labels = (X[:8], Y[:8]) if isinstance(cv, LeaveOneOut) else (X, Y)
    model = EnergyClassifier(cv=cv, alpha=0.1, random_state=0).fit(rows, labels)
    assert 0 < model.beta_ < 100


def test_groups_are_of_sequences():
    groups = np.arange(len(X)) // 4
    nested = classifier(beta="auto", cv=GroupKFold(2)).fit(X, Y, groups=groups)
    flat = classifier(beta="auto", cv=GroupKFold(2)).fit(
        FLAT, FLAT_Y, groups=groups[SEQUENCES], sequences=SEQUENCES
    )
    assert nested.beta_ == pytest.approx(flat.beta_)
    weighted = classifier().fit(X, Y, sample_weight=1.0 + groups)
    flat = classifier().fit(
        FLAT, FLAT_Y, sample_weight=1.0 + groups[SEQUENCES], sequences=SEQUENCES
    )
    assert_allclose(
        flat.predict_proba(FLAT, sequences=SEQUENCES), np.vstack(weighted.predict_proba(X))
    )


@pytest.mark.parametrize(
    "settings", [{}, {"energy": "mlp", "max_iter": 200}, {"energy": "trees", "n_jobs": 2}]
)
def test_fits_repeat_with_a_seed(settings):
    model = EnergyClassifier(random_state=3, **settings).fit(X, Y)
    again = clone(model).set_params(n_jobs=None).fit(X, Y)
    assert_all_close(model.predict_proba(X), again.predict_proba(X), rtol=1e-12)


def test_copies_predict_the_same():
    model = classifier(calibrate=True).fit(DICTIONARIES, Y)
    assert repr(model) == repr(clone(model))
    copies = [pickle.loads(pickle.dumps(model)), copy.deepcopy(model), copy.copy(model)]
    for other in copies:
        assert_all_close(model.predict_proba(DICTIONARIES), other.predict_proba(DICTIONARIES))
        assert_all_close(model.predict_set(DICTIONARIES), other.predict_set(DICTIONARIES))
    with pytest.raises(NotFittedError):
        clone(model).predict(DICTIONARIES)


def test_skops():
    io = pytest.importorskip("skops.io")
    model = classifier(calibrate=True, constraints=[(0, 7)]).set_params(constraints=None)
    model.fit(DICTIONARIES, Y)
    saved = io.dumps(model)
    unknown = io.get_untrusted_types(data=saved)
    assert all(name.startswith("sk_ebm.") for name in unknown)
    read = io.loads(saved, trusted=unknown)
    assert_all_close(read.predict_proba(DICTIONARIES), model.predict_proba(DICTIONARIES))
    assert_all_close(read.predict_set(DICTIONARIES), model.predict_set(DICTIONARIES))


def test_callbacks_see_the_fit():
    class Monitor:
        begun = ended = 0

        def setup(self, *args, **kwargs):
            pass

        teardown = setup

        def on_fit_task_begin(self, *args, **kwargs):
            self.begun += 1

        def on_fit_task_end(self, *args, **kwargs):
            self.ended += 1

    monitor = Monitor()
    classifier().set_callbacks(monitor).fit(X, Y)
    assert monitor.begun == monitor.ended > 0


@pytest.mark.parametrize(
    "first",
    [
        lambda model: model.fit(FLAT, FLAT_Y),
        lambda model: model.set_params(reject="false_alarm").fit(FLAT, FLAT_Y),
        lambda model: model.set_params(energy="embedding").fit(
            FLAT, FLAT_Y, class_features={label: [label] for label in range(K)}
        ),
        lambda model: model.fit(DICTIONARIES, Y),
        lambda model: model.fit([one[:, :2] for one in X], [one > 0 for one in Y]),
        lambda model: model.fit(FLAT, FLAT_Y, sequences=SEQUENCES),
    ],
)
@pytest.mark.parametrize("table", [(X, Y), (FLAT, FLAT_Y)])
def test_refits_leave_nothing_of_the_fit_before(first, table):
    model = first(classifier(calibrate=True))
    model.set_params(reject=None, energy="linear").fit(*table)
    fresh = classifier(calibrate=True).fit(*table)
    assert set(vars(model)) == set(vars(fresh))
    assert_all_close(model.predict_proba(table[0]), fresh.predict_proba(table[0]))


# What cannot be

NAN = replaced(X, 7, np.full((LENGTHS[7], D), np.nan))
NAN_PLACE = r"X holds NaN in sequence 7, position 0, column 0"
BAD_INPUT = {
    "one sequence fewer": (X, Y[:-1], "same sequences, got 40 in X and 39 in y"),
    "a label more": (X, replaced(Y, 5, [0] * 9), r"got 9 labels for .* of sequence 5"),
    "empty": (replaced(X, 5, np.zeros((0, D))), replaced(Y, 5, []), "Sequence 5 of X is empty"),
    "no position": (replaced(DICTIONARIES, 5, []), replaced(Y, 5, []), "Sequence 5 of X is empty"),
    "missing label": (X, replaced(Y, 3, [np.nan] * LENGTHS[3]), "y is missing in sequence 3"),
    "no label": (X, replaced(Y, 3, [None] * LENGTHS[3]), "y is missing in sequence 3"),
    "text": (X, replaced(Y, 3, ["a"] * LENGTHS[3]), "numbers in sequence 0 and text in sequence 3"),
    "continuous": (X, [one + 0.5 for one in Y], "Unknown label type: continuous"),
    "one label": (X, [0 * one for one in Y], r"two labels .*, got one in all 40 .*: \[0\]"),
    "nan": (NAN, Y, NAN_PLACE),
    "nan in csr": ([sparse.csr_array(one) for one in NAN], Y, NAN_PLACE),
    "nan in dictionaries": (
        replaced(DICTIONARIES, 7, [{"f0": np.nan}] * LENGTHS[7]),
        Y,
        NAN_PLACE,
    ),
    "infinity": (replaced(X, 7, X[7] * np.inf), Y, "X holds infinity in sequence 7, position 0"),
    "columns": (replaced(X, 3, X[3][:, :2]), Y, "got 2 in sequence 3 and 4 in sequence 0"),
    "three dimensions": (np.zeros((5, 3, D)), [[0, 1, 0]] * 5, r"shape \(5, 3, 4\). Give list"),
    "one dimension": (replaced(X, 3, X[3][0]), Y, r"shape \(4,\) for sequence 3"),
    "tables in lists": ([one.tolist() for one in X], Y, "X is a flat table. Give X as a list"),
    "both forms": (replaced(X, 3, DICTIONARIES[3]), Y, "for all sequences or for none.*sequence 3"),
    "flat X": (FLAT, Y, "y is a list of lists or arrays.*but X is a flat table"),
    "flat y": (X, FLAT_Y, "y must be a list with a list or one-dimensional array of labels"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_refused(case, fitted):
    X_bad, y_bad, message = BAD_INPUT[case]
    before = pickle.dumps(fitted)
    with pytest.raises(ValueError, match=message):
        fitted.fit(X_bad, y_bad)
    assert pickle.dumps(fitted) == before


@pytest.mark.parametrize(
    "X_bad, message",
    [
        (NAN, NAN_PLACE),
        (replaced(X, 5, np.zeros((0, D))), "Sequence 5 of X is empty"),
        (FLAT, "X is a flat table, and this classifier is fitted to label sequences"),
        ([], "X holds no sequences"),
        (np.zeros((5, 3, D)), r"shape \(5, 3, 4\). Give list"),
        (DICTIONARIES, "X must hold tables, as in fit, got lists of dictionaries"),
        ([one[:, :2] for one in X], "X has 2 features, but .* expecting 4"),
    ],
)
@pytest.mark.parametrize("method", ["predict", "predict_proba", "top_k", "free_energy"])
def test_bad_input_of_predictions(X_bad, message, method, fitted):
    with pytest.raises(ValueError, match=message):
        getattr(fitted, method)(X_bad)


@pytest.mark.parametrize("method", ["energies", "predict_sequence_proba", "conformalize"])
def test_labels_never_seen(method, fitted):
    labels = replaced(Y, 5, [9] * LENGTHS[5])
    with pytest.raises(ValueError, match=r"\[0, 1, 2\], got 9 in sequence 5, position 0"):
        getattr(fitted, method)(X, labels)
    with pytest.raises(ValueError, match=r"got '0' in row .*, of sequence 0"):
        getattr(fitted, method)(FLAT, ["0"] * len(FLAT), sequences=SEQUENCES)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((FLAT, FLAT_Y, SEQUENCES[:-1]), "each of the .* rows of X, in one dimension"),
        ((FLAT, FLAT_Y, np.where(SEQUENCES == 3, np.nan, SEQUENCES)), "the name of row .* missing"),
        ((FLAT, FLAT_Y[:-1], SEQUENCES), "y must hold a label for each of the"),
        ((FLAT, None, SEQUENCES), "requires y to be passed"),
        ((FLAT, np.eye(3)[FLAT_Y], SEQUENCES), "1d array"),
        ((np.vstack(NAN), FLAT_Y, SEQUENCES), "X holds NaN in row .*, of sequence 7, column 0"),
        ((X, Y, SEQUENCES), "sequences must be None where X is a list"),
        ((FLAT, Y, SEQUENCES), "but X is a flat table"),
        ((np.zeros((5, 3, D)), np.zeros(5), np.arange(5)), "Give list"),
    ],
)
def test_bad_flat_input(arguments, message):
    X_bad, y_bad, sequences = arguments
    with pytest.raises(ValueError, match=message):
        classifier().fit(X_bad, y_bad, sequences=sequences)


@pytest.mark.parametrize("name", ["sample_weight", "groups"])
def test_bad_entries_of_sequences(name):
    def fit(X, y, value, **kwargs):
        return classifier(cv=GroupKFold(2)).fit(X, y, **{name: value}, **kwargs)

    for value, found in ((SEQUENCES, len(FLAT)), ([one + 1 for one in Y], "40 lists"), (2.0, 2.0)):
        with pytest.raises(ValueError, match=f"{name} must have .* 40 sequences, got {found}"):
            fit(X, Y, value)
    with pytest.raises(ValueError, match=f"{name} must be equal within each .* row 1, of sequence"):
        fit(FLAT, FLAT_Y, np.arange(len(FLAT)), sequences=np.arange(len(FLAT)) // 7)
    with pytest.raises(ValueError, match=f"{name} must have .* rows, got 40"):
        fit(FLAT, FLAT_Y, np.arange(40), sequences=SEQUENCES)


BAD_SETTINGS = {
    "reject": ({"reject": "false_alarm"}, "reject is of classes"),
    "class_weight": ({"class_weight": "balanced"}, "class_weight is of classes"),
    "negatives": ({"negatives": 5}, "negatives is of classes"),
    "newton": ({"solver": "newton"}, "solver='newton' is of classes"),
    "transitions": ({"transitions": "all"}, "transitions must be 'constant', 'input' or 'none'"),
    "by trees": ({"energy": "trees", "transitions": "input"}, "energy='linear' or 'kernel'"),
    "by embedding": ({"energy": "embedding", "transitions": "input"}, "got EmbeddingEnergy"),
    "by sum": ({"energy": ["linear", "mlp"], "transitions": "input"}, "got SumEnergy"),
    "scheme": ({"constraints": "bio"}, "constraints='bio' needs tags of entities"),
    "unknown label": ({"constraints": [(0, 7)]}, "constraints must name labels of y"),
    "broken": ({"constraints": [(0, 1)]}, r"y has 1 after 0 in sequence \d+, position"),
    "collapse": ({"loss": "energy"}, "loss='energy' collapses"),
}


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_settings_that_sequences_cannot_have(case):
    settings, message = BAD_SETTINGS[case]
    with pytest.raises(ValueError, match=message):
        EnergyClassifier(**settings).fit(X, Y)


def test_class_features_are_of_classes():
    with pytest.raises(ValueError, match="class_features is of classes"):
        EnergyClassifier("embedding").fit(X, Y, class_features={0: [1]})


def test_labels_of_weight_zero_do_not_count():
    labels = [np.full(length, index == 0) for index, length in enumerate(LENGTHS)]
    with pytest.raises(ValueError, match="two labels with positive weight"):
        classifier().fit(X, labels, sample_weight=np.arange(len(X)))


def test_calls_that_make_no_sense(fitted):
    with pytest.raises(ValueError, match=r"energies\(X, y\) of label sequences needs y"):
        fitted.energies(X)
    for name in ("input_energies", "add_classes"):
        with pytest.raises(AttributeError, match=f"{name} is of classes"):
            getattr(fitted, name)(X)
    for bad in ({"by_class": True}, {"sparse": True}):
        with pytest.raises(ValueError, match="are of classes"):
            fitted.predict_set(X, **bad)
    with pytest.raises(ValueError, match="coverage must be"):
        fitted.predict_set(X, 1.0)
    with pytest.raises(ValueError, match="k must be"):
        fitted.top_k(X, 0)
    with pytest.raises(ValueError, match="calibrate=False .* has kept none"):
        classifier(calibrate=False).fit(X, Y).predict_set(X)


def test_classifiers_of_classes_take_no_sequences():
    model = EnergyClassifier(alpha=0.1, beta=1.0).fit(FLAT, FLAT_Y)
    for method in (model.predict, model.predict_proba, model.free_energy, model.energies):
        with pytest.raises(ValueError, match="X is a list of sequences"):
            method(X)
        with pytest.raises(ValueError, match="sequences= names the sequence of each row"):
            method(FLAT, sequences=SEQUENCES)
    with pytest.raises(ValueError, match="needs a classifier that is fitted to label sequences"):
        model.predict_sequence_proba(X, Y)
    with pytest.raises(ValueError, match="y must be None where answers are classes"):
        model.energies(FLAT, FLAT_Y)
    with pytest.raises(ValueError, match="X is a list of sequences"):
        model.conformalize(X, Y)
    for method in ("predict", "energies", "score", "predict_sequence_proba"):
        arguments = (X,) if method == "predict" else (X, Y)
        with pytest.raises(NotFittedError):
            getattr(EnergyClassifier(), method)(*arguments)
