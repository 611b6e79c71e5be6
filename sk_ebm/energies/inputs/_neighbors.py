"""The distance to the nearest training rows."""

from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from sk_ebm._utils.estimators import batches_of, row_blocks
from sk_ebm._utils.validation import check_flag, check_number
from sk_ebm.energies.inputs._normal_scores import NormalScores
from sk_ebm.energies.inputs._shrunk_covariance import ShrunkCovariance
from sk_ebm.energies.inputs._standardised import _Standardised, depends_little_on_a_row
from sk_ebm.energies.inputs._subspace import _Subspace
from sk_ebm.energies.inputs._whitening import Whitening

# Of wide tables fewer rows are drawn: of 3,500 with 512 columns 1,953, which fit in .85 s, not 1.3,
# and lose .004 of AUC, the mean of three sets of image features (.003, .002, .008).
_FEWEST_ROWS, _MOST_VALUES = 1_000, 1_000_000
_BLOCK = 200_000  # differences of rows at once: they stay in the cache
_MORE_NEIGHBORS = 4  # itself, and others that may be nearer once a row is left out
# Of more rows, one moves the ranks of the others too little to matter: at 300 x 8 false alarms are
# those asked for either way, at 100 x 6 .67 of them where ranks stay and .88 where they move.
_FEW_RANKS = 500


class NeighborsEnergy(_Standardised):
    """Mean distance to the nearest rows of the training set (Ramaswamy, Rastogi and Shim, 2000).

    Parameters
    ----------
    n_neighbors : int, default=5
        Lowered to the number of rows. A row of weight 2 counts as two neighbors.
    whiten : bool or float, default=False
        Whether distances are those of rows whose covariance, shrunk, is the identity. A number in
        [0, 1] is the power of the standard deviations that principal directions are divided by:
        with 0.5, directions of noise are enlarged less.
    normal_scores : bool, default=False
        Whether columns are replaced by their normal scores, Phi^-1 of the share of rows below, so
        that skewed columns and heavy tails do not rule distances. These keep no gap between
        outliers and other rows of the fit: it should be clean. Ignored for sparse rows.
    max_rows : int, default=4000
        Of more rows so many are drawn, and fewer of more than 250 columns: a million values, but
        at least 1,000 rows.
    """

    def __init__(self, n_neighbors=5, whiten=False, normal_scores=False, max_rows=4000):
        self.n_neighbors = n_neighbors
        self.whiten = whiten
        self.normal_scores = normal_scores
        self.max_rows = max_rows

    def check(self):
        check_number("n_neighbors", self.n_neighbors, 1, closed=True, kind=Integral)
        if not isinstance(self.whiten, (bool, np.bool_)):
            check_number("whiten", self.whiten, 0, 1, closed=True, other=(True, False))
        check_flag("normal_scores", self.normal_scores)
        check_number("max_rows", self.max_rows, 2, closed=True, kind=Integral)

    def _most_rows(self, n_columns):
        return min(self.max_rows, max(_FEWEST_ROWS, _MOST_VALUES // n_columns))

    def can_leave_out(self, inputs, n_rows):
        if self.normal_scores and not sparse.issparse(inputs):
            return True  # ranks of columns depend little on a row, however many columns there are
        components = self.whiten and sparse.issparse(inputs)
        return depends_little_on_a_row(inputs, n_rows, components)

    def fit_standardised(self, X, weights, rng):
        self._scores = self._subspace = self._whitening = None
        scores = None
        if self.normal_scores and not sparse.issparse(X):
            self._scores = NormalScores(X, weights)
            scores = self._scores.left_out(X, weights)
            X = scores.inside()
        if self.whiten:
            self._subspace = _Subspace(X, weights, rng) if sparse.issparse(X) else None
            X = X if self._subspace is None else self._subspace.transform(X)
            self._whitening = Whitening(ShrunkCovariance(X, weights), float(self.whiten))
            X = self._whitening(X)
        self._weights = weights
        total = np.cumsum(np.sort(weights))  # of the fewest rows that have enough weight
        size = min(np.searchsorted(total, self.n_neighbors) + 1, len(weights))
        self.neighbors_ = NearestNeighbors(n_neighbors=int(size)).fit(X)
        return lambda index: self._left_out(X, scores, index)

    def _left_out(self, X, scores, index):
        """Energies of rows of the fit, as if each had not been among the others.

        Given are the rows as they are in the fit, and their normal scores, if any.
        """
        queries = X[index] if scores is None else self._whitened(scores.outside[index])
        size = min(self.neighbors_.n_neighbors + _MORE_NEIGHBORS, X.shape[0])
        distances, rows = self.neighbors_.kneighbors(queries, size)
        weights = np.where(rows == index[:, None], 0, self._weights[rows])
        if not (scores is None is self._whitening):
            for block in batches_of(len(index), _BLOCK // rows.shape[1] // X.shape[1]):
                others = X[rows[block]]
                if scores is not None and len(X) <= _FEW_RANKS:
                    others = self._whitened(scores.of_others(index[block], rows[block]))
                differences = queries[block, None] - others
                distances[block] = self._distances_left_out(X, differences, index[block])
            order = np.argsort(distances, axis=1)
            distances = np.take_along_axis(distances, order, axis=1)
            weights = np.take_along_axis(weights, order, axis=1)
        return self._mean(distances, weights)

    def _whitened(self, scores):
        """Normal scores (..., d), whitened if rows are."""
        if self._whitening is None:
            return scores
        rows = self._whitening(scores.reshape(-1, scores.shape[-1]))
        return rows.reshape(*scores.shape[:-1], -1)

    def _distances_left_out(self, X, differences, index):
        """Distances (m, k), given differences (m, k, r), as if each row had not been in the fit."""
        if self._whitening is None:
            return np.linalg.norm(differences, axis=2)
        return self._whitening.distances_left_out(X[index], differences, self._weights[index])

    def energies(self, X):
        X = self.prepared(X)
        X = X if self._scores is None else self._scores(X)
        X = X if self._subspace is None else self._subspace.transform(X)
        X = X if self._whitening is None else self._whitening(X)
        blocks = row_blocks(X, self.neighbors_.n_neighbors)
        return np.concatenate([self._mean_distances(X[rows]) for rows in blocks])

    def _mean_distances(self, X):
        distances, rows = self.neighbors_.kneighbors(X)
        return self._mean(distances, self._weights[rows])

    def _mean(self, distances, weights):
        """Of ascending distances (m, k), as far as neighbors of these weights are needed."""
        before = np.cumsum(weights, axis=1) - weights
        return np.average(distances, axis=1, weights=np.clip(self.n_neighbors - before, 0, weights))
