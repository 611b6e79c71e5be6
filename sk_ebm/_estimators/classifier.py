"""EnergyClassifier: classification by energies."""

from contextlib import suppress

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.callback import with_callbacks
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from sk_ebm._core.class_index import MOST_ROWS
from sk_ebm._core.classes import positions
from sk_ebm._core.hierarchy import check_parents, labels_of
from sk_ebm._core.label_schemes import check_constraints
from sk_ebm._core.sampled import candidates_of, check_candidates
from sk_ebm._estimators import new_classes
from sk_ebm._estimators.base import EnergyEstimator
from sk_ebm._estimators.class_inference import ClassInference
from sk_ebm._estimators.class_weights import unbalanced, weights_of
from sk_ebm._estimators.explaining import Explains
from sk_ebm._estimators.given_sequences import has_sequences
from sk_ebm._estimators.label_sets import (
    check_label_options,
    fit_label_sets,
    is_indicator,
    takes_label_sets,
)
from sk_ebm._estimators.rejection import (
    HeldOut,
    check_calibrate,
    guarantee_of,
    keeps_energies,
    some_of,
)
from sk_ebm._estimators.sequences import (
    TRANSITIONS,
    check_sequence_parameters,
    fit_sequences,
)
from sk_ebm._estimators.structures import by_structure, check_no_sequences
from sk_ebm._tables.class_features import read_class_features
from sk_ebm._tables.sequences import check_same_form
from sk_ebm._utils.fit_arguments import many_classes_expected
from sk_ebm._utils.sklearn_private import check_sample_weight, take_rows
from sk_ebm._utils.validation import check_choice, check_largest_weight
from sk_ebm._utils.warnings import warn_user
from sk_ebm.thresholds import FalseAlarm, resolve_threshold

# Held-out rows whose classes have other rows, where some have none: beta's standard error is then
# about a quarter of it, and a false-alarm rate of .05 needs 19.
_FEWEST_HELD_OUT = 20


