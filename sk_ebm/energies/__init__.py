"""Energy functions, by name."""

from sk_ebm._core.training import FitResult
from sk_ebm.energies._auto import AutoEnergy
from sk_ebm.energies._base import Energy
from sk_ebm.energies._bilinear import BilinearEnergy
from sk_ebm.energies._embedding import EmbeddingEnergy
from sk_ebm.energies._item_index import ItemIndex
from sk_ebm.energies._kernel import KernelEnergy
from sk_ebm.energies._linear import LinearEnergy
from sk_ebm.energies._mlp import MLPEnergy
from sk_ebm.energies._prototype import PrototypeEnergy
from sk_ebm.energies._registry import ENERGIES, INPUT_ENERGIES
from sk_ebm.energies._sum import SumEnergy, SurvivalSum, as_energy
from sk_ebm.energies._trees import TreesEnergy
from sk_ebm.energies._words import WordsEnergy
from sk_ebm.energies.experts._answer_expert import AnswerExpert
from sk_ebm.energies.experts._class_expert import ExpertEnergy
from sk_ebm.energies.experts._input_expert import InputExpert
from sk_ebm.energies.experts._item_expert import ItemExpertEnergy
from sk_ebm.energies.inputs._base import InputEnergy
from sk_ebm.energies.inputs._few_labels import FewLabelsEnergy
from sk_ebm.energies.inputs._forest import ForestEnergy
from sk_ebm.energies.inputs._gaussian import GaussianEnergy
from sk_ebm.energies.inputs._marginal import MarginalEnergy
from sk_ebm.energies.inputs._mixture import MixtureEnergy
from sk_ebm.energies.inputs._neighbors import NeighborsEnergy
from sk_ebm.energies.inputs._survival import SurvivalEnergy

__all__ = [
    "ENERGIES",
    "INPUT_ENERGIES",
    "AnswerExpert",
    "AutoEnergy",
    "BilinearEnergy",
    "EmbeddingEnergy",
    "Energy",
    "ExpertEnergy",
    "FewLabelsEnergy",
    "FitResult",
    "ForestEnergy",
    "GaussianEnergy",
    "InputEnergy",
    "InputExpert",
    "ItemExpertEnergy",
    "ItemIndex",
    "KernelEnergy",
    "LinearEnergy",
    "MLPEnergy",
    "MarginalEnergy",
    "MixtureEnergy",
    "NeighborsEnergy",
    "PrototypeEnergy",
    "SumEnergy",
    "SurvivalEnergy",
    "SurvivalSum",
    "TreesEnergy",
    "WordsEnergy",
    "as_energy",
]
