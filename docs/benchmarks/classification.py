"""EnergyClassifier beside scikit-learn's classifiers: accuracy, log-loss, time, optimum.

    python docs/benchmarks/classification.py [--data DIR] [--part PART] [--sets a,b]

Without ``--data`` it runs on scikit-learn's bundled sets; with it, on every ``*.npz`` of
``DIR/classification`` (keys X or CSR parts, y, and train, test where the source has a split).
Other rows are split 70/30 with seed 0. "Scaled" means StandardScaler, or tf-idf for sparse rows.
All accuracy and log-loss figures are on test rows. Every ratio is ours / theirs.
"""

import argparse
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
from lightgbm import LGBMClassifier
from scipy import sparse
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sk_ebm import EnergyClassifier
from sk_ebm.energies import TreesEnergy

MARGIN_LOSSES = (
    "hinge",
    "log",
    "mce",
    "square_square",
    "square_exponential",
    "mee",
    "lvq2",
    "perceptron",
)


def bundled():
    """(name, X, y, split) of scikit-learn's bundled sets."""
    for name in ("iris", "wine", "breast_cancer", "digits"):
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        yield name, X, y, None


def stored(folder):
    """(name, X, y, split) of every file of a folder."""
    for path in sorted(Path(folder).glob("*.npz")):
        with np.load(path) as file:
            parts = {key: file[key] for key in file.files}
        if "indptr" in parts:
            csr = parts["data"].astype(np.float32), parts["indices"], parts["indptr"]
            X = sparse.csr_matrix(csr, shape=tuple(parts["shape"]))
        else:
            X = parts["X"].astype(np.float32)
        yield path.stem, X, parts["y"], (parts.get("train"), parts.get("test"))


def prepared(X, y, split, scaled):
    """X_train, X_test, y_train, y_test."""
    if split is not None and split[0] is not None:
        train, test = split
    else:
        stratify = y if np.bincount(y).min() > 2 else None
        train, test = train_test_split(
            np.arange(len(y)), test_size=0.3, random_state=0, stratify=stratify
        )
    X_train, X_test = X[train], X[test]
    if scaled:
        scaler = TfidfTransformer() if sparse.issparse(X) else StandardScaler()
        X_train = scaler.fit_transform(X_train).astype(X.dtype)
        X_test = scaler.transform(X_test).astype(X.dtype)
    return X_train, X_test, y[train], y[test]


def timed_fit(model, X, y, most=3):
    """Seconds of the fastest of up to three fits, and the number of convergence warnings."""
    seconds, n_warnings = [], 0
    while len(seconds) < most and sum(seconds) < 3:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            start = time.perf_counter()
            model.fit(X, y)
            seconds.append(time.perf_counter() - start)
        n_warnings = sum(issubclass(w.category, ConvergenceWarning) for w in caught)
    return min(seconds), n_warnings


def figures(model, data):
    """Test accuracy, test log-loss in nats, fit seconds, convergence warnings."""
    X_train, X_test, y_train, y_test = data
    seconds, n_warnings = timed_fit(model, X_train, y_train)
    accuracy = float(np.mean(model.predict(X_test) == y_test))
    nats = log_loss(model, X_test, y_test) if hasattr(model, "predict_proba") else np.nan
    return accuracy, nats, seconds, n_warnings


def log_loss(model, X, y):
    """Mean -log p of the label, p at least 1e-15 (also for labels without training rows)."""
    p = np.zeros(len(y))
    known = np.isin(y, model.classes_)
    columns = np.searchsorted(model.classes_, y[known])
    p[known] = model.predict_proba(X[known])[np.arange(known.sum()), columns]
    return float(np.mean(-np.log(np.maximum(p, 1e-15))))


def calibration_error(model, X, y, n_bins=15):
    """Expected calibration error of the top class over equal-mass bins."""
    p = model.predict_proba(X)
    top = p.max(axis=1)
    right = model.classes_[p.argmax(axis=1)] == y
    bins = np.array_split(np.argsort(top), n_bins)
    return float(sum(abs(top[b].mean() - right[b].mean()) * len(b) for b in bins) / len(y))


