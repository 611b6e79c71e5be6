"""EnergyClassifier: classification by energies."""

import numpy as np
from scipy.special import logsumexp
from sklearn.base import ClassifierMixin
from sklearn.callback import with_callbacks
from sklearn.utils import (
    check_consistent_length,
    check_random_state,
    column_or_1d,
    compute_sample_weight,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from sk_ebm._core.classes import Labels
from sk_ebm._core.gibbs import Gibbs
from sk_ebm._estimators.base import EnergyEstimator
from sk_ebm._estimators.class_inference import ClassInference
from sk_ebm._utils.sklearn_private import check_sample_weight
from sk_ebm._utils.validation import check_flag, check_number, check_weighs
from sk_ebm.thresholds import resolve_threshold

# In nats. Folds differ by so much where an expert is sure: without it, rejecting outliers of
# unknown share rejected 12 to 27 % of the clean rows of wine and iris by naive Bayes.
_EQUAL_ODDS = 0.1


class EnergyClassifier(ClassInference, ClassifierMixin, EnergyEstimator):
    """Classifier that predicts the class of least energy E(x, y).

    An energy function is fitted to minimise the mean loss of the energies of all classes plus a
    penalty R(W) = alpha (l1_ratio |W|_1 + (1 - l1_ratio)/2 |W|^2) on its weights. Probabilities are
    those of the Gibbs distribution, p(y given x) = exp(-beta E(x, y)) / sum_y' exp(-beta E(x, y')).
    Its beta is learned on held-out samples, so that probabilities are calibrated whatever the loss
    and the penalty. Inference over the classes is exact.

    Parameters
    ----------
    energy : {"linear", "kernel", "mlp", "prototype", "trees"}, Energy, estimator or list, \
            default="linear"
        The energy function, by name or as a component such as
        ``MLPEnergy(hidden_layer_sizes=(50,))``, whose parameters a grid search reaches as
        ``energy__hidden_layer_sizes``. A scikit-learn classifier or density is wrapped in an
        `ExpertEnergy`, and a list of any of these, or of (name, energy) pairs, in a `SumEnergy`.
    loss : {"nll", "hinge", "log", "perceptron", "lvq2", "mce", "mee", "square_square", \
            "square_exponential", "energy"} or Loss, default="nll"
        Table 1 of [1]_. "energy" needs an energy function that cannot collapse: "prototype".
    beta : float or "auto", default="auto"
        Inverse temperature of `predict_proba`, > 0. "auto" learns it by one convex fit to the
        energies of held-out samples. These come from approximate leave-one-out [2]_ or from a
        held-out part of the rows where the fit of the energy provides them, else from
        cross-fitting on as many of the default folds as hold 1,000 samples. Where these show that
        a scikit-learn classifier has wrong shares of the classes, as with its
        ``class_weight="balanced"``, a constant energy for each class is learned with it. A number
        costs nothing; 1 is the temperature of training.
    alpha : float or "auto", default="auto"
        Strength of the penalty, >= 0; ``1 / (C n)`` gives `LogisticRegression`'s optimum. "auto"
        chooses it by held-out loss for the linear and the kernel energy, along a path of
        penalties, each fit starting from the last; the other energies document a constant.
    l1_ratio : float, default=0.0
        Share of the l1 norm in the penalty, in [0, 1]; > 0 gives weights of exactly zero.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied with ``sample_weight``.
    cv : int, splitter or iterable, default=None
        Folds on which alpha, beta and the weights of a sum are chosen. None means leave-one-out
        where that is cheap, else one or more of five shuffled folds, stratified where possible.
    solver : {"auto", "newton", "lbfgs", "adam"}, default="auto"
        "auto" takes Newton steps for smooth losses of linear energies, L-BFGS for the other
        losses, mini-batch Adam for "mlp" and for losses that only an average of iterates solves.
    max_iter : int, default=1000
        Bound on the iterations of the final fit (epochs, for "adam").
    tol : float, default=1e-7
        Relative gap of the objective to its minimum at which iterations stop.
    calibrate : bool, default=False
        Whether to keep held-out energies of the correct answers, for `predict_set` [3]_.
    reject : {"contamination", "false_alarm", "mixture"}, Threshold or callable, default=None
        A threshold on the free energy F(x) (on the least energy, where the energy is a classifier
        with probabilities), learned on held-out samples: `predict` returns ``reject_label`` for
        inputs above it, which no class fits. ``Level(3.5)`` is a fixed level, ``FalseAlarm(0.01)``
        a share; a bare number is refused. None: every input gets a class.
    reject_label : object, default=-1
        Not one of the classes.
    n_jobs : int, default=None
        Processes that fit the folds, as in joblib.
    random_state : int, RandomState instance or None, default=None
        Draws folds, landmarks, initial weights and mini-batches.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    energy_ : Energy
        The fitted energy function.
    beta_ : float
        Inverse temperature of the Gibbs distribution.
    n_iter_ : int
        Iterations of the final fit; of a sum, of the term with most of them.
    loss_curve_ : list of float
        Objective after each of them (held-out loss for "mlp"); of a sum, that of its weights.
    reject_threshold_ : float
        Energy above which `predict` rejects; with ``reject``.
    calibration_energies_ : ndarray of shape (n_calibration,)
        -log p of the correct answers of held-out samples, in nats; with ``calibrate=True``, or
        from `conformalize`.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Weights of the negative energy; only where the energy is linear.
    intercept_ : ndarray of shape (1,) or (n_classes,)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)

    References
    ----------
    .. [1] LeCun, Chopra, Hadsell, Ranzato and Huang, "A Tutorial on Energy-Based Learning", 2006.
    .. [2] Rad and Maleki, "A scalable estimate of the out-of-sample prediction error via
       approximate leave-one-out cross-validation", JRSS B, 2020.
    .. [3] Sadinle, Lei and Wasserman, "Least ambiguous set-valued classifiers with bounded error
       levels", JASA, 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.model_selection import train_test_split
    >>> from sk_ebm import EnergyClassifier
    >>> X, y = load_wine(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> classifier = EnergyClassifier().fit(X_train, y_train)
    >>> print(f"{classifier.score(X_test, y_test):.2f}")
    0.98
    """

    _before_calibration = {"beta_": 1.0, "reject_threshold_": np.inf}

    def __init__(
        self,
        energy="linear",
        loss="nll",
        *,
        beta="auto",
        alpha="auto",
        l1_ratio=0.0,
        class_weight=None,
        cv=None,
        solver="auto",
        max_iter=1000,
        tol=1e-7,
        calibrate=False,
        reject=None,
        reject_label=-1,
        recall=0.95,
        n_jobs=None,
        random_state=None,
    ):
        self.energy = energy
        self.loss = loss
        self.beta = beta
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.class_weight = class_weight
        self.cv = cv
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.calibrate = calibrate
        self.reject = reject
        self.reject_label = reject_label
        self.recall = recall
        self.n_jobs = n_jobs
        self.random_state = random_state

    @with_callbacks
    def fit(self, X, y, sample_weight=None, groups=None):
        """Fit the energy function and learn beta.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            float32 stays float32, sparse stays sparse. Trees, experts and sums of them also take
            frames and text as they are.
        y : array-like of shape (n_samples,)
            At least two classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero. A row of weight 2 equals two rows, so that their sum counts
            the rows: where it is well below one, probabilities are nearly those of chance.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group stay together in the folds of ``cv``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data or a parameter are out of range. A fitted estimator stays as it was.
        """
        with self._keeping_fitted():
            energy, loss = self._resolved_components()
            check_flag("calibrate", self.calibrate)
            check_number("recall", self.recall, 0)
            check_number("recall", self.recall, 0, 1, closed=True)
            self._rejects()
            given = X, y
            X, y = self._validated(energy, X, y)
            check_classification_targets(y)
            weights = self._weights(X, y, sample_weight)
            answers = Labels.of(y)
            self.classes_ = answers.classes
            if len(np.unique(answers.target[weights > 0])) < 2:
                raise ValueError(
                    f"y must hold at least two classes with positive weight, got one class: "
                    f"{self.classes_.tolist()}."
                )
            self._check_reject_label()
            folds = self._known_folds(X, y, groups, answers, weights)
            with self._reporting(*given) as report:
                fitted = self._fit_component(energy, loss, X, answers, weights, folds, report)
                for name in ("calibration_energies_", "_calibration", "reject_threshold_"):
                    vars(self).pop(name, None)  # of an earlier fit
                vars(self).update(fitted.attributes)
            if not fitted.converged:
                self._warn_unconverged(fitted.n_iter)
            return self

    def _known_folds(self, X, y, groups, answers, weights):
        """The folds of the user, or None; all training parts have the classes that they test."""
        folds = self._folds(X, y, groups)
        if folds is None:
            return None
        rng = check_random_state(self.random_state)
        return answers.known_folds(folds, weights, rng, warns=True)

    def _rejects(self):
        """The threshold of rejection, or None."""
        if self.reject is None:
            return None
        threshold = resolve_threshold(self.reject, "reject")
        threshold.check()
        if threshold.needs_labels:
            raise ValueError(
                f"reject={self.reject!r} needs labelled anomalies. Use 'false_alarm', "
                "'contamination', 'mixture', a Level or a function of energies."
            )
        return threshold

    def _check_reject_label(self):
        if self.reject is None:
            return
        strings = all(isinstance(label, str) for label in self.classes_)
        known = isinstance(self.reject_label, str) == strings and self.reject_label in self.classes_
        if known or isinstance(self.reject_label, str) != strings:
            raise ValueError(
                "reject_label must be of the same kind as the classes, and none of them: "
                f"{self.classes_[:5].tolist()}, got {self.reject_label!r}."
            )

    def _calibrates(self):
        return super()._calibrates() or self.calibrate or self.reject is not None

    def _enough_held_out(self):
        uses_all = self.calibrate or self.reject is not None
        return np.inf if uses_all else super()._enough_held_out()

    def _learn_held_out(self, energy, objective, outputs):
        if self.beta == "auto":
            energy, outputs = energy.with_shares_of(objective, outputs)
        learned = super()._learn_held_out(energy, objective, outputs)
        learned["energy_"] = energy
        rejects = self._rejects()
        gibbs = Gibbs(Labels.arrange(outputs)[0], beta=learned["beta_"])
        target, weights = objective.answers.target, objective.weights
        if self.class_weight is not None:  # which is not how often the classes will come
            classes = objective.answers.classes[target]
            factors = compute_sample_weight(self.class_weight, classes)
            weights = weights / np.where(factors > 0, factors, 1)
        if self.calibrate:
            surprisals = -gibbs.log_probabilities[np.arange(len(target)), target]
            learned |= _calibration(surprisals, target, weights)
        if rejects is not None:
            learned["reject_threshold_"] = _reject_level(rejects, energy, gibbs, weights)
        return learned

    def conformalize(self, X, y, sample_weight=None):
        """Calibrate `predict_set` on rows that the classifier was not fitted on.

        The coverage then holds exactly, if new rows are exchangeable with these.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Of the classes seen in `fit`.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self
        """
        check_is_fitted(self)
        y, weights = column_or_1d(y), check_sample_weight(sample_weight, X)
        check_weighs(weights)
        check_consistent_length(X, y)
        if not np.isin(y, self.classes_).all():
            unknown = np.setdiff1d(y, self.classes_)[:5].tolist()
            raise ValueError(f"y must hold classes seen in fit, got {unknown}.")
        target = np.searchsorted(self.classes_, y)
        vars(self).update(_calibration(self._surprisals(X, target), target, weights))
        return self

    def _weights(self, X, y, sample_weight):
        weights = check_sample_weight(sample_weight, X)
        self._check_class_weight()
        if self.class_weight is not None:
            weights = weights * compute_sample_weight(self.class_weight, y)
        check_weighs(weights)
        largest = float(weights.max())  # of which products and inverses are finite
        check_number("The largest sample_weight", largest, 1e-100, 1e100, closed=True)
        return weights

    def _check_class_weight(self):
        given = self.class_weight
        if isinstance(given, dict):
            for label, weight in given.items():
                check_number(f"class_weight[{label!r}]", weight, 0, closed=True)
        elif given is not None and not (isinstance(given, str) and given == "balanced"):
            raise ValueError(
                "class_weight must be 'balanced', a dict of a number >= 0 for each class, or None, "
                f"got {given!r}."
            )

    @property
    def coef_(self):
        return self._linear("coef_").T

    @property
    def intercept_(self):
        return self._linear("intercept_")


def _calibration(surprisals, target, weights):
    """What prediction sets are made from: -log p of the correct answers, and whose they are."""
    return {"calibration_energies_": surprisals, "_calibration": (target, weights)}


def _reject_level(threshold, energy, gibbs, weights):
    """The level of energies of the inputs that a threshold learns.

    Where energies are -log p, most are nearly 0, so that all rows that a classifier is not sure of
    seem to stand apart. Their share is therefore estimated from the log odds of an error, and
    without the rows of the lowest odds, whose number says nothing about the others.
    """
    energies = _of_inputs(energy, gibbs)
    if not (energy.normalised and threshold.estimates_share):
        return threshold.fit(energies, weights).level_
    ascending = np.sort(gibbs.energies, axis=1)
    log_odds = ascending[:, 0] + logsumexp(-ascending[:, 1:], axis=1)
    unsure = (log_odds > log_odds.min() + _EQUAL_ODDS) & (weights > 0)
    if not unsure.any():
        return energies.max()
    return energies[log_odds <= threshold.fit(log_odds[unsure], weights[unsure]).level_].max()


def _of_inputs(energy, gibbs):
    """Energies of the inputs, which say whether any class fits."""
    return gibbs.energies.min(axis=1) if energy.normalised else gibbs.free_energy
