"""A predictive distribution around a random forest determines how much stock to order.

A missing unit costs four times as much as a surplus unit, so the order with the least expected
cost is the 0.8 quantile of the demand given the price (the newsvendor problem).

Run as ``python docs/examples/plot_density.py [picture.png]``; needs matplotlib.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestRegressor

from sk_ebm import EnergyDensityEstimator

SHORTAGE, SURPLUS = 4.0, 1.0  # cost of a unit
BEST_LEVEL = SHORTAGE / (SHORTAGE + SURPLUS)


def main(path):
    rng = np.random.RandomState(0)
    price = rng.uniform(1, 3, size=(1200, 1))
    demand = 100 / price[:, 0] * rng.gamma(4, 0.25, size=1200)
    train, test = slice(0, 800), slice(800, None)
    forest = RandomForestRegressor(min_samples_leaf=20, random_state=0)
    density = EnergyDensityEstimator(location=forest, random_state=0)
    density.fit(price[train], demand[train])
    orders = {
        "forest's mean": forest.fit(price[train], demand[train]).predict(price[test]),
        "quantile of the density": density.predict_quantile(price[test], BEST_LEVEL),
    }
    for name, order in orders.items():
        missing = demand[test] - order
        cost = np.maximum(SHORTAGE * missing, -SURPLUS * missing).mean()
        print(f"{name:25} mean cost {cost:6.2f}")

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    panel = figure.subplots()
    panel.scatter(price[test], demand[test], s=8, color="0.6", label="demand")
    prices = np.linspace(1, 3, 200)[:, None]
    low, order, high = density.predict_quantile(prices, [0.05, BEST_LEVEL, 0.95]).T
    panel.fill_between(prices[:, 0], low, high, alpha=0.3, label="90 % interval")
    panel.plot(prices[:, 0], order, label="order with the least expected cost")
    panel.set(xlabel="price", ylabel="demand")
    panel.legend()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "density.png")