def objective(X, y, coef, intercept, alpha):
    """Mean cross-entropy + alpha/2 |W|^2 in float64."""
    outputs = np.asarray(X.astype(np.float64) @ coef.T.astype(np.float64) + intercept)
    if outputs.shape[1] == 1:
        outputs = np.hstack([-outputs / 2, outputs / 2])
    peak = outputs.max(axis=1, keepdims=True)
    log_z = (peak + np.log(np.exp(outputs - peak).sum(axis=1, keepdims=True)))[:, 0]
    correct = outputs[np.arange(len(y)), np.unique(y, return_inverse=True)[1]]
    return np.mean(log_z - correct) + alpha / 2 * np.sum(coef.astype(np.float64) ** 2)


def optimum(sets, scaled):
    """The optimum of LogisticRegression() and its time; the least value known is the reference.

    Beside its defaults, which stop early, its time until its gap is below 1e-6 too.
    """
    print(f"\n## linear + nll at C = 1, {'scaled' if scaled else 'raw'} data")
    head = "gap ours", "gap LR", "s ours", "s LR", "ratio", "s LR 1e-6", "ratio"
    print(f"{'set':16}" + "".join(f"{h:>10}" for h in head) + "  warnings")
    ratios = []
    for name, X, y, split in sets:
        X, _, y, _ = prepared(X, y, split, scaled)
        alpha = 1 / len(y)
        models = EnergyClassifier(alpha=alpha, beta=1), LogisticRegression()
        (ours, warned), (theirs, warned_peer) = (timed_fit(m, X, y) for m in models)
        best = EnergyClassifier(alpha=alpha, beta=1, tol=1e-12).fit(X.astype(np.float64), y)
        values = [objective(X, y, m.coef_, m.intercept_, alpha) for m in (*models, best)]
        gaps = [value / min(values) - 1 for value in values]
        same = time_to(min(values) * (1 + 1e-6), X, y) if scaled else np.nan
        ratios.append((ours / theirs, ours / same))
        row = ours, theirs, ratios[-1][0], same, ratios[-1][1]
        print(
            f"{name:16}{gaps[0]:10.1e}{gaps[1]:10.1e}"
            + "".join(f"{v:10.3f}" for v in row)
            + f"  {warned} / {warned_peer}",
            flush=True,
        )
    for which, column in zip(("LR's defaults", "LR to 1e-6"), np.transpose(ratios), strict=True):
        known = column[~np.isnan(column)]
        if len(known):
            mean, largest = geometric_mean(known), known.max()
            print(
                f"{which}: geometric mean of {len(known)} ratios {mean:.2f}, largest {largest:.2f}"
            )


def time_to(goal, X, y):
    """Seconds in which LogisticRegression gets to a value of the objective; NaN: it does not.

    It gets float64, since rounding of float32 stops it earlier.
    """
    X = X.astype(np.float64)
    for tol in 10.0 ** -np.arange(4, 11):
        model = LogisticRegression(tol=tol, max_iter=10_000)
        seconds, _ = timed_fit(model, X, y)
        if objective(X, y, model.coef_, model.intercept_, 1 / len(y)) <= goal:
            return seconds
    return np.nan


def compare(sets, title, ours, theirs, least_rows=0):
    """Two models beside each other on scaled data."""
    print(f"\n## {title}")
    head = "acc ours", "acc peer", "ll ours", "ll peer", "s ours", "s peer", "ratio"
    print(f"{'set':16}" + "".join(f"{h:>10}" for h in head))
    rows = []
    for name, X, y, split in sets:
        data = prepared(X, y, split, True)
        a, b = figures(ours(), data), figures(theirs(), data)
        rows.append((a[0], b[0], a[1], b[1], a[2], b[2], a[2] / b[2], len(y)))
        print(f"{name:16}" + "".join(f"{v:10.4f}" for v in rows[-1][:-1]), flush=True)
    table = np.array(rows)
    print(f"{'mean':16}" + "".join(f"{v:10.4f}" for v in table[:, :6].mean(axis=0)))
    timed = table[table[:, -1] >= least_rows]
    if len(timed):
        print(
            f"time, sets of >= {least_rows} rows: geometric mean of ratios "
            f"{geometric_mean(timed[:, 6]):.2f}, ratio of sums "
            f"{timed[:, 4].sum() / timed[:, 5].sum():.2f}"
        )


