"""The main job, ``python -m sk_ebm``: one story for each estimator, beside scikit-learn's own.

Prints tables of scikit-learn's bundled data and of made data, with standard errors over splits, and
draws ``sk_ebm.png``.
"""

from importlib.util import find_spec
from time import perf_counter
from typing import NamedTuple

import numpy as np
from scipy.stats import norm
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector, EnergyRanker
from sk_ebm.metrics import ndcg
from sk_ebm.thresholds import FalseAlarm

SPLITS = range(3)
CLASSES = {"breast_cancer": load_breast_cancer, "wine": load_wine, "digits": load_digits}
ANOMALIES = {"breast_cancer": (load_breast_cancer, 0), "wine": (load_wine, 2)}
ANOMALIES["digits"] = (load_digits, 8)
RATE = 0.05
FEW = 5  # labelled anomalies
PICTURE = "sk_ebm.png"
OURS, THEIRS = "#0072b2", "#999999"


class Figure(NamedTuple):
    """A mean over splits and its standard error."""

    mean: float
    error: float

    @classmethod
    def of(cls, values):
        return cls(np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values)))

    def __str__(self):
        return f"{self.mean:7.3f} ± {self.error:.3f}"


def main():
    """Print the tables, then draw the picture if matplotlib is there."""
    stories = [classifiers(), densities(), detectors(), few_labels(), rankers()]
    if find_spec("lightgbm") is None:
        print("\nBoosted trees were left out: pip install sk-ebm[trees]")
    if find_spec("matplotlib") is None:
        print("\nFor a picture: pip install sk-ebm[plot]")
        return
    draw(stories, PICTURE)
    print(f"\nPicture: {PICTURE}")


def table(title, names, rows, note):
    """Print the figures of each model, and a sentence about them."""
    print(f"\n{title}\n{'':34}" + "".join(f"{name:>18}" for name in names))
    for label, figures in rows.items():
        print(f"{label:34}" + "".join(f"{figure!s:>18}" for figure in figures), flush=True)
    print(note)
    return rows


def best_of(rows):
    """The label whose first figure is least."""
    return min(rows, key=lambda label: rows[label][0].mean)


def classifiers():
    """A pool of energies with calibrated probabilities beside its members and stacking."""
    found = {}
    for load in CLASSES.values():
        X, y = load(return_X_y=True)
        for seed in SPLITS:
            split = train_test_split(X, y, test_size=0.5, stratify=y, random_state=seed)
            for label, model in classifiers_to_compare().items():
                found.setdefault(label, []).append(classified(model, *split))
    rows = {label: columns_of(values) for label, values in found.items()}
    names = ["log-loss", "accuracy", "seconds"]
    note = (
        f"Least log-loss: {best_of(rows)}. On breast_cancer alone, LogisticRegression's is lower,"
    )
    note += "\nand its fit takes a hundredth of the time; energy='auto' is for not having to know."
    title = f"CLASSIFY  mean of {', '.join(CLASSES)}; {len(SPLITS)} splits, half of the rows each"
    return table(title, names, rows, note)


def classifiers_to_compare():
    linear, forest = LogisticRegression(max_iter=1000), RandomForestClassifier(random_state=0)
    members = [("linear", linear), ("neighbors", KNeighborsClassifier()), ("forest", forest)]
    return {
        "EnergyClassifier('auto')": EnergyClassifier("auto", random_state=0),
        "EnergyClassifier()": EnergyClassifier(),
        "LogisticRegression": linear,
        "HistGradientBoostingClassifier": HistGradientBoostingClassifier(random_state=0),
        "RandomForestClassifier": forest,
        "StackingClassifier of three": StackingClassifier(members),
    }


def classified(model, X_train, X_test, y_train, y_test):
    """Log-loss, accuracy, seconds of the fit."""
    model, start = make_pipeline(StandardScaler(), model), perf_counter()
    model.fit(X_train, y_train)
    seconds = perf_counter() - start
    loss = log_loss(y_test, model.predict_proba(X_test))
    return loss, accuracy_score(y_test, model.predict(X_test)), seconds


def columns_of(values):
    """The `Figure` of each column of a list of rows."""
    return [Figure.of(column) for column in zip(*values, strict=True)]


def made_regression(n_rows, seed):
    """A curve whose noise grows with x, skewed to one side."""
    rng = np.random.RandomState(seed)
    x = rng.uniform(0, 10, n_rows)
    return x[:, None], np.sin(x) * x + rng.gamma(1.5, 0.2 + 0.2 * x)


