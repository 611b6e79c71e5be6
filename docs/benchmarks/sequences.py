"""EnergyClassifier on label sequences and on several labels at once, beside its peers.

    python docs/benchmarks/sequences.py [--part PART] [--data DIR]

Part ``tagging``: parts of speech and entities, of DIR/sequences/{ewt_pos,wnut17_ner}.npz, without
--data of generated words. All models have the same features: the words of two neighbours on each
side, and the prefixes, suffixes and shape of the word itself. Peers are sklearn-crfsuite (L-BFGS,
100 iterations) and LogisticRegression of positions, with their defaults (c2=1, C=1) and tuned on a
quarter of the training sequences: by entity F1 where labels are entities, else by token accuracy.
Part ``generated``: chains with known potentials. Part ``multilabel``: labels with a known tree.
Seconds are CPU seconds of one thread (run it with OMP_NUM_THREADS=1), with the search where a model
is tuned.
"""

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.special import logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.pipeline import make_pipeline

from sk_ebm import EnergyClassifier
from sk_ebm.features import SequenceVectorizer, TokenFeatures, WindowFeatures
from sk_ebm.metrics import entity_f1

LOSSES = "nll", "hinge", "perceptron", "mee"
CRF_GRID = [{"c1": c1, "c2": c2} for c1 in (0.0, 0.1) for c2 in (1.0, 0.3, 0.1, 0.03)]
LOGISTIC_GRID = [{"C": C} for C in (0.3, 1.0, 3.0, 10.0, 30.0)]


# Sets: name, tokens, labels, and as many for tests.


