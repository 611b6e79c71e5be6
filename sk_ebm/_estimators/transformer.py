"""EnergyTransformer: energies and what follows from them as features of the next model."""

from collections.abc import Iterable
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier
from sklearn.utils import check_random_state, get_tags, indexable
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from sk_ebm._core.cross_fit import cross_fit
from sk_ebm._core.folds import Folds, shuffled_folds, user_folds
from sk_ebm._estimators.feature_kinds import KINDS, classes_of, default_kind
from sk_ebm._utils.estimators import KeepsFitted
from sk_ebm._utils.fit_arguments import weight_arguments
from sk_ebm._utils.sklearn_private import check_sample_weight, count_rows, take_rows
from sk_ebm._utils.through import through
from sk_ebm._utils.validation import check_choice, check_number
from sk_ebm.distributions._values import as_levels


class EnergyTransformer(KeepsFitted, TransformerMixin, BaseEstimator):
    """Energies, log probabilities, quantiles, surprisals or p-values as features of a next model.

    `transform` asks the estimator that is fitted to all rows. `fit_transform` cross-fits: the
    features of a training row come from an estimator that was fitted without it, as in
    `TargetEncoder`, so that the next model of a pipeline learns from honest features. Hence
    ``fit(X, y).transform(X)`` differs from ``fit_transform(X, y)``.

    Parameters
    ----------
    estimator : estimator
        An `EnergyClassifier`, `EnergyDensityEstimator`, `EnergyDetector` or `EnergyRanker`, or a
        pipeline or search that ends in one.
    features : {"auto", "energies", "log_proba", "quantiles", "surprisals", "p_values"} or list, \
            default="auto"
        One kind, or several. "energies": of all classes, of items, or of inputs. "log_proba": of
        all classes. "quantiles": of p(y given x). "surprisals": -log p(x) of a density of x, -log
        of the p-value of a detector, in nats. "p_values": of a detector. "auto" is "log_proba" of
        a classifier, "quantiles" of a density of y given x, "energies" of a ranker, and else
        "surprisals".
    quantiles : sequence of float, default=(0.1, 0.5, 0.9)
        Probabilities in (0, 1), for "quantiles".
    cv : int, splitter or iterable, default=5
        Folds of `fit_transform`: a number >= 2 of shuffled ones, stratified for classifiers; or
        what scikit-learn takes, each row tested once.
    n_jobs : int, default=None
        Processes that fit the folds, as in joblib.
    random_state : int, RandomState instance or None, default=None
        Draws the folds.

    Attributes
    ----------
    estimator_ : estimator
        Fitted to all rows.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sk_ebm import EnergyClassifier, EnergyTransformer
    >>> X, y = load_wine(return_X_y=True)
    >>> transformer = EnergyTransformer(EnergyClassifier(), random_state=0)
    >>> held_out = transformer.fit_transform(X, y)
    >>> print(f"{(held_out.argmax(axis=1) == y).mean():.2f}")
    0.96
    >>> transformer.get_feature_names_out()
    array(['log_proba_0', 'log_proba_1', 'log_proba_2'], dtype=object)
    """

    def __init__(
        self,
        estimator,
        *,
        features="auto",
        quantiles=(0.1, 0.5, 0.9),
        cv=5,
        n_jobs=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.features = features
        self.quantiles = quantiles
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y=None, sample_weight=None, groups=None):
        """Fit the estimator to all rows.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)
            As the estimator takes it.
        y : array-like of shape (n_samples,), default=None
            As the estimator takes it.
        sample_weight : array-like of shape (n_samples,), default=None
        groups : array-like of shape (n_samples,), default=None
            Rows of one group stay together in folds. An estimator that takes groups gets them: the
            queries of a ranker.

        Returns
        -------
        self
        """
        with self._keeping_fitted():
            self._check()
            weights = None if sample_weight is None else check_sample_weight(sample_weight, X)
            self.estimator_ = self._fitted(X, y, weights, groups)
            self._names = self._features(self.estimator_, take_rows(indexable(X)[0], [0]))[1]
            return self

    def fit_transform(self, X, y=None, sample_weight=None, groups=None):
        """Fit, and features of the same rows from estimators that were fitted without them.

        Parameters
        ----------
        X, y, sample_weight, groups : as in `fit`

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out)
            A frame, as `set_output` says.
        """
        self.fit(X, y, sample_weight, groups)
        X, y, groups = indexable(X, y, groups)
        weights = None if sample_weight is None else check_sample_weight(sample_weight, X)
        folds = self._folds(X, y, groups)
        crossed = cross_fit(
            lambda _, train: self._fitted(*self._taken(train, X, y, weights, groups)),
            lambda model, test: self._features(model, take_rows(X, test))[0],
            folds,
            n_jobs=self.n_jobs,
        )
        return crossed.in_order

    def transform(self, X):
        """Features from the estimator that is fitted to all rows.

        Parameters
        ----------
        X : array-like, sparse matrix or frame of shape (n_samples, n_features)

        Returns
        -------
        features : ndarray of shape (n_samples, n_features_out)
            A frame, as `set_output` says.
        """
        check_is_fitted(self)
        return self._features(self.estimator_, X)[0]

    def get_feature_names_out(self, input_features=None):
        """Names of the features, such as ``"log_proba_setosa"`` or ``"quantile_0.5"``.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str, shape (n_features_out,)
        """
        check_is_fitted(self)
        return np.array(self._names, dtype=object)

    def _check(self):
        """Raise a ValueError where a parameter is out of range."""
        if not hasattr(self.estimator, "fit") or isinstance(self.estimator, type):
            raise ValueError(
                "estimator must be an EnergyClassifier, EnergyDensityEstimator, EnergyDetector or "
                f"EnergyRanker, or a pipeline that ends in one, got {self.estimator!r}."
            )
        if not len(self._kinds()):
            raise ValueError(f"features must name at least one kind, got {self.features!r}.")
        for kind in self._kinds():
            check_choice("features", kind, ("auto", *KINDS))
        as_levels("quantiles", self.quantiles)
        if not isinstance(self.cv, Iterable) and not hasattr(self.cv, "split"):
            check_number("cv", self.cv, 2, closed=True, kind=Integral)

    def _kinds(self):
        return self.features if isinstance(self.features, (list, tuple)) else [self.features]

    def _fitted(self, X, y, weights, groups):
        """A clone of the estimator, fitted."""
        estimator, given = clone(self.estimator), {}
        if weights is not None:
            given = weight_arguments(estimator, weights)
        if groups is not None and has_fit_parameter(estimator, "groups"):
            given["groups"] = groups
        return estimator.fit(X, y, **given)

    @staticmethod
    def _taken(rows, *parts):
        return [None if part is None else take_rows(part, rows) for part in parts]

    def _folds(self, X, y, groups):
        """Folds that test each row once."""
        n, rng = count_rows(X), check_random_state(self.random_state)
        classifies = is_classifier(self.estimator)
        if isinstance(self.cv, Integral) and groups is None:
            labels = np.unique(y, return_inverse=True)[1] if classifies else None
            return Folds(tuple(shuffled_folds(n, min(self.cv, n), rng, labels)))
        targets = np.zeros(n) if y is None else y
        folds = user_folds(self.cv, X, targets, groups, rng, classifier=classifies)
        folds.check_partition(n)
        return folds

    def _features(self, model, X):
        """Features (n, k) that a fitted estimator gives, and their names."""
        model, classes = through(model), classes_of(through(self.estimator_))
        kinds = [default_kind(model) if kind == "auto" else kind for kind in self._kinds()]
        parts = [KINDS[kind](model, X, np.ravel(self.quantiles), classes) for kind in kinds]
        columns, names = zip(*parts, strict=True)
        return np.hstack(columns), [name for part in names for name in part]

    @property
    def n_features_in_(self):
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self):
        return self.estimator_.feature_names_in_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.target_tags = inner.target_tags
        return tags
