"""The main job, ``python -m sk_ebm``: energies and a sum beside scikit-learn's counterparts.

Prints tables on scikit-learn's bundled data and draws the energies into ``sk_ebm.png``.
"""

import warnings
from importlib.util import find_spec
from time import perf_counter

import numpy as np
from scipy.stats import norm
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, VotingClassifier
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, LocalOutlierFactor, NearestCentroid
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector, EnergyRanker
from sk_ebm.metrics import ndcg

DATA = {"breast_cancer": load_breast_cancer, "wine": load_wine, "digits": load_digits}

COUNTERPARTS = {
    "linear": LogisticRegression(max_iter=1000),
    "kernel": SVC(),
    "mlp": MLPClassifier(max_iter=500, random_state=0),
    "prototype": NearestCentroid(),
    "trees": HistGradientBoostingClassifier(random_state=0),
}
if find_spec("lightgbm") is None:
    del COUNTERPARTS["trees"]

# Their sum beside the mean of their probabilities.
SUM = [("linear", "linear"), ("kernel", "kernel"), ("neighbors", KNeighborsClassifier())]
VOTE = VotingClassifier(
    [
        ("linear", LogisticRegression(max_iter=1000)),
        (
            "kernel",
            make_pipeline(
                Nystroem(n_components=50, random_state=0), LogisticRegression(max_iter=1000)
            ),
        ),
        ("neighbors", KNeighborsClassifier()),
    ],
    voting="soft",
)

PICTURE = "sk_ebm.png"
COLORS = np.array([[0.00, 0.45, 0.70], [0.90, 0.62, 0.00], [0.00, 0.62, 0.45]])


def main():
    """Print the table, then draw the picture if matplotlib is there."""
    print(f"{'':13} {'model':30} {'accuracy':>8} {'log-loss':>8} {'fit [s]':>8}")
    for name, load in DATA.items():
        print_rows(name, load)
    print(f"\n{'':13} {'model':30} {'nats':>8} {'fit [s]':>17}")
    print_densities()
    print("nats: mean log-density of the test rows; the higher, the better.")
    print(f"\n{'':13} {'model':30} {'AUC':>8} {'false alarms':>12} {'fit [s]':>8}")
    print_detectors()
    print("AUC of malignant beside benign test rows, false alarms among benign ones.")
    print(f"\n{'':13} {'model':30} {'NDCG@10':>8} {'fit [s]':>17}")
    print_rankings()
    print("NDCG@10: mean over the test queries; the higher, the better. Made data.")
    print("Half of the rows, standardised, for training and half for testing; one fixed split.")
    if "trees" not in COUNTERPARTS:
        print("For boosted trees: pip install sk-ebm[trees]")
    if find_spec("matplotlib") is None:
        print("For a picture of the energies: pip install sk-ebm[plot]")
        return
    draw(PICTURE)
    print(f"Energies and free energies of two-dimensional data: {PICTURE}")


def print_rows(name, load):
    """The rows of one data set: each energy, and below it its counterpart."""
    X, y = load(return_X_y=True)
    split = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
    pairs = [(energy, energy, peer) for energy, peer in COUNTERPARTS.items()]
    for energy, words, counterpart in [*pairs, (SUM, "sum of three", VOTE)]:
        classifier = EnergyClassifier(energy=energy, random_state=0)
        for label, model in [
            (f"EnergyClassifier {words}", classifier),
            (type(counterpart).__name__, counterpart),
        ]:
            accuracy, loss, seconds = measure(model, *split)
            loss = "-" if loss is None else f"{loss:.3f}"
            print(f"{name:13} {label:30} {accuracy:8.3f} {loss:>8} {seconds:8.3f}", flush=True)
            name = ""


def print_densities():
    """A predictive density beside a Gaussian process, and a joint one beside a mixture."""
    X, y = load_diabetes(return_X_y=True)
    split = train_test_split(X, y, test_size=0.5, random_state=0)
    process = GaussianProcessRegressor(
        RBF(0.1, (1e-3, 1e3)) + WhiteKernel(), normalize_y=True, random_state=0
    )
    models = [EnergyDensityEstimator(random_state=0), process]
    print_density_rows("diabetes", models, *split)
    X = StandardScaler().fit_transform(load_wine().data)
    split = train_test_split(X, np.zeros(len(X)), test_size=0.5, random_state=0)
    joint = EnergyDensityEstimator(conditional=False, random_state=0)
    print_density_rows("wine, p(x)", [joint, GaussianMixture(3, random_state=0)], *split)


def print_density_rows(name, models, X_train, X_test, y_train, y_test):
    for model in models:
        start = perf_counter()
        model.fit(X_train, y_train)
        seconds = perf_counter() - start
        if isinstance(model, GaussianProcessRegressor):
            nats = norm.logpdf(y_test, *model.predict(X_test, return_std=True)).mean()
        else:
            nats = model.score(X_test, y_test)
        print(f"{name:13} {type(model).__name__:30} {nats:8.3f} {seconds:17.3f}", flush=True)
        name = ""


