"""What each part of EnergyDensityEstimator buys: held-out figures without it, minus those with it.

    python docs/benchmarks/density_ablation.py [--data DIR] [--part PART] [--sets a,b] [--splits N]
        [--variants a,b] [--rows N] [--csv FILE]

Data are those of density.py; training parts are cut to 1,500 rows. Differences are means over the
splits of a set, then mean and standard error over sets; positive differences mean that the part
helps. "fit" is the ratio of the times of the fits. With --csv the table is written to a file, too.
"""

import argparse
import csv
import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import numpy as np
from density import density_sets, regression_sets, told_apart
from sklearn.dummy import DummyRegressor

from sk_ebm import EnergyDensityEstimator
from sk_ebm._core.folds import shuffled_folds
from sk_ebm._density import (
    chain,
    column_transform,
    gaussian_mixture,
    kernel_ridge,
    leaf_density,
    location_scale,
    mixture_column,
    repeated_values,
    residual_scale,
    student_residuals,
)

fit_default_locations = location_scale.fit_default_locations


def without(name):
    """The default regressors but those of this class, unless they are the only ones."""

    def locations(*args, **params):
        fitted = fit_default_locations(*args, **params)
        return [r for r in fitted if type(r.fold_models[0]).__name__ != name] or fitted

    return locations


def no_leaves(forest, held_out, X, y, points, weights, folds):
    return None, leaf_density._normal_scores(held_out, points)


def equal_weights(predictions, y, weights):
    return np.full(predictions.shape[1], 1 / predictions.shape[1])


def constant(*args, **params):
    return DummyRegressor()


def positive(gains, weights):
    return np.average(gains, weights=weights) > 0


def five_folds(weights, rng, n_columns):
    return shuffled_folds(len(weights), min(5, len(weights)), rng)


def no_scales(table, y, kernel, penalty):
    return np.inf, kernel, penalty


# What replaces a part: (module, name, value), or a parameter of the estimator.
CONDITIONAL = {
    "powers of y": {"power": None},
    "powers of y that gain less than .1 nats": [(location_scale, "_MIN_GAIN", 0.1)],
    "leaf densities": [(location_scale, "fit_leaf_density", no_leaves)],
    "correction by an energy": {"beta": 1e-9},
    "temperature of the correction": {"beta": 1.0},
    "scale of residuals given x": [
        (residual_scale, "boosted_trees", lambda *a, **p: DummyRegressor())
    ],
    "degrees of freedom, fitted (off: 6)": [(student_residuals, "_DF_RANGE", (6, 6.0001))],
    "weights of regressors": [(student_residuals, "pool_locations", equal_weights)],
    "boosted trees": [(location_scale, "fit_default_locations", without("LGBMRegressor"))],
    "random trees": [(location_scale, "fit_default_locations", without("ExtraTreesRegressor"))],
    "kernel ridge": [
        (location_scale, "fit_default_locations", without("KernelRegressor")),
    ],
    "linear ridge": [(location_scale, "fit_default_locations", without("LinearRidge"))],
    "length scales of columns": [(kernel_ridge, "_own_scales", no_scales)],
    "ten folds of few rows": [(chain, "default_folds", five_folds)],
    "two standard errors (off: 0)": [
        (location_scale, "significantly_positive", positive),
        (leaf_density, "significantly_positive", positive),
    ],
}
JOINT = {
    "leaf densities": [(mixture_column, "fit_leaf_density", no_leaves)],
    "transforms of columns": [(column_transform, "_MIN_ROWS", np.inf)],
    "restarts of the mixture": [(gaussian_mixture, "_N_RESTARTS", 0)],
    "ridges of covariances (off: 1e-3)": [(gaussian_mixture, "_RIDGES", (1e-3,))],
    "number of components (off: 1)": [(gaussian_mixture, "_SIZES", (1,))],
    "samplers of repeated values": [(repeated_values, "_LEAST_RECURRENCE", np.inf)],
    "correction by an energy": {"beta": 1e-9},
}


def fitted(change, data, **params):
    """A density without a part, and the seconds of its fit."""
    with ExitStack() as stack:
        for replaced in change if isinstance(change, list) else []:
            stack.enter_context(patch.object(*replaced))
        params |= change if isinstance(change, dict) else {}
        start = time.process_time()
        model = EnergyDensityEstimator(random_state=0, **params).fit(*data)
        return model, time.process_time() - start


