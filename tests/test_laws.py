"""Laws that every estimator keeps in random situations, which `situations` draws from numbers.

``pytest tests/test_laws.py --examples 100000`` tries as many situations; the numbers in the ids of
those that fail reproduce them: ``pytest tests/test_laws.py --first 17 --examples 1``.
"""

import pickle
import re
import warnings
from contextlib import suppress
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from situations import single, situation
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector
from sk_ebm._estimators.base import EnergyEstimator
from sk_ebm._utils import warnings as own_warnings

pytest.importorskip("lightgbm")  # for "trees"; some releases warn on import, so it is done here
ROUNDING = 1e-6  # relative, between two ways to compute the same
TOLERANCE = 0.02  # of probabilities, between two fits that both end within tol of the optimum
# Between objectives with kinks or valleys, of about 1 without weights: L-BFGS ends where five
# iterations gain less than 1000 tol, on hard tables before the optimum. In hundreds of pairs of
# fits they differed by up to 4e-4.
KINKED = 1e-3


class Refused(Exception):
    """The estimator does not take what the situation gives it, and says so."""


def fitted(case, estimator=None, X=None, y=None, **others):
    """A clone, fitted without warnings but those of the package; raises Refused."""
    estimator = clone(case.estimator if estimator is None else estimator)
    X = case.fill(case.X) if X is None else X
    y = case.y if y is None else y
    others = {**case.others, **others}
    try:
        return quietly(estimator.fit, X, *(() if y is None else (y,)), **others)
    except (ValueError, TypeError) as error:
        check_refusal(error, estimator, others)
        raise Refused(str(error)) from error


def quietly(function, *args, **kwargs):
    """Call it; the package's own warnings are for users, all others are errors."""
    silent = SimpleNamespace(warn=lambda message, category, stacklevel: None)
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("error")
        # What an expert says of its own solver, on columns of 1e200, is for users, too.
        warnings.filterwarnings("ignore", "lbfgs failed to converge", ConvergenceWarning)
        patch.setattr(own_warnings, "warnings", silent)
        return function(*args, **kwargs)


def check_refusal(error, estimator, others):
    """A refusal names what it is about: a parameter, an argument, X or y."""
    assert not isinstance(error, np.linalg.LinAlgError), f"raised {error!r}"
    words = {name.rpartition("__")[2] for name in estimator.get_params()} | set(others)
    words |= {"X", "y", "groups", "sample_weight", "energy", "threshold", "contamination"}
    words |= {"samples", "sample", "rows", "columns", "features"}  # of X
    named = re.findall(r"\w+", str(error))
    assert words & set(named), f"raised {error!r}, which names no parameter"


def questions(estimator, groups=None):
    """By name, what can be asked about rows, where the answer to each row is its own."""
    names = ["energies", "decision_function", "predict", "predict_proba", "predict_log_proba"]
    names += ["score_samples", "least_energy", "free_energy", "p_values"]
    asked = {name: getattr(estimator, name) for name in names if hasattr(estimator, name)}
    kind = type(estimator).__name__
    if kind == "EnergyDensityEstimator" and estimator.conditional:
        asked.pop("energies")
        if len(estimator.chain_) > 1:
            return {"predict": asked["predict"]}
        asked["interval"] = lambda X: estimator.predict_interval(X, 0.8)
        asked["shortest"] = lambda X: estimator.predict_interval(X, 0.8, "highest-density")
        asked["quantiles"] = lambda X: estimator.predict_quantile(X, [0.01, 0.3, 0.5, 0.99])
    if kind == "EnergyDetector" and estimator.calibration is None:
        asked.pop("p_values")
    if kind == "EnergyRanker" and estimator.normalize == "query":
        numbers = {name: method for name, method in asked.items()}
        asked = {
            name: lambda X, method=method: method(X, np.arange(np.shape(X)[0]))
            for name, method in numbers.items()
        }
    return asked


def answers(estimator, X):
    """By name, the answers to all questions about rows; raises Refused."""
    found = {}
    for name, question in questions(estimator).items():
        try:
            found[name] = quietly(question, X)
        except (ValueError, TypeError) as error:
            check_refusal(error, estimator, {})
            raise Refused(f"{name}: {error}") from error
    return found


