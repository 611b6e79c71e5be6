"""Tables of mixed columns as they come: our estimators, the same behind skrub, and the peers.

    python docs/benchmarks/tables.py [--data DIR] [--part PART] [--sets a,b] [--gaps 0.2]

Every set is made a table of numbers and categories: columns of at most 30 values are named, so are
fifths of every second other column, and a share of all values is removed. "skrub" is the same
estimator behind its TableVectorizer. Each part prints, of each set and in the mean: "classifier"
the log-loss, "density" NLL and CRPS, "detector" the AUC, and "cost" the share of the encoding in
a fit and how much longer the prediction of one row takes than that of an array.
"""

import argparse
import statistics
import sys
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.ensemble import IsolationForest
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector

POOL = ["linear", "kernel", "trees"]
FEW_VALUES, MOST_ROWS = 30, 2000
CLASSIFICATION = "breast_cancer", "iris", "krkopt", "segment", "higgs7500", "wine"
REGRESSION = "abalone", "autompg", "autos", "bostonHousing", "energy", "forest", "machine", "servo"
DETECTION = "cardio", "cardiotocography", "pima", "breastw", "wbc", "spambase"


def as_table(X, rng, gaps):
    """A frame of numbers and categories, a share of whose values is missing."""
    X = X[:, X.min(axis=0) < X.max(axis=0)]
    columns, n_others = {}, 0
    for j, x in enumerate(X.T):
        values = np.unique(x)
        few = len(values) <= FEW_VALUES
        n_others += not few
        if few or n_others % 2:
            levels = np.searchsorted(values, x) if few else fifths(x)
            x = np.char.add(f"level {j} of ", levels.astype(str)).astype(object)
        columns[f"column {j}"] = x
    frame = pd.DataFrame(columns)
    return frame.mask(rng.random(frame.shape) < gaps)


def fifths(x):
    return np.searchsorted(np.quantile(x, [0.2, 0.4, 0.6, 0.8]), x)


def shop(n=1500):
    """A generated table with names, dates, truth values and text: its classes and its amounts."""
    rng = np.random.default_rng(0)
    city = rng.choice(
        ["Berlin", "Rome", "Vienna", "Bern", "Oslo"], n, p=[0.4, 0.3, 0.15, 0.1, 0.05]
    )
    day = np.datetime64("2024-01-01") + rng.integers(0, 700, n).astype("timedelta64[D]")
    weekend = ((day - np.datetime64("2024-01-01")).astype(int) % 7) >= 5
    makers = np.array(["Northwind", "Contoso", "Fabrikam", "Tailspin"])[rng.integers(0, 4, n)]
    goods = np.array(["bicycle", "kettle", "lamp", "chair", "notebook"])[rng.integers(0, 5, n)]
    sizes = rng.integers(1, 200, n)
    text = [f"{g} {m} model {s}" for g, m, s in zip(goods, makers, sizes, strict=True)]
    member, price = rng.random(n) < 0.4, np.exp(rng.normal(3, 1, n))
    value = (
        np.log(price)
        + (city == "Berlin")
        - (city == "Oslo")
        + weekend
        + 1.5 * (goods == "bicycle")
        - (makers == "Tailspin")
        + 0.5 * member * (goods == "lamp")
    )
    amount = value + (0.3 + 0.5 * (city == "Rome")) * rng.standard_normal(n)
    bought = (value + rng.logistic(size=n) > 4).astype(int)
    frame = pd.DataFrame(
        {"city": city, "day": day, "article": text, "member": member, "price": price}
    )
    return frame.mask(rng.random(frame.shape) < 0.05), bought, amount


