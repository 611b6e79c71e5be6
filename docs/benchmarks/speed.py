"""The time and the memory of the estimators beside their peers.

    python docs/benchmarks/speed.py [--data DIR] [--part PART]

Detectors, rankers and threads are in speed_detector.py, densities in speed_density.py.

Every line is CPU time of one thread: the median of three runs or more of ours and of the peer, in
turns in the same process, their ratio, and the ratio that is aimed at. Data are bundled with
scikit-learn or generated; with ``--data`` the sets of DIR (``classification/*.npz``,
``detection/*.npz`` and so on) are used, too. Figures of quality are those of rows that were not
fitted, of ours and of the peer.
"""

import argparse

from timing import Comparison, compare_memory, compare_times, one_thread

one_thread()

import numpy as np  # noqa: E402
from lightgbm import LGBMClassifier  # noqa: E402
from sklearn.datasets import make_friedman1  # noqa: E402
from sklearn.ensemble import IsolationForest  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from speed_classifier import classifier, dense_of_many_classes, made  # noqa: E402
from speed_density import gaussian_around_lightgbm  # noqa: E402

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector  # noqa: E402
from sk_ebm.energies import TreesEnergy  # noqa: E402

N_CALLS = 20  # of a method on one row, which are timed together


def calls(method, X):
    """An action that calls a method on one row after another."""
    rows = [X[i : i + 1] for i in range(N_CALLS)]
    return lambda: [method(row) for row in rows]


def one_row(data=None):
    """Calls of methods on one row at a time, milliseconds of 20 calls."""
    compare_times(f"{N_CALLS} calls on one row", _calls_on_one_row())


def _calls_on_one_row():
    X, X_test, y, _ = made(1000)
    trees = TreesEnergy(100, early_stopping=False, n_jobs=1)
    pairs = {
        "linear": (EnergyClassifier(), LogisticRegression()),
        "trees": (EnergyClassifier(trees, beta=1), LGBMClassifier(n_jobs=1, verbose=-1)),
    }
    for name, models in pairs.items():
        ours, peer = (model.fit(X, y) for model in models)
        for method in ("predict", "predict_proba"):
            of_rows = calls(getattr(ours, method), X_test), calls(getattr(peer, method), X_test)
            yield Comparison(f"{name}, {method}", *of_rows, 2)
    ours, peer = (
        m.fit(X) for m in (EnergyDetector(random_state=0), IsolationForest(n_estimators=200))
    )
    for method in ("predict", "score_samples"):
        of_rows = calls(getattr(ours, method), X_test), calls(getattr(peer, method), X_test)
        yield Comparison(f"detector, {method}", *of_rows, 2)
    X, y = make_friedman1(1000, 8, random_state=0)
    density = EnergyDensityEstimator(random_state=0).fit(X, y)
    peer = gaussian_around_lightgbm(X, y)[1]
    yield Comparison("density, predict", calls(density.predict, X), calls(peer.predict, X), 2)


def memory(data=None):
    """Peaks of fits, beyond the inputs."""
    X = np.random.default_rng(0).standard_normal((100_000, 50))
    y = (X[:, 0] + X[:, 1] > np.random.default_rng(1).standard_normal(len(X))).astype(int)
    many, labels = dense_of_many_classes()[::2]
    exact = EnergyClassifier(negatives="all", alpha=1e-4, beta=1)
    compare_memory(
        "peak of fits; of the first two lines the peer is a copy of the input",
        [
            Comparison("default, 100,000 x 50", lambda: EnergyClassifier().fit(X, y), X.copy, 1.5),
            Comparison("LogisticRegression", lambda: LogisticRegression().fit(X, y), X.copy, 1.5),
            Comparison(
                "1,000 classes, 10,000 x 64",
                lambda: exact.fit(many, labels),
                lambda: LogisticRegression().fit(many, labels),
                2,
            ),
        ],
    )


PARTS = {
    "classifier": classifier,
    "one_row": one_row,
    "memory": memory,
}


def main():
    """Prints the tables that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder that holds classification/*.npz and so on")
    parser.add_argument("--part", choices=PARTS, help="one table (default: all)")
    options = parser.parse_args()
    for name in [options.part] if options.part else PARTS:
        PARTS[name](options.data)


if __name__ == "__main__":
    main()
