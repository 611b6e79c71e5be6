"""An energy that is fitted to a loss of its own, within a sum of others."""

from copy import copy
from dataclasses import replace

from sk_ebm.energies._base import Energy
from sk_ebm.losses import Loss


class GivenLossEnergy(Energy):
    """An energy that minimises a given loss, whatever that of the estimator.

    Parameters
    ----------
    energy : Energy
    loss : Loss

    Attributes
    ----------
    energy_ : Energy
        The fitted energy.
    """

    takes_offset = False

    def __init__(self, energy, loss: Loss):
        self.energy = energy
        self.loss = loss

    @property
    def answers(self):
        return self.energy.answers

    @property
    def fits_on_folds(self):
        return self.energy.fits_on_folds

    def fit(self, inputs, training):
        loss = self.loss.seeded(training.rng)
        settings = training.replace(objective=training.objective.replace(loss=loss))
        result = self.energy.fit(inputs, settings)
        return replace(result, energy=self._of(result.energy))

    def _of(self, energy):
        fitted = copy(self)
        fitted.energy_ = energy
        return fitted

    def clone_with_choices(self):
        return GivenLossEnergy(self.energy_.clone_with_choices(), self.loss)

    def __call__(self, inputs):
        return self.energy_(inputs)