def sets_of(group, names, data, gaps):
    """(name, frame, y) of the sets of one kind of answers."""
    bundled = {
        "classification": {"breast": load_breast_cancer, "wine": load_wine, "iris": load_iris},
        "regression": {"diabetes": load_diabetes},
        "detection": {"breast": load_breast_cancer, "wine": load_wine},
    }[group]
    for name, loader in bundled.items():
        X, y = loader(return_X_y=True)
        if group == "detection":
            y = (y == 0).astype(int)
        yield name, as_table(X, np.random.default_rng(0), gaps), y
    frame, bought, amount = shop()
    if group != "detection":
        yield "shop", frame, bought if group == "classification" else amount
    if data is None:
        return
    sys.path.insert(0, data)
    from load import load

    for name in names:
        found = load(group, name)
        rows = np.random.default_rng(0).permutation(len(found.y))[:MOST_ROWS]
        yield name, as_table(found.X[rows], np.random.default_rng(0), gaps), found.y[rows]


def behind_skrub(model):
    from skrub import TableVectorizer

    return make_pipeline(TableVectorizer(), model)


def with_categories(X):
    """The frame as LightGBM and CatBoost want it."""
    texts = {name: "category" for name in X if X[name].dtype == object}
    times = {name: X[name].astype("int64") for name in X if X[name].dtype.kind == "M"}
    return X.astype(texts).assign(**times)


class LightGBM:
    def fit(self, X, y):
        from lightgbm import LGBMClassifier

        X = with_categories(X)
        self.levels = {n: X[n].cat.categories for n in X if X[n].dtype == "category"}
        self.model = LGBMClassifier(verbose=-1, n_jobs=1).fit(X, y)
        return self

    def predict_proba(self, X):
        X = with_categories(X)
        known = {n: pd.Categorical(X[n], levels) for n, levels in self.levels.items()}
        return self.model.predict_proba(X.assign(**known))


class CatBoost:
    def fit(self, X, y):
        from catboost import CatBoostClassifier

        X = self._read(X)
        texts = [name for name in X if X[name].dtype == object]
        few = np.bincount(y).min() < 10
        parts = train_test_split(X, y, test_size=0.15, random_state=0, stratify=None if few else y)
        self.model = CatBoostClassifier(
            verbose=0, thread_count=1, cat_features=texts, random_state=0, allow_writing_files=False
        )
        self.model.fit(parts[0], parts[2], eval_set=(parts[1], parts[3]), early_stopping_rounds=30)
        return self

    @staticmethod
    def _read(X):
        texts = {n: X[n].fillna("missing").astype(str) for n in X if X[n].dtype == object}
        times = {n: X[n].astype("int64") for n in X if X[n].dtype.kind == "M"}
        return X.assign(**texts, **times)

    def predict_proba(self, X):
        return self.model.predict_proba(self._read(X))


def classifier_part(arguments):
    models = {
        "pool": lambda: EnergyClassifier(POOL, random_state=0),
        "skrub pool": lambda: behind_skrub(EnergyClassifier(POOL, random_state=0)),
        "trees": lambda: EnergyClassifier("trees", random_state=0),
        "skrub trees": lambda: behind_skrub(EnergyClassifier("trees", random_state=0)),
        "LightGBM": LightGBM,
        "CatBoost": CatBoost,
    }

    def figures(model, X_train, X_test, y_train, y_test):
        p = model.fit(X_train, y_train).predict_proba(X_test)
        return {"log-loss": log_loss(y_test, p, labels=np.unique(y_train))}

    report("classification", CLASSIFICATION, models, figures, arguments)


def density_part(arguments):
    models = {
        "density": lambda: EnergyDensityEstimator(random_state=0),
        "skrub": lambda: behind_skrub(EnergyDensityEstimator(random_state=0)),
    }

    def figures(model, X_train, X_test, y_train, y_test):
        model.fit(X_train, y_train)
        last = model
        if hasattr(model, "steps"):
            X_test, last = model[:-1].transform(X_test), model[-1]
        return {
            "NLL": -last.score(X_test, y_test),
            "CRPS": float(np.mean(last.crps(X_test, y_test))) / np.std(y_train),
        }

    report("regression", REGRESSION, models, figures, arguments)


