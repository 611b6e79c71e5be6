"""Energy functions, by name."""

from sk_ebm.energies._base import Energy
from sk_ebm.energies._kernel import KernelEnergy
from sk_ebm.energies._linear import LinearEnergy
from sk_ebm.energies._mlp import MLPEnergy
from sk_ebm.energies._prototype import PrototypeEnergy

ENERGIES = {
    "linear": LinearEnergy,
    "kernel": KernelEnergy,
    "mlp": MLPEnergy,
    "prototype": PrototypeEnergy,
}

__all__ = ["ENERGIES", "Energy", "KernelEnergy", "LinearEnergy", "MLPEnergy", "PrototypeEnergy"]
