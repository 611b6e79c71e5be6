"""What energy="auto" of a detector stands for."""

from sk_ebm.energies import (
    FewLabelsEnergy,
    ForestEnergy,
    GaussianEnergy,
    MixtureEnergy,
    NeighborsEnergy,
    SurvivalSum,
)


def default_energy(labels, novelty):
    """The default energy of inputs, from two parameters of the detector."""
    mixture = ("mixture", MixtureEnergy())
    if labels == "anomaly":
        return FewLabelsEnergy(default_energy(None, novelty))
    if novelty:
        local = ("neighbors", NeighborsEnergy(n_neighbors=2, whiten=True))
        return SurvivalSum([local, mixture], weights=[3, 1])
    return SurvivalSum([("forest", ForestEnergy()), ("gaussian", GaussianEnergy()), mixture])