def detector_part(arguments):
    models = {
        "detector": lambda: EnergyDetector(random_state=0),
        "skrub": lambda: behind_skrub(EnergyDetector(random_state=0)),
        "forest": lambda: behind_skrub(IsolationForest(random_state=0)),
    }

    def figures(model, X_train, X_test, y_train, y_test):
        scores = model.fit(X_train).decision_function(X_test)
        return {"AUC": roc_auc_score(y_test == 1, -scores)}

    report("detection", DETECTION, models, figures, arguments)


def cost_part(arguments):
    from sk_ebm._tables import numbers, schema

    print("\n## cost: CPU seconds of a fit, share of the encoding, one row in ms: frame, array")
    for name, X, y in sets_of("classification", CLASSIFICATION, arguments.data, arguments.gaps):
        seconds = {"all": 0.0}
        watched = [
            (numbers.TableNumbers, "fit_transform"),
            (numbers.TableNumbers, "transform"),
            (schema.Schema, "values_of"),
            (schema.Schema, "of"),
        ]
        kept = [(owner, method, vars(owner)[method]) for owner, method in watched]
        for owner, method, function in kept:
            setattr(owner, method, timed(function, seconds))
        start = time.process_time()
        model = EnergyClassifier(POOL, random_state=0).fit(X, y)
        total = time.process_time() - start
        for owner, method, function in kept:
            setattr(owner, method, function)
        plain = np.nan_to_num(model._validated(model.energy_, X, reset=False).values)
        by_array = EnergyClassifier(POOL, random_state=0).fit(plain, y)
        rows = one_row(model, X.iloc[:1]), one_row(by_array, plain[:1])
        share = 100 * seconds["all"] / total
        print(f"{name:16}{total:8.2f}{share:6.1f} %{1e3 * rows[0]:8.2f}{1e3 * rows[1]:8.2f}")


def timed(function, seconds):
    """The function, which adds the CPU seconds of outermost calls."""
    inner = getattr(function, "__func__", function)

    def call(*args, **kwargs):
        if seconds.get("inside"):
            return inner(*args, **kwargs)
        seconds["inside"], start = True, time.process_time()
        try:
            return inner(*args, **kwargs)
        finally:
            seconds["all"] += time.process_time() - start
            seconds["inside"] = False

    return classmethod(call) if isinstance(function, classmethod) else call


def one_row(model, row):
    times = []
    for _ in range(30):
        start = time.process_time()
        model.predict_proba(row)
        times.append(time.process_time() - start)
    return statistics.median(times)


def report(group, names, models, figures, arguments):
    """A line of each set, and the means."""
    rows, head = [], None
    for name, X, y in sets_of(group, names, arguments.data, arguments.gaps):
        if arguments.sets and name not in arguments.sets.split(","):
            continue
        stratify = y if group != "regression" and np.bincount(y).min() > 1 else None
        parts = train_test_split(X, y, test_size=0.4, random_state=0, stratify=stratify)
        parts[:2] = [part.reset_index(drop=True) for part in parts[:2]]
        found = {}
        for label, make in models.items():
            try:
                found |= {(label, k): v for k, v in figures(make(), *parts).items()}
            except ImportError:
                continue
        if head is None:
            head = [f"{label} {k}" for label, k in found]
            print(f"\n## {group}\n{'set':16}" + "".join(f"{h:>21}" for h in head))
        rows.append(list(found.values()))
        print(f"{name:16}" + "".join(f"{v:21.3f}" for v in rows[-1]), flush=True)
    if rows:
        print(f"{'mean':16}" + "".join(f"{v:21.3f}" for v in np.mean(rows, axis=0)))


PARTS = {
    "classifier": classifier_part,
    "density": density_part,
    "detector": detector_part,
    "cost": cost_part,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of further sets, with a load.py")
    parser.add_argument("--part", choices=PARTS, help="one of the parts; all of them by default")
    parser.add_argument("--sets", help="names, separated by commas")
    parser.add_argument("--gaps", type=float, default=0.2, help="share of the values removed")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for part in [given.part] if given.part else PARTS:
        PARTS[part](given)
