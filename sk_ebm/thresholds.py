"""Thresholds: the energy that separates compatible from incompatible, and what it promises."""

import numpy as np
from scipy.special import expit
from scipy.stats import beta as beta_distribution
from scipy.stats import norm
from sklearn.base import BaseEstimator, clone

from sk_ebm._utils.validation import check_number

# Of the energies of compatible rows, the tail whose mean excess gives an inverse temperature.
_TAIL = 0.1
# Of the rows, in the anomalous component of a mixture at the start.
_ANOMALOUS = 0.1


class Threshold(BaseEstimator):
    """Base class of thresholds: energies of at most ``level_`` are compatible.

    ``fit(energies, weights, compatible)`` learns the level. A weight of 2 stands for two rows.
    ``compatible`` says which rows are known to be so, the others being anomalies; None means
    that all are, or that nobody knows.

    Attributes
    ----------
    in_sample : bool
        Whether it learns from energies of the rows that the energy was fitted on.
    needs_labels : bool
        Whether it learns from energies of anomalies, too.
    promise : str or None
        What holds on new compatible rows, given energies of compatible rows that the energy
        was not fitted on: "marginal", on average over such samples; "confident", for all
        but a few of them; or None.
    level_ : float
        The learned level, in the unit of the energies.
    """

    in_sample = False
    needs_labels = False
    promise: str | None = None

    def check(self):
        """Raise a ValueError if a parameter is out of range."""

    def fit(self, energies, weights=None, compatible=None):
        """Learn the level from energies (n,), weights (n,) and, where known, a mask (n,)."""
        weights = np.ones(len(energies)) if weights is None else weights
        used = weights > 0
        if not used.any():
            raise ValueError("A threshold needs at least one row of positive weight, got none.")
        compatible = compatible if compatible is None else compatible[used]
        self.level_ = float(self.learn(energies[used], weights[used], compatible))
        return self

    def learn(self, energies, weights, compatible):
        """The level for positive weights."""
        raise NotImplementedError(f"{type(self).__name__} must define learn.")


class Level(Threshold):
    """A fixed level."""

    in_sample = True

    def __init__(self, level):
        self.level = level

    def check(self):
        check_number("level", self.level, -np.inf)

    def learn(self, energies, weights, compatible):
        return self.level


class Rule(Threshold):
    """What a function of out-of-sample energies (n,) returns."""

    def __init__(self, function):
        self.function = function

    def learn(self, energies, weights, compatible):
        level = self.function(energies)
        check_number("The level that the threshold's function returned", level, -np.inf)
        return level


class Contamination(Threshold):
    """The level above which a share ``rate`` of the training rows lies: scikit-learn's meaning.

    It learns from the energies of the rows that the energy was fitted on, which are lower than
    those of new rows, so that it promises nothing about these.

    Parameters
    ----------
    rate : float, default=0.1
        In (0, 0.5].
    """

    in_sample = True

    def __init__(self, rate=0.1):
        self.rate = rate

    def check(self):
        check_number("contamination", self.rate, 0)
        check_number("contamination", self.rate, 0, 0.5, closed=True)

    def learn(self, energies, weights, compatible):
        ordered, total = _ordered(energies, weights)
        place = (total[-1] - 1) * (1 - self.rate)
        below, above = (ordered(np.floor(place) + 1), ordered(np.ceil(place) + 1))
        return below + (above - below) * (place - np.floor(place))