def losses(sets):
    """Accuracy, log-loss and calibration error per loss, after beta="auto"."""
    print('\n## linear energy, each loss, beta="auto"; ECE on sets of >= 1,000 test rows')
    print(f"{'loss':20}{'accuracy':>10}{'log-loss':>10}{'ECE':>8}{'seconds':>9}")
    sets = [(name, prepared(X, y, split, True)) for name, X, y, split in sets]
    for loss in ("nll", *MARGIN_LOSSES):
        rows, errors = [], []
        for _, data in sets:
            model = EnergyClassifier(loss=loss, random_state=0)
            rows.append(figures(model, data)[:3])
            if len(data[3]) >= 1000:
                errors.append(calibration_error(model, data[1], data[3]))
        accuracy, nats, seconds = np.mean(rows, axis=0)
        ece = np.mean(errors) if errors else np.nan
        print(f"{loss:20}{accuracy:10.4f}{nats:10.4f}{ece:8.4f}{seconds:9.3f}", flush=True)


def memory(sets):
    """Peak memory of fit beside 2 inputs + 8 weights + 3 (n, K) + 50 MB."""
    print("\n## peak memory of fit, linear + nll, MB")
    print(f"{'set':16}{'peak':>9}{'bound':>9}")
    for name, X, y, split in sets:
        X, _, y, _ = prepared(X, y, split, True)
        size = X.data.nbytes + X.indices.nbytes if sparse.issparse(X) else X.nbytes
        n_classes = len(np.unique(y))
        bound = 2 * size + 8 * 8 * n_classes * X.shape[1] + 3 * 8 * len(y) * n_classes
        tracemalloc.start()
        EnergyClassifier(alpha=1 / len(y), beta=1).fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(f"{name:16}{peak / 2**20:9.1f}{bound / 2**20 + 50:9.1f}", flush=True)


def geometric_mean(ratios):
    return float(np.exp(np.mean(np.log(ratios))))


PARTS = {
    "optimum": lambda sets: optimum(sets, True),
    "raw": lambda sets: optimum(sets, False),
    "default": lambda sets: compare(
        sets, "defaults beside LogisticRegression()", EnergyClassifier, LogisticRegression
    ),
    "kernel": lambda sets: compare(
        sets, "kernel beside SVC()", lambda: EnergyClassifier("kernel", random_state=0), SVC, 5000
    ),
    "mlp": lambda sets: compare(
        sets,
        "mlp beside MLPClassifier()",
        lambda: EnergyClassifier("mlp", random_state=0),
        lambda: MLPClassifier(random_state=0),
    ),
    "trees": lambda sets: compare(
        [s for s in sets if not sparse.issparse(s[1])],
        "trees beside LGBMClassifier(), 100 rounds each, dense sets",
        lambda: EnergyClassifier(TreesEnergy(100, early_stopping=False), beta=1, random_state=0),
        lambda: LGBMClassifier(verbose=-1),
    ),
    "losses": losses,
    "memory": memory,
    "cv": lambda sets: compare(
        sets,
        'alpha="auto" beside LogisticRegressionCV()',
        lambda: EnergyClassifier(random_state=0),
        lambda: LogisticRegressionCV(use_legacy_attributes=False, scoring="neg_log_loss"),
    ),
}


def main(parts, description):
    """Prints the tables that the command line asks for."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", help="folder that holds classification/*.npz")
    parser.add_argument("--part", choices=parts, help="one table (default: all)")
    parser.add_argument("--sets", help="names, separated by commas (default: all)")
    options = parser.parse_args()
    sets = list(stored(Path(options.data) / "classification") if options.data else bundled())
    if options.sets:
        sets = [s for s in sets if s[0] in options.sets.split(",")]
    for name in [options.part] if options.part else parts:
        parts[name](sets)


if __name__ == "__main__":
    main(PARTS, __doc__)
