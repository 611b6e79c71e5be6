"""EnergyDensityEstimator: conditional and joint densities from energies."""

from functools import partial
from math import factorial
from numbers import Integral

import numpy as np
from scipy.special import logsumexp
from sklearn.base import DensityMixin, clone
from sklearn.callback import with_callbacks
from sklearn.dummy import DummyRegressor
from sklearn.model_selection import KFold
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, validate_data

from sk_ebm._density.column_transform import ColumnTransform
from sk_ebm._density.conditional import Conditional, as_read
from sk_ebm._density.gaussian_mixture import fit_mixture
from sk_ebm._density.location_scale import LocationScale
from sk_ebm._density.mixture_column import MixtureColumn
from sk_ebm._density.predicted import PredictedBase
from sk_ebm._density.rounding import PointMassClassifier, Rounding
from sk_ebm._density.score_answers import Grid
from sk_ebm._density.splines import NormalSplines
from sk_ebm._estimators.base import EnergyEstimator
from sk_ebm._utils.estimators import keep_fitted, row_blocks
from sk_ebm._utils.sklearn_private import check_sample_weight
from sk_ebm._utils.threads import one_blas_thread
from sk_ebm._utils.validation import check_number, check_weighs

_DRAWS = 200  # of each row, for means of several targets
_FEW_VALUES = 20  # of a column of a table, up to which its density is spread over their cells
_LEARNED_ON = 3000  # draws, at most, how draws are recorded
_LARGEST = 1e150  # in absolute value, of numbers the squares of which are taken
_HELD_AT_ONCE = 60  # arrays of the quadrature's size that a block of rows needs
_FEW_ROWS = 2000  # up to which linear algebra has one thread: more keep trees from the cores


def _is_conditional(estimator):
    if not estimator.conditional:
        raise AttributeError("It is for densities of y given x, with conditional=True.")
    return True


def _is_joint(estimator):
    if estimator.conditional:
        raise AttributeError("It is for densities of x, with conditional=False; see log_prob.")
    return True


conditional_only = available_if(_is_conditional)
joint_only = available_if(_is_joint)


