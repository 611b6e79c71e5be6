"""Random situations: an estimator and data that someone might give it, drawn from a number.

The same number always gives the same situation, so that a law that fails can be tried again.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import polars as pl
from scipy import sparse
from sklearn.ensemble import IsolationForest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity, KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector, EnergyRanker
from sk_ebm.energies import (
    BilinearEnergy,
    ForestEnergy,
    KernelEnergy,
    LinearEnergy,
    MLPEnergy,
    PrototypeEnergy,
    SumEnergy,
    TreesEnergy,
)
from sk_ebm.losses._registry import GRADED_LOSSES, LOSSES
from sk_ebm.thresholds import FalseAlarm, Level


class Situation(NamedTuple):
    """What is fitted, on what, and new rows.

    Attributes
    ----------
    X, new : ndarray of shape (n_rows, n_columns)
        Not to be written on. Training rows as float64, before `fill` puts them into a container.
    y : ndarray, or None
    others : dict
        Further arguments of ``fit``: weights, groups.
    fill : callable
        From an array of rows to what an estimator is given.
    extreme : bool
        Whether the scales of columns or of y are beyond what squares can hold.
    """

    number: int
    estimator: object
    X: np.ndarray
    y: np.ndarray | None
    others: dict
    new: np.ndarray
    fill: object
    extreme: bool

    def __str__(self):
        shapes = {name: np.shape(value) for name, value in self.others.items()}
        y = None if self.y is None else f"{len(np.unique(self.y))} values of y ({self.y.dtype})"
        container = getattr(self.fill, "__name__", "") or self.fill.keywords
        return (
            f"situation {self.number}: {self.estimator!r} on {self.X.shape} rows as {container}, "
            f"{y}, {shapes}{', extreme' if self.extreme else ''}"
        )


def situation(number):
    """The situation of this number."""
    rng = np.random.RandomState(number)
    kind = ("classes", "items", "inputs", "values")[number % 4]
    few, some, many = rng.randint(1, 8), rng.randint(8, 25), rng.randint(25, 61)
    n_rows = int(rng.choice([few, some, many], p=[0.2, 0.3, 0.5]))
    n_columns = int(rng.choice([1, rng.randint(1, 6), rng.randint(1, 31)], p=[0.2, 0.5, 0.3]))
    extreme = rng.uniform() < 0.15
    table = _table(rng, n_rows + 8, n_columns, extreme)
    X, new = table[:n_rows], _new_rows(rng, table, n_rows, extreme)
    estimator, y, others = _PROBLEMS[kind](rng, X, extreme)
    if rng.uniform() < {"classes": 0.5, "items": 0.5, "inputs": 0.2, "values": 0.3}[kind]:
        others["sample_weight"] = _weights(rng, n_rows)
    takes_sparse = estimator.__sklearn_tags__().input_tags.sparse
    fill = _container(rng, takes_sparse and not getattr(estimator, "normalize", None))
    for array in (X, new, y, *others.values()):
        if array is not None:
            array.setflags(write=False)
    return Situation(number, estimator, X, y, others, new, fill, extreme)


def pick(rng, *options):
    """One of the options."""
    return options[rng.randint(len(options))]


def _table(rng, n_rows, n_columns, extreme):
    """Columns of many kinds; a constant, or a copy of an earlier one, among them."""
    table = np.empty((n_rows, n_columns))
    plain = rng.uniform() < 0.4
    for j in range(n_columns):
        draw = _COLUMNS["normal"] if plain else _COLUMNS[pick(rng, *_COLUMNS)]
        table[:, j] = draw(rng, n_rows, table[:, :j])
    if extreme:
        with np.errstate(over="ignore", under="ignore"):
            table *= 10.0 ** pick(rng, -300, -150, -20, 20, 100, 155, 200, 290)
        table = table.clip(-1e300, 1e300)
    return table


_COLUMNS = {
    "normal": lambda rng, n, _: rng.standard_normal(n),
    "integers": lambda rng, n, _: rng.randint(4, size=n),
    "two values": lambda rng, n, _: rng.randint(2, size=n),
    "counts": lambda rng, n, _: rng.poisson(0.5, size=n),
    "lognormal": lambda rng, n, _: rng.lognormal(sigma=2, size=n),
    "heavy": lambda rng, n, _: rng.standard_cauchy(n).clip(-1e6, 1e6),
    "constant": lambda rng, n, _: np.full(n, pick(rng, 0.0, 1.0, 3.3, -1e8)),
    "far": lambda rng, n, _: 1e8 + rng.standard_normal(n),
    "scaled": lambda rng, n, _: 10.0 ** rng.randint(-9, 10) * rng.standard_normal(n),
    "copy": lambda rng, n, others: others[:, -1] if others.shape[1] else rng.uniform(size=n),
    "sum": lambda rng, n, others: others.sum(axis=1) + 1,
}


def _new_rows(rng, table, n_rows, extreme):
    """Eight new rows: of the same kind, training rows, or far away."""
    new = table[n_rows:].copy()
    new[:2] = table[rng.randint(n_rows, size=2)]
    with np.errstate(over="ignore"):
        new[2:4] *= pick(rng, 1e100, 1e160) if extreme else pick(rng, 1.0, 10.0, 1e3, 1e6)
    return new.clip(-1e300, 1e300)


def _weights(rng, n_rows):
    kind = pick(rng, "uniform", "integers", "tiny", "large", "one row")
    if kind == "one row":
        return np.where(np.arange(n_rows) == rng.randint(n_rows), 1.0, 1e-9)
    weights = {
        "uniform": rng.uniform(0.1, 2, size=n_rows),
        "integers": rng.randint(0, 4, size=n_rows).astype(float),
        "tiny": rng.uniform(size=n_rows) * 10.0 ** pick(rng, -300, -30, -8),
        "large": rng.uniform(size=n_rows) * 10.0 ** pick(rng, 8, 30, 200),
    }[kind]
    return weights


def _container(rng, takes_sparse):
    fills = [np.array, np.array, np.asfortranarray, np.ndarray.tolist, *_FRAMES, single]
    return pick(rng, *fills, *((sparse.csr_array, sparse.csr_matrix) if takes_sparse else ()))


def single(X):
    """In single precision."""
    return X.clip(-1e38, 1e38).astype(np.float32)


def _named(X):
    return [f"column {j}" for j in range(X.shape[1])]


def pandas(X):
    """A frame of pandas."""
    return pd.DataFrame(X.copy(), columns=_named(X))


def polars(X):
    """A frame of polars."""
    return pl.DataFrame(X.copy(), schema=_named(X))


_FRAMES = (pandas, polars)


def _signal(rng, X):
    """A number for each row that depends on some columns, and noise."""
    scale = np.abs(X).max(axis=0, initial=1e-300)
    worth = (X / scale) @ rng.standard_normal(X.shape[1])
    return worth + pick(rng, 0.0, 0.3, 1.0) * rng.standard_normal(len(X))


def _settings(rng):
    """Those that all estimators share; most of them as they are."""
    settings = {"random_state": int(rng.randint(1000))}
    for name, options in {
        "alpha": (0.0, 1e-6, 0.1, 10.0),
        "beta": (0.5, 1.0),
        "l1_ratio": (0.5, 1.0),
        "cv": (2, 3),
        "max_iter": (1, 20),
    }.items():
        if rng.uniform() < 0.2:
            settings[name] = pick(rng, *options)
    return settings


def _trained(rng):
    """An energy that is trained, quick to fit."""
    return pick(
        rng,
        "linear",
        "linear",
        "kernel",
        KernelEnergy("fourier", n_components=20),
        KernelEnergy(n_components=5),
        MLPEnergy((8,), n_epochs=20),
        MLPEnergy((5, 4), "tanh", n_epochs=10, early_stopping=False),
        TreesEnergy(10),
        TreesEnergy(5, min_samples_leaf=2, early_stopping=False),
    )


def _classes(rng, X, extreme):
    n_classes = int(pick(rng, 2, 2, 3, rng.randint(2, 30)))
    if rng.uniform() < 0.8:
        edges = np.sort(rng.uniform(size=n_classes - 1))
        signal = _signal(rng, X)
        codes = np.searchsorted(np.quantile(signal, edges), signal)
    else:
        codes = rng.randint(n_classes, size=len(X))
    names = pick(rng, _integers, _negative, _strings, _objects, _truths, _floats)
    energy = pick(
        rng,
        _trained(rng),
        _trained(rng),
        pick(rng, "prototype", PrototypeEnergy(2, latent="min"), "embedding", "embedding"),
        _class_expert(rng),
        [_trained(rng), _class_expert(rng)],
        [("first", "linear"), ("second", _trained(rng))],
        SumEnergy([_class_expert(rng), LinearEnergy()], "residual"),
    )
    options = {
        "class_weight": ("balanced",),
        "calibrate": (True,),
        "reject": ("contamination", "mixture", FalseAlarm(0.2), Level(1.0)),
    }
    settings = _settings(rng) | _few(rng, options)
    loss = pick(rng, "nll", *(name for name in LOSSES if name != "energy"))
    y = names(codes)
    if settings.get("reject") is not None and y.dtype.kind in "UO":
        settings["reject_label"] = "none"
    elif settings.get("reject") is not None:
        settings["reject_label"] = 99
    return EnergyClassifier(energy, loss, **settings), y, {}


def _few(rng, options):
    """Each option with a probability of a sixth, else its default."""
    return {n: pick(rng, *values) for n, values in options.items() if rng.uniform() < 1 / 6}


def _class_expert(rng):
    return pick(
        rng,
        LogisticRegression(max_iter=10_000),
        GaussianNB(),
        DecisionTreeClassifier(random_state=0),
        KNeighborsClassifier(2),
        KernelDensity(),
    )


def _integers(codes):
    return codes.astype(np.int32)


def _negative(codes):
    return codes - 2


def _strings(codes):
    return np.char.add("class ", np.char.zfill(codes.astype(str), 3))


def _objects(codes):
    return _strings(codes).astype(object)


def _truths(codes):
    return codes > 0


def _floats(codes):
    return codes.astype(float)


def _items(rng, X, extreme):
    signal = _signal(rng, X)
    grades = np.searchsorted(np.quantile(signal, np.sort(rng.uniform(size=3))), signal)
    y = pick(rng, grades, grades > 1, grades + 1, grades / 3, np.exp(signal.clip(-5, 5)))
    groups = np.sort(rng.randint(rng.randint(1, len(X) + 1), size=len(X)))
    groups = pick(rng, groups, rng.permutation(groups), _strings(groups), np.zeros_like(groups))
    energy = pick(
        rng,
        _trained(rng),
        _trained(rng),
        LinearRegression(),
        DecisionTreeRegressor(max_depth=3, random_state=0),
        ["linear", _trained(rng)],
        SumEnergy(["linear", TreesEnergy(5)], "residual"),
        BilinearEnergy([0]),
    )
    options = {"gain": ("linear",), "normalize": ("query",), "k": (1, None), "empty": (0, 1)}
    loss = pick(rng, *(name for name in GRADED_LOSSES if name != "energy"))
    return (
        EnergyRanker(energy, loss, **_settings(rng), **_few(rng, options)),
        np.array(y, dtype=float),
        {"groups": groups},
    )


def _inputs(rng, X, extreme):
    quick = [
        "gaussian",
        "mixture",
        "neighbors",
        "marginal",
        ForestEnergy(10),
        IsolationForest(n_estimators=5),
        GaussianMixture(),
        KernelDensity(),
    ]
    options = {
        "threshold": ("contamination", "mixture", Level(1.0), FalseAlarm(0.2), np.median),
        "calibration": ("split",),
    }
    settings = {k: v for k, v in _settings(rng).items() if k not in ("alpha", "l1_ratio")}
    settings |= _few(rng, options)
    energy = pick(rng, *quick, [pick(rng, *quick), pick(rng, *quick)])
    if rng.uniform() < 0.2:
        y = np.where(_signal(rng, X) > 1, -1, 1)
        energy = pick(rng, energy, "linear", [energy, "linear"], TreesEnergy(5), GaussianNB())
        settings["threshold"] = pick(rng, "f_score", "cost", "contamination")
        return EnergyDetector(energy, labels="anomaly", **settings), y, {}
    if rng.uniform() < 0.1:
        energy, settings["novelty"] = "auto", pick(rng, True, False)
    return EnergyDetector(energy, **settings), None, {}


def _values(rng, X, extreme):
    if rng.uniform() < 0.15:
        energy = pick(rng, "linear", "kernel")
        atoms = pick(rng, "auto", False)
        settings = _settings(rng) | {"atoms": atoms}
        return EnergyDensityEstimator(energy, conditional=False, **settings), None, {}
    signal = _signal(rng, X)
    y = pick(
        rng,
        signal,
        signal,
        np.exp(signal.clip(-10, 10)),
        np.round(signal),
        np.round(signal, 1),
        (signal > np.median(signal)).astype(float),
        np.where(signal > 0, signal, 0.0),
        rng.standard_cauchy(len(X)),
        1e8 + signal,
        np.abs(signal) ** 5 * np.sign(signal),
    )
    y = y * 10.0 ** pick(rng, *([-200, -20, 20, 140] if extreme else [0, 0, 0, -3, 4]))
    if rng.uniform() < 0.15:
        y = np.column_stack([y, _signal(rng, X)])
    options = {
        "power": (None, 0.5, 0),
        "atoms": (False,),
        "point": ("median", "mode"),
        "n_basis": (1, 4),
        "base": (GaussianProcessRegressor(alpha=1.0, optimizer=None),),
    }
    location = pick(
        rng,
        LinearRegression(),
        LinearRegression(),
        None,
        [LinearRegression(), DecisionTreeRegressor(max_depth=3)],
    )
    settings = {"location": location} | _settings(rng) | _few(rng, options)
    if "base" in settings:
        settings |= {"location": "auto", "power": "auto"}
    return EnergyDensityEstimator(_trained(rng), **settings), y, {}


_PROBLEMS = {"classes": _classes, "items": _items, "inputs": _inputs, "values": _values}
