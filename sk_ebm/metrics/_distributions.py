"""Metrics of predictive distributions: proper scores, and whether these are calibrated."""

import numpy as np
from sklearn.base import BaseEstimator

from sk_ebm._utils.sklearn_private import check_sample_weight
from sk_ebm._utils.through import through
from sk_ebm._utils.validation import check_choice, check_number
from sk_ebm.distributions._values import as_levels, as_numbers

_LEAST_MASS = 1e-9  # of a value of y: below, its transform is a number


def crps(y_true, distribution, *, sample_weight=None):
    """Mean continuous ranked probability score E|Y - y| - E|Y - Y'| / 2, in the unit of y [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
    distribution : PredictiveDistribution
        From `EnergyDensityEstimator.predict_distribution`.
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    crps : float
        At least 0: low is good. Of several targets, the mean of theirs.

    References
    ----------
    .. [1] Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation",
       Journal of the American Statistical Association, 2007.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sk_ebm import EnergyDensityEstimator
    >>> from sk_ebm.metrics import coverage, crps
    >>> X, y = load_diabetes(return_X_y=True)
    >>> density = EnergyDensityEstimator("linear", location=Ridge(), random_state=0)
    >>> distribution = density.fit(X[:300], y[:300]).predict_distribution(X[300:])
    >>> print(f"{crps(y[300:], distribution):.0f}, {coverage(y[300:], distribution):.1f}")
    29, 0.9
    """
    y = _answers(y_true, distribution, "crps")
    return _mean(distribution.crps(y), sample_weight)


def log_score(y_true, distribution, *, sample_weight=None):
    """Mean logarithmic score -log p(y) in nats: low is good.

    It is minus the ``score`` of an `EnergyDensityEstimator` with ``kind="density"``; of several
    targets that of all together. Parameters are those of `crps`.

    Returns
    -------
    log_score : float
    """
    y = _answers(y_true, distribution, "logpdf")
    return -_mean(distribution.logpdf(y), sample_weight)


def interval_score(y_true, distribution, *, coverage=0.9, sample_weight=None):
    """Mean width of the intervals, plus 2 / (1 - coverage) times how far y lies outside [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
    distribution : PredictiveDistribution, or array-like of shape (n_samples, 2)
        Equal-tailed intervals of a distribution, or intervals, as of `predict_interval`; of several
        targets (n_samples, n_targets, 2).
    coverage : float, default=0.9
        Of the intervals, in (0, 1).
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    interval_score : float
        In the unit of y, at least 0: low is good.

    References
    ----------
    .. [1] Gneiting and Raftery, 2007, as in `crps`.
    """
    y, low, high = _intervals(y_true, distribution, coverage)
    outside = np.maximum(low - y, 0) + np.maximum(y - high, 0)
    return _mean(high - low + 2 / (1 - coverage) * outside, sample_weight)


def coverage(y_true, distribution, *, coverage=0.9, sample_weight=None):
    """Share of the answers in their intervals: near ``coverage`` where these are calibrated.

    Parameters are those of `interval_score`.

    Returns
    -------
    share : float
        In [0, 1].
    """
    y, low, high = _intervals(y_true, distribution, coverage)
    return _mean((low <= y) & (y <= high), sample_weight)


def pinball(y_true, distribution, *, quantiles=(0.1, 0.5, 0.9), sample_weight=None):
    """Mean pinball loss max(p (y - q), (p - 1) (y - q)) of quantiles q at levels p.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,) or (n_samples, n_targets)
    distribution : PredictiveDistribution, or array-like of shape (n_samples, q)
        Or the quantiles themselves, as of `predict_quantile`; of several targets (n_samples,
        n_targets, q).
    quantiles : float or sequence of q floats, default=(0.1, 0.5, 0.9)
        Levels, in (0, 1).
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    pinball : float
        In the unit of y, at least 0: low is good.
    """
    levels = as_levels("quantiles", quantiles).ravel()
    if hasattr(distribution, "ppf"):
        y = _answers(y_true, distribution, "ppf")
        values = distribution.ppf(levels[None])
    else:
        _check_no_estimator(distribution)
        y, values = _numbers(y_true), as_numbers("distribution", distribution)
        values = values.reshape(*y.shape, -1) if values.shape == y.shape else values
        _check_shape("distribution", values, (*y.shape, len(levels)), "a quantile for each level")
    above = y[..., None] - values
    losses = np.maximum(levels * above, (levels - 1) * above)
    return _mean(losses.mean(axis=-1), sample_weight)


def pit_ks(y_true, distribution, *, sample_weight=None):
    """Kolmogorov and Smirnov's distance of the probability integral transforms from uniform.

    Where y has point masses or is rounded, transforms are spread evenly from P(Y < y) to
    P(Y <= y) [1]_. Parameters are those of `crps`.

    Returns
    -------
    distance : float
        In [0, 1], about 1 / sqrt(n_samples) where the distributions are right: low is good. Of
        several targets, the mean of theirs.

    References
    ----------
    .. [1] Czado, Gneiting and Held, "Predictive model assessment for count data", Biometrics, 2009.
    """
    y = _answers(y_true, distribution, "cdf")
    below, upper = distribution.cdf_below(y), distribution.cdf(y)
    weights = check_sample_weight(sample_weight, y)
    columns = zip(below.reshape(len(y), -1).T, upper.reshape(len(y), -1).T, strict=True)
    return float(np.mean([_distance(*column, weights / weights.sum()) for column in columns]))


