"""Predictive distributions of rows, or over a feature."""

from types import SimpleNamespace

import numpy as np

from sk_ebm._displays.base import BLUE, COLOURS, ORANGE, Display, final_model, refuse
from sk_ebm._displays.grids import axis_values, column_of, label_of, positions_of, varied
from sk_ebm._utils.validation import check_choice
from sk_ebm.distributions import RoundedDistribution, WithPointMasses

_MOST_ROWS = 6  # whose densities are told apart
_N_VALUES = 400  # of y
_N_STEPS = 120  # over the feature
_TAIL = 0.002  # of each distribution, which is not drawn
_FEW_VALUES = 60  # of a rounding grid, whose masses are drawn as stems
_LEVELS = [(0.95, 0.2), (0.8, 0.3), (0.5, 0.4)]  # coverage and opacity of the bands of a fan


class PredictiveDistributionDisplay(Display):
    """Densities p(y given x) of chosen rows, or a fan of intervals over one feature.

    ``kind="density"`` draws the density of each of up to six rows, with a line at the observed
    answer where it is known; of answers with few values the probabilities of these; point masses
    are stems whose probabilities are written beside them. ``kind="fan"`` draws the median and the
    intervals of 50, 80 and 95 % over one feature, the other features being those of one row.

    Parameters
    ----------
    curves : dict
        What is drawn: of densities for each label a namespace with ``y``, ``density`` and
        ``observed``; of a fan ``{"fan": namespace}`` with ``x``, ``quantiles`` and ``observed``.
    kind : {"density", "fan"}
    xlabel : str, default="y"

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sk_ebm import EnergyDensityEstimator
    >>> from sk_ebm.displays import PredictiveDistributionDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> density = EnergyDensityEstimator("linear", location=Ridge(), random_state=0).fit(X, y)
    >>> display = PredictiveDistributionDisplay.from_estimator(density, X[:2], y[:2])
    >>> list(display.curves)
    ['row 0', 'row 1']
    """

    def __init__(self, *, curves, kind, xlabel="y"):
        self.curves = curves
        self.kind = kind
        self.xlabel = xlabel

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, kind=None, feature=None, row=None, ax=None, **kwargs
    ):
        """Predict distributions, and draw them.

        Parameters
        ----------
        estimator : fitted EnergyDensityEstimator of one target, or pipeline or search that ends \
                with one
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Observed answers.
        kind : {"density", "fan"}, default=None
            None means a fan where a ``feature`` is given or X has more than six rows, else
            densities.
        feature : int or str, default=None
            Over which a fan is drawn; None means the first.
        row : int, default=None
            Index of the row of X that the other features are taken from; None means one near the
            medians.
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.plot``.

        Returns
        -------
        display : PredictiveDistributionDisplay
        """
        model, read = final_model(estimator)
        if not hasattr(model, "predict_distribution"):
            refuse(cls.__name__, model, "distributions of EnergyDensityEstimator(conditional=True)")
        if kind is None:
            kind = "density" if feature is None and len(X) <= _MOST_ROWS else "fan"
        check_choice("kind", kind, ("density", "fan"))
        if kind == "density":
            return cls.from_predictions(y, model.predict_distribution(read(X)), ax=ax, **kwargs)
        position = positions_of(X, [0 if feature is None else feature], "feature")[0]
        x = axis_values(X, position, _N_STEPS)
        distribution = model.predict_distribution(read(varied(X, {position: x}, row)))
        observed = None if y is None else (column_of(X, position), np.asarray(y, dtype=float))
        fan = SimpleNamespace(x=x, quantiles=_fan_quantiles(distribution), observed=observed)
        return cls(curves={"fan": fan}, kind="fan", xlabel=label_of(X, position)).plot(ax, **kwargs)

    @classmethod
    def from_predictions(cls, y_true, distribution, *, ax=None, **kwargs):
        """Draw the densities of given distributions.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or None
            Observed answers.
        distribution : Distribution
            Of at most six rows.
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.plot``.

        Returns
        -------
        display : PredictiveDistributionDisplay
        """
        if len(distribution) > _MOST_ROWS:
            raise ValueError(
                f"Densities of at most {_MOST_ROWS} rows can be told apart, got "
                f"{len(distribution)}: pass fewer rows, or kind='fan'."
            )
        observed = [None] * len(distribution) if y_true is None else np.asarray(y_true)
        curves = {
            f"row {k}": SimpleNamespace(observed=value, **curve)
            for k, (value, curve) in enumerate(zip(observed, _densities(distribution), strict=True))
        }
        return cls(curves=curves, kind="density").plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw the densities or the fan.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.plot``.

        Returns
        -------
        self
        """
        ax = self._start(ax)
        if self.kind == "fan":
            self._plot_fan(ax, self.curves["fan"], kwargs)
        else:
            for k, (label, curve) in enumerate(self.curves.items()):
                _plot_density(ax, curve, COLOURS[k], label, kwargs)
            masses = any(curve.is_mass for curve in self.curves.values())
            ylabel = "probability of y" if masses else "density of y (per unit of y)"
            ax.set(xlabel=self.xlabel, ylabel=ylabel, ylim=(0, None))
        ax.legend(loc="best")
        return self

    def _plot_fan(self, ax, fan, options):
        for k, (coverage, alpha) in enumerate(_LEVELS):
            low, high = fan.quantiles[:, k], fan.quantiles[:, -1 - k]
            label = f"{100 * coverage:.0f} % of y"
            ax.fill_between(fan.x, low, high, color=BLUE, alpha=alpha, lw=0, label=label)
        median = fan.quantiles[:, len(_LEVELS)]
        ax.plot(fan.x, median, **{"color": BLUE, "lw": 2.5, "label": "median"} | options)
        if fan.observed is not None:
            ax.plot(*fan.observed, ".", color=ORANGE, ms=4, alpha=0.7, label="rows", zorder=1)
        ax.set(xlabel=self.xlabel, ylabel="y")


def _fan_quantiles(distribution):
    """Quantiles (m, 2 k + 1) at the ends of the intervals, and the median."""
    tails = np.array([(1 - coverage) / 2 for coverage, _ in _LEVELS])
    levels = np.concatenate([tails, [0.5], 1 - tails[::-1]])
    return distribution.ppf(levels[None])


def _densities(distribution):
    """What is drawn of each row."""
    single = distribution.marginals()[0]
    few = isinstance(single, RoundedDistribution) and single.grid.shape[1] <= _FEW_VALUES
    if few:
        for y, masses in zip(single.grid, single.masses, strict=True):
            yield {"y": y, "density": masses, "is_mass": True, "points": None}
        return
    ends = distribution.interval(1 - 2 * _TAIL)
    y = np.linspace(ends[:, 0].min(), ends[:, 1].max(), _N_VALUES)
    points = _point_masses(single)
    if points:  # beside them, where there is only the continuous part
        y = np.where(np.isin(y, single.points), np.nextafter(y, np.inf), y)
    for k, density in enumerate(distribution.pdf(y[None])):
        yield {"y": y, "density": density, "is_mass": False, "points": points and points(k)}


def _point_masses(distribution):
    """A function from a row to its points and their masses, where there are any."""
    if not isinstance(distribution, WithPointMasses):
        return None
    masses = np.exp(distribution.log_masses[:, :-1])
    return lambda k: (distribution.points, masses[k])


def _plot_density(ax, curve, colour, label, options):
    options = {"color": colour, "lw": 2, "label": label} | options
    if curve.is_mass:
        options = {"marker": "o", "ls": "-", "ms": 4} | options
    ax.plot(curve.y, curve.density, **options)
    if not curve.is_mass:
        ax.fill_between(curve.y, curve.density, color=colour, alpha=0.15, lw=0)
    if curve.points is not None:
        for point, mass in zip(*curve.points, strict=True):
            height = curve.density.max()
            ax.vlines(point, 0, height, color=colour, lw=3)
            ax.annotate(f" P = {mass:.2f}", (point, height), color=colour, va="bottom")
    if curve.observed is not None:
        ax.axvline(curve.observed, color=colour, ls="--", lw=1.5)
