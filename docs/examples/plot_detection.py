"""Wrong labels of handwritten digits are detected as answers that do not fit their inputs.

One label in twenty is changed. A classifier gives the energy of each pair of input and label, and
the threshold flags the expected share of wrong labels. The result is compared with a ranking by
the cross-validated probability of the label. The picture shows the pairs with the highest energy.

Run as ``python docs/examples/plot_detection.py [picture.png]``; needs matplotlib.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyClassifier, EnergyDetector
from sk_ebm.thresholds import Contamination

SHARE = 0.05


def main(path):
    X, y = load_digits(return_X_y=True)
    rng = np.random.RandomState(0)
    wrong = rng.uniform(size=len(y)) < SHARE
    labels = np.where(wrong, (y + rng.randint(1, 10, len(y))) % 10, y)

    energy = make_pipeline(StandardScaler(), EnergyClassifier("kernel", random_state=0))
    detector = EnergyDetector(energy, labels="answer", threshold=Contamination(SHARE))
    detector.fit(X, labels)
    peer = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    p = cross_val_predict(peer, X, labels, method="predict_proba")[np.arange(len(y)), labels]
    for name, flagged in {
        "EnergyDetector": detector.predict_pairs(X, labels) == -1,
        "LogisticRegression": p <= np.quantile(p, SHARE),
    }.items():
        precision, recall = precision_score(wrong, flagged), recall_score(wrong, flagged)
        print(f"{name:20} precision {precision:.2f}   recall {recall:.2f}")

    figure = Figure(figsize=(9, 3.4), layout="constrained")
    order = np.argsort(-detector.pair_energies(X, labels))
    for panel, i in zip(figure.subplots(2, 8).ravel(), order, strict=False):
        panel.imshow(X[i].reshape(8, 8), cmap="gray_r")
        panel.set_title(f"label {labels[i]}, truly {y[i]}", fontsize=9)
        panel.set_axis_off()
    figure.suptitle("Pairs with the highest energy: given label and true label")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "detection.png")