def assert_same(one, other, rtol=ROUNDING):
    """Answers that agree up to rounding, in the unit of the largest."""
    for name, values in one.items():
        if values.dtype.kind != "f":
            continue  # a decision may turn on rounding, the energies that it is made from not
        with np.errstate(over="ignore"):
            scale = min(np.abs(values).max(initial=0), 1e300)
        assert_allclose(other[name], values, rtol=rtol, atol=rtol * scale, err_msg=name)


# ---- laws: each takes a situation, its fitted estimator and new rows in its container


def law_answers_are_sane(case, estimator, new):
    """Finite, of the right shape, normalised, and consistent with each other."""
    found, n_rows = answers(estimator, new), len(case.new)
    for name, values in found.items():
        assert len(values) == n_rows, name
        if values.dtype.kind == "f":
            assert np.isfinite(values).all(), f"{name} not finite: {values[~np.isfinite(values)]}"
    if "predict_proba" in found:
        assert (found["predict_proba"] >= 0).all()
        assert_allclose(found["predict_proba"].sum(axis=1), 1, rtol=1e-5)
    if "p_values" in found:
        assert (found["p_values"] > 0).all() and (found["p_values"] <= 1).all()
    if hasattr(estimator, "offset_"):
        assert_allclose(found["decision_function"], found["score_samples"] - estimator.offset_)
        assert_array_equal(found["predict"] == 1, found["decision_function"] >= 0)
    if hasattr(estimator, "classes_") and estimator.reject is None:
        least = estimator.classes_[found["energies"].argmin(axis=1)]
        assert_array_equal(found["predict"], least)
    if "quantiles" in found:
        check_distribution(case, estimator, new, found)


def check_distribution(case, estimator, new, found):
    """Quantiles rise, cdf and density belong together, intervals hold what they should."""
    assert (np.diff(found["quantiles"], axis=1) >= 0).all(), "quantiles not sorted"
    for name in ("interval", "shortest"):
        assert (np.diff(found[name], axis=1) >= 0).all(), f"{name} with ends in disorder"
    widths = [np.diff(found[name], axis=1) for name in ("shortest", "interval")]
    assert (widths[0] <= widths[1] * (1 + 1e-3) + 1e-300).all(), "shortest longer than another"
    low, high = found["quantiles"][:, [0]], found["quantiles"][:, [3]]
    y = np.linspace(0, 1, 9) * (high / 2 - low / 2) * 2 + low
    ys = np.column_stack([2 * low - high, y, 2 * high - low])
    cdf = np.column_stack([quietly(estimator.cdf, new, column) for column in ys.T])
    assert ((cdf >= 0) & (cdf <= 1)).all(), f"cdf outside of [0, 1]: {cdf}"
    assert (np.diff(cdf, axis=1) >= -1e-9).all(), f"cdf falls: {cdf}"
    for level, quantile in zip([0.01, 0.3, 0.5, 0.99], found["quantiles"].T, strict=True):
        at = quietly(estimator.cdf, new, quantile)
        below = quietly(estimator.cdf, new, np.nextafter(quantile, -np.inf))
        assert (at >= level - 1e-4).all(), f"cdf of the quantile {level}: {at}"
        if not len(estimator.atoms_[0]) and estimator.atoms is False:
            assert (below <= level + 1e-4).all(), f"cdf below the quantile {level}: {below}"
    for column in ys.T:
        scores = quietly(estimator.crps, new, column)
        assert (np.isfinite(scores) & (scores >= 0)).all(), f"crps {scores}"
        assert not np.isnan(quietly(estimator.log_prob, new, column)).any(), "log_prob NaN"


def law_rows_are_answered_on_their_own(case, estimator, new):
    whole = answers(estimator, new)
    for rows in ([0], [5, 2], np.arange(len(case.new))[::-1]):
        part = answers(estimator, case.fill(case.new[rows]))
        for name, values in whole.items():
            expected = values[rows]
            if values.dtype.kind == "f":
                assert_allclose(part[name], expected, rtol=ROUNDING, atol=1e-12, err_msg=name)


def law_predicting_writes_nothing(case, estimator, new):
    before = state(estimator)
    answers(estimator, new)
    assert state(estimator) == before


def state(estimator):
    """A hash of all that an estimator holds."""
    if re.search("KernelDensity|KNeighbors|[Nn]eighbors", repr(vars(estimator))):
        return None  # scikit-learn's search trees count their calls
    return joblib.hash(vars(estimator))


