"""What estimators share that take ``energy="auto"``."""

from sk_ebm._utils.validation import check_choice, check_number
from sk_ebm.energies import AutoEnergy
from sk_ebm.energies._candidates import EFFORTS


class TakesAuto:
    """Mixin of estimators whose parameter ``energy`` may be "auto"."""

    def _resolved_energy(self):
        """A fresh component from the parameter ``energy``."""
        check_choice("effort", self.effort, EFFORTS)
        check_number("max_seconds", self.max_seconds, 0, other=(None,))
        if isinstance(self.energy, str) and self.energy == "auto":
            return AutoEnergy(self.effort, self.max_seconds)
        return super()._resolved_energy()

    @property
    def selection_(self):
        energy = vars(self).get("energy_")
        if not isinstance(energy, AutoEnergy):
            raise AttributeError("selection_ exists once energy='auto' is fitted.")
        return energy.selection_
