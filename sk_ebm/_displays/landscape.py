"""The energy over two features of the inputs, or over a feature and the answer."""

import numpy as np

from sk_ebm._displays.base import ORANGE, Display, final_model, refuse, round_levels
from sk_ebm._displays.grids import axis_values, column_of, label_of, positions_of, varied
from sk_ebm._estimators.classifier import EnergyClassifier
from sk_ebm._estimators.density import EnergyDensityEstimator
from sk_ebm._estimators.detector import EnergyDetector
from sk_ebm._estimators.ranker import EnergyRanker

_HIGHEST_SHARE = 95  # percent of the grid whose energies have colours of their own


class EnergyLandscapeDisplay(Display):
    """Energies over a plane, low where things are compatible.

    Of an `EnergyDetector` or a joint density the energy of the inputs over two features, with the
    threshold; of an `EnergyClassifier` that of the best class, with the boundaries between the
    predicted classes; of an `EnergyRanker` that of an item; of a conditional density the energy of
    an answer y over one feature and y. Other features keep the values of one row.

    Parameters
    ----------
    xx0, xx1 : ndarray of shape (grid_resolution, grid_resolution)
        Values on both axes.
    response : ndarray of shape (grid_resolution, grid_resolution)
        Energies.
    xlabel, ylabel : str
    unit : str, default="energy"
        Label of the colours.
    threshold : float, default=None
        A level to draw a line at.
    regions : ndarray of int, same shape as response, default=None
        Which answer is predicted.
    points : tuple (x, y, incompatible), default=None
        Rows to draw, and a mask of those that are drawn as crosses.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    surface_ : matplotlib contour set

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_ebm import EnergyDetector
    >>> from sk_ebm.displays import EnergyLandscapeDisplay
    >>> X = load_iris().data[:, 2:]
    >>> detector = EnergyDetector("gaussian").fit(X)
    >>> display = EnergyLandscapeDisplay.from_estimator(detector, X)
    >>> display.response.shape, round(display.threshold, 2) == round(detector.threshold_, 2)
    ((100, 100), True)
    """

    def __init__(
        self,
        *,
        xx0,
        xx1,
        response,
        xlabel="feature 0",
        ylabel="feature 1",
        unit="energy",
        threshold=None,
        regions=None,
        points=None,
    ):
        self.xx0 = xx0
        self.xx1 = xx1
        self.response = response
        self.xlabel = xlabel
        self.ylabel = ylabel
        self.unit = unit
        self.threshold = threshold
        self.regions = regions
        self.points = points

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        features=None,
        row=None,
        grid_resolution=100,
        ax=None,
        **kwargs,
    ):
        """Compute the energies of a grid, and draw them.

        Parameters
        ----------
        estimator : fitted estimator of this package, or pipeline or search that ends with one
        X : array-like of shape (n_samples, n_features)
            Rows that give the ranges, and are drawn.
        y : array-like of shape (n_samples,), default=None
            Answers, for a conditional density, which needs them; rows with y of -1 are drawn as
            crosses for a detector.
        features : sequence of int or str, default=None
            The two features, or the one of a conditional density. None means the first.
        row : int, default=None
            Index of the row of X that the other features are taken from; None means one near the
            medians.
        grid_resolution : int, default=100
            Values on each axis.
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.contourf``.

        Returns
        -------
        display : EnergyLandscapeDisplay
        """
        model, read = final_model(estimator)
        of_answers = isinstance(model, EnergyDensityEstimator) and model.conditional
        if of_answers and y is None:
            raise ValueError("The energies of a conditional density are of answers: y is None.")
        positions = _plane(X, features, 1 if of_answers else 2)
        labels = [label_of(X, position) for position in positions] + ["y"]
        columns = [column_of(X, position) for position in positions]
        axes = [axis_values(X, position, grid_resolution) for position in positions]
        if of_answers:
            columns.append(np.asarray(y, dtype=float))
            axes.append(axis_values(np.reshape(y, (-1, 1)), 0, grid_resolution))
        xx0, xx1 = np.meshgrid(*axes)
        values = dict(zip(positions, (xx0.ravel(), xx1.ravel()), strict=False))
        response, details = _energies(model, read(varied(X, values, row)), xx1.ravel())
        if "regions" in details:
            details["regions"] = details["regions"].reshape(xx0.shape)
        points = (*columns, _incompatible(model, y, len(columns[0])))
        grid = {"xx0": xx0, "xx1": xx1, "response": response.reshape(xx0.shape)}
        display = cls(**grid, xlabel=labels[0], ylabel=labels[1], points=points, **details)
        return display.plot(ax, **kwargs)

    def plot(self, ax=None, *, plot_points=True, **kwargs):
        """Draw the energies.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        plot_points : bool, default=True
            Whether to draw the rows, too.
        **kwargs
            Of ``ax.contourf``.

        Returns
        -------
        self
        """
        ax = self._start(ax)
        highest = np.nanpercentile(self.response, _HIGHEST_SHARE)
        levels = round_levels(np.nanmin(self.response), highest)
        options = {"levels": levels, "extend": "max", "cmap": "viridis"} | kwargs
        self.surface_ = ax.contourf(self.xx0, self.xx1, self.response, **options)
        self.figure_.colorbar(self.surface_, ax=ax, label=self.unit)
        if self.regions is not None and np.ptp(self.regions):
            for region in np.unique(self.regions)[1:]:
                at = (self.regions >= region).astype(float)
                ax.contour(self.xx0, self.xx1, at, [0.5], colors="white", linewidths=1.5)
        if self.threshold is not None:
            ax.contour(
                self.xx0, self.xx1, self.response, [self.threshold], colors=ORANGE, linewidths=2.5
            )
            ax.plot([], [], color=ORANGE, lw=2.5, label="threshold")
        if plot_points and self.points is not None:
            self._draw_points(ax)
        if self.threshold is not None:
            ax.legend(loc="best", framealpha=0.9)
        ax.set(xlabel=self.xlabel, ylabel=self.ylabel)
        return self

    def _draw_points(self, ax):
        x, y, crosses = self.points
        ax.scatter(x[~crosses], y[~crosses], s=12, c="white", edgecolors="black", linewidths=0.5)
        ax.scatter(x[crosses], y[crosses], s=36, c=ORANGE, marker="x", linewidths=1.8)
        ax.set(xlim=(self.xx0.min(), self.xx0.max()), ylim=(self.xx1.min(), self.xx1.max()))


