"""An approximate index of the items of a catalogue, for `EnergyRanker.top_k`."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches

from sk_ebm._utils.estimators import KeepsFitted
from sk_ebm._utils.validation import check_number, check_scales, validate_data

_MOST_LINKS = 1024  # of each item: 8 kB; recall is 1 with far fewer


class ItemIndex(KeepsFitted, BaseEstimator):
    """Finds most of the items of largest inner product with a query, looking at few of them.

    It is given as ``items`` to `EnergyRanker.top_k`. A graph joins each item to others of large
    inner product with it, and a search climbs from item to item (HNSW [1]_, by faiss); columns
    are standardised first, which leaves the order of the inner products as it is. What it misses,
    `sk_ebm.metrics.top_k_recall` tells; the energies of what it finds are exact. It knows the
    items alone, so that a ranker that is fitted again can use the same index. Needs the extra
    ``index`` (faiss).

    Parameters
    ----------
    n_links : int, default=32
        Links of each item, from 2 to 1024. More of them find more, and take memory: 8 bytes for
        each link and item.
    n_build : int, default=100
        Candidates among which the links of an item are chosen, >= 1; the time of ``fit`` grows
        with it.
    n_search : int, default=64
        Candidates that a search keeps, >= 1; at least k are kept. Recall and time grow with it.
        It may be set after ``fit``.

    Attributes
    ----------
    items_ : ndarray of shape (n_items, n_features)
    graph_ : faiss.IndexHNSWFlat
        In single precision.
    scaler_ : StandardScaler
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)

    References
    ----------
    .. [1] Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
       hierarchical navigable small world graphs", 2020.
    """

    def __init__(self, n_links=32, n_build=100, n_search=64):
        self.n_links = n_links
        self.n_build = n_build
        self.n_search = n_search

    def fit(self, items, y=None):
        """Build the graph of the items.

        Parameters
        ----------
        items : array-like of shape (n_items, n_features)
            Features of the items, as `EnergyRanker.top_k` takes them.
        y : None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            Without faiss.
        ValueError
            If the items or a parameter are out of range.
        """
        faiss = _faiss()
        check_number("n_links", self.n_links, 2, _MOST_LINKS, closed=True, kind=Integral)
        check_number("n_build", self.n_build, 1, closed=True, kind=Integral)
        check_number("n_search", self.n_search, 1, closed=True, kind=Integral)
        with self._keeping_fitted():
            self.items_ = validate_data(self, items, dtype=[np.float64, np.float32], order="C")
            check_scales(self.items_, squares=True)
            self.scaler_ = StandardScaler().fit(self.items_)
            n_columns = self.items_.shape[1]
            self.graph_ = faiss.IndexHNSWFlat(n_columns, self.n_links, faiss.METRIC_INNER_PRODUCT)
            self.graph_.hnsw.efConstruction = min(self.n_build, len(self.items_))
            self.graph_.add(_single(self.scaler_.transform(self.items_)))
            return self

    def search(self, directions, k, n_entries):
        """Rows (n, k) of items and their inner products with directions, the largest first.

        Where fewer than k were found, -1 and -inf follow. Of the items found, at most n_entries
        numbers are held at once.
        """
        check_number("n_search", self.n_search, 1, closed=True, kind=Integral)
        k = min(k, len(self.items_))
        n_rows = max(n_entries // (k * self.items_.shape[1]), 1)
        parts = [self._block(directions[rows], k) for rows in gen_batches(len(directions), n_rows)]
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))

    def _block(self, directions, k):
        scaled = directions * self.scaler_.scale_
        scaled /= np.maximum(np.abs(scaled).max(axis=1, keepdims=True), 1e-300)
        candidates = _faiss().SearchParametersHNSW(efSearch=self._n_candidates(k))
        _, rows = self.graph_.search(_single(scaled), k, params=candidates)
        products = np.einsum("nj,nkj->nk", directions, self.items_[rows])
        products[rows < 0] = -np.inf
        order = np.lexsort((rows, -products), axis=1)
        return tuple(np.take_along_axis(part, order, axis=1) for part in (rows, products))

    def _n_candidates(self, k):
        return max(min(self.n_search, len(self.items_)), k)


def _single(vectors):
    return np.ascontiguousarray(vectors, dtype=np.float32)


def _faiss():
    try:
        import faiss
    except ImportError as error:
        raise ImportError("ItemIndex needs faiss: pip install sk-ebm[index]") from error
    return faiss
