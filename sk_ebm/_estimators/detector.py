"""EnergyDetector: anomaly and label-error detection by energies and a learned threshold."""

from functools import partial
from numbers import Integral

import numpy as np
from scipy.special import expit
from sklearn.base import OutlierMixin, clone, is_classifier
from sklearn.callback import with_callbacks
from sklearn.model_selection import ShuffleSplit
from sklearn.utils import ClassifierTags, check_consistent_length, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sk_ebm._core.answers import PassthroughAnswers
from sk_ebm._core.classes import Labels
from sk_ebm._core.folds import DEFAULT_FOLDS, Folds
from sk_ebm._core.temperature import learn_beta
from sk_ebm._estimators.base import EnergyEstimator
from sk_ebm._estimators.default_detector import default_energy, leave_out_outliers
from sk_ebm._estimators.detector_threshold import detector_threshold
from sk_ebm._estimators.explaining import ExplainsDetection
from sk_ebm._estimators.few_labels import FewLabels
from sk_ebm._estimators.monitoring import finished_detector
from sk_ebm._estimators.p_values import PValues
from sk_ebm._estimators.pairs import (
    answers_of,
    check_known,
    held_out_pairs,
    known_pairs,
    pair_columns,
)
from sk_ebm._estimators.rejection import guarantee_of
from sk_ebm._estimators.row_labels import RowLabels, enough_rows
from sk_ebm._estimators.strata import Strata, check_strata
from sk_ebm._utils.estimators import row_blocks
from sk_ebm._utils.sklearn_private import check_sample_weight, count_rows, take_rows
from sk_ebm._utils.validation import check_choice, check_flag
from sk_ebm.energies import INPUT_ENERGIES, AnswerExpert, as_energy
from sk_ebm.energies._encoded import on_inputs
from sk_ebm.energies._fold_median import FoldMedian, fit_fold_median, needs_median, of_compatible
from sk_ebm.thresholds import TAILS, Reference

# More rows than twice this are not cross-fitted: so many are held out once, where labels are none.
_CALIBRATION_ROWS = 5_000  # a rate of .05 is then estimated to .003


def _detects_pairs(detector):
    if detector.labels != "answer":
        raise AttributeError("Pairs of inputs and answers need labels='answer'.")
    return True


