"""The part `classifier` of speed.py: fits of EnergyClassifier beside those of its peers."""

import numpy as np
import sparse_text
from answers import generated as many_classes
from classification import bundled, log_loss, prepared, stored
from lightgbm import LGBMClassifier
from scipy import sparse
from sklearn.datasets import make_classification
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from timing import Comparison, compare_times, importing

from sk_ebm import EnergyClassifier
from sk_ebm.energies import TreesEnergy

SMALL = 150, 300, 1000  # rows
POOL = "linear", "kernel", "trees"
MOST_ROWS_OF_POOLS = 20_000


def classifier(data=None):
    """Default fits, many classes, sparse text, trees, kernels and pools."""
    compare_times(
        "import",
        [Comparison("package", importing("sk_ebm"), importing("sklearn.linear_model"), 1.3)],
    )
    compare_times("default beside LogisticRegression()", defaults(data))
    compare_times("many classes", answers())
    compare_times("kernel beside SVC()", kernels(data))
    pools(data)


def sets(data):
    """(name, (X_train, X_test, y_train, y_test)) of bundled or stored sets, scaled."""
    found = stored(f"{data}/classification") if data else bundled()
    for name, X, y, split in found:
        yield name, prepared(X, y, split, True)


def made(n_rows, n_columns=20, n_classes=3, seed=0):
    """The same of generated rows."""
    X, y = make_classification(
        n_rows + 2000,
        n_columns,
        n_informative=n_columns // 2,
        n_classes=n_classes,
        random_state=seed,
    )
    return X[:n_rows], X[n_rows:], y[:n_rows], y[n_rows:]


def quality_on(rows):
    """Accuracy and log-loss of a classifier on test rows."""
    _, X, _, y = rows

    def quality(model):
        found = {"accuracy": float(np.mean(model.predict(X) == y))}
        if hasattr(model, "predict_proba"):
            found["log-loss"] = log_loss(model, X, y)
        return found

    return quality


def fitting(make, rows):
    X, _, y, _ = rows
    return lambda: make().fit(X, y)


def fits(name, rows, ours, peer, bound):
    """The fits of two classifiers to the same rows."""
    return Comparison(name, fitting(ours, rows), fitting(peer, rows), bound, quality_on(rows))


def seeded(energy="linear", **options):
    return lambda: EnergyClassifier(energy, random_state=0, **options)


def defaults(data):
    for n in SMALL:
        yield fits(f"generated, {n} rows", made(n), seeded(), LogisticRegression, 3)
    for name, rows in sets(data):
        bound = 3 if rows[0].shape[0] <= max(SMALL) else 5
        yield fits(_sized(name, rows), rows, seeded(), LogisticRegression, bound)


def _sized(name, rows):
    return f"{name}, {rows[0].shape[0]} x {rows[0].shape[1]}, {len(np.unique(rows[2]))}"


def text(n_classes=150, n_rows=15_000, n_words=12_000):
    """Generated text of many classes as tf-idf, in its most frequent words."""
    X, y, X_test, y_test = sparse_text.generated(n_classes, n_rows)
    words = np.sort(np.argsort(-np.bincount(X.indices, minlength=X.shape[1]))[:n_words])
    X, X_test = (sparse.csr_matrix(part)[:, words] for part in (X, X_test))
    tfidf = TfidfTransformer().fit(X)
    return tfidf.transform(X), tfidf.transform(X_test), y, y_test


def dense_of_many_classes():
    X, y, X_test, y_test = many_classes(1000, 10_000)
    scale = X.std(axis=0)
    return X / scale, X_test / scale, y, y_test


def answers():
    dense = dense_of_many_classes()
    exact = seeded(negatives="all", alpha=1e-4, beta=1)
    peer = LogisticRegression
    yield fits("1,000 classes, 10,000 x 64, C = 1", dense, exact, peer, 2)
    yield fits("alpha and beta learned", dense, seeded(negatives="all"), peer, 10)
    yield fits("150 classes of text, 15,000 rows", text(), seeded(), peer, 5)
    rows = made(15_000, 30, 150)
    few = {"n_estimators": 20}
    equal = seeded(TreesEnergy(20, early_stopping=False, n_jobs=1), beta=1)
    yield fits("150 classes, 20 rounds of trees", rows, equal, lambda: light(**few), 2)


def light(**options):
    return LGBMClassifier(verbose=-1, n_jobs=1, **options)


def kernels(data):
    wide = made(3000, 600, 26)
    yield fits("generated, 3,000 x 600, 26", wide, seeded("kernel"), SVC, 5)
    for name, rows in sets(data):
        yield fits(_sized(name, rows), rows, seeded("kernel"), SVC, 5)


def pools(data):
    """A pool beside the sum of the fits of its members, each with its calibration."""
    generated = [(f"generated, {n} rows", made(n)) for n in (300, 1500, 6000, 20_000)]
    chosen = [*generated, *((name, rows) for name, rows in sets(data) if suits_trees(rows))]
    compare_times("pools beside the sum of their members", map(pool_of, chosen))


def suits_trees(rows):
    return not sparse.issparse(rows[0]) and len(rows[2]) <= MOST_ROWS_OF_POOLS


def members_of(rows):
    """An action that fits the members of the pool one after another; the best is returned."""
    every = [fitting(seeded(member), rows) for member in terms()]
    return lambda: min((fit() for fit in every), key=lambda m: log_loss(m, rows[1], rows[3]))


def terms():
    return [TreesEnergy(n_jobs=1) if name == "trees" else name for name in POOL]


def pool_of(named_rows):
    name, rows = named_rows
    return Comparison(
        _sized(name, rows), fitting(seeded(terms()), rows), members_of(rows), 2, quality_on(rows)
    )
