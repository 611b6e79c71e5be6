"""An approximate index of the classes of largest output <f, v_y> + b_y."""

from importlib.util import find_spec

import numpy as np
from scipy import linalg
from scipy.sparse import issparse
from sklearn.utils import gen_batches

from sk_ebm._core.class_search import ClassSearch, Found

# Fewer are all searched: among 20,000 the index finds the ten best and log Z in .9 to 1.2 times the
# rows a second, among 50,000 in 1.6 to 2.6 times (answers.py --part search).
FEWEST_INDEXED = 50_000
_N_BEST = 10  # of which recall is the share that is found
# Candidates whose outputs are computed: with 64 for the best ten instead of 160, recall is .93 at
# most among the 100,000 classes of answers.py --part huge, .985 with these.
_FEWEST_CANDIDATES, _CANDIDATES_EACH = 64, 16
_FEWEST_SEARCHED = 8  # cells
_MOST_TRAINED_ON = 50_000  # classes that form cells
MOST_ROWS = 500  # that measure recall: its standard error is then below .01
_N_OTHERS = 4096  # that stand for the rest in sums: log Z is off by .02 nats, by .04 with 1,024
_LEAST_VARIANCE = 1e-8  # of a direction, as a share of that of a column
_BLOCK_ENTRIES = 2**21
_LARGEST_EXPONENT = 80  # of what is finite in single precision


class ClassIndex:
    """Cells of classes, and their vectors in four bits for two columns (faiss [1]_).

    Where rows have the covariance I around the mean m_y of their class, the output is
    <f, m_y> - |m_y|^2 / 2, so that the best class is the nearest mean. Coordinates like these are
    recovered from the second moments of rows and of class vectors; a column more stands for what
    biases differ from -|m_y|^2 / 2.

    Parameters
    ----------
    vectors, biases : ndarray of shape (K, r) and (K,)
    rows : ndarray of shape (n, r)
        Features of rows on which recall is measured.
    recall : float
        Least share of the ten best classes of these rows to be found, by searching more cells.

    Attributes
    ----------
    recall : float
        The share that is found; below that asked for where even all cells do not reach it.

    References
    ----------
    .. [1] Johnson, Douze and Jegou, "Billion-scale similarity search with GPUs", 2019.
    """

    def __init__(self, vectors, biases, rows, recall):
        self.rows = rows
        vectors = vectors.astype(np.float64, copy=False)
        self.origin, self.axes, axes = _coordinates(self.rows, vectors)
        items = (vectors - vectors.mean(axis=0)) @ axes
        squares = np.square(items).sum(axis=1) + 2 * (biases + vectors @ self.origin)
        items = np.column_stack([items, np.sqrt(squares.max() - squares)])
        self.others = np.random.RandomState(0).permutation(len(vectors))[:_N_OTHERS]
        most = int(np.sqrt(len(vectors)))
        self.cells = _cells(_even(items), most)
        best = ClassSearch(vectors, biases).top(self.rows, _N_BEST).classes
        self.n_searched = _FEWEST_SEARCHED
        self.recall = self._share_found(best)
        while self.recall < recall and self.n_searched < most:
            self.n_searched = min(2 * self.n_searched, most)
            self.recall = self._share_found(best)

    def _share_found(self, best):
        pairs = zip(best, self.candidates(self.rows, _N_BEST), strict=True)
        return float(np.mean([np.isin(own, found).mean() for own, found in pairs]))

    def candidates(self, features, k):
        """Classes (n, c), among which most of the k of largest output are; -1 where there are less,
        or where features are beyond single precision."""
        with np.errstate(over="ignore", invalid="ignore"):
            queries = (features - self.origin) @ self.axes
            queries = _even(np.column_stack([queries, np.zeros(len(queries))]))
        finite = np.isfinite(queries).all(axis=1)
        queries[~finite] = 0
        n_candidates = max(_CANDIDATES_EACH * k, _FEWEST_CANDIDATES)
        how = _faiss().SearchParametersIVF(nprobe=self.n_searched)
        found = self.cells.search(queries, n_candidates, params=how)[1]
        found[~finite] = -1
        return found

    @property
    def usable(self):
        """Whether there is faiss; where it was there when saved, and is not where it is read, all
        classes are searched."""
        return find_spec("faiss") is not None and not isinstance(self.cells, np.ndarray)

    def __getstate__(self):
        if isinstance(self.cells, np.ndarray):
            return vars(self)
        return vars(self) | {"cells": _faiss().serialize_index(self.cells)}

    def __setstate__(self, state):
        vars(self).update(state)
        if find_spec("faiss"):
            self.cells = _faiss().deserialize_index(self.cells)


def _faiss():
    import faiss

    return faiss


