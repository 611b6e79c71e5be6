"""EnergyDetector with a few labelled anomalies among unknown rows, beside XGBOD and LightGBM.

    python docs/benchmarks/few_labels.py [--data DIR] [--sets a,b] [--seeds N] [--max-rows N]
        [--max-columns N] [--without-peers]

Training rows hold anomalies in their share in the set; 1, 5, 10 and 50 of them, or all where there
are fewer, are labelled, and all other rows are unknown. AUC is that of test rows. DIR holds
``detection/*.npz`` (X, y with 1 for anomalies); without it, scikit-learn's bundled sets are used,
one class being the anomalies. XGBOD (PyOD) and LightGBM are compared where they are installed; both
take unknown rows for normal ones. Seconds are of CPU time.
"""

import argparse
import time
import warnings
from importlib.util import find_spec

import numpy as np
from detection import detection_sets
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyDetector

NUMBERS = (1, 5, 10, 50)
MOST_TEST_ROWS = 2_000


class LightGBM:
    def fit(self, X, y):
        from lightgbm import LGBMClassifier

        self.model = LGBMClassifier(verbose=-1, n_jobs=1).fit(X, y)
        return self

    def scores(self, X):
        return self.model.predict_proba(X)[:, 1]


class XGBOD:
    """On standardised rows. Its detectors do not read y, so they are fitted for one number only."""

    def fit(self, X, y):
        if not hasattr(self, "model"):
            from pyod.models.xgbod import XGBOD as Peer

            self.scaler = StandardScaler().fit(X)
            self.model = Peer(random_state=0, n_jobs=1).fit(self.scaler.transform(X), y)
        else:
            self.model.clf_.fit(self.model.X_train_new_, y)
        return self

    def scores(self, X):
        return self.model.decision_function(self.scaler.transform(X))


class Ours:
    def __init__(self, seed):
        self.model = EnergyDetector(labels="anomaly", threshold="false_alarm", random_state=seed)

    def fit(self, X, y):
        self.model.fit(X, y)
        return self

    def scores(self, X):
        return self.model.energies(X)


def models(seed, args):
    found = {"ours": Ours(seed)}
    if args.without_peers:
        return found
    for module, name, peer in (("lightgbm", "lightgbm", LightGBM), ("pyod", "xgbod", XGBOD)):
        if find_spec(module):
            found[name] = peer()
        else:
            print(f"For one more peer: pip install {module}")
    return found


def few(rows, labels, most, seed):
    """At most so many of the rows, stratified."""
    if len(rows) <= most:
        return rows
    return train_test_split(rows, train_size=most, stratify=labels[rows], random_state=seed)[0]


def figures(X, anomalous, seed, args):
    """AUC without labels; AUC, seconds and false alarms by model and number of labels."""
    rows = np.arange(len(X))
    train, test = train_test_split(rows, test_size=0.3, stratify=anomalous, random_state=seed)
    train = few(train, anomalous, args.max_rows, seed)
    test = few(test, anomalous, MOST_TEST_ROWS, seed)
    order = np.random.RandomState(seed).permutation(np.flatnonzero(anomalous[train]))
    blind = EnergyDetector(random_state=seed).fit(X[train])
    found = {"blind": roc_auc_score(anomalous[test], blind.energies(X[test]))}
    for name, model in models(seed, args).items():
        for number in NUMBERS:
            y = np.zeros(len(train), dtype=int)
            y[order[:number]] = 1
            start = time.process_time()
            model.fit(X[train], y)
            found[name, number, "seconds"] = time.process_time() - start
            scores = model.scores(X[test])
            found[name, number] = roc_auc_score(anomalous[test], scores)
            if name == "ours":
                clean = scores[~anomalous[test]]
                found["alarms", number] = np.mean(clean > model.model.threshold_)
                found["queried", number] = added_labels(model.model, X, anomalous, train, test)
    return found


def added_labels(detector, X, anomalous, train, test):
    """Seconds and AUC after the five rows that are asked for are labelled."""
    start = time.process_time()
    asked = detector.query(X[train], 5)
    detector.add_labels(X[train][asked], np.where(anomalous[train][asked], -1, 1))
    seconds = time.process_time() - start
    return seconds, roc_auc_score(anomalous[test], detector.energies(X[test]))


def table(args):
    results = {}
    for name, X, anomalous in detection_sets(args):
        if X.shape[1] > args.max_columns or anomalous.sum() < args.fewest_anomalies:
            continue
        if len(X) * 0.7 > args.max_rows and anomalous.mean() * args.max_rows < 1:
            continue  # the training rows would hold none
        results[name] = [figures(X, anomalous, seed, args) for seed in range(args.seeds)]
        mean = averages(results[name])
        ours = "".join(f"{mean['ours', n]:8.4f}" for n in NUMBERS)
        print(f"{name:18}{mean['blind']:8.4f}{ours}", flush=True)
    return results


def averages(rows):
    return {key: np.mean([row[key] for row in rows], axis=0) for key in rows[0]}


def summary(results):
    means = {name: averages(rows) for name, rows in results.items()}
    blind = np.mean([mean["blind"] for mean in means.values()])
    print(f"\n{len(means)} sets; mean AUC without labels {blind:.4f}")
    names = dict.fromkeys(key[0] for key in next(iter(means.values())) if len(key) == 3)
    for number in NUMBERS:
        print(f"\n{number} labelled anomalies")
        for name in names:
            gains = {k: mean[name, number] - mean["blind"] for k, mean in means.items()}
            worst = min(gains, key=gains.get)
            seconds = [mean[name, number, "seconds"] for mean in means.values()]
            print(
                f"  {name:10} AUC {blind + np.mean(list(gains.values())):.4f}"
                f"  gain {np.mean(list(gains.values())):+.4f}  worst {gains[worst]:+.4f} ({worst})"
                f"  seconds of a fit {np.mean(seconds):.2f}, at most {np.max(seconds):.2f}"
            )
        alarms = [mean["alarms", number] for mean in means.values()]
        seconds, areas = np.mean([mean["queried", number] for mean in means.values()], axis=0)
        print(f"  false alarms for .05: {np.mean(alarms):.4f}, at most {np.max(alarms):.4f}")
        print(f"  five rows asked for and labelled: AUC {areas:.4f}, {seconds:.2f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="directory of detection/*.npz")
    parser.add_argument("--sets", type=lambda text: text.split(","))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-rows", type=int, default=2_000)
    parser.add_argument("--max-columns", type=int, default=100)
    parser.add_argument("--fewest-anomalies", type=int, default=10)
    parser.add_argument("--without-peers", action="store_true")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")  # of the peers
    print(f"{'set':18}{'none':>8}" + "".join(f"{number:8}" for number in NUMBERS))
    summary(table(args))


if __name__ == "__main__":
    main()
