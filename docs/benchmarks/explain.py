"""Contributions of `EnergyDetector.explain` beside SHAP values of other detectors.

    python docs/benchmarks/explain.py [--data DIR] [--sets a,b] [--seeds N]
        [--ours-only]

DIR holds ``detection/*.npz`` (X, y with 1 for anomalies); without it, scikit-learn's bundled sets.
Half of the normal rows are for training. In one cell of each of 100 others, a value of its column
is put that is far from what the other columns say: of 20 drawn from the column, the one with the
largest residual of a ridge regression. Printed are, of the rows that a detector then flags (for a
false-alarm rate of .05), the share in which the changed column has the largest contribution, and
the time of the explanation over that of the scores. SHAP is compared where it is installed.
"""

import argparse
from functools import partial
from importlib.util import find_spec
from time import process_time

import numpy as np
from detection import detection_sets
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import Ridge
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyDetector

ROWS, TRAINING_ROWS, DRAWS, RATE = 100, 2000, 20, 0.05


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data")
    parser.add_argument("--sets")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--ours-only", action="store_true", help="no peers")
    args = parser.parse_args()
    total = {}
    for name, X, y in detection_sets(args):
        normal = np.asarray(X, dtype=float)[np.asarray(y) == 0]
        varied = [j for j in range(normal.shape[1]) if len(np.unique(normal[:, j])) >= 10]
        if not 3 <= len(varied) <= normal.shape[1] <= 100 or len(normal) < 100:
            continue
        for seed in range(args.seeds):
            for model, figures in figures_of(normal, varied, seed, args.ours_only).items():
                print(f"{name:20} {model:28} " + " ".join(f"{f:8.3f}" for f in figures), flush=True)
                total.setdefault(model, []).append(figures)
    print(f"{'mean':20} {'':28} {'found':>8} {'flagged':>8} {'ratio':>8} {'ms/row':>8}")
    for model, figures in total.items():
        means = np.nanmean(figures, axis=0)
        print(f"{len(figures):20} {model:28} " + " ".join(f"{f:8.3f}" for f in means))


def figures_of(normal, varied, seed, ours_only):
    """Share found, share flagged, time of the explanation over that of the scores, ms a row."""
    rng = np.random.RandomState(seed)
    order = rng.permutation(len(normal))
    train = normal[order[: len(normal) // 2][:TRAINING_ROWS]]
    test = normal[order[len(normal) // 2 :][:ROWS]]
    scaler = StandardScaler().fit(train)
    train, test = scaler.transform(train), scaler.transform(test)
    changed, columns = with_one_cell_changed(train, test, varied, rng)
    found = {}
    for energy, novelty in (
        ("auto", True),
        ("auto", False),
        ("gaussian", True),
        ("mixture", True),
        ("neighbors", True),
    ):
        model = EnergyDetector(energy, novelty=novelty, random_state=0).fit(train)
        words = f"{energy}{', novelty' if novelty and energy == 'auto' else ''}"
        explain = partial(values_of, model)
        found[words] = measured(model.score_samples, explain, train, changed, columns)
    if not ours_only and find_spec("shap"):
        for words, score, explain in peers(train):
            found[words] = measured(score, explain, train, changed, columns)
    return found


def values_of(model, X):
    return model.explain(X).values


def with_one_cell_changed(train, test, varied, rng):
    """Rows with one cell replaced by a value of its column that the others make unlikely, and
    which column it is of."""
    changed, columns = test.copy(), rng.choice(varied, len(test))
    for j in np.unique(columns):
        others = np.delete(np.arange(train.shape[1]), j)
        model = Ridge().fit(train[:, others], train[:, j])
        for i in np.flatnonzero(columns == j):
            values = rng.choice(train[:, j], DRAWS)
            residuals = np.abs(values - model.predict(test[i : i + 1, others]))
            changed[i, j] = values[residuals.argmax()]
    return changed, columns


def measured(score, explain, train, changed, columns):
    level = np.quantile(score(train), RATE)
    start = process_time()
    for _ in range(3):
        scores = score(changed)
    seconds = (process_time() - start) / 3
    flagged = scores < level
    if not flagged.any():
        return np.nan, 0.0, np.nan, np.nan
    start = process_time()
    values = explain(changed)
    spent = process_time() - start
    right = values[flagged].argmax(axis=1) == columns[flagged]
    return right.mean(), flagged.mean(), spent / seconds, 1000 * spent / len(changed)


def peers(train):
    import shap

    neighbors = NearestNeighbors(n_neighbors=5).fit(train)

    def distance(X):
        return neighbors.kneighbors(X)[0].mean(axis=1)

    background = train[:: max(len(train) // 16, 1)][
        :16
    ]  # 64 scores a column, twice as many as ours
    explainer = shap.explainers.Permutation(distance, shap.maskers.Independent(background, 16))
    yield (
        "kNN, SHAP by permutations",
        lambda X: -distance(X),
        lambda X: explainer(X, max_evals=2 * (2 * X.shape[1] + 1), silent=True).values,
    )
    forest = IsolationForest(n_estimators=200, random_state=0).fit(train)
    trees = shap.TreeExplainer(forest)
    yield "isolation forest, TreeSHAP", forest.score_samples, lambda X: -trees.shap_values(X)


if __name__ == "__main__":
    main()
