"""Thresholds: the energy that separates compatible from incompatible rows."""

import numpy as np
from scipy.special import betaln
from scipy.stats import beta as beta_distribution
from sklearn.base import BaseEstimator, clone

from sk_ebm._core.discoveries import discoveries
from sk_ebm._core.outliers import as_counts, outlier_level
from sk_ebm._utils.html import Boxes
from sk_ebm._utils.validation import check_number
from sk_ebm._utils.warnings import warn_user

# Relative error up to which numbers of rows, which sums of weights and (n + 1) (1 - rate) give,
# count as equal: at n = 10^7 these are off by 1e-9.
_ROUNDING = 1e-9


class Threshold(Boxes, BaseEstimator):
    """Base class of thresholds: energies of at most ``level_`` are compatible.

    ``fit(energies, weights, compatible)`` learns the level. A weight of 2 stands for two rows.
    ``compatible`` says which rows are known to be compatible, the others being anomalies; None
    means that this is not known, or that all are compatible.

    To write one, define ``learn`` and those of the attributes that differ from the defaults.

    Attributes
    ----------
    in_sample : bool
        Whether it learns from energies of the rows that the energy was fitted on, not from
        held-out rows.
    needs_labels : bool
        Whether it learns from energies of anomalies, too.
    guarantee : {None, "marginal", "confident"}
        What holds for the rate of false alarms among new compatible rows, if the threshold learns
        from held-out compatible rows. "marginal": it is at most the rate that was asked for, on
        average over samples; "confident": it is at most this rate for almost all samples; None:
        nothing.
    estimates_share : bool
        Whether it separates anomalies without labels: then energies in nats are those of the rows
        that are none.
    fixed : bool
        Whether the level is given, so that no rows are needed.
    level_ : float
        The learned level, in the unit of the energies.
    """

    in_sample = False
    fixed = False
    needs_labels = False
    guarantee: str | None = None
    estimates_share = False

    def check(self):
        """Raise a ValueError if a parameter is out of range."""

    def check_rows(self, n_compatible):
        """Raise a ValueError if so many compatible rows are too few to learn from."""

    def fit(self, energies, weights=None, compatible=None):
        """Learn the level from energies (n,), weights (n,) and, where known, a mask (n,)."""
        weights = np.ones(len(energies)) if weights is None else weights
        used = weights > 0
        if not (used.any() or self.fixed):
            raise ValueError("A threshold needs at least one row of positive weight, got none.")
        compatible = compatible if compatible is None else compatible[used]
        self.level_ = float(self.learn(energies[used], weights[used], compatible))
        return self

    def learn(self, energies, weights, compatible):
        """The level for positive weights."""
        raise NotImplementedError(f"{type(self).__name__} must define learn.")


def conformal_quantile(energies, rate, weights=None):
    """The energy that new rows exceed with a probability of at most ``rate``.

    It is the k-th smallest of n held-out energies, where k = ceil((n + 1) (1 - rate)). The bound
    holds on average over held-out and new rows, for any distribution, if they are exchangeable
    (split conformal prediction [1]_).

    Parameters
    ----------
    energies : ndarray of shape (n,)
        Energies of rows that the energy was not fitted on.
    rate : float
        In (0, 1).
    weights : ndarray of shape (n,), default=None
        A weight of 2 stands for two rows; None means that all are 1.

    Returns
    -------
    level : float

    Raises
    ------
    ValueError
        If there are fewer than 1 / rate - 1 rows.

    References
    ----------
    .. [1] Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_ebm.thresholds import conformal_quantile
    >>> float(conformal_quantile(np.arange(1.0, 100.0), rate=0.1))
    90.0
    """
    weights = np.ones(len(energies)) if weights is None else weights
    n = weights.sum()
    _check_enough(n, _rows_needed(rate), f"rate={rate}", "rows", "Use more rows or a higher rate.")
    return _order_statistic(energies, weights, min((n + 1) * (1 - rate) * (1 - _ROUNDING), n))


def _rows_needed(rate):
    """The least n for which k = ceil((n + 1) (1 - rate)) is at most n."""
    return int(np.ceil((1 - rate) / rate * (1 - _ROUNDING)))


def _is_enough(n, needed):
    return n * (1 + _ROUNDING) >= needed


def _check_enough(n, needed, setting, rows, remedy):
    if not _is_enough(n, needed):
        raise ValueError(f"{setting} needs at least {needed} {rows}, got {n:g}. {remedy}")


def _order_statistic(energies, weights, rank):
    """The energies at ranks of their ascending order, from 1; a weight of 2 takes two ranks."""
    order = np.argsort(energies, kind="stable")
    last_ranks = np.cumsum(weights[order]) * (1 + _ROUNDING)
    index = np.searchsorted(last_ranks, rank)
    return energies[order[np.minimum(index, len(order) - 1)]]


