"""Classifiers of a few labelled anomalies among unknown rows: positive-unlabelled learning.

Unknown rows count as compatible, with the same total weight as the anomalies. For an order of rows,
that is all that has to be done: the risk of ranking anomalies above unknown rows is that above
compatible rows, up to a factor and a constant which depend on the share of anomalies alone (Menon,
van Rooyen, Ong and Williamson, "Learning from corrupted binary labels via class-probability
estimation", 2015). Each learner gives scores of its own rows as if they had not been in the fit.
"""

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.tree import DecisionTreeClassifier

from sk_ebm._core.partial_labels import ANOMALOUS, COMPATIBLE, UNKNOWN

_N_TREES = 100  # few_labels.py: 60 lose .002 of the AUC against 200 with 5 and 50 labels
_UNKNOWN_PER_ANOMALY, _FEWEST_UNKNOWN = 5, 16  # few_labels.py: 20 lose .05 with 5 labels, 2 nothing
_LANDMARKS = 300  # rows that the kernel is expanded in; a fit takes .05 s
_BANDWIDTH = 2.0  # median distances; few_labels.py: 1 loses .004 with 5 labels, .002 with 50
_PENALTIES = np.geomspace(1e-4, 0.3, 8)  # of the trace, the best by held-out squared errors
_PENALTY_OF_ONE = 0.01  # with a single anomaly, which cannot be held out
_LARGEST_LEVERAGE = 0.99
_RELATIVE_RANK = 1e-6  # of the kernel's eigenvalues


class Scores(NamedTuple):
    """A learner, and the scores (n,) of its rows without them, NaN where it needs the row."""

    learner: object
    held_out: np.ndarray


def row_weights(codes, weights):
    """Weights (n,) of the anomalies with a sum of one half, and of the others with the same.

    Of the latter, those known to be compatible have a share that grows with their number, up to a
    half (learning from positive, negative and unlabelled rows: Sakai et al., 2017).
    """
    counts = {code: np.count_nonzero(codes == code) for code in (ANOMALOUS, UNKNOWN, COMPATIBLE)}
    share = counts[COMPATIBLE] / (counts[COMPATIBLE] + counts[ANOMALOUS]) / 2
    share = share if counts[UNKNOWN] else 1.0
    total = np.zeros(len(codes))
    for code, mass in ((ANOMALOUS, 1.0), (UNKNOWN, 1 - share), (COMPATIBLE, share)):
        rows = codes == code
        total[rows] = weights[rows] * (mass / 2 / max(weights[rows].sum(), 1e-300))
    return total


class BaggedTrees:
    """Trees that each tell anomalies from a few of the other rows (Mordelet and Vert, 2014).

    Few, as unknown anomalies are then rare in each tree, and as they are many trees' held-out rows.
    """

    def fit(self, X, codes, weights, rng):
        X, target = X.astype(np.float32), (codes == ANOMALOUS).astype(int)
        chances, kinds = row_weights(codes, weights), [np.flatnonzero(target == k) for k in (0, 1)]
        n_others = max(_FEWEST_UNKNOWN, _UNKNOWN_PER_ANOMALY * len(kinds[1]))
        sizes = min(n_others, max(len(kinds[0]) // 2, 1)), len(kinds[1])
        self.trees_, total, count = [], np.zeros(len(X)), np.zeros(len(X))
        for _ in range(_N_TREES):
            drawn = [
                rng.choice(rows, size, p=chances[rows] / chances[rows].sum())
                for rows, size in zip(kinds, sizes, strict=True)
            ]
            rows, balanced = np.concatenate(drawn), np.repeat(1 / np.array(sizes), sizes)
            tree = DecisionTreeClassifier(max_features="sqrt", random_state=rng.randint(2**31 - 1))
            self.trees_.append(tree.fit(X[rows], target[rows], sample_weight=balanced))
            unseen = np.ones(len(X), dtype=bool)
            unseen[rows] = False
            total[unseen] += _votes(tree, X[unseen])
            count += unseen
        with np.errstate(invalid="ignore"):
            return Scores(self, total / count)

    def scores(self, X):
        X = X.astype(np.float32)
        return np.mean([_votes(tree, X) for tree in self.trees_], axis=0)


def _votes(tree, X):
    """The share of anomalies (m,) in the leaves of rows."""
    shares = tree.tree_.value[:, 0]
    return (shares[:, -1] / shares.sum(axis=1))[tree.tree_.apply(X)]


class KernelRidge:
    """Least squares in a Gaussian kernel on landmarks, whose held-out scores are in closed form.

    Squared errors of labels 1 and -1 (Rifkin, Yeo and Poggio, "Regularized least-squares
    classification", 2003); the bandwidth is twice the median distance.
    """

    def fit(self, X, codes, weights, rng):
        weights, anomalous = row_weights(codes, weights), np.flatnonzero(codes == ANOMALOUS)
        others = rng.permutation(np.flatnonzero(codes != ANOMALOUS))
        anomalous_landmarks = rng.permutation(anomalous)[: _LANDMARKS // 2]
        rows = np.append(anomalous_landmarks, others[: _LANDMARKS - len(anomalous_landmarks)])
        self._landmarks, distances = X[rows], cdist(X[rows], X[rows])
        self._bandwidth = _BANDWIDTH * (np.median(distances) or 1.0)
        values, vectors = np.linalg.eigh(self._kernel(distances))
        kept = values > _RELATIVE_RANK * values[-1]
        self._expansion = vectors[:, kept] / np.sqrt(values[kept])
        target = np.where(codes == ANOMALOUS, 1.0, -1.0)
        held_out = self._solve(self._features(X), target, weights, len(anomalous))
        held_out[anomalous] = held_out[anomalous] if len(anomalous) > 1 else np.nan
        return Scores(self, held_out)

    def _kernel(self, distances):
        return np.exp(-np.square(distances / self._bandwidth) / 2)

    def _features(self, X):
        return self._kernel(cdist(X, self._landmarks)) @ self._expansion

    def _solve(self, features, target, weights, n_anomalous):
        """Learn the coefficients; held-out scores (n,)."""
        self._mean = weights @ features
        centered = features - self._mean
        values, axes = np.linalg.eigh((weights[:, None] * centered).T @ centered)
        along = centered @ axes
        moments = along.T @ (weights * target)
        penalties = _PENALTIES if n_anomalous > 1 else [_PENALTY_OF_ONE]
        best = np.inf
        for penalty in np.asarray(penalties) * max(values.sum(), 1e-300):
            shrunk = 1 / (np.maximum(values, 0) + penalty)
            leverage = weights * (1 + np.square(along) @ shrunk)
            leverage = np.minimum(leverage, _LARGEST_LEVERAGE)
            scores = along @ (shrunk * moments)
            scores = (scores - leverage * target) / (1 - leverage)
            error = weights @ np.square(scores - target)
            if error < best:
                best, held_out, self._coefficients = error, scores, axes @ (shrunk * moments)
        return held_out

    def scores(self, X):
        return (self._features(X) - self._mean) @ self._coefficients


LEARNERS = {"trees": BaggedTrees, "kernel": KernelRidge}