class EnergyClassifier(Explains, ClassInference, ClassifierMixin, EnergyEstimator):
    """Classifier that predicts the class of least energy E(x, y).

    An energy function is fitted to minimise the mean loss of the energies of all classes plus a
    penalty R(W) = alpha (l1_ratio |W|_1 + (1 - l1_ratio)/2 |W|^2) on its weights. Probabilities are
    those of the Gibbs distribution, p(y given x) = exp(-beta E(x, y)) / sum_y' exp(-beta E(x, y')).
    Its beta is learned on held-out samples, so that probabilities are calibrated whatever the loss
    and the penalty. Inference over the classes is exact, up to rounding (see ``recall``).

    Where y is an indicator matrix (n_samples, n_labels) of 0 and 1, answers are sets of labels,
    whose energy is the sum of those of the labels in the set, and of pairs of labels along a tree
    (Chow and Liu, 1968). `predict` is then the set of least energy, (n_samples, n_labels),
    `predict_proba` the probability of each label to be in the set, `decision_function` its log
    odds; `energies` and `predict_joint_proba` take sets as a second argument, and `top_k` returns
    sets (n_samples, k, n_labels), energies and probabilities. Inference over all sets is exact.

    Where X is a list of sequences, or `fit` is told the sequence of each row, answers are label
    sequences, whose energy is the sum of those of the labels and of the transitions between
    neighbours. `predict` then finds the sequence of least energy by Viterbi's algorithm,
    `predict_proba` the probabilities of the labels of each position, `predict_sequence_proba` that
    of whole sequences, and `energies` takes label sequences as a second argument. Methods return a
    list with an array for each sequence, or flat rows, as X is given. Inference is exact.

    Parameters
    ----------
    energy : {"linear", "kernel", "mlp", "prototype", "trees", "embedding"}, Energy, estimator or \
            list, default="linear"
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
    calibrate : "auto" or bool, default="auto"
        Whether to keep held-out energies of the correct answers, for `predict_set` [3]_. "auto"
        keeps those of up to 10,000 rows that ``beta="auto"`` is learned from, or those of
        ``reject``; True computes them for all rows, and where beta is a number.
    reject : {"contamination", "false_alarm", "mixture"}, Threshold or callable, default=None
        A threshold on `input_energies`, learned on held-out samples: `predict` returns
        ``reject_label`` for inputs above it, which no class fits. ``Level(3.5)`` is a fixed level,
        ``FalseAlarm(0.01)`` a share; a bare number is refused. None: every input gets a class.
    reject_label : object, default=-1
        Not one of the classes.
    negatives : "auto", "all" or int, default="auto"
        How many incorrect classes a mini-batch draws as candidates, for energies that can compute
        the outputs of some classes: "linear", "mlp", "embedding". "auto" takes all classes where
        there are at most 1,000, or where the energy or the solver needs all, and draws 512 of more
        classes. Then mini-batch Adam trains the energy, from class means where it is linear, and
        about 1,000 rows are held out, on which the nearest classes and a sample of the others
        stand for all.
    proposal : {"frequency", "uniform", "hardest"}, default="frequency"
        How candidates are drawn: by how frequent the classes are, with equal probabilities, or half
        of them as the classes nearest to the correct ones.
    recall : float, default=0.95
        Least share of the best classes that `predict` and `top_k` find, in (0, 1], where there are
        more than 1,000 classes and the energy has a vector for each: "linear", "kernel", "mlp",
        "embedding". Below 1, and from 50,000 classes on, an index (extra ``index``: faiss) finds
        the best ten or fewer, if it finds such a share of the ten best of held-out rows; then the
        argmin is approximate, and so are sums over the classes, in probabilities and free energies,
        in which 4,096 classes stand for most. Else all classes are looked at, in blocks, the best
        are always found, and only these sums are of single precision. 1 means double precision
        throughout.
    parents : mapping, default=None
        The parent of each class or inner node of a hierarchy; what has none, or None, is a root,
        and so is a class that is not named. The energy of a class is then the sum of the energies
        of the nodes on its path, so that classes of few rows share what they have in common. For
        energies that can have any number of outputs: "linear", "kernel", "mlp", "trees", and sums
        of these.
    transitions : {"constant", "input", "none"}, default="constant"
        Of label sequences: whether the energy of two neighbouring labels is a constant of each
        pair, or linear in the inputs of the later one (energies "linear" and "kernel"), or zero,
        so that positions are independent.
    constraints : {"bio", "iobes"}, list of pairs or None, default=None
        Of label sequences: which transitions cannot be. "bio" and "iobes" are those of tags of
        entities, such as "I-PER" after "O"; pairs are (label, next label).
    n_jobs : int, default=None
        Processes that fit the folds, as in joblib.
    random_state : int, RandomState instance or None, default=None
        Draws folds, landmarks, initial weights and mini-batches.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Of label sets, the columns of y.
    energy_ : Energy
        The fitted energy function.
    beta_ : float
        Inverse temperature of the Gibbs distribution.
    inference_ : dict
        How classes are searched, ``method`` ("exact" or "index") and ``recall``, the share of the
        ten best classes of held-out rows that is found; and how the fit drew them, ``negatives``
        (their number or "all") and ``proposal``.
    n_iter_ : int
        Iterations of the final fit; of a sum, of the term with most of them.
    loss_curve_ : list of float
        Objective after each of them (held-out loss for "mlp"); of a sum, that of its weights.
    reject_threshold_ : float
        Energy above which `predict` rejects; with ``reject``.
    guarantee_ : {"none", "approximate", "marginal", "confident"}
        What the threshold of ``reject``, or without one the coverage of `predict_set`, guarantees
        on new rows of the known classes, as in `EnergyDetector`. "approximate", from held-out
        energies, until `conformalize`.
    calibration_energies_ : ndarray of shape (n_calibration,)
        -log p of the correct answers of held-out samples, in nats, as ``calibrate`` says; or from
        `conformalize`.
    hierarchy_ : Hierarchy
        Its ``nodes``, the classes before the inner nodes, and ``paths``, a CSR array (n_classes,
        n_nodes) with a one for each node on the path of a class; with ``parents``. Nodes that all
        classes share, or that have the same classes below them as a child, are left out.
    structure_ : object
        What label sets and label sequences are predicted with. Of label sets: ``edges``, pairs of
        linked labels (n_labels - 1, 2), and their ``link_energies``, those of having both labels.
    transitions_ : ndarray of shape (n_classes, n_classes)
        Negative energies of a label and the next, of label sequences.
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
    _learned_by_calibration = (
        "calibration_energies_",
        "_held_out",
        "reject_threshold_",
        "guarantee_",
    )
    _learned_of_others = (
        "structure_",
        "_background",
        "hierarchy_",
        "transitions_",
        "_held_out_sequences",
        "inference_",
        "_index",
        "_class_columns",
    )

    # Requested by default where metadata is routed, so that searches and pipelines pass it on.
    __metadata_request__fit = {"sequences": True}
    __metadata_request__score = {"sequences": True}
    __metadata_request__predict = {"sequences": True, "coverage": True}
    __metadata_request__predict_proba = {"sequences": True}
    __metadata_request__predict_log_proba = {"sequences": True}
    __metadata_request__decision_function = {"sequences": True}

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
        calibrate="auto",
        reject=None,
        reject_label=-1,
        negatives="auto",
        proposal="frequency",
        recall=0.95,
        parents=None,
        transitions="constant",
        constraints=None,
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
        self.negatives = negatives
        self.proposal = proposal
        self.recall = recall
        self.parents = parents
        self.transitions = transitions
        self.constraints = constraints
        self.n_jobs = n_jobs
        self.random_state = random_state

    @with_callbacks
    def fit(self, X, y, sample_weight=None, groups=None, class_features=None, *, sequences=None):
        """Fit the energy function and learn beta.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            float32 stays float32, sparse stays sparse. Trees, experts and sums of them also take
            frames and text as they are. Label sequences: a list with an array, a CSR matrix or a
            list of dictionaries for each sequence, with a row for each position.
        y : array-like of shape (n_samples,), or array-like or sparse matrix of shape \
                (n_samples, n_labels)
            At least two classes. Label sets: two columns or more of 0 and 1. Label sequences: a
            list with the labels of each sequence.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero. A row of weight 2 equals two rows, so that their sum counts
            the rows: where it is well below one, probabilities are nearly those of chance.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group stay together in the folds of ``cv``.
        class_features : mapping or frame, default=None
            Numbers that describe each class: a mapping of classes to features, or a frame indexed
            by class. Vectors of classes of few rows are then shrunk towards what these predict
            (energy="embedding"). Other classes may be among them.
        sequences : array-like of shape (n_samples,), default=None
            The sequence of each row, where X is a flat table of label sequences; rows keep their
            order within each. Folds then never cut a sequence. Of lists of sequences,
            ``sample_weight`` and ``groups`` have one entry for each.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the data or a parameter are out of range. A fitted estimator stays as it was.
        """
        with self._keeping_fitted():
            check_same_form(X, None)
            nested = has_sequences(X, sequences)
            sets = not nested and is_indicator(y)
            energy, loss = self._checked_components(parts=sets or self.parents is not None)
            given = X, y, sample_weight, groups, class_features
            if nested:
                self._fit_sequences(energy, loss, *given, sequences)
            elif sets:
                self._fit_label_sets(energy, loss, *given)
            else:
                check_same_form(X, y)
                self._fit_classes(energy, loss, *given)
            return self

    def _checked_components(self, parts):
        """Energy and loss, after checking every parameter; of ``parts`` of a larger answer."""
        energy, loss = self._resolved_components("parts" if parts else "classes")
        check_calibrate(self.calibrate)
        self._check_recall()
        check_candidates(energy, self.negatives, self.proposal, self.solver)
        check_parents(self.parents, self.negatives)
        check_choice("transitions", self.transitions, TRANSITIONS)
        check_constraints(self.constraints)
        self._rejects()
        return energy, loss

    def _fit_classes(self, energy, loss, X, y, sample_weight, groups, class_features):
        described, given = new_classes.read_classes(class_features, energy), (X, y)
        X, y = self._validated(energy, X, y)
        with many_classes_expected():
            check_classification_targets(y)
        weights = weights_of(X, y, sample_weight, self.class_weight)
        answers = candidates_of(
            labels_of(y, self.parents), energy, self.negatives, self.proposal, self.solver
        )
        self.classes_ = answers.classes
        if len(np.unique(answers.target[weights > 0])) < 2:
            raise ValueError(
                f"y must hold at least two classes with positive weight, got one class: "
                f"{self.classes_.tolist()}."
            )
        self._check_reject_label()
        folds = self._known_folds(X, y, groups, answers, weights)
        with self._reporting(*given) as report:
            features = None if described is None else described.of(self.classes_)
            fitted = self._fit_component(
                energy, loss, X, answers, weights, folds, report, class_features=features
            )
            self._forget()
            self._class_columns = None if described is None else described.columns
            vars(self).update(fitted.attributes)
            self._keep_background(X, weights)
            if answers.hierarchy is not None:
                self.hierarchy_ = answers.hierarchy
        if not fitted.converged:
            self._warn_unconverged(fitted.n_iter)

    def _fit_sequences(self, energy, loss, X, y, weights, groups, class_features, sequences):
        check_sequence_parameters(self, energy, class_features)
        with self._reporting(X, y):
            learned, converged = fit_sequences(self, energy, loss, X, y, weights, groups, sequences)
            self._forget()
            vars(self).update(learned)
        if not converged:
            self._warn_unconverged(self.n_iter_)

    def _fit_label_sets(self, energy, loss, X, y, weights, groups, class_features):
        check_label_options(self, class_features)
        learned, converged = fit_label_sets(self, energy, loss, (X, y), weights, groups)
        self._forget()
        vars(self).update(learned)
        if not converged:
            self._warn_unconverged(self.n_iter_)

    explain, explain_terms = by_structure(Explains.explain), by_structure(Explains.explain_terms)

    def _forget(self):
        """Leave out what an earlier fit, perhaps of other answers, has learned."""
        for name in (*self._learned_by_calibration, *self._learned_of_others):
            vars(self).pop(name, None)

    @by_structure
    def score(self, X, y, sample_weight=None, *, sequences=None):
        """Accuracy of `predict`; of label sequences, that of single labels;
        of label sets, that of whole sets.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
        sample_weight : array-like of shape (n_samples,), default=None
        sequences : array-like of shape (n_samples,), default=None
            The sequence of each row, for label sequences.

        Returns
        -------
        accuracy : float
        """
        return super().score(X, y, sample_weight)

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
        label, is_text = self.reject_label, isinstance(self.reject_label, str)
        fits = is_text == isinstance(self.classes_[0], str) and (is_text or not np.iterable(label))
        if self.reject is not None and (not fits or label in self.classes_):
            raise ValueError(
                "reject_label must be of the same kind as the classes, and none of them: "
                f"{self.classes_[:5].tolist()}, got {label!r}."
            )

    def _check_reject(self):
        """Raise an error where ``reject`` was set after a fit that learned nothing for it."""
        self._check_reject_label()
        if not hasattr(self, "reject_threshold_"):
            self._rejects()
            raise NotFittedError(
                f"reject={self.reject!r} was set after fit, which has learned no threshold for it. "
                "Fit again, or call conformalize(X, y) with rows that the fit did not see."
            )

    def _calibrates(self):
        return super()._calibrates() or self.calibrate is True or self.reject is not None

    def _enough_held_out(self):
        uses_all = self.calibrate is True or self.reject is not None
        return np.inf if uses_all else super()._enough_held_out()

    def _learn(self, result, inputs, training):
        """What held-out rows say, and how classes are searched."""
        learned = self._calibration(result, inputs, training)
        energy, answers = learned.get("energy_", result.energy), training.answers
        samples = np.arange(len(answers)) if result.held_out is None else result.held_out[0]
        some = np.linspace(0, len(samples) - 1, min(len(samples), MOST_ROWS)).astype(int)
        index, inference = self._searched(
            energy, answers.n_classes, lambda: energy.features(take_rows(inputs, samples[some]))
        )
        drawn = {"negatives": answers.n_negatives, "proposal": answers.proposal}
        return learned | index | {"inference_": inference | drawn}

    def _calibration(self, result, inputs, training):
        """beta, the threshold of rejection and energies for sets, from held-out rows.

        A row whose class has no other says nothing about them.
        """
        if not self._calibrates():
            return super()._learn(result, inputs, training)
        samples, outputs, held_out = self._held_out_samples(result, inputs, training)
        energy, beta = result.energy, 1.0
        if self.beta != "auto":
            beta = float(self.beta)
        elif not self._few(samples, training):
            energy, outputs = energy.with_shares_of(held_out, outputs)
            beta = float(held_out.learn_beta(outputs))
        learned = {"beta_": beta, "energy_": energy}
        keeps = keeps_energies(self, not self._few(samples, training))
        if self.reject is None:
            if not keeps:
                return learned
            samples, outputs, held_out = some_of(samples, outputs, held_out, self.calibrate)
        gibbs = held_out.answers.gibbs(outputs)[0].at(beta)
        threshold, target = self._rejects(), training.answers.target[samples]
        rows = HeldOut.of_blocks([gibbs], held_out.answers.target, energy, threshold)
        rows = rows._replace(
            target=target,
            weights=unbalanced(held_out.weights, self.class_weight, self.classes_[target]),
        )
        if energy.takes_class_features:
            rows = rows._replace(features=energy.features(take_rows(inputs, samples)))
        learned["guarantee_"] = guarantee_of(threshold or FalseAlarm(), exact=False)
        return learned | rows.attributes(keeps, threshold, energy)

    def _held_out_samples(self, result, inputs, training):
        """Held-out samples whose class others have, too, their outputs and their objective."""
        samples, outputs = training.held_out_outputs(result, inputs, self._enough_held_out())
        held_out = result.held_out_objective or training.objective.take(samples)
        known = training.answers.known(samples, training.objective.weights)
        if not known.all():
            samples, outputs, held_out = samples[known], outputs[known], held_out.take(known)
        if self._few(samples, training):
            self._refuse_few(len(samples))
        return samples, outputs, held_out

    @staticmethod
    def _few(samples, training):
        """Whether few held-out samples remain, since some classes have a single row."""
        answers, weights = training.answers, training.objective.weights
        all_known = answers.known(np.arange(len(weights)), weights).all()
        few = min(_FEWEST_HELD_OUT, len(weights) / 2)  # a single one left out changes little
        return not all_known and len(samples) < few

    def _refuse_few(self, n_held_out):
        """Warn, or raise a ValueError, where few held-out rows are of classes with other rows."""
        few = (
            f"{n_held_out} held-out rows are of classes that have other rows, fewer than "
            f"{_FEWEST_HELD_OUT}"
        )
        if self.reject is not None and not self._rejects().fixed:
            raise ValueError(
                f"{few}: reject={self.reject!r} needs more rows. Give two rows or more of more "
                "classes, or leave out reject."
            )
        if self.beta == "auto":
            warn_user(
                f"{few}: beta is 1, the temperature of training. Give two rows or more of more "
                "classes, or a number as beta, for calibrated probabilities.",
                UserWarning,
            )

    def conformalize(self, X, y, sample_weight=None, *, sequences=None):
        """Calibrate `predict_set` and ``reject`` on rows that the classifier was not fitted on.

        Coverage and guarantee then hold exactly, if new rows are exchangeable with these.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Of the classes in ``classes_``.
        sample_weight : array-like of shape (n_samples,), default=None
        sequences : array-like of shape (n_samples,), default=None
            The sequence of each row, for label sequences.

        Returns
        -------
        self
        """
        check_is_fitted(self)
        structure = vars(self).get("structure_")
        if structure is not None:
            vars(self).update(structure.calibrated(self, X, y, sample_weight, sequences=sequences))
            return self
        check_no_sequences(X, sequences)
        inputs, y = self._validated_pairs(X, y)
        target = positions(self.classes_, y)
        weights = check_sample_weight(sample_weight, inputs)
        check_largest_weight(weights)
        if (target < 0).any():
            unknown = list(dict.fromkeys(y[target < 0].tolist()))[:5]
            raise ValueError(
                f"y must hold classes seen in fit, got {unknown}. Leave these rows out, or add "
                "their classes by add_classes first."
            )
        threshold, energy = self._rejects(), self.energy_
        rows = HeldOut.of_blocks(self._distributions(X), target, energy, threshold)._replace(
            weights=weights
        )
        if energy.takes_class_features:
            rows = rows._replace(features=energy.features(inputs))
        with self._keeping_fitted():
            vars(self).update(rows.attributes(True, threshold, energy))
            self.guarantee_ = guarantee_of(threshold or FalseAlarm(), exact=True)
        return self

    @by_structure
    def add_classes(self, X=None, y=None, sample_weight=None, class_features=None):
        """Add classes without a refit, from a few rows of each or from their features.

        Only energies of class vectors take new classes (energy="embedding"): these get vectors as
        in `fit`, shrunk towards the mean of all classes or what their features predict, and are
        taken to come as often as the median class. Everything else stays as it was fitted:
        features of the inputs, beta and the vectors of the other classes. What was learned from
        held-out rows, for ``reject`` and `predict_set`, is computed again over all classes.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features), default=None
            Rows of new classes.
        y : array-like of shape (n_samples,), default=None
            Their classes, none of those in ``classes_``.
        sample_weight : array-like of shape (n_samples,), default=None
        class_features : mapping or frame, default=None
            As in `fit`, of new classes, which may be without rows.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a class exists or nothing is known of it. The classifier stays as it was.
        """
        check_is_fitted(self)
        new_classes.check_adds_classes(self.energy_)
        features = None if class_features is None else read_class_features(class_features)
        X, y = new_classes.checked_rows(self, X, y)
        label = None if self.reject is None else self.reject_label
        names = new_classes.named_new(self.classes_, y, features, label)
        new = new_classes.new_classes(self, X, y, sample_weight, features, names)
        with self._keeping_fitted():
            vars(self).update(new_classes.larger(self, new, names))
            if hasattr(self, "guarantee_"):
                self.guarantee_ = guarantee_of(self._rejects() or FalseAlarm(), exact=False)
        return self

    def _rng(self):
        return check_random_state(self.random_state)

    def _by_answer(self, by_output):
        """Values (o, ...) of the outputs for each class or label."""
        parts = vars(self).get("structure_", vars(self).get("hierarchy_"))
        return parts.of_outputs(by_output) if hasattr(parts, "of_outputs") else by_output

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        with suppress(ValueError):  # a bad energy is for fit to refuse
            tags.classifier_tags.multi_label = takes_label_sets(self, self._resolved_energy())
        return tags

    @property
    def coef_(self):
        return self._by_answer(self._linear("coef_").T)

    @property
    def intercept_(self):
        return self._by_answer(self._linear("intercept_"))
