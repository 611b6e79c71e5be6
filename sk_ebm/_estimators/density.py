"""EnergyDensityEstimator: conditional and joint densities from energies."""

from copy import deepcopy
from functools import partial
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin, clone
from sklearn.callback import with_callbacks
from sklearn.utils import RegressorTags, check_random_state, get_tags
from sklearn.utils.validation import check_is_fitted

from sk_ebm._density import checks
from sk_ebm._density.chain import (
    ChainFit,
    ConditionalChain,
    default_folds,
    make_bases,
    report_nothing,
    unconverged_n_iter,
)
from sk_ebm._density.checks import conditional_only, joint_only
from sk_ebm._density.joint import (
    JointChain,
    averaged_log_prob,
    column_transforms,
    draw_rows,
    fit_joint_chain,
    fit_joint_chains,
    other_orders,
)
from sk_ebm._density.rounding import Rounding
from sk_ebm._density.splines import NormalSplines
from sk_ebm._estimators.base import EnergyEstimator
from sk_ebm._estimators.conditional_tables import ConditionalTables
from sk_ebm._estimators.explaining import ExplainsDensities
from sk_ebm._utils.sklearn_private import check_sample_weight
from sk_ebm._utils.validation import check_array, check_choice, check_flag, check_number
from sk_ebm.distributions import PredictiveDistribution
from sk_ebm.distributions._values import as_levels
from sk_ebm.thresholds import FalseAlarm

_MAX_ROWS_CORRECTION = 10_000  # of kernels, whose time grows with n sqrt(n)
_MAX_SEED = np.iinfo(np.int32).max  # numpy takes up to 2**32 - 1, other libraries only this


