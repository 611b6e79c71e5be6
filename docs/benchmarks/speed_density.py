"""How long densities take, beside the peers that do the same job.

    python docs/benchmarks/speed_density.py [--data DIR] [--part PART] [--largest N]

CPU seconds of one process; set OMP_NUM_THREADS=1. Ratios are medians of three. Rows are generated,
but for the sets of DIR (as in density.py). The peer of p(y given x) is a Gaussian around LightGBM,
one standard deviation from five-fold residuals; that of p(x) a Gaussian mixture chosen by
validation; that of a robot arm with eight joints an exact Gaussian process with one length scale
for each column.
"""

import argparse
import pickle
import time

import numpy as np
from density import density_sets, regression_sets
from sklearn.datasets import make_friedman1
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, ShuffleSplit, cross_val_predict

from sk_ebm import EnergyDensityEstimator

SIZES = 500, 2000, 7373, 8611, 20_000, 50_000
REPEATS = 3


def seconds(function, repeats=REPEATS):
    """Median CPU seconds of a call, and what the last one returns."""
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        result = function()
        spent.append(time.process_time() - start)
    return np.median(spent), result


def rows(n, seed=0):
    """Ten columns, five of which matter, and errors of Student's distribution that grow."""
    X, y = make_friedman1(n, noise=0.0, random_state=seed)
    return X, y + (0.5 + X[:, 0]) * np.random.RandomState(seed).standard_t(5, size=n)


def rounded(n):
    X, y = rows(n)
    return X, np.round(20 * y)


def robot_arm(n, seed=0, noise=0.02):
    """The distance of the hand of a robot arm with eight joints, whose axes alternate, from a
    point."""
    rng = np.random.RandomState(seed)
    angles = rng.uniform(-np.pi / 4, np.pi / 4, size=(n, 8))
    hand, frame = np.zeros((n, 3)), np.tile(np.eye(3), (n, 1, 1))
    for joint, angle in enumerate(angles.T):
        one, two = ((0, 1), (0, 2))[joint % 2]
        turn = np.tile(np.eye(3), (n, 1, 1))
        turn[:, one, one] = turn[:, two, two] = np.cos(angle)
        turn[:, one, two], turn[:, two, one] = -np.sin(angle), np.sin(angle)
        frame = frame @ turn
        hand += frame[:, :, 0] / 8
    return angles, np.linalg.norm(hand - [0.1, 0.5, 0.5], axis=1) + noise * rng.standard_normal(n)


def four_of_32(n, seed=0):
    """32 columns, of which four matter."""
    rng = np.random.RandomState(seed)
    X = rng.uniform(-1, 1, size=(n, 32))
    signal = np.sin(3 * X[:, 0]) * X[:, 1] + np.cos(2 * X[:, 2] + X[:, 3])
    return X, signal + 0.1 * rng.standard_normal(n)


def ours(X, y):
    return EnergyDensityEstimator(random_state=0).fit(X, y)


def gaussian_around_lightgbm(X, y):
    from lightgbm import LGBMRegressor

    model = LGBMRegressor(
        n_estimators=500,
        learning_rate=0.05,
        subsample=0.8,
        subsample_freq=1,
        colsample_bytree=0.8,
        n_jobs=1,
        verbose=-1,
    )
    return np.std(y - cross_val_predict(model, X, y, cv=5)), model.fit(X, y)


def fits(sets, largest):
    """Seconds of a fit, of the peer's, and the ratio."""
    print("\n## p(y given x): fit s, that of a Gaussian around LightGBM, ratio, pickle MB")
    print("set,rows,columns,ours,peer,ratio,MB")
    tables = [(f"generated {n}", *rows(n)) for n in SIZES if n <= largest]
    for name, X, y in tables + [(name, *splits[0][:2]) for name, splits in sets]:
        mine, model = seconds(lambda X=X, y=y: ours(X, y))
        peer, _ = seconds(lambda X=X, y=y: gaussian_around_lightgbm(X, y))
        size = len(pickle.dumps(model)) / 2**20
        print(f"{name},{len(y)},{X.shape[1]},{mine:.2f},{peer:.2f},{mine / peer:.2f},{size:.1f}")


def growth(largest):
    """Seconds of one fit, for 13 numbers of rows."""
    print("\n## p(y given x): fit s over rows, and microseconds for each row")
    for n in np.geomspace(100, 400_000, 13).astype(int):
        if n <= largest:
            spent, _ = seconds(lambda n=n: ours(*rows(n)), 1)
            print(f"{n},{spent:.2f},{1e6 * spent / n:.0f}", flush=True)


