"""The fitted density of one answer given inputs."""

import numpy as np

from sk_ebm._density.repeated_values import RepeatedValueSampler
from sk_ebm._density.tilted_normal import TiltedNormal
from sk_ebm.distributions import Predictive, Rounded, WithPointMasses

_FARTHEST = 1e15  # that features are in single precision, in about their units


def as_read(energy, features):
    """Features of a base in the precision in which an energy reads them."""
    if not energy.single_precision:
        return features
    return np.clip(features, -_FARTHEST, _FARTHEST).astype(np.float32)


class Conditional:
    """The fitted density of one answer given inputs.

    Parameters
    ----------
    base : fitted base, see `sk_ebm._density.base_fit`
    splines : NormalSplines
    recording : Rounding
    rounds : bool
        Whether answers take only the values of the recording.
    gate : PointMassClassifier or None
        The probabilities of atoms.
    energy_, beta_, n_iter_, loss_curve_
        As for `EnergyClassifier`.

    Attributes
    ----------
    recurring : RepeatedValueSampler or None
        How draws of a column of a table are recorded, None as they are; a law that is spread over
        the cells of few values needs none.
    """

    def __init__(
        self, base, splines, recording, rounds, gate, energy_, beta_, n_iter_=0, loss_curve_=()
    ):
        self.base = base
        self.splines = splines
        self.recording = recording
        self.rounds = rounds
        self.gate = gate
        self.energy_ = energy_
        self.beta_ = beta_
        self.n_iter_ = n_iter_
        self.loss_curve_ = loss_curve_
        self.recurring = None

    def smooth(self, inputs):
        """Distributions of rows before rounding: `Predictive`, or `WithPointMasses` ones."""
        base, features = self.base.distribution(inputs)
        features = as_read(self.energy_, features)
        outputs = self.energy_(features).astype(np.float64)
        law = Predictive(base, TiltedNormal(self.splines, self.beta_ * outputs))
        if self.gate is None:
            return law
        return WithPointMasses(
            law, self.gate.atoms, self.recording.width, self.gate.log_masses(features)
        )

    def __call__(self, inputs):
        """The predictive distributions of rows."""
        law = self.smooth(inputs)
        return Rounded(law, self.recording) if self.rounds else law

    def draws(self, inputs, p):
        """Draws (n, k) given inputs; p (n, k, 2) are uniform in (0, 1)."""
        if self.recurring is None:
            return self(inputs).quantile(p[..., 0])
        return self._recorded(*self._candidates(inputs, p[..., 0]), p[..., 1])

    def _candidates(self, inputs, p):
        """Draws that are not recorded yet, and the seen values next to them."""
        law = self.smooth(inputs)
        y = law.quantile(p)
        return y, *self.recurring.candidates(law, y)

    def _recorded(self, y, indices, logs, p):
        recorded = self.recording.nearest(self.recurring.recorded(y, indices, logs, p))
        return np.where(np.isin(y, self.recording.atoms), y, recorded)

    def learn_recurring(self, blocks):
        """Learn how draws are recorded, and return those (n, k) of blocks (inputs, p) of rows."""
        if not (self.rounds and self.recording.spreads):
            self.recurring = RepeatedValueSampler.of(self.recording)
        if self.recurring is None:
            return np.concatenate([self.draws(*block) for block in blocks])
        found = [(*self._candidates(inputs, p[..., 0]), p[..., 1]) for inputs, p in blocks]
        y, indices, logs, _ = found = [np.concatenate(part) for part in zip(*found, strict=True)]
        of_rest = ~np.isin(y, self.recording.atoms)
        self.recurring.fit(indices[of_rest], logs[of_rest])
        return self._recorded(*found)

    def log_prob(self, inputs, y, kind):
        """Log density or mass of y (n,)."""
        law, y = self.smooth(inputs), y[:, None]
        if kind == "mass":
            return law.log_mass(y, *self.recording.cells(y))[:, 0]
        return law.logpdf(y)[:, 0]
