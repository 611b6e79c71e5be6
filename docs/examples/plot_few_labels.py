"""An analyst labels the rows that a detector asks for, five at a time.

The digit 8 is rare among handwritten digits, and the detector starts with one of them. The picture
shows the AUC of new rows by the number of rows that were labelled: those that `query` asks for, and
as many rows drawn at random. Beside them are the detector without labels and, where PyOD is
installed, its XGBOD with the same labels.

Run as ``python docs/examples/plot_few_labels.py [picture.png]``; needs matplotlib.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from sk_ebm import EnergyDetector

ROUNDS, ROWS_A_ROUND = 6, 5


def rows():
    """Training and test rows, and which of them are the digit 8."""
    X, digit = load_digits(return_X_y=True)
    kept = np.append(np.flatnonzero(digit != 8), np.flatnonzero(digit == 8)[:80])
    anomalous = digit[kept] == 8
    return train_test_split(X[kept], anomalous, stratify=anomalous, random_state=0)


def areas(choose, X, X_test, anomalous, anomalous_test):
    """The AUC after each round, and all labels: -1 anomaly, 1 compatible, 0 unknown."""
    y = np.zeros(len(X), dtype=int)
    y[np.flatnonzero(anomalous)[0]] = -1
    detector = EnergyDetector(labels="anomaly", random_state=0).fit(X, y)
    found = [roc_auc_score(anomalous_test, detector.energies(X_test))]
    for _ in range(ROUNDS):
        chosen = choose(detector, X, y)
        y[chosen] = np.where(anomalous[chosen], -1, 1)
        detector.add_labels(X[chosen], y[chosen])
        found.append(roc_auc_score(anomalous_test, detector.energies(X_test)))
    return found, y


def main(path):
    X, X_test, anomalous, anomalous_test = data = rows()
    rng = np.random.RandomState(0)
    blind = EnergyDetector(random_state=0).fit(X)
    without = roc_auc_score(anomalous_test, blind.energies(X_test))
    asked, y = areas(lambda detector, X, y: detector.query(X, ROWS_A_ROUND), *data)
    drawn, _ = areas(
        lambda detector, X, y: rng.choice(np.flatnonzero(y == 0), ROWS_A_ROUND, replace=False),
        *data,
    )
    print(f"{'without labels':22} AUC {without:.3f}")
    for name, found in (("rows asked for", asked), ("rows drawn", drawn)):
        print(f"{name:22} AUC {found[0]:.3f} with one label, {found[-1]:.3f} after all rounds")
    print(f"{'anomalies found':22} {np.sum(y == -1)} of {anomalous.sum()}")

    figure = Figure(figsize=(6.5, 3.8), layout="constrained")
    panel, labelled = figure.subplots(), 1 + ROWS_A_ROUND * np.arange(ROUNDS + 1)
    panel.plot(labelled, asked, "o-", label="rows that query asks for")
    panel.plot(labelled, drawn, "s-", label="rows drawn at random")
    panel.axhline(without, color="0.5", linestyle="--", label="without labels")
    if find_spec("pyod"):
        from pyod.models.xgbod import XGBOD

        peer = XGBOD(random_state=0).fit(X, (y == -1).astype(int))
        area = roc_auc_score(anomalous_test, peer.decision_function(X_test))
        panel.plot(labelled[-1:], [area], "k^", label="XGBOD, all labels asked for")
        print(f"{'XGBOD':22} AUC {area:.3f} with the same labels")
    panel.set_xlabel("labelled rows")
    panel.set_ylabel("AUC of new rows")
    panel.legend()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "few_labels.png")
