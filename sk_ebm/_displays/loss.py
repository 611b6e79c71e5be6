"""A loss as a function of the energies of the correct and the most offending answer."""

import numpy as np

from sk_ebm._core.gibbs import Gibbs
from sk_ebm._displays.base import ORANGE, Display, final_model, refuse, round_levels
from sk_ebm._estimators.base import resolve_loss
from sk_ebm._estimators.classifier import EnergyClassifier
from sk_ebm._utils.validation import check_number
from sk_ebm.losses import GRADED_LOSSES

_N_VALUES = 101
_SHARE_SHOWN = 98  # percent of the rows that the axes show
_MOST_POINTS = 500


class LossDisplay(Display):
    """A loss over the energies of the correct and of the most offending incorrect answer.

    Above the dashed diagonal the prediction is correct, below it is wrong. Arrows point to where
    the gradient moves both energies. Rows of a classifier are drawn where their energies lie.

    Parameters
    ----------
    plus, minus : ndarray of shape (n, n)
        Energies of the correct answer, and of the most offending one.
    values : ndarray of shape (n, n)
    gradient : ndarray of shape (n, n, 2)
    name : str
    points : ndarray of shape (n_samples, 2), default=None
        Energies of rows.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sk_ebm.displays import LossDisplay
    >>> display = LossDisplay.from_loss("hinge")
    >>> float(display.values[50, 50]), display.ax_.get_title()  # where both energies are 0
    (1.0, 'hinge')
    """

    def __init__(self, *, plus, minus, values, gradient, name, points=None):
        self.plus = plus
        self.minus = minus
        self.values = values
        self.gradient = gradient
        self.name = name
        self.points = points

    @classmethod
    def from_estimator(cls, estimator, X=None, y=None, *, ax=None, **kwargs):
        """Draw the loss that an estimator was fitted with, and where its rows lie.

        Parameters
        ----------
        estimator : fitted EnergyClassifier, or any estimator of this package with ``loss``, or \
                pipeline or search that ends with one
        X : array-like of shape (n_samples, n_features), default=None
            Rows of a classifier.
        y : array-like of shape (n_samples,), default=None
            Their classes.
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.contourf``.

        Returns
        -------
        display : LossDisplay
        """
        model, read = final_model(estimator)
        if not hasattr(model, "loss"):
            refuse(cls.__name__, model, "the losses of estimators of this package")
        points = None
        if X is not None and y is not None:
            if not isinstance(model, EnergyClassifier):
                refuse(cls.__name__, model, "the energies of rows of EnergyClassifier")
            points = _energies_of_rows(model, read(X), y)
        return cls.from_loss(model.loss, points=points, ax=ax, **kwargs)

    @classmethod
    def from_loss(cls, loss, *, limit=None, points=None, ax=None, **kwargs):
        """Draw a loss.

        Parameters
        ----------
        loss : str or Loss
            A name, as the parameter ``loss`` takes it, or a loss of two answers.
        limit : float, default=None
            Energies are drawn from ``-limit``, or 0 where the loss is for positive ones, to this.
            None means 2, or so that the points are seen.
        points : array-like of shape (n_samples, 2), default=None
            Energies of the correct and of the most offending answer of rows.
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.contourf``.

        Returns
        -------
        display : LossDisplay
        """
        component = resolve_loss(loss, GRADED_LOSSES)
        component.check()
        if component.graded:
            raise ValueError(f"loss={loss!r} is of all items of a query, not of two energies.")
        if limit is None:
            limit = 2.0 if points is None else np.percentile(np.abs(points), _SHARE_SHOWN)
        check_number("limit", limit, 0)
        axis = np.linspace(0.0 if component.positive else -limit, limit, _N_VALUES)
        plus, minus = np.meshgrid(axis, axis)
        gibbs = Gibbs(np.stack([plus.ravel(), minus.ravel()], axis=1))
        values, gradient = component(gibbs, np.zeros(plus.size, dtype=int))
        return cls(
            plus=plus,
            minus=minus,
            values=np.reshape(values, plus.shape),
            gradient=np.reshape(gradient, (*plus.shape, 2)),
            name=loss if isinstance(loss, str) else type(loss).__name__,
            points=None if points is None else np.asarray(points, dtype=float),
        ).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw the loss.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.contourf``.

        Returns
        -------
        self
        """
        ax = self._start(ax)
        levels = round_levels(self.values.min(), self.values.max())
        options = {"levels": levels, "cmap": "viridis"} | kwargs
        surface = ax.contourf(self.plus, self.minus, self.values, **options)
        self.figure_.colorbar(surface, ax=ax, label="loss")
        low, high = self.plus.min(), self.plus.max()
        ax.plot([low, high], [low, high], color="white", ls="--", lw=1.5)
        part = slice(8, None, 14)
        ax.quiver(
            self.plus[part, part],
            self.minus[part, part],
            -self.gradient[part, part, 0],
            -self.gradient[part, part, 1],
            color="white",
            alpha=0.8,
        )
        if self.points is not None:
            step = max(len(self.points) // _MOST_POINTS, 1)
            ax.scatter(*self.points[::step].T, s=10, c=ORANGE, edgecolors="black", linewidths=0.3)
        ax.set(xlim=(low, high), ylim=(low, high), title=self.name)
        ax.set(xlabel="energy of the correct answer", ylabel="energy of the most offending answer")
        return self


def _energies_of_rows(model, rows, y):
    """Energies (n, 2) of the correct class, and of the best of the others."""
    energies = model.energies(rows)
    correct = np.asarray(y)[:, None] == model.classes_
    if not correct.any(axis=1).all():
        raise ValueError(f"y must hold classes of the classifier, {model.classes_!r}.")
    return np.stack([energies[correct], np.where(correct, np.inf, energies).min(axis=1)], axis=1)
