"""Energies E(x) of the inputs alone, low where x is like the rows they were fitted on."""

import warnings
from numbers import Integral

import numpy as np
from scipy import sparse
from scipy.linalg import pinvh
from sklearn import config_context
from sklearn.base import clone
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils import get_tags

from sk_ebm._utils.fit_arguments import seeded, weight_arguments
from sk_ebm._utils.sklearn_private import count_rows, take_rows
from sk_ebm._utils.validation import check_number
from sk_ebm.energies._base import Energy

# Columns that a covariance is estimated of; more are projected on their principal components.
_MAX_COLUMNS = 60
# The energy of what has density zero, for want of an infinite one.
_OF_ZERO_DENSITY = 1e9
# Rows that the trees of a forest draw from.
_MAX_DRAWN = 20_000


class InputEnergy(Energy):
    """Base class of energies of the inputs alone, fitted on the rows that count as compatible.

    The one output (m, 1) is -E(x). A member defines ``fit_rows(X, weights, rng)`` and
    ``energies(X)``. Neither loss nor solver act on it.
    """

    anchored = True
    takes_offset = False
    of_inputs = True

    def fit(self, inputs, objective, rng):
        rows = np.flatnonzero(objective.weights * (objective.answers.target == 1))
        self.fit_rows(take_rows(inputs, rows), objective.weights[rows], rng)
        objective.record(np.nan, lambda: self)
        return self

    def fit_rows(self, X, weights, rng):
        raise NotImplementedError(f"{type(self).__name__} must define fit_rows.")

    def energies(self, X):
        raise NotImplementedError(f"{type(self).__name__} must define energies.")

    def __call__(self, inputs):
        return -np.asarray(self.energies(inputs), dtype=float)[:, None]


class InputExpert(InputEnergy):
    """The energy of a scikit-learn-compatible density or outlier detector.

    E(x) = -score_samples(x), or -decision_function(x) where an outlier detector has no
    `score_samples`; 10^9 where a density is zero. It reads inputs as the user gave them; a
    `FrozenEstimator` is not fitted again.

    Parameters
    ----------
    estimator : density or outlier detector
    """

    raw = True

    def __init__(self, estimator):
        self.estimator = estimator

    def check(self):
        if not hasattr(self.estimator, "score_samples") and not hasattr(
            self.estimator, "decision_function"
        ):
            hint = ""
            if "novelty" in self.estimator.get_params():
                hint = ", as it has with novelty=True"
            raise ValueError(
                "A detector's expert must have score_samples or decision_function"
                f"{hint}, got {self.estimator!r}."
            )

    def fit_rows(self, X, weights, rng):
        self.estimator_ = seeded(clone(self.estimator), rng)
        self.estimator_.fit(X, None, **weight_arguments(self.estimator_, weights))

    def energies(self, X):
        has_scores = hasattr(self.estimator_, "score_samples")
        scores = self.estimator_.score_samples if has_scores else self.estimator_.decision_function
        return np.minimum(-scores(X), _OF_ZERO_DENSITY)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        return tags


class ForestEnergy(InputExpert):
    """An isolation forest (Liu, Ting and Zhou, 2008): E(x) = 2^(-mean depth / c), in (0, 1).

    Parameters
    ----------
    n_estimators : int, default=200
    max_samples : int, default=256
        Rows of each tree.
    """

    raw = False

    def __init__(self, n_estimators=200, max_samples=256):
        self.n_estimators = n_estimators
        self.max_samples = max_samples

    @property
    def estimator(self):
        return IsolationForest(n_estimators=self.n_estimators, max_samples=self.max_samples)

    def check(self):
        check_number("n_estimators", self.n_estimators, 1, closed=True, kind=Integral)
        check_number("max_samples", self.max_samples, 2, closed=True, kind=Integral)

    def fit_rows(self, X, weights, rng):
        X, weights = _some_rows(X, weights, _MAX_DRAWN, rng)  # drawing takes time for each row
        size = min(self.max_samples, count_rows(X))
        forest = seeded(self.estimator.set_params(max_samples=size), rng)
        self.estimator_ = forest.fit(X, **weight_arguments(forest, weights))

    def __sklearn_tags__(self):
        tags = Energy.__sklearn_tags__(self)
        tags.input_tags.allow_nan = True
        return tags


class _Standardised(InputEnergy):
    """Fitted on rows of equal weight whose columns have one scale, at most ``max_rows`` of them."""

    max_rows = 4_000

    def fit_rows(self, X, weights, rng):
        if np.ptp(weights) > 0:
            raise ValueError(
                f"sample_weight cannot act on {type(self).__name__}, which takes rows of equal "
                "weight only. Use energy='forest', or an expert whose fit takes sample_weight."
            )
        X, _ = _some_rows(X, weights, self.max_rows, rng)
        self._scaler = _RobustScaler().fit(X)
        X = self.prepared(X)
        self.fit_standardised(take_rows(X, [0, 0]) if count_rows(X) == 1 else X, rng)

    def fit_standardised(self, X, rng):
        """Fit to at least two rows."""
        raise NotImplementedError(f"{type(self).__name__} must define fit_standardised.")

    def prepared(self, X):
        X = self._scaler.transform(X)
        return X.toarray() if sparse.issparse(X) and X.shape[1] == 1 else X


class GaussianEnergy(_Standardised):
    """Half the squared Mahalanobis distance, by a shrunk and robust covariance.

    Location and covariance are those of the share ``support_fraction`` of the rows whose shrunk
    covariance (Ledoit and Wolf, 2004) has the least determinant, found by concentration steps from
    three deterministic starts (Rousseeuw and Van Driessen, 1999; Hubert, Rousseeuw and
    Verdonck, 2012). Shrinkage keeps it regular with more columns than rows and with columns of
    few values. Of more than 60 columns the 60 principal components say which rows these are, and of
    sparse ones they are all that counts.

    Parameters
    ----------
    support_fraction : float, default=0.75
        In [0.5, 1]; 1 is for rows without anomalies.
    """

    def __init__(self, support_fraction=0.75):
        self.support_fraction = support_fraction

    def check(self):
        check_number("support_fraction", self.support_fraction, 0.5, 1, closed=True)

    def fit_standardised(self, X, rng):
        self._subspace = _Subspace(X, rng)
        inner = self._subspace.transform(X)
        size = int(np.ceil(self.support_fraction * len(inner)))
        fits = [_concentrate(inner, size, first) for first in _first_distances(inner)]
        nearest, self.covariance_ = min(
            fits, key=lambda fit: np.linalg.slogdet(fit[1].covariance_)[1]
        )
        if not sparse.issparse(X):
            self.covariance_ = _shrunk(X[nearest])

    def energies(self, X):
        X = self.prepared(X)
        X = self._subspace.transform(X) if sparse.issparse(X) else X
        return 0.5 * self.covariance_.mahalanobis(X)


def _first_distances(X):
    """Three distances from the centre that a few far rows cannot rule."""
    norms, bounded = np.linalg.norm(X, axis=1), np.tanh(X)
    yield norms
    yield _shrunk(bounded).mahalanobis(bounded)
    yield _shrunk(X / np.maximum(norms, 1e-9)[:, None]).mahalanobis(X)


def _shrunk(X):
    """The shrunk covariance, regular even if all rows are one."""
    covariance = LedoitWolf(store_precision=False).fit(X)
    covariance.covariance_.flat[:: X.shape[1] + 1] += 1e-9
    covariance.store_precision, covariance.precision_ = True, pinvh(covariance.covariance_)
    return covariance


def _concentrate(X, size, distances, max_steps=30):
    """As many of the nearest rows, and their shrunk covariance, until these stay the same."""
    nearest = None
    for _ in range(max_steps):
        before, nearest = nearest, np.sort(np.argpartition(distances, size - 1)[:size])
        if np.array_equal(before, nearest):
            break
        covariance = _shrunk(X[nearest])
        distances = covariance.mahalanobis(X)
    return nearest, covariance


class MixtureEnergy(_Standardised):
    """Free energy -log p(x) of a mixture of normals (over the latent component).

    Of many columns it is a mixture of the principal components, at most 60 and one for four rows,
    with normal noise of one variance outside of them (Tipping and Bishop, 1999).

    Parameters
    ----------
    n_components : int, default=3
        Lowered to one component for five rows of each column.
    reg_covar : float, default=1e-3
        Added to the variances of the standardised columns, >= 0.
    """

    def __init__(self, n_components=3, reg_covar=1e-3):
        self.n_components = n_components
        self.reg_covar = reg_covar

    def check(self):
        check_number("n_components", self.n_components, 1, closed=True, kind=Integral)
        check_number("reg_covar", self.reg_covar, 0, closed=True)

    def fit_standardised(self, X, rng):
        self._subspace = _Subspace(X, rng)
        X = self._subspace.transform(X)
        size = int(np.clip(len(X) // (5 * X.shape[1]), 1, self.n_components))
        seed = rng.randint(np.iinfo(np.int32).max)
        mixture = GaussianMixture(size, reg_covar=self.reg_covar, random_state=seed)
        # k-means, where it starts, knows no array API; a hundred steps are as good as all
        with config_context(array_api_dispatch=False), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.mixture_ = mixture.fit(X)

    def energies(self, X):
        X = self.prepared(X)
        return self._subspace.outside(X) - self.mixture_.score_samples(self._subspace.transform(X))


class NeighborsEnergy(_Standardised):
    """Mean distance to the nearest rows of the training set (Ramaswamy, Rastogi and Shim, 2000).

    Parameters
    ----------
    n_neighbors : int, default=5
        Lowered to the number of rows.
    whiten : bool, default=False
        Whether distances are those of rows whose covariance, shrunk, is the identity.
    """

    def __init__(self, n_neighbors=5, whiten=False):
        self.n_neighbors = n_neighbors
        self.whiten = whiten

    def check(self):
        check_number("n_neighbors", self.n_neighbors, 1, closed=True, kind=Integral)

    def fit_standardised(self, X, rng):
        self._whitening = None
        if self.whiten:
            self._subspace = _Subspace(X, rng) if sparse.issparse(X) else None
            self._whitening = _whitening(self._inner(X))
            X = self._inner(X) @ self._whitening
        self.neighbors_ = NearestNeighbors(n_neighbors=min(self.n_neighbors, count_rows(X))).fit(X)

    def _inner(self, X):
        return X if self._subspace is None else self._subspace.transform(X)

    def energies(self, X):
        X = self.prepared(X)
        if self._whitening is not None:
            X = self._inner(X) @ self._whitening
        return self.neighbors_.kneighbors(X)[0].mean(axis=1)


def _whitening(X):
    """The columns (d, d) by which X has the identity as its shrunk covariance."""
    variances, directions = np.linalg.eigh(_shrunk(X).covariance_)
    return directions / np.sqrt(np.maximum(variances, 1e-6))


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

    def fit_standardised(self, X, rng):
        n_bins = int(np.clip(np.sqrt(len(X)), 10, self.max_bins))
        counts, self.edges_ = zip(*(np.histogram(x, n_bins) for x in X.T), strict=True)
        masses = np.pad(np.array(counts), ((0, 0), (1, 1))) + 0.5
        self.column_energies_ = -np.log(masses / masses.sum(axis=1, keepdims=True))

    def energies(self, X):
        total = 0.0
        columns = self.prepared(X).T
        for x, edges, energies in zip(columns, self.edges_, self.column_energies_, strict=True):
            place = np.searchsorted(edges, x, side="right")
            total = total + energies[np.where(x == edges[-1], len(edges) - 1, place)]
        return total

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags


def _some_rows(X, weights, most, rng):
    """At most so many rows, drawn at random, and their weights."""
    if count_rows(X) <= most:
        return X, weights
    rows = np.sort(rng.choice(count_rows(X), most, replace=False))
    return take_rows(X, rows), weights[rows]


class _RobustScaler:
    """Centres at the median and divides by the geometric mean of two scales; sparse: by maxima.

    They are the standard deviation, which a few far values rule, and what it would be of a normal
    with the same interquartile range, which vanishes where half of a column is one value; then
    it is left out. Constant columns fall.
    """

    def fit(self, X):
        if sparse.issparse(X):
            self._sparse = MaxAbsScaler().fit(X)
            return self
        X = np.asarray(X, dtype=float)
        low, self.center, high = np.percentile(X, [25, 50, 75], axis=0)
        spread, scale = (high - low) / 1.349, X.std(axis=0)
        self.kept = np.ptp(X, axis=0) > 0
        if not self.kept.any():
            self.kept[:], scale = True, np.ones_like(scale)
        self.scale = np.sqrt(np.where(spread > 1e-9 * scale, spread, scale) * scale)[self.kept]
        return self

    def transform(self, X):
        if sparse.issparse(X):
            return self._sparse.transform(X)
        return (np.asarray(X, dtype=float)[:, self.kept] - self.center[self.kept]) / self.scale


class _Subspace:
    """The leading principal components of columns that are many, at all or for the rows."""

    def __init__(self, X, rng):
        n_rows, n_columns = X.shape
        size = int(min(_MAX_COLUMNS, n_columns, max(n_rows // 4, 1)))
        few = n_columns <= _MAX_COLUMNS and 3 * n_columns <= n_rows
        self._projection = None
        if not sparse.issparse(X) and (few or n_rows < 4):
            return
        kind = TruncatedSVD if sparse.issparse(X) else PCA
        self._projection = kind(size, random_state=rng.randint(np.iinfo(np.int32).max)).fit(X)
        self._n_outside = n_columns - size
        squares = self._squares(X).mean() / max(self._n_outside, 1)
        self._variance = max(squares, np.finfo(float).eps)

    def transform(self, X):
        return X if self._projection is None else self._projection.transform(X)

    def outside(self, X):
        """-log density (n,) of what lies outside, of one variance in all directions."""
        if self._projection is None:
            return 0.0
        constant = self._n_outside / 2 * np.log(2 * np.pi * self._variance)
        return self._squares(X) / (2 * self._variance) + constant

    def _squares(self, X):
        """Squared lengths (n,) of what lies outside."""
        if sparse.issparse(X):
            lengths = np.asarray(X.multiply(X).sum(axis=1)).ravel()
        else:
            lengths = np.square(X - self._projection.mean_).sum(axis=1)
        inside = np.square(self._projection.transform(X)).sum(axis=1)
        return np.maximum(lengths - inside, 0)