class FalseAlarm(Threshold):
    """The level that at most a share ``rate`` of new compatible rows exceeds.

    The level is the k-th least of n energies of compatible rows that the energy was not
    fitted on. With k = ceil((n + 1) (1 - rate)), the rate of false alarms is at most ``rate`` on
    average over such samples and new rows (split conformal prediction [1]_). With a
    ``confidence``, k is the least for which it is at most ``rate`` for all but a share
    1 - confidence of the samples, as F(E_(k)) follows a Beta(k, n + 1 - k) law [2]_. Both hold for
    any distribution, if the energies of the sample and of new rows are exchangeable.

    Parameters
    ----------
    rate : float, default=0.05
        In (0, 1).
    confidence : float, default=None
        In (0, 1); None bounds the average.

    References
    ----------
    .. [1] Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005.
    .. [2] Tong, Feng and Li, "Neyman-Pearson classification algorithms and NP receiver operating
       characteristics", Science Advances, 2018.
    """

    def __init__(self, rate=0.05, confidence=None):
        self.rate = rate
        self.confidence = confidence

    @property
    def promise(self):
        return "marginal" if self.confidence is None else "confident"

    def check(self):
        check_number("rate", self.rate, 0, 1)
        if self.confidence is not None:
            check_number("confidence", self.confidence, 0, 1)

    def learn(self, energies, weights, compatible):
        if compatible is not None:
            energies, weights = energies[compatible], weights[compatible]
        total, needed = weights.sum(), self.needed()
        if total * (1 + 1e-9) < needed:
            raise ValueError(
                f"A false-alarm rate of {self.rate}"
                + ("" if self.confidence is None else f" with confidence {self.confidence}")
                + f" needs at least {needed} compatible rows for calibration, got {total:g}. Use "
                "more rows, a higher rate, or threshold='contamination', which promises nothing."
            )
        return _ordered(energies, weights)[0](self.place(total))

    def place(self, n):
        """Which of n energies in ascending order is the level: the first that is not before it."""
        if self.confidence is None:
            return min((n + 1) * (1 - self.rate) * (1 - 1e-12), n)
        n = int(n * (1 + 1e-9))
        k = np.arange(1, n + 1)
        risk = beta_distribution.cdf(1 - self.rate, k, n + 1 - k)  # of more false alarms
        return k[risk <= (1 - self.confidence) * (1 + 1e-9)][0]

    def needed(self):
        """The least number of energies of which one can be the level."""
        if self.confidence is None:
            return int(np.ceil((1 - self.rate) / self.rate * (1 - 1e-12)))
        return int(np.ceil(np.log1p(-self.confidence) / np.log1p(-self.rate) * (1 - 1e-12)))


class _FromLabels(Threshold):
    """A level of greatest merit on rows that are known to be compatible or anomalies."""

    needs_labels = True

    def merit(self, hits, false_alarms, misses):
        """Arrays (k,) of what to maximise, given weights of rows."""
        raise NotImplementedError(f"{type(self).__name__} must define merit.")

    def learn(self, energies, weights, compatible):
        if compatible.all() or not compatible.any():
            raise ValueError(
                f"{type(self).__name__} needs compatible rows and anomalies for calibration, got "
                f"{np.sum(compatible)} and {np.sum(~compatible)}. Use more labels, or "
                "calibration='cv'."
            )
        levels, starts = np.unique(energies, return_inverse=True)
        normal = np.bincount(starts, weights * compatible, len(levels))
        anomalous = np.bincount(starts, weights * ~compatible, len(levels))
        # flagged: all rows, then all but those of the lowest energy, ..., then none
        missed = np.append(0.0, np.cumsum(anomalous))
        alarms = normal.sum() - np.append(0.0, np.cumsum(normal))
        merit = self.merit(anomalous.sum() - missed, alarms, missed)
        best = len(merit) - 1 - np.argmax(merit[::-1])  # of equal ones that with fewest alarms
        if best == len(levels):
            return levels[-1]
        if best == 0:
            return np.nextafter(levels[0], -np.inf)
        return (levels[best - 1] + levels[best]) / 2


class FScore(_FromLabels):
    """The level of greatest F score of the anomalies, on labelled rows out of sample.

    Parameters
    ----------
    weight : float, default=1.0
        Recall counts ``weight`` times as much as precision, > 0.
    """

    def __init__(self, weight=1.0):
        self.weight = weight

    def check(self):
        check_number("weight", self.weight, 0)

    def merit(self, hits, false_alarms, misses):
        square = self.weight**2
        wrong = square * misses + false_alarms
        return (1 + square) * hits / np.maximum((1 + square) * hits + wrong, np.finfo(float).tiny)


class Cost(_FromLabels):
    """The level of least cost, on labelled rows out of sample.

    Parameters
    ----------
    false_alarm : float, default=1.0
        Cost of a compatible row that is flagged, > 0.
    miss : float, default=1.0
        Cost of an anomaly that is not, > 0.
    """

    def __init__(self, false_alarm=1.0, miss=1.0):
        self.false_alarm = false_alarm
        self.miss = miss

    def check(self):
        check_number("false_alarm", self.false_alarm, 0)
        check_number("miss", self.miss, 0)

    def merit(self, hits, false_alarms, misses):
        return -(self.false_alarm * false_alarms + self.miss * misses)


