"""Energy functions, by name."""

from sk_ebm.energies._base import Energy
from sk_ebm.energies._bilinear import BilinearEnergy
from sk_ebm.energies._expert import ExpertEnergy
from sk_ebm.energies._item_expert import ItemExpertEnergy
from sk_ebm.energies._kernel import KernelEnergy
from sk_ebm.energies._linear import LinearEnergy
from sk_ebm.energies._mlp import MLPEnergy
from sk_ebm.energies._prototype import PrototypeEnergy
from sk_ebm.energies._registry import ENERGIES
from sk_ebm.energies._sum import SumEnergy, as_energy
from sk_ebm.energies._trees import TreesEnergy

__all__ = [
    "ENERGIES",
    "BilinearEnergy",
    "Energy",
    "ExpertEnergy",
    "ItemExpertEnergy",
    "KernelEnergy",
    "LinearEnergy",
    "MLPEnergy",
    "PrototypeEnergy",
    "SumEnergy",
    "TreesEnergy",
    "as_energy",
]