class EnergyDensityEstimator(ConditionalTables, ExplainsDensities, DensityMixin, EnergyEstimator):
    """Predictive densities p(y given x), or the joint density p(x) of a table, from energies.

    A base density q with a known cdf F is corrected by an energy of the normal score z =
    Phi^-1(F(y given x)), which is standard normal where the base is right:

        p(y given x) = q(y given x) exp(-E(x, z)) / Z(x),    E(x, z) = -<f(x), phi(z)>,

    with phi cubic splines that are constant beyond z = -3 and 3, so that the tails are those of
    the base, and f any energy function. Z is exact up to the error of a fixed quadrature, below
    1e-6. Whatever is fitted to residuals is fitted to those of held-out rows, and an inverse
    temperature learned on held-out rows shrinks a correction that gains nothing.

    - ``conditional=True``: the base is Student's t distribution, located by regressors of y, with
      the scale of their residuals at x, or what ``base`` predicts. Several targets are a chain:
      each is given x and the targets before it, in the order of the columns of y.
    - ``conditional=False``: p(x) is a chain of the columns of X, each given those before it (as in
      [1]_), on the conditionals of a Gaussian mixture, blended with the leaves of extremely
      randomised trees where this has a higher held-out likelihood. y is ignored.

    Parameters
    ----------
    energy : {"kernel", "linear", "mlp", "trees"}, Energy or list, default="kernel"
        The energy function f, as in `EnergyClassifier`, or a sum; it reads the standardised columns
        of X, the location, the scale and how far the regressors disagree.
    conditional : bool, default=True
        Whether to model p(y given x) or p(x).
    location : "auto", regressor, list of regressors or None, default="auto"
        Regressors whose average is the location of the base, cross-fitted. "auto" takes boosted
        trees (LightGBM where it is installed, else `HistGradientBoostingRegressor`), extremely
        randomised trees, kernel ridge regression (exact up to 1,500 rows, above on landmarks; with
        a length scale for each column where that predicts better) and, below 1,000 rows, linear
        ridge regression; of many rows, those that get a weight on the first fold. None means a
        constant. The answers in the leaves of a forest among them, as in a quantile forest [2]_,
        are blended with Student's t distribution where this has a higher held-out likelihood.
    base : estimator, default=None
        Predicts distributions in place of the regressors: through ``pred_dist(X)``, as NGBoost;
        through ``predict(X, return_std=True)``, as `GaussianProcessRegressor`; or its
        ``predict(X)`` returns an object with ``logpdf``, ``logcdf`` and ``logsf``, one row for each
        row of X. It is recalibrated. A `FrozenEstimator` is not fitted again.
    power : float in [-2, 3], "auto" or None, default="auto"
        Exponent of a power of y, to which the regressors of ``location`` and Student's t
        distribution are fitted: that of Box and Cox where y is positive, else that of Yeo and
        Johnson of the distance from the median; 1 is linear, 0 the logarithm. Beyond the training
        values the power is continued linearly; with an exponent far from 1 a mean may lie far
        outside of them, but not a median. "auto" takes the exponent that suits y best, where this
        has a higher held-out likelihood and ``location="auto"``; regressors that are
        given are fitted to y. None means y. Densities are those of y, whatever the power. ``base``
        and ``conditional=False`` use none.
    atoms : "auto" or False, default="auto"
        How to treat values of y, or of a column of X, that are repeated. With at least ten rows for
        each value they count as rounded: in the fit answers are spread over rounding intervals,
        which end half-way to both neighbours, so that no density is sharper than these, and each
        value has the mass of its interval. A value with at least 20 rows and 2 % of all, five times
        as many as any other value, is a point mass: an energy of classes gives its probability, and
        the density is that of the others. False gives a smooth density without any masses.
    kind : {"density", "mass"}, default="density"
        What `log_prob`, `score` and `score_samples` return: the log density before rounding, at a
        point mass its mass divided by the rounding step (or by a hundredth of the standard
        deviation where there is none); or the log mass of what is rounded to y.
    n_orders : int, default=1
        Number of orders of the columns, >= 1, whose chains are averaged with
        ``conditional=False``: their own, and random ones. Each takes the time of a fit.
    n_basis : int, default=8
        Number of splines, >= 1.
    point : {"mean", "median", "mode"}, default="mean"
        What `predict` returns.
    beta : float or "auto", default="auto"
        Inverse temperature of the correction, > 0; "auto" learns it on held-out rows.
    categorical_features : "auto", "from_dtype" or list, default="auto"
        Columns of categories, by name or index or as a mask. "auto", or "from_dtype": those that
        hold text or categories.
    alpha, l1_ratio, solver, max_iter, tol, n_jobs
        As in `EnergyClassifier`, for the energy function.
    cv : int, splitter or iterable, default=None
        Folds of the cross-fitting. None means five shuffled ones, ten from 50 to 300 rows with
        fewer than 100 columns.
    verbose : bool, default=False
        Whether to print a line after each iteration.
    random_state : int, RandomState instance or None, default=None
        Draws folds, regressors' seeds, landmarks and samples.

    Attributes
    ----------
    chain_ : list
        One for each target or column, with attributes ``energy_``, ``beta_``, ``base``,
        ``loss_curve_``.
    reordered_chains_ : list of (order, JointChain)
        The other orders of the columns, tuples, and the joint densities of these.
    atoms_ : list of ndarray
        For each target or column the values that have masses.
    exponents_ : list of float
        For each target or column the exponent of the power of y, 1 where the base is of y.
    rounding_ : list
        One for each target or column, with attributes ``values`` that it is rounded to,
        ``point_masses``, and the ``step`` of which all differences are multiples, or 0.
    column_transforms_ : list of ColumnTransform
        With ``conditional=False`` the monotone transforms of the columns.
    quadrature_nodes_ : ndarray of shape (n_nodes,)
        Normal scores, the same for every row.
    n_iter_ : int
        Iterations of all energies.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)

    References
    ----------
    .. [1] Nash and Durkan, "Autoregressive Energy Machines", 2019.
    .. [2] Meinshausen, "Quantile Regression Forests", 2006.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sk_ebm import EnergyDensityEstimator
    >>> X, y = load_diabetes(return_X_y=True)
    >>> density = EnergyDensityEstimator("linear", location=Ridge(), random_state=0)
    >>> density.fit(X[:300], y[:300]).cdf(X[300:303], [150.0, 150.0, 150.0]).round(1)
    array([0.2, 0.7, 0.3])
    >>> density.predict_interval(X[300:303], coverage=0.9).round(-2)
    array([[100., 300.],
           [  0., 200.],
           [100., 300.]])
    """

    # Requested by default where metadata is routed, so that pipelines pass them on.
    __metadata_request__predict = {"return_std": True, "quantiles": True, "coverage": True}

    loss = "nll"
    _answer_kind = "values"

    def __init__(
        self,
        energy="kernel",
        *,
        conditional=True,
        location="auto",
        base=None,
        power="auto",
        atoms="auto",
        kind="density",
        n_orders=1,
        n_basis=8,
        point="mean",
        beta="auto",
        alpha="auto",
        l1_ratio=0.0,
        cv=None,
        solver="auto",
        max_iter=1000,
        tol=1e-6,
        categorical_features="auto",
        n_jobs=None,
        verbose=False,
        random_state=None,
    ):
        self.energy = energy
        self.conditional = conditional
        self.location = location
        self.base = base
        self.power = power
        self.atoms = atoms
        self.kind = kind
        self.n_orders = n_orders
        self.n_basis = n_basis
        self.point = point
        self.beta = beta
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.cv = cv
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.categorical_features = categorical_features
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    @with_callbacks
    def fit(self, X, y=None, sample_weight=None, groups=None):
        """Fit base, energy and inverse temperature.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Or a frame of any columns, with missing values, which all read encoded. An array of
            numbers with missing values (NaN) is given as it is to regressors of ``location`` or a
            ``base`` of the user's; energies then read the mean of a column.
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Needed with ``conditional=True``, and not constant.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero.
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
            components = self._checked_components()
            names = list(getattr(y if self.conditional else X, "columns", ()))
            given = X, y
            X, targets, weights = self._read(X, y, sample_weight)
            checks.check_data(X, targets, weights, self.conditional, self.point)
            rng = check_random_state(self.random_state)
            used = weights > 0
            roundings = [Rounding.of(target[used], weights[used]) for target in targets.T]
            self._start(X[used], roundings, rng)
            self._keep_background(X, weights)
            user_folds = self._folds(X, targets[:, 0], groups)
            with self._reporting(*given, sample_weight) as report:
                fit = self._chain_fit(components, X, weights, user_folds, rng, report)
                if self.conditional:
                    options = self.base, self.location, self.power, self.n_jobs
                    bases = make_bases(targets.shape[1], *options)
                    self.chain_ = fit.chain(bases, X, targets, self.rounding_)
                else:
                    joint = fit_joint_chain(fit, X, self.rounding_, self.n_jobs)
                    self.chain_ = joint.conditionals
                    self.reordered_chains_ = self._fit_other_orders(X, weights, user_folds, rng)
                    self.rounding_ = [r.without_single_values() for r in self.rounding_]
            self._finish(names)
            return self

    def _checked_components(self):
        """Energy and loss, after checking every parameter that needs no data."""
        energy, loss = self._resolved_components()
        checks.check_base(self.base, self.location, self.power)
        checks.check_choices(self.point, self.atoms)
        check_flag("conditional", self.conditional)
        check_number("n_basis", self.n_basis, 1, closed=True, kind=Integral)
        check_number("n_orders", self.n_orders, 1, closed=True, kind=Integral)
        return energy, loss

    def _validated_data(self, X, y):
        """X and what the densities are of, (n, n_targets)."""
        least = 2 if self.conditional else checks.MIN_ROWS_JOINT
        how, self._schema = {"dtype": np.float64, "ensure_min_samples": least}, None
        if not self.conditional:
            return (self._validated_numbers(X, **how),) * 2
        how |= {"y_numeric": True, "multi_output": True, "takes_nan": bool(self._given_estimators)}
        if self._reads_table(X):
            return self._read_new_table(X, y)
        X, y = self._validated_numbers(X, y=y, **how)
        return X, np.asarray(y, dtype=np.float64).reshape(len(y), -1)

    def _start(self, X, roundings, rng):
        """Set the attributes with which callbacks can score a chain that is being fitted."""
        checks.check_kind(self.kind, roundings)
        vars(self).pop("conformity_", None)
        self.rounding_, self.reordered_chains_ = roundings, []
        has_masses = self.atoms == "auto"
        self.atoms_ = [r.masses_at if has_masses else r.masses_at[:0] for r in roundings]
        self.column_transforms_ = [] if self.conditional else column_transforms(X, roundings)
        self.quadrature_nodes_ = NormalSplines(self.n_basis).nodes
        is_seed = isinstance(self.random_state, Integral)  # else drawn from a copy: rng stays
        self._predict_seed = self.random_state if is_seed else deepcopy(rng).randint(_MAX_SEED)

    def _chain_fit(self, components, X, weights, user_folds, rng, report=report_nothing):
        """The settings of a fit of a chain, with the parameters of this estimator."""
        energy, loss = components
        folds = user_folds or default_folds(weights, rng, X.shape[1])
        folds.check_partition(len(weights))

        def fit_energy(features, answers, weights, report):
            fresh, rows = clone(energy), np.flatnonzero(weights)
            if self.energy == "kernel" and user_folds is None and len(rows) > _MAX_ROWS_CORRECTION:
                rows = np.sort(rng.permutation(rows)[:_MAX_ROWS_CORRECTION])
                features, answers, weights = features[rows], answers.take(rows), weights[rows]
            return self._fit_component(fresh, loss, features, answers, weights, user_folds, report)

        splines, has_masses = NormalSplines(self.n_basis), self.atoms == "auto"
        return ChainFit(energy, fit_energy, splines, has_masses, weights, folds, rng, report)

    def _finished(self, energy, inputs, training):
        """As if the fit ended with this energy: beta of rows of the fit would be too high."""
        return {"energy_": energy, "beta_": 1.0 if self.beta == "auto" else float(self.beta)}

    def _fit_other_orders(self, X, weights, user_folds, rng):
        """Pairs (order, JointChain) of random orders, each with a seed of its own."""
        orders = other_orders(X.shape[1], self.n_orders, rng)
        params, fits = self.get_params(deep=False), []  # clones would have the callbacks, too
        for seed in rng.randint(_MAX_SEED, size=len(orders)).tolist():
            model, own_rng = type(self)(**params | {"random_state": seed}), check_random_state(seed)
            components = model._resolved_components()
            fits.append(model._chain_fit(components, X, weights, user_folds, own_rng))
        return fit_joint_chains(fits, orders, X, self.rounding_, self.n_jobs)

    def _finish(self, names):
        """Set the attributes that sum up a fit, and warn of fits that did not reach ``tol``."""
        chains = [(range(len(self.chain_)), self.chain_)]
        chains += [(order, joint.conditionals) for order, joint in self.reordered_chains_]
        self.n_iter_ = sum(c.n_iter_ for _, conditionals in chains for c in conditionals)
        powers = [getattr(conditional.base, "power", None) for conditional in self.chain_]
        self.exponents_ = [1.0 if power is None else power.exponent_ for power in powers]
        kind = "target" if self.conditional else "column"
        n_iter, of = unconverged_n_iter(chains, names, kind)
        if n_iter:
            self._warn_unconverged(n_iter, of)

    def __sklearn_tags__(self):
        tags = BaseEstimator.__sklearn_tags__(self)  # of numbers alone, whatever the energy reads
        given = self._given_estimators
        tags.input_tags.allow_nan = self.conditional and all(
            get_tags(estimator).input_tags.allow_nan for estimator in given
        )
        tags.target_tags.required = tags.target_tags.multi_output = self.conditional
        tags.estimator_type = "regressor" if self.conditional else "density_estimator"
        if self.conditional:
            tags.regressor_tags = RegressorTags(poor_score=True)  # a log-likelihood, not R^2
        return tags

    @property
    def _ordered_chains(self):
        """Pairs (order, JointChain), first of the columns as they are."""
        has_masses = self.atoms == "auto"
        joint = JointChain(self.chain_, self.column_transforms_, self.rounding_, has_masses)
        return [(range(self.n_features_in_), joint), *self.reordered_chains_]

    def _validated_X(self, X):
        check_is_fitted(self)
        if self._schema is not None:
            return self._numbers.transform(self._read_table(X, reset=False))
        takes_nan = bool(self._given_estimators)
        return self._validated_numbers(X, dtype=np.float64, reset=False, takes_nan=takes_nan)

    @property
    def _given_estimators(self):
        """The user's own, which predict y or its distributions, and judge missing values."""
        return checks.given_estimators(self.base, self.location) if self.conditional else []

    def _predictive(self, X, kept=False):
        """The distributions of rows; with ``kept``, of a copy of X, and named by its index."""
        validated, index = self._validated_X(X), getattr(X, "index", None) if kept else None
        return PredictiveDistribution(
            ConditionalChain(self.chain_),
            validated.copy() if kept else validated,
            seed=self._predict_seed,
            index=None if callable(index) else index,
        )

    def _single(self, method):
        """Raise a ValueError where there are several targets, which the method does not take."""
        check_is_fitted(self)
        ConditionalChain(self.chain_).single(method)
        return self._predictive

    @conditional_only
    def predict_distribution(self, X):
        """The distributions of rows as one object, which answers all that the other methods do.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        distribution : PredictiveDistribution
            See `sk_ebm.distributions.PredictiveDistribution`, of one target or several.
        """
        return self._predictive(X, kept=True)

    @conditional_only
    def log_prob(self, X, y):
        """log p(y given x) in nats, as ``kind`` says; for several targets of all together.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : float or array-like
            One answer for each row, (n_samples,), or (n_samples, n_targets) of several targets; k
            for each, (n_samples, k) or (n_samples, k, n_targets); or k for all rows, (1, k) or
            (1, k, n_targets). A number is the same for all rows.

        Returns
        -------
        log_prob : ndarray of shape (n_samples,) or (n_samples, k)
        """
        distribution = self._predictive(X)
        checks.check_kind(self.kind, self.rounding_)
        return distribution.log_prob(y, self.kind)

    @joint_only
    def score_samples(self, X):
        """log p(x) in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        log_prob : ndarray of shape (n_samples,)
        """
        X = self._validated_X(X)
        checks.check_kind(self.kind, self.rounding_)
        return averaged_log_prob(self._ordered_chains, X, self.kind)

    def score(self, X, y=None, sample_weight=None):
        """Mean of `log_prob`, or with ``conditional=False`` of `score_samples`, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        if self.conditional:
            check_is_fitted(self)
            y = checks.validated_targets(X, y, len(self.chain_))
            values = self.log_prob(X, y[:, 0] if y.shape[1] == 1 else y)
        else:
            values = self.score_samples(X)
        return float(np.average(values, weights=check_sample_weight(sample_weight, values)))

    @conditional_only
    def energies(self, X, y):
        """E(x, y) = -log q(y given x) + beta E(x, z), of base and correction together, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : float or array-like of shape (n_samples,), (n_samples, k) or (1, k)

        Returns
        -------
        energies : ndarray of shape (n_samples,) or (n_samples, k)
        """
        return self._predictive(X).energies(y)

    def decision_function(self, X):
        """Negative energies of the values `support`; with ``conditional=False`` log p(x).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        decision : ndarray of shape (n_samples, n_nodes), or (n_samples,)
        """
        if not self.conditional:
            return self.score_samples(X)
        return self._single("decision_function")(X).of_each(lambda d: -d.energies(d.grid))

    @conditional_only
    def support(self, X):
        """Candidate values: at the quadrature nodes and point masses, or what y is rounded to.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        support : ndarray of shape (n_samples, n_nodes)
        """
        return self._single("support (or grid)")(X).grid()

    grid = support

    @conditional_only
    def predict_proba(self, X):
        """Gibbs masses of the values `support`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        masses : ndarray of shape (n_samples, n_nodes)
            Rows sum to one.
        """
        return self._single("predict_proba")(X).grid_masses()

    @conditional_only
    def predict(self, X, *, return_std=False, quantiles=None, coverage=None):
        """The mean, median or mode, as ``point`` says, or what one of the keywords asks for.

        For several targets, from the second on, the mean or median of 2,200 points that stand for
        its distribution given x; ``random_state`` draws them. Pipelines hand the keywords on.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        return_std : bool, default=False
            Whether to return mean and standard deviation.
        quantiles : float or array-like of shape (q,), default=None
            Probabilities in (0, 1), whose quantiles to return, as `predict_quantile`.
        coverage : float, default=None
            In (0, 1): return intervals with this probability, as `predict_interval`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Or (mean, std) of this shape, with ``return_std``; quantiles (n_samples, q) in the order
            given; or intervals (n_samples, 2).

        Raises
        ------
        ValueError
            If more than one of the keywords is given.
        """
        check_is_fitted(self)
        asked = {"return_std": return_std or None, "quantiles": quantiles, "coverage": coverage}
        asked = [name for name, value in asked.items() if value is not None]
        if len(asked) > 1:
            raise ValueError(f"predict takes one keyword at a time, got {' and '.join(asked)}.")
        check_flag("return_std", return_std)
        if quantiles is not None:
            return self._quantiles(X, "quantiles", quantiles)
        if coverage is not None:
            return self.predict_interval(X, coverage)
        distribution = self._predictive(X)
        if return_std:
            return distribution.mean(), distribution.std()
        checks.check_point(self.point, len(self.chain_))
        return getattr(distribution, self.point)()

    @conditional_only
    def predict_quantile(self, X, q):
        """Values of y with probability q below.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        q : float or array-like of shape (k,)
            In (0, 1).

        Returns
        -------
        quantiles : ndarray of shape (n_samples,) or (n_samples, k)
            For several targets (n_samples, n_targets) or (n_samples, n_targets, k).
        """
        return self._quantiles(X, "q", q)

    def _quantiles(self, X, name, levels):
        """Of probabilities that are given as a parameter of this name."""
        found = as_levels(name, levels)
        if found.ndim > 1:
            raise ValueError(
                f"{name} must be a number or a list of numbers in (0, 1), got {levels!r}."
            )
        return self._predictive(X).ppf(found[None] if found.ndim else found)

    @conditional_only
    def predict_interval(self, X, coverage=0.9, kind="equal-tailed"):
        """Ends of an interval that holds y with probability ``coverage``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        coverage : float, default=0.9
            In (0, 1).
        kind : {"equal-tailed", "highest-density"}, default="equal-tailed"
            The latter is the shortest interval. After `conformalize` the coverage of the former is
            guaranteed on new rows, whatever their distribution.

        Returns
        -------
        interval : ndarray of shape (n_samples, 2)
            For several targets (n_samples, n_targets, 2), each with this probability.
        """
        check_number("coverage", coverage, 0, 1)
        check_choice("kind", kind, ("equal-tailed", "highest-density"))
        distribution = self._predictive(X)
        if kind == "highest-density":
            return distribution.shortest_interval(coverage)
        levels = self._conformal_levels(coverage)
        return distribution.of_each([partial(_equal_tailed, coverage=level) for level in levels])

    @conditional_only
    def cdf(self, X, y):
        """P(Y <= y given x).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : float or array-like
            As in `log_prob`.

        Returns
        -------
        cdf : ndarray
            Shaped as y, with a row for each row of X. Of several targets, each given x alone.
        """
        return self._predictive(X).cdf(y)

    @conditional_only
    def crps(self, X, y):
        """Continuous ranked probability score, in the unit of y: low is good.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : float or array-like
            As in `log_prob`.

        Returns
        -------
        crps : ndarray
            Shaped as y, with a row for each row of X. Of several targets, each given x alone.
        """
        return self._predictive(X).crps(y)

    @conditional_only
    def conformalize(self, X, y):
        """Learn from held-out rows which equal-tailed intervals have the coverage asked for.

        Distributional conformal prediction (Chernozhukov, Wuthrich and Zhu, 2021): afterwards
        `predict_interval` holds a new answer with probability at least ``coverage``, each of
        several targets by itself.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Held-out rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)

        Returns
        -------
        self
        """
        check_is_fitted(self)
        y = checks.validated_targets(X, y, len(self.chain_))
        levels = self.cdf(X, y[:, 0] if y.shape[1] == 1 else y)
        self.conformity_ = np.sort(np.abs(2 * levels - 1), axis=0)
        return self

    def _conformal_levels(self, coverage):
        """For each target the nominal coverage of equal-tailed intervals that have this coverage
        on new rows."""
        if not hasattr(self, "conformity_"):
            return [coverage] * len(self.chain_)
        threshold, n_rows = FalseAlarm(rate=1 - coverage), len(self.conformity_)
        if n_rows < threshold.needed():
            raise ValueError(
                f"coverage={coverage} needs at least {threshold.needed()} rows in conformalize, "
                f"got {n_rows}."
            )
        columns = self.conformity_.reshape(n_rows, -1).T
        return [threshold.fit(conformity).level_ for conformity in columns]

    def sample(self, X=None, n_samples=1, random_state=None):
        """Draws from the density, by inverting its cdf.

        With ``conditional=False`` and ``atoms="auto"`` values that repeat in a column do so in
        draws, as often.

        Parameters
        ----------
        X : array-like of shape (m, n_features), default=None
            With ``conditional=False``, values of the first columns, given which the others are
            drawn, or None for whole rows; an integer means ``n_samples``.
        n_samples : int, default=1
            Draws for each row of X.
        random_state : int, RandomState instance or None, default=None
            None means the estimator's own.

        Returns
        -------
        draws : ndarray
            (m, n_samples) for one target, (m, n_samples, n_targets) for several; with
            ``conditional=False`` (n_samples, n_features), or (m, n_samples, n_features) where
            first columns are given, which come first.
        """
        check_is_fitted(self)
        check_number("n_samples", n_samples, 1, closed=True, kind=Integral)
        rng = check_random_state(self.random_state if random_state is None else random_state)
        if self.conditional:
            return self._predictive(X).rvs(n_samples, rng)
        if X is None or isinstance(X, Integral):
            return draw_rows(self._ordered_chains, n_samples if X is None else X, rng)
        joint = self._ordered_chains[0][1]
        return joint.draws(check_array(X, dtype=np.float64), n_samples, rng)


def _equal_tailed(distribution, coverage):
    if coverage == 1:  # calibration rows lie where the cdf rounds to 0 or 1
        return np.tile([-np.inf, np.inf], (distribution.n_rows, 1))
    return distribution.interval(coverage)
