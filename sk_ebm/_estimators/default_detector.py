"""What energy="auto" of a detector stands for."""

from importlib.util import find_spec

from sk_ebm.energies import (
    ForestEnergy,
    GaussianEnergy,
    MixtureEnergy,
    NeighborsEnergy,
    SumEnergy,
    SurvivalSum,
    as_energy,
)


def default_energy(labels, novelty):
    """The default energy of inputs, from two parameters of the detector."""
    local = ("neighbors", NeighborsEnergy(n_neighbors=2, whiten=True))
    mixture = ("mixture", MixtureEnergy())
    spread = [("forest", ForestEnergy()), ("gaussian", GaussianEnergy()), mixture]
    if labels == "anomaly":
        trained = ["linear", "trees"] if find_spec("lightgbm") else ["linear"]
        return SumEnergy([*spread, local, *((name, as_energy(name)) for name in trained)])
    if novelty:
        return SurvivalSum([local, mixture], weights=[3, 1])
    return SurvivalSum(spread)