class EnergyDensityEstimator(DensityMixin, EnergyEstimator):
    """Predictive densities p(y given x), or the joint density p(x) of a table, from energies.

    A base density q with a known cdf F is corrected by an energy of the normal score z =
    Phi^-1(F(y given x)), which is standard normal where the base is right:

        p(y given x) = q(y given x) exp(-E(x, z)) / Z(x),    E(x, z) = -<f(x), phi(z)>,

    with phi cubic splines that are constant beyond z = -3 and 3, so that the tails are those of
    the base, and f any energy function. Z is exact up to the error of a fixed quadrature, below
    1e-6. What is fitted to residuals is fitted to those of rows left out, and an inverse
    temperature learned out of sample takes the correction back where it gains nothing.

    - ``conditional=True``: the base is Student's distribution, around regressors of y and as wide
      as their residuals are in that place, or what ``base`` predicts. Several targets are a chain:
      each is given x and the targets before it, in the order of the columns of y.
    - ``conditional=False``: p(x) is a chain of the columns of X, each given those before it (as in
      [1]_), on the conditionals of a Gaussian mixture, blended with the leaves of extremely
      randomised trees where the rows left out are surely likelier so. y is ignored.

    Parameters
    ----------
    energy : {"kernel", "linear", "mlp", "trees"}, Energy or list, default="kernel"
        The energy function f, as in `EnergyClassifier`, or a sum; it reads the standardised columns
        of X, the location, the scale and how far the regressors disagree.
    conditional : bool, default=True
        Whether to model p(y given x) or p(x).
    location : "auto", regressor, list of regressors or None, default="auto"
        Regressors that the base is around, cross-fitted and averaged. "auto" takes boosted trees
        (LightGBM where it is installed, else `HistGradientBoostingRegressor`), extremely
        randomised trees, kernel ridge regression (exact up to 1,500 rows, above on a Nystroem map)
        and, below 1,000 rows, linear ridge regression. None means a constant. The answers in the
        leaves of a forest among them, as a quantile forest takes them [2]_, are blended with
        Student's distribution where the rows left out are surely likelier so.
    base : estimator, default=None
        Predicts distributions in place of the regressors: through ``pred_dist(X)``, as NGBoost;
        through ``predict(X, return_std=True)``, as `GaussianProcessRegressor`; or its
        ``predict(X)`` returns an object with ``logpdf``, ``logcdf`` and ``logsf``, one row for each
        row of X. It is recalibrated. A `FrozenEstimator` is not fitted again.
    power : float in [-2, 3], "auto" or None, default="auto"
        Scale on which the regressors of ``location`` are fitted and Student's distribution stands:
        a power of y, that of Box and Cox where y is positive, else that of Yeo and Johnson of the
        distance from the median; 1 is linear, 0 the logarithm. Beyond the values seen it is
        straight; with an exponent far from 1 a mean may lie far outside of them, not so a median.
        "auto" takes the one that suits y itself where the rows left out are likelier so,
        with ``location="auto"``; regressors that are given are fitted to y. None means y.
        Densities are those of y, whatever the power. ``base`` and ``conditional=False`` use none.
    atoms : "auto" or False, default="auto"
        Values of y, or of a column of X, that are repeated. With at least ten rows for each value
        they count as rounded: answers are spread over their cells, half-way to both neighbours,
        for the fit, so that no density is sharper than these, and each value has the mass of its
        cell. A value with at least 20 rows and 2 % of all, five times as many as any value that is
        none of these, is an atom: an energy of labels gives its mass, and the density is that of
        the others. False has a smooth density instead, without any masses.
    kind : {"density", "mass"}, default="density"
        What `log_prob`, `score` and `score_samples` return: the log density before rounding, at an
        atom its mass over the recording step (or a hundredth of the standard deviation where there
        is none); or the log mass of the cell, the recording step around y.
    n_orders : int, default=1
        Orders of the columns, >= 1, whose chains are averaged with ``conditional=False``: the one
        that they have, and other random ones, if there are as many. Each takes the time of a fit.
    n_basis : int, default=8
        Number of splines, >= 1.
    point : {"mean", "median", "mode"}, default="mean"
        What `predict` returns.
    beta : float or "auto", default="auto"
        Inverse temperature of the correction, > 0; "auto" learns it out of sample.
    alpha, l1_ratio, solver, max_iter, tol, n_jobs
        As in `EnergyClassifier`, for the energy function.
    cv : int, splitter or iterable, default=None
        Folds of the cross-fitting. None means five shuffled ones, ten from 50 to 1,000 rows.
    random_state : int, RandomState instance or None, default=None
        Draws folds, regressors' seeds, landmarks and samples.

    Attributes
    ----------
    chain_ : list
        One for each target or column, with attributes ``energy_``, ``beta_``, ``base``,
        ``loss_curve_``.
    reordered_chains_ : list of (order, EnergyDensityEstimator)
        The further orders of the columns, tuples, and the joint densities of these.
    atoms_ : list of ndarray
        For each target or column the values that have masses.
    exponents_ : list of float
        For each target or column that of the power of y which the base is of, 1 where of y.
    rounding_ : list
        One for each target or column, with attributes ``values`` that it is rounded to, ``atoms``
        and the ``step`` of a lattice that holds all its values, 0 where there is none.
    column_transforms_ : list of ColumnTransform
        With ``conditional=False`` the scales that the columns are read on.
    grid_ : ndarray of shape (n_nodes,)
        Normal scores of the quadrature nodes, the same for every row.
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
    >>> from sk_ebm import EnergyDensityEstimator
    >>> X, y = load_diabetes(return_X_y=True)
    >>> density = EnergyDensityEstimator(random_state=0).fit(X[:300], y[:300])
    >>> density.predict_interval(X[300:], coverage=0.9).shape
    (142, 2)
    """

    loss = "nll"

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
        n_jobs=None,
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
        self.n_jobs = n_jobs
        self.random_state = random_state

    @with_callbacks
    def fit(self, X, y=None, sample_weight=None, groups=None):
        """Fit base, energy and inverse temperature.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Needed with ``conditional=True``, and not constant.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero; with ``conditional=True`` only.
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
        with keep_fitted(self):
            parts = self._components()
            self._check_components(parts[0])
            check_number("n_basis", self.n_basis, 1, closed=True, kind=Integral)
            check_number("n_orders", self.n_orders, 1, closed=True, kind=Integral)
            X, targets = self._validated_data(X, y)
            weights = check_sample_weight(sample_weight, X)
            check_weighs(weights)
            self._check_targets(targets, weights)
            self.rounding_ = [Rounding.of(y[weights > 0]) for y in targets.T]
            self._check_kind()
            vars(self).pop("conformity_", None)  # of an earlier fit
            self.reordered_chains_ = []
            rng = check_random_state(self.random_state)
            splits = self._splits(X, targets[:, 0], groups)
            folds = splits or _default_folds(X, rng)
            _check_folds(folds, len(X))
            with self._reporting(X, y) as report:
                if self.conditional:
                    self._fit_chain(parts, X, targets, weights, splits, folds, rng, report)
                else:
                    with one_blas_thread(len(X) <= _FEW_ROWS):
                        self._fit_joint(parts, X, weights, splits, folds, rng, report)
                    self.reordered_chains_ = self._other_orders(X, splits, rng)
            return self

    def _validated_data(self, X, y):
        """X and what the densities are of, (n, n_targets)."""
        how = {"dtype": np.float64, "ensure_min_samples": 2 if self.conditional else 3}
        if not self.conditional:
            X = validate_data(self, X, **how)
            _check_squares("X", X)
            return X, X
        X, y = validate_data(self, X, y, y_numeric=True, multi_output=True, **how)
        y = _columns(y)
        _check_squares("X", X)
        _check_squares("y", y)
        return X, y

    def _check_targets(self, targets, weights):
        """Raise where there is no density, or a parameter is out of range."""
        if self.point not in _POINTS:
            raise ValueError(f"point must be one of {list(_POINTS)}, got {self.point!r}.")
        if self.point == "mode" and self.conditional and targets.shape[1] > 1:
            raise ValueError("point='mode' needs one target; use 'mean' or 'median' for several.")
        if not self.conditional and np.ptp(weights) > 0:
            raise ValueError("sample_weight is not taken with conditional=False: repeat rows.")
        if self.conditional and (np.ptp(targets[weights > 0], axis=0) == 0).any():
            raise ValueError(
                "y must take at least two values with positive weight, got only "
                f"{targets[weights > 0][0].tolist()}: a constant has no density."
            )

    def _check_kind(self):
        if self.atoms is not False and self.atoms != "auto":
            raise ValueError(f"atoms must be 'auto' or False, got {self.atoms!r}.")
        if self.kind not in ("density", "mass"):
            raise ValueError(f"kind must be 'density' or 'mass', got {self.kind!r}.")
        if self.kind == "mass" and not all(r.has_cells for r in self.rounding_):
            raise ValueError(
                "kind='mass' needs answers that are repeated, or multiples of one number as "
                "rounded ones are; use kind='density'."
            )

    def _fit_chain(self, parts, X, targets, weights, splits, folds, rng, report):
        """One conditional for each target, given X and the targets before it."""
        self.chain_ = []
        for j, (y, recording) in enumerate(zip(targets.T, self.rounding_, strict=True)):
            before = np.hstack([X, targets[:, :j]])
            points = recording.spread(y)
            fit_base = partial(self._make_base().fit, before, y, points, splits=folds, rng=rng)
            self._fit_conditional(parts, fit_base, y, recording, weights, splits, report)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = False
        tags.target_tags.required = self.conditional
        tags.target_tags.multi_output = self.conditional
        return tags

    def _make_base(self):
        if self.base is not None:
            return PredictedBase(self.base, self.n_jobs)
        return LocationScale(self._locations(), self.power, self.n_jobs)

    def _locations(self):
        """The regressors of ``location``, or "auto"."""
        location = self.location
        if location is None:
            return [DummyRegressor(strategy="median")]
        if isinstance(location, str) and location == "auto":
            return location
        return list(location) if isinstance(location, (list, tuple)) else [location]

    def _check_components(self, energy):
        """Raise where an energy, a regressor or a base is none that a density can have."""
        for part in energy.parts():
            if part.of_classes:
                raise ValueError(
                    f"energy={part!r} is one of classes: a density takes 'linear', 'kernel', "
                    "'mlp', 'trees', and sums of these. Give regressors as location=."
                )
        locations = self._locations()
        if locations != "auto" and not (locations and all(map(_is_estimator, locations))):
            raise ValueError(
                "location must be 'auto', a regressor, a list of regressors or None, "
                f"got {self.location!r}."
            )
        check_number("power", self.power, -2, 3, closed=True, other=("auto", None))
        if self.base is not None and not _is_estimator(self.base):
            raise ValueError(
                f"base must be an estimator that predicts distributions, got {self.base!r}."
            )

    def _fit_joint(self, parts, X, weights, splits, folds, rng, report):
        """A Gaussian mixture, and one conditional for each column, given those before it."""
        self.chain_ = []
        self.column_transforms_ = [
            ColumnTransform.of(*of) for of in zip(X.T, self.rounding_, strict=True)
        ]
        X = self._on_margins(X)
        recordings = [
            recording.on(margin, len(recording.values) <= _FEW_VALUES)
            for recording, margin in zip(self.rounding_, self.column_transforms_, strict=True)
        ]
        columns = zip(X.T, recordings, strict=True)
        points = np.column_stack([r.dequantised(column, rng) for column, r in columns])
        mixture, of_folds = fit_mixture(points, folds, rng)
        for j, (column, recording) in enumerate(zip(X.T, recordings, strict=True)):
            base = MixtureColumn(mixture, of_folds, self.n_jobs)
            points = recording.spread(column)
            fit_base = partial(base.fit, X[:, :j], column, points, splits=folds, rng=rng)
            self._fit_conditional(parts, fit_base, column, recording, weights, splits, report)
        if self.atoms == "auto":
            self._learn_recurring(min(len(X), _LEARNED_ON), rng)

    def _learn_recurring(self, n_draws, rng):
        """Learn for one column after the other how draws from the chain are recorded."""
        drawn = np.empty((n_draws, 0))
        for conditional in self.chain_:
            p = rng.uniform(size=(n_draws, 1, 2))
            blocks = [(drawn[rows], p[rows]) for rows in self._blocks(drawn)]
            drawn = np.hstack([drawn, conditional.learn_recurring(blocks)])

    def _on_margins(self, X):
        """The first columns of a table, each on its scale."""
        return np.column_stack(
            [of(column) for of, column in zip(self.column_transforms_, X.T, strict=False)]
        )

    def _other_orders(self, X, splits, rng):
        """Other, random orders of the columns, and densities that are chains in these."""
        own = tuple(range(X.shape[1]))
        orders = [own]
        while len(orders) < min(self.n_orders, factorial(len(own))):
            order = tuple(rng.permutation(len(own)))
            if order not in orders:
                orders.append(order)
        params = self.get_params(deep=False) | {"n_orders": 1, "cv": splits}
        models = [  # without the callbacks, which clones would have
            type(self)(**params | {"random_state": rng.randint(np.iinfo(np.int32).max)})
            for _ in orders[1:]
        ]
        fitted = Parallel(n_jobs=self.n_jobs)(
            delayed(model.fit)(X[:, order]) for model, order in zip(models, orders[1:], strict=True)
        )
        return list(zip(orders[1:], fitted, strict=True))

    def _fit_conditional(self, parts, fit_base, y, recording, weights, splits, report):
        """Point masses, base and energy of y; point masses weigh nothing in the last two."""
        splines, gate = NormalSplines(self.n_basis), None
        has_gate = self.atoms == "auto" and len(recording.atoms) > 0
        of_rest = weights * ~np.isin(y, recording.atoms) if has_gate else weights
        base_fit = fit_base(weights=of_rest)
        features = as_read(parts[0], base_fit.features)
        if has_gate:
            gate = self._fit_gate(parts, features, y, recording, weights, splits)
        rounds = self.atoms == "auto" and recording.rounded
        make = partial(Conditional, base_fit.base, splines, recording, rounds, gate)
        earlier = list(self.chain_)

        def report_chain(value, attributes):
            report(value, lambda: {"chain_": [*earlier, make(**attributes())]})

        answers = Grid(base_fit.normal_scores, splines)
        fitted = self._fit_component(
            clone(parts[0]), parts[1], features, answers, of_rest, splits, report_chain
        )
        self.chain_.append(make(**_of(fitted)))
        if not fitted.converged:
            self._warn_unconverged(fitted.n_iter)

    def _fit_gate(self, parts, features, y, recording, weights, splits):
        """The probabilities of the atoms, by an energy of the same kind; without reports."""
        atoms = recording.atoms
        fitted = self._fit_component(
            clone(parts[0]),
            parts[1],
            features,
            PointMassClassifier.labels(y, atoms),
            weights,
            splits,
            lambda value, attributes: None,
        )
        return PointMassClassifier(atoms, **_of(fitted))

    @property
    def n_iter_(self):
        """Iterations of all fits."""
        check_is_fitted(self)
        own = sum(conditional.n_iter_ for conditional in self.chain_)
        return own + sum(model.n_iter_ for _, model in self.reordered_chains_)

    @property
    def atoms_(self):
        """For each target or column the values that have masses."""
        check_is_fitted(self)
        masses = self.atoms == "auto"
        return [r.masses_at if masses else r.masses_at[:0] for r in self.rounding_]

    @property
    def exponents_(self):
        """For each target the exponent of the power that the base stands on, 1 where on y."""
        check_is_fitted(self)
        powers = [getattr(conditional.base, "power", None) for conditional in self.chain_]
        return [1.0 if power is None else power.exponent_ for power in powers]

    def _validated_X(self, X):
        check_is_fitted(self)
        return validate_data(self, X, dtype=np.float64, reset=False)

    def _blocks(self, X):
        """Slices of rows whose distributions fit into scikit-learn's ``working_memory``."""
        n_values = max(len(recording.values) for recording in self.rounding_)
        return row_blocks(X, _HELD_AT_ONCE * len(self.grid_) + 4 * n_values)

    def _single(self, method):
        if len(self.chain_) > 1:
            raise ValueError(
                f"{method} needs one target, got {len(self.chain_)}: use sample, or ask the "
                "chain_ one by one."
            )
        return self.chain_[0]

    def _each(self, method, X, of, y=None):
        """``of(predictive)``, or ``of(predictive, y)``, in blocks of rows, for one target."""
        X = self._validated_X(X)
        conditional = self._single(method)
        with one_blas_thread(len(X) <= _FEW_ROWS):
            if y is None:
                return np.concatenate([of(conditional(X[rows])) for rows in self._blocks(X)])
            y = self._answers(X, y)
            return np.concatenate([of(conditional(X[rows]), y[rows]) for rows in self._blocks(X)])

    @property
    def grid_(self):
        """Normal scores of the quadrature nodes, (n_nodes,): the candidates of every row."""
        check_is_fitted(self)
        return self.chain_[0].splines.nodes

    def _answers(self, X, y):
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        check_consistent_length(X, y)
        y = _columns(y)
        if y.shape[1] != len(self.chain_):
            raise ValueError(f"y must have {len(self.chain_)} columns, got {y.shape[1]}.")
        return y

    @conditional_only
    def log_prob(self, X, y):
        """log p(y given x) in nats, as ``kind`` says; for several targets of all together.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)

        Returns
        -------
        log_prob : ndarray of shape (n_samples,)
        """
        X = self._validated_X(X)
        y = self._answers(X, y)
        return self._log_prob(np.hstack([X, y]), y.shape[1])

    def _log_prob(self, table, n_last):
        """log p of the last columns of a table given those before them."""
        self._check_kind()
        total = np.zeros(len(table))
        with one_blas_thread(len(table) <= _FEW_ROWS):
            for j, conditional in enumerate(self.chain_, start=table.shape[1] - n_last):
                for rows in self._blocks(table):
                    total[rows] += conditional.log_prob(table[rows, :j], table[rows, j], self.kind)
        return total

    @joint_only
    def score_samples(self, X):
        """log p(x) in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        logpdf : ndarray of shape (n_samples,)
        """
        X = self._validated_X(X)
        own = self._log_prob(self._on_margins(X), X.shape[1])
        if self.kind == "density":
            own += sum(
                of.log_derivative(column)
                for of, column in zip(self.column_transforms_, X.T, strict=True)
            )
        others = [
            model.set_params(kind=self.kind).score_samples(X[:, order])
            for order, model in self.reordered_chains_
        ]
        return logsumexp([own, *others], axis=0) - np.log(1 + len(others))

    def score(self, X, y=None):
        """Mean of `log_prob`, or with ``conditional=False`` of `score_samples`, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        values = self.log_prob(X, y) if self.conditional else self.score_samples(X)
        return float(np.mean(values))

    @conditional_only
    def energies(self, X, y):
        """E(x, y) = -log q(y given x) + beta E(x, z), of base and correction together, in nats.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)

        Returns
        -------
        energies : ndarray of shape (n_samples,)
        """
        return self._each("energies", X, lambda p, y: p.energies(y)[:, 0], y)

    def decision_function(self, X):
        """Negative energies of the values `grid`; with ``conditional=False`` log p(x).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        decision : ndarray of shape (n_samples, n_nodes), or (n_samples,)
        """
        if not self.conditional:
            return self.score_samples(X)
        return self._each("decision_function", X, lambda p: -p.energies(p.grid))

    @conditional_only
    def grid(self, X):
        """Candidate values: at the quadrature nodes ``grid_`` and atoms, or what y is rounded to.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        grid : ndarray of shape (n_samples, n_nodes)
        """
        return self._each("grid", X, lambda p: p.grid)

    @conditional_only
    def predict_proba(self, X):
        """Gibbs masses of the values `grid`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        masses : ndarray of shape (n_samples, n_nodes)
            Rows sum to one.
        """
        return self._each("predict_proba", X, lambda p: p.masses)

    @conditional_only
    def predict(self, X):
        """The mean, median or mode, as ``point`` says.

        For several targets the mean or median of 200 draws of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        check_is_fitted(self)
        if len(self.chain_) > 1:
            draws = self.sample(X, _DRAWS, random_state=0)
            return {"mean": np.mean, "median": np.median}[self.point](draws, axis=1)
        return self._each("predict", X, _POINTS[self.point])

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
        """
        levels = np.asarray(q, dtype=np.float64)
        if levels.ndim > 1 or not ((levels > 0) & (levels < 1)).all():
            raise ValueError(f"q must be a number, or a list of numbers, in (0, 1), got {q!r}.")

        def quantile(predictive):
            return predictive.quantile(np.tile(levels.ravel(), (predictive.n_rows, 1)))

        found = self._each("predict_quantile", X, quantile)
        return found if levels.ndim else found[:, 0]

    @conditional_only
    def predict_interval(self, X, coverage=0.9, kind="equal-tailed"):
        """Ends of an interval that holds y with probability ``coverage``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        coverage : float, default=0.9
            In (0, 1).
        kind : {"equal-tailed", "highest-density"}, default="equal-tailed"
            The latter is the shortest interval. After `conformalize` the coverage of the former
            holds on new data, whatever their law.

        Returns
        -------
        interval : ndarray of shape (n_samples, 2)
        """
        check_number("coverage", coverage, 0, 1)
        if kind not in ("equal-tailed", "highest-density"):
            raise ValueError(f"kind must be 'equal-tailed' or 'highest-density', got {kind!r}.")
        if kind == "highest-density":
            return self._each("predict_interval", X, lambda p: p.shortest(coverage))
        level = self._level(coverage)
        if level == 1:  # an answer beyond what the cdf can tell from 0 or 1 must be held
            return np.tile([-np.inf, np.inf], (len(self._validated_X(X)), 1))
        return self.predict_quantile(X, [(1 - level) / 2, (1 + level) / 2])

    @conditional_only
    def cdf(self, X, y):
        """P(Y <= y given x).

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)

        Returns
        -------
        cdf : ndarray of shape (n_samples,)
        """
        return self._each("cdf", X, lambda p, y: p.cdf(y)[:, 0], y)

    @conditional_only
    def crps(self, X, y):
        """Continuous ranked probability score, in the unit of y: low is good.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)

        Returns
        -------
        crps : ndarray of shape (n_samples,)
        """
        return self._each("crps", X, lambda p, y: p.crps(y[:, 0]), y)

    @conditional_only
    def conformalize(self, X, y):
        """Learn from new rows which equal-tailed interval really holds a share of answers.

        Distributional conformal prediction (Chernozhukov, Wuthrich and Zhu, 2021): afterwards
        `predict_interval` holds a new answer with probability at least ``coverage``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows that the estimator was not fitted on.
        y : array-like of shape (n_samples,)

        Returns
        -------
        self
        """
        conformity = np.sort(np.abs(2 * self.cdf(X, y) - 1))
        self.conformity_ = conformity
        return self

    def _level(self, coverage):
        """The coverage to ask for, so that the one wanted holds on new data."""
        if not hasattr(self, "conformity_"):
            return coverage
        n = len(self.conformity_)
        rank = int(np.ceil((n + 1) * coverage))
        if rank > n:
            needed = int(np.ceil(coverage / (1 - coverage)))
            raise ValueError(
                f"coverage={coverage} needs at least {needed} rows in conformalize, got {n}."
            )
        return self.conformity_[rank - 1]

    def sample(self, X=None, n_samples=1, random_state=None):
        """Draws from the density, by inverting its cdf; of values that have masses, by these.

        With ``conditional=False`` and ``atoms="auto"`` draws are recorded as the columns were:
        values that recur in a column do so in draws, as often.

        Parameters
        ----------
        X : array-like of shape (m, n_features), default=None
            With ``conditional=False``, values of the first columns, which the chain in the
            columns' own order goes on from, or None for whole rows; an integer is taken for
            ``n_samples``.
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
            X = self._validated_X(X)
            draws = self._draw(X, self.chain_, n_samples, rng)[:, :, X.shape[1] :]
            return draws[:, :, 0] if len(self.chain_) == 1 else draws
        if X is None or isinstance(X, Integral):
            return self._draw_rows(n_samples if X is None else X, rng)
        first = check_array(X, dtype=np.float64)
        n_first = first.shape[1]
        if n_first >= len(self.chain_):
            raise ValueError(
                f"X must hold the first columns, at most {len(self.chain_) - 1}, got {n_first}."
            )
        scaled, rest = self._on_margins(first), self.chain_[n_first:]
        draws = self._unscaled(self._draw(scaled, rest, n_samples, rng))
        draws[:, :, :n_first] = first[:, None]  # as given, though no such value was seen
        return draws

    def _draw_rows(self, n_samples, rng):
        """Whole rows, each from a chain in one of the orders."""
        chain = rng.randint(1 + len(self.reordered_chains_), size=n_samples)
        rows = np.empty((n_samples, self.n_features_in_))
        for i in np.unique(chain):
            where = np.flatnonzero(chain == i)
            if i == 0:
                drawn = self._draw(np.empty((len(where), 0)), self.chain_, 1, rng)
                rows[where] = self._unscaled(drawn[:, 0])
            else:
                order, model = self.reordered_chains_[i - 1]
                rows[np.ix_(where, order)] = model.sample(len(where), random_state=rng)
        return rows

    def _unscaled(self, draws):
        """Draws (..., n_features) in the units of X, those of recorded values equal to these."""
        scaled = zip(self.column_transforms_, np.moveaxis(draws, -1, 0), strict=True)
        draws = np.stack([margin.inverse(column) for margin, column in scaled], axis=-1)
        if self.atoms == "auto":
            for j, recording in enumerate(self.rounding_):
                draws[..., j] = recording.restored(draws[..., j])
        return draws

    def _draw(self, inputs, conditionals, n_samples, rng):
        """Inputs and draws of what follows them, (n, n_samples, columns)."""
        each, n_asked = inputs, n_samples
        for conditional in conditionals:
            p = rng.uniform(size=(len(each), n_asked, 2))
            draws = np.empty(p.shape[:2])
            for rows in self._blocks(each):
                draws[rows] = conditional.draws(each[rows], p[rows])
            each = np.column_stack([np.repeat(each, n_asked, axis=0), draws.ravel()])
            n_asked = 1
        return each.reshape(len(inputs), n_samples, -1)


