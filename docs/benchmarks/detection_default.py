"""The default energy of EnergyDetector beside other energies and peers: a part of detection.py."""

import time

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from sk_ebm import EnergyDetector
from sk_ebm.energies import NeighborsEnergy, SurvivalSum

PEERS = ("forest", "mixture", "lof", "knn", "knn_mean", "ecod", "copod")


def energies(novelty):
    """Energies to compare by name; the first is the default."""
    near, rows = (2, 4000) if novelty else (30, 1000)
    return {
        "auto": "auto",
        "plain": SurvivalSum([NeighborsEnergy(near, max_rows=rows)]),
        "whitened": SurvivalSum([NeighborsEnergy(near, 1.0, max_rows=rows)]),
        "ranks": SurvivalSum([NeighborsEnergy(near, 0.5, normal_scores=True, max_rows=rows)]),
        "sum": SurvivalSum([NeighborsEnergy(2, 1.0), "mixture"], weights=[3, 1])
        if novelty
        else ["forest", "gaussian", "mixture"],
    }


def compare(args, clean, sets, parts, peers):
    """AUC, mean ranks, false alarms over the rate of .05, and CPU seconds of a fit over a forest's.

    ``sets``, ``parts`` and ``peers`` are those of detection.py.
    """
    print(
        f"\n## Default energy: AUC of test rows; training rows are {'' if clean else 'not '}clean"
    )
    names = [*energies(clean), *(name for name in PEERS if name in peers(0))]
    print(f"{'set':20}" + "".join(f"{name:>10}" for name in names) + "    alarms     time")
    table, alarms, times = [], [], []
    for name, X, anomalous in sets(args):
        found = []
        for seed in range(args.seeds):
            train, test = parts(X, anomalous, seed, args, clean)
            found.append(_figures(X[train], X[test], anomalous[test], seed, clean, names, peers))
        areas, alarm, ratio = (np.mean(f, axis=0) for f in zip(*found, strict=True))
        table.append(areas), alarms.append(alarm), times.append(ratio)
        row = "".join(f"{area:10.4f}" for area in areas)
        print(f"{name:20}{row}{alarm:10.2f}{ratio:9.2f}", flush=True)
    _print_means(np.array(table), alarms, times)


def _figures(X, X_test, anomalous, seed, clean, names, peers):
    models = peers(seed, X.shape[1])
    for name, energy in energies(clean).items():
        models[name] = EnergyDetector(energy, novelty=clean, random_state=seed)
    areas, seconds = [], {}
    for name in names:
        start = time.process_time()
        model = models[name].fit(X)
        seconds[name] = time.process_time() - start
        areas.append(roc_auc_score(anomalous, -model.score_samples(X_test)))
    flagged = models["auto"].predict(X_test[~anomalous]) == -1
    return areas, flagged.mean() / 0.05, seconds["auto"] / seconds["forest"]


def _print_means(table, alarms, times):
    rows = {
        "mean AUC": table.mean(axis=0),
        "mean rank": rankdata(-table, axis=1).mean(axis=0),
        "auto is better": (table[:, :1] > table).mean(axis=0),
    }
    for name, values in rows.items():
        print(f"{name:20}" + "".join(f"{value:10.4f}" for value in values))
    time_ratio = np.exp(np.mean(np.log(times)))
    print(f"{'false alarms / .05':20}{np.mean(alarms):10.3f}")
    print(f"{'fit / forest':20}{time_ratio:10.2f}, at most {np.max(times):.2f}")
