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

# Chosen by detection.py --part energies, on 35 sets: numbers of neighbors, of rows and of trees.
_NEAREST, _NEAR, _NEAR_ROWS, _N_TREES = 2, 30, 1000, 100


def default_energy(labels, novelty, gaps=False):
    """The default energy of inputs, from parameters of the detector.

    ``gaps`` asks for energies that show how far anomalies are apart from other rows.
    """
    spread = [
        ("forest", ForestEnergy()),
        ("gaussian", GaussianEnergy()),
        ("mixture", MixtureEnergy()),
    ]
    if labels == "anomaly":
        local = ("neighbors", NeighborsEnergy(n_neighbors=2, whiten=True))
        trained = ["linear", "trees"] if find_spec("lightgbm") else ["linear"]
        return SumEnergy([*spread, local, *((name, as_energy(name)) for name in trained)])
    if gaps:
        return SurvivalSum(spread)
    if novelty:
        ranks = NeighborsEnergy(_NEAREST, 0.5, normal_scores=True)
        return SurvivalSum([("ranks", ranks), ("neighbors", NeighborsEnergy(_NEAREST, 0.5))])
    near = NeighborsEnergy(_NEAR, 0.5, max_rows=_NEAR_ROWS)
    return SurvivalSum([("forest", ForestEnergy(_N_TREES)), ("neighbors", near)])