def _distance(below, upper, shares):
    """The largest distance of the mean of cdfs, each uniform from below to upper, from u."""
    spread = upper - below > _LEAST_MASS
    slopes = shares[spread] / (upper - below)[spread]
    at = np.unique(np.concatenate([below, upper, [0.0, 1.0]]))
    rising = _sum_above(at, below[spread], slopes) - _sum_above(at, upper[spread], slopes)
    order = np.argsort(upper[~spread])
    jumps, heights = upper[~spread][order], np.append(0, np.cumsum(shares[~spread][order]))
    sides = [heights[np.searchsorted(jumps, at, side=side)] for side in ("left", "right")]
    return max(np.abs(rising + side - at).max() for side in sides)


def _sum_above(at, starts, slopes):
    """sum_i slopes_i max(at - starts_i, 0)."""
    order = np.argsort(starts)
    n_below = np.searchsorted(starts[order], at)
    sums = np.append(0, np.cumsum(slopes[order])), np.append(0, np.cumsum((slopes * starts)[order]))
    return at * sums[0][n_below] - sums[1][n_below]


def _numbers(y_true):
    """Answers (n,) or (n, n_targets)."""
    y = as_numbers("y_true", y_true)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim not in (1, 2) or not len(y):
        raise ValueError(
            f"y_true must have shape (n_samples,) or (n_samples, n_targets), got {y.shape}."
        )
    return y


def _answers(y_true, distribution, method):
    """The answers of the rows of a distribution that has a method."""
    _check_no_estimator(distribution)
    if not hasattr(distribution, method):
        raise TypeError(
            "distribution must be a PredictiveDistribution, as predict_distribution(X) returns, "
            f"got {type(distribution).__name__}, which has no {method}."
        )
    y, n_targets = _numbers(y_true), getattr(distribution, "n_targets", 1)
    expected = (len(distribution),) if n_targets == 1 else (len(distribution), n_targets)
    _check_shape("y_true", y, expected, "an answer for each row of the distribution")
    return y


def _check_no_estimator(distribution):
    if hasattr(distribution, "fit"):  # one has the methods of a distribution, with other arguments
        raise TypeError(
            "distribution must be what predict_distribution(X) of an estimator returns, got the "
            f"estimator itself: {type(distribution).__name__}."
        )


def _check_shape(name, values, expected, what):
    if values.shape != expected:
        raise ValueError(f"{name} must hold {what}, {expected}, got shape {values.shape}.")


def _intervals(y_true, distribution, coverage):
    """Answers and both ends of their intervals."""
    check_number("coverage", coverage, 0, 1)
    if hasattr(distribution, "interval"):
        y, ends = _answers(y_true, distribution, "interval"), distribution.interval(coverage)
    else:
        _check_no_estimator(distribution)
        y, ends = _numbers(y_true), np.asarray(distribution, dtype=np.float64)
        _check_shape("distribution", ends, (*y.shape, 2), "both ends of an interval for each row")
    if not (ends[..., 0] <= ends[..., 1]).all():
        raise ValueError("distribution must hold lower ends before upper ones, and no NaN.")
    return y, ends[..., 0], ends[..., 1]


def _mean(values, sample_weight):
    """The mean over rows, and over targets."""
    weights = check_sample_weight(sample_weight, values)
    return float(np.mean(np.average(values, axis=0, weights=weights)))


_METRICS = {
    "crps": crps,
    "log_score": log_score,
    "interval_score": interval_score,
    "coverage": coverage,
    "pinball": pinball,
    "pit_ks": pit_ks,
}


class DistributionScorer(BaseEstimator):
    """A scorer for grid searches over densities, at the end of a pipeline too.

    It is the negative of a metric, high where that is low, but for ``"coverage"``, the share of the
    answers in their intervals itself, which is to be read and not to be maximised. The estimator
    has a ``predict_distribution``, or is a pipeline or search that ends in one.

    Parameters
    ----------
    metric : {"crps", "log_score", "interval_score", "coverage", "pinball", "pit_ks"}, \
            default="crps"
    coverage : float, default=0.9
        Of intervals, for "interval_score" and "coverage".
    quantiles : sequence of float, default=(0.1, 0.5, 0.9)
        Levels, for "pinball".
    """

    def __init__(self, metric="crps", coverage=0.9, quantiles=(0.1, 0.5, 0.9)):
        self.metric = metric
        self.coverage = coverage
        self.quantiles = quantiles

    def score(self, X, y, sample_weight=None):
        """Not used: metadata routing only reads its signature."""
        raise NotImplementedError("A scorer is called: scorer(density, X, y, sample_weight=...).")

    def __call__(self, estimator, X, y, sample_weight=None):
        check_choice("metric", self.metric, tuple(_METRICS))
        distribution = through(estimator).predict_distribution(X)
        value = _METRICS[self.metric](
            y, distribution, sample_weight=sample_weight, **self._settings()
        )
        return value if self.metric == "coverage" else -value

    def _settings(self):
        if self.metric in ("interval_score", "coverage"):
            return {"coverage": self.coverage}
        return {"quantiles": self.quantiles} if self.metric == "pinball" else {}


crps_scorer = DistributionScorer("crps")
log_score_scorer = DistributionScorer("log_score")
interval_score_scorer = DistributionScorer("interval_score")
coverage_scorer = DistributionScorer("coverage")
pinball_scorer = DistributionScorer("pinball")
pit_ks_scorer = DistributionScorer("pit_ks")
