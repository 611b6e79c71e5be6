"""Predicted probabilities against observed frequencies."""

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from sk_ebm._displays.base import BLUE, COLOURS, GREY, Display, exact_interval
from sk_ebm._utils.validation import check_choice

_MOST_CLASSES = 6  # that are told apart by colours


class ReliabilityDisplay(Display):
    """Observed frequencies of bins of predicted probabilities, with 95 % intervals.

    With ``by="confidence"`` the probability of the predicted class, and how often this class is
    correct; with ``by="class"`` the probability of each class, and how often the row is of this
    class. Intervals are those of Clopper and Pearson.

    Parameters
    ----------
    curves : dict
        For each label of a curve a triple of arrays (n_bins,): mean predicted probability, observed
        frequency and number of rows of the bins that have rows.
    by : {"confidence", "class"}, default="confidence"

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    calibration_errors_ : dict
        For each curve the mean of |frequency - probability| over the bins, weighted by their rows.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sk_ebm import EnergyClassifier
    >>> from sk_ebm.displays import ReliabilityDisplay
    >>> X, y = load_wine(return_X_y=True)
    >>> classifier = EnergyClassifier(alpha=0.01).fit(X[::2], y[::2])
    >>> display = ReliabilityDisplay.from_estimator(classifier, X[1::2], y[1::2], n_bins=3)
    >>> display.ax_.get_ylabel()
    'share that is correct'
    """

    def __init__(self, *, curves, by="confidence"):
        self.curves = curves
        self.by = by

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, by="confidence", n_bins=10, strategy="uniform", ax=None, **kwargs
    ):
        """Predict probabilities, and draw how reliable they are.

        Parameters
        ----------
        estimator : fitted classifier with ``predict_proba``
        X : array-like of shape (n_samples, n_features)
            Held-out rows.
        y : array-like of shape (n_samples,)
        by : {"confidence", "class"}, default="confidence"
        n_bins : int, default=10
        strategy : {"uniform", "quantile"}, default="uniform"
            Bins of equal width, or of equally many rows.
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.errorbar``.

        Returns
        -------
        display : ReliabilityDisplay
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "predict_proba") or not hasattr(estimator, "classes_"):
            raise ValueError(
                f"{cls.__name__} needs a classifier with predict_proba, got "
                f"{type(estimator).__name__}. Of densities PITDisplay draws the calibration."
            )
        return cls.from_predictions(
            y,
            estimator.predict_proba(X),
            classes=estimator.classes_,
            by=by,
            n_bins=n_bins,
            strategy=strategy,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_prob,
        *,
        classes=None,
        by="confidence",
        n_bins=10,
        strategy="uniform",
        ax=None,
        **kwargs,
    ):
        """Draw how reliable given probabilities are.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
        y_prob : array-like of shape (n_samples, n_classes) or (n_samples,)
            One-dimensional probabilities are those of the second of two classes.
        classes : array-like of shape (n_classes,), default=None
            The classes of the columns; None means those of y_true, sorted.
        by, n_bins, strategy, ax, **kwargs
            As in `from_estimator`.

        Returns
        -------
        display : ReliabilityDisplay
        """
        check_choice("by", by, ("confidence", "class"))
        check_choice("strategy", strategy, ("uniform", "quantile"))
        check_consistent_length(y_true, y_prob)
        probabilities = np.asarray(y_prob, dtype=float)
        if probabilities.ndim == 1:
            probabilities = np.stack([1 - probabilities, probabilities], axis=1)
        y_true = np.asarray(y_true)
        classes = np.unique(y_true) if classes is None else np.asarray(classes)
        if len(classes) != probabilities.shape[1]:
            raise ValueError(
                f"classes must hold the class of each column of y_prob, {probabilities.shape[1]}, "
                f"got {len(classes)}: give classes=."
            )
        curves = {
            label: binned(p, hit, n_bins, strategy)
            for label, p, hit in _questions(y_true, probabilities, classes, by)
        }
        return cls(curves=curves, by=by).plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.errorbar``.

        Returns
        -------
        self
        """
        ax = self._start(ax)
        ax.plot([0, 1], [0, 1], color=GREY, ls=":", label="calibrated")
        colours = [BLUE] if self.by == "confidence" else COLOURS
        self.calibration_errors_ = {}
        for k, (label, (predicted, observed, counts)) in enumerate(self.curves.items()):
            error = np.average(np.abs(observed - predicted), weights=counts)
            self.calibration_errors_[label] = float(error)
            low, high = exact_interval(observed * counts, counts)
            options = {"marker": "osD^vP"[k % 6], "capsize": 3, "lw": 1.5} | kwargs
            ax.errorbar(
                predicted,
                observed,
                yerr=[observed - low, high - observed],
                color=colours[k % len(colours)],
                label=f"{label}: mean error {error:.3f}",
                **options,
            )
        confident = self.by == "confidence"
        ax.set_xlabel(
            "probability of the predicted class" if confident else "probability of a class"
        )
        ax.set_ylabel("share that is correct" if confident else "share of rows of the class")
        ax.legend(loc="best")
        return self


def binned(probabilities, hits, n_bins, strategy):
    """Mean probability, frequency and number of rows of each bin that has rows."""
    edges = np.linspace(0, 1, n_bins + 1)
    if strategy == "quantile":
        edges = np.unique(np.quantile(probabilities, edges))
    bins = np.clip(
        np.searchsorted(edges, probabilities, side="right") - 1, 0, max(len(edges) - 2, 0)
    )
    counts = np.bincount(bins)
    used = counts > 0
    sums = np.bincount(bins, probabilities)[used], np.bincount(bins, hits)[used]
    return sums[0] / counts[used], sums[1] / counts[used], counts[used]


def _questions(y_true, probabilities, classes, by):
    """Label, probabilities and hits of each curve."""
    if by == "confidence":
        best = probabilities.argmax(axis=1)
        yield "all classes", probabilities.max(axis=1), (classes[best] == y_true).astype(float)
        return
    if len(classes) == 2:
        yield str(classes[1]), probabilities[:, 1], (y_true == classes[1]).astype(float)
        return
    frequent = sorted(range(len(classes)), key=lambda k: -np.sum(y_true == classes[k]))
    for k in sorted(frequent[:_MOST_CLASSES]):
        yield str(classes[k]), probabilities[:, k], (y_true == classes[k]).astype(float)
