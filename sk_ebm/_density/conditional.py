"""The fitted density of one target given inputs."""

from dataclasses import dataclass, replace

import numpy as np

from sk_ebm._density.point_masses import PointMassClassifier
from sk_ebm._density.repeated_values import RepeatedValueSampler
from sk_ebm._density.rounding import Rounding
from sk_ebm._density.splines import NormalSplines
from sk_ebm._density.tilted_normal import TiltedNormal
from sk_ebm.distributions import CorrectedDistribution, RoundedDistribution, WithPointMasses
from sk_ebm.energies import Energy


@dataclass(frozen=True, eq=False)
class Conditional:
    """The fitted density of one target given inputs.

    Attributes
    ----------
    base : fitted base model
        See `BaseFit`.
    splines : NormalSplines
    rounding : Rounding
    is_rounded : bool
        Whether the target takes only the values of the rounding grid.
    point_masses : PointMassClassifier or None
    energy_, beta_, n_iter_, loss_curve_
        As for `EnergyClassifier`.
    converged : bool
        Whether the fit of the energy reached ``tol``.
    value_sampler : RepeatedValueSampler or None
        Replaces draws of a column of a table by known values; None leaves draws as they are.
    """

    base: object
    splines: NormalSplines
    rounding: Rounding
    is_rounded: bool
    point_masses: PointMassClassifier | None
    energy_: Energy
    beta_: float
    n_iter_: int = 0
    loss_curve_: list | tuple = ()
    converged: bool = True
    value_sampler: RepeatedValueSampler | None = None

    @property
    def unconverged_n_iter(self):
        """Iterations of the longest fit that did not reach ``tol``, or 0."""
        fits = [fit for fit in (self, self.point_masses) if fit is not None]
        return max(0 if fit.converged else fit.n_iter_ for fit in fits)

    def unrounded(self, inputs):
        """Distributions of rows before rounding."""
        base, features = self.base.distribution(inputs)
        outputs = self.energy_(features).astype(np.float64)
        corrected = CorrectedDistribution(base, TiltedNormal(self.splines, self.beta_ * outputs))
        if self.point_masses is None:
            return corrected
        log_masses = self.point_masses.log_masses(features)
        points, width = self.point_masses.points, self.rounding.width
        return WithPointMasses(corrected, points, width, log_masses)

    def distribution(self, inputs):
        """Distributions of rows."""
        unrounded = self.unrounded(inputs)
        return RoundedDistribution(unrounded, self.rounding) if self.is_rounded else unrounded

    def log_prob(self, inputs, y, measure):
        """Log density or log mass, as ``measure`` says, of y (n,)."""
        return self.log_prob_of(self.unrounded(inputs), y[:, None], measure)[:, 0]

    def log_prob_of(self, distribution, y, measure):
        """The same of y (n, k) under the distributions of rows."""
        if measure == "mass":
            return distribution.log_mass(y, *self.rounding.intervals(y))
        return distribution.logpdf(y)

    def draws(self, inputs, p):
        """Draws (n, k) given inputs; p (n, k, 2) are uniform in (0, 1)."""
        if self.value_sampler is None:
            return self.distribution(inputs).ppf(p[..., 0])
        return self._choose_values(*self._candidates(self.value_sampler, inputs, p))

    def _candidates(self, sampler, inputs, p):
        """Draws from the density, the known values near them, and what decides among these."""
        unrounded = self.unrounded(inputs)
        y = unrounded.ppf(p[..., 0])
        return y, *sampler.candidates(unrounded, y), p[..., 1]

    def _choose_values(self, y, *candidates):
        chosen = self.rounding.nearest(self.value_sampler.choose(y, *candidates))
        return np.where(self.rounding.is_point_mass(y), y, chosen)

    def with_value_sampler(self, blocks):
        """This conditional with a fitted ``value_sampler``, if it needs one, and draws (n, k).

        ``blocks`` are pairs (inputs, p) of blocks of rows, as for `draws`. A density that is spread
        over few rounding intervals needs no sampler: rounding repeats their values.
        """
        is_spread = self.is_rounded and self.rounding.spreads
        sampler = None if is_spread else RepeatedValueSampler.of(self.rounding)
        if sampler is None:
            return self, np.concatenate([self.draws(*block) for block in blocks])
        per_block = [self._candidates(sampler, *block) for block in blocks]
        y, indices, logs, p = map(np.concatenate, zip(*per_block, strict=True))
        others = ~self.rounding.is_point_mass(y)
        fitted = replace(self, value_sampler=sampler.fit(indices[others], logs[others]))
        return fitted, fitted._choose_values(y, indices, logs, p)
