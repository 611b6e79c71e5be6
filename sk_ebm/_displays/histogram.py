"""Energies of compatible and incompatible rows, and the threshold between them."""

import numpy as np
from sklearn.utils import check_consistent_length

from sk_ebm._displays.base import BLUE, ORANGE, Display, final_model, refuse
from sk_ebm._estimators.classifier import EnergyClassifier
from sk_ebm._estimators.detector import EnergyDetector
from sk_ebm._estimators.ranker import EnergyRanker

_HIGHEST_SHARE = 99.0  # percent of the energies that the axis shows
_GUARANTEES = {
    "none": "no guarantee",
    "approximate": "guarantee: approximate",
    "marginal": "guarantee: on average",
    "confident": "guarantee: with confidence",
}


class EnergyHistogramDisplay(Display):
    """Histograms of the energies of compatible and of incompatible rows, with the threshold.

    Parameters
    ----------
    energies : ndarray of shape (n_samples,)
    compatible : ndarray of bool, shape (n_samples,), default=None
        None means that this is not known: there is one histogram.
    threshold : float, default=None
    guarantee : str, default=None
        What the threshold guarantees on new rows, as ``guarantee_`` of an `EnergyDetector`.
    labels : pair of str, default=("compatible", "incompatible")
    unit : str, default="energy"
        Label of the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sk_ebm.displays import EnergyHistogramDisplay
    >>> display = EnergyHistogramDisplay.from_predictions(
    ...     [1, 1, 1, -1], [0.1, 0.3, 0.2, 4.0], threshold=1.0
    ... )
    >>> display.ax_.get_xlabel()
    'energy'
    """

    def __init__(
        self,
        *,
        energies,
        compatible=None,
        threshold=None,
        guarantee=None,
        labels=("compatible", "incompatible"),
        unit="energy",
    ):
        self.energies = energies
        self.compatible = compatible
        self.threshold = threshold
        self.guarantee = guarantee
        self.labels = labels
        self.unit = unit

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, groups=None, ax=None, **kwargs):
        """Compute energies of rows, and draw their histograms.

        Parameters
        ----------
        estimator : fitted EnergyDetector, EnergyClassifier or EnergyRanker, or pipeline or search \
                that ends with one
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Of a detector +1 for compatible rows and -1 for others, or with ``labels="answer"`` the
            answers. Of a classifier the classes: with ``reject`` the energies are those of the
            inputs, and rows of other classes are incompatible; else those of the correct class
            and of the best of the others, in nats. Of a ranker the relevance.
        groups : array-like of shape (n_samples,), default=None
            Queries of a ranker.
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.hist``.

        Returns
        -------
        display : EnergyHistogramDisplay
        """
        model, read = final_model(estimator)
        rows = read(X)
        if isinstance(model, EnergyDetector):
            details = _of_detector(model, rows, y)
        elif isinstance(model, EnergyClassifier):
            details = _of_classifier(model, rows, y)
        elif isinstance(model, EnergyRanker):
            relevant = None if y is None else np.asarray(y) > 0
            details = {
                "energies": model.energies(rows, groups),
                "compatible": relevant,
                "threshold": model.level_,
                "labels": ("relevant", "not relevant"),
            }
        else:
            refuse(cls.__name__, model, "energies of detectors, classifiers and rankers")
        return cls(**details).plot(ax, **kwargs)

    @classmethod
    def from_predictions(
        cls, y_true, energies, *, threshold=None, guarantee=None, ax=None, **kwargs
    ):
        """Draw histograms of given energies.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or None
            Above 0 for compatible rows, else incompatible.
        energies : array-like of shape (n_samples,)
        threshold : float, default=None
        guarantee : {"none", "approximate", "marginal", "confident"}, default=None
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.hist``.

        Returns
        -------
        display : EnergyHistogramDisplay
        """
        compatible = None if y_true is None else np.asarray(y_true) > 0
        check_consistent_length(energies, compatible)
        display = cls(
            energies=np.asarray(energies, dtype=float),
            compatible=compatible,
            threshold=threshold,
            guarantee=guarantee,
        )
        return display.plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw the histograms.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.hist``.

        Returns
        -------
        self
        """
        ax = self._start(ax)
        options = {"bins": self._bins(), "alpha": 0.7, "density": True} | kwargs
        for energies, label, colour, hatch in self._kinds():
            shown = np.clip(energies, options["bins"][0], options["bins"][-1])
            label = f"{label} ({len(energies)})"
            ax.hist(shown, color=colour, label=label, hatch=hatch, edgecolor="white", **options)
        if self.threshold is not None and np.isfinite(self.threshold):
            ax.axvline(self.threshold, color="black", lw=2, ls="--", label=self._threshold_label())
        ax.set(xlabel=self.unit, ylabel="density of rows")
        ax.legend(loc="best")
        return self

    def _kinds(self):
        """Energies, label, colour and hatching of each histogram that has rows."""
        if self.compatible is None:
            return [(self.energies, "rows", BLUE, None)]
        kinds = zip(
            (self.compatible, ~self.compatible),
            self.labels,
            (BLUE, ORANGE),
            (None, "//"),
            strict=True,
        )
        return [(self.energies[rows], *style) for rows, *style in kinds if rows.any()]

    def _bins(self):
        """Edges; energies beyond the last are drawn in the last bin."""
        finite = self.energies[np.isfinite(self.energies)]
        low, high = finite.min(), np.percentile(finite, _HIGHEST_SHARE)
        if self.threshold is not None and np.isfinite(self.threshold):
            low, high = min(low, self.threshold), max(high, self.threshold)
        return np.linspace(low, high + 1e-9 * (1 + abs(high)) + 0.02 * (high - low), 31)

    def _threshold_label(self):
        guarantee = _GUARANTEES.get(self.guarantee, self.guarantee)
        return "threshold" if guarantee is None else f"threshold, {guarantee}"


def _of_detector(model, rows, y):
    if model.labels == "answer" and y is not None:
        energies, threshold = model.pair_energies(rows, y), model.pair_threshold_
        return {"energies": energies, "threshold": threshold, "guarantee": model.guarantee_}
    return {
        "energies": model.energies(rows),
        "compatible": None if y is None else np.asarray(y) > 0,
        "threshold": model.threshold_,
        "guarantee": model.guarantee_,
    }


def _of_classifier(model, rows, y):
    if model.reject is not None:
        return {
            "energies": model.input_energies(rows),
            "compatible": None if y is None else np.isin(y, model.classes_),
            "threshold": model.reject_threshold_,
            "guarantee": model.guarantee_,
            "labels": ("known classes", "other classes"),
        }
    if y is None:
        raise ValueError(
            "The energies of a classifier are of classes: y must hold these, not None."
        )
    energies = -model.predict_log_proba(rows)
    correct = np.asarray(y)[:, None] == model.classes_
    known = correct.any(axis=1)
    others = np.where(correct, np.inf, energies)[known].min(axis=1)
    return {
        "energies": np.concatenate([energies[correct], others]),
        "compatible": np.repeat([True, False], known.sum()),
        "labels": ("correct class", "best other class"),
        "unit": "energy -log p(y given x) in nats",
    }