_POINTS = {
    "mean": lambda p: p.mean,
    "median": lambda p: p.quantile(np.full((p.n_rows, 1), 0.5))[:, 0],
    "mode": lambda p: p.mode,
}


def _of(fitted):
    return {
        "energy_": fitted.energy,
        "beta_": fitted.beta,
        "n_iter_": fitted.n_iter,
        "loss_curve_": fitted.history,
    }


def _default_folds(X, rng):
    """Ten folds of few rows, whose models then see nearly all of them; five of many."""
    n_splits = 10 if 50 <= len(X) < 1000 else 5
    return list(KFold(min(n_splits, len(X)), shuffle=True, random_state=rng).split(X))


def _check_squares(name, values):
    largest = np.abs(values).max()
    if largest > _LARGEST:
        raise ValueError(
            f"{name} must be at most {_LARGEST:g} in absolute value, got {largest:g}, the square "
            "of which overflows: use another unit."
        )


def _check_folds(folds, n):
    tested = np.sort(np.concatenate([test for _, test in folds]))
    if not np.array_equal(tested, np.arange(n)):
        raise ValueError(
            f"cv must test every row exactly once, as KFold does, got {len(folds)} folds that test "
            f"{len(np.unique(tested))} of {n} rows, {len(tested)} in all."
        )


def _is_estimator(value):
    return hasattr(value, "fit") and hasattr(value, "predict") and not isinstance(value, type)


def _columns(y):
    return np.asarray(y, dtype=np.float64).reshape(len(y), -1)