def law_pickles_answer_the_same(case, estimator, new):
    again = answers(pickle.loads(pickle.dumps(estimator)), new)
    for name, values in answers(estimator, new).items():
        assert_array_equal(again[name], values, err_msg=name)


def law_the_same_seed_gives_the_same_fit(case, estimator, new):
    expected = answers(estimator, new)
    other = situation(case.number + 4 * 10**6)
    for again in (fitted(case), _refitted(estimator, other, case)):
        for name, values in answers(again, new).items():
            assert_array_equal(values, expected[name], err_msg=name)


def _refitted(estimator, other, case):
    """Fitted to something else in between, if that is possible, and then again."""
    again = pickle.loads(pickle.dumps(estimator))
    with suppress(ValueError, TypeError):
        quietly(again.fit, other.X, *(() if other.y is None else (other.y,)))
    y = () if case.y is None else (case.y,)
    return quietly(again.fit, case.fill(case.X), *y, **case.others)


def law_a_failed_fit_loses_nothing(case, estimator, new):
    before, expected = state(estimator), answers(estimator, new)
    for name, spoil in SPOILS.items():
        X, y, others, _ = spoil(case)
        if name == "NaN in X" and _judges_missing_values(estimator):
            continue
        with pytest.raises((ValueError, TypeError)):
            quietly(estimator.fit, X, *(() if y is None else (y,)), **others)
        assert state(estimator) == before
    for name, values in answers(estimator, new).items():
        assert_array_equal(values, expected[name], err_msg=name)


def law_refusals_come_before_any_work(case, estimator, new):
    for name, spoil in SPOILS.items():
        X, y, others, word = spoil(case)
        if name == "NaN in X" and _judges_missing_values(estimator):
            continue
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(EnergyEstimator, "_reporting", _begins)
            with pytest.raises((ValueError, TypeError)) as refusal:
                quietly(clone(estimator).fit, X, *(() if y is None else (y,)), **others)
        assert re.search(rf"\b{word}\b", str(refusal.value)), f"{name}: {refusal.value}"


def _judges_missing_values(estimator):
    """Whether it takes them, or leaves that to estimators that are given."""
    if estimator._resolved_energy().raw or getattr(estimator, "_given_estimators", []):
        return True
    return estimator.__sklearn_tags__().input_tags.allow_nan


def _begins(*args):
    raise AssertionError("The work began before what is wrong was found.")


def _with(value):
    def spoil(case):
        X = case.X.copy()
        X[0, -1] = value
        return X, case.y, case.others, "X"

    return spoil


SPOILS = {
    "NaN in X": _with(np.nan),
    "infinity in X": _with(np.inf),
    "no rows": lambda case: (case.X[:0], case.y, {}, "samples?|X|rows?"),
    "one dimension": lambda case: (case.X[:, 0], case.y, case.others, "array|X"),
    "NaN in weights": lambda case: (
        case.X,
        case.y,
        case.others | {"sample_weight": np.where(np.arange(len(case.X)) == 0, np.nan, 1.0)},
        "sample_weight",
    ),
    "negative weights": lambda case: (
        case.X,
        case.y,
        case.others | {"sample_weight": np.where(np.arange(len(case.X)) == 0, -1.0, 1.0)},
        "sample_weight",
    ),
    "too many weights": lambda case: (
        case.X,
        case.y,
        case.others | {"sample_weight": np.ones(len(case.X) + 1)},
        "sample_weight",
    ),
}


def law_containers_say_the_same(case, estimator, new):
    if case.fill is single or sparse.issparse(new):
        return  # sums in another precision or order
    plain = answers(fitted(case, X=np.array(case.X)), np.array(case.new))
    assert_same(plain, answers(estimator, new))


def law_names_of_classes_and_queries_do_not_matter(case, estimator, new):
    y, others = case.y, {}
    if case.number % 4 == 0:
        y = np.char.add(
            "k", np.char.zfill(np.unique(case.y, return_inverse=True)[1].astype(str), 4)
        )
        settings = {"reject_label": "none"} if estimator.reject is not None else {}
    elif "groups" in case.others:
        codes = np.unique(case.others["groups"], return_inverse=True)[1]
        settings, others = {}, {"groups": 7.5 * codes - 3}
    else:
        return
    renamed = fitted(case, clone(case.estimator).set_params(**settings), y=y, **others)
    expected = answers(estimator, new)
    for name, values in answers(renamed, new).items():
        if values.dtype.kind == "f":
            assert_array_equal(values, expected[name], err_msg=name)


