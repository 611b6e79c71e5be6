"""CPU time of detectors and rankers beside their peers: fits, single rows, long queries, threads.

    python docs/benchmarks/speed_detector.py [--data DIR] [--part PART] [--sets a,b] [--repeats N]

Every ratio is ours over the peer's, of the same process with one thread: medians of CPU time. DIR
holds ``detection/*.npz`` (X, y with 1 for anomalies) and ``ranking/*.npz`` (X, y, qid); without it,
rows are generated.
"""

import argparse
import os
import subprocess
import sys
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
from sklearn.ensemble import IsolationForest

from sk_ebm import EnergyDetector, EnergyRanker
from sk_ebm._core.gibbs import Gibbs
from sk_ebm.losses import Lambda
from sk_ebm.losses._relevance import RelevanceTarget


def cpu_seconds(call, repeats):
    """The median of several calls."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return float(np.median(seconds))


def generated_rows(seed=0):
    """(name, X, anomalous): a few anomalies among correlated rows of Student's t."""
    for n_rows, n_columns in ((150, 10), (1000, 10), (1000, 60), (4000, 20), (50_000, 20)):
        rng = np.random.RandomState(seed)
        X = rng.standard_t(5, (n_rows, n_columns)) @ rng.standard_normal((n_columns, n_columns))
        anomalous = np.arange(n_rows) < 0.03 * n_rows
        X[anomalous] *= 3
        yield f"{n_rows} x {n_columns}", X, anomalous


def detection_sets(args):
    """(name, X, anomalous), of which seven tenths are used to train."""
    if not args.data:
        yield from generated_rows()
        return
    for path in sorted(Path(args.data, "detection").glob("*.npz")):
        if not args.sets or path.stem in args.sets:
            with np.load(path) as data:
                rows = np.random.RandomState(0).permutation(len(data["y"]))
                rows = rows[: int(0.7 * len(rows))]
                yield path.stem, data["X"][rows].astype(float), data["y"][rows] == 1


def detector(args):
    print("\n## Fits: seconds of IsolationForest(200), and of EnergyDetector() over them")
    print(f"{'set':20}{'rows':>8}{'columns':>9}{'forest':>9}{'auto':>8}{'novelty':>9}")
    ratios = []
    for name, X, anomalous in detection_sets(args):
        peer = IsolationForest(n_estimators=200, random_state=0)
        theirs = cpu_seconds(lambda peer=peer, X=X: peer.fit(X), args.repeats)
        row = []
        for novelty, rows in ((False, X), (True, X[~anomalous])):
            ours = EnergyDetector(novelty=novelty, random_state=0)
            row.append(cpu_seconds(lambda m=ours, X=rows: m.fit(X), args.repeats) / theirs)
        ratios.append(row)
        print(
            f"{name:20}{X.shape[0]:8}{X.shape[1]:9}{theirs:9.3f}{row[0]:8.2f}{row[1]:9.2f}",
            flush=True,
        )
    mean = np.exp(np.mean(np.log(ratios), axis=0))
    print(f"{'geometric mean':46}{mean[0]:8.2f}{mean[1]:9.2f}")
    _bad_rows(args)
    _single_rows(args)


def _bad_rows(args):
    print("\n## Fits of 1,000 x 10 bad rows, over that of clean ones: auto, novelty")
    clean = np.random.RandomState(0).standard_normal((1000, 10))
    huge, constant = clean.copy(), clean.copy()
    huge[:, 0] *= 1e300
    constant[:, 3:] = 1.0
    tables = {"a column of 1e300": huge, "constant columns": constant, "twenty rows": clean[:20]}
    tables["one value"] = np.ones_like(clean)
    models = [EnergyDetector(novelty=novelty, random_state=0) for novelty in (False, True)]
    base = [cpu_seconds(lambda m=m: m.fit(clean), args.repeats) for m in models]
    for name, X in tables.items():
        times = [cpu_seconds(lambda m=m, X=X: m.fit(X), args.repeats) for m in models]
        print(f"{name:20}" + "".join(f"{a / b:8.2f}" for a, b in zip(times, base, strict=True)))


def _single_rows(args):
    print("\n## One row: milliseconds of IsolationForest(200), and ours over them: auto, novelty")
    X = np.random.RandomState(0).standard_normal((1000, 10))
    models = [IsolationForest(n_estimators=200, random_state=0)]
    models += [EnergyDetector(novelty=novelty, random_state=0) for novelty in (False, True)]
    for model in models:
        model.fit(X)
    for method in ("predict", "score_samples"):
        calls = [getattr(model, method) for model in models]
        theirs, *ours = (cpu_seconds(lambda c=c: c(X[:1]), 20 * args.repeats) for c in calls)
        print(f"{method:20}{1e3 * theirs:8.2f}" + "".join(f"{own / theirs:8.2f}" for own in ours))