class Level(Threshold):
    """A fixed level: energies above ``level`` are flagged.

    Parameters
    ----------
    level : float
        In the unit of the energies; finite.
    """

    in_sample = True
    fixed = True

    def __init__(self, level):
        self.level = level

    def check(self):
        check_number("level", self.level, -np.inf)

    def learn(self, energies, weights, compatible):
        return self.level


class Rule(Threshold):
    """The level that a function of held-out energies (n,) returns.

    Parameters
    ----------
    function : callable
        ``function(energies)`` returns a float. A model that is saved, by pickle or skops, needs a
        function that can be imported: one of a module, not a lambda.
    """

    def __init__(self, function):
        self.function = function

    def learn(self, energies, weights, compatible):
        level = self.function(energies)
        check_number("The level that the threshold's function returned", level, -np.inf)
        return level


class Contamination(Threshold):
    """The level above which a share ``rate`` of the training rows lies, as in scikit-learn.

    It learns from the energies of the rows that the energy was fitted on, which are lower than
    those of new rows. It therefore guarantees nothing about new rows. Rows with equal energies at
    the level are flagged if this is nearer to ``rate``.

    Parameters
    ----------
    rate : float, default=0.1
        In (0, 0.5].
    """

    in_sample = True

    def __init__(self, rate=0.1):
        self.rate = rate

    def check(self):
        check_number("rate", self.rate, 0)
        check_number("rate", self.rate, 0, 0.5, closed=True)

    def learn(self, energies, weights, compatible):
        weights = as_counts(weights)
        rank = 1 + (weights.sum() - 1) * (1 - self.rate)
        below, above = _order_statistic(energies, weights, [np.floor(rank), np.ceil(rank)])
        part = rank - np.floor(rank)
        level = below if below == above else below * (1 - part) + above * part
        levels = [level, _just_below(level, energies)]
        shares = [np.average(energies > level, weights=weights) for level in levels]
        errors = np.abs(np.array(shares) - self.rate)
        nearest = int(errors[1] < errors[0] * (1 - _ROUNDING))
        if shares[nearest] == 0 and energies.min() < energies.max():
            _warn_of_ties(self.rate, np.average(energies == energies.max(), weights=weights))
        return levels[nearest]


def _just_below(level, energies):
    """A level that flags rows of this energy, too; itself if there are no lower ones."""
    lower = energies[energies < level]
    return lower.max() / 2 + energies[energies >= level].min() / 2 if len(lower) else level


def _warn_of_ties(rate, share):
    warn_user(
        f"The highest energy is that of {share:.3g} of the rows, so that no level flags about "
        f"{rate:g} of them: none is flagged. Use a higher rate, such as "
        f"threshold=Contamination({min(share, 0.5):.3g}), or threshold='mixture', which estimates "
        "the share.",
        UserWarning,
    )


class FalseAlarm(Threshold):
    """The level that at most a share ``rate`` of new compatible rows exceeds.

    Without a ``confidence``, the level is the `conformal_quantile` of n energies of held-out
    compatible rows: the rate of false alarms is at most ``rate`` on average over such samples and
    new rows. With a ``confidence``, it is the k-th smallest energy, with the least k for which the
    rate of false alarms is at most ``rate`` for all but a share 1 - confidence of the samples: for
    the cdf F of the energies, F(E_(k)) follows a Beta(k, n + 1 - k) distribution [1]_. Both hold
    for any distribution, if the energies of the sample and of new rows are exchangeable.

    Parameters
    ----------
    rate : float, default=0.05
        In (0, 1).
    confidence : float, default=None
        In (0, 1); None bounds the average.

    References
    ----------
    .. [1] Tong, Feng and Li, "Neyman-Pearson classification algorithms and NP receiver operating
       characteristics", Science Advances, 2018.
    """

    def __init__(self, rate=0.05, confidence=None):
        self.rate = rate
        self.confidence = confidence

    @property
    def guarantee(self):
        return "marginal" if self.confidence is None else "confident"

    def check(self):
        check_number("rate", self.rate, 0, 1)
        if self.confidence is not None:
            check_number("confidence", self.confidence, 0, 1)

    def learn(self, energies, weights, compatible):
        if compatible is not None:
            energies, weights = energies[compatible], weights[compatible]
        self.check_rows(weights.sum())
        if self.confidence is None:
            return conformal_quantile(energies, self.rate, weights)
        return _order_statistic(energies, weights, self._confident_rank(weights.sum()))

    def check_rows(self, n_compatible):
        _check_enough(
            n_compatible,
            self.needed(),
            f"A false-alarm rate of {self.rate}"
            + ("" if self.confidence is None else f" with confidence {self.confidence}"),
            "compatible rows for calibration",
            "Use more rows, a higher rate, or threshold='contamination', which guarantees nothing.",
        )

    def _confident_rank(self, n):
        n = int(n * (1 + _ROUNDING))
        k = np.arange(1, n + 1)
        risk = beta_distribution.cdf(1 - self.rate, k, n + 1 - k)  # of more false alarms
        return k[risk <= (1 - self.confidence) * (1 + _ROUNDING)][0]

    def is_enough(self, n_compatible):
        """Whether the level can be learned from so many held-out compatible rows."""
        return _is_enough(n_compatible, self.needed())

    def needed(self):
        """The least number of held-out compatible rows."""
        if self.confidence is None:
            return _rows_needed(self.rate)
        exact = np.log1p(-self.confidence) / np.log1p(-self.rate)  # (1 - rate)^n = 1 - confidence
        return int(np.ceil(exact * (1 - _ROUNDING)))


