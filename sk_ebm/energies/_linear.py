"""The linear energy, and how its penalty is chosen out of sample."""

from collections import namedtuple
from copy import copy
from operator import attrgetter

import numpy as np

from sk_ebm.energies._base import Energy
from sk_ebm.energies._design import make_design
from sk_ebm.losses._likelihood import NLL

_LEAVE_ONE_OUT_COST = 5e8  # multiplications per penalty up to which leave-one-out is used
_WHOLE_COST = 1e8  # up to which it knows all second derivatives,
_MANY = 10  # unless there are so many rows for each parameter
_LEAST_REST = 1e-3  # of a sample's leverage
_PATH_TOL = 1e-4  # relative accuracy of the objective along the path, at least,
_COARSER = 30  # times that of the final fit
_LONGEST_PATH = 40
_STEEP = 0.3  # gain from the last penalty with which the loss falls fast
_GAIN, _RISE = 3e-3, 0.02  # from the least loss, that count
_GRAIN = 0.3  # gains are relative to the loss, or to this if that is smaller
_FEW = 2000  # samples on which a penalty is calibrated
_SMALL_START = 0.1  # of the optimum of the likelihood, where losses have no margin
_MIDDLE = 4  # the penalty of the path that is taken where nothing can be held out


class LinearEnergy(Energy):
    """-E(x, y) = <w_y, x> + b_y; with two classes one weight vector, for E_0 - E_1.

    With ``alpha="auto"`` the penalty is the one of least loss out of sample along a path from
    strong to weak, each fit starting from the last: by approximate leave-one-out (Rad and
    Maleki, 2020) where that is cheap, else on the first of five folds, where a likelihood whose
    beta will be learned is that of the best beta. A loss that is not smooth starts at the
    optimum of the negative log-likelihood and takes its penalty.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features, n_outputs)
    intercept_ : ndarray of shape (n_outputs,)
    alpha_ : float
        The penalty used.
    """

    solvers = ("newton", "lbfgs", "adam")
    _tol = 0.0  # least relative accuracy of the objective
    _path_factor = 10**-0.5  # from one penalty of the path to the next
    _path_start = 0.1  # the first penalty over the total variance of the columns

    def fit(self, inputs, objective, rng):
        design = self._design(inputs, objective)
        init = np.zeros((design.shape[1] + 1, objective.answers.n_outputs))
        objective.tol = max(objective.tol, self._tol)
        if not objective.loss.smooth:
            start = objective.as_likelihood()
            init = _start(design, objective, self._optimum(design, start, init, rng))
            objective.alpha = start.alpha
        params = self._optimum(design, objective, init, rng)
        vars(self).update(vars(self._fitted(design, params, objective)))
        return self

    def _design(self, inputs, objective):
        return make_design(
            inputs,
            objective.row_weights,
            rotate=objective.l1_ratio == 0,
            centred=objective.answers.shifts and objective.loss.shift_invariant,
        )

    def _fitted(self, design, params, objective):
        fitted = copy(self)
        coef, intercept = design.weights_of(params)
        if design.centred:  # only their differences are determined
            intercept = intercept - intercept.mean()
        fitted.coef_ = coef.astype(design.dtype, copy=False)
        fitted.intercept_ = intercept.astype(design.dtype, copy=False)
        fitted.alpha_ = objective.alpha
        return fitted

    def _optimum(self, design, objective, init, rng):
        """Parameters of least objective; settles alpha and leaves held-out outputs there."""
        floats = objective.answers.floats and objective.loss.shift_invariant
        design.biased = type(design).biased and not floats
        loo = _leave_one_out_pays(design, objective)
        if objective.alpha == "auto":
            splits = None if loo else objective.splits or objective.default_splits(rng)[:1]
            path = self._path(design, objective.weights.sum())
            if splits == []:
                objective.alpha = path[min(_MIDDLE, len(path) - 1)]
            else:
                plateau = self._plateau(design)
                init = _choose_alpha(design, objective, init, path, plateau, splits, rng)
        params = _minimize(
            design, objective, init, rng, lambda p: self._fitted(design, p, objective)
        )
        if objective.calibrate and objective.held_out is None and loo:
            objective.held_out = _leave_one_out(design, objective, params)
        return params

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
        """The penalty from which on all columns have a say."""
        return design.variances[design.variances > 0].min(initial=np.inf)

    def _least_alpha(self, design, total):
        """That of LogisticRegression(C=1e4) on the column of least variance at unit scale."""
        variances = design.variances[design.variances > 0]
        return 1e-4 / total * variances.min()

    def __call__(self, inputs):
        return np.asarray(inputs @ self.coef_ + self.intercept_)


def _start(design, objective, params):
    """Parameters that are optimal for another loss, times the scale of least loss.

    Without a margin every scale has the same optimum, and the smaller the parameters, the more
    answers a step of the solver changes: the average over its steps then knows by how much.
    """
    if objective.loss.zero_margin:  # no scale is better than none
        return _SMALL_START * params
    outputs, _ = design.vjp(params)
    scale = min(0.5 ** np.arange(12), key=lambda scale: objective(scale * outputs)[0])
    return scale * params


def _minimize(design, objective, init, rng, fitted=None):
    l2 = objective.alpha * (1 - objective.l1_ratio) * design.scale**2
    return objective.minimize(
        init,
        design.vjp,
        design.scale,
        fitted,
        preconditioner=design.preconditioner(l2, init.shape[1]),
        rng=rng,
    )


