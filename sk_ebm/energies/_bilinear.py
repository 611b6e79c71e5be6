"""The bilinear energy of separate features of queries and items."""

import numpy as np

from sk_ebm._utils.validation import check_number, check_scales
from sk_ebm.energies._base import Energy
from sk_ebm.energies._design import Design, mean_squares
from sk_ebm.energies._linear import LinearEnergy


class BilinearEnergy(LinearEnergy):
    """E(x, y) = -x' W y for queries x and items y, each a part of the columns of a row.

    It is linear in W, so that the problem stays convex and ``alpha="auto"`` chooses the penalty on
    W as for `LinearEnergy`. Among many items those of least energy are found by one matrix product
    for each block of them (`best_items`), and no pair of a query and an item is ever stored.

    Parameters
    ----------
    query_columns : list of int
        Columns of the inputs that describe the query.
    item_columns : list of int, default=None
        Columns that describe the item; None means all others.
    constant : bool, default=True
        Whether x has a last entry of 1, so that items differ whatever the query.

    Attributes
    ----------
    matrix_ : ndarray of shape (n_query_columns + constant, n_item_columns)
        W.
    alpha_ : float
        The penalty used.
    """

    answers = frozenset({"items"})
    additive, contributions = Energy.additive, Energy.contributions
    samples_classes = False

    def __init__(self, query_columns=(0,), item_columns=None, constant=True):
        self.query_columns = query_columns
        self.item_columns = item_columns
        self.constant = constant

    def check(self):
        for name in ("query_columns", "item_columns"):
            columns = getattr(self, name)
            if columns is None and name == "item_columns":
                continue
            columns = np.asarray(columns)
            if columns.ndim != 1 or columns.dtype.kind not in "iu" or not len(columns):
                raise ValueError(
                    f"{name} must be a list of at least one index, got {getattr(self, name)!r}."
                )
            for column in columns:
                check_number(name, int(column), 0, closed=True)

    def _design(self, inputs, training):
        check_scales(inputs, squares=True)  # of products of two columns
        self._n_columns = inputs.shape[1]
        return BilinearDesign(*self._split(inputs), training.objective.row_weights)

    def _split(self, inputs):
        """Features of the query and of the item of each row."""
        queries = np.asarray(self.query_columns)
        items = self.item_columns
        if items is None:
            items = np.setdiff1d(np.arange(self._n_columns), queries)
        last = max(np.max(queries), np.max(items, initial=-1))
        if last >= self._n_columns or not len(items):
            raise ValueError(
                f"query_columns={self.query_columns!r} and item_columns={self.item_columns!r} must "
                f"be two parts of the {self._n_columns} columns."
            )
        return self._with_constant(inputs[:, queries]), inputs[:, items]

    def _with_constant(self, queries):
        if not self.constant:
            return queries
        return np.concatenate([queries, np.ones_like(queries[:, :1])], axis=1)

    @property
    def matrix_(self):
        n_items = len(self.coef_) // (len(self.query_columns) + self.constant)
        return self.coef_.reshape(-1, n_items)

    def __call__(self, inputs):
        queries, items = self._split(inputs)
        return np.einsum("nj,nj->n", queries @ self.matrix_, items)[:, None]

    def class_vectors(self):
        """None: the answers are items."""

    def best_items(self, queries, items, k, n_entries):
        """Indices and energies (n, k) of the items of least energy, by at most n_entries pairs.

        Exact for an array of items; an `ItemIndex` finds most of them.
        """
        weights = self._with_constant(queries) @ self.matrix_
        if hasattr(items, "search"):
            rows, products = items.search(weights, k, n_entries)
            return rows, -products
        n, k = len(queries), min(k, len(items))
        step = max(n_entries // max(n, 1), k)
        best, found = np.empty((n, 0), dtype=int), np.empty((n, 0), dtype=weights.dtype)
        for start in range(0, len(items), step):
            energies = weights @ -items[start : start + step].T
            rows = np.broadcast_to(np.arange(start, start + energies.shape[1]), energies.shape)
            best, found = np.hstack([best, rows]), np.hstack([found, energies])
            if found.shape[1] > k:
                kept = np.argpartition(found, k - 1, axis=1)[:, :k]
                best, found = (np.take_along_axis(a, kept, axis=1) for a in (best, found))
        order = np.lexsort((best, found), axis=1)
        return tuple(np.take_along_axis(a, order, axis=1) for a in (best, found))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags


class BilinearDesign(Design):
    """Products of the features of queries and items, never formed; columns have unit scale."""

    biased = False

    def __init__(self, queries, items, weights):
        scales = [np.sqrt(mean_squares(part, weights)) for part in (queries, items)]
        scales = [np.where(scale > 0, scale, 1.0) for scale in scales]
        self.queries, self.items = (
            part / scale.astype(part.dtype)
            for part, scale in zip((queries, items), scales, strict=True)
        )
        product = np.outer(*scales).ravel()
        self.scale = np.append(1 / product, 0.0)[:, None]
        self.variances = np.square(product)

    @property
    def shape(self):
        return len(self.queries), self.queries.shape[1] * self.items.shape[1]

    @property
    def dtype(self):
        return self.queries.dtype

    def vjp(self, params, rows=None):
        queries, items = self.queries, self.items
        if rows is not None:
            queries, items = queries[rows], items[rows]
        matrix = params[:-1].reshape(queries.shape[1], -1).astype(self.dtype, copy=False)
        outputs = np.einsum("nj,nj->n", queries @ matrix, items)[:, None]

        def pullback(gradient):
            by_matrix = queries.T @ (gradient * items)
            return np.append(by_matrix.ravel(), 0.0).astype(np.float64)[:, None]

        return outputs, pullback

    def weights_of(self, params):
        return params[:-1] * self.scale[:-1], np.zeros(1)

    def patience(self, n_outputs):
        return 0

    def solver(self, diagonal, l2):
        """The diagonal of the second derivatives."""
        top = np.square(self.queries).T @ (diagonal * np.square(self.items))
        matrix = np.append(top.ravel(), 0.0)[:, None] + l2
        matrix += 1e-12 * matrix.max() + 1e-300
        return lambda r: r / matrix
