"""Power transforms of y, on whose scale its residuals may be closer to normal."""

import numpy as np
from scipy import special
from scipy.optimize import minimize_scalar

from sk_ebm._utils.weighted import weighted_std, weighted_variance

_EXPONENTS = (-2.0, 3.0)  # wide enough for 1/y^2 and y^3; the parameter `power` has the same bounds


class PowerTransform:
    """An increasing map of the real numbers onto themselves: a power between two values of y.

    For positive y it is that of Box and Cox (1964), else that of Yeo and Johnson (2000) of the
    distance from the median. Beyond the values seen it is linear, so that every real number has a
    density, and tails keep their weight.

    Parameters
    ----------
    exponent : float or "auto", default="auto"
        1 is linear, 0 the logarithm; "auto" maximises the likelihood of a normal distribution.

    Attributes
    ----------
    exponent_ : float
    gain_ : float
        What the map adds to the normal log-likelihood of a row, in nats.
    """

    def __init__(self, exponent="auto"):
        self.exponent = exponent

    def fit(self, y, weights):
        """The map for answers (n,) of weights (n,)."""
        y, weights = y[weights > 0], weights[weights > 0]
        self._two_sided = y.min() <= 0
        if self._two_sided:
            self._centre, self._unit = _median(y, weights), weighted_std(y, weights)
        else:
            self._centre, self._unit = 0.0, np.exp(np.average(np.log(y), weights=weights))
        u = self._standardised(y)
        self._ends = np.array([u.min(), u.max()])

        def cost(exponent):
            with np.errstate(over="ignore", invalid="ignore"):  # powers of extreme ratios
                variance = weighted_variance(self._power(u, exponent), weights)
                log_derivative = np.average(self._log_derivative(u, exponent), weights=weights)
                nll = 0.5 * np.log(variance) - log_derivative
            return nll if np.isfinite(nll) else np.inf

        exponent = self.exponent
        if exponent == "auto":
            exponent = minimize_scalar(cost, bounds=_EXPONENTS, method="bounded").x
        self.exponent_ = float(exponent)
        self.gain_ = cost(1.0) - cost(self.exponent_)
        self._power_ends = self._power(self._ends, self.exponent_)
        self._end_derivatives = np.exp(self._log_derivative(self._ends, self.exponent_))
        return self

    def _standardised(self, y):
        return (y - self._centre) / self._unit

    def _power(self, u, exponent):
        if not self._two_sided:
            return special.boxcox(u, exponent)
        size = np.abs(u)
        below = -special.boxcox1p(size, 2 - exponent)
        return np.where(u < 0, below, special.boxcox1p(size, exponent))

    def _log_derivative(self, u, exponent):
        if not self._two_sided:
            return (exponent - 1) * np.log(u)
        return (exponent - 1) * np.sign(u) * np.log1p(np.abs(u))

    def _derivative_beyond(self, above):
        return np.where(above, self._end_derivatives[1], self._end_derivatives[0])

    def __call__(self, y):
        u = self._standardised(y)
        inside = np.clip(u, *self._ends)
        beyond = (u - inside) * self._derivative_beyond(u > inside)
        return self._power(inside, self.exponent_) + beyond

    def log_derivative(self, y):
        """Logarithm of the derivative at y."""
        u = np.clip(self._standardised(y), *self._ends)
        return self._log_derivative(u, self.exponent_) - np.log(self._unit)

    def inverse(self, z):
        """The y that the map takes to z."""
        inside = np.clip(z, *self._power_ends)
        if self._two_sided:
            size = np.abs(inside)
            below = -special.inv_boxcox1p(size, 2 - self.exponent_)
            u = np.where(inside < 0, below, special.inv_boxcox1p(size, self.exponent_))
        else:
            u = special.inv_boxcox(inside, self.exponent_)
        u = np.clip(u, *self._ends) + (z - inside) / self._derivative_beyond(z > inside)
        return u * self._unit + self._centre


def _median(y, weights):
    order = np.argsort(y)
    below = np.cumsum(weights[order])
    return y[order][np.searchsorted(below, below[-1] / 2)]


class TransformedDistribution:
    """Distributions of y, given those of a transform of it.

    Parameters
    ----------
    distribution : distributions
        Of the transformed y.
    transform : PowerTransform
    """

    def __init__(self, distribution, transform):
        self.distribution, self.transform = distribution, transform

    def logpdf(self, y):
        return self.distribution.logpdf(self.transform(y)) + self.transform.log_derivative(y)

    def normal_score(self, y):
        return self.distribution.normal_score(self.transform(y))

    def from_normal_score(self, z):
        return self.transform.inverse(self.distribution.from_normal_score(z))
