"""The parts `detector` and `ranker` of speed.py: fits beside those of their peers."""

from pathlib import Path

import numpy as np
from lightgbm import LGBMRanker
from sklearn.datasets import make_blobs
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from timing import Comparison, compare_times

from sk_ebm import EnergyDetector, EnergyRanker
from sk_ebm.energies import TreesEnergy

SIZES = 300, 2000, 10_000  # rows
MOST_ROWS = 20_000


def generated(n_rows, n_columns=10, seed=0):
    """Rows in clusters; test rows, of which half are uniform, and which these are."""
    X, _ = make_blobs(n_rows + 1000, n_columns, centers=5, random_state=seed)
    uniform = np.random.RandomState(seed).uniform(X.min(axis=0), X.max(axis=0), (1000, n_columns))
    return X[:n_rows], np.vstack([X[n_rows:], uniform]), np.repeat([0, 1], 1000)


def sets(data):
    """(name, rows) of generated sets, or of stored ones: half of the usual rows train."""
    for n in SIZES:
        yield f"generated, {n} rows", generated(n)
    for path in sorted(Path(data, "detection").glob("*.npz")) if data else []:
        with np.load(path) as file:
            X, y = file["X"].astype(np.float64), file["y"]
        if len(X) <= MOST_ROWS:
            train = np.random.RandomState(0).permutation(np.flatnonzero(y == 0))[: len(X) // 2]
            test = np.setdiff1d(np.arange(len(X)), train)
            yield f"{path.stem}, {len(train)} x {X.shape[1]}", (X[train], X[test], y[test])


def detection(name, rows):
    X, X_test, y = rows
    return Comparison(
        name,
        lambda: EnergyDetector(random_state=0).fit(X),
        lambda: IsolationForest(n_estimators=200, random_state=0).fit(X),
        3,
        lambda model: {"AUC": roc_auc_score(y, -model.score_samples(X_test))},
    )


def detector(data=None):
    """The default detector beside IsolationForest(n_estimators=200)."""
    compare_times("detectors", (detection(*named) for named in sets(data)))


def queries(sizes, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.standard_normal((sum(sizes), 10))
    y = np.digitize(X[:, 0] + X[:, 1] ** 2 + rng.standard_normal(len(X)), [0, 1.5, 3, 4.5])
    return X, y, np.repeat(np.arange(len(sizes)), sizes)


def ranking(name, loss, sizes):
    X, y, groups = queries(sizes)
    trees = TreesEnergy(50, early_stopping=False, n_jobs=1)
    peer = LGBMRanker(n_estimators=50, n_jobs=1, verbose=-1, min_data_in_leaf=20)
    return Comparison(
        name,
        lambda: EnergyRanker(trees, loss, beta=1, random_state=0).fit(X, y, groups=groups),
        lambda: peer.fit(X, y, group=sizes),
        2,
    )


def ranker(data=None):
    """Fifty rounds of trees beside LGBMRanker."""
    long, short = [10_000] * 2, [20] * 1000
    compare_times(
        "rankers, 20,000 items",
        [
            ranking("lambda, queries of 20", "lambda", short),
            ranking("lambda, queries of 10,000", "lambda", long),
            ranking("pairwise_log, queries of 10,000", "pairwise_log", long),
        ],
    )
