"""The search of the best of very many classes, beside faiss's indices of the same vectors."""

import time

import numpy as np

from sk_ebm._core.class_search import ClassSearch
from sk_ebm.energies import ItemIndex

N_ROWS, N_CLASSES, N_FEATURES = 2000, 100_000, 64


def vectors_of(kind, rng):
    """Vectors and biases of Gaussian classes, and rows near some of them."""
    vectors = rng.standard_normal((N_CLASSES, N_FEATURES))
    if kind == "decaying variances":
        vectors *= 2 / np.sqrt(1 + np.arange(N_FEATURES))
    if kind == "clusters":
        centres = rng.standard_normal((N_CLASSES // 50, N_FEATURES))
        vectors = 0.7 * vectors + centres[rng.randint(len(centres), size=N_CLASSES)]
    rows = vectors[rng.randint(N_CLASSES, size=N_ROWS)]
    rows = rows + 0.7 * rng.standard_normal(rows.shape)
    return vectors, -0.5 * np.square(vectors).sum(axis=1), rows


def report(name, find, best, build=0.0):
    """Rows per second, and which share of the ten best classes is found."""
    start = time.process_time()
    found = find()
    rate = N_ROWS / (time.process_time() - start)
    recall = np.mean([np.isin(a, b).mean() for a, b in zip(best, found, strict=True)])
    built = f"  built in {build:.1f} s" if build else ""
    print(f"    {name:34} {rate:7.0f} rows/s  recall {recall:.3f}{built}", flush=True)


def item_index(vectors, biases, rows, best):
    """faiss's graph (HNSW), as rankers use it."""
    start = time.process_time()
    try:
        index = ItemIndex(n_links=16, n_build=60).fit(np.column_stack([vectors, biases]))
    except ImportError as error:
        print(f"    left out: {error}")
        return
    build = time.process_time() - start
    directions = np.column_stack([rows, np.ones(len(rows))])
    for n_search in (64, 256, 1024):
        index.set_params(n_search=n_search)
        find = lambda: index.search(directions, 10, 10**7)[0]  # noqa: E731
        report(f"ItemIndex, n_search={n_search}", find, best, build)


def inverted_file(vectors, rows, best):
    """faiss's inverted file of 316 cells, by distances."""
    try:
        import faiss
    except ImportError as error:
        print(f"    left out: {error}")
        return
    faiss.omp_set_num_threads(1)
    start = time.process_time()
    single = vectors.astype(np.float32)
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(N_FEATURES), N_FEATURES, 316)
    index.train(single)
    index.add(single)
    build = time.process_time() - start
    for n_cells in (32, 79, 158):
        index.nprobe = n_cells
        find = lambda: index.search(rows.astype(np.float32), 10)[1]  # noqa: E731
        report(f"faiss, {n_cells} of 316 cells", find, best, build)


def all_classes(vectors, biases, rows, best, precise):
    """Ours: all classes, in blocks."""
    search = ClassSearch(vectors, biases, precise)
    name = "recall=1" if precise else "recall=0.95"
    report(f"{name}, the best", lambda: search.top(rows, 1).classes, best[:, :1])
    report(f"{name}, ten and log Z", lambda: search.top(rows, 10, beta=1.0).classes, best)


def search():
    """The best ten of 100,000 classes."""
    for kind in ("isotropic", "decaying variances", "clusters"):
        print(f"{kind}, {N_CLASSES:,} classes, {N_FEATURES} features")
        vectors, biases, rows = vectors_of(kind, np.random.RandomState(0))
        best = ClassSearch(vectors, biases, precise=True).top(rows, 10).classes
        for precise in (False, True):
            all_classes(vectors, biases, rows, best, precise)
        item_index(vectors, biases, rows, best)
        inverted_file(vectors, rows, best)
