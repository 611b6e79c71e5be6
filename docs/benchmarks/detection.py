"""EnergyDetector and its thresholds beside other detectors; prediction sets beside MAPIE's.

    python docs/benchmarks/detection.py [--data DIR] [--part PART] [--sets a,b] [--seeds N]
        [--max-rows N]

DIR holds ``detection/*.npz`` (X, y with 1 for anomalies) and ``classification/*.npz``; without it,
scikit-learn's bundled sets are used, one class being the anomalies. PyOD and MAPIE are compared
where they are installed. All figures are of rows never seen.
"""

import argparse
import time
import tracemalloc
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from classification import bundled, prepared, stored
from detection_default import compare
from scipy import sparse
from scipy.stats import betabinom, rankdata
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    precision_score,
    recall_score,
    roc_auc_score,
)
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from sk_ebm import EnergyClassifier, EnergyDetector
from sk_ebm.energies import GaussianEnergy
from sk_ebm.thresholds import Contamination, FalseAlarm, Level

RATES = (0.01, 0.05, 0.1)


class Pyod:
    """A detector of PyOD, whose decision_function is high for anomalies, on standardised rows."""

    def __init__(self, model):
        self.model = model

    def fit(self, X):
        self.scaler = StandardScaler().fit(X)
        self.model.fit(self.scaler.transform(X))
        return self

    def score_samples(self, X):
        return -self.model.decision_function(self.scaler.transform(X))


class SomeRows:
    """The one-class SVM of 5,000 rows at most: its time is quadratic."""

    def fit(self, X):
        rows = np.random.RandomState(0).permutation(len(X))[:5000]
        self.model = make_pipeline(StandardScaler(), OneClassSVM()).fit(X[rows])
        return self

    def score_samples(self, X):
        return self.model.score_samples(X)


def peers(seed, n_columns=1):
    """More than 60 columns are projected for the robust covariance, as ours does for its own."""
    few = PCA(60, random_state=seed) if n_columns > 60 else "passthrough"
    found = {
        "forest": IsolationForest(n_estimators=200, random_state=seed),
        "robust_cov": make_pipeline(StandardScaler(), few, EllipticEnvelope(random_state=seed)),
        "mixture": make_pipeline(
            StandardScaler(), GaussianMixture(3, reg_covar=1e-3, random_state=seed)
        ),
        "svm": SomeRows(),
        "lof": make_pipeline(StandardScaler(), LocalOutlierFactor(novelty=True)),
    }
    try:
        from pyod.models.cblof import CBLOF
        from pyod.models.copod import COPOD
        from pyod.models.ecod import ECOD
        from pyod.models.hbos import HBOS
        from pyod.models.knn import KNN
    except ImportError:
        print("For more peers: pip install pyod")
        return found
    return found | {
        "knn": Pyod(KNN()),
        "knn_mean": Pyod(KNN(method="mean")),
        "ecod": Pyod(ECOD()),
        "copod": Pyod(COPOD()),
        "hbos": Pyod(HBOS()),
        "cblof": Pyod(CBLOF(random_state=seed)),
    }


