"""Rates of false alarms: what was asked for, and what new rows show."""

import numpy as np

from sk_ebm._displays.base import BLUE, GREY, ORANGE, Display, binomial_band, final_model, refuse
from sk_ebm._estimators.detector import EnergyDetector
from sk_ebm._utils.validation import check_choice

_HIGHEST_RATE = 0.25
_N_RATES = 50


class FalseAlarmDisplay(Display):
    """Share of new compatible rows that are flagged against the rate that was asked for.

    A row is flagged at a rate where its p-value is at most this rate. The band holds 95 % of the
    shares among so many rows where the rate is exact (binomial).

    Parameters
    ----------
    target, realised : ndarray of shape (n_rates,)
    n_samples : int
        Compatible rows.
    threshold : tuple (target, realised), default=None
        The rate of the detector's own threshold, where it has one, or None, and what it realised.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import numpy as np
    >>> from sk_ebm.displays import FalseAlarmDisplay
    >>> p_values = np.arange(1, 101) / 100
    >>> display = FalseAlarmDisplay.from_predictions(None, p_values, rates=[0.05, 0.1])
    >>> display.realised
    array([0.05, 0.1 ])
    """

    def __init__(self, *, target, realised, n_samples, threshold=None):
        self.target = target
        self.realised = realised
        self.n_samples = n_samples
        self.threshold = threshold

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, rates=None, tail=None, ax=None, **kwargs):
        """Compute p-values of new rows, and draw which shares are flagged.

        Parameters
        ----------
        estimator : fitted EnergyDetector, or pipeline or search that ends with one
        X : array-like of shape (n_samples, n_features)
            Rows that the detector was not fitted on.
        y : array-like of shape (n_samples,), default=None
            +1 for compatible rows, -1 for others, which are left out; None means that all are
            compatible. With ``labels="answer"`` the answers, which are taken as compatible.
        rates : array-like of shape (n_rates,), default=None
            In (0, 1); None means 50 up to 0.25.
        tail : {None, "exponential"}, default=None
            As in `EnergyDetector.p_values`.
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.plot``.

        Returns
        -------
        display : FalseAlarmDisplay
        """
        model, read = final_model(estimator)
        if not isinstance(model, EnergyDetector):
            refuse(cls.__name__, model, "false alarms of EnergyDetector")
        check_choice("tail", tail, (None, "exponential"))
        rows = read(X)
        if model.labels == "answer" and y is not None:
            p_values, flagged = model.pair_p_values(rows, y, tail), model.predict_pairs(rows, y) < 0
            compatible = np.ones(len(p_values), dtype=bool)
        else:
            p_values, flagged = model.p_values(rows, tail), model.predict(rows) < 0
            compatible = np.ones(len(p_values), dtype=bool) if y is None else np.asarray(y) > 0
        rate = getattr(model._resolved_threshold(), "rate", None)
        flagged = flagged[compatible]
        own = None if rate is None or not len(flagged) else (rate, flagged.mean())
        return cls._of(p_values[compatible], rates, own).plot(ax, **kwargs)

    @classmethod
    def from_predictions(cls, y_true, p_values, *, rates=None, ax=None, **kwargs):
        """Draw which shares given p-values flag.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,) or None
            Above 0 for compatible rows; the others are left out. None: all are compatible.
        p_values : array-like of shape (n_samples,)
        rates : array-like of shape (n_rates,), default=None
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.plot``.

        Returns
        -------
        display : FalseAlarmDisplay
        """
        p_values = np.asarray(p_values, dtype=float)
        if y_true is not None:
            p_values = p_values[np.asarray(y_true) > 0]
        return cls._of(p_values, rates).plot(ax, **kwargs)

    @classmethod
    def _of(cls, p_values, rates, threshold=None):
        if not len(p_values):
            raise ValueError("False alarms are of compatible rows, and y says that there are none.")
        if rates is None:
            rates = np.linspace(_HIGHEST_RATE / _N_RATES, _HIGHEST_RATE, _N_RATES)
        rates = np.sort(np.asarray(rates, dtype=float))
        if rates.ndim != 1 or not len(rates) or rates[0] <= 0 or rates[-1] >= 1:
            raise ValueError(f"rates must be a list of numbers in (0, 1), got {rates!r}.")
        realised = np.mean(p_values[:, None] <= rates * (1 + 1e-9), axis=0)
        return cls(target=rates, realised=realised, n_samples=len(p_values), threshold=threshold)

    def plot(self, ax=None, **kwargs):
        """Draw target and realised rates.

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
        low, high = binomial_band(self.target, self.n_samples)
        label = f"95 % of exact detectors, {self.n_samples} rows"
        ax.fill_between(self.target, low, high, color=GREY, alpha=0.3, label=label, step="mid")
        ax.plot([0, self.target[-1]], [0, self.target[-1]], color=GREY, ls=":")
        ax.plot(
            self.target, self.realised, **{"color": BLUE, "lw": 2, "label": "p-values"} | kwargs
        )
        if self.threshold is not None:
            ax.plot(*self.threshold, "D", color=ORANGE, ms=9, label="threshold")
        ax.set(xlabel="false-alarm rate asked for", ylabel="share of compatible rows flagged")
        ax.legend(loc="upper left")
        return self
