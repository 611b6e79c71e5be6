"""Powers of an answer, on whose scale its residuals may be more alike."""

import numpy as np
from scipy import special
from scipy.optimize import minimize_scalar

_EXPONENTS = (-2.0, 3.0)


class PowerTransform:
    """An increasing map of the real numbers onto themselves: a power between two values of y.

    Of positive y it is that of Box and Cox (1964), of others that of Yeo and Johnson (2000) of the
    distance from the median. Beyond the values seen it goes straight on, so that every real number
    has a density, and tails keep their weight.

    Parameters
    ----------
    exponent : float or "auto", default="auto"
        1 is linear, 0 the logarithm; "auto" makes y most likely under a normal law.

    Attributes
    ----------
    exponent_ : float
    gain_ : float
        What the map adds to the log-likelihood of a row under a normal law, in nats.
    """

    def __init__(self, exponent="auto"):
        self.exponent = exponent

    def fit(self, y, weights):
        """The map for answers (n,) of weights (n,)."""
        y, weights = y[weights > 0], weights[weights > 0]
        self._two_sided = y.min() <= 0
        if self._two_sided:
            order = np.argsort(y)
            below = np.cumsum(weights[order])
            self._centre = y[order][np.searchsorted(below, below[-1] / 2)]
            mean = np.average(y, weights=weights)
            self._unit = np.sqrt(np.average((y - mean) ** 2, weights=weights))
        else:
            self._centre, self._unit = 0.0, np.exp(np.average(np.log(y), weights=weights))
        u = self._argument(y)
        self._ends = np.array([u.min(), u.max()])

        def cost(exponent):
            with np.errstate(over="ignore", invalid="ignore"):  # powers of extreme ratios
                z = self._raised(u, exponent)
                variance = np.average((z - np.average(z, weights=weights)) ** 2, weights=weights)
                slope = np.average(self._log_slope(u, exponent), weights=weights)
                found = 0.5 * np.log(variance) - slope
            return found if np.isfinite(found) else np.inf

        exponent = self.exponent
        if exponent == "auto":
            exponent = minimize_scalar(cost, bounds=_EXPONENTS, method="bounded").x
        self.exponent_ = float(exponent)
        self.gain_ = cost(1.0) - cost(self.exponent_)
        self._raised_ends = self._raised(self._ends, self.exponent_)
        self._slopes = np.exp(self._log_slope(self._ends, self.exponent_))
        return self

    def _argument(self, y):
        return (y - self._centre) / self._unit

    def _raised(self, u, exponent):
        if not self._two_sided:
            return special.boxcox(u, exponent)
        size = np.abs(u)
        below = -special.boxcox1p(size, 2 - exponent)
        return np.where(u < 0, below, special.boxcox1p(size, exponent))

    def _log_slope(self, u, exponent):
        if not self._two_sided:
            return (exponent - 1) * np.log(u)
        return (exponent - 1) * np.sign(u) * np.log1p(np.abs(u))

    def _beyond(self, above):
        """The slope beyond the upper end, or the lower one."""
        return np.where(above, self._slopes[1], self._slopes[0])

    def __call__(self, y):
        u = self._argument(y)
        inside = np.clip(u, *self._ends)
        return self._raised(inside, self.exponent_) + (u - inside) * self._beyond(u > inside)

    def log_slope(self, y):
        """Logarithm of the derivative at y."""
        u = np.clip(self._argument(y), *self._ends)
        return self._log_slope(u, self.exponent_) - np.log(self._unit)

    def inverse(self, z):
        """The y that the map takes to z."""
        inside = np.clip(z, *self._raised_ends)
        if self._two_sided:
            size = np.abs(inside)
            below = -special.inv_boxcox1p(size, 2 - self.exponent_)
            u = np.where(inside < 0, below, special.inv_boxcox1p(size, self.exponent_))
        else:
            u = special.inv_boxcox(inside, self.exponent_)
        u = np.clip(u, *self._ends) + (z - inside) / self._beyond(z > inside)
        return u * self._unit + self._centre
