"""
How does the spread of an answer depend on an input?
====================================================

The spread of y is least in the middle. The predictive distributions know that: half of the rows lie
in the dark band everywhere.
"""

import numpy as np

from sk_ebm import EnergyDensityEstimator
from sk_ebm.displays import PredictiveDistributionDisplay

rng = np.random.RandomState(0)
x = rng.uniform(-3, 3, 400)
y = np.sin(x) + 0.1 * (1 + x**2 / 3) * rng.standard_normal(400)
density = EnergyDensityEstimator(random_state=0).fit(x[:, None], y)
PredictiveDistributionDisplay.from_estimator(density, x[:, None], y)
print(f"log-likelihood {density.score(x[:, None], y):.2f} nats")
