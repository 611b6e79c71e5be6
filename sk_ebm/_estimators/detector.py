"""EnergyDetector: is an input, or an input with its answer, compatible with what was seen?"""

from importlib.util import find_spec
from numbers import Integral

import numpy as np
from scipy.special import expit
from scipy.stats import false_discovery_control
from sklearn.base import OutlierMixin, clone, is_classifier
from sklearn.callback import with_callbacks
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import (
    ClassifierTags,
    check_consistent_length,
    check_random_state,
    column_or_1d,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sk_ebm._core.answers import PassthroughAnswers
from sk_ebm._core.classes import Labels
from sk_ebm._core.temperature import learn_beta
from sk_ebm._estimators.base import EnergyEstimator, out_of_sample
from sk_ebm._utils.estimators import keep_fitted, row_blocks
from sk_ebm._utils.sklearn_private import check_sample_weight, count_rows, take_rows
from sk_ebm._utils.validation import check_number, check_weighs
from sk_ebm.energies import (
    INPUT_ENERGIES,
    AnswerExpert,
    ForestEnergy,
    GaussianEnergy,
    MixtureEnergy,
    NeighborsEnergy,
    SumEnergy,
    SurvivalSum,
    as_energy,
)
from sk_ebm.thresholds import Reference, resolve_threshold

# More rows than twice this are not cross-fitted: so many are held out once, where labels are none.
_CALIBRATION_ROWS = 5_000
# Of the rows, what calibration="split" holds out.
_HELD_OUT = 0.3


def _judges_pairs(detector):
    if detector.labels != "answer":
        raise AttributeError("Pairs of inputs and answers are judged with labels='answer'.")
    return True


class EnergyDetector(OutlierMixin, EnergyEstimator):
    """Detect what is not compatible: its energy exceeds a learned threshold.

    An energy E(x) of inputs is fitted, low where x is like the training rows, and a threshold is
    learned from energies of calibration rows. `predict` is +1 where the energy is at most the
    threshold, else -1, and scores are negative energies, as in scikit-learn's outlier detectors.

    Parameters
    ----------
    energy : "auto", {"gaussian", "mixture", "neighbors", "marginal", "forest"}, Energy, estimator \
            or list, default="auto"
        A density or outlier detector of scikit-learn stands for an expert, a list for the mean of
        energies in nats: each by how few compatible rows have as much, cross-fitted
        (`SurvivalEnergy`, `SurvivalSum`). "auto" is "forest", "gaussian" and "mixture" for rows
        that may hold anomalies; with ``novelty=True`` thrice "neighbors" (the distance to the
        two nearest rows, whitened) and "mixture"; with ``labels="anomaly"`` all of these with
        "linear" and, where LightGBM is installed, "trees", their weights learned from the labels.
        With ``labels="answer"``, a classifier or a conditional density.
    loss : str or Loss, default="nll"
        How energies and weights of a sum are trained with ``labels="anomaly"``: Table 1 of [1]_.
    threshold : {"auto", "contamination", "false_alarm", "f_score", "cost", "mixture"}, Threshold, \
            float or callable, default="auto"
        What separates compatible from incompatible. "contamination" flags a tenth of the training
        rows and promises nothing; "auto" is this, or "false_alarm" with ``novelty=True``, where
        training rows are nearer to themselves than others are; "false_alarm" bounds the share of
        flagged rows among new compatible ones, 0.05; "f_score" and "cost" need
        ``labels="anomaly"``; "mixture" finds two components in the energies. A float is a level of
        energy, a callable gives one from calibration energies (n,). Components such as
        ``FalseAlarm(0.01, confidence=0.9)`` have parameters.
    labels : {None, "anomaly", "answer"}, default=None
        What y means. None ignores it. "anomaly": +1 compatible, -1 not, 0 unknown, which counts
        as compatible in training. "answer": what the supervised estimator ``energy`` predicts.
    novelty : bool, default=False
        Whether the training rows are known to be compatible; chooses what "auto" is.
    calibration : {"cv", "split"} or None, default="cv"
        Which energies thresholds and p-values are learned from. "cv": of each row, by an energy
        fitted on the other folds (of 5,000 rows, by one fitted on all others, if there are more
        than twice as many); uses all rows, and promises hold approximately. "split": of 0.3 of the
        rows, which the energy is not fitted on; promises hold exactly if these are compatible.
        None: only "contamination" and fixed levels then.
    beta : float or "auto", default="auto"
        Inverse temperature of `predict_proba`, > 0. "auto" learns it from labels, or is one over
        the mean excess of the highest tenth of the calibration energies over the rest: then
        exp(-beta (E - threshold)) is how much rarer than at the threshold compatible rows get.
    alpha, l1_ratio, solver, max_iter, tol
        As in `EnergyClassifier`, for terms that are trained with ``labels="anomaly"``.
    cv : int, splitter or iterable, default=None
        Folds of calibration and of energies in nats; None means five shuffled ones.
    n_jobs : int, default=None
        Processes that fit the folds, as in joblib.
    random_state : int, RandomState instance or None, default=None

    Attributes
    ----------
    energy_ : Energy
    threshold_ : float
        Energy above which an input is incompatible.
    pair_threshold_ : float
        The same for inputs with their answers; with ``labels="answer"``.
    offset_ : float
        ``-threshold_``: `decision_function` is `score_samples` minus it.
    beta_ : float
    guarantee_ : {"none", "approximate", "marginal", "confident"}
        Of the threshold on new rows that are exchangeable with the calibration rows. "marginal":
        its rate holds on average over calibration sets, "confident": for all but a share
        1 - confidence of them; "approximate": it was cross-fitted, or rows came in ``groups``.
    calibration_energies_ : ndarray of shape (n_calibration,) or None
        Ascending, of compatible rows.
    n_iter_ : int
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)

    References
    ----------
    .. [1] LeCun, Chopra, Hadsell, Ranzato and Huang, "A Tutorial on Energy-Based Learning", 2006.
    .. [2] Liu, Wang, Owens and Li, "Energy-based out-of-distribution detection", 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sk_ebm import EnergyDetector
    >>> X, y = load_wine(return_X_y=True)
    >>> detector = EnergyDetector(novelty=True, random_state=0)
    >>> detector.fit(X[y == 0]).predict(X[y == 2]).tolist() == [-1] * 48
    True
    """

    def __init__(
        self,
        energy="auto",
        loss="nll",
        *,
        threshold="auto",
        labels=None,
        novelty=False,
        calibration="cv",
        beta="auto",
        alpha="auto",
        l1_ratio=0.0,
        cv=None,
        solver="auto",
        max_iter=1000,
        tol=1e-7,
        n_jobs=None,
        random_state=None,
    ):
        self.energy = energy
        self.loss = loss
        self.threshold = threshold
        self.labels = labels
        self.novelty = novelty
        self.calibration = calibration
        self.beta = beta
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.cv = cv
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.random_state = random_state

    @with_callbacks
    def fit(self, X, y=None, sample_weight=None, groups=None):
        """Fit the energy and learn threshold and beta.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            At least two rows. Experts also take frames as they are.
        y : array-like of shape (n_samples,), default=None
            Ignored, unless ``labels`` says what it means.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero. Every term of the energy must take weights, as "forest",
            "linear" and "trees" do.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group stay together in folds and in what is held out.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data or a parameter are out of range, or too few rows are left to calibrate on.
            A fitted detector stays as it was.
        """
        with keep_fitted(self):
            energy, loss, threshold = self._settings(y)
            X, answers, known = self._named(energy, X, y)
            check_consistent_length(X, groups)
            weights = check_sample_weight(sample_weight, X)
            check_weighs(weights)
            rng = check_random_state(self.random_state)
            train, held_out = self._parts(known, groups, rng)
            inputs, part = take_rows(X, train), answers.take(train)
            splits = self._folds(part, None if groups is None else np.asarray(groups)[train], rng)
            with self._reporting(X, y) as report:
                objective, _ = self._descend(
                    energy, loss, inputs, part, weights[train], splits, report, rng, True
                )
            self.energy_, self.n_iter_ = energy, objective.n_iter
            if not objective.converged:
                self._warn_unconverged(objective.n_iter)
            unseen = None
            if self.calibration == "cv":
                samples, unseen = self._cross_fitted(inputs, objective, rng)
                held_out = train[samples]
            elif self.calibration == "split":
                unseen = self._columns(energy, take_rows(X, held_out), answers.take(held_out))
            seen = self._columns(energy, inputs, part) if threshold.in_sample else None
            rows, energies = (train, seen) if threshold.in_sample else (held_out, unseen)
            self._set_thresholds(threshold, energies, weights[rows], known[rows])
            self._set_reference(unseen, weights[held_out], known[held_out])
            exact = self.calibration == "split" and groups is None
            self.guarantee_ = _guarantee(threshold, exact)
            return self

    def calibrate(self, X, y=None, sample_weight=None):
        """Learn the threshold again, from compatible rows that the energy was not fitted on.

        What the threshold promises then holds, if new rows are exchangeable with these.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Correct answers, with ``labels="answer"``; else ignored.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self
        """
        check_is_fitted(self)
        threshold = self._threshold()
        if threshold.needs_labels:
            raise ValueError(
                f"threshold={self.threshold!r} learns from anomalies, too; calibrate takes "
                "compatible rows only. Use threshold='false_alarm'."
            )
        if self.labels == "answer" and y is None:
            raise ValueError("With labels='answer', calibrate needs the answers y, got None.")
        X = self._validated(self.energy_, X, reset=False)
        answers = None
        if self.labels == "answer":
            answers = PassthroughAnswers(column_or_1d(y))
            check_consistent_length(X, answers.target)
        weights = check_sample_weight(sample_weight, X)
        check_weighs(weights)
        energies = self._columns(self.energy_, X, answers)
        known = np.ones(len(energies), dtype=int)
        with keep_fitted(self):
            self._set_thresholds(threshold, energies, weights, known)
            self._set_reference(energies, weights, known)
            self.guarantee_ = _guarantee(threshold, exact=True)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags = ClassifierTags(multi_class=False)  # two columns of predict_proba
        return tags

    def _threshold(self):
        value = self.threshold
        if isinstance(value, str) and value == "auto":
            value = "false_alarm" if self.novelty else "contamination"
        threshold = resolve_threshold(value)
        threshold.check()
        return threshold

    def _settings(self, y):
        """Energy, loss and threshold, after checking that they go together."""
        if self.labels not in (None, "anomaly", "answer"):
            raise ValueError(f"labels must be None, 'anomaly' or 'answer', got {self.labels!r}.")
        if self.calibration not in ("cv", "split", None):
            raise ValueError(
                f"calibration must be 'cv', 'split' or None, got {self.calibration!r}."
            )
        if self.labels is not None and y is None:
            raise ValueError(f"labels={self.labels!r} says what y means, but y is None.")
        energy, loss = self._components()
        threshold = self._threshold()
        if threshold.needs_labels and self.labels != "anomaly":
            raise ValueError(
                f"threshold={self.threshold!r} learns from labelled anomalies: it needs "
                f"labels='anomaly' and y, got labels={self.labels!r}."
            )
        if self.calibration is None and not threshold.in_sample:
            raise ValueError(
                f"threshold={self.threshold!r} learns from energies out of sample: it needs "
                "calibration='cv' or 'split', got None."
            )
        if self.calibration == "split" and not (self.cv is None or isinstance(self.cv, Integral)):
            raise ValueError(
                f"calibration='split' leaves rows out of the folds: cv must be None or an "
                f"integer then, got {self.cv!r}."
            )
        return energy, loss, threshold

    def _resolved_energy(self):
        if self.labels == "answer":
            if isinstance(self.energy, str) or not hasattr(self.energy, "fit"):
                raise ValueError(
                    "With labels='answer', energy must be a supervised estimator, such as "
                    f"EnergyClassifier(), got {self.energy!r}."
                )
            return AnswerExpert(clone(self.energy))
        labelled = self.labels == "anomaly"
        energy = self._auto() if isinstance(self.energy, str) and self.energy == "auto" else None
        energy = clone(as_energy(self.energy) if energy is None else energy).for_inputs(labelled)
        trained = [type(part).__name__ for part in energy.parts() if not part.of_inputs]
        if trained and not labelled:
            raise ValueError(
                f"{trained[0]} learns from labels only, got labels={self.labels!r}. Use "
                f"labels='anomaly', or an energy of inputs: {sorted(INPUT_ENERGIES)}, a density or "
                "an outlier detector."
            )
        return energy

    def _auto(self):
        local = ("neighbors", NeighborsEnergy(n_neighbors=2, whiten=True))
        mixture = ("mixture", MixtureEnergy())
        spread = [("forest", ForestEnergy()), ("gaussian", GaussianEnergy()), mixture]
        if self.labels == "anomaly":
            trained = ["linear", "trees"] if find_spec("lightgbm") else ["linear"]
            return SumEnergy([*spread, local, *((name, as_energy(name)) for name in trained)])
        if self.novelty:
            return SurvivalSum([local, mixture], weights=[3, 1])
        return SurvivalSum(spread)

    def _named(self, energy, X, y):
        """X, the answers, and of each row whether it is compatible: 1, 0, or -1 if unknown."""
        if self.labels is None:
            X = self._validated(energy, X)
            target = np.ones(count_rows(X), dtype=int)
            answers, known = Labels(target, 2), target
        else:
            X, y = self._validated(energy, X, y)
            y = np.asarray(y)
            answers, known = PassthroughAnswers(y), np.ones(len(y), dtype=int)
        if count_rows(X) < 2:
            raise ValueError(f"X must have at least two rows, got {count_rows(X)} sample.")
        if self.labels != "anomaly":
            return X, answers, known
        if not np.isin(y, (-1, 0, 1)).all():
            raise ValueError(
                "With labels='anomaly', y must be 1 (compatible), -1 (not) or 0 (unknown), got "
                f"{np.unique(y)[:5].tolist()}."
            )
        if not (0 < np.sum(y == -1) < len(y)):
            raise ValueError(
                "With labels='anomaly', y must hold -1 (anomalies) and 1 or 0 (others), got "
                f"{np.unique(y).tolist()}. Without labelled anomalies, use labels=None."
            )
        known = np.where(y == -1, 0, np.where(y == 1, 1, -1))
        if not (y == 1).any():
            known = (y == 0).astype(int)
        return X, Labels((y != -1).astype(int), 2), known

    def _parts(self, known, groups, rng):
        """Rows to fit the energy on, and rows held out for calibration="split"."""
        if self.calibration != "split":
            return np.arange(len(known)), np.arange(0)
        kind = ShuffleSplit if groups is None else GroupShuffleSplit
        if groups is None and np.unique(known, return_counts=True)[1].min() > 3:
            kind = StratifiedShuffleSplit
        parts = kind(1, test_size=_HELD_OUT, random_state=rng)
        train, held_out = next(parts.split(np.zeros(len(known)), known, groups))
        if len(train) < 2:
            raise ValueError(
                f"calibration='split' leaves {len(train)} of {len(known)} rows to fit on, but two "
                "are needed."
            )
        return train, held_out

    def _folds(self, answers, groups, rng):
        """The samples of the folds for calibration and for energies in nats."""
        if groups is not None or not (self.cv is None or isinstance(self.cv, Integral)):
            return self._splits(np.zeros(len(answers)), answers.target, groups)
        n_splits = min(self.cv or 5, len(answers))
        if self.labels == "answer" and is_classifier(self.energy):
            answers = Labels(np.unique(answers.target, return_inverse=True)[1], 0)
        elif self.cv is None and self.labels is None and len(answers) > 2 * _CALIBRATION_ROWS:
            parts = ShuffleSplit(1, test_size=_CALIBRATION_ROWS, random_state=rng)
            return list(parts.split(answers.target))
        return answers.splits(n_splits, rng)

    def _cross_fitted(self, inputs, objective, rng):
        """Samples and their energies (m, c), by energies that were not fitted on them."""
        if self.labels != "answer":
            samples, outputs = out_of_sample(self.energy_, inputs, objective, rng)
            return samples, _of_compatible(outputs)
        parts = []
        for train, test in objective.splits:
            fold = clone(self.energy_).fit(take_rows(inputs, train), objective.take(train), rng)
            answers = objective.answers.take(test)
            parts.append(self._columns(fold, take_rows(inputs, test), answers))
        return np.concatenate([test for _, test in objective.splits]), np.concatenate(parts)

    def _columns(self, energy, X, answers):
        """Energies of inputs, and those of pairs beside them with labels="answer", (m, c)."""
        blocks = [_of_compatible(energy(take_rows(X, rows))) for rows in self._blocks(X)]
        energies = np.concatenate(blocks)
        if self.labels == "answer":
            energies = np.column_stack([energies, energy.of_pairs(X, answers.target)])
        return energies

    def _blocks(self, X):
        return row_blocks(X, 4 * getattr(self, "n_features_in_", 1))

    def _set_thresholds(self, threshold, energies, weights, known):
        by_labels = self.labels == "anomaly" and (threshold.needs_labels or threshold.guarantee)
        judged = known >= (0 if by_labels else -1)
        compatible = known[judged] == 1 if by_labels else None
        levels = []
        for column in energies[judged].T:
            levels.append(clone(threshold).fit(column, weights[judged], compatible).level_)
        self.threshold_ = levels[0]
        self.offset_ = -self.threshold_
        if self.labels == "answer":
            self.pair_threshold_ = levels[1]
        else:
            vars(self).pop("pair_threshold_", None)

    def _set_reference(self, energies, weights, known):
        """What p-values and beta are learned from: energies out of sample, or nothing."""
        self.beta_ = 1.0 if self.beta == "auto" else float(self.beta)
        self.calibration_energies_ = None
        if energies is None:
            return
        compatible = known == 1
        self._references = [Reference(e, weights[compatible]) for e in energies[compatible].T]
        self.calibration_energies_ = self._references[0].energies
        if self.beta == "auto" and (known == 0).any():
            judged = known >= 0
            both = np.stack([np.full(judged.sum(), self.threshold_), energies[judged, 0]], axis=1)
            self.beta_ = float(learn_beta(both, known[judged], weights[judged], None))
        elif self.beta == "auto":
            self.beta_ = self._references[0].beta()

    def energies(self, X):
        """Energies of inputs, low where they are like the training rows.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        energies : ndarray of shape (n_samples,)
            In nats for a sum, else in the unit of the energy.
        """
        check_is_fitted(self)
        X = self._validated(self.energy_, X, reset=False)
        blocks = [_of_compatible(self.energy_(take_rows(X, rows))) for rows in self._blocks(X)]
        return np.concatenate(blocks)[:, 0]

    def score_samples(self, X):
        """Negative energies, (n_samples,)."""
        return -self.energies(X)

    def decision_function(self, X):
        """`score_samples` minus `offset_`, the threshold minus the energy; negative for anomalies.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        decision : ndarray of shape (n_samples,)
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """+1 for compatible inputs, -1 for others.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of int, shape (n_samples,)
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def fit_predict(self, X, y=None, **fit_params):
        """Fit, and predict the same rows.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
        **fit_params
            Arguments of `fit`.

        Returns
        -------
        y : ndarray of int, shape (n_samples,)
        """
        return self.fit(X, y, **fit_params).predict(X)

    def predict_proba(self, X):
        """Gibbs probabilities of incompatible and compatible, one half each at the threshold.

        1 / (1 + exp(beta (E - threshold))) for compatible.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, 2)
        """
        decision = self.decision_function(X) * self.beta_
        return np.stack([expit(-decision), expit(decision)], axis=1)

    def p_values(self, X):
        """(1 + #{calibration energies >= E(x)}) / (1 + n): small for anomalies.

        For compatible rows that are exchangeable with the calibration rows, a p-value is at
        most u with probability at most u.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)

        Returns
        -------
        p_values : ndarray of shape (n_samples,)
        """
        energies = self.energies(X)
        return self._reference(0).p_values(energies)

    def select(self, X, false_discovery_rate=0.1):
        """Which rows are anomalies, such that few of those named are not.

        Benjamini and Hochberg's procedure on the p-values of these rows, which judges the
        rows together (Bates et al., "Testing for outliers with conformal p-values", 2023).

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        false_discovery_rate : float, default=0.1
            Bound on the expected share of compatible rows among those selected, in (0, 1).

        Returns
        -------
        selected : ndarray of bool, shape (n_samples,)
        """
        check_number("false_discovery_rate", false_discovery_rate, 0, 1)
        return false_discovery_control(self.p_values(X)) <= false_discovery_rate

    @available_if(_judges_pairs)
    def pair_energies(self, X, y):
        """Energies -log p(y given x) of inputs with their answers, in nats.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)

        Returns
        -------
        energies : ndarray of shape (n_samples,)
        """
        check_is_fitted(self)
        X, y = self._validated(self.energy_, X, reset=False), column_or_1d(y)
        check_consistent_length(X, y)
        return self.energy_.of_pairs(X, y)

    @available_if(_judges_pairs)
    def predict_pairs(self, X, y):
        """+1 where the answer is compatible with the input, -1 elsewhere: likely label errors.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)

        Returns
        -------
        compatible : ndarray of int, shape (n_samples,)
        """
        return np.where(self.pair_energies(X, y) <= self.pair_threshold_, 1, -1)

    @available_if(_judges_pairs)
    def pair_p_values(self, X, y):
        """As `p_values`, of inputs with their answers.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)

        Returns
        -------
        p_values : ndarray of shape (n_samples,)
        """
        energies = self.pair_energies(X, y)
        return self._reference(1).p_values(energies)

    def _reference(self, column):
        if self.calibration_energies_ is None:
            raise ValueError(
                "p-values compare with calibration energies, and calibration=None left none: use "
                "calibration='cv' or 'split', or call calibrate(X)."
            )
        return self._references[column]


def _of_compatible(outputs):
    """Energies (m, 1) that are low for compatible inputs: E(compatible) - E(not), or E(x)."""
    return outputs[:, :1] - outputs[:, 1:] if outputs.shape[1] == 2 else -outputs


def _guarantee(threshold, exact):
    if threshold.guarantee is None:
        return "none"
    return threshold.guarantee if exact else "approximate"
