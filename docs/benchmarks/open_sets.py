"""Open sets of few rows a class: accuracy, rejection of unknown classes, new ones, verification.

    python docs/benchmarks/open_sets.py [--data DIR] [--sets orl,omniglot_a] [--rows 5,80]

Sets are ``DIR/classification/*.npz`` (keys X, y), or digits. Seven tenths of the classes are known,
of which so many rows are fitted; the other rows of these, and all rows of the other classes, are
new. "rejected" is the share of rows of unknown classes above the level that 5 % of the new rows of
known classes exceed; "reject=" is that of FalseAlarm(0.05) as it was learned from the fitted rows
alone, beside its false alarms. Means over seeds. Peers: the nearest row after StandardScaler, and
LogisticRegression with its greatest probability.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyClassifier, EnergyDetector
from sk_ebm.energies import EmbeddingEnergy
from sk_ebm.thresholds import FalseAlarm

EMBEDDINGS = {
    "embedding": {},
    "squared distance": {"form": "squared_distance"},
    "identity": {"encoder": "identity"},
    "mlp": {"encoder": "mlp"},
}


def split(y, n_rows, seed):
    """Fitted rows of known classes, other rows of these, and rows of unknown classes."""
    rng = np.random.RandomState(seed)
    classes = rng.permutation(np.unique(y))
    known = classes[: round(0.7 * len(classes))]
    fitted = [rng.permutation(np.flatnonzero(y == c))[:n_rows] for c in known]
    fitted = np.concatenate(fitted)
    others = np.setdiff1d(np.arange(len(y)), fitted)
    return fitted, others[np.isin(y[others], known)], others[~np.isin(y[others], known)]


def energies_and_classes(name, X, y, X_new):
    """Energies of inputs, predicted classes, and seconds to fit."""
    start = time.process_time()
    if name in EMBEDDINGS:
        energy = EmbeddingEnergy(**EMBEDDINGS[name])
        model = EnergyClassifier(energy, random_state=0).fit(X, y)
    elif name == "nearest row":
        model = make_pipeline(StandardScaler(), KNeighborsClassifier(1)).fit(X, y)
    else:
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(X, y)
    seconds = time.process_time() - start
    if name in EMBEDDINGS:
        energies = model.input_energies(X_new)
    elif name == "nearest row":
        energies = model[-1].kneighbors(model[0].transform(X_new))[0][:, 0]
    else:
        energies = -model.predict_proba(X_new).max(axis=1)
    return energies, model.predict(X_new), seconds


def rejection(X, y, n_rows, seeds):
    """Rows of the table of one set."""
    for name in (*EMBEDDINGS, "nearest row", "logistic"):
        found = []
        for seed in seeds:
            fitted, known, unknown = split(y, n_rows, seed)
            new = np.append(known, unknown)
            energies, classes, seconds = energies_and_classes(name, X[fitted], y[fitted], X[new])
            of_known, of_unknown = np.split(energies, [len(known)])
            level = np.quantile(of_known, 0.95)
            accuracy = np.mean(classes[: len(known)] == y[known])
            area = roc_auc_score(np.arange(len(new)) >= len(known), energies)
            found.append((accuracy, area, np.mean(of_unknown > level), seconds))
        accuracy, area, rejected, seconds = np.mean(found, axis=0)
        print(
            f"  {name:16s} accuracy {accuracy:.3f}  area {area:.3f}  rejected {rejected:.3f}  "
            f"{seconds:.2f} s"
        )


def learned(X, y, n_rows, seeds):
    """The threshold that fit learns, and what new classes without a refit cost."""
    found = []
    for seed in seeds:
        fitted, known, unknown = split(y, n_rows, seed)
        model = EnergyClassifier("embedding", reject=FalseAlarm(0.05), random_state=0)
        model.fit(X[fitted], y[fitted])
        false_alarms = np.mean(model.predict(X[known]) == -1)
        rejected = np.mean(model.predict(X[unknown]) == -1)
        rng = np.random.RandomState(seed)
        rows = [rng.permutation(unknown[y[unknown] == c])[:n_rows] for c in np.unique(y[unknown])]
        added = np.concatenate(rows)
        rest = np.append(known, np.setdiff1d(unknown, added))
        model.add_classes(X[added], y[added])
        accuracy = np.mean(model.set_params(reject=None).predict(X[rest]) == y[rest])
        both = np.append(fitted, added)
        refit = EnergyClassifier("embedding", random_state=0).fit(X[both], y[both])
        found.append((false_alarms, rejected, accuracy, refit.score(X[rest], y[rest])))
    print(
        "  reject=: false alarms {:.3f}  rejected {:.3f}; all classes: accuracy {:.3f} with "
        "add_classes, {:.3f} refitted".format(*np.mean(found, axis=0))
    )


def verification(X, y, n_rows, seeds):
    """Rows with claimed classes: right ones, wrong ones, and wrong ones of unknown people."""
    found = []
    for seed in seeds:
        fitted, known, unknown = split(y, n_rows, seed)
        detector = EnergyDetector(
            EnergyClassifier("embedding", random_state=0),
            labels="answer",
            threshold=FalseAlarm(0.05),
            random_state=0,
        ).fit(X[fitted], y[fitted])
        rng = np.random.RandomState(seed)
        classes = np.unique(y[fitted])
        wrong = rng.choice(classes, len(known))
        impostors = known[wrong != y[known]], wrong[wrong != y[known]]
        strangers = unknown, rng.choice(classes, len(unknown))
        found.append(
            [
                np.mean(detector.predict_pairs(X[known], y[known]) == -1),
                *(np.mean(detector.predict_pairs(X[r], c) == 1) for r, c in (impostors, strangers)),
            ]
        )
    print(
        "  verification: rightful claims refused {:.3f}, wrong ones accepted {:.3f}, of unknown "
        "people {:.3f}".format(*np.mean(found, axis=0))
    )


def faces(data, sets=("omniglot_a", "orl"), rows=(5,), n_seeds=5):
    """Prints the figures of some sets of a folder, or of digits without one."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    for name in sets if data else ("digits",):
        if data:
            with np.load(Path(data) / "classification" / f"{name}.npz") as file:
                X, y = file["X"].astype(float), file["y"]
        else:
            X, y = load_digits(return_X_y=True)
        for n_rows in rows:
            print(f"{name}: {X.shape[1]} columns, {len(np.unique(y))} classes, {n_rows} rows each")
            for part in (rejection, learned, verification):
                part(X, y, n_rows, range(n_seeds))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data")
    parser.add_argument("--sets", default="omniglot_a,orl")
    parser.add_argument("--rows", default="5")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    rows = [int(n) for n in arguments.rows.split(",")]
    faces(arguments.data, arguments.sets.split(","), rows, arguments.seeds)


if __name__ == "__main__":
    main()