def _choose_alpha(design, objective, init, path, plateau, splits, rng):
    """Sets alpha and held-out outputs of the objective; returns where its last fit starts.

    While the loss falls fast, every other penalty of the path is left out; those beside the
    best are tried in the end. The path ends at a clear rise, or after two steps without gain
    below the penalty ``plateau``: above, some columns may be left out still.
    """
    trial = _trials(design, objective, splits, rng)
    best = last = trial(path[0], [init] * (1 if splits is None else len(splits)))
    places, step, idle = [0], 2, 0
    while places[-1] + 1 < len(path) and idle < 2:
        places.append(min(places[-1] + step, len(path) - 1))
        new = trial(path[places[-1]], last.params)
        gain = _gain(best, new)
        idle = 0 if gain > _GAIN or new.alpha > plateau else idle + 1
        idle = 2 if gain < -_RISE else idle
        step = 2 if _gain(last, new) > _STEEP else 1
        best, last = min(best, new, key=_value), new
    at = path.index(best.alpha)
    left_out = {at - 1, at + 1} & set(range(places[-1])) - set(places)
    best = min([best, *(trial(path[i], best.params) for i in left_out)], key=_value)
    objective.alpha, objective.held_out = best.alpha, best.held_out
    return best.params[0]


_Trial = namedtuple("_Trial", ["alpha", "params", "held_out", "value"])
_value = attrgetter("value")


def _gain(old, new):
    return (old.value - new.value) / max(abs(old.value), _GRAIN)


def _trials(design, objective, splits, rng):
    """``trial(alpha, inits)``: a fit from there, and its mean loss out of sample.

    On folds, a likelihood that will be calibrated is judged as calibrated. No sample counts for
    more than a probability n times smaller than that of chance would: else one outlier in n
    rows chooses the penalty.
    """
    objective = objective.with_(tol=max(_COARSER * objective.tol, _PATH_TOL), report=None)
    answers = objective.answers
    if splits is None:
        samples, folds = np.arange(len(answers)), [objective]
    else:
        samples = np.concatenate([test for _, test in splits])
        folds = [objective.only(train) for train, _ in splits]
        rows = [answers.rows(test) for _, test in splits]
    judge = objective.judge(samples)
    is_likelihood = isinstance(objective.loss, NLL) and objective.offset is None
    calibrated = splits is not None and objective.calibrate and is_likelihood
    if calibrated:
        judge = judge.as_likelihood()
        few = np.flatnonzero(judge.weights)
        few = few[:: -(-len(few) // _FEW)]
        few_rows, calibrator = judge.answers.rows(few), judge.take(few)
    share = judge.weights / judge.weights.sum()
    nothing = np.zeros((len(judge.row_weights), answers.n_outputs))
    nats = np.log1p(objective.weights.sum()) / getattr(judge.loss, "beta", 1.0)
    most = judge.with_(offset=None).values(nothing) + nats

    def trial(alpha, inits):
        fits = [fold.with_(alpha=alpha) for fold in folds]
        params = [_minimize(design, f, p, rng) for f, p in zip(fits, inits, strict=True)]
        if splits is None:
            _, outputs = _leave_one_out(design, fits[0], params[0])
        else:
            outputs = np.concatenate(
                [design.vjp(p, r)[0] for p, r in zip(params, rows, strict=True)]
            )
        beta = calibrator.learn_beta(outputs[few_rows]) if calibrated else 1.0
        value = float(share @ np.minimum(judge.values(beta * outputs), most))
        return _Trial(alpha, params, (samples, outputs), value)

    return trial


def _leave_one_out_pays(design, objective):
    n, d = design.shape
    return (
        objective.splits is None
        and objective.loss.smooth
        and len(objective.answers) == n
        and objective.l1_ratio == 0
        and hasattr(design, "leverages")
        and 2 * n * d**2 * objective.answers.n_outputs <= _LEAVE_ONE_OUT_COST
    )


def _leave_one_out(design, objective, params):
    """All samples, and their outputs as if one unit of weight of each had been left out.

    One Newton step per sample from the optimum: with H the leverages of its outputs, g and A the
    first and second derivatives of a unit of its loss by them, o + (1 - H A)^-1 H g. Second
    derivatives between two outputs are neglected where that is dear or changes little.
    """
    outputs, _ = design.vjp(params)
    n, o = outputs.shape
    curvature, l2 = objective.curvature(outputs), objective.alpha * design.scale**2
    slopes = objective(outputs)[1]
    unit = 1 / np.maximum(objective.weights, 1)[:, None]  # of the row's own weight
    if not _whole_pays(design, objective):
        leverages = unit * design.leverages(curvature.diagonal, l2)
        rest = np.maximum(1 - leverages * curvature.diagonal, _LEAST_REST)
        return np.arange(n), outputs + leverages * slopes / rest
    leverages = unit[:, :, None] * design.whole_leverages(curvature, l2)
    bends = np.stack([curvature.product(np.broadcast_to(e, (n, o))) for e in np.eye(o)], axis=2)
    rest = (1 + _LEAST_REST) * np.eye(o) - leverages @ bends
    moved = np.linalg.solve(rest, leverages @ slopes[:, :, None])[:, :, 0]
    return np.arange(n), outputs + moved.astype(outputs.dtype)


def _whole_pays(design, objective):
    n, d = design.shape
    o = objective.answers.n_outputs
    size, n_units = o * (d + 1), objective.weights.sum()
    return o > 1 and n_units < _MANY * size and n * max(size**2, o**3) <= _WHOLE_COST
