"""EnergyDensityEstimator beside other predictive distributions and densities.

    python docs/benchmarks/density.py [--data DIR] [--part PART] [--sets a,b] [--splits N]
        [--models a,b]

DIR holds ``regression/*.npz`` (X, y, train_idx_k, test_idx_k) and ``density/*.npz`` (train, valid,
test); without it, scikit-learn's bundled sets are used. NGBoost, CatBoost, quantile-forest and, of
p(x), a neural spline flow (zuko) are compared where they are installed. Times are in seconds;
figures are of rows never seen. The NLL and the coverage are those of a smooth density (intervals of
rounded answers end at values and cover more), "mass" is the negative log mass of the step to which
y was rounded, if any. The part "speed" times the densities of 1,000 rows after a fit of 10,000, of
generated rows and of the sets of ``density`` that are as large.
"""

import argparse
import time
import warnings
from copy import copy
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy import stats
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, load_wine, make_friedman1
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV, ShuffleSplit, cross_val_predict, train_test_split
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyDensityEstimator
from sk_ebm._density.rounding import Rounding

LEAST = 1e-12  # mass of a step
LEVELS = np.linspace(0.005, 0.995, 100)  # whose pinball losses give a CRPS


def distance(levels):
    """Of Kolmogorov and Smirnov, of the levels F(y given x) from uniform ones."""
    return stats.kstest(levels, "uniform").statistic


class Ours:
    def fit(self, X, y):
        self.train = X, y
        self.model = EnergyDensityEstimator(random_state=0).fit(X, y)
        return self

    def figures(self, X, y, step):
        smooth = self.smooth()
        law = smooth.chain_[0].unrounded(X)
        low, high = law.ppf(np.tile([0.05, 0.95], (len(X), 1))).T
        covered = np.mean((low <= y) & (y <= high))
        crps = self.model.crps(X, y).mean()
        return -smooth.score(X, y), self.mass(X, y), crps, covered, distance(law.cdf(y))

    def densities(self, X, y):
        return self.model.log_prob(X, y)

    def smooth(self):
        """The model, or where it has atoms beside a density, one without; that costs no time."""
        if len(self.model.rounding_[0].point_masses) == 0:
            return self.model
        return clone(self.model).set_params(atoms=False).fit(*self.train)

    def mass(self, X, y):
        if not self.model.rounding_[0].has_intervals:
            return np.nan
        return -copy(self.model).set_params(kind="mass").score(X, y)


class Normal:
    """A model of a mean and a standard deviation."""

    def figures(self, X, y, step):
        mean, std = self.moments(X)
        z = (y - mean) / std
        crps = std * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - np.pi**-0.5)
        nll = 0.5 * z**2 + np.log(std) + 0.5 * np.log(2 * np.pi)
        low, high = ((y + side - mean) / std for side in (-step / 2, step / 2))
        mass = np.maximum(stats.norm.cdf(high) - stats.norm.cdf(low), LEAST)
        covered = np.mean(np.abs(z) < stats.norm.ppf(0.95))
        mass = -np.log(mass).mean() if step else np.nan
        return nll.mean(), mass, crps.mean(), covered, distance(stats.norm.cdf(z))

    def densities(self, X, y):
        return stats.norm.logpdf(y, *self.moments(X))


class NGBoost(Normal):
    def fit(self, X, y):
        from ngboost import NGBRegressor

        self.model = NGBRegressor(verbose=False, random_state=0).fit(X, y)
        return self

    def moments(self, X):
        params = self.model.pred_dist(X).params
        return params["loc"], params["scale"]


class CatBoost(Normal):
    def fit(self, X, y):
        from catboost import CatBoostRegressor

        model = CatBoostRegressor(
            loss_function="RMSEWithUncertainty", verbose=0, allow_writing_files=False, random_seed=0
        )
        self.model = model.fit(X, y)
        return self

    def moments(self, X):
        mean, variance = self.model.predict(X).T
        return mean, np.sqrt(variance)


