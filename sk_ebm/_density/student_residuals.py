"""Student's distributions around the weighted mean of several regressors."""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import minimize

from sk_ebm._density.normal_scores import RESOLUTION
from sk_ebm._density.pooling import pool_locations
from sk_ebm._density.residual_scale import ResidualScale, fit_residual_scale
from sk_ebm._density.standardised import FARTHEST, InputScaler
from sk_ebm._density.student import StudentDistribution
from sk_ebm._density.transforms import PowerTransform, TransformedDistribution
from sk_ebm._utils.weighted import weighted_std

# density_ablation.py: fitting gains .002 +- .003 nats over df = 6 on 18 sets
_DF_RANGE = 3, 30  # a finite variance at least; from 30 on nearly normal
# Of the distance from the centre: the level of a quantile, rounded by 1e-8 scales, is off by 1e-4
# where a tilt is as steep as splines.py allows.
_LEAST_SCALE_FAR = 1e-8
_MIN_SIZE = 1e-3  # added to sizes of residuals, of their median: the logarithm of 0 is infinite


@dataclass(frozen=True)
class StudentResiduals:
    """Student's distributions of y, or of a power of it, around the mean of M predictions.

    - The location has the weights of `pool_locations`.
    - log scale is a regression on x, the location and the predictions' disagreement:
      `fit_residual_scale`.
    - The degrees of freedom are the likeliest between 3 and 30, so tails are heavy.

    Attributes
    ----------
    weights : ndarray of shape (M,)
    centre, unit : float
        That standardise the location.
    scaler : InputScaler
    scale : ResidualScale
    log_factor : float
        Of Student's scale to the size of residuals, which is in that unit.
    df : float
    power : PowerTransform or None
    """

    weights: np.ndarray
    centre: float
    unit: float
    scaler: InputScaler
    scale: ResidualScale
    log_factor: float
    df: float
    power: PowerTransform | None

    def distribution(self, X, predictions):
        """Distributions of rows, of which there are predictions (n, M) of y, and their features."""
        predictions = _transformed(self.power, predictions)
        location = predictions @ self.weights
        table = self.scaler(X)
        features = _scale_features(table, predictions, location, self.centre, self.unit)
        return self.around(location, features, self.scale.predict(features))

    def around(self, location, features, log_scale):
        scale = self.unit * np.exp(log_scale + self.log_factor)
        scale = np.maximum(scale, self._least_scale(location))
        student = StudentDistribution(location, scale, self.df)
        if self.power is not None:
            student = TransformedDistribution(student, self.power)
        return student, np.hstack([features, log_scale[:, None]])

    def _least_scale(self, location):
        """What numbers of the size of y at locations resolve, and with the steepest tilts far out,
        where tilts are extrapolated."""
        y, unit = location, 1.0
        if self.power is not None:
            y = self.power.inverse(location)
            unit = np.exp(self.power.log_derivative(y))
        far = _LEAST_SCALE_FAR * np.abs(location - self.centre)
        return np.maximum(RESOLUTION * np.abs(y) * unit, far)


@dataclass(frozen=True)
class StudentFit:
    """What `fit_student_residuals` finds, from predictions by all regressors.

    Attributes
    ----------
    residuals : StudentResiduals
    selected : ndarray of int of shape (M,)
        The regressors of positive weight, whose predictions these take.
    distribution : distributions
        Of the training rows, fitted without them.
    features : ndarray of shape (n, n_features)
    log_likelihoods : ndarray of shape (n,)
        Mean log density of the points of each row.
    """

    residuals: StudentResiduals
    selected: np.ndarray
    distribution: object
    features: np.ndarray
    log_likelihoods: np.ndarray


def fit_student_residuals(
    X, predictions, y, points, weights, folds, rng, *, power=None, n_jobs=None
):
    """A `StudentFit` from held-out predictions (n, n_regressors) of y."""
    predictions, y, targets = (_transformed(power, v) for v in (predictions, y, points))
    shares = pool_locations(predictions, y, weights)
    selected = np.flatnonzero(shares)
    shares, predictions = shares[selected], predictions[:, selected]
    location = predictions @ shares
    centre, unit = np.average(location, weights=weights), weighted_std(y, weights)
    residuals = (targets - location[:, None]) / unit
    sizes = np.abs(residuals).mean(axis=1)
    sizes += _MIN_SIZE * np.median(sizes) + 1e-9
    scaler = InputScaler(X, weights)
    features = _scale_features(scaler(X), predictions, location, centre, unit)
    scale, log_scale = fit_residual_scale(features, sizes, weights, folds, rng, n_jobs)
    log_factor, df = fit_student(residuals * np.exp(-log_scale)[:, None], weights)
    fitted = StudentResiduals(shares, centre, unit, scaler, scale, log_factor, df, power)
    held_out, features = fitted.around(location, features, log_scale)
    return StudentFit(fitted, selected, held_out, features, held_out.logpdf(points).mean(axis=1))


def _transformed(power, values):
    return values if power is None else power(values)


def _scale_features(table, predictions, location, centre, unit):
    """Standardised columns: x, the location, its square and the disagreement of predictions."""
    with np.errstate(over="ignore"):
        values = (np.column_stack([location, predictions]) - centre) / unit
    standardised, others = np.hsplit(np.clip(values, -FARTHEST, FARTHEST), [1])
    columns = [table, standardised, standardised**2]
    if others.shape[1] > 1:
        columns.append(np.log(others.std(axis=1, keepdims=True) + 1e-3))
    return np.hstack(columns)


def fit_student(residuals, weights):
    """log scale and degrees of freedom, 3 to 30, of greatest likelihood, of residuals (n, k)."""
    start = np.log(np.median(np.abs(residuals)) or np.abs(residuals).max() or 1.0)

    def nll(params):
        log_scale, log_df = params
        values = stats.t.logpdf(residuals * np.exp(-log_scale), np.exp(log_df)) - log_scale
        return -np.average(values.mean(axis=1), weights=weights)

    bounds = [(start - 5, start + 5), np.log(_DF_RANGE)]
    log_scale, log_df = minimize(nll, [start, np.log(6)], bounds=bounds).x
    return log_scale, float(np.exp(log_df))
