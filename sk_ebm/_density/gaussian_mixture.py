"""Gaussian mixtures of a table, whose size and ridge are chosen on held-out rows."""

from operator import itemgetter

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.mixture import GaussianMixture

from sk_ebm._core.cross_fit import cross_fit
from sk_ebm._core.folds import Folds
from sk_ebm._utils.threads import one_blas_thread

# density_ablation.py --part joint: one ridge loses 1.1 +- .5 nats a row on 4 tables, powers of two
# as sizes .35 +- .28 on 6, no restarts .13 +- .13 on 6 (they take .13 of the fit).
_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)  # numbers of components: steps of a third or more
_RIDGES = (1.0, 0.3, 0.1, 0.03, 0.01, 1e-3, 1e-6)  # of covariances of columns of unit variance
_MIN_ROWS_PER_COLUMN = 100  # from which only the least two ridges are tried
_MAX_COLUMNS_ONE_THREAD = 100  # up to which threads of linear algebra gain nothing
_PATIENCE = 3  # sizes in a row that may be worse than the best
_N_RESTARTS = 2  # of the best mixture
_TOL = 1e-3  # scikit-learn's default
_ROUGH_TOL = 10 * _TOL  # of mixtures that are compared, or of some of the rows
_TESTED_ROWS = 80, 500  # at least and at most, on which a choice is made


class WeightedMixture(GaussianMixture):
    """A Gaussian mixture of weighted rows, by expectation and maximisation as scikit-learn's."""

    def fit(self, X, weights):
        self._row_weights = weights / weights.mean()  # (n,) of X, positive
        super().fit(X)
        del self._row_weights
        return self

    def _initialize(self, X, resp, xp=None):
        weighted = None if resp is None else resp * self._row_weights[:, None]
        super()._initialize(X, weighted, xp=xp)

    def _e_step(self, X, xp=None):
        log_density, log_resp = self._estimate_log_prob_resp(X, xp=xp)
        log_weights = np.log(self._row_weights)[:, None]
        return np.average(log_density, weights=self._row_weights), log_resp + log_weights

    def fit_rows(self, X, weights, rows=slice(None)):
        """Fit those of the rows that have a positive weight."""
        X, weights = X[rows], weights[rows]
        return self.fit(X[weights > 0], weights[weights > 0])


def fit_mixture(X, weights, splits, rng):
    """A mixture of all rows and one for each fold's training rows.

    The number of components goes up until three more sizes do not help, and with the next ridge
    starts one size below the best; in the end two more starts are tried. Mixtures are compared by
    their likelihood of the first folds' test rows: a tenth of all rows, but 80 to 500. The best one
    goes on from where it is, with all rows: another start may end far from it. Constant columns are
    ignored.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Columns of unit variance.
    weights : ndarray of shape (n,)
    splits : Folds
    rng : RandomState

    Returns
    -------
    mixture : fitted GaussianMixture
    fold_mixtures : list of fitted GaussianMixture
    """
    seed = rng.randint(np.iinfo(np.int32).max)
    # k-means, where they start, does not take array API dispatch.
    with (
        config_context(array_api_dispatch=False),
        one_blas_thread(X.shape[1] <= _MAX_COLUMNS_ONE_THREAD),
    ):
        mixture = _choose_mixture(X, weights, Folds(tuple(splits)), seed).set_params(tol=_TOL)
        mixture = _continue_fit(mixture, X, weights, [slice(None)])[0]
        return mixture, _continue_fit(mixture, X, weights, [train for train, _ in splits])


def _choose_mixture(X, weights, folds, seed):
    n_rows = np.count_nonzero(weights)
    ridges = _RIDGES if n_rows < _MIN_ROWS_PER_COLUMN * X.shape[1] else _RIDGES[-2:]
    folds = folds.first_with(np.clip(n_rows // 10, *_TESTED_ROWS), weights)
    best = -np.inf, _mixture(1, ridges[0], seed)
    for ridge in ridges:
        candidate = _choose_size(X, weights, folds, ridge, seed, best[1].n_components)
        best = max(best, candidate, key=itemgetter(0))
    size, ridge = best[1].n_components, best[1].reg_covar
    restarts = [_evaluate(X, weights, folds, size, ridge, seed + 1 + i) for i in range(_N_RESTARTS)]
    return max([best, *restarts], key=itemgetter(0))[1]


def _choose_size(X, weights, folds, ridge, seed, last_best):
    """The best likelihood, and mixture, of all sizes from the one below the last best on."""
    best, n_worse = (-np.inf, None), 0
    trains = [train[weights[train] > 0] for train, _ in folds]
    distinct = min(len(np.unique(X[train], axis=0)) for train in trains)
    n_varying = np.count_nonzero(np.ptp(X, axis=0))
    largest = min(max(min(map(len, trains)) // (2 * max(n_varying, 1)), 1), distinct)
    for size in _SIZES[max(_SIZES.index(last_best) - 1, 0) :]:
        if size > largest or n_worse == _PATIENCE:
            break
        candidate = _evaluate(X, weights, folds, size, ridge, seed)
        n_worse = n_worse + 1 if candidate[0] < best[0] else 0
        best = max(best, candidate, key=itemgetter(0))
    return best


def _evaluate(X, weights, folds, size, ridge, seed):
    """The likelihood of the test rows, and such a mixture of the first training rows."""
    crossed = cross_fit(
        lambda k, train: _mixture(size, ridge, seed, _ROUGH_TOL).fit_rows(X, weights, train),
        lambda mixture, test: weights[test] @ mixture.score_samples(X[test]) / weights[test].sum(),
        folds,
    )
    n_constant = np.count_nonzero(np.ptp(X, axis=0) == 0)
    of_constant = 0.5 * np.log(2 * np.pi * ridge) * n_constant
    return np.mean(crossed.held_out) + of_constant, crossed.models[0]


def _mixture(size, ridge, seed, tol=_TOL):
    return WeightedMixture(size, tol=tol, reg_covar=ridge, max_iter=300, random_state=seed)


def _continue_fit(mixture, X, weights, parts):
    """The mixture fitted to each of the parts of the rows, from where it is on."""
    params = {
        "weights_init": mixture.weights_ / mixture.weights_.sum(),
        "means_init": mixture.means_,
        "precisions_init": mixture.precisions_,
    }
    return [clone(mixture).set_params(**params).fit_rows(X, weights, rows) for rows in parts]


def refit_to_subset(mixture, table, weights, folds):
    """The mixture of the rows of positive weight alone and those of the folds, of as many
    components as these rows allow; they go on from where it is if it is one of the same columns."""
    largest = max(np.count_nonzero(weights) // (2 * table.shape[1]), 1)
    if mixture.n_components <= largest and table.shape[1] == mixture.n_features_in_:
        refitted = _continue_fit(mixture, table, weights, [slice(None)])[0]
    else:
        size = min(mixture.n_components, largest)
        refitted = _mixture(size, mixture.reg_covar, mixture.random_state, _ROUGH_TOL)
        refitted.fit_rows(table, weights)
    refitted.set_params(tol=_ROUGH_TOL)
    return refitted, _continue_fit(refitted, table, weights, [train for train, _ in folds])
