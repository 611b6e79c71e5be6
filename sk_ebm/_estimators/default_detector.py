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


def leave_out_outliers(energy, threshold):
    """Make energies in nats those of the rows that are no outliers, where the threshold asks so."""
    if threshold.estimates_share:
        switches = [name for name in energy.get_params() if name.endswith("without_outliers")]
        energy.set_params(**dict.fromkeys(switches, True))