class Boosting(Normal):
    """Boosted trees with one standard deviation, that of cross-validated residuals."""

    def fit(self, X, y):
        model = HistGradientBoostingRegressor(random_state=0)
        self.std = np.std(y - cross_val_predict(model, X, y))
        self.model = model.fit(X, y)
        return self

    def moments(self, X):
        return self.model.predict(X), np.full(len(X), self.std)


class GaussianProcess(Normal):
    def fit(self, X, y):
        if len(y) > 2000:
            raise ImportError("too many rows")
        kernel = ConstantKernel() * RBF() + WhiteKernel()
        model = GaussianProcessRegressor(kernel, normalize_y=True)
        self.model = make_pipeline(StandardScaler(), model).fit(X, y)
        return self

    def moments(self, X):
        return self.model.predict(X, return_std=True)


class QuantileForest:
    """No density: its NLL is left out, and what is timed are its quantiles.

    Masses are shares of quantiles, with one more for all steps in the range of y together.
    """

    def fit(self, X, y):
        from quantile_forest import RandomForestQuantileRegressor

        self.range = np.ptp(y)
        self.model = RandomForestQuantileRegressor(random_state=0).fit(X, y)
        return self

    def densities(self, X, y):
        return self.model.predict(X, quantiles=LEVELS.tolist())

    def figures(self, X, y, step):
        quantiles = self.densities(X, y)
        short = y[:, None] - quantiles
        pinball = np.maximum(LEVELS * short, (LEVELS - 1) * short)
        hits = np.sum(np.abs(short) <= step / 2, axis=1) + step / (self.range + step)
        mass = -np.log(hits / (len(LEVELS) + 1)).mean() if step else np.nan
        low, high = self.model.predict(X, quantiles=[0.05, 0.95]).T
        covered = np.mean((low <= y) & (y <= high))
        return np.nan, mass, 2 * pinball.mean(), covered, distance(np.mean(short > 0, axis=1))


MODELS = {
    "ours": Ours,
    "ngboost": NGBoost,
    "catboost": CatBoost,
    "boosting": Boosting,
    "gp": GaussianProcess,
    "forest": QuantileForest,
}


def conditional(sets, n_splits, models):
    """NLL, CRPS, coverage of the 90 % interval, distance of F(y given x) from uniform, and time,
    means over the splits."""
    print("\n## p(y given x), defaults: NLL, mass, CRPS, coverage of 90 %, PIT-KS, fit s")
    figures = "nll", "mass", "crps", "cov", "ks", "s"
    head = [f"{figure} {name}" for figure in figures for name in models]
    print("set," + ",".join(head))
    table = []
    for name, splits in sets:
        found = {model: [] for model in models}
        for train_X, train_y, test_X, test_y in splits[:n_splits]:
            step = Rounding.of(train_y).step
            for model, make in models.items():
                start = time.perf_counter()
                try:
                    fitted = make().fit(train_X, train_y)
                except ImportError:
                    found[model].append([np.nan] * 6)
                    continue
                seconds = time.perf_counter() - start
                found[model].append([*fitted.figures(test_X, test_y, step), seconds])
        means = np.array([np.mean(rows, axis=0) for rows in found.values()])
        table.append(means)
        print(f"{name}," + ",".join(f"{v:.4g}" for v in means.T.ravel()), flush=True)
    table = np.array(table)  # (sets, models, figures)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of peers that are not there
        print("mean," + ",".join(f"{v:.4g}" for v in np.nanmean(table, axis=0).T.ravel()))
        print("\ngeometric means of ours / theirs")
        for i, model in enumerate(models):
            crps, seconds = np.exp(np.nanmean(np.log(table[:, 0] / table[:, i])[:, [2, 5]], axis=0))
            print(f"{model:10} CRPS {crps:6.3f}  time {seconds:6.3f}")
        least = np.mean(table[:, 0, 4] <= np.nanmin(table[:, :, 4], axis=1))
        off = np.abs(table[:, 0, 3] - 0.9).mean()
        print(
            f"ours: PIT-KS least on {least:.0%} of the sets, coverage off by {off:.3f} on average"
        )


