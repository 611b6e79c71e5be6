"""Energy functions, by name."""

from sk_ebm.energies._base import Energy
from sk_ebm.energies._linear import LinearEnergy

ENERGIES = {"linear": LinearEnergy}

__all__ = ["ENERGIES", "Energy", "LinearEnergy"]
