"""A random forest gets a predictive distribution, and a stock is ordered with it.

A unit that is missing costs four times as much as one that is left over, so the order of least
expected cost is the quantile 0.8 of the demand given what is known (the newsvendor's problem).

Run as ``python docs/examples/plot_density.py [picture.png]``; needs matplotlib.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.ensemble import RandomForestRegressor

from sk_ebm import EnergyDensityEstimator

SHORT, OVER = 4.0, 1.0


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
        "quantile of the density": density.predict_quantile(price[test], SHORT / (SHORT + OVER)),
    }
    for name, order in orders.items():
        missing = demand[test] - order
        cost = np.maximum(SHORT * missing, -OVER * missing).mean()
        print(f"{name:25} mean cost {cost:6.2f}")

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    panel = figure.subplots()
    panel.scatter(price[test], demand[test], s=8, color="0.6", label="demand")
    at = np.linspace(1, 3, 200)[:, None]
    low, order, high = density.predict_quantile(at, [0.05, SHORT / (SHORT + OVER), 0.95]).T
    panel.fill_between(at[:, 0], low, high, alpha=0.3, label="90 % interval")
    panel.plot(at[:, 0], order, label="order of least expected cost")
    panel.set(xlabel="price", ylabel="demand")
    panel.legend()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "density.png")