def speed(sets, models):
    """Milliseconds that the densities of 1,000 rows take after a fit of 10,000."""
    print("\n## densities of 1,000 rows after a fit of 10,000: least and median ms of 30, fit s")
    print("set,model,least,median,fit")
    for name, X, y in sets:
        rows = np.random.RandomState(0).permutation(len(y))[:11_000]
        train, test = rows[:10_000], rows[10_000:]
        for model, make in models.items():
            start = time.perf_counter()
            try:
                fitted = make().fit(X[train], y[train])
            except ImportError:
                continue
            seconds, spent = time.perf_counter() - start, []
            for _ in range(30):
                start = time.perf_counter()
                fitted.densities(X[test], y[test])
                spent.append(1e3 * (time.perf_counter() - start))
            figures = [min(spent), np.median(spent), seconds]
            print(f"{name},{model}," + ",".join(f"{v:.1f}" for v in figures), flush=True)


class SplineFlow:
    """A neural spline flow, stopped where the likelihood of a sixth of the rows does not rise."""

    def fit(self, X):
        import torch
        import zuko

        torch.manual_seed(0)
        self.scaler = StandardScaler().fit(X)
        rows = torch.as_tensor(self.scaler.transform(X), dtype=torch.float32)
        held_out, train = rows[torch.randperm(len(X))].split([len(X) // 6, len(X) - len(X) // 6])
        self.flow = zuko.flows.NSF(X.shape[1], transforms=3, hidden_features=(64, 64))
        optimizer = torch.optim.Adam(self.flow.parameters(), lr=1e-3)
        best, best_epoch, state = -np.inf, 0, None
        for epoch in range(300):
            for batch in torch.randperm(len(train)).split(128):
                optimizer.zero_grad()
                (-self.flow().log_prob(train[batch]).mean()).backward()
                optimizer.step()
            with torch.no_grad():
                value = float(self.flow().log_prob(held_out).mean())
            if value > best:
                best, best_epoch = value, epoch
                state = {key: part.clone() for key, part in self.flow.state_dict().items()}
            elif epoch - best_epoch >= 20:
                break
        self.flow.load_state_dict(state)
        return self

    def score_samples(self, X):
        import torch

        rows = torch.as_tensor(self.scaler.transform(X), dtype=torch.float32)
        with torch.no_grad():
            return self.flow().log_prob(rows).numpy() - np.log(self.scaler.scale_).sum()

    def sample(self, n_samples):
        import torch

        with torch.no_grad():
            return self.scaler.inverse_transform(self.flow().sample((n_samples,)).numpy())


def joint_models(part):
    """By name; of those whose scores choose a parameter, on the split ``part``."""
    sizes = {"n_components": [1, 2, 3, 5, 8, 12, 16, 24, 32], "reg_covar": [1e-6, 1e-3]}
    mixture = GaussianMixture(random_state=0, max_iter=300)
    models = {
        "ours": EnergyDensityEstimator(conditional=False, random_state=0),
        "4 orders": EnergyDensityEstimator(conditional=False, n_orders=4, random_state=0),
        "mixture": GridSearchCV(mixture, sizes, cv=part),
        "flow": SplineFlow(),
        "kde": GridSearchCV(KernelDensity(), {"bandwidth": np.geomspace(0.02, 1, 12)}, cv=part),
        "gauss": GaussianMixture(1),
    }
    if find_spec("zuko") is None:
        del models["flow"]
    return models


def spread(X, recordings, rng):
    """Rows whose atoms are spread over the width that ours gives them."""
    X = X.copy()
    for column, recording in zip(X.T, recordings, strict=True):
        at = recording.is_point_mass(column)
        column[at] += recording.width * rng.uniform(-0.5, 0.5, size=at.sum())
    return X


def joint(sets, chosen=None):
    """Mean test log-likelihood and AUC of samples against test rows.

    Where columns have atoms, the peers' rows are spread over the width that ours gives these, else
    a spike of any height would win.
    """
    print("\n## p(x): test log-likelihood in nats, AUC of draws against test rows, fit s")
    for name, train, test in sets:
        part = [next(ShuffleSplit(1, test_size=0.18, random_state=0).split(train))]
        n_draws = min(10_000, 3 * len(test))
        rng, recordings = np.random.RandomState(0), [Rounding.of(column) for column in train.T]
        spread_train, spread_test = (spread(rows, recordings, rng) for rows in (train, test))
        for key, model in joint_models(part).items():
            if chosen is not None and key not in chosen:
                continue
            own = isinstance(model, EnergyDensityEstimator)
            start = time.perf_counter()
            model.fit(train if own else spread_train)
            seconds = time.perf_counter() - start
            drawn = getattr(model, "best_estimator_", model).sample(n_draws)
            auc = told_apart(test, drawn[0] if isinstance(drawn, tuple) else drawn)
            likelihood = model.score_samples(test if own else spread_test).mean()
            print(f"{name:12}{key:10}{likelihood:10.3f}{auc:8.3f}{seconds:9.2f}", flush=True)


def told_apart(real, drawn):
    """Cross-validated AUC of a classifier between real and drawn rows; 0.5 is perfect."""
    X = np.concatenate([real, drawn])
    y = np.repeat([1, 0], [len(real), len(drawn)])
    model = HistGradientBoostingClassifier(random_state=0)
    return roc_auc_score(y, cross_val_predict(model, X, y, method="predict_proba")[:, 1])


def regression_sets(folder):
    if folder is None:
        X, y = load_diabetes(return_X_y=True)
        parts = [train_test_split(X, y, test_size=0.1, random_state=k) for k in range(20)]
        return [("diabetes", [(a, c, b, d) for a, b, c, d in parts])]
    sets = []
    for path in sorted((Path(folder) / "regression").glob("*.npz")):
        with np.load(path) as stored:
            X, y = (stored[key].astype(np.float64) for key in ("X", "y"))
            rows = [
                (stored[f"train_idx_{k}"], stored[f"test_idx_{k}"])
                for k in range(int(stored["n_splits"]))
            ]
        sets.append((path.stem, [(X[a], y[a], X[b], y[b]) for a, b in rows]))
    return sets


def large_sets(folder):
    """The last column of a table given the others, for tables of 11,000 rows or more."""
    X, y = make_friedman1(11_000, noise=0.0, random_state=0)
    y = y + (0.5 + X[:, 0]) * np.random.RandomState(0).standard_t(5, size=len(y))
    sets = [("friedman1", X, y)]
    tables = [(name, np.vstack(parts)) for name, *parts in density_sets(folder)]
    return sets + [(name, Z[:, :-1], Z[:, -1]) for name, Z in tables if len(Z) >= 11_000]


def density_sets(folder):
    if folder is None:
        bundled = {"iris": load_iris, "wine": load_wine}
        return [
            (name, *train_test_split(load(return_X_y=True)[0], test_size=0.3, random_state=0))
            for name, load in bundled.items()
        ]
    sets = []
    for path in sorted((Path(folder) / "density").glob("*.npz")):
        with np.load(path) as stored:
            train = np.concatenate([stored["train"], stored["valid"]]).astype(np.float64)
            sets.append((path.stem, train, stored["test"].astype(np.float64)))
    return sets


def main():
    """Prints the tables that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder that holds regression/ and density/")
    parser.add_argument("--part", choices=["conditional", "speed", "joint"])
    parser.add_argument("--sets", help="names, separated by commas (default: all)")
    parser.add_argument("--splits", type=int, default=20, help="the first so many splits")
    parser.add_argument("--models", help="names (default: all)")
    options = parser.parse_args()
    names = options.models.split(",") if options.models else None
    models = {name: make for name, make in MODELS.items() if names is None or name in names}
    chosen = options.sets.split(",") if options.sets else None

    def wanted(sets):
        return [s for s in sets if chosen is None or s[0] in chosen]

    if options.part in (None, "conditional"):
        conditional(wanted(regression_sets(options.data)), options.splits, models)
    if options.part in (None, "speed"):
        speed(wanted(large_sets(options.data)), models)
    if options.part in (None, "joint"):
        joint(wanted(density_sets(options.data)), names)


if __name__ == "__main__":
    main()