class _FromLabels(Threshold):
    """The level of greatest merit on rows with labels."""

    needs_labels = True

    def merit(self, hits, false_alarms, misses):
        """What to maximise (k,), given the weights of rows (k,) of these three kinds."""
        raise NotImplementedError(f"{type(self).__name__} must define merit.")

    def learn(self, energies, weights, compatible):
        if compatible.all() or not compatible.any():
            raise ValueError(
                f"{type(self).__name__} needs compatible rows and anomalies for calibration, got "
                f"{np.sum(compatible)} and {np.sum(~compatible)}. Use more labels, or "
                "calibration='cv'."
            )
        levels, index = np.unique(energies, return_inverse=True)
        normal = np.bincount(index, weights * compatible, len(levels))
        anomalous = np.bincount(index, weights * ~compatible, len(levels))
        # flagged: all rows, then all but those of the lowest energy, ..., then none
        misses = np.append(0.0, np.cumsum(anomalous))
        false_alarms = normal.sum() - np.append(0.0, np.cumsum(normal))
        merit = self.merit(anomalous.sum() - misses, false_alarms, misses)
        best = len(merit) - 1 - np.argmax(merit[::-1])  # of equal merits, the fewest alarms
        if best == len(levels):
            return levels[-1]
        if best == 0:
            return np.nextafter(levels[0], -np.inf)
        return levels[best - 1] / 2 + levels[best] / 2


class FScore(_FromLabels):
    """The level of greatest F score of the anomalies, on held-out rows with labels.

    Parameters
    ----------
    weight : float, default=1.0
        How many times as important recall is as precision, > 0.
    """

    def __init__(self, weight=1.0):
        self.weight = weight

    def check(self):
        check_number("weight", self.weight, 0)

    def merit(self, hits, false_alarms, misses):
        square = self.weight**2
        hits = (1 + square) * hits
        total = hits + square * misses + false_alarms
        return hits / np.maximum(total, np.finfo(float).tiny)


