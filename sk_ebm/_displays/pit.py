"""Probability integral transforms of answers: uniform where predictive distributions are right."""

import numpy as np

from sk_ebm._displays.base import BLUE, COLOURS, GREY, Display, binomial_band, final_model, refuse
from sk_ebm._utils.validation import check_number
from sk_ebm.distributions import Distribution


class PITDisplay(Display):
    """Histogram of F(y given x) of answers, which is flat where the distributions are right.

    It has the shape of a U where they are too narrow, of a hill where they are too wide, and
    slopes where they are shifted. Of rounded answers and point masses, the mass between P(Y < y)
    and P(Y <= y) is spread evenly [1]_. The band holds 95 % of the bars of right distributions.

    Parameters
    ----------
    shares : ndarray of shape (n_bins,) or (n_bins, n_targets)
        Of the rows in each of these equally wide bins.
    n_samples : int
    names : list of str, default=None
        Of the targets.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    References
    ----------
    .. [1] Czado, Gneiting and Held, "Predictive model assessment for count data", Biometrics, 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_ebm.displays import PITDisplay
    >>> values = np.linspace(0.005, 0.995, 100)
    >>> PITDisplay.from_predictions(None, values, n_bins=4).shares
    array([0.25, 0.25, 0.25, 0.25])
    """

    def __init__(self, *, shares, n_samples, names=None):
        self.shares = shares
        self.n_samples = n_samples
        self.names = names

    @classmethod
    def from_estimator(cls, estimator, X, y, *, n_bins=10, ax=None, **kwargs):
        """Compute F(y given x) of held-out rows, and draw its histogram.

        Parameters
        ----------
        estimator : fitted EnergyDensityEstimator, or pipeline or search that ends with one
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        n_bins : int, default=10
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.bar``, or of ``ax.stairs`` with several targets.

        Returns
        -------
        display : PITDisplay
        """
        model, read = final_model(estimator)
        if not hasattr(model, "cdf"):
            refuse(
                cls.__name__, model, "the calibration of EnergyDensityEstimator(conditional=True)"
            )
        rows, y_true = read(X), np.asarray(y, dtype=float)
        names = [str(name) for name in getattr(y, "columns", ())] or None
        high, low = (model.cdf(rows, at) for at in (y_true, np.nextafter(y_true, -np.inf)))
        return cls._of_ends(low, high, n_bins, names).plot(ax, **kwargs)

    @classmethod
    def from_predictions(cls, y_true, y_pred, *, n_bins=10, ax=None, **kwargs):
        """Draw the histogram of F(y) under given distributions.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or None
        y_pred : Distribution or array-like of shape (n_samples,)
            An array holds the values F(y) themselves, and ``y_true`` is ignored.
        n_bins : int, default=10
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.bar``.

        Returns
        -------
        display : PITDisplay
        """
        if isinstance(y_pred, Distribution) or hasattr(y_pred, "cdf"):
            y_true = np.asarray(y_true, dtype=float)
            low, high = y_pred.cdf(np.nextafter(y_true, -np.inf)), y_pred.cdf(y_true)
        else:
            low = high = np.asarray(y_pred, dtype=float)
        return cls._of_ends(low, high, n_bins).plot(ax, **kwargs)

    @classmethod
    def _of_ends(cls, low, high, n_bins, names=None):
        check_number("n_bins", n_bins, 1)
        if np.min(low) < 0 or np.max(high) > 1:
            raise ValueError("y_pred must hold probabilities F(y), which are in [0, 1].")
        edges = np.linspace(0, 1, n_bins + 1).reshape(-1, *[1] * np.ndim(low))
        width = np.maximum(high - low, np.finfo(float).eps)
        below = np.where(edges == 1, 1.0, np.clip((edges - low) / width, 0, 1))
        return cls(shares=np.diff(below.mean(axis=1), axis=0), n_samples=len(low), names=names)

    def plot(self, ax=None, **kwargs):
        """Draw the histogram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.bar``, or of ``ax.stairs`` with several targets.

        Returns
        -------
        self
        """
        ax, n_bins = self._start(ax), len(self.shares)
        edges = np.linspace(0, 1, n_bins + 1)
        low, high = binomial_band(1 / n_bins, self.n_samples)[:, 0]
        ax.axhspan(low, high, color=GREY, alpha=0.3, label="95 % of calibrated bars")
        ax.axhline(1 / n_bins, color=GREY, ls=":")
        if self.shares.ndim == 1:
            options = {"color": BLUE, "alpha": 0.75, "edgecolor": "white"} | kwargs
            ax.bar(edges[:-1], self.shares, width=1 / n_bins, align="edge", **options)
        else:
            names = self.names or [f"target {k}" for k in range(self.shares.shape[1])]
            for k, (name, shares) in enumerate(zip(names, self.shares.T, strict=True)):
                options = {"color": COLOURS[k % len(COLOURS)], "lw": 2, "label": name} | kwargs
                ax.stairs(shares, edges, **options)
        ax.set(xlabel="F(y given x)", ylabel="share of rows", xlim=(0, 1), ylim=(0, None))
        ax.legend(loc="lower center")
        return self