def densities():
    """Intervals that follow the noise, beside a Gaussian process."""
    found, title = {}, "ESTIMATE  p(y given x): a curve with skewed noise, made; and diabetes"
    for seed in SPLITS:
        for name, (X, y) in {
            "curve": made_regression(600, seed),
            "diabetes": load_diabetes(return_X_y=True),
        }.items():
            split = train_test_split(X, y, test_size=0.5, random_state=seed)
            for label, model in densities_to_compare().items():
                found.setdefault(f"{label}, {name}", []).append(predicted(model, *split))
    rows = {label: columns_of(found[label]) for label in sorted(found, key=lambda x: x[::-1])}
    note = "A Gaussian process is as good where noise is normal (diabetes), not where it is skewed."
    return table(title, ["-log density", "share in 90 %"], rows, note)


def densities_to_compare():
    kernel = RBF(0.1, (1e-3, 1e3)) + WhiteKernel()
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    return {
        "EnergyDensityEstimator": EnergyDensityEstimator(random_state=0),
        "GaussianProcessRegressor": process,
    }


def predicted(model, X_train, X_test, y_train, y_test):
    """Mean negative log-density, and the share of answers in intervals of nominally 90 %."""
    model.fit(X_train, y_train)
    if isinstance(model, GaussianProcessRegressor):
        mean, std = model.predict(X_test, return_std=True)
        density, interval = norm.logpdf(y_test, mean, std), norm(mean, std).interval(0.9)
    else:
        density, interval = model.log_prob(X_test, y_test), model.predict_interval(X_test).T
    return -density.mean(), np.mean((interval[0] <= y_test) & (y_test <= interval[1]))


def detectors():
    """Clean training rows: which rows are not like them, and how many are flagged for nothing."""
    found = {}
    for load, anomaly in ANOMALIES.values():
        X, y = load(return_X_y=True)
        for seed in SPLITS:
            split = train_test_split(X, y == anomaly, test_size=0.5, stratify=y, random_state=seed)
            for label, model in detectors_to_compare().items():
                found.setdefault(label, []).append(detected(model, *split))
    rows = {label: columns_of(values) for label, values in found.items()}
    title = f"DETECT  one class of {', '.join(ANOMALIES)}; trained without it"
    note = f"False alarms are to be {RATE}: ours are learned on held-out rows. By AUC alone, the"
    note += "\nforest is ahead on breast_cancer and wine, and fails on digits."
    return table(title, ["AUC", "false alarms"], rows, note)


def detectors_to_compare():
    return {
        "EnergyDetector(novelty=True)": EnergyDetector(novelty=True, random_state=0),
        "IsolationForest": IsolationForest(contamination=RATE, random_state=0),
        "LocalOutlierFactor": LocalOutlierFactor(contamination=RATE, novelty=True),
    }


def detected(model, X_train, X_test, rare, rare_test):
    """AUC, and the share of other rows that are flagged."""
    model = make_pipeline(StandardScaler(), model).fit(X_train[~rare])
    area = roc_auc_score(rare_test, -model.score_samples(X_test))
    return area, np.mean(model.predict(X_test[~rare_test]) == -1)


def few_labels():
    """Training rows that hold a few anomalies, of which some are known."""
    X, y = load_digits(return_X_y=True)
    rows = np.flatnonzero(y != 8)
    found = {}
    for seed in SPLITS:
        rare = np.random.RandomState(seed).permutation(np.flatnonzero(y == 8))
        train, known = np.concatenate([rows[::2], rare[:40]]), np.zeros(len(rows[::2]) + 40)
        test = np.concatenate([rows[1::2], rare[40:]])
        for n in (0, 1, FEW):
            labels = known.copy()
            labels[len(rows[::2]) :][:n] = 1
            model = EnergyDetector(labels="anomaly" if n else None, random_state=0)
            model.fit(X[train], labels if n else None)
            area = roc_auc_score(y[test] == 8, -model.score_samples(X[test]))
            found.setdefault(f"EnergyDetector, {n} labelled", []).append((area,))
    title = "DETECT  eights among digits, 40 of them in the training rows, some of them labelled"
    rows = {label: columns_of(values) for label, values in found.items()}
    return table(
        title,
        ["AUC"],
        rows,
        "Eights lie among other digits: a few labels say what no energy of inputs knows.",
    )