class Mixture(Threshold):
    """The level where, of two normal components of the energies, the higher one prevails.

    For unlabelled rows with anomalies among them. Where two components do not fit the energies
    better than one does, by the Bayesian information criterion, nothing is flagged. It
    promises nothing: energies of compatible rows that are far from normal look like two components.
    """

    def learn(self, energies, weights, compatible):
        total, center = weights.sum(), np.average(energies, weights=weights)
        spread = np.sqrt(np.average((energies - center) ** 2, weights=weights))
        if spread == 0:
            return energies[0]
        z, share = (energies - center) / spread, weights / total
        odds, means, log_likelihood = _two_components(z, share)
        one = share @ norm.logpdf(z)
        parts = (z > means[0]) & (odds > 0)
        if 2 * total * (log_likelihood - one) <= 3 * np.log(total) or not parts.any():
            return energies.max()
        least = energies[parts].min()
        return (energies[energies < least].max() + least) / 2


def _two_components(z, share, n_iter=200):
    """Log odds (n,) of the higher of two normal components, their means, mean log-likelihood."""
    cut = _ordered(z, share)[0](1 - _ANOMALOUS)
    in_high = np.where(z > cut, 0.9, 0.1)
    for _ in range(n_iter):
        rows = share * np.stack([1 - in_high, in_high])  # (2, n)
        sizes = np.maximum(rows.sum(axis=1), 1e-12)
        means = rows @ z / sizes
        spreads = np.sqrt((rows * (z - means[:, None]) ** 2).sum(axis=1) / sizes + 1e-6)
        logs = norm.logpdf(z, means[:, None], spreads[:, None]) + np.log(sizes)[:, None]
        odds = logs[1] - logs[0]
        in_high = expit(odds)
    return odds, means, share @ np.logaddexp(*logs)


class Reference:
    """Energies of compatible rows that the energy was not fitted on, to compare others with.

    Attributes
    ----------
    energies : ndarray of shape (n,)
        Ascending.
    """

    def __init__(self, energies, weights):
        order = np.argsort(energies, kind="stable")
        self.energies = energies[order]
        self._below = np.append(0.0, np.cumsum(weights[order]))

    def p_values(self, energies):
        """(1 + #{reference >= energy}) / (1 + n), where a weight of 2 counts as two rows."""
        total = self._below[-1]
        below = self._below[np.searchsorted(self.energies, energies, side="left")]
        return (1 + total - below) / (1 + total)

    def beta(self):
        """The rate at which compatible rows get rarer with energy, above the highest tenth."""
        start = self.energies[np.searchsorted(self._below[1:], (1 - _TAIL) * self._below[-1])]
        weights = np.diff(self._below)
        above = self.energies > start
        excess = weights[above] @ (self.energies[above] - start)
        return float(weights[above].sum() / excess) if excess > 0 else 1.0


def _ordered(energies, weights):
    """The energy at a place of the ascending order, counted from 1, and cumulated weights."""
    order = np.argsort(energies, kind="stable")
    total = np.cumsum(weights[order])

    def at(place):
        index = np.searchsorted(total * (1 + 1e-12), place)
        return energies[order[min(index, len(order) - 1)]]

    return at, total


THRESHOLDS = {
    "contamination": Contamination,
    "false_alarm": FalseAlarm,
    "f_score": FScore,
    "cost": Cost,
    "mixture": Mixture,
}


def resolve_threshold(value, name="threshold"):
    """A fresh threshold from a name, a clone of one, a fixed level or a function's."""
    if isinstance(value, str) and value in THRESHOLDS:
        return THRESHOLDS[value]()
    if isinstance(value, Threshold):
        return clone(value)
    if callable(value) and not isinstance(value, type):
        return Rule(value)
    if isinstance(value, (float, int, np.number)) and not isinstance(value, bool):
        return Level(value)
    raise ValueError(
        f"{name} must be one of {sorted(THRESHOLDS)}, an instance of Threshold, a number or a "
        f"function of energies, got {value!r}."
    )
