"""The linear energy."""

from copy import copy

import numpy as np
from scipy import sparse

from sk_ebm._core.contributions import Contributions
from sk_ebm._core.sampled import Sampled
from sk_ebm._core.training import FitResult
from sk_ebm._utils.memory import check_fits_in_memory
from sk_ebm._utils.validation import check_scales
from sk_ebm.energies._base import Energy
from sk_ebm.energies._chain_training import fit_design
from sk_ebm.energies._class_training import fit_class_vectors
from sk_ebm.energies._design import make_design
from sk_ebm.energies._leave_one_out import leave_one_out, leave_one_out_pays
from sk_ebm.energies._penalty_path import choose_alpha
from sk_ebm.energies._starts import least_scale
from sk_ebm.losses import EnergyLoss

_LONGEST_PATH = 40  # penalties: bounds the fits where columns differ by many orders of magnitude
_FEW_PRODUCTS = 1e5  # of an evaluation: Newton's method then solves to rounding
_FAR = 1e3  # standard deviations: outputs then lose three digits
_DEFAULT_STEP = 4  # of the path, a hundredth of its start, where nothing can be held out


class LinearEnergy(Energy):
    """-E(x, y) = <w_y, x> + b_y; with two classes one weight vector, for E_0 - E_1.

    With ``alpha="auto"`` the penalty is the one of least held-out loss along a path from strong to
    weak, each fit starting from the last: by approximate leave-one-out (Rad and Maleki, 2020) where
    that is cheap, else on the first of five folds, where a likelihood whose beta will be learned is
    evaluated at the best beta. A loss that is not smooth starts at the optimum of the negative
    log-likelihood and takes its penalty. Where mini-batches draw candidates among many classes,
    weights start from class means, as those of `EmbeddingEnergy` do, and ``alpha`` penalises how
    far they move.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features, n_outputs)
    intercept_ : ndarray of shape (n_outputs,)
    alpha_ : float
        The penalty used.
    """

    solvers = ("newton", "lbfgs", "adam")
    samples_classes = True
    fits_chains = True
    _tol = 0.0  # least relative accuracy of the objective, where products are not few
    _path_factor = 10**-0.5  # from one penalty of the path to the next
    _path_start = 0.1  # the first penalty over the total variance of the columns

    def fit(self, inputs, training):
        check_scales(inputs)
        answers = training.answers
        if inputs.shape[0] * inputs.shape[1] * answers.n_outputs > _FEW_PRODUCTS:
            training = training.replace(tol=max(training.tol, self._tol))
        check_fits_in_memory(
            8 * inputs.shape[1] * answers.n_outputs,
            f"Weights of {inputs.shape[1]} columns for {answers.n_outputs} outputs",
            "Use energy='embedding', whose vectors are sparse or of low rank.",
        )
        if isinstance(answers, Sampled):
            return self._fit_sampled(inputs, training)
        design = self._design(inputs, training)
        if answers.linked:
            return fit_design(design, training, lambda *found: self._fitted(design, *found))
        init = np.zeros((design.shape[1] + 1, answers.n_outputs))
        if training.objective.loss.second_derivatives != "continuous":
            likelihood = training.as_likelihood()
            shifted = design.with_idle(
                answers.idle_outputs(likelihood.objective.loss.shift_invariant)
            )
            params, alpha = self._optimum(shifted, likelihood, init)[:2]
            init = _start(design, training.objective, params)
            training = training.with_alpha(alpha)
        params, alpha, held_out, minimum = self._optimum(design, training, init)
        fitted = self._fitted(design, params, alpha)
        vars(self).update(vars(fitted))
        return FitResult(
            self,
            held_out,
            alpha=alpha,
            converged=minimum.converged,
            history=minimum.history,
        )

    def _fit_sampled(self, inputs, training):
        """Class vectors that start from class means, as weights of the inputs."""

        def fitted(choice, means):
            energy = copy(self)
            axes, centre = choice.coordinates.linear(means.axes, means.centre)
            coef = axes @ means.vectors.T
            energy.coef_ = coef.astype(inputs.dtype)
            energy.intercept_ = (means.biases - centre @ coef).astype(inputs.dtype)
            far = np.abs(centre[:, None] * axes).max(initial=0) > _FAR
            energy._origin = centre.astype(inputs.dtype) if far else None
            energy.alpha_ = training.with_default_alpha(0.0).penalty.alpha
            return energy

        return fit_class_vectors(inputs, training, fitted)

    def _design(self, inputs, training):
        objective = training.objective
        return make_design(
            inputs,
            objective.row_weights,
            rotate=training.penalty.l1_ratio == 0,
            idle=objective.answers.idle_outputs(objective.loss.shift_invariant),
        )

    def _fitted(self, design, params, alpha):
        fitted = copy(self)
        coef, intercept = design.weights_of(params)
        if design.idle is not None:  # along which they are not determined
            intercept = intercept - design.idle @ (intercept @ design.idle)
        fitted._origin = _far_centre(design, coef, params[:-1])
        fitted.coef_ = coef.astype(design.dtype, copy=False)
        fitted.intercept_ = intercept.astype(design.dtype, copy=False)
        fitted.alpha_ = alpha
        return fitted

    def _optimum(self, design, training, init):
        """Parameters of least objective, the penalty, held-out outputs or None, the minimum."""
        objective, held_out = training.objective, None
        biases_matter = objective.answers.shift_axis != 0 or not objective.loss.shift_invariant
        design = design.with_biases(biases_matter)
        loo = leave_one_out_pays(design, training)
        if training.penalty.alpha == "auto":
            folds = None if loo else training.folds or training.default_folds().first(1)
            path = self._path(design, objective.weights.sum())
            if loo or len(folds):
                plateau = self._plateau(design)
                alpha, init, held_out = choose_alpha(design, training, init, path, plateau, folds)
            else:
                alpha = path[min(_DEFAULT_STEP, len(path) - 1)]
            training = training.with_alpha(alpha)
        alpha = training.penalty.alpha
        minimum = design.minimize(training, init, lambda p: self._fitted(design, p, alpha))
        if training.calibrates and held_out is None and loo:
            held_out = leave_one_out(design, training, minimum.params)
        return minimum.params, alpha, held_out, minimum

    def _path(self, design, total):
        """Penalties from one that leaves nearly nothing of the weights to the least."""
        total_variance = design.variances.sum()
        if total_variance <= self._rounding(design.dtype):
            return [1.0]
        high = self._path_start * total_variance
        low = self._least_alpha(design, total)
        n_steps = int(np.log(low / high) / np.log(self._path_factor)) + 1
        return [
            float(high * self._path_factor**i) for i in range(np.clip(n_steps, 1, _LONGEST_PATH))
        ]

    @staticmethod
    def _rounding(dtype):
        """The total variance up to which the columns are constant."""
        return 0.0

    def _plateau(self, design):
        """The penalty below which no column's weight is zero in effect."""
        return design.variances[design.variances > 0].min(initial=np.inf)

    def _least_alpha(self, design, total):
        """That of LogisticRegression(C=1e4) on the column of least variance at unit scale."""
        variances = design.variances[design.variances > 0]
        return 1e-4 / total * variances.min()

    def features(self, inputs):
        """The inputs, less the origin if columns are far from zero."""
        if self._origin is None:
            return inputs
        return (inputs.toarray() if sparse.issparse(inputs) else inputs) - self._origin

    additive = True

    def contributions(self, inputs, background):
        """Of columns as far as they differ from their mean in the background."""
        centre = np.asarray(background.mean(axis=0), dtype=float).ravel()
        deviations = (inputs.toarray() if sparse.issparse(inputs) else inputs) - centre
        shape = len(deviations), *self.coef_.shape
        check_fits_in_memory(
            8 * np.prod(shape, dtype=float), f"Contributions {shape}", "Explain fewer rows at once."
        )
        values = deviations[:, :, None] * self.coef_
        return Contributions(values, centre @ self.coef_ + self.intercept_)

    def class_vectors(self):
        shift = 0 if self._origin is None else self._origin @ self.coef_
        return self.coef_.T, self.intercept_ + shift

    def __call__(self, inputs):
        origin = self._origin
        if origin is None or sparse.issparse(inputs):
            return np.asarray(inputs @ self.coef_ + self.intercept_)
        return (inputs - origin) @ self.coef_ + (origin @ self.coef_ + self.intercept_)


def _far_centre(design, coef, params):
    """The means of the columns, if these are so far from zero that outputs are small differences of
    large numbers, which rounding makes depend on the batch."""
    far = np.abs(design.centre[:, None] * coef).max() > _FAR * np.abs(params).max()
    return design.centre.astype(design.dtype) if far else None


def _start(design, objective, params):
    """Parameters that are optimal for another loss, at the scale of least loss.

    A loss of the energies themselves, not of their differences, starts where those of correct
    answers are zero on average: elsewhere the energies of all incorrect answers would have to rise,
    one by one.
    """
    loss = objective.loss
    shifts = objective.answers.shift_axis is not None and not loss.shift_invariant
    if shifts and loss.trivial_minimum != "equal":
        outputs = design.vjp(params)[0]
        shift = objective.replace(loss=EnergyLoss()).value_and_gradient(outputs)[0]
        params = np.vstack([params[:-1], params[-1:] + shift])
    return least_scale(objective, design.vjp, params) * params
