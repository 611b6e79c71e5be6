"""Predictive distributions as distributions of skpro, whose metrics take them."""

import numpy as np
import pandas as pd
from skpro.distributions.base import BaseDistribution

_LEVELS = (np.arange(500)[None] + 0.5) / 500


class SkproDistribution(BaseDistribution):
    """A column of a skpro distribution, which a `PredictiveDistribution` of one target answers for.

    Parameters
    ----------
    distribution : PredictiveDistribution
    index, columns : pandas.Index, default=None
    """

    _tags = {
        "capabilities:approx": ["energy"],
        "capabilities:exact": ["mean", "var", "pdf", "log_pdf", "cdf", "ppf"],
        "distr:measuretype": "mixed",
        "distr:paramtype": "nonparametric",
        "broadcast_init": "off",
    }

    def __init__(self, distribution, index=None, columns=None):
        self.distribution = distribution
        rows = range(len(distribution))
        super().__init__(
            index=pd.Index(rows) if index is None else index,
            columns=pd.Index([0]) if columns is None else columns,
        )

    def _subset_params(self, rowidx, colidx, coerce_scalar=False):
        if rowidx is None:
            return {"distribution": self.distribution}
        return {"distribution": self.distribution[np.asarray(rowidx)]}

    def _mean(self):
        return self.distribution.mean()[:, None]

    def _var(self):
        return self.distribution.var()[:, None]

    def _pdf(self, x):
        return self.distribution.pdf(x)

    def _log_pdf(self, x):
        return self.distribution.logpdf(x)

    def _cdf(self, x):
        return self.distribution.cdf(x)

    def _ppf(self, p):
        return self.distribution.ppf(p)

    def _energy_self(self):
        """E|Y - Y'|, (n,): twice what the CRPS of the median lacks of the mean distance to it."""
        median, quantiles = self.distribution.median(), self.distribution.ppf(_LEVELS)
        distance = np.abs(quantiles - median[:, None]).mean(axis=1)
        return 2 * (distance - self.distribution.crps(median))

    def _energy_x(self, x):
        """E|Y - x|, (n,)."""
        return self.distribution.crps(x)[:, 0] + self._energy_self() / 2