def rankers():
    """Items of new queries in their order."""
    found, peers = {}, {"Ridge": Ridge()}
    if find_spec("lightgbm") is not None:
        from lightgbm import LGBMRanker

        peers = {"LGBMRanker": LGBMRanker(n_jobs=1, verbose=-1)} | peers
    for seed in SPLITS:
        X, y, queries = made_queries(200, seed)
        train, test = queries < 100, queries >= 100
        ours = {"EnergyRanker('auto')": EnergyRanker("auto", random_state=0)}
        for label, model in (ours | peers).items():
            named = {"EnergyRanker('auto')": {"groups": queries[train]}}
            named["LGBMRanker"] = {"group": [20] * 100}
            start = perf_counter()
            model.fit(X[train], y[train], **named.get(label, {}))
            seconds = perf_counter() - start
            score = ndcg(y[test], model.predict(X[test]), queries[test])
            found.setdefault(label, []).append((score, seconds))
    rows = {label: columns_of(values) for label, values in found.items()}
    title = "RANK  100 queries of 20 items, whose relevance has a trend and an interaction; made"
    note = "NDCG@10 of 100 new queries; the higher, the better."
    return table(title, ["NDCG@10", "seconds"], rows, note)


def made_queries(n_queries, seed):
    """Items whose relevance follows a trend, an interaction and a curve, under noise."""
    rng = np.random.RandomState(seed)
    X = rng.standard_normal((20 * n_queries, 10))
    worth = X[:, 0] + X[:, 1] * X[:, 2] + np.abs(X[:, 3]) + rng.standard_normal(len(X))
    return X, np.clip(np.round(worth), 0, 4), np.repeat(np.arange(n_queries), 20)


def draw(stories, path):
    """Five panels: losses, an interval over x, alarms by rate, a few labels, and rankings."""
    from matplotlib.figure import Figure as Canvas

    figure = Canvas(figsize=(20, 3.6), layout="constrained")
    classes, interval, alarms, labels, ranks = figure.subplots(1, 5)
    draw_bars(classes, stories[0], "log-loss, the lower the better")
    draw_interval(interval)
    draw_alarms(alarms)
    draw_bars(labels, stories[3], "AUC, the higher the better")
    draw_bars(ranks, stories[4], "NDCG@10, the higher the better")
    titles = "Classify", "Estimate a density", "Detect", "Detect with a few labels", "Rank"
    for panel, title in zip(figure.axes, titles, strict=True):
        panel.set_title(title)
    figure.savefig(path, dpi=150)


def draw_bars(panel, rows, label):
    """The first figure of each row, with two standard errors."""
    names = list(rows)[::-1]
    means, errors = zip(*(rows[name][0] for name in names), strict=True)
    colors = [OURS if name.startswith("Energy") else THEIRS for name in names]
    words = [name.replace("EnergyDetector, ", "").replace("Classifier", "") for name in names]
    panel.barh(words, means, xerr=2 * np.array(errors), color=colors)
    panel.set_xlabel(label)


def draw_interval(panel):
    X, y = made_regression(600, 0)
    grid = np.linspace(0, 10, 300)[:, None]
    density = EnergyDensityEstimator(random_state=0).fit(X, y)
    low, high = density.predict_interval(grid).T
    panel.scatter(X[:, 0], y, s=5, color="0.6")
    panel.fill_between(grid[:, 0], low, high, color=OURS, alpha=0.3, label="90 % interval")
    panel.plot(grid[:, 0], density.predict(grid), color=OURS, label="mean")
    panel.set(xlabel="x", ylabel="y")
    panel.legend(frameon=False)


def draw_alarms(panel):
    """Realised false alarms on held-out normal rows, by the rate that was asked for."""
    rates = np.array([0.01, 0.02, 0.05, 0.1, 0.2])
    X, y = load_digits(return_X_y=True)
    train, test = train_test_split(X[y != 8], test_size=0.5, random_state=0)
    ours = [EnergyDetector(novelty=True, threshold=FalseAlarm(r), random_state=0) for r in rates]
    peers = [IsolationForest(contamination=r, random_state=0) for r in rates]
    for models, color, label in (
        (ours, OURS, "EnergyDetector"),
        (peers, THEIRS, "IsolationForest"),
    ):
        realised = [np.mean(model.fit(train).predict(test) == -1) for model in models]
        panel.plot(rates, realised, "o-", color=color, label=label)
    panel.plot(rates, rates, "k--", lw=1, label="target")
    panel.set(xlabel="rate of false alarms asked for", ylabel="share of normal rows flagged")
    panel.legend(frameon=False)


if __name__ == "__main__":
    main()