def detection_sets(args):
    """(name, X, anomalous) of each set."""
    if args.data:
        for path in sorted(Path(args.data, "detection").glob("*.npz")):
            if not args.sets or path.stem in args.sets:
                with np.load(path) as data:
                    yield path.stem, data["X"].astype(float), data["y"] == 1
        return
    for name, load, anomaly in (
        ("breast_cancer", load_breast_cancer, 0),
        ("digits", load_digits, 8),
        ("wine", load_wine, 2),
    ):
        X, y = load(return_X_y=True)
        rare = np.flatnonzero(y == anomaly)
        kept = np.concatenate([np.flatnonzero(y != anomaly), rare[: len(y) // 20]])
        yield name, X[kept], (y == anomaly)[kept]


def parts(X, anomalous, seed, args, clean):
    """Rows for training and testing, 70/30; training rows without anomalies where clean."""
    rows = np.arange(len(X))
    train, test = train_test_split(rows, test_size=0.3, stratify=anomalous, random_state=seed)
    train = train[~anomalous[train]] if clean else train
    return train[: args.max_rows], test[: 2 * args.max_rows]


def ranking(args, clean):
    title = "training rows are clean" if clean else "training rows hold the anomalies' share"
    print(f"\n## AUC and average precision of test rows, mean over seeds; {title}")
    names = ["ours", *peers(0)]
    print(f"{'set':18}" + "".join(f"{name:>11}" for name in names))
    areas, precisions, seconds = [], [], []
    for name, X, anomalous in detection_sets(args):
        figures = []
        for seed in range(args.seeds):
            train, test = parts(X, anomalous, seed, args, clean)
            ours = EnergyDetector(novelty=clean, random_state=seed)
            models = {"ours": ours} | peers(seed, X.shape[1])
            figures.append(
                [figures_of(m, X[train], X[test], anomalous[test]) for m in models.values()]
            )
        area, precision, time_ = np.mean(figures, axis=0).T
        areas.append(area), precisions.append(precision), seconds.append(time_)
        print(f"{name:18}" + "".join(f"{v:11.4f}" for v in area), flush=True)
    areas, precisions = np.array(areas), np.array(precisions)
    for label, values in (
        ("mean AUC", areas.mean(axis=0)),
        ("mean rank", rankdata(-areas, axis=1).mean(axis=0)),
        ("mean AP", precisions.mean(axis=0)),
        ("fit + score, s", np.sum(seconds, axis=0)),
    ):
        print(f"{label:18}" + "".join(f"{v:11.4f}" for v in values))
    best = 1 + np.argmax(areas.mean(axis=0)[1:])
    gain = areas[:, 0].mean() - areas[:, best].mean()
    print(f"ours minus the best peer, {names[best]}: {gain:+.4f}")


def figures_of(model, X_train, X_test, anomalous):
    start = time.perf_counter()
    try:
        scores = model.fit(X_train).score_samples(X_test)
    except ValueError:  # a covariance of fewer rows than columns, for one peer
        return 0.5, anomalous.mean(), time.perf_counter() - start
    seconds = time.perf_counter() - start
    return (
        roc_auc_score(anomalous, -scores),
        average_precision_score(anomalous, -scores),
        seconds,
    )


def guarantees(args):
    print("\n## False alarms of new normal rows, over what the promise says exactly")
    print("(energy 'gaussian', calibration='split', novelty=True; 20 seeds, all sets)")
    kinds = [(rate, None) for rate in RATES] + [(0.05, 0.9), (0.1, 0.9)]
    found = {kind: [] for kind in kinds}
    peer = {rate: [] for rate in RATES}
    for _, X, anomalous in detection_sets(args):
        normal = X[~anomalous][: args.max_rows]
        for seed in range(20):
            train, test = train_test_split(normal, test_size=0.3, random_state=seed)
            n = round(0.3 * len(train) + 0.499)
            detector = EnergyDetector(
                GaussianEnergy(), threshold=Level(0.0), novelty=True, calibration="split", beta=1.0
            ).set_params(random_state=seed)
            energies = detector.fit(train).energies(test)
            for rate, confidence in kinds:
                try:
                    rule = FalseAlarm(rate, confidence).fit(detector.calibration_energies_)
                except ValueError:
                    continue  # too few calibration rows
                alarms = np.sum(energies > rule.level_)
                found[rate, confidence].append((alarms, len(test), n, rate))
            seen = detector.energies(train)
            for rate in RATES:
                alarms = np.sum(energies > np.quantile(seen, 1 - rate))
                peer[rate].append((alarms / len(test), rate))
    print(
        f"{'rate':>6}{'confidence':>12}{'runs':>6}{'alarms':>9}{'expected':>10}{'ratio':>8}", end=""
    )
    print(f"{'above':>8}{'the law':>9}{'in-sample quantile':>20}")
    for (rate, confidence), rows in found.items():
        alarms, size, n, _ = np.array(rows).T
        order = np.array([np.ceil(FalseAlarm(rate, confidence).place(int(k))) for k in n])
        expected = ((n + 1 - order) / (n + 1)).mean()
        above = np.mean(alarms > rate * size)
        law = np.mean(betabinom.sf(np.floor(rate * size), size, n + 1 - order, order))
        mean = np.mean(alarms / size)
        peers_ = np.mean([share for share, _ in peer[rate]])
        print(
            f"{rate:6}{confidence!s:>12}{len(rows):6}{mean:9.4f}{expected:10.4f}"
            f"{mean / expected:8.3f}{above:8.3f}{law:9.3f}{peers_:20.4f}"
        )


def timing(args):
    print("\n## Seconds to fit and to score 50,000 rows of 30 columns")
    rng = np.random.RandomState(0)
    X = rng.standard_normal((50_000, 30)) @ rng.standard_normal((30, 30))
    base = None
    for name, model in {
        "IsolationForest(200)": IsolationForest(n_estimators=200, random_state=0),
        "EnergyDetector()": EnergyDetector(random_state=0),
        "EnergyDetector(novelty=True)": EnergyDetector(novelty=True, random_state=0),
    }.items():
        start = time.perf_counter()
        model.fit(X)
        middle = time.perf_counter()
        tracemalloc.start()
        model.score_samples(X)
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        start_score = time.perf_counter()
        model.score_samples(X)
        fit, score = middle - start, time.perf_counter() - start_score
        base = base or fit + score
        ratio = (fit + score) / base
        print(f"{name:30} fit {fit:7.2f}  score {score:7.2f}  ratio {ratio:5.2f}  {peak:7.1f} MiB")


def classification_sets(args):
    found = stored(Path(args.data, "classification")) if args.data else bundled()
    return (one for one in found if not args.sets or one[0] in args.sets)


def prediction_sets(args):
    print("\n## Sets at coverage 0.9: mean coverage and size; ours by cross-fitting (cv), by a")
    print("calibration part of 0.3 of the rows (split); on that, MAPIE's LAC and APS (K > 2)")
    print(f"{'set':16}" + "".join(f"{name:>16}" for name in ("cv", "split", "lac", "aps")))
    table = []
    for name, X, y, split in classification_sets(args):
        X_train, X_test, y_train, y_test = prepared(X, y, split, True)
        row = sets_of(X_train, y_train, X_test, y_test)
        table.append(row)
        print(f"{name:16}" + "".join(f"{c:8.3f}{s:8.3f}" for c, s in row), flush=True)
    print(f"{'mean':16}" + "".join(f"{c:8.3f}{s:8.3f}" for c, s in np.nanmean(table, axis=0)))


def sets_of(X_train, y_train, X_test, y_test):
    """(coverage, size) of each method."""
    classifier = EnergyClassifier(calibrate=True, random_state=0).fit(X_train, y_train)
    found = [classifier.predict_set(X_test)]
    enough = np.bincount(y_train)[y_train] > 3  # others stay in the training part
    rows = np.flatnonzero(enough)
    fit, held = train_test_split(rows, test_size=0.3, random_state=0, stratify=y_train[rows])
    fit = np.concatenate([fit, np.flatnonzero(~enough)])
    classifier = EnergyClassifier(random_state=0).fit(X_train[fit], y_train[fit])
    known = held[np.isin(y_train[held], classifier.classes_)]
    classifier.conformalize(X_train[known], y_train[known])
    found.append(classifier.predict_set(X_test))
    for score in ("lac", "aps" if len(classifier.classes_) > 2 else "lac"):
        found.append(mapie_sets(score, classifier, X_train[known], y_train[known], X_test))
    columns = np.searchsorted(classifier.classes_, y_test)
    rows = np.arange(len(y_test))
    return [(sets[rows, columns].mean(), sets.sum(axis=1).mean()) for sets in found]


def mapie_sets(score, classifier, X, y, X_test):
    if find_spec("mapie") is None or sparse.issparse(X):  # which it does not take
        return np.full((X_test.shape[0], len(classifier.classes_)), np.nan)
    from mapie.classification import SplitConformalClassifier

    peer = SplitConformalClassifier(
        classifier, confidence_level=0.9, conformity_score=score, prefit=True
    )
    return peer.conformalize(X, y).predict_set(X_test)[1][:, :, 0]


def wrong_labels(args):
    print("\n## Wrong labels (5 % of the training labels): precision and recall of as many pairs")
    print(
        f"{'set':16}" + "".join(f"{name:>20}" for name in ("ours", "self-confidence", "cleanlab"))
    )
    table = []
    for name, X, y, split in classification_sets(args):
        X, _, y, _ = prepared(X, y, split, True)
        rng = np.random.RandomState(0)
        wrong = rng.uniform(size=len(y)) < 0.05
        K = y.max() + 1
        labels = np.where(wrong, (y + rng.randint(1, K, len(y))) % K, y)
        row = found_labels(X, labels, wrong)
        table.append(row)
        print(f"{name:16}" + "".join(f"{p:10.3f}{r:10.3f}" for p, r in row), flush=True)
    print(f"{'mean':16}" + "".join(f"{p:10.3f}{r:10.3f}" for p, r in np.nanmean(table, axis=0)))


def found_labels(X, labels, wrong):
    detector = EnergyDetector(
        EnergyClassifier("kernel", random_state=0),
        labels="answer",
        threshold=Contamination(0.05),
        calibration=None,
    ).fit(X, labels)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    peer = LogisticRegression(max_iter=1000)
    p = cross_val_predict(peer, X, labels, cv=folds, method="predict_proba")
    own = p[np.arange(len(labels)), np.searchsorted(np.unique(labels), labels)]
    flags = [detector.predict_pairs(X, labels) == -1, own <= np.quantile(own, 0.05)]
    try:
        from cleanlab.filter import find_label_issues

        flags.append(find_label_issues(np.unique(labels, return_inverse=True)[1], p))
    except ImportError:
        pass
    return [(precision_score(wrong, f), recall_score(wrong, f)) for f in flags]


SHARES = (0.0, 0.03, 0.1, 0.2)


def simulated_rows(rng, n_rows=600, n_columns=4):
    """Clean rows of several distributions by name, whose columns have one scale."""
    size = (n_rows, n_columns)
    yield "normal", rng.standard_normal(size)
    yield "Student's t", rng.standard_t(3, size)
    yield "lognormal", np.exp(0.8 * rng.standard_normal(size))
    yield "uniform", rng.uniform(-1, 1, size)
    yield "Poisson", rng.poisson(2, size).astype(float)
    yield (
        "clusters",
        rng.standard_normal(size) + 8 * rng.standard_normal((3, 4))[rng.randint(3, size=n_rows)],
    )


def unknown_share(args):
    """Rows flagged by threshold="mixture", of clean ones and of far ones on two sides."""
    print("unknown share: clean rows flagged, outliers found, for shares of outliers", SHARES)
    for energy in ("auto", "gaussian", "neighbors", "forest"):
        for name, _ in simulated_rows(np.random.RandomState(0)):
            found = [
                flagged_shares(energy, name, share, seed)
                for share in SHARES
                for seed in range(args.seeds)
            ]
            means = np.reshape(found, (len(SHARES), args.seeds, 2)).mean(axis=1)
            print(
                f"{energy:10}{name:14}" + "".join(f"{c:9.3f}{o:7.2f}" for c, o in means), flush=True
            )


def flagged_shares(energy, name, share, seed):
    rng = np.random.RandomState(seed)
    X = dict(simulated_rows(rng))[name]
    outlying = np.arange(len(X)) < share * len(X)
    sides = 9 * np.sign(rng.standard_normal((len(X), 1))) + 3 * rng.uniform(-1, 1, X.shape)
    X[outlying] = (X.mean(axis=0) + X.std(axis=0) * sides)[outlying]
    detector = EnergyDetector(energy, threshold="mixture", random_state=seed)
    flagged = detector.fit_predict(X) == -1
    return flagged[~outlying].mean(), flagged[outlying].mean() if share else np.nan


def default_energy(args):
    for clean in (False, True):
        compare(args, clean, detection_sets, parts, peers)


PARTS = {
    "energies": default_energy,
    "unsupervised": lambda args: ranking(args, clean=False),
    "novelty": lambda args: ranking(args, clean=True),
    "guarantees": guarantees,
    "sets": prediction_sets,
    "labels": wrong_labels,
    "time": timing,
    "unknown_share": unknown_share,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="directory of detection/*.npz and classification/*.npz")
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--sets", type=lambda text: text.split(","))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-rows", type=int, default=10**9, help="training rows, for all")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")  # of the peers
    for part in [args.part] if args.part else PARTS:
        PARTS[part](args)


if __name__ == "__main__":
    main()