class Cost(_FromLabels):
    """The level of least cost, on held-out rows with labels.

    Parameters
    ----------
    false_alarm : float, default=1.0
        Cost of a compatible row that is flagged, > 0.
    miss : float, default=1.0
        Cost of an anomaly that is not flagged, > 0.
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
    """The level of a valley between compatible rows and anomalies whose share is unknown.

    For unlabelled rows with up to 30 % anomalies among them. A valley is an interval in the upper
    tail of the energies that holds significantly fewer rows than a generalised Pareto tail, fitted
    to the energies below it, allows. Where there is none, nothing is flagged. Anomalies that
    continue the tail, or that the energy does not set apart, are not found; nor are clean rows of
    two kinds told from anomalies, as those that a classifier is sure of and the others. In a list
    of energies, which are then in nats, anomalies of each are left out of its survival function. It
    guarantees nothing.
    """

    estimates_share = True

    def learn(self, energies, weights, compatible):
        return outlier_level(energies, weights)


TAILS = (None, "exponential")
"""What continues p-values beyond the largest calibration energy."""

_TAIL_SHARE = 0.1  # DuMouchel (1983): a tail is estimated from the upper tenth of the rows
_TAIL_ROWS = 10  # or from so many, up to half of all


class Reference:
    """Energies of held-out compatible rows, to compare others with.

    Attributes
    ----------
    energies : ndarray of shape (n,)
        Ascending.
    n_rows : float
        Sum of the weights.
    """

    def __init__(self, energies, weights):
        order = np.argsort(energies, kind="stable")
        order = order[weights[order] > 0]
        self.energies, self._weights = energies[order], weights[order]
        self._weight_from = np.append(np.cumsum(self._weights[::-1])[::-1], 0.0)  # of each row on

    @property
    def n_rows(self):
        return self._weight_from[0]

    def p_values(self, energies, tail=None):
        """(1 + #{reference >= energy}) / (1 + n), where a weight of 2 counts as two rows.

        With ``tail="exponential"``, an energy above all of the reference, by D, has instead

            (k + 1) / (n + 1) prod_{i=1}^k 1 / (1 + 1/i + D/S)

        where S sums the excesses of the k rows of the upper tail over the next lower one. It starts
        from 1 / (n + 1), decreases about as exp(-k D/S), and is exactly uniform beyond if energies
        have an exponential tail, whose mean excess S/k is only estimated (by Renyi's representation
        of order statistics). Outliers of the reference, as "mixture" finds them, do not count.
        """
        if tail is not None:
            return self._without_outliers()._p_values_with_tail(energies)
        equal_or_less = energies - _ROUNDING * np.abs(energies)  # BLAS rounds as batches are large
        first = np.searchsorted(self.energies, equal_or_less, side="left")
        return (1 + self._weight_from[first]) / (1 + self.n_rows)

    def _p_values_with_tail(self, energies):
        p, (n_tail, mean_excess) = self.p_values(energies), self._upper_tail()
        if mean_excess == 0:
            return p
        with np.errstate(over="ignore"):  # infinitely many scales beyond: a p-value of 0
            ratio = np.maximum(energies - self.energies[-1], 0) / mean_excess / n_tail
        logs = betaln(n_tail, 1 + 1 / (1 + ratio)) - n_tail * np.log1p(ratio)
        beyond = (n_tail + 1) / (1 + self.n_rows) * np.exp(logs + np.log(n_tail))
        return np.where(energies > self.energies[-1], beyond, p)

    def _without_outliers(self):
        kept = self.energies <= outlier_level(self.energies, self._weights)
        return Reference(self.energies[kept], self._weights[kept])

    def select(self, energies, false_discovery_rate, tail=None):
        """A mask of the energies that are discoveries, by Benjamini and Hochberg's procedure."""
        return discoveries(
            lambda tail: self.p_values(energies, tail), false_discovery_rate, tail, self.n_rows
        )

    def false_alarm_bounds(self, level, confidence, is_rank):
        """Bounds (low, high) that hold with this confidence on the false alarms above a level.

        Of n energies, m exceed the level. Where it is an energy of fixed rank, the rate of false
        alarms follows a Beta(m + 1, n - m) distribution, of which these are quantiles. Of a level
        that does not depend on these energies, they are the bounds of Clopper and Pearson.
        """
        above = self._weight_from[np.searchsorted(self.energies, level, side="right")]
        below, risk = self.n_rows - above, (1 - confidence) / 2
        low = beta_distribution.ppf(risk, above + is_rank, below + (not is_rank))
        high = beta_distribution.ppf(1 - risk, above + 1, below)
        return float(np.nan_to_num(low, nan=0.0)), float(np.nan_to_num(high, nan=1.0))

    def beta(self):
        """The rate of the exponential distribution of energies in the upper tail."""
        mean_excess = self._upper_tail()[1]
        return float(1 / mean_excess) if mean_excess > 0 else 1.0

    def _upper_tail(self):
        """Rows in the upper tail, and the mean of their excesses over the next lower energy."""
        size = max(_TAIL_SHARE * self.n_rows, min(_TAIL_ROWS, self.n_rows / 2))
        start = np.count_nonzero(self._weight_from[1:] > size)
        in_tail = self.energies > self.energies[start]
        if not in_tail.any():
            return 0.0, 0.0
        weights = self._weights[in_tail]
        excesses = self.energies[in_tail] - self.energies[start]
        return weights.sum(), np.average(excesses, weights=weights / weights.max())


THRESHOLDS = {
    "contamination": Contamination,
    "false_alarm": FalseAlarm,
    "f_score": FScore,
    "cost": Cost,
    "mixture": Mixture,
}


def resolve_threshold(value, name="threshold", other=()):
    """An unfitted threshold from a name, a threshold or a function of energies.

    A number is refused, as it could be a share of rows or a level of energy. ``other`` values that
    are accepted elsewhere are named, too.
    """
    if isinstance(value, str) and value in THRESHOLDS:
        return THRESHOLDS[value]()
    if isinstance(value, Threshold):
        return clone(value)
    if callable(value) and not isinstance(value, type):
        return Rule(value)
    raise ValueError(
        f"{name} must be one of {[*other, *sorted(THRESHOLDS)]}, an instance of Threshold or a "
        f"function of energies, got {value!r}. A number could mean a share of rows or an energy: "
        "use FalseAlarm(0.01) for at most 1 % false alarms, Contamination(0.01) to flag 1 % of the "
        "training rows, or Level(0.01) for the energy 0.01, all of sk_ebm.thresholds."
    )