def steady(case):
    """A convex problem on the same rows, with one optimum that tol determines, or None."""
    if case.number % 4 > 1 or case.extreme:
        return None
    alpha = [0.001, 0.1, 1.0][case.number // 4 % 3]
    settings = {"alpha": alpha, "beta": 1.0, "l1_ratio": 0.0, "cv": None, "max_iter": 1000}
    if case.number % 4 == 0:
        settings |= {"reject": None, "calibrate": False, "class_weight": None}
        losses = ("nll", "hinge", "log", "square_square")
    else:
        settings |= {"normalize": None}
        losses = ("nll", "pairwise_log", "pairwise_hinge", "nll")
    loss = losses[case.number // 12 % 4]
    return clone(case.estimator).set_params(energy="linear", loss=loss, **settings)


def _convex_and_changed(case, X, y=None, **others):
    """Two fits to the same problem, told otherwise; or None."""
    model = steady(case)
    if model is None:
        return None
    one = fitted(case, model, X=np.array(case.X))
    return one, fitted(case, model, X=X, y=y, **others)


def least_objective(model):
    """Where the iterations ended; none are needed where the start is the optimum."""
    return model.loss_curve_[-1] if len(model.loss_curve_) else 0.0


def slack(model, smooth):
    """How far apart the objectives of two fits may be: ``smooth`` where Newton's method fits it."""
    return smooth if model.loss == "nll" else KINKED


def assert_optima_agree(one, other, case, new=None):
    values = [least_objective(model) for model in (one, other)]
    assert_allclose(values[1], values[0], rtol=1e-4, atol=slack(one, 1e-6), err_msg="objective")
    if one.loss != "nll":
        return
    expected = one.predict_proba(case.X)
    found = other.predict_proba(case.X if new is None else new)
    assert_allclose(found, expected, atol=TOLERANCE)


def law_order_of_rows_does_not_matter(case, estimator, new):
    order = np.random.RandomState(case.number).permutation(len(case.X))
    others = {name: np.asarray(value)[order] for name, value in case.others.items()}
    pair = _convex_and_changed(
        case, case.X[order], case.y if case.y is None else case.y[order], **others
    )
    if pair:
        assert_optima_agree(*pair, case)


def law_a_row_of_weight_two_is_two_rows(case, estimator, new):
    model, copies = steady(case), 1 + np.arange(len(case.X)) % 3
    if model is None or case.number % 4 == 1:
        return  # of rankers: the weight of a query is the mean of its rows
    rows = np.repeat(np.arange(len(case.X)), copies)
    others = {n: np.asarray(v)[rows] for n, v in case.others.items() if n != "sample_weight"}
    plain = case._replace(others={n: v for n, v in case.others.items() if n != "sample_weight"})
    weighted = fitted(plain, model, X=np.array(case.X), sample_weight=copies.astype(float))
    repeated = fitted(plain, model, X=case.X[rows], y=case.y[rows], **others)
    assert_optima_agree(weighted, repeated, case)


def law_redundant_columns_never_raise_the_least_objective(case, estimator, new):
    add = [np.full(len(case.X), 3.3), case.X[:, 0], case.X.sum(axis=1)][case.number // 4 % 3]
    pair = _convex_and_changed(case, np.column_stack([case.X, add]))
    if pair:
        before, after = map(least_objective, pair)
        most = before * (1 + 1e-5) + slack(pair[0], 1e-7)
        assert after <= most, f"objective {before} became {after}"


def law_threads_and_processes_change_nothing(case, estimator, new):
    expected = answers(estimator, new)
    with joblib.parallel_backend("threading"):
        again = fitted(case, clone(case.estimator).set_params(n_jobs=2))
    for name, values in answers(again, new).items():
        assert_array_equal(values, expected[name], err_msg=name)


def law_units_of_y_only_scale_the_density(case, estimator, new):
    if case.number % 4 != 3 or not estimator.conditional or case.extreme or case.y.ndim > 1:
        return
    if estimator.base is not None:
        return  # the prior of a Gaussian process has the unit of y
    scaled = fitted(case, y=case.y * 1024.0)
    found = [quietly(model.predict_quantile, new, [0.1, 0.5]) for model in (estimator, scaled)]
    scale = np.abs(found[0]).max()
    assert_allclose(found[1] / 1024, found[0], rtol=1e-3, atol=1e-3 * scale)


def law_units_of_columns_do_not_matter_where_columns_are_standardised(case, estimator, new):
    if case.number % 4 != 2 or case.extreme or not isinstance(estimator.energy, str):
        return
    if estimator.energy == "linear":
        return  # its penalty is that of LogisticRegression, on columns as they are
    if len(np.unique(case.X, axis=0)) < 3:
        return  # folds whose rows are all one give columns no scale
    units = 2.0 ** (np.arange(case.X.shape[1]) % 7 - 3)
    plain, scaled = fitted(case, X=np.array(case.X)), fitted(case, X=case.X * units)
    assert_same(answers(plain, case.new), answers(scaled, case.new * units), 1e-4)


LAWS = {name[4:]: law for name, law in list(globals().items()) if name.startswith("law_")}


def pytest_generate_tests(metafunc):
    if "law" in metafunc.fixturenames:
        options = (metafunc.config.getoption(name) for name in ("first", "examples", "step"))
        first, examples, step = options
        names, numbers = list(LAWS), range(first, first + examples * step, step)
        pairs = [(names[n // 4 % len(names)], n) for n in numbers]
        metafunc.parametrize("law, number", pairs)


def test_laws(law, number):
    """Every situation is fitted and answers sanely; each tries one law more."""
    case = situation(number)
    try:
        estimator, new = fitted(case), case.fill(case.new)
        law_answers_are_sane(case, estimator, new)
        LAWS[law](case, estimator, new)
    except Refused as refusal:
        print("refused:", refusal)
    except BaseException as error:
        error.add_note(f"{case}\nLaw: {law}")
        raise


# ---- guarantees, on rows that are exchangeable


def exchangeable(rng, n_rows, n_columns):
    """Skewed rows, half of them for training."""
    rows = rng.exponential(size=(2 * n_rows, n_columns))
    return rows[:n_rows], rows[n_rows:]


def assert_at_most(rates, promised, n_rows):
    """Rates of several fits, each of as many calibration rows as new ones, do not exceed it."""
    error = np.sqrt(2 * promised * (1 - promised) / n_rows / len(rates))
    assert np.mean(rates) < promised + 4 * error


@pytest.mark.parametrize("shape", [(40, 1), (200, 2), (60, 60), (150, 600)], ids=str)
@pytest.mark.parametrize("energy", ["auto", "gaussian", ["neighbors", "marginal"]], ids=str)
def test_new_rows_raise_no_more_false_alarms_than_promised(shape, energy):
    rates, rates_of_p = [], []
    for seed in range(6 if shape[1] < 100 else 2):
        X, new = exchangeable(np.random.RandomState(seed), *shape)
        detector = EnergyDetector(energy, novelty=True, random_state=0).fit(X)
        rates.append(np.mean(detector.predict(new) == -1))
        rates_of_p.append(np.mean(detector.p_values(new) <= 0.05))
    assert_at_most(rates, 0.05, len(X))
    assert_at_most(rates_of_p, 0.05, len(X))


@pytest.mark.parametrize("shape", [(60, 1), (60, 20), (60, 200)], ids=str)
@pytest.mark.parametrize("calibrate", [True, False])
def test_sets_and_intervals_cover_new_rows(shape, calibrate):
    """Prediction sets by approximate leave-one-out, and by `conformalize`, as intervals."""
    missed = []
    for seed in range(6):
        rng = np.random.RandomState(seed)
        X, new = exchangeable(rng, 2 * shape[0], shape[1])
        signals = [rows[:, 0] + rng.standard_normal(len(rows)) for rows in (X, new)]
        y, new_y = (np.digitize(signal, [0.0, 1.0]) for signal in signals)
        classifier = EnergyClassifier(calibrate=calibrate)
        if calibrate:
            classifier.fit(X, y)
        else:
            half = len(X) // 2
            classifier.fit(X[:half], y[:half]).conformalize(X[half:], y[half:])
            density = EnergyDensityEstimator("linear", location=Ridge(), alpha=0.1)
            density.fit(X[:half], signals[0][:half]).conformalize(X[half:], signals[0][half:])
            low, high = density.predict_interval(new, 0.8).T
            missed.append(np.mean((signals[1] < low) | (signals[1] > high)))
        sets = classifier.predict_set(new, 0.8)
        missed.append(1 - np.mean(sets[np.arange(len(new)), new_y]))
    assert_at_most(missed, 0.2, shape[0])
