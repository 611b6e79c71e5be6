"""Predictive distributions as a frame and as a picture."""

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support, check_pandas_support

from sk_ebm.distributions._values import as_levels

_N_POINTS = 401  # of a curve
_SHOWN = 0.999  # probability of the values that a picture shows


def frame_of(distribution, quantiles, index):
    """Mean, standard deviation and quantiles of each row, and of each target."""
    pandas = check_pandas_support("PredictiveDistribution.to_frame")
    levels = np.ravel(as_levels("quantiles", quantiles))
    columns = ["mean", "std", *(f"q{level:g}" for level in levels)]
    n_rows, n_targets = len(distribution), distribution.n_targets
    parts = [distribution.mean(), distribution.std(), distribution.ppf(levels[None])]
    parts = [part.reshape(n_rows, n_targets, -1) for part in parts]
    table = np.concatenate(parts, axis=2).reshape(n_rows, -1)
    if n_targets > 1:
        columns = pandas.MultiIndex.from_product([range(n_targets), columns])
    return pandas.DataFrame(table, index=index, columns=columns)


def plot_densities(distribution, ax):
    """A curve for each row."""
    check_matplotlib_support("PredictiveDistribution.plot")
    from matplotlib import pyplot as plt

    ax = plt.subplots()[1] if ax is None else ax
    ends = distribution.interval(_SHOWN)
    y = np.linspace(ends[:, 0].min(), ends[:, 1].max(), _N_POINTS)
    for row, density in enumerate(distribution.pdf(y[None])):
        ax.plot(y, density, label=f"row {row}")
    ax.set(xlabel="y", ylabel="density")
    return ax
