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


def leave_out_outliers(energy, threshold):
    """Make energies in nats those of the rows that are no outliers, where the threshold asks so."""
    if threshold.estimates_share:
        switches = [name for name in energy.get_params() if name.endswith("without_outliers")]
        energy.set_params(**dict.fromkeys(switches, True))
