"""A table beside rows that a joint density draws."""

import numpy as np
from scipy.stats import spearmanr

from sk_ebm._displays.base import BLUE, ORANGE, Display, final_model, pyplot, refuse
from sk_ebm._displays.grids import column_of, feature_names
from sk_ebm._estimators.density import EnergyDensityEstimator

_MOST_COLUMNS = 11  # and one panel of correlations
_N_BINS = 25
_FEW_VALUES = 12  # of a column, which are then drawn apart


class TableComparisonDisplay(Display):
    """Histograms of each column of a table and of drawn rows, and their rank correlations.

    The last panel has a dot for each pair of columns: Spearman's correlation of the table, and of
    the drawn rows. The title of a panel is the greatest difference of the two cdfs (Kolmogorov and
    Smirnov).

    Parameters
    ----------
    table, drawn : ndarray of shape (n, n_features)
    names : list of str

    Attributes
    ----------
    distances : ndarray of shape (n_features,)
        Greatest differences of the cdfs of the columns.
    correlations : tuple of two ndarray of shape (n_pairs,)
        Of the table, and of the drawn rows.
    ax_ : ndarray of matplotlib Axes
        One for each column that is drawn, and one for the correlations.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sk_ebm import EnergyDensityEstimator
    >>> from sk_ebm.displays import TableComparisonDisplay
    >>> X = load_iris().data
    >>> density = EnergyDensityEstimator("linear", conditional=False, random_state=0).fit(X)
    >>> display = TableComparisonDisplay.from_estimator(density, X, random_state=0)
    >>> bool(display.distances.max() < 0.25)
    True
    """

    def __init__(self, *, table, drawn, names):
        self.table = table
        self.drawn = drawn
        self.names = names
        self.distances = np.array(
            [
                _distance(a[~np.isnan(a)], b[~np.isnan(b)])
                for a, b in zip(table.T, drawn.T, strict=True)
            ]
        )
        self.correlations = _correlations(table), _correlations(drawn)

    @classmethod
    def from_estimator(cls, estimator, X, *, n_samples=None, random_state=None, ax=None, **kwargs):
        """Draw rows from a joint density, and compare them with a table.

        Parameters
        ----------
        estimator : fitted EnergyDensityEstimator with ``conditional=False``
        X : array-like of shape (n_samples, n_features)
        n_samples : int, default=None
            Rows to draw; None means as many as X has.
        random_state : int, RandomState instance or None, default=None
        ax : matplotlib Axes, default=None
            Is divided into panels.
        **kwargs
            Of ``ax.hist``.

        Returns
        -------
        display : TableComparisonDisplay
        """
        model, read = final_model(estimator)
        if not isinstance(model, EnergyDensityEstimator) or model.conditional:
            refuse(cls.__name__, model, "rows of EnergyDensityEstimator(conditional=False)")
        rows = read(X)
        n_samples = len(rows) if n_samples is None else n_samples
        drawn = model.sample(n_samples=n_samples, random_state=random_state)
        return cls.from_predictions(rows, drawn, ax=ax, **kwargs)

    @classmethod
    def from_predictions(cls, X, X_drawn, *, ax=None, **kwargs):
        """Compare two tables of the same columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        X_drawn : array-like of shape (m, n_features)
        ax : matplotlib Axes, default=None
            Is divided into panels.
        **kwargs
            Of ``ax.hist``.

        Returns
        -------
        display : TableComparisonDisplay
        """
        n_features = np.shape(X)[1]
        if np.shape(X_drawn)[1:] != (n_features,):
            raise ValueError(
                f"X_drawn must have the {n_features} columns of X, got shape {np.shape(X_drawn)}."
            )
        table, drawn = (
            np.stack([column_of(rows, k) for k in range(n_features)], axis=1)
            for rows in (X, X_drawn)
        )
        names = [name if isinstance(name, str) else f"feature {name}" for name in feature_names(X)]
        return cls(table=table, drawn=drawn, names=names).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw the panels.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Is divided into panels.
        **kwargs
            Of ``ax.hist``.

        Returns
        -------
        self
        """
        worst = np.argsort(-self.distances, kind="stable")[:_MOST_COLUMNS]
        panels = self._panels(ax, len(worst) + (len(self.correlations[0]) > 0))
        for panel, k in zip(panels, sorted(worst), strict=False):
            self._plot_column(panel, k, kwargs)
        if len(self.correlations[0]):
            self._plot_correlations(panels[-1])
        panels[0].legend(loc="best", fontsize="small")
        self.ax_, self.figure_ = panels, panels[0].figure
        return self

    def _panels(self, ax, n_panels):
        """Axes in a grid, in place of those that are given."""
        n_columns = int(np.ceil(np.sqrt(n_panels)))
        n_rows = int(np.ceil(n_panels / n_columns))
        plt = pyplot(type(self).__name__)
        if ax is None:
            figure = plt.figure(figsize=(2.9 * n_columns, 2.4 * n_rows), layout="constrained")
            grid = figure.add_gridspec(n_rows, n_columns)
        else:
            figure = ax.figure
            grid = ax.get_subplotspec().subgridspec(n_rows, n_columns, wspace=0.5, hspace=0.7)
            ax.set_axis_off()
        return np.array(
            [figure.add_subplot(grid[k // n_columns, k % n_columns]) for k in range(n_panels)]
        )

    def _plot_column(self, panel, k, options):
        table, drawn = self.table[:, k], self.drawn[:, k]
        style = {"bins": _bins(table, drawn), "density": True} | options
        panel.hist(table, color=BLUE, alpha=0.55, label="table", **style)
        panel.hist(drawn, color=ORANGE, histtype="step", lw=2, label="drawn", **style)
        panel.set_title(f"largest difference {self.distances[k]:.2f}", fontsize="small")
        panel.set(xlabel=self.names[k], yticks=[])

    def _plot_correlations(self, panel):
        panel.plot([-1, 1], [-1, 1], color="black", ls=":", lw=1)
        panel.plot(*self.correlations, "o", color=BLUE, ms=5, mec="white")
        panel.set_title("rank correlations", fontsize="small")
        panel.set(
            xlabel="of the table", ylabel="of drawn rows", xlim=(-1.05, 1.05), ylim=(-1.05, 1.05)
        )


def _bins(table, drawn):
    values = np.unique(table[~np.isnan(table)])
    if len(values) <= _FEW_VALUES:
        middle = (values[1:] + values[:-1]) / 2
        ends = [np.nanmin([values[0], *drawn]) - 0.5, np.nanmax([values[-1], *drawn]) + 0.5]
        return np.concatenate([ends[:1], middle, ends[1:]])
    both = np.concatenate([table, drawn])
    return np.linspace(*np.nanpercentile(both, [0.5, 99.5]), _N_BINS + 1)


def _distance(a, b):
    """The greatest difference of the cdfs of two samples, with ties as they are."""
    values = np.concatenate([a, b])
    cdfs = (np.searchsorted(np.sort(x), values, side="right") / len(x) for x in (a, b))
    return np.max(np.abs(next(cdfs) - next(cdfs)))


def _correlations(X):
    """Rank correlations of all pairs of columns that vary."""
    if X.shape[1] < 2:
        return np.empty(0)
    with np.errstate(invalid="ignore"):
        pairs = np.triu_indices(X.shape[1], 1)
        matrix = np.ones((X.shape[1],) * 2)
        for i, j in zip(*pairs, strict=True):
            if np.nanmin(X[:, i]) < np.nanmax(X[:, i]) and np.nanmin(X[:, j]) < np.nanmax(X[:, j]):
                matrix[i, j] = spearmanr(X[:, i], X[:, j], nan_policy="omit").statistic
            else:
                matrix[i, j] = 0.0
    return matrix[pairs]