def predictions(sets):
    """Milliseconds of answers about 1,000 rows, and about one."""
    print("\n## ms of 1,000 rows: mean, interval, log-density; and of the mean of one row")
    tables = [("generated", *rows(2000)), ("rounded", *rounded(2000))]
    tables += [("few rounded", *rounded(150))]
    for name, X, y in tables + [(name, *splits[0][:2]) for name, splits in sets]:
        model, index = ours(X, y), np.resize(np.arange(len(y)), 1000)
        calls = [
            lambda m=model, X=X[index]: m.predict(X),
            lambda m=model, X=X[index]: m.predict_interval(X),
            lambda m=model, X=X[index], y=y[index]: m.log_prob(X, y),
            lambda m=model, X=X[:1]: m.predict(X),
        ]
        spent = [1e3 * seconds(lambda c=c: [c() for _ in range(10)])[0] / 10 for c in calls]
        print(f"{name}," + ",".join(f"{v:.1f}" for v in spent), flush=True)


def wide():
    """Seconds of a fit and a score of 120 rows with 500 columns."""
    X = np.random.RandomState(0).standard_normal((120, 500))
    y = X[:, :5].sum(axis=1) + np.random.RandomState(1).standard_normal(120)
    spent, _ = seconds(lambda: ours(X, y).score(X, y))
    print(f"\n## 120 rows x 500 columns, fit and score: {spent:.2f} s")


def joint(sets):
    """Seconds of a fit of p(x), of the peer's, the ratio, and memory over that of the table."""
    print("\n## p(x): fit s, that of a mixture chosen by validation, ratio, model over table")
    for name, train, _ in sets:
        sizes = {"n_components": [1, 2, 3, 5, 8, 12, 16, 24, 32], "reg_covar": [1e-6, 1e-3]}
        part = [next(ShuffleSplit(1, test_size=0.18, random_state=0).split(train))]
        peer = GridSearchCV(GaussianMixture(random_state=0, max_iter=300), sizes, cv=part)
        own = EnergyDensityEstimator(conditional=False, random_state=0)
        (mine, model), (theirs, _) = (
            seconds(lambda m=m, X=train: m.fit(X), 1) for m in (own, peer)
        )
        share = len(pickle.dumps(model)) / train.nbytes
        print(f"{name},{mine:.2f},{theirs:.2f},{mine / theirs:.2f},{share:.1f}", flush=True)


def smooth():
    """Errors of the location beside an exact Gaussian process with a length scale per column."""
    print("\n## smooth regression, 8,000 rows: RMSE ours, exact Gaussian process, fit s")
    for name, make in (("robot arm", robot_arm), ("four of 32 columns", four_of_32)):
        X, y = make(10_000)
        mine, model = seconds(lambda X=X, y=y: ours(X[:8000], y[:8000]), 1)
        kernel = ConstantKernel() * RBF(np.ones(X.shape[1])) + WhiteKernel(0.1)
        chosen = GaussianProcessRegressor(kernel, normalize_y=True).fit(X[:500], y[:500]).kernel_
        process = GaussianProcessRegressor(chosen, optimizer=None, normalize_y=True)
        process.fit(X[:8000], y[:8000])
        errors = [np.sqrt(np.mean((m.predict(X[8000:]) - y[8000:]) ** 2)) for m in (model, process)]
        print(f"{name},{errors[0]:.4f},{errors[1]:.4f},{mine:.1f}", flush=True)


def density(data=None, parts=None, largest=50_000):
    """Prints all tables."""
    sets, tables = (regression_sets(data), density_sets(data)) if data else ([], density_sets(None))
    for name, part in {
        "fits": lambda: fits(sets, largest),
        "growth": lambda: growth(largest),
        "predictions": lambda: predictions(sets),
        "wide": wide,
        "joint": lambda: joint(tables),
        "smooth": smooth,
    }.items():
        if parts is None or name in parts:
            part()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder that holds regression/ and density/")
    parser.add_argument("--part", help="names of functions, separated by commas (default: all)")
    parser.add_argument("--largest", type=int, default=50_000, help="rows, at most")
    options = parser.parse_args()
    density(options.data, options.part and options.part.split(","), options.largest)


if __name__ == "__main__":
    main()
