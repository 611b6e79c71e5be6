"""EnergyClassifier on text of very many classes, beside napkinXC's PLT (part text of answers.py).

Generated text of 30,000 classes: each word of a row comes from the language (a Zipf vocabulary of
50,000 words), the topic of the class or the class itself. And text as it is: functions of installed
packages as bags of the words of their names, of which the class is the module; and, with --data,
banking77, reuters_r8 and cora. Counts and tf-idf weights. Seconds are CPU seconds of one thread.
"""

import ast
import re
import sysconfig
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression

from sk_ebm import EnergyClassifier

N_WORDS, LENGTH, N_TEST = 50_000, 40, 1000
SHARES = 0.45, 0.3, 0.25  # of words from the language, the topic and the class
MOST_FUNCTIONS = 12  # of a module
FEW = 100  # classes, up to which LogisticRegression is beside


def zipf(rng, size, n_words, exponent):
    cumulative = np.cumsum(1 / np.arange(1, n_words + 1) ** exponent)
    return np.searchsorted(cumulative, rng.uniform(size=size) * cumulative[-1])


def generated(n_classes=30_000, n_rows=100_000, seed=0):
    """X, y, X_test, y_test; every class has a row in X."""
    rng = np.random.default_rng(seed)
    n_topics = int(np.sqrt(n_classes))
    topics = rng.integers(n_topics, size=n_classes)
    of_topic = rng.permutation(N_WORDS)[zipf(rng, (n_topics, 300), N_WORDS, 0.5)]
    of_class = rng.permutation(N_WORDS)[zipf(rng, (n_classes, 25), N_WORDS, 0.5)]
    shares = np.arange(1, n_classes + 1) ** -0.5
    others = rng.choice(n_classes, n_rows - n_classes + N_TEST, p=shares / shares.sum())
    train = np.concatenate([np.arange(n_classes), others[N_TEST:]])
    y = np.concatenate([rng.permutation(train), others[:N_TEST]])
    lengths = np.maximum(rng.poisson(LENGTH * rng.gamma(4, 0.25, len(y))), 3)
    rows = np.repeat(np.arange(len(y)), lengths)
    source, k = rng.choice(3, size=len(rows), p=SHARES), y[rows]
    words = zipf(rng, len(rows), N_WORDS, 1.0)
    words = np.where(source == 1, of_topic[topics[k], zipf(rng, len(rows), 300, 0.8)], words)
    words = np.where(source == 2, of_class[k, zipf(rng, len(rows), 25, 0.8)], words)
    X = counts(rows, words, (len(y), N_WORDS))
    return X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:]


def counts(rows, words, shape):
    X = sparse.csr_array((np.ones(len(rows), np.float32), (rows, words)), shape)
    X.sum_duplicates()
    return X


def functions():
    """Bags of words of the functions of installed packages, and their modules; 1,000 test rows of
    as many modules."""
    bags, modules, root = [], [], Path(sysconfig.get_path("purelib"))
    for path in sorted(root.rglob("*.py")):
        if "test" not in str(path.relative_to(root)).lower():
            found = bags_of(path)
            bags += found
            modules += [str(path)] * len(found)
    y = np.unique(modules, return_inverse=True)[1]
    kept = np.flatnonzero(np.bincount(y)[y] >= 2)
    words, columns = np.unique(np.concatenate([bags[i] for i in kept]), return_inverse=True)
    rows = np.repeat(np.arange(len(kept)), [len(bags[i]) for i in kept])
    X, y = (
        counts(rows, columns, (len(kept), len(words))),
        np.unique(y[kept], return_inverse=True)[1],
    )
    order = np.random.default_rng(0).permutation(len(y))
    test = order[np.unique(y[order], return_index=True)[1]]
    test = np.random.default_rng(1).permutation(test)[:N_TEST]
    train = np.setdiff1d(order, test)
    return X[train], y[train], X[test], y[test]


def bags_of(path):
    """Words of the first functions of a file."""
    try:
        source = path.read_text(encoding="utf8")
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(source)
    except (SyntaxError, ValueError, OSError):
        return []
    lines, bags = source.split("\n"), []
    for node in [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)][:MOST_FUNCTIONS]:
        text = " ".join(lines[node.lineno - 1 : node.end_lineno])
        bags.append([w.lower() for w in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", text)][:400])
    return [bag for bag in bags if len(bag) > 7]


def stored(data, name):
    """A set of the folder of sets, by the rows that it has for training."""
    found = np.load(Path(data) / "classification" / f"{name}.npz")
    parts = found["data"].astype(np.float32), found["indices"].astype(np.int32), found["indptr"]
    X, y = sparse.csr_array(parts, shape=tuple(found["shape"])), found["y"]
    train, test = found["train"], found["test"]
    return X[train], y[train], X[test], y[test]


def plt(X, y, X_test):
    """Best classes by napkinXC's PLT with its defaults, and CPU seconds of fit and prediction."""
    from napkinxc.models import PLT

    with tempfile.TemporaryDirectory() as folder:
        model, start = PLT(folder, threads=1, seed=0), time.process_time()
        model.fit(sparse.csr_matrix(X), [[int(k)] for k in y])
        fitted = time.process_time()
        best = model.predict(sparse.csr_matrix(X_test), top_k=5)
        seconds = fitted - start, time.process_time() - fitted
    return np.array([labels[0] if labels else -1 for labels in best]), *seconds


def scikit(classifier, X, y, X_test):
    """The same of a classifier; of ours with exact best five."""
    start = time.process_time()
    classifier.fit(X, y)
    fitted = time.process_time()
    if hasattr(classifier, "top_k"):
        best = classifier.top_k(X_test, k=5).classes[:, 0]
    else:
        best = classifier.predict(X_test)
    return best, fitted - start, time.process_time() - fitted


def compared(name, X, y, X_test, y_test):
    """Precision of the best class, and seconds, of ours and peers."""
    print(f"{name}: {len(np.unique(y)):,} classes, {len(y):,} rows, {X.shape[1]:,} words")
    tfidf = TfidfTransformer().fit(X)
    for kind, change in {"counts": sparse.csr_array, "tf-idf": tfidf.transform}.items():
        rows, test_rows = change(X).astype(np.float32), change(X_test).astype(np.float32)
        models = {"embedding": lambda *a: scikit(EnergyClassifier("embedding", random_state=0), *a)}
        if y.max() < FEW:
            models["linear"] = lambda *a: scikit(EnergyClassifier(random_state=0), *a)
            models["LogisticRegression"] = lambda *a: scikit(LogisticRegression(C=10), *a)
        for model, run in (models | {"napkinXC's PLT": plt}).items():
            try:
                best, fit, prediction = run(rows, y, test_rows)
            except ImportError as error:
                print(f"  {kind:6} {model:20} left out: {error}")
                continue
            speed = prediction * 1000 / len(y_test)
            print(
                f"  {kind:6} {model:20} precision@1 {np.mean(best == y_test):.3f}  fit {fit:6.2f} s"
                f"  best five of 1,000 rows {speed:5.2f} s",
                flush=True,
            )


def text(data=None):
    compared("generated", *generated())
    compared("functions", *functions())
    for name in ("banking77", "reuters_r8", "cora") if data else ():
        compared(name, *stored(data, name))
