"""energy="auto" beside other libraries' classifiers and rankers: quality and CPU time.

    python docs/benchmarks/auto.py [--data DIR] [--part PART] [--sets a,b] [--rows 600] [--splits 3]
        [--models a,b]

Data are those of classification.py and ranking.py. Of classes, each split draws so many training
rows and at most 2,000 test rows of the others, scaled; of queries, each split is a fold, with so
many training rows in whole queries. Peers that are not installed are left out. "floor" is the ECE
that rows drawn from a model's own probabilities would show: the part that a finite test set makes.
Seconds are those of the process's CPU, one thread.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import ranking
from classification import bundled, calibration_error, log_loss, prepared, stored
from lightgbm import LGBMClassifier
from scipy.stats import rankdata
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegressionCV
from sklearn.preprocessing import LabelEncoder
from sklearn.svm import SVC

from sk_ebm import EnergyClassifier, EnergyRanker

MOST_TEST_ROWS = 2000


def ours(effort):
    return EnergyClassifier("auto", effort=effort, random_state=0)


def full_pool():
    terms = ["linear", "kernel", "trees", RandomForestClassifier(random_state=0)]
    return EnergyClassifier(terms, random_state=0)


def calibrated(model):
    return CalibratedClassifierCV(model, ensemble=False)


def xgboost():
    from xgboost import XGBClassifier

    return XGBClassifier(n_jobs=1, random_state=0)


def catboost():
    from catboost import CatBoostClassifier

    return CatBoostClassifier(verbose=0, thread_count=1, random_seed=0, allow_writing_files=False)


def chimeraboost():
    from chimeraboost import ChimeraBoostClassifier

    return ChimeraBoostClassifier()


CLASSIFIERS = {
    "auto medium": lambda: ours("medium"),
    "auto low": lambda: ours("low"),
    "auto high": lambda: ours("high"),
    "full pool": full_pool,
    "LogisticRegressionCV": lambda: LogisticRegressionCV(
        use_legacy_attributes=False, scoring="neg_log_loss"
    ),
    "SVC calibrated": lambda: calibrated(SVC()),
    "HistGradientBoosting": lambda: HistGradientBoostingClassifier(random_state=0),
    "LightGBM": lambda: LGBMClassifier(verbose=-1, n_jobs=1),
    "XGBoost": xgboost,
    "CatBoost": catboost,
    "ExtraTrees calibrated": lambda: calibrated(ExtraTreesClassifier(random_state=0)),
    "ChimeraBoost": chimeraboost,
}


def split(X, y, seed, n_rows):
    """Training and test rows; classes of one row are left out, as peers refuse them."""
    rows = np.random.RandomState(seed).permutation(len(y))
    train = rows[: min(n_rows, int(0.7 * len(y)))]
    classes, counts = np.unique(y[train], return_counts=True)
    known = classes[counts >= 2]
    test = rows[len(train) :][:MOST_TEST_ROWS]
    train, test = (part[np.isin(y[part], known)] for part in (train, test))
    X_train, X_test, y_train, y_test = prepared(X, y, (train, test), True)
    encoder = LabelEncoder().fit(y_train)
    return X_train, X_test, encoder.transform(y_train), encoder.transform(y_test)


def expected_calibration_error(model, X, rng):
    """The ECE of labels that are drawn from the model's own probabilities."""
    p = model.predict_proba(X)
    drawn = (p.cumsum(axis=1) < rng.uniform(size=(len(p), 1))).sum(axis=1)
    return calibration_error(model, X, model.classes_[np.minimum(drawn, p.shape[1] - 1)])


def figures(make, data):
    """Log-loss, accuracy, ECE, its floor and CPU seconds, or NaN where the model fails."""
    X, X_test, y, y_test = data
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model, start = make(), time.process_time()
            model.fit(X, y)
            seconds = time.process_time() - start
            return (
                log_loss(model, X_test, y_test),
                float(np.mean(np.ravel(model.predict(X_test)) == y_test)),
                calibration_error(model, X_test, y_test),
                expected_calibration_error(model, X_test, np.random.RandomState(0)),
                seconds,
            )
    except Exception as error:
        print(f"    {error!r:.100}")
        return (np.nan,) * 5


