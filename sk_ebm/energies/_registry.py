"""Names of the energy functions."""

from sk_ebm.energies._embedding import EmbeddingEnergy
from sk_ebm.energies._kernel import KernelEnergy
from sk_ebm.energies._linear import LinearEnergy
from sk_ebm.energies._mlp import MLPEnergy
from sk_ebm.energies._prototype import PrototypeEnergy
from sk_ebm.energies._trees import TreesEnergy
from sk_ebm.energies.inputs._forest import ForestEnergy
from sk_ebm.energies.inputs._gaussian import GaussianEnergy
from sk_ebm.energies.inputs._marginal import MarginalEnergy
from sk_ebm.energies.inputs._mixture import MixtureEnergy
from sk_ebm.energies.inputs._neighbors import NeighborsEnergy

ENERGIES = {
    "linear": LinearEnergy,
    "kernel": KernelEnergy,
    "mlp": MLPEnergy,
    "prototype": PrototypeEnergy,
    "trees": TreesEnergy,
    "embedding": EmbeddingEnergy,
}

# Of the inputs alone.
INPUT_ENERGIES = {
    "gaussian": GaussianEnergy,
    "mixture": MixtureEnergy,
    "neighbors": NeighborsEnergy,
    "marginal": MarginalEnergy,
    "forest": ForestEnergy,
}
