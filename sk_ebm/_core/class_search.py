"""Exact search for the classes of largest output <f, v_y> + b_y, in blocks of classes."""

from typing import NamedTuple

import numpy as np
from sklearn.utils import gen_batches

from sk_ebm._core.largest import Largest

# Rows, outputs and classes that are held at once: 1,000 rows, 100,000 classes, 64 features take
# .24 s; in blocks of 4,096 or 16,384 classes .30 and .55 s.
_BLOCK_ROWS, _BLOCK_OUTPUTS, _MOST_CLASSES = 1024, 2**20, 2**14
_FEW_ROWS = 8  # up to which rounding all vectors costs more than it saves
_MANY_HITS = 0.1  # share of a block above which one more product of all of it is cheaper
_LARGEST_SINGLE = 1e30  # of products that are finite in single precision


class Found(NamedTuple):
    """The classes of largest output of each row.

    Attributes
    ----------
    classes : ndarray of int, shape (n, k)
        The largest output first; of equal ones the first class.
    outputs : ndarray of shape (n, k)
    log_sums : ndarray of shape (n,) or None
        log sum_y exp(beta output_y), where a beta was given.
    """

    classes: np.ndarray
    outputs: np.ndarray
    log_sums: np.ndarray | None

    @classmethod
    def joined(cls, found):
        """Of several blocks of rows."""
        if len(found) == 1:
            return found[0]
        return cls(*(None if p[0] is None else np.concatenate(p) for p in zip(*found, strict=True)))


