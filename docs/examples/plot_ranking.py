"""A sum of a linear energy and trees orders pictures of digits by how well they fit a wish.

Each query asks for a digit; its items are pictures, the wished digit worth 2, the next one worth 1.
The picture shows NDCG@k of the sum and of its terms.

Run as ``python docs/examples/plot_ranking.py [picture.png]``; needs matplotlib and LightGBM.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from sk_ebm import EnergyRanker
from sk_ebm.metrics import ndcg


def main(path):
    rng = np.random.RandomState(0)
    pictures, digits = load_digits(return_X_y=True)
    X, y, queries = asked(pictures / 16, digits, 400, rng)
    train, test = queries < 200, queries >= 200

    figure = Figure(figsize=(6, 4), layout="constrained")
    panel = figure.subplots()
    places = np.arange(1, 16)
    for name, energy in [("linear", "linear"), ("trees", "trees"), ("sum", ["linear", "trees"])]:
        ranker = EnergyRanker(energy, random_state=0)
        ranker.fit(X[train], y[train], groups=queries[train])
        decision = ranker.predict(X[test])
        values = [ndcg(y[test], decision, queries[test], k=k) for k in places]
        print(f"{name:8} NDCG@10 {values[9]:.3f}")
        panel.plot(places, values, label=name)
    panel.set(xlabel="k", ylabel="mean NDCG@k of 200 queries")
    panel.legend()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def asked(pictures, digits, n_queries, rng):
    """Rows of the pixels around the mean picture of the wished digit: twenty for each query."""
    means = np.stack([pictures[digits == digit].mean(axis=0) for digit in range(10)])
    wished = rng.randint(10, size=n_queries)
    shown = rng.randint(len(pictures), size=(n_queries, 20))
    X = (pictures[shown] * means[wished][:, None]).reshape(-1, 64)
    away = (digits[shown] - wished[:, None]) % 10
    y = np.select([away == 0, away == 1], [2, 1], 0).ravel()
    return X, y, np.repeat(np.arange(n_queries), 20)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "ranking.png")
