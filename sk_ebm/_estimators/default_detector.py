"""What energy="auto" of a detector stands for."""

from sk_ebm.energies import (
    FewLabelsEnergy,
    ForestEnergy,
    GaussianEnergy,
    MixtureEnergy,
    NeighborsEnergy,
    SurvivalSum,
)

# Chosen by an ablation on 35 sets of at most 1,000 rows: numbers of neighbors, rows and trees.
_NEAREST, _NEAR, _NEAR_ROWS, _N_TREES = 2, 30, 1000, 100


def default_energy(labels, novelty, gaps=False):
    """The default energy of inputs, from parameters of the detector.

    ``gaps`` asks for energies that show how far anomalies are apart from other rows.
    """
    if labels == "anomaly":
        return FewLabelsEnergy(default_energy(None, novelty, gaps or not novelty))
    if gaps:
        spread = [("forest", ForestEnergy()), ("gaussian", GaussianEnergy())]
        return SurvivalSum([*spread, ("mixture", MixtureEnergy())])
    if novelty:
        ranks = NeighborsEnergy(_NEAREST, 0.5, normal_scores=True)
        return SurvivalSum([("ranks", ranks), ("neighbors", NeighborsEnergy(_NEAREST, 0.5))])
    near = NeighborsEnergy(_NEAR, 0.5, max_rows=_NEAR_ROWS)
    return SurvivalSum([("forest", ForestEnergy(_N_TREES)), ("neighbors", near)])


def leave_out_outliers(energy, threshold):
    """Make energies in nats those of the rows that are no outliers, where the threshold asks so."""
    if threshold.estimates_share:
        switches = [name for name in energy.get_params() if name.endswith("without_outliers")]
        energy.set_params(**dict.fromkeys(switches, True))
