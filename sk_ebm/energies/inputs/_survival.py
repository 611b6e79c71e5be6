"""Surprisals: energies of inputs in nats."""

import numpy as np
from sklearn.utils import get_tags

from sk_ebm._core.outliers import outlier_level
from sk_ebm._core.training import FitResult
from sk_ebm.energies._base import Energy
from sk_ebm.energies._fold_median import fit_with_held_out


class SurvivalEnergy(Energy):
    """An energy of inputs in nats: -log P(E(X) >= E(x)) for compatible X, its surprisal.

    So energies in arbitrary units can be added. The survival function is that of energies of
    rows that the energy was not fitted on (cross-fitted, on the folds of ``cv``): empirical and
    interpolated up to the greatest sqrt(n) of them, with an exponential tail of their mean excess
    beyond, so that far points keep their order. Among rows with labelled anomalies, the energy is
    zero where compatible rows are as rare as the anomalies.

    Parameters
    ----------
    energy : Energy
        Of inputs.
    without_outliers : bool, default=False
        Whether rows whose energies stand apart from the others, beyond a valley of the upper tail,
        are left out of the survival function. ``threshold="mixture"`` sets it.

    Attributes
    ----------
    energy_ : Energy
        The fitted energy.
    """

    answers = frozenset({"inputs"})
    anchored = True
    takes_offset = False
    fits_on_folds = True

    def __init__(self, energy, without_outliers=False):
        self.energy = energy
        self.without_outliers = without_outliers

    @property
    def raw(self):
        return self.energy.raw

    @property
    def reads_dates(self):
        return self.energy.reads_dates

    def check(self):
        self.energy.check()

    def all_terms(self):
        return self.energy.all_terms()

    def fit(self, inputs, training):
        objective, folds = training.objective, training.folds or training.default_folds()
        result = fit_with_held_out(self.energy, inputs, training, folds)
        self.energy_ = result.energy
        samples, outputs = training.replace(folds=folds).held_out_outputs(result, inputs)
        learned_from = objective.take(samples), outputs
        if not _compatible_weights(learned_from[0]).any():  # a single row is never held out
            learned_from = objective, result.outputs_of(inputs)
        self._learn(*learned_from)
        return FitResult(self, (samples, self._surprisal(outputs)))

    def _learn(self, objective, outputs):
        """The survival function of compatible rows' energies, and the level of the energies."""
        weights = _compatible_weights(objective)
        self._learn_survival(-outputs[weights > 0, 0], weights[weights > 0])
        share = weights.sum() / objective.weights.sum()
        self._level = -np.log1p(-share) if share < 1 else 0.0

    def _learn_survival(self, energies, weights):
        """The survival function of energies (n,): at its steps, and beyond the last of them."""
        if self.without_outliers:
            kept = energies <= outlier_level(energies, weights)
            energies, weights = energies[kept], weights[kept]
        steps, index = np.unique(energies, return_inverse=True)
        mass = np.bincount(index, weights)
        above = np.cumsum(mass[::-1])[::-1] - mass / 2  # half of a row's own weight counts
        n_rows = mass.sum()
        inside = np.append(True, above[1:] >= max(np.sqrt(n_rows), min(10, n_rows / 2)))
        self._steps, self._nats = steps[inside], -np.log(above[inside] / n_rows)
        excess = mass @ np.maximum(steps - self._steps[-1], 0)
        self._mean_excess = excess / mass[~inside].sum() if excess > 0 else 1.0

    def _surprisal(self, outputs):
        """Outputs (m, 1) in nats."""
        energies = -outputs[:, 0]
        beyond = np.maximum(energies - self._steps[-1], 0) / self._mean_excess
        nats = np.interp(energies, self._steps, self._nats) + beyond
        return (self._level - nats)[:, None]

    def __call__(self, inputs):
        return self._surprisal(self.energy_(inputs))

    @property
    def additive(self):
        return self.energy_.additive

    def contributions(self, inputs, background):
        """Those to the energy in its own unit, scaled to the difference that they make in nats."""
        found = self.energy_.contributions(inputs, background)
        change, nats = found.values.sum(axis=1), self._surprisal(np.atleast_2d(found.base))
        gained = self._surprisal(found.base + change) - nats
        factor = np.divide(gained, change, out=np.zeros_like(change), where=change != 0)
        return found.times(factor)._replace(base=nats.reshape(found.base.shape))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.energy).input_tags
        return tags


def _compatible_weights(objective):
    return objective.weights * (objective.answers.target == 1)
