"""Energies of the columns one by one."""

from numbers import Integral

import numpy as np

from sk_ebm._utils.validation import check_number
from sk_ebm.energies.inputs._standardised import _Standardised


class MarginalEnergy(_Standardised):
    """Sum of one-dimensional energies, -sum_j log p_j(x_j), by smoothed histograms.

    Columns count as independent; no row is compared with others of its batch.

    Parameters
    ----------
    max_bins : int, default=50
        Bins of equal width are the square root of the rows, from 10 to this number; values beyond
        the training set's range have the mass of half a row.
    """

    def __init__(self, max_bins=50):
        self.max_bins = max_bins

    def check(self):
        check_number("max_bins", self.max_bins, 10, closed=True, kind=Integral)

    def fit_standardised(self, X, weights, rng):
        n_bins = int(np.clip(np.sqrt(weights.sum()), 10, self.max_bins))
        histograms = (np.histogram(x, n_bins, weights=weights) for x in X.T)
        masses, self.edges_ = zip(*histograms, strict=True)
        masses = np.pad(np.array(masses), ((0, 0), (1, 1))) + 0.5
        widths = np.array([edges[1] - edges[0] for edges in self.edges_])[:, None]
        self.column_energies_ = -np.log(masses / masses.sum(axis=1, keepdims=True) / widths)

    def energies(self, X):
        total = 0.0
        for energies in self._energies_of_columns(X):
            total = total + energies
        return total

    additive = True

    def contributions(self, inputs, background):
        """The energies of the columns, less their means in the background."""
        values = np.stack(list(self._energies_of_columns(inputs)), axis=1)
        means = np.array([each.mean() for each in self._energies_of_columns(background)])
        return self._contributions(values - means, means.sum())

    def _energies_of_columns(self, X):
        columns = self.prepared(X).T
        for x, edges, energies in zip(columns, self.edges_, self.column_energies_, strict=True):
            index = np.searchsorted(edges, x, side="right")
            yield energies[np.where(x == edges[-1], len(edges) - 1, index)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags
