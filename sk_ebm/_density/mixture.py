"""Gaussian mixtures as base densities of the columns of a table, one given those before it."""

from operator import itemgetter

import numpy as np
from scipy import linalg, special
from sklearn import config_context
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.mixture import GaussianMixture

from sk_ebm._density.base_distributions import MixtureRows
from sk_ebm._density.leaf_density import LeafDensity
from sk_ebm._density.regressors import FEW, MANY, CrossFitted
from sk_ebm._utils.threads import one_blas_thread

_LADDER = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
_RIDGES = (1.0, 0.3, 0.1, 0.03, 0.01, 1e-3, 1e-6)  # of covariances of columns of unit variance
_PLENTY = 100  # rows for each column, from which only the least ridges are tried
_NARROW = 100  # columns up to which threads of linear algebra gain nothing
_STEPS = 3  # of the ladder that may fail
_RESTARTS = 2  # of the best mixture
_TOL = 1e-3  # of the mean likelihood, to which mixtures are fitted
_ROUGH_TOL = 10 * _TOL  # of those that are tried, or are of some of the rows
_NOTHING = np.log(1e-15)  # log share of a component in a row that counts as none
_TESTED = 80, 500  # rows on which a choice is made, at least and at most
_TREES = 80  # of all folds, for local sight
_LEAF, _LEAF_OF_MANY = 3, 5  # rows of a leaf, at least: below 2,000 rows of all, and from there


