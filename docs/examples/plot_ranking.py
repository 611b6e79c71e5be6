"""A sum of a linear energy and trees ranks pictures of digits by how well they match a query.

Each query asks for a digit and its items are pictures. A picture of this digit has relevance 2, a
picture of the next digit has relevance 1. The plot shows NDCG@k of the sum and of its terms.

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
    X, y, queries = make_queries(pictures / 16, digits, 400, rng)
    train, test = queries < 200, queries >= 200

    figure = Figure(figsize=(6, 4), layout="constrained")
    panel = figure.subplots()
    ranks = np.arange(1, 16)
    for name, energy in [("linear", "linear"), ("trees", "trees"), ("sum", ["linear", "trees"])]:
        ranker = EnergyRanker(energy, random_state=0)
        ranker.fit(X[train], y[train], groups=queries[train])
        decision = ranker.predict(X[test])
        values = [ndcg(y[test], decision, queries[test], k=k) for k in ranks]
        print(f"{name:8} NDCG@10 {values[9]:.3f}")
        panel.plot(ranks, values, label=name)
    panel.set(xlabel="k", ylabel="mean NDCG@k of 200 queries")
    panel.legend()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def make_queries(pictures, digits, n_queries, rng):
    """Twenty items per query: pixels, multiplied with the mean picture of the wanted digit."""
    means = np.stack([pictures[digits == digit].mean(axis=0) for digit in range(10)])
    wanted = rng.randint(10, size=n_queries)
    shown = rng.randint(len(pictures), size=(n_queries, 20))
    X = (pictures[shown] * means[wanted][:, None]).reshape(-1, 64)
    difference = (digits[shown] - wanted[:, None]) % 10
    y = np.select([difference == 0, difference == 1], [2, 1], 0).ravel()
    return X, y, np.repeat(np.arange(n_queries), 20)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "ranking.png")