def _coordinates(rows, vectors):
    """The mean of the rows, axes (r, q) for rows and others for class vectors, so that inner
    products stay as they are, rows of a class are spherical, and classes as far apart as they are.

    In axes where the rows have the covariance I and the vectors one of variances u, these are
    scaled by g and 1/g: variances b of class means and 1 + b of rows follow from u = b (1 + b).
    """
    origin, units = rows.mean(axis=0, dtype=np.float64), rows.std(axis=0, dtype=np.float64)
    units = np.where(units > 0, units, 1)[:, None]
    of_rows = np.cov((rows / units.T).T, dtype=np.float64) + _LEAST_VARIANCE * np.eye(len(units))
    root = units * linalg.cholesky(of_rows, lower=True)
    variances, rotation = linalg.eigh(root.T @ np.cov(vectors.T) @ root)
    kept = variances > _LEAST_VARIANCE * variances.max()
    rotation, variances = rotation[:, kept], variances[kept]
    scales = np.sqrt((1 + np.sqrt(1 + 4 * variances)) / 2)
    axes = linalg.solve_triangular(root, rotation * scales, lower=True, trans="T")
    return origin, axes, root @ (rotation / scales)


def _cells(items, n_cells):
    """faiss's index of items (K, q)."""
    n_columns = items.shape[1]
    cells = _faiss().index_factory(n_columns, f"IVF{n_cells},PQ{n_columns // 2}x4fs")
    cells.train(items[np.random.RandomState(0).permutation(len(items))[:_MOST_TRAINED_ON]])
    cells.add(items)
    return cells


def _even(vectors):
    """In single precision, with an even number of columns."""
    if vectors.shape[1] % 2:
        vectors = np.column_stack([vectors, np.zeros(len(vectors))])
    return np.ascontiguousarray(vectors, dtype=np.float32)


def may_be_indexed(energy, n_classes, recall):
    """Whether an index of the classes may pay, and there is faiss."""
    if n_classes < FEWEST_INDEXED or recall == 1 or not find_spec("faiss"):
        return False
    found = energy.class_vectors()
    return found is not None and not issparse(found[0])


def index_of(energy, rows, recall):
    """A `ClassIndex` of the class vectors of an energy that finds such a share of the best classes
    of rows, of which these are the features; None where it does not."""
    index = None if issparse(rows) else ClassIndex(*energy.class_vectors(), rows, recall)
    return index if index is not None and index.recall >= recall else None


class IndexedSearch(ClassSearch):
    """Search among the candidates of an index, whose outputs are exact.

    Sums are over the candidates, and over others that stand for the rest. Rows of which the index
    finds fewer than k classes, and more than ten classes, are searched exactly.
    """

    def __init__(self, vectors, biases, index):
        super().__init__(vectors, biases)
        self.index = index

    def top(self, features, k, beta=None):
        if k > _N_BEST:
            return super().top(features, k, beta)
        n_rows = max(_BLOCK_ENTRIES // (_CANDIDATES_EACH * _N_BEST * features.shape[1]), 1)
        batches = gen_batches(len(features), n_rows)
        return Found.joined([self._top_of_candidates(features[b], k, beta) for b in batches])

    def _top_of_candidates(self, features, k, beta):
        classes = self.index.candidates(features, k)
        outputs = np.einsum("nr,ncr->nc", features, self.vectors[classes]) + self.biases[classes]
        outputs[classes < 0] = -np.inf
        log_sums = None if beta is None else self._log_sums(features, classes, outputs, beta)
        order = np.lexsort((classes, -outputs), axis=1)[:, :k]
        found = Found(*(np.take_along_axis(a, order, 1) for a in (classes, outputs)), log_sums)
        missed = (found.classes < 0).any(axis=1)
        if missed.any():
            exact = super()._top_of_rows(features[missed], k, beta)
            for part, of_all in zip(found, exact, strict=True):
                if part is not None:
                    part[missed] = of_all
        return found

    @np.errstate(over="ignore", invalid="ignore")  # of rows that are then searched exactly
    def _log_sums(self, features, classes, outputs, beta):
        """log sum exp(beta output) of the candidates, and of others that stand for the rest."""
        others, single = self.index.others, np.float32
        peak = outputs.max(axis=1, keepdims=True)
        peak = np.where(np.isfinite(peak), peak, 0)
        of_others = features.astype(single) @ self.vectors[others].T.astype(single)
        of_others += self.biases[others].astype(single)
        of_others -= peak.astype(single)
        of_others *= beta
        np.exp(np.minimum(of_others, _LARGEST_EXPONENT, out=of_others), out=of_others)
        rows, columns = _common(classes, others)
        of_others[rows, columns] = 0
        n_left = len(others) - np.bincount(rows, minlength=len(classes))
        n_rest = len(self.vectors) - (classes >= 0).sum(axis=1)
        rest = of_others.sum(axis=1, dtype=np.float64) * n_rest / np.maximum(n_left, 1)
        return beta * peak[:, 0] + np.log(np.exp(beta * (outputs - peak)).sum(axis=1) + rest)


def _common(classes, others):
    """Rows of the classes (n, c), and positions in the others (s,), where these are the same."""
    order = np.argsort(others)
    place = np.minimum(np.searchsorted(others[order], classes), len(others) - 1)
    rows, columns = np.nonzero(others[order][place] == classes)
    return rows, order[place[rows, columns]]