class MixtureColumn:
    """The distribution of one column of a table given those before it, under a Gaussian mixture.

    Beside the n rows stands a virtual one, in one column of which is what a normal law as wide as
    the column reaches gives, whatever the other columns hold: components may be so narrow that all
    other values are next to impossible. The leaves of trees add local sight, as they do to
    `LocationScale`.

    Parameters
    ----------
    mixture : fitted GaussianMixture
    folds : list of fitted GaussianMixture
        One for the training part of each fold, with the same components.
    n_jobs : int, default=None
        Processes that fit the folds' trees, as in joblib.

    Attributes
    ----------
    local_ : LeafDensity or None
        What the leaves add.
    """

    def __init__(self, mixture, folds, n_jobs=None):
        self.mixture = mixture
        self.folds = folds
        self.n_jobs = n_jobs

    def fit(self, X, y, points, weights, splits, rng):
        if not weights.all():
            drawn = points[np.arange(len(y)), rng.randint(points.shape[1], size=len(y))]
            self._refit(np.column_stack([X, drawn]), weights > 0, splits)
        self._virtual = 1 / ((len(X) + 1) * self.mixture.n_features_in_)
        self._reach = max(np.abs(points).max(), 1.0)
        laws = [
            (test, self._rows(mixture, X[test])[0])
            for mixture, (_, test) in zip(self.folds, splits, strict=True)
        ]
        self.local_ = self._sight(laws, X, y, points, weights, splits, rng)
        if self.local_ is not None:
            self.scores_ = self.local_.scores_
        else:
            self.scores_ = np.empty(points.shape)
            for rows, law in laws:
                self.scores_[rows] = law.normal_score(points[rows])
        self.features_ = self._law(X)[1]
        return self

    def _sight(self, laws, X, y, points, weights, splits, rng):
        """Leaf-based densities, where there is something to see and it helps."""
        fewest = min(np.count_nonzero(weights[train]) for train, _ in splits)
        if not X.shape[1] or fewest < FEW:
            return None
        leaf = _LEAF if len(y) < MANY else _LEAF_OF_MANY
        trees = ExtraTreesRegressor(max(_TREES // len(splits), 1), min_samples_leaf=leaf)
        forest = CrossFitted(trees, n_jobs=self.n_jobs, refit=False)
        forest.fit(X, y, weights, splits, rng)
        return LeafDensity.of([forest], laws, X, y, points, weights, splits)

    def _refit(self, table, kept, splits):
        """Mixtures of the rows that are kept alone, as similar as these rows allow.

        They go on from where the mixture is if it is of the same columns, not of others too.
        """
        like, most = self.mixture, max(kept.sum() // (2 * table.shape[1]), 1)
        if like.n_components <= most and table.shape[1] == like.n_features_in_:
            alone = _refitted(like, [table[kept]])[0]
        else:
            n_components = min(like.n_components, most)
            alone = _mixture(n_components, like.reg_covar, like.random_state, _ROUGH_TOL)
            alone.fit(table[kept])
        alone.set_params(tol=_ROUGH_TOL)
        parts = [train[kept[train]] for train, _ in splits]
        self.mixture, self.folds = alone, _refitted(alone, [table[part] for part in parts])

    def distribution(self, X):
        """Distributions of rows, and the features (n, ...) that energies read."""
        law, features = self._law(X)
        if self.local_ is None:
            return law, features
        return self.local_.blended(law, self.local_.leaves_(X)[0]), features

    def _law(self, X):
        """The same without local sight."""
        rows, (log_shares, means, widths) = self._rows(self.mixture, X)
        shares = np.exp(log_shares)
        mean = np.sum(shares * means, axis=1)
        spread = np.sum(shares * (widths**2 + (means - mean[:, None]) ** 2), axis=1)
        return rows, np.column_stack([X, shares, mean, np.log(spread) / 2])

    def _rows(self, mixture, X):
        """The law of the column for each row, and its mixtures without the virtual row."""
        log_shares, means, widths = parts = conditional_components(mixture, X)
        ones = np.ones((len(X), 1))
        shares = [log_shares + np.log1p(-self._virtual), ones * np.log(self._virtual)]
        widths = np.tile(np.append(widths, self._reach), (len(X), 1))
        found = _likeliest(np.hstack(shares), np.hstack([means, 0 * ones]), widths)
        return MixtureRows(*found), parts


def _likeliest(log_shares, means, widths):
    """The same without components of next to no share: of each row those of the largest shares,
    as many as the row with most of them has."""
    log_shares = np.where(log_shares < _NOTHING, -np.inf, log_shares)
    most = np.max(np.sum(log_shares > -np.inf, axis=1))
    order = np.argpartition(-log_shares, most - 1, axis=1)[:, :most]
    return [np.take_along_axis(table, order, axis=1) for table in (log_shares, means, widths)]


def conditional_components(mixture, X):
    """Log shares, means (n, k) and widths (k,) of the column after the columns X (n, j)."""
    j = X.shape[1]
    shares, means, widths = [], [], []
    parts = zip(mixture.weights_, mixture.means_, mixture.covariances_, strict=True)
    for weight, mean, covariance in parts:
        factor = linalg.cholesky(covariance[: j + 1, : j + 1], lower=True)
        white = linalg.solve_triangular(factor[:j, :j], (X - mean[:j]).T, lower=True)
        log_norm = np.log(np.diag(factor)[:j]).sum()
        shares.append(np.log(weight) - 0.5 * np.sum(white**2, axis=0) - log_norm)
        means.append(mean[j] + factor[j, :j] @ white)
        widths.append(factor[j, j])
    shares = special.log_softmax(np.stack(shares, axis=1), axis=1)
    return shares, np.stack(means, axis=1), np.array(widths)


def fit_mixture(X, splits, rng):
    """A mixture of all rows and one for each fold's training rows.

    Of mixtures of the training rows of the first folds, until a tenth of the rows is left out, or
    80 where these are more, or 500, the one of greatest likelihood there goes on from where it is,
    with all rows: another start may end far from it. The number of components goes along a ladder
    that ends where three more steps do not help, and with another ridge starts a step below the
    best; in the end two more starts are tried. Columns that are constant have no say.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Columns of unit variance.
    splits : list of (train, test)
    rng : RandomState

    Returns
    -------
    mixture : fitted GaussianMixture
    of_folds : list of fitted GaussianMixture
    """
    seed = rng.randint(np.iinfo(np.int32).max)
    # k-means, their start, does not take array API dispatch.
    with config_context(array_api_dispatch=False), one_blas_thread(X.shape[1] <= _NARROW):
        return _fit_mixture(X, splits, seed)


def _fit_mixture(X, splits, seed):
    ridges = _RIDGES if len(X) < _PLENTY * X.shape[1] else _RIDGES[-2:]
    tested = np.cumsum([len(test) for _, test in splits])
    used = splits[: np.searchsorted(tested, np.clip(len(X) // 10, *_TESTED)) + 1]
    best = -np.inf, _mixture(1, ridges[0], seed)
    for ridge in ridges:
        climbed = _climb(X, used, ridge, seed, best[1].n_components)
        best = max(best, climbed, key=itemgetter(0))
    n_components, ridge = best[1].n_components, best[1].reg_covar
    starts = [_trial(X, used, n_components, ridge, seed + 1 + i) for i in range(_RESTARTS)]
    best = max(best, *starts, key=itemgetter(0))
    mixture = _refitted(best[1].set_params(tol=_TOL), [X])[0]
    return mixture, _refitted(mixture, [X[train] for train, _ in splits])


def _refitted(mixture, parts):
    """The mixture fitted to other rows, from where it is on."""
    params = {
        "weights_init": mixture.weights_ / mixture.weights_.sum(),
        "means_init": mixture.means_,
        "precisions_init": mixture.precisions_,
    }
    return [clone(mixture).set_params(**params).fit(part) for part in parts]


def _climb(X, splits, ridge, seed, around):
    """The best `_trial` along the ladder."""
    best, worse = (-np.inf, None), 0
    fewest = min(len(train) for train, _ in splits)
    distinct = min(len(np.unique(X[train], axis=0)) for train, _ in splits)
    n_varying = np.count_nonzero(np.ptp(X, axis=0))
    most = min(max(fewest // (2 * max(n_varying, 1)), 1), distinct)
    for n_components in _LADDER[max(_LADDER.index(around) - 1, 0) :]:
        if n_components > most or worse == _STEPS:
            break
        new = _trial(X, splits, n_components, ridge, seed)
        worse = worse + 1 if new[0] < best[0] else 0
        best = max(best, new, key=itemgetter(0))
    return best


def _trial(X, splits, n_components, ridge, seed):
    """The likelihood of the test rows, and such a mixture of the first training rows."""
    mixtures = [
        _mixture(n_components, ridge, seed, _ROUGH_TOL).fit(X[train]) for train, _ in splits
    ]
    scores = [of.score(X[test]) for of, (_, test) in zip(mixtures, splits, strict=True)]
    n_constant = np.count_nonzero(np.ptp(X, axis=0) == 0)
    return np.mean(scores) + 0.5 * np.log(2 * np.pi * ridge) * n_constant, mixtures[0]


def _mixture(n_components, ridge, seed, tol=_TOL):
    return GaussianMixture(n_components, tol=tol, reg_covar=ridge, max_iter=300, random_state=seed)