def _plane(X, features, n_features):
    """Positions of the features on the axes, the first ones unless they are given."""
    features = range(n_features) if features is None else features
    positions = positions_of(X, features)
    if len(positions) != n_features:
        raise ValueError(f"features must name {n_features} of the columns, got {features!r}.")
    return positions


def _energies(model, rows, answers):
    """Energies (m,) of rows, and what else is drawn."""
    if isinstance(model, EnergyDetector):
        return model.energies(rows), {"threshold": model.threshold_}
    if isinstance(model, EnergyClassifier):
        if model.reject is not None:
            return model.input_energies(rows), {"threshold": model.reject_threshold_}
        energies = model.energies(rows)
        details = {"regions": np.argmin(energies, axis=1), "unit": "energy of the best class"}
        return energies.min(axis=1), details
    if isinstance(model, EnergyRanker):
        return model.energies(rows, groups=np.zeros(len(answers), dtype=int)), {}
    if isinstance(model, EnergyDensityEstimator):
        if model.conditional:
            return -model.log_prob(rows, answers), {"unit": "-log p(y given x) in nats"}
        return -model.score_samples(rows), {"unit": "-log p(x) in nats"}
    return refuse("EnergyLandscapeDisplay", model, "the energies of estimators of this package")


def _incompatible(model, y, n_rows):
    """Rows known to be incompatible, (n,)."""
    if y is None or not isinstance(model, EnergyDetector) or model.labels == "answer":
        return np.zeros(n_rows, dtype=bool)
    return np.asarray(y) < 0