def ranking_sets(args):
    """(name, X, y, sizes of the queries)."""
    if not args.data:
        rng = np.random.RandomState(0)
        sizes = rng.randint(5, 30, size=300)
        X = rng.standard_normal((sizes.sum(), 20)).astype(np.float32)
        worth = X[:, 0] + X[:, 1] * X[:, 2] + rng.standard_normal(len(X))
        yield "generated", X, np.clip(np.round(worth), 0, 4), sizes
        return
    for path in sorted(Path(args.data, "ranking").glob("*.npz")):
        with np.load(path) as data:
            order = np.argsort(data["qid"], kind="stable")
            sizes = np.unique(data["qid"], return_counts=True)[1]
            yield path.stem, data["X"][order].astype(np.float32), data["y"][order], sizes


def ranker(args):
    from lightgbm import LGBMRanker

    print("\n## Fits: seconds of LGBMRanker(), and ours over them; the same for one row, in ms")
    models = {"default": EnergyRanker(random_state=0)}
    models["trees"] = EnergyRanker("trees", loss="lambda", random_state=0)
    print(f"{'set':20}{'LightGBM':>10}" + "".join(f"{name:>10}" for name in models))
    for name, X, y, sizes in ranking_sets(args):
        queries = np.repeat(np.arange(len(sizes)), sizes)
        peer = LGBMRanker(n_jobs=1, verbose=-1, random_state=0)
        calls = [lambda m=peer, X=X, y=y, s=sizes: m.fit(X, y, group=s)]
        calls += [lambda m=m, X=X, y=y, q=queries: m.fit(X, y, groups=q) for m in models.values()]
        _print_ratios(name, 1, calls, args.repeats)
        calls = [lambda m=m, X=X: m.predict(X[:1]) for m in (peer, *models.values())]
        _print_ratios(f"{name}, one row", 1e3, calls, 20 * args.repeats)
    _long_queries(args)


def _print_ratios(name, unit, calls, repeats):
    theirs, *ours = (cpu_seconds(call, repeats) for call in calls)
    print(f"{name:20}{unit * theirs:10.3f}" + "".join(f"{own / theirs:10.2f}" for own in ours))


def _long_queries(args):
    print("\n## lambda of one query: milliseconds and MiB, of distinct and of tied energies")
    for n_items in (100, 1000, 10_000, 100_000):
        rng, cells = np.random.RandomState(0), []
        gains = 2.0 ** rng.randint(5, size=(1, n_items)) - 1
        for energies in (rng.standard_normal((1, n_items)), np.zeros((1, n_items))):
            target, gibbs = RelevanceTarget(gains, np.ones_like(gains)), Gibbs(energies)
            tracemalloc.start()
            Lambda().expansion(gibbs, target)
            peak = tracemalloc.get_traced_memory()[1] / 2**20
            tracemalloc.stop()
            seconds = cpu_seconds(lambda g=gibbs, t=target: Lambda().expansion(g, t), args.repeats)
            cells.append(f"{1e3 * seconds:10.2f}{peak:10.1f}")
        print(f"{n_items:20}" + "".join(cells))


_COUNTED = """
import os, sys, time
import numpy as np
import sk_ebm
rng = np.random.RandomState(0)
X = rng.standard_normal((9000, 6))
y = X[:, 0] + rng.standard_normal(9000)
fits = {
    "detector": lambda: sk_ebm.EnergyDetector(random_state=0).fit(X),
    "trees": lambda: sk_ebm.EnergyClassifier("trees", random_state=0).fit(X, y > 0),
    "ranker": lambda: sk_ebm.EnergyRanker("trees").fit(X, y > 0, groups=np.arange(9000) // 20),
    "density": lambda: sk_ebm.EnergyDensityEstimator(random_state=0).fit(X, y),
}
before = len(os.listdir("/proc/self/task"))
for name, fit in fits.items():
    start = time.process_time()
    fit()
    started = len(os.listdir("/proc/self/task")) - before
    print(f"{name:20}{started:9}{time.process_time() - start:9.2f}")
"""


def threads(args):
    print("\n## Threads that fits of 9,000 x 6 start, and their CPU seconds, by OMP_NUM_THREADS")
    for value in ("1", None):
        print(f"OMP_NUM_THREADS={value}")
        environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
        environment |= {} if value is None else {"OMP_NUM_THREADS": value}
        subprocess.run([sys.executable, "-c", _COUNTED], env=environment, check=True)


PARTS = {"detector": detector, "ranker": ranker, "threads": threads}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="directory of detection/*.npz and ranking/*.npz")
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--sets", type=lambda text: text.split(","))
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    warnings.filterwarnings("ignore")  # of bad rows
    for part in [args.part] if args.part else PARTS:
        PARTS[part](args)


if __name__ == "__main__":
    main()