class ClassSearch:
    """Exact search over all classes.

    Single precision leaves most of them out, by a bound of its error; outputs of the others are
    computed in double precision.

    Parameters
    ----------
    vectors : ndarray of shape (K, r)
    biases : ndarray of shape (K,)
    precise : bool, default=False
        Whether sums over the classes are in double precision, too: else their relative error is
        about that of single precision times the range of the outputs.
    """

    def __init__(self, vectors, biases, precise=False):
        self.vectors, self.biases, self.precise = vectors, biases, precise

    def top(self, features, k, beta=None):
        """The k classes of largest output, at most all, as `Found`."""
        k = min(k, len(self.vectors))
        batches = gen_batches(len(features), _BLOCK_ROWS)
        return Found.joined([self._top_of_rows(features[rows], k, beta) for rows in batches])

    def _top_of_rows(self, features, k, beta):
        best, log_sum = Largest(len(features), k), _LogSum(len(features))
        for start, block in self._blocks(features):
            best.add(start, *block.largest(best.least, k))
            if beta is not None:
                log_sum.add(block.outputs, beta)
        dtype = np.result_type(features, self.vectors)
        classes, outputs = best.sorted()
        log_sums = None if beta is None else log_sum.value.astype(dtype, copy=False)
        return Found(classes, outputs.astype(dtype, copy=False), log_sums)

    def outputs_of(self, features, classes):
        """The output (n,) of one class of each row, by its index (n,)."""
        products = np.einsum("ij,ij->i", features, self.vectors[classes])
        return products + self.biases[classes]

    def raised(self, by):
        """A search of outputs that are higher by a number, or one for each class."""
        return ClassSearch(self.vectors, self.biases + by, self.precise)

    def above(self, features, levels):
        """Rows and classes of the outputs that are at least the level (n,) of their row."""
        found = []
        for batch in gen_batches(len(features), _BLOCK_ROWS):
            for start, block in self._blocks(features[batch]):
                rows, columns, _ = block.above(levels[batch])
                found.append((rows + batch.start, columns + start))
        return tuple(np.concatenate(part) for part in zip(*found, strict=True))

    def _blocks(self, features):
        """The first class and the `_Block` of each block of classes."""
        features = features.astype(np.float64, copy=False)
        few = len(features) <= _FEW_ROWS and self.vectors.dtype != np.float32
        screens = not (self.precise or few)
        with np.errstate(over="ignore"):  # what overflows is not screened
            single = features.astype(np.float32) if screens else None
        size = min(_BLOCK_OUTPUTS // len(features), _MOST_CLASSES)
        shared = np.empty((len(features), min(size, len(self.vectors))), np.float32)
        for classes in gen_batches(len(self.vectors), size):
            part = self.vectors[classes], self.biases[classes]
            yield classes.start, _Block(features, *part, single, shared)


class _Block:
    """Outputs (n, b) of some classes, and a bound (n,) of their errors: 0 in double precision."""

    def __init__(self, features, vectors, biases, single, shared):
        self.features, self.vectors, self.biases = features, vectors, biases
        self.errors = np.inf if single is None else self._errors()
        if np.max(self.errors) < np.inf:
            self.outputs = shared[:, : len(vectors)]
            np.matmul(single, vectors.astype(np.float32, copy=False).T, out=self.outputs)
            self.outputs += biases.astype(np.float32)
        else:
            self._be_precise()

    def _errors(self):
        """Bounds of rounding errors: of the factors, of each sum, and of what vanishes."""
        sizes, of_vectors = np.abs(self.features), np.abs(self.vectors).max(axis=0)
        products = sizes @ of_vectors + np.abs(self.biases).max()
        unit = np.finfo(np.float32).eps / 2
        errors = (self.vectors.shape[1] + 6) * unit * products
        errors += 1e-44 * (sizes.sum(axis=1) + of_vectors.sum())
        largest = max(products.max(), sizes.max(initial=0), of_vectors.max(initial=0))
        return errors if largest < _LARGEST_SINGLE else np.inf

    def _be_precise(self):
        self.outputs = self.features @ self.vectors.T + self.biases
        self.errors = np.zeros(len(self.features))

    def largest(self, levels, k):
        """Rows, columns and outputs above the levels (n,); the k largest, where none are known."""
        if levels[0] > -np.inf:
            return self.above(levels, np.greater)
        self._be_precise()
        if self.outputs.shape[1] > k:
            levels = np.partition(self.outputs, -k, axis=1)[:, -k]
        return self.above(levels)

    def above(self, levels, compare=np.greater_equal):
        """Rows, columns and outputs of at least the levels (n,), or as ``compare`` says."""
        least = (levels - self.errors).astype(self.outputs.dtype)
        hits = np.flatnonzero(compare(self.outputs, least[:, None]))
        rows, columns = np.divmod(hits, self.outputs.shape[1])
        if self.outputs.dtype == np.float64:
            return rows, columns, self.outputs[rows, columns]
        if len(hits) > _MANY_HITS * self.outputs.size:
            self._be_precise()
            return self.above(levels, compare)
        outputs = np.einsum("ij,ij->i", self.features[rows], self.vectors[columns])
        outputs += self.biases[columns]
        kept = compare(outputs, levels[rows])
        return rows[kept], columns[kept], outputs[kept]


class _LogSum:
    """log sum exp(beta output) of each of n rows, block after block."""

    def __init__(self, n_rows):
        self.peak, self.total = np.full(n_rows, -np.inf), np.zeros(n_rows)

    def add(self, outputs, beta):
        """Outputs (n, b) of more classes, which are overwritten."""
        outputs *= beta
        peak = np.maximum(self.peak, outputs.max(axis=1))
        outputs -= peak[:, None].astype(outputs.dtype)
        sums = np.exp(outputs, out=outputs).sum(axis=1)
        self.total = self.total * np.exp(self.peak - peak) + sums
        self.peak = peak

    @property
    def value(self):
        return self.peak + np.log(self.total)


class SearchedGibbs:
    """The Gibbs distribution of very many classes, whose energies are computed when asked for, in
    blocks: the methods of `Gibbs` whose results are of few classes.

    Parameters
    ----------
    search : ClassSearch
        Outputs are negative energies.
    features : ndarray of shape (n, r)
    beta : float
    """

    def __init__(self, search, features, beta):
        self.search, self.features, self.beta = search, features, beta
        self._found = None

    def __len__(self):
        return len(self.features)

    def _best(self, k, with_sums):
        found = self._found
        if found is None or found.classes.shape[1] < k or (with_sums and found.log_sums is None):
            beta = self.beta if with_sums else None
            self._found = found = self.search.top(self.features, k, beta)
        return found

    def least(self, k):
        """Classes and energies (n, k) of the k of least energy, the best first."""
        found = self._best(k, with_sums=True)  # a search for each costs more
        return found.classes[:, :k], -found.outputs[:, :k]

    @property
    def mode(self):
        """The class of least energy, (n,)."""
        return self._best(1, with_sums=False).classes[:, 0]

    @property
    def least_energy(self):
        return -self._best(1, with_sums=False).outputs[:, 0]

    @property
    def log_z(self):
        return self._best(1, with_sums=True).log_sums

    @property
    def free_energy(self):
        return -self.log_z / self.beta

    def surprise(self, target):
        """-log p of one class of each row, by its index (n,)."""
        return self.log_z - self.beta * self.search.outputs_of(self.features, target)

    def likely(self, level):
        """Rows and classes whose -log p is at most the level, a number or one for each class."""
        raised = self.search.raised(level / self.beta)  # beta E + log Z <= level
        return raised.above(self.features, self.log_z / self.beta)