def stored(data):
    for path in sorted((Path(data) / "sequences").glob("*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            starts, n_train = arrays["starts"], int(arrays["n_train"])
            words, labels = arrays["words"].tolist(), arrays["labels"][arrays["y"]].tolist()
        ends = list(itertools.pairwise(starts.tolist()))
        X, y = ([values[first:end] for first, end in ends] for values in (words, labels))
        yield path.stem, X[:n_train], y[:n_train], X[n_train:], y[n_train:]


def spelled(rng, ending):
    return "".join(rng.choice(list("abcdefghilmnoprstu"), size=rng.integers(1, 8))) + ending


def generated_words(n_sequences=2000, n_labels=12, n_words=4000, seed=0):
    """Words of a label are drawn by Zipf's law, end alike, and half of them have two labels."""
    rng = np.random.default_rng(seed)
    endings = [spelled(rng, "")[:2] for _ in range(n_labels)]
    words = [spelled(rng, endings[i % n_labels]) for i in range(n_words)]
    ranked = [np.arange(k, n_words, n_labels) for k in range(n_labels)]
    ranked = [np.concatenate([own, ranked[k - 1][::2]]) for k, own in enumerate(ranked)]
    transitions = rng.dirichlet(np.full(n_labels, 0.3), size=n_labels)
    X, y = [], []
    for length in rng.integers(3, 30, size=2 * n_sequences):
        labels = [int(rng.integers(n_labels))]
        while len(labels) < length:
            labels.append(int(rng.choice(n_labels, p=transitions[labels[-1]])))
        rows = [min(int(rng.zipf(1.3)), len(ranked[k])) - 1 for k in labels]
        X.append([words[ranked[k][row]] for k, row in zip(labels, rows, strict=True)])
        y.append([f"label{k}" for k in labels])
    yield "generated", X[:n_sequences], y[:n_sequences], X[n_sequences:], y[n_sequences:]


# Models: fit(X, y), where X holds dictionaries for a CRF and matrices for the others.


def crf(c1=0.0, c2=1.0):
    from sklearn_crfsuite import CRF

    return CRF(algorithm="lbfgs", c1=c1, c2=c2, max_iterations=100)


class Positions:
    """LogisticRegression of positions as if they were no sequences."""

    def __init__(self, C=1.0):
        self.model = LogisticRegression(C=C, max_iter=1000)

    def fit(self, X, y):
        self.model.fit(sparse.vstack(X), np.concatenate(y))
        self.classes_ = self.model.classes_
        return self

    def predict(self, X):
        return [self.model.predict(one) for one in X]

    def predict_proba(self, X):
        return [self.model.predict_proba(one) for one in X]


class Tuned:
    """The best of a grid on a quarter of the sequences, fitted on all."""

    def __init__(self, make, grid, score):
        self.make, self.grid, self.score = make, grid, score

    def fit(self, X, y):
        split = train_test_split(X, y, test_size=0.25, random_state=0)
        X_fit, X_held_out, y_fit, y_held_out = split
        scores = [
            self.score(y_held_out, self.make(**options).fit(X_fit, y_fit).predict(X_held_out))
            for options in self.grid
        ]
        self.options = self.grid[int(np.argmax(scores))]
        self.model = self.make(**self.options).fit(X, y)
        return self

    def __getattr__(self, name):
        return getattr(self.model, name)


def marginals(model, X):
    """Label marginals of all positions, and the labels of the columns."""
    if hasattr(model, "predict_proba"):
        return np.concatenate(model.predict_proba(X)), np.asarray(model.classes_)
    classes = list(model.classes_)
    rows = [
        [one[k] for k in classes] for sequence in model.predict_marginals(X) for one in sequence
    ]
    return np.array(rows), np.array(classes)


# Figures.


def token_accuracy(y_true, y_pred):
    return float(np.mean(np.concatenate(y_true) == np.concatenate(y_pred)))


def sequence_accuracy(y_true, y_pred):
    return float(np.mean([list(a) == list(b) for a, b in zip(y_true, y_pred, strict=True)]))


def calibration_error(confidence, correct, n_bins=15):
    """Expected calibration error (ECE) of the most likely label, in bins of equal width."""
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    sums = np.bincount(bins, confidence - correct, n_bins)
    return float(np.abs(sums).sum() / len(bins))


def row(name, model, train, test, of_crf):
    """Fit a model and print its figures; the seconds of the fit."""
    (X, y), (X_test, y_test) = train, test
    start = time.process_time()
    try:
        model = model().fit(X, y)
    except ImportError as error:
        print(f"{name:38} left out: {error}")
        return None
    seconds = time.process_time() - start
    y_pred = model.predict(X_test)
    probabilities, classes = marginals(model, X_test)
    correct = classes[probabilities.argmax(axis=1)] == np.concatenate(y_test)
    is_tags = {label[:2] for label in classes} <= {"O", "B-", "I-"}
    f1 = f"{entity_f1(y_test, y_pred):9.3f}" if is_tags else 9 * " "
    ratio = f"{seconds / of_crf:7.2f}" if of_crf else 7 * " "
    print(
        f"{name:38}{token_accuracy(y_test, y_pred):7.4f}{sequence_accuracy(y_test, y_pred):10.4f}"
        f"{f1}{calibration_error(probabilities.max(axis=1), correct):7.3f}{seconds:9.1f}{ratio}"
        + (f"  {model.options}" if isinstance(model, Tuned) else ""),
        flush=True,
    )
    return seconds


def compared(name, X, y, X_test, y_test):
    """The table of one set."""
    features = make_pipeline(TokenFeatures(), WindowFeatures(2, features=["word"]))
    X, X_test = features.fit_transform(X), features.transform(X_test)
    vectorizer = SequenceVectorizer().fit(X)
    matrices, test = vectorizer.transform(X), (vectorizer.transform(X_test), y_test)
    labels = sorted(set(itertools.chain.from_iterable(y)))
    print(f"\n{name}: {len(X):,} sequences, {sum(map(len, X)):,} positions, {len(labels)} labels, "
          f"{matrices[0].shape[1]:,} features")  # fmt: skip
    print(f"{'':38}{'token':>7}{'sequence':>10}{'F1':>9}{'ECE':>7}{'seconds':>9}{'ratio':>7}")
    score = entity_f1 if "O" in labels else token_accuracy
    of_crf = row("sklearn-crfsuite, c2=1", crf, (X, y), (X_test, y_test), None)
    tuned_crf = lambda: Tuned(crf, CRF_GRID, score)  # noqa: E731
    row("sklearn-crfsuite, tuned", tuned_crf, (X, y), (X_test, y_test), of_crf)
    row("LogisticRegression, C=1", Positions, (matrices, y), test, of_crf)
    tuned = lambda: Tuned(Positions, LOGISTIC_GRID, score)  # noqa: E731
    row("LogisticRegression, tuned", tuned, (matrices, y), test, of_crf)
    row("EnergyClassifier", EnergyClassifier, (matrices, y), test, of_crf)
    independent = lambda: EnergyClassifier(transitions="none")  # noqa: E731
    row('EnergyClassifier, transitions="none"', independent, (matrices, y), test, of_crf)
    for loss in LOSSES[1:]:
        make = lambda loss=loss: EnergyClassifier(loss=loss)  # noqa: E731
        row(f"EnergyClassifier, loss={loss!r}", make, (matrices, y), test, of_crf)


def tagging(data):
    """Words and their labels."""
    for found in stored(data) if data else generated_words():
        compared(*found)


# Chains with known potentials.


def random_chain(rng, n_labels, n_columns):
    """Energies of labels by x (n_columns, K), and of transitions (K, K)."""
    weights = rng.standard_normal((n_columns, n_labels))
    return weights, 1.5 * rng.standard_normal((n_labels, n_labels))


def drawn(rng, lengths, weights, transitions):
    """Sequences of equal length at once: backward recursion, then forward draws."""
    X, y = [], []
    for length in np.unique(lengths):
        n = int(np.sum(lengths == length))
        x = rng.standard_normal((n, length, len(weights)))
        energies = x @ weights  # (n, length, K)
        backward = np.zeros_like(energies)
        for t in range(length - 2, -1, -1):
            after = energies[:, t + 1] - backward[:, t + 1]
            backward[:, t] = logsumexp(-transitions - after[:, None, :], axis=2)
        labels = np.empty((n, length), dtype=int)
        for t in range(length):
            energy = energies[:, t] - backward[:, t]
            energy = energy + (transitions[labels[:, t - 1]] if t else 0)
            labels[:, t] = (rng.gumbel(size=energy.shape) - energy).argmax(axis=1)
        X += list(x)
        y += list(labels)
    return X, y


def interaction(transitions):
    """Without the means of rows and columns, which the energies of labels can take over."""
    rows, columns = transitions.mean(axis=1, keepdims=True), transitions.mean(axis=0)
    return transitions - rows - columns + transitions.mean()


def recovered(n_fits=20, n_sequences=1000, n_labels=4):
    """Transitions beside the truth, in standard errors, which are those of repeated fits.

    ``transitions_`` are negative energies, as `coef_` is.
    """
    rng = np.random.default_rng(0)
    weights, transitions = random_chain(rng, n_labels, 3)
    found = []
    for _ in range(n_fits):
        X, y = drawn(rng, np.full(n_sequences, 10), weights, transitions)
        classifier = EnergyClassifier(alpha=1e-8, beta=1.0, tol=1e-8).fit(X, y)
        found.append(interaction(-classifier.transitions_))
    errors = (np.array(found) - interaction(transitions)) / np.std(found, axis=0, ddof=1)
    of_mean = np.abs(errors.mean(axis=0)).max() * np.sqrt(n_fits)
    print(
        f"transitions of {n_fits} fits: {np.mean(np.abs(errors) <= 2):.1%} within two standard "
        f"errors, their mean within {of_mean:.1f} of its own"
    )


def enumerated(n_labels=3, length=6):
    """Marginals beside those of all sequences of labels."""
    rng = np.random.default_rng(1)
    weights, transitions = random_chain(rng, n_labels, 3)
    X, y = drawn(rng, np.full(200, length), weights, transitions)
    classifier = EnergyClassifier().fit(X, y)
    every = np.array(list(itertools.product(range(n_labels), repeat=length)))
    energies = classifier.energies([X[0]] * len(every), list(every))
    log_p = -classifier.beta_ * energies
    p = np.exp(log_p - logsumexp(log_p))
    expected = np.array([np.bincount(every[:, t], p, n_labels) for t in range(length)])
    error = np.abs(classifier.predict_proba(X[:1])[0] - expected).max()
    mode = np.array_equal(classifier.predict(X[:1])[0], every[energies.argmin()])
    print(f"marginals beside {len(every)} sequences: error {error:.1e}, mode equal: {mode}")


def long_sequence(length=10_000):
    rng = np.random.default_rng(2)
    chain = random_chain(rng, 4, 3)
    X, y = drawn(rng, np.append(np.full(50, 20), length), *chain)
    classifier = EnergyClassifier().fit(X, y)
    probabilities = classifier.predict_proba(X)[-1]
    print(
        f"a sequence of {len(probabilities):,} positions: accuracy "
        f"{classifier.score(X[-1:], y[-1:]):.4f}, rows sum to 1 within "
        f"{np.abs(probabilities.sum(axis=1) - 1).max():.1e}, free energy "
        f"{classifier.free_energy(X[-1:])[0]:.1f}"
    )


def many_positions(n_sequences=50_000):
    rng = np.random.default_rng(3)
    chain = random_chain(rng, 5, 10)
    X, y = drawn(rng, rng.integers(10, 31, size=n_sequences), *chain)
    start = time.process_time()
    classifier = EnergyClassifier().fit(X, y)
    seconds = time.process_time() - start
    start = time.process_time()
    accuracy = classifier.score(X, y)
    print(
        f"{sum(map(len, X)):,} positions: fit {seconds:.1f} s, predict "
        f"{time.process_time() - start:.1f} s, accuracy {accuracy:.4f}"
    )


def generated(data):
    """Chains with known potentials."""
    recovered()
    enumerated()
    long_sequence()
    many_positions()


# Several labels.


def labels_of_a_tree(rng, n_rows, n_labels=8, n_columns=10, coupling=1.5):
    """X, Y and the most likely Y of each row: pairs along a random tree attract or repel."""
    every = np.array(list(itertools.product([0, 1], repeat=n_labels)))
    parents = [int(rng.integers(k)) for k in range(1, n_labels)]
    strengths = coupling * rng.choice([-1, 1], size=n_labels - 1)
    signs = 2 * every - 1
    pairs = sum(s * signs[:, k] * signs[:, p] for k, (p, s) in enumerate(zip(parents, strengths, strict=True), 1))  # fmt: skip  # noqa: E501
    weights = rng.standard_normal((n_columns, n_labels)) / np.sqrt(n_columns)
    X = rng.standard_normal((n_rows, n_columns))
    scores = X @ weights @ signs.T + pairs  # (n, 2^L)
    drawn_rows = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    return X, every[drawn_rows], every[scores.argmax(axis=1)]


def multilabel(data):
    """Subset accuracy, the share of rows with all labels correct."""
    models = {
        "EnergyClassifier": EnergyClassifier,
        "MultiOutputClassifier": lambda: MultiOutputClassifier(LogisticRegression()),
        "ClassifierChain": lambda: ClassifierChain(LogisticRegression()),
        "ClassifierChain, random order": lambda: ClassifierChain(
            LogisticRegression(), order="random", random_state=0
        ),
    }
    figures = {name: [] for name in [*models, "most likely labels"]}
    for seed in range(5):
        X, Y, best = labels_of_a_tree(np.random.default_rng(seed), 4000)
        figures["most likely labels"].append(((best[1000:] == Y[1000:]).all(axis=1).mean(), 0, 0))
        for name, make in models.items():
            start = time.process_time()
            model = make().fit(X[:1000], Y[:1000])
            seconds = time.process_time() - start
            same = model.predict(X[1000:]) == Y[1000:]
            figures[name].append((same.all(axis=1).mean(), 1 - same.mean(), seconds))
    print("8 labels, 1,000 rows, means of 5 generated trees")
    for name, found in figures.items():
        subset, hamming, seconds = np.mean(found, axis=0)
        print(f"{name:32} subset {subset:.4f}  hamming {hamming:.4f}  fit {seconds:6.2f} s")


PARTS = {"tagging": tagging, "generated": generated, "multilabel": multilabel}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--data", help="folder with sequences/*.npz")
    arguments = parser.parse_args()
    for name in [arguments.part] if arguments.part else PARTS:
        PARTS[name](arguments.data)


if __name__ == "__main__":
    main()
