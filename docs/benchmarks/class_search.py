"""The search of the best of very many classes: all of them, and by an index.

Seconds are CPU seconds of one thread. The index is that of `recall=0.95`, whose recall is measured
on rows of the same kind when it is built; "ten" are the ten best classes and log Z.
"""

import time

import numpy as np

from sk_ebm._core.class_index import ClassIndex, IndexedSearch
from sk_ebm._core.class_search import ClassSearch

N_ROWS = 2000
SIZES = (20_000, 64), (50_000, 64), (100_000, 64), (100_000, 200), (400_000, 64)


def vectors_of(kind, n_classes, n_features, rng):
    """Vectors and biases of Gaussian classes, and rows near some of them."""
    vectors = rng.standard_normal((n_classes, n_features))
    if kind == "decaying variances":
        vectors *= 2 / np.sqrt(1 + np.arange(n_features))
    if kind == "clusters":
        centres = rng.standard_normal((n_classes // 50, n_features))
        vectors = 0.7 * vectors + centres[rng.randint(len(centres), size=n_classes)]
    rows = vectors[rng.randint(n_classes, size=N_ROWS)]
    rows = rows + 0.7 * rng.standard_normal(rows.shape)
    return vectors, -0.5 * np.square(vectors).sum(axis=1), rows


def seconds(search, rows):
    """CPU seconds of the best class and of the ten best with log Z, of all rows, and of the best of
    a row alone; and the ten best with log Z."""
    found = []
    for part, k, beta in ((rows, 1, None), (rows, 10, 1.0)):
        start = time.process_time()
        best = search.top(part, k, beta)
        found.append(time.process_time() - start)
    start = time.process_time()
    for i in range(20):
        search.top(rows[i : i + 1], 1)
    return *found, (time.process_time() - start) / 20, best


def compare(kind, n_classes, n_features):
    vectors, biases, rows = vectors_of(kind, n_classes, n_features, np.random.RandomState(0))
    start = time.process_time()
    try:
        index = ClassIndex(vectors, biases, rows[:500], 0.95)
    except ImportError as error:
        print(f"index left out: {error}")
        return
    built = time.process_time() - start
    print(
        f"{kind}, {n_classes:,} classes, {n_features} features: built in {built:.1f} s, recall "
        f"{index.recall:.3f} with {index.n_searched} cells"
    )
    all_of_them = seconds(ClassSearch(vectors, biases), rows)
    indexed = seconds(IndexedSearch(vectors, biases, index), rows)
    names = "best", "ten", "best of one row"
    for name, exact, fast in zip(names, all_of_them, indexed, strict=False):
        n_rows = 1 if name == names[-1] else N_ROWS
        gain = exact - 1.5 * fast
        enough = 1.5 * built / gain * n_rows if gain > 0 else np.inf
        print(
            f"    {name:16} all {n_rows / exact:7.0f} rows/s  index {n_rows / fast:7.0f} rows/s "
            f"({exact / fast:5.2f} times); with building, 1.5 times from {enough:.0f} rows on"
        )
    best, found = all_of_them[-1], indexed[-1]
    shares = [np.isin(a, b).mean() for a, b in zip(best.classes, found.classes, strict=True)]
    errors = np.abs(best.log_sums - found.log_sums)
    first = np.mean(best.classes[:, 0] == found.classes[:, 0])
    print(
        f"    recall of ten {np.mean(shares):.3f}, of the best {first:.3f}; log Z off by "
        f"{np.median(errors):.3f} nats, by {np.quantile(errors, 0.9):.3f} in a tenth of the rows",
        flush=True,
    )


def search():
    """The best ten of very many classes."""
    for n_classes, n_features in SIZES:
        for kind in ("isotropic", "decaying variances", "clusters"):
            compare(kind, n_classes, n_features)