class EnergyDetector(FewLabels, ExplainsDetection, OutlierMixin, PValues, EnergyEstimator):
    """Outlier and novelty detector: incompatible is what has an energy above a learned threshold.

    An energy E(x) of inputs is fitted, low where x is like the training rows, and a threshold is
    learned from energies of calibration rows. `predict` is +1 where the energy is at most the
    threshold, else -1, and scores are negative energies, as in scikit-learn's outlier detectors.

    Parameters
    ----------
    energy : "auto", {"gaussian", "mixture", "neighbors", "marginal", "forest"}, Energy, estimator \
            or list, default="auto"
        A density or outlier detector of scikit-learn can be given as it is. A list stands for the
        mean of the detectors' surprisals, -log of the share of compatible rows with at least this
        energy, estimated by cross-fitting (`SurvivalEnergy`, `SurvivalSum`). "auto" is "forest" and
        the mean distance to the 30 nearest of 1,000 rows for rows that may hold anomalies. With
        ``novelty=True`` it is the mean distance to the two nearest rows, once of normal scores and
        once of values; with ``threshold="mixture"``, which looks for gaps, it is "forest",
        "gaussian" and "mixture". With ``labels="anomaly"`` it is a `FewLabelsEnergy` of these
        three, which adds learners of the labels. With ``labels="answer"`` the energy must be a
        classifier or a conditional density.
    loss : str or Loss, default="nll"
        How energies and weights of a sum are trained with ``labels="anomaly"``: Table 1 of [1]_.
    threshold : {"auto", "contamination", "false_alarm", "f_score", "cost", "mixture"}, Threshold \
            or callable, default="auto"
        What separates compatible from incompatible. "false_alarm" bounds the share of flagged rows
        among new compatible ones by 0.05, for which it needs 19 held-out rows. "auto" is the same,
        and the largest held-out energy, with a warning and without a guarantee, where rows are
        fewer; with ``calibration=None`` it is ``Contamination(0.05)``. "contamination" flags a
        tenth of the training rows, counted on 20,000 of them, and guarantees nothing. "f_score" and
        "cost" need ``labels="anomaly"``;
        "mixture" estimates the share of anomalies. A callable computes a level from calibration
        energies (n,). Components have parameters: ``FalseAlarm(0.01, confidence=0.9)``,
        ``Contamination(0.01)``; ``Level(3.5)`` is a fixed level of energy. A bare number, which
        could be either, is refused.
    contamination : float, "auto" or None, default=None
        A share of rows in (0, 0.5] stands for ``threshold=Contamination(share)`` of the rows in
        `fit`, whatever ``threshold`` says; it guarantees nothing. "auto" and None leave
        ``threshold`` in force.
    labels : {None, "anomaly", "answer"}, default=None
        What y means. None ignores it. "anomaly": where y holds a -1, -1 is an anomaly, 1 a row
        known to be compatible and 0 an unknown one; else 1 or True is an anomaly and 0 or False is
        unknown, as in PyOD. One anomaly is enough, and the unknown rows may hold others. Where no
        row is known to be compatible, the unknown ones count as such in "f_score", "cost" and
        guarantees: false alarms are then at most as many as asked for, or fewer. "answer": what the
        supervised estimator ``energy`` predicts.
    novelty : bool, default=False
        Whether the training rows are known to be compatible; chooses what ``energy="auto"`` is.
    calibration : {"cv", "split"} or None, default="cv"
        Which energies thresholds and p-values are learned from. "cv": those of all rows, or of
        5,000 if there are more than 10,000, as if each had not been in the fit; guarantees hold
        approximately. A forest asks the trees that did not draw the row; Gaussians, mixtures and
        neighbors subtract it in closed form. Others, and all where ``cv`` or ``groups`` are given,
        are fitted on the other folds. With more columns than half the rows, where a row weighs
        much in the fit, the energy is the median of those of the folds. "split": those of 30 % of
        the rows, which the energy is not fitted on; guarantees hold exactly if these are
        compatible. None: no held-out energies, which allows "contamination" and fixed levels only.
    beta : float or "auto", default="auto"
        Inverse temperature of `predict_proba`, > 0. "auto" learns it from labels, or is one over
        the mean excess of the highest tenth of the calibration energies over the rest: then
        exp(-beta (E - threshold)) is how much rarer than at the threshold compatible rows get.
    alpha, l1_ratio, solver, max_iter, tol
        As in `EnergyClassifier`, for terms that are trained with ``labels="anomaly"``.
    cv : int, splitter or iterable, default=None
        Folds of calibration and of energies in nats; None means single rows, where an energy can
        leave them out without a refit, and else five shuffled folds.
    categorical_features : "auto", "from_dtype" or list, default="auto"
        Columns of categories, by name or index or as a mask. "auto", or "from_dtype": those that
        hold text or categories.
    n_jobs : int, default=None
        Processes that fit the folds, as in joblib.
    verbose : bool, default=False
        Whether to print a line after each iteration.
    random_state : int, RandomState instance or None, default=None

    Attributes
    ----------
    energy_ : Energy
    threshold_ : float
        Energy above which an input is incompatible.
    stratum_thresholds_ : dict
        The same of each stratum that has enough calibration rows, with ``strata`` in `fit`.
    pair_threshold_ : float
        The same for inputs with their answers; with ``labels="answer"``.
    offset_ : float
        ``-threshold_``: `decision_function` is `score_samples` minus it.
    beta_ : float
    guarantee_ : {"none", "approximate", "marginal", "confident"}
        What the threshold guarantees on new rows that are exchangeable with the calibration rows.
        "marginal": its rate holds on average over calibration sets; "confident": for all but a
        share 1 - confidence of them; "approximate": it was cross-fitted, or ``groups`` were given.
    calibration_energies_ : ndarray of shape (n_calibration,) or None
        Ascending, of compatible rows.
    n_iter_ : int
        Iterations of the term with most of them, 1 where no term is fitted iteratively.
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
    >>> detector = detector.fit(X[y == 0])
    >>> print(f"{(detector.predict(X[y == 2]) == -1).mean():.2f}")
    1.00
    """

    __metadata_request__predict = {"p_values": True}  # where metadata is routed
    _answer_kind = "inputs"

    def __init__(
        self,
        energy="auto",
        loss="nll",
        *,
        threshold="auto",
        contamination=None,
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
        categorical_features="auto",
        n_jobs=None,
        verbose=False,
        random_state=None,
    ):
        self.energy = energy
        self.loss = loss
        self.threshold = threshold
        self.contamination = contamination
        self.labels = labels
        self.novelty = novelty
        self.calibration = calibration
        self.beta = beta
        self.alpha, self.l1_ratio = alpha, l1_ratio
        self.cv = cv
        self.solver = solver
        self.max_iter, self.tol = max_iter, tol
        self.categorical_features = categorical_features
        self.n_jobs, self.verbose, self.random_state = n_jobs, verbose, random_state

    @with_callbacks
    def fit(self, X, y=None, sample_weight=None, groups=None, strata=None):
        """Fit the energy and learn threshold and beta.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            At least two rows. Experts also take frames as they are.
        y : array-like of shape (n_samples,), default=None
            Ignored, unless ``labels`` says what it means.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero; a weight of 2 stands for two rows. Experts must take them.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group stay together in folds and in what is held out.
        strata : array-like of shape (n_samples,), default=None
            Kinds of rows, as numbers or strings, whose false alarms are each to be bounded: each
            has a threshold and p-values of its own (Mondrian conformal prediction). Strata with
            too few calibration rows have the common ones, of which a warning tells.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data or a parameter are out of range, or too few rows remain to calibrate on.
            A fitted detector stays as it was.
        """
        with self._keeping_fitted():
            energy, loss, threshold = self._resolved_settings(y)
            given = X, y
            X, answers, labels = self._read(energy, X, y, groups, strata)
            weights = check_sample_weight(sample_weight, X)
            for term in energy.all_terms():
                term.check_weights(weights[weights > 0])
            rng = check_random_state(self.random_state)
            train, held_out = self._partition(threshold, labels, weights, groups, rng)
            tested = held_out if self.calibration == "split" else train
            threshold.check_rows(weights[tested] @ labels.compatible[tested])
            inputs, targets = take_rows(X, train), answers.take(train)
            train_groups = None if groups is None else np.asarray(groups)[train]
            folds = self._calibration_folds(targets, train_groups, rng)
            with self._reporting(*given, sample_weight) as report:
                training = self._training(
                    loss, targets, weights[train], folds, report, calibrates=True, rng=rng
                ).replace(leave_one_out=groups is None is self.cv)
                parts = self, inputs, training, threshold, labels.take(train)
                settings = self._monitored(training, report, partial(finished_detector, *parts))
                result = self._fitted(energy, inputs, settings)
                self.energy_, self.n_iter_ = result.energy, result.n_iter
                self._keep_held_out(X, weights, labels, train, held_out)
                self._keep_background(inputs, weights[train])
                every = np.union1d(train, held_out)
                held_out, energies = self._held_out(
                    result, training, inputs, train, (X, answers, held_out)
                )
                rows, levels_of = held_out, energies
                if threshold.in_sample:
                    rows = every[enough_rows(threshold, len(every), self.labels, rng)]
                    levels_of = self._all_energies(take_rows(X, rows), answers.take(rows))
                self._set_thresholds(threshold, levels_of, weights[rows], labels.take(rows))
                self._set_reference(energies, weights[held_out], labels.take(held_out))
            exact = self.calibration == "split" and groups is None
            self.guarantee_ = guarantee_of(self._threshold, exact)
            if not result.converged:
                self._warn_unconverged(result.n_iter)
            return self

    def _held_out(self, result, training, inputs, train, split):
        """Held-out rows whose answers are known, and their energies (m, c), or None."""
        X, answers, rows = split
        if self.calibration is None:
            return rows, None
        if self.calibration == "cv":
            samples, energies = self._cross_fitted_energies(result, inputs, training)
            return known_pairs(train[samples], energies)
        energies = self._all_energies(take_rows(X, rows), answers.take(rows), held_out_pairs)
        return known_pairs(rows, energies)

    def calibrate(self, X, y=None, sample_weight=None, strata=None):
        """Learn the threshold again, from compatible rows that the energy was not fitted on.

        The guarantee of the threshold then holds if new rows are exchangeable with these.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Correct answers, with ``labels="answer"``; else ignored.
        sample_weight : array-like of shape (n_samples,), default=None
        strata : array-like of shape (n_samples,), default=None
            As in `fit`; None is one stratum.

        Returns
        -------
        self
        """
        check_is_fitted(self)
        threshold = self._resolved_threshold()
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
            answers = PassthroughAnswers(answers_of(X, y))
            check_known(self.energy_, answers.target)
        weights = check_sample_weight(sample_weight, X)
        labels = RowLabels.all_compatible(len(weights))._replace(strata=check_strata(strata, X))
        energies = self._all_energies(X, answers)
        with self._keeping_fitted():
            self._set_thresholds(threshold, energies, weights, labels)
            self._set_reference(energies, weights, labels)
            self._calibration_rows = X, weights, labels
            self.guarantee_ = guarantee_of(self._threshold, exact=True)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags = ClassifierTags(multi_class=False)  # two columns of predict_proba
        return tags

    def _resolved_threshold(self):
        return detector_threshold(self.threshold, self.contamination, self.calibration)

    def _resolved_settings(self, y):
        """Energy, loss and threshold, after checking that they go together."""
        check_choice("labels", self.labels, (None, "anomaly", "answer"))
        check_flag("novelty", self.novelty)
        if self.labels is not None and y is None:
            raise ValueError(f"labels={self.labels!r} says what y means, but y is None.")
        energy, loss = self._resolved_components()
        threshold = self._resolved_threshold()
        if threshold.needs_labels and self.labels != "anomaly":
            raise ValueError(
                f"threshold={self.threshold!r} learns from labelled anomalies: it needs "
                f"labels='anomaly' and y, got labels={self.labels!r}."
            )
        self._check_calibration(threshold)
        return energy, loss, threshold

    def _check_calibration(self, threshold):
        check_choice("calibration", self.calibration, ("cv", "split", None))
        if self.calibration is None and not threshold.in_sample:
            raise ValueError(
                f"threshold={self.threshold!r} learns from held-out energies: it needs "
                "calibration='cv' or 'split', got None."
            )
        if self.calibration == "split" and not (self.cv is None or isinstance(self.cv, Integral)):
            raise ValueError(
                "calibration='split' holds rows out of the folds: cv must then be None or an "
                f"integer, got {self.cv!r}."
            )

    def _resolved_energy(self):
        if self.labels == "answer":
            return self._answer_expert()
        labelled = self.labels == "anomaly"
        is_auto = isinstance(self.energy, str) and self.energy == "auto"
        threshold = self._resolved_threshold()
        default = default_energy(self.labels, self.novelty, threshold.estimates_share)
        energy = default if is_auto else as_energy(self.energy)
        energy = clone(energy).as_detector(labelled)
        if not labelled:
            leave_out_outliers(energy, threshold)
        terms = [term for term in energy.all_terms() if "inputs" not in term.answers]
        if terms and not labelled:
            raise ValueError(
                f"{type(terms[0]).__name__} learns from labels only, got labels={self.labels!r}. "
                f"Use labels='anomaly', or an energy of inputs: {sorted(INPUT_ENERGIES)}, a "
                "density or an outlier detector."
            )
        return energy

    def _answer_expert(self):
        if isinstance(self.energy, str) or not hasattr(self.energy, "fit"):
            raise ValueError(
                "With labels='answer', energy must be a supervised estimator, such as "
                f"EnergyClassifier(), got {self.energy!r}."
            )
        return AnswerExpert(clone(self.energy))

    def _read(self, energy, X, y, groups, strata):
        """X, the answers that the energy learns from, and which rows are known to be what."""
        if self.labels is None:
            X, n_rows = self._validated(energy, X), count_rows(X)
            answers, labels = Labels(np.ones(n_rows, int), 2), RowLabels.all_compatible(n_rows)
        else:
            X, y = self._validated(energy, X, y)
            y = np.asarray(y)
            answers, labels = PassthroughAnswers(y), RowLabels.all_compatible(len(y))
        if count_rows(X) < 2:
            raise ValueError(f"X must have at least two rows, got {count_rows(X)} sample.")
        if self.labels == "anomaly":
            answers, labels = self._read_labels(y)
        check_consistent_length(X, groups)
        return X, answers, labels._replace(strata=check_strata(strata, X))

    def _partition(self, threshold, labels, weights, groups, rng):
        """Rows to fit the energy on, and rows held out for calibration="split".

        Rows of weight zero are left out, unless ``cv`` counts them.
        """
        counted = hasattr(self.cv, "__iter__")
        used = np.arange(len(weights)) if counted else np.flatnonzero(weights)
        labels, held_out = labels.take(used), used[:0]
        if self.calibration == "split":
            groups = None if groups is None else np.asarray(groups)[used]
            rows, held_out = labels.split(groups, rng, threshold.needs_labels)
            labels, used, held_out = labels.take(rows), used[rows], used[held_out]
        labels.check_enough()
        return used, held_out

    def _calibration_folds(self, answers, groups, rng):
        """The folds for calibration and for energies in nats, which know the classes they test."""
        if self.labels == "answer" and is_classifier(self.energy):
            answers = Labels.of(answers.target)
        folds, given = self._raw_folds(answers, groups, rng), not (groups is None is self.cv)
        few = self.labels == "anomaly" and np.count_nonzero(answers.target == 0) == 1
        known = None if few else answers.known_folds(folds, np.ones(len(answers)), rng, given)
        return known or folds

    def _raw_folds(self, answers, groups, rng):
        if groups is not None or not (self.cv is None or isinstance(self.cv, Integral)):
            return self._folds(np.zeros(len(answers)), answers.target, groups)
        if self.cv is None and self.labels is None and len(answers) > 2 * _CALIBRATION_ROWS:
            splitter = ShuffleSplit(1, test_size=_CALIBRATION_ROWS, random_state=rng)
            return Folds(tuple(splitter.split(answers.target)))
        return answers.folds(min(self.cv or DEFAULT_FOLDS, len(answers)), rng)

    def _fitted(self, energy, inputs, training):
        """The result of the fit. In wide tables, held-out energies go with those of new rows.

        Sums see to that for each of their terms.
        """
        energy = on_inputs(energy, inputs)
        alone = energy in energy.all_terms()
        if self.calibration != "cv" or not alone or not needs_median(energy, inputs, training):
            return energy.fit(inputs, training)
        return self._fit_fold_median(energy, inputs, training)

    def _fit_fold_median(self, energy, inputs, training):
        def energies(fitted, test):
            rows = take_rows(inputs, test)
            if self.labels == "answer":
                return held_out_pairs(fitted, rows, training.answers.take(test))
            return of_compatible(fitted(rows))

        return fit_fold_median(energy, inputs, training, training.folds, energies)

    def _cross_fitted_energies(self, result, inputs, training):
        """Samples and their energies (m, c), by energies that were not fitted on them."""
        if self.labels == "answer" and result.held_out is None:
            result = self._fit_fold_median(AnswerExpert(self.energy), inputs, training)
        if isinstance(result.energy, FoldMedian):
            return result.held_out
        samples, outputs = training.held_out_outputs(result, inputs)
        return samples, of_compatible(outputs)

    def _all_energies(self, X, answers, pairs=pair_columns):
        """Energies of inputs, and those of pairs beside them with labels="answer", (m, c)."""
        if self.labels == "answer":
            return pairs(self.energy_, X, answers)
        return self._input_energies(X)

    def _input_energies(self, X):
        """Energies of inputs (m, 1), in blocks of rows."""
        blocks = row_blocks(X, 4 * getattr(self, "n_features_in_", 1))
        return np.concatenate([of_compatible(self.energy_(take_rows(X, rows))) for rows in blocks])

    def _set_thresholds(self, threshold, energies, weights, labels):
        compatible = None
        if self.labels == "anomaly" and (threshold.needs_labels or threshold.guarantee):
            rows = labels.known
            energies, weights, labels = energies[rows], weights[rows], labels.take(rows)
            compatible = labels.compatible
        fitted = [clone(threshold).fit(e, weights, compatible) for e in energies.T]
        self._threshold, self.threshold_ = fitted[0], fitted[0].level_
        if fitted[0].guarantee is None and threshold.guarantee:
            threshold.warn_of_few(weights @ labels.compatible)
        self.offset_ = -self.threshold_
        self._strata = Strata(threshold).learn_levels(energies[:, 0], weights, labels)
        if self.labels == "answer":
            self.pair_threshold_ = fitted[1].level_
        else:
            vars(self).pop("pair_threshold_", None)

    def _set_reference(self, energies, weights, labels):
        """What p-values and beta are learned from: held-out energies, or nothing."""
        self.beta_ = 1.0 if self.beta == "auto" else float(self.beta)
        self.calibration_energies_ = None
        if energies is None:
            return
        rows = labels.compatible
        self._references = [Reference(e, weights[rows]) for e in energies[rows].T]
        self._strata.learn_references(energies[rows, 0], weights[rows], labels.take(rows))
        self.calibration_energies_ = self._references[0].energies
        if self.beta == "auto" and labels.anomalous.any():
            rows = labels.known
            both = np.stack([np.full(rows.sum(), self.threshold_), energies[rows, 0]], axis=1)
            target = labels.compatible[rows].astype(int)
            self.beta_ = float(learn_beta(both, target, weights[rows]))
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
        return self._input_energies(X)[:, 0]

    def score_samples(self, X):
        """Negative energies, (n_samples,)."""
        return -self.energies(X)

    def decision_function(self, X, strata=None):
        """`score_samples` minus `offset_`, the threshold minus the energy; negative for anomalies.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        strata : array-like of shape (n_samples,), default=None
            As in `fit`: the threshold is then that of the row's stratum. That of all rows is used
            for None and, with a warning, in strata that had too few calibration rows, or none.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
        """
        strata = check_strata(strata, X)
        scores = self.score_samples(X)
        if strata is None:
            return scores - self.offset_
        return scores + self._strata.levels_of(strata, self.threshold_)

    def predict(self, X, strata=None, *, p_values=False):
        """+1 for compatible inputs, -1 for others.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        strata : array-like of shape (n_samples,), default=None
            As in `decision_function`.
        p_values : bool, default=False
            Whether to return `p_values` as well. Pipelines hand it on.

        Returns
        -------
        y : ndarray of int, shape (n_samples,)
            With ``p_values``, (y, p_values), both of this shape.
        """
        check_flag("p_values", p_values)
        labels = np.where(self.decision_function(X, strata) >= 0, 1, -1)
        return (labels, self.p_values(X, strata=strata)) if p_values else labels

    def fit_predict(self, X, y=None, **fit_params):
        """Fit, and predict the same rows.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
        **fit_params
            Arguments of `fit`; ``strata`` are those of the prediction, too.

        Returns
        -------
        y : ndarray of int, shape (n_samples,)
        """
        return self.fit(X, y, **fit_params).predict(X, fit_params.get("strata"))

    def predict_proba(self, X, strata=None):
        """Gibbs probabilities of incompatible and compatible, one half each at the threshold.

        1 / (1 + exp(beta (E - threshold))) for compatible.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        strata : array-like of shape (n_samples,), default=None
            As in `decision_function`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, 2)
        """
        with np.errstate(over="ignore"):  # infinite log odds are probabilities of 0 and 1
            decision = self.decision_function(X, strata) * self.beta_
        return np.stack([expit(-decision), expit(decision)], axis=1)

    @available_if(_detects_pairs)
    def add_classes(self, X, y, sample_weight=None):
        """Add answers without a refit, as `EnergyClassifier.add_classes` does; thresholds stay.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            A few rows of each new class.
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self
        """
        check_is_fitted(self)
        X = self._validated(self.energy_, X, reset=False)
        self.energy_ = self.energy_.with_classes(X, y, sample_weight)
        return self

    @available_if(_detects_pairs)
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
        X = self._validated(self.energy_, X, reset=False)
        return self.energy_.of_pairs(X, answers_of(X, y))

    @available_if(_detects_pairs)
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

    @available_if(_detects_pairs)
    def pair_p_values(self, X, y, tail=None):
        """As `p_values`, of inputs with their answers.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        tail : {None, "exponential"}, default=None

        Returns
        -------
        p_values : ndarray of shape (n_samples,)
        """
        check_choice("tail", tail, TAILS)
        energies = self.pair_energies(X, y)
        return self._reference(1).p_values(energies, tail)