def conditional_figures(change, X_train, y_train, X_test, y_test):
    """NLL of the density, smooth where y has point masses, CRPS, and seconds."""
    model, seconds = fitted(change, (X_train, y_train))
    smooth = model
    if len(model.rounding_[0].point_masses):
        smooth, _ = fitted(change, (X_train, y_train), atoms=False)
    return -smooth.score(X_test, y_test), model.crps(X_test, y_test).mean(), seconds


def joint_figures(change, train, test):
    """NLL, AUC of draws against test rows, and seconds."""
    model, seconds = fitted(change, (train,), conditional=False)
    drawn = model.sample(3 * len(test), random_state=1)
    return -model.score(test), told_apart(test, drawn), seconds


def cut(part, n_rows):
    """The training part of a split, cut to so many random rows, and the test part."""
    half = len(part) // 2
    rows = np.random.RandomState(0).permutation(len(part[0]))[:n_rows]
    return [*(array[rows] for array in part[:half]), *(array[:2000] for array in part[half:])]


PARTS = {
    "conditional": (CONDITIONAL, conditional_figures, "CRPS"),
    "joint": (JOINT, joint_figures, "AUC"),
}


def ablate(part, sets, names, n_rows):
    """Rows (part, differences, errors, number of sets, ratio of times) of a table."""
    changes, figures, second = PARTS[part]
    unit = "per cent" if second == "CRPS" else "hundredths"
    chosen = [name for name in changes if names is None or name in names]
    splits = {name: [cut(split, n_rows) for split in data] for name, data in sets}
    whole = {name: [figures(None, *s) for s in data] for name, data in splits.items()}
    print(f"\n## {part}: NLL in nats, {second} in {unit}, without a part minus with it")
    print(f"{'part':42}{'nats':>8}{'+-':>7}{second:>9}{'+-':>7}{'sets':>5}{'fit':>6}")
    for change in chosen:
        table = []
        for name, data in splits.items():
            off = np.mean([figures(changes[change], *s) for s in data], axis=0)
            on = np.mean(whole[name], axis=0)
            change_of = np.log(off[1] / on[1]) if second == "CRPS" else off[1] - on[1]
            table.append([off[0] - on[0], 100 * change_of, off[2] / on[2]])
        nats, percent, ratio = np.transpose(table)
        row = [*summary(nats), *summary(percent), len(table), np.exp(np.log(ratio).mean())]
        print("{:42}{:8.3f}{:7.3f}{:9.2f}{:7.2f}{:5d}{:6.2f}".format(change, *row), flush=True)
        yield [f"{part}: {change}", *(f"{v:.3f}" for v in row[:4]), len(table), f"{row[5]:.2f}"]


def summary(differences):
    """Mean over sets and its standard error."""
    return np.mean(differences), np.std(differences, ddof=1) / np.sqrt(len(differences))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder that holds regression/ and density/")
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--sets", help="names, separated by commas (default: all)")
    parser.add_argument("--splits", type=int, default=3, help="the first so many splits")
    parser.add_argument("--rows", type=int, default=1500, help="training rows, at most")
    parser.add_argument("--variants", help="names of parts, separated by commas (default: all)")
    parser.add_argument("--csv", help="file that the table is written to")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    rows = []
    for part in [options.part] if options.part else PARTS:
        sets = load(part, Path(options.data) if options.data else None, options.splits)
        if options.sets:
            sets = [s for s in sets if s[0] in options.sets.split(",")]
        names = options.variants.split(",") if options.variants else None
        rows += ablate(part, sets, names, options.rows)
    if options.csv:
        with open(options.csv, "w", newline="") as file:
            head = ["part", "nats", "+-", "second", "+-"]
            csv.writer(file, lineterminator="\n").writerows([[*head, "sets", "fit"], *rows])


def load(part, folder, n_splits):
    """Pairs (name, splits), each split being training arrays and then test arrays."""
    if part == "conditional":
        sets = regression_sets(folder)
        return [(name, splits[:n_splits]) for name, splits in sets]
    return [(name, [(train, test)]) for name, train, test in density_sets(folder)]


if __name__ == "__main__":
    main()
