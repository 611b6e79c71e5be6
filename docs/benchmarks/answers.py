"""EnergyClassifier among very many classes, beside a sampled softmax in torch and nearest means.

    python docs/benchmarks/answers.py [--part PART] [--data DIR]

Data are generated: classes in clusters, rows around them with correlated noise, half of the columns
squashed and half of them cut off at zero, in different units. Seconds are CPU seconds of one thread
(run it with OMP_NUM_THREADS=1), gigabytes the peak of the process of a fit.
"""

import argparse
import multiprocessing
import resource
import time

import class_search
import numpy as np
import open_sets
import sparse_text

from sk_ebm import EnergyClassifier
from sk_ebm.energies import EmbeddingEnergy

N_NEGATIVES = 512


def generated(n_classes, n_rows, n_columns=64, noise=0.6, n_test=2000, seed=0):
    """X, y, X_test, y_test in single precision; every class has a row in X."""
    rng = np.random.RandomState(seed)
    clusters = rng.standard_normal((max(n_classes // 50, 1), n_columns))
    centres = clusters[rng.randint(len(clusters), size=n_classes)]
    centres += 0.7 * rng.standard_normal(centres.shape)
    centres /= (1 + np.arange(n_columns)) ** 0.25
    shares = (1 + np.arange(n_classes)) ** -0.5
    others = rng.choice(n_classes, n_rows - n_classes + n_test, p=shares / shares.sum())
    y = np.concatenate([np.arange(n_classes), others])
    mixing = rng.standard_normal((n_columns, n_columns)) / np.sqrt(n_columns)
    X = centres[y] + noise * (rng.standard_normal((len(y), n_columns)) @ mixing)
    half = n_columns // 2
    X[:, :half] = np.tanh(1.5 * X[:, :half])
    X[:, half:] = np.maximum(X[:, half:], 0) ** 2
    X = (X * np.exp(0.7 * rng.standard_normal(n_columns))).astype(np.float32)
    order = rng.permutation(n_rows)
    return X[order], y[order], X[n_rows:], y[n_rows:]


def best_of(features, vectors, biases):
    """The index of the greatest output of each row, in blocks."""
    best = [
        (block @ vectors.T + biases).argmax(axis=1)
        for block in np.array_split(features, len(features) // 200 + 1)
    ]
    return np.concatenate(best)


class Ours:
    """An EnergyClassifier; the search is left out of its time."""

    def __init__(self, *args, **options):
        self.classifier = EnergyClassifier(*args, random_state=0, **options)

    def fit(self, X, y):
        self.classifier.fit(X, y)
        self.n_epochs = self.classifier.n_iter_
        return self

    def predict(self, X):
        energy = self.classifier.energy_
        best = best_of(energy.features(X), *energy.class_vectors())
        return self.classifier.classes_[best]


class NearestMeans:
    """The nearest mean of a class, in standardised columns."""

    n_epochs = 0

    def fit(self, X, y):
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.scale_ = X.std(axis=0)
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(len(self.classes_)))
        sums = np.add.reduceat((X / self.scale_)[order], starts, axis=0)
        self.means_ = sums / np.bincount(codes)[:, None]
        return self

    def predict(self, X):
        biases = -0.5 * np.square(self.means_).sum(axis=1)
        return self.classes_[best_of(X / self.scale_, self.means_, biases)]


class TorchSampledSoftmax:
    """A linear layer on standardised columns, trained by Adam on the correct classes of a batch and
    512 negatives drawn by frequency, with the logarithm of their expected counts subtracted."""

    def __init__(self, n_epochs, batch_size=512, learning_rate=1e-2):
        self.n_epochs, self.batch_size, self.learning_rate = n_epochs, batch_size, learning_rate

    def fit(self, X, y):
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.mean_, self.scale_ = X.mean(axis=0), X.std(axis=0)
        rows = torch.from_numpy((X - self.mean_) / self.scale_)
        target = torch.from_numpy(codes)
        shares = torch.bincount(target) / len(target)
        cumulative = torch.cumsum(shares.double(), 0)
        layer = torch.nn.Embedding(len(shares), X.shape[1] + 1, sparse=True)
        torch.nn.init.zeros_(layer.weight)
        steps = torch.optim.SparseAdam(layer.parameters(), lr=self.learning_rate)
        n_steps = self.n_epochs * -(-len(rows) // self.batch_size)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(steps, n_steps)
        for _ in range(self.n_epochs):
            for batch in torch.randperm(len(rows)).split(self.batch_size):
                uniform = torch.rand(N_NEGATIVES, dtype=torch.float64) * cumulative[-1]
                drawn = torch.searchsorted(cumulative, uniform).clamp(max=len(shares) - 1)
                own = layer(target[batch])
                x, correct = rows[batch], target[batch]
                positive = (x * own[:, :-1]).sum(1) + own[:, -1]
                weights = layer(drawn)
                negative = x @ weights[:, :-1].T + weights[:, -1]
                negative = negative - torch.log(N_NEGATIVES * shares[drawn])
                negative = negative.masked_fill(correct[:, None] == drawn, -torch.inf)
                logits = torch.cat([positive[:, None], negative], 1)
                loss = (torch.logsumexp(logits, 1) - positive).mean()
                steps.zero_grad()
                loss.backward()
                steps.step()
                schedule.step()
        self.weights_ = layer.weight.detach().numpy()
        return self

    def predict(self, X):
        rows = (X - self.mean_) / self.scale_
        return self.classes_[best_of(rows, self.weights_[:, :-1], self.weights_[:, -1])]


def measured(make, size, queue):
    """Accuracy, CPU seconds and gigabytes of a fit, and its epochs."""
    X, y, X_test, y_test = generated(*size)
    start = time.process_time()
    try:
        model = make().fit(X, y)
    except ImportError as error:
        queue.put(str(error))
        return
    seconds = time.process_time() - start
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    accuracy = float(np.mean(model.predict(X_test) == y_test))
    queue.put((accuracy, seconds, gigabytes, model.n_epochs))


def in_a_process(name, make, size):
    """The figures of a fit in a process of its own, printed; None where its library is missing."""
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=measured, args=(make, size, queue))
    process.start()
    found = queue.get()
    process.join()
    if isinstance(found, str):
        print(f"{name:28} left out: {found}")
        return None
    accuracy, seconds, gigabytes, n_epochs = found
    print(
        f"{name:28} accuracy {accuracy:.4f}  fit {seconds:7.1f} s  {gigabytes:5.2f} GB  "
        f"{n_epochs:3d} epochs",
        flush=True,
    )
    return found


def beside(size, ours, peers):
    """Ours and peers on generated data, with ratios to the first of ours."""
    print(f"{size[0]:,} classes, {size[1]:,} rows, 64 columns")
    found = {name: in_a_process(name, make, size) for name, make in ours.items()}
    first = next(iter(found.values()))
    n_epochs = max(figures[3] for figures in found.values())
    for name, make in peers(n_epochs).items():
        theirs = in_a_process(name, make, size)
        if theirs is not None:
            seconds = f"{first[1] / theirs[1]:.2f}" if theirs[1] else "-"
            gain = 100 * (first[0] - theirs[0])
            print(f"    ours / theirs: seconds {seconds}, accuracy {gain:+.2f} points")


def huge():
    """Fits of 100,000 classes."""
    beside(
        (100_000, 200_000),
        {"embedding": lambda: Ours("embedding"), "the default, linear": lambda: Ours()},
        lambda n_epochs: {
            "torch, sampled softmax": lambda: TorchSampledSoftmax(n_epochs),
            "nearest means": NearestMeans,
        },
    )


def sampled():
    """Sampled candidates beside all of them; the linear energy takes very long on all."""
    for n_classes, energies in (
        (1000, ("embedding", "mlp", "linear")),
        (2000, ("embedding",)),
        (4000, ("embedding",)),
    ):
        for energy in energies:
            beside(
                (n_classes, 10 * n_classes),
                {f"{energy}, 512 negatives": lambda e=energy: Ours(e, negatives=512)},
                lambda _, e=energy: {f"{e}, all": lambda: Ours(e, negatives="all")},
            )


def proposals():
    """Proposals of negatives, where the vectors of classes move much."""
    size = 2000, 40_000
    for proposal in ("frequency", "uniform", "hardest"):
        for negatives in (64, 512):
            in_a_process(
                f"{proposal}, {negatives}",
                lambda p=proposal, s=negatives: Ours(EmbeddingEnergy(), negatives=s, proposal=p),
                size,
            )


PARTS = {
    "huge": huge,
    "sampled": sampled,
    "proposals": proposals,
    "search": class_search.search,
    "faces": open_sets.faces,
    "text": sparse_text.text,
}
WITH_DATA = "faces", "text"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=PARTS)
    parser.add_argument("--data", help="of faces and text, see open_sets.py and sparse_text.py")
    arguments = parser.parse_args()
    for name in [arguments.part] if arguments.part else PARTS:
        PARTS[name](*([arguments.data] if name in WITH_DATA else []))


if __name__ == "__main__":
    main()