def print_detectors():
    """Detectors of malignant rows, fitted to benign ones, that may flag one new row in twenty."""
    X, y = load_breast_cancer(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.5, stratify=y, random_state=0
    )
    name = "breast_cancer"
    for model in [
        EnergyDetector(novelty=True, random_state=0),
        IsolationForest(contamination=0.05, random_state=0),
        LocalOutlierFactor(contamination=0.05, novelty=True),
    ]:
        detector = make_pipeline(StandardScaler(), model)
        start = perf_counter()
        detector.fit(X_train[y_train == 1])
        seconds = perf_counter() - start
        area = roc_auc_score(y_test, detector.score_samples(X_test))
        alarms = np.mean(detector.predict(X_test[y_test == 1]) == -1)
        label = type(model).__name__
        print(f"{name:13} {label:30} {area:8.3f} {alarms:12.3f} {seconds:8.3f}", flush=True)
        name = ""


def print_rankings():
    """LightGBM's ranker, or Ridge, alone and as a term of a sum, on a hundred queries."""
    X, y, queries = made_queries(200)
    train, test = queries < 100, queries >= 100
    peer, given = Ridge(), {}
    if "trees" in COUNTERPARTS:
        from lightgbm import LGBMRanker

        peer, given = LGBMRanker(n_jobs=1, verbose=-1), {"group": [20] * 100}
    terms, name = ["linear", "kernel", peer], "20 items each"
    for model, queries_of in [
        (EnergyRanker(terms, random_state=0), {"groups": queries[train]}),
        (peer, given),
    ]:
        start = perf_counter()
        model.fit(X[train], y[train], **queries_of)
        seconds = perf_counter() - start
        score = ndcg(y[test], model.predict(X[test]), queries[test])
        print(f"{name:13} {type(model).__name__:30} {score:8.3f} {seconds:17.3f}", flush=True)
        name = ""


def made_queries(n_queries):
    """Items whose relevance follows a trend, an interaction and a curve, under noise."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((20 * n_queries, 10))
    worth = X[:, 0] + X[:, 1] * X[:, 2] + np.abs(X[:, 3]) + rng.standard_normal(len(X))
    return X, np.clip(np.round(worth), 0, 4), np.repeat(np.arange(n_queries), 20)


def measure(model, X_train, X_test, y_train, y_test):
    """Test accuracy, test log-loss in nats (None without probabilities), seconds of the fit."""
    pipeline = make_pipeline(StandardScaler(), model)
    start = perf_counter()
    with warnings.catch_warnings():  # NearestCentroid's, about the blank corners of the digits
        warnings.filterwarnings("ignore", message="self.within_class_std_dev_ has at least 1 zero")
        pipeline.fit(X_train, y_train)
    seconds = perf_counter() - start
    accuracy = accuracy_score(y_test, pipeline.predict(X_test))
    if not hasattr(pipeline, "predict_proba"):
        return accuracy, None, seconds
    return accuracy, log_loss(y_test, pipeline.predict_proba(X_test)), seconds


def draw(path):
    """One panel for each energy, fitted to two principal components of the wine data."""
    from matplotlib.figure import Figure

    wine = load_wine()
    X = make_pipeline(StandardScaler(), PCA(2)).fit_transform(wine.data)
    figure = Figure(figsize=(14, 4.0), layout="constrained")
    panels = figure.subplots(1, len(COUNTERPARTS), sharex=True, sharey=True)
    for panel, energy in zip(panels, COUNTERPARTS, strict=True):
        loss = "energy" if energy == "prototype" else "nll"  # the others collapse with "energy"
        classifier = EnergyClassifier(energy, loss, random_state=0).fit(X, wine.target)
        draw_panel(panel, classifier, X, wine.target, wine.target_names)
        panel.set_title(f'energy="{energy}", loss="{loss}"', fontsize=10)
        panel.set_xlabel("first component")
    panels[0].set_ylabel("second component")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(
        "Wine: the class of least energy (colour, fading where classes are equally probable) and "
        r"the free energy $\beta F(x)$ in nats (lines)"
    )
    figure.savefig(path, dpi=150)


def draw_panel(panel, classifier, X, y, names):
    """Probabilities as colours, free energy as lines, samples as points."""
    (left, bottom), (right, top) = X.min(axis=0) - 1, X.max(axis=0) + 1
    columns, rows = np.meshgrid(np.linspace(left, right, 200), np.linspace(bottom, top, 200))
    grid = np.stack([columns.ravel(), rows.ravel()], axis=1)
    colors = 1 - 0.6 * classifier.predict_proba(grid) @ (1 - COLORS)
    free_energy = classifier.beta_ * classifier.free_energy(grid).reshape(columns.shape)
    panel.imshow(
        colors.reshape(*columns.shape, 3),
        origin="lower",
        extent=(left, right, bottom, top),
        aspect="auto",
    )
    lines = panel.contour(columns, rows, free_energy, levels=7, colors="0.25", linewidths=0.7)
    panel.clabel(lines, fontsize=7, fmt="%g")
    for k, name in enumerate(names):
        inside = X[y == k]
        panel.scatter(*inside.T, s=12, color=COLORS[k], edgecolor="white", lw=0.4, label=name)


if __name__ == "__main__":
    main()
