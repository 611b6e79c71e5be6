"""An isolation forest as an energy of inputs."""

from numbers import Integral

import numpy as np
from sklearn.ensemble import IsolationForest

from sk_ebm._utils.validation import check_number
from sk_ebm.energies.inputs._base import InputEnergy, LeftOut
from sk_ebm.energies.inputs._standardised import RobustScaler, draw_rows

_MAX_DRAWN = 20_000  # rows that trees of 256 draw from: drawing takes time for each row
_MOST_OF_A_TREE = 0.5  # of the rows, so that many trees have not seen a row
_DIGITS = 12  # of depths, whose means over different numbers of trees differ by 1e-15 where equal


class ForestEnergy(InputEnergy):
    """An isolation forest (Liu, Ting and Zhou, 2008): E(x) = 2^(-mean depth / c), in (0, 1).

    The held-out energy of a row is that of the trees that did not draw it.

    Parameters
    ----------
    n_estimators : int, default=200
    max_samples : int, default=256
        Rows of each tree, at most half of all.
    """

    def __init__(self, n_estimators=200, max_samples=256):
        self.n_estimators = n_estimators
        self.max_samples = max_samples

    def check(self):
        check_number("n_estimators", self.n_estimators, 1, closed=True, kind=Integral)
        check_number("max_samples", self.max_samples, 2, closed=True, kind=Integral)

    def can_leave_out(self, inputs, n_rows):
        return True

    def fit_rows(self, X, weights, rng):
        X, weights, drawn = draw_rows(X, weights, _MAX_DRAWN, rng)
        self._scaler = RobustScaler().fit(X, weights)
        equal = np.ptp(weights) == 0
        forest = IsolationForest(
            n_estimators=self.n_estimators,
            max_samples=int(np.clip(_MOST_OF_A_TREE * len(drawn), 1, self.max_samples)),
            bootstrap=not equal,  # else as many draws as rows would ignore the weights
            random_state=rng.randint(np.iinfo(np.int32).max),
        )
        columns = self._columns(X)
        self.forest_ = forest.fit(columns, sample_weight=None if equal else weights)
        self._path_lengths = [_path_lengths(tree.tree_) for tree in forest.estimators_]

        def left_out(index):
            unseen = np.ones((self.n_estimators, len(drawn)), dtype=bool)
            for of_tree, rows in zip(unseen, forest.estimators_samples_, strict=True):
                of_tree[rows] = False
            unseen |= ~unseen.any(axis=0)  # a row of very large weight
            return self._energies(columns[index], unseen[:, index])

        return LeftOut(drawn, left_out)

    def _columns(self, X):
        return self._scaler.transform(X).astype(np.float32)  # which trees read

    def energies(self, X):
        return self._energies(self._columns(X))

    def _energies(self, columns, used=None):
        """Energies (m,) by all trees, or by those that are to be used for each row, (t, m)."""
        total = np.zeros(columns.shape[0])
        for i, tree in enumerate(self.forest_.estimators_):
            lengths = self._path_lengths[i][tree.tree_.apply(columns)]
            total += lengths if used is None else lengths * used[i]
        n_trees = self.n_estimators if used is None else np.maximum(used.sum(axis=0), 1)
        longest = float(_mean_path_length(np.array([self.forest_.max_samples_]))[0])
        if longest == 0:
            return np.ones(len(total))
        return np.exp2(-np.round(total / n_trees / longest, _DIGITS))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _path_lengths(tree):
    """Of each node: its depth, and the mean depth of a tree of the rows that remain there."""
    return tree.compute_node_depths() - 1 + _mean_path_length(tree.n_node_samples)


def _mean_path_length(n_rows):
    """The mean depth of a random tree of so many rows."""
    n_rows = np.asarray(n_rows, dtype=float)
    many = np.maximum(n_rows, 3)
    harmonic = np.log(many - 1) + np.euler_gamma
    return np.where(n_rows > 2, 2 * (harmonic - (many - 1) / many), n_rows == 2)