def classes(options):
    """Each model's means over sets and splits, and its mean ranks over sets."""
    folder = options.data and Path(options.data) / "classification"
    sets = list(stored(folder)) if folder else list(bundled())
    sets = [s for s in sets if not options.sets or s[0] in options.sets.split(",")]
    models = chosen(CLASSIFIERS, options)
    table = []
    for name, X, y, _ in sets:
        per_split = []
        for seed in range(options.splits):
            data = split(X, y, seed, options.rows)
            per_split.append([figures(make, data) for make in models.values()])
        table.append(np.mean(per_split, axis=0))
        shown = (f"{nats:.4f} ({s:.2f} s)" for nats, *_, s in table[-1])
        print(f"{name:14}" + "  ".join(shown), flush=True)
    summary(list(models), np.array(table))


def chosen(models, options):
    """The models of the command line that can be made."""
    found = {}
    for name, make in models.items():
        if options.models and name not in options.models.split(","):
            continue
        try:
            make()
            found[name] = make
        except ImportError as error:
            print(f"{name} is left out: {error}")
    return found


def summary(names, table):
    """``table`` is (sets, models, figures)."""
    nats, right, ece, floor, seconds = np.moveaxis(table, 2, 0)
    ranks = [rankdata(np.nan_to_num(v, nan=np.inf), axis=1).mean(axis=0) for v in (nats, -right)]
    reference = {
        name: nats[:, [names.index(name)]] if name in names else np.nan for name in ("full pool",)
    }
    light = seconds[:, [names.index("LightGBM")]] if "LightGBM" in names else np.nan
    columns = {
        "log-loss": nats.mean(axis=0),
        "accuracy": right.mean(axis=0),
        "ECE": ece.mean(axis=0),
        "floor": floor.mean(axis=0),
        "rank ll": ranks[0],
        "rank acc": ranks[1],
        "/ full": nats.mean(axis=0) / np.mean(reference["full pool"]),
        "CPU s": seconds.sum(axis=0),
        "/ LGBM": np.exp(np.log(seconds / light).mean(axis=0)),
    }
    print(f"\n{'mean of sets':24}" + "".join(f"{label:>10}" for label in columns))
    for i, name in enumerate(names):
        print(f"{name:24}" + "".join(f"{values[i]:10.4f}" for values in columns.values()))


class Auto(ranking.Ours):
    def __init__(self, effort):
        self.model = EnergyRanker("auto", effort=effort, random_state=0)


RANKERS = {
    "auto medium": lambda: Auto("medium"),
    "auto high": lambda: Auto("high"),
    "linear": ranking.Ours,
    "LightGBM lambdarank tuned": lambda: ranking.LightGBM("lambdarank", True),
    "LightGBM xendcg tuned": lambda: ranking.LightGBM("rank_xendcg", True),
    "CatBoost YetiRank": ranking.CatBoost,
}


def some_queries(fold, n_rows):
    """The fold with the first of its training queries, about so many rows."""
    kept = np.unique(fold.both[2])
    kept = np.random.RandomState(0).permutation(kept)
    sizes = np.bincount(fold.both[2])[kept].cumsum()
    kept = kept[: np.searchsorted(sizes, n_rows) + 1]
    for name in ("train", "valid", "both"):
        part = getattr(fold, name)
        rows = np.isin(part[2], kept)
        setattr(fold, name, tuple(values[rows] for values in part))
    return fold


def queries(options):
    """NDCG@10 and CPU seconds, means over the test queries of the folds."""
    folder = options.data and Path(options.data) / "ranking"
    sets = list(ranking.stored(folder)) if folder else list(ranking.generated())
    models = chosen(RANKERS, options)
    for name, X, y, codes, folds in sets:
        if options.sets and name not in options.sets.split(","):
            continue
        found = {label: [] for label in models}
        for rows in folds[: options.splits]:
            fold = some_queries(ranking.Fold(X, y, codes, *rows), options.rows)
            for label, make in models.items():
                start = time.process_time()
                values, _ = ranking.measure(make(), fold)
                found[label].append((values, time.process_time() - start))
        for label, results in found.items():
            values = np.concatenate([v for v, _ in results])
            print(
                f"{name:16}{label:28}{values.mean():.4f}  {sum(s for _, s in results):.1f} s",
                flush=True,
            )


PARTS = {"classes": classes, "queries": queries}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder that holds classification/*.npz, ranking/*.npz")
    parser.add_argument("--part", choices=PARTS, help="one table (default: all)")
    parser.add_argument("--sets", help="names, separated by commas (default: all)")
    parser.add_argument("--models", help="names, separated by commas (default: all)")
    parser.add_argument("--rows", type=int, default=600, help="training rows at most")
    parser.add_argument("--splits", type=int, default=3)
    options = parser.parse_args()
    for part in [options.part] if options.part else PARTS:
        PARTS[part](options)


if __name__ == "__main__":
    main()
