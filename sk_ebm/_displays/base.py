"""What the displays share: axes, colours, the model at the end of a pipeline, and error bars."""

from functools import reduce

import numpy as np
from scipy.stats import beta as beta_distribution
from scipy.stats import binom
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sk_ebm._utils.bars import BLUE, ORANGE

# The others of the palette.
GREEN, PURPLE, SKY, YELLOW = "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
COLOURS = [BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW, "#000000", "#7F7F7F"]
GREY = "#6E6E6E"
_N_LEVELS = 14  # of filled contours, about
CONFIDENCE = 0.95  # of error bars and bands


def pyplot(name):
    """matplotlib.pyplot, which is imported when something is drawn."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(f"{name} needs matplotlib: pip install 'sk-ebm[plot]'.") from error
    return plt


class Display:
    """Base class of displays, as scikit-learn's: computed values, and ``plot(ax=)``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What `plot` drew on.
    figure_ : matplotlib Figure
        Its figure.
    """

    def _start(self, ax, figsize=None):
        """The axes to draw on, new ones where none are given."""
        plt = pyplot(type(self).__name__)
        if ax is None:
            ax = plt.figure(figsize=figsize, layout="constrained").add_subplot()
        self.ax_, self.figure_ = ax, ax.figure
        return ax


def round_levels(low, high):
    """Levels of filled contours, round numbers."""
    from matplotlib.ticker import MaxNLocator

    levels = MaxNLocator(_N_LEVELS).tick_values(low, high)
    return levels if len(levels) > 1 else np.array([low - 0.5, low + 0.5])


def final_model(estimator):
    """The fitted model at the end of pipelines and searches, and a function from X to what this
    model reads."""
    steps = []
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        elif isinstance(estimator, Pipeline):
            if len(estimator) > 1:
                steps.append(estimator[:-1])
            estimator = estimator[-1]
        else:
            check_is_fitted(estimator)
            return estimator, lambda X: reduce(lambda rows, step: step.transform(rows), steps, X)


def refuse(display, model, accepted):
    """A ValueError that says which estimators a display is of."""
    raise ValueError(
        f"{display} draws {accepted}, got {type(model).__name__}. Pass one of these, or a pipeline "
        "or a search that ends with one."
    )


def exact_interval(successes, trials):
    """Clopper and Pearson's interval of a probability, (2, k)."""
    tail = (1 - CONFIDENCE) / 2
    with np.errstate(invalid="ignore"):
        low = beta_distribution.ppf(tail, successes, trials - successes + 1)
        high = beta_distribution.ppf(1 - tail, successes + 1, trials - successes)
    return np.stack([np.where(successes > 0, low, 0.0), np.where(successes < trials, high, 1.0)])


def binomial_band(probability, trials):
    """Shares (2, k) between which a binomial share lies with 95 % probability."""
    tail = (1 - CONFIDENCE) / 2
    return binom.ppf([[tail], [1 - tail]], trials, np.atleast_1d(probability)) / trials
