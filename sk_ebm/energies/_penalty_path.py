"""The choice of a penalty along a path, each fit starting from the last."""

from typing import NamedTuple

import numpy as np

from sk_ebm.energies._leave_one_out import leave_one_out
from sk_ebm.losses import NLL

# Ten times as exact, the path takes a quarter longer and chooses the same
# penalties on 19 of 21 sets, with log-losses within .008 on the other two (speed.py).
_PATH_TOL = 1e-3  # relative accuracy of the objective along the path, at least,
_COARSER = 30  # times that of the final fit
# The next four bound the number of fits; none is a matter of quality: a path ends where it is flat.
_FIRST = 2  # of the path to be tried: stronger penalties suit columns that say next to nothing
_STEEP = 0.3  # relative gain from the last penalty above which every other one is left out
_GAIN, _RISE = 3e-3, 0.02  # relative gain from the least loss that counts, and rise that ends it
_GRAIN = 0.3  # gains are relative to the loss, or to this if that is smaller
_CALIBRATION_SAMPLES = 2000  # on which a penalty is calibrated: beta's standard error is 3 %


class _Trial(NamedTuple):
    alpha: float
    params: list
    held_out: tuple
    value: float


def choose_alpha(design, training, init, path, plateau, folds):
    """The penalty of least held-out loss, parameters to start from, and held-out outputs.

    The first penalties of the path are tried only where those below are no better. While the loss
    falls fast, every other penalty is left out; those beside the best are tried in the end. The
    path ends at a clear rise, or after two steps without gain below the penalty ``plateau``: above,
    the weights of some columns are still zero in effect. ``folds=None`` means approximate
    leave-one-out.
    """
    trial = _trials(design, training, folds)
    first = min(_FIRST, len(path) - 1)
    start = trial(path[first], [init] * (1 if folds is None else len(folds)))
    best, last, tried = _descend(trial, start, path, first, plateau)
    index, params = path.index(best.alpha), best.params
    for i in {index - 1, index + 1} & set(range(first, last)) - tried:
        best = _better(best, trial(path[i], params))
    if best is start:
        best = _ascend(trial, start, path[:first])
    return best.alpha, best.params[0], best.held_out


def _descend(trial, start, path, first, plateau):
    """The best trial along the path, the index of its last and those of all."""
    best = latest = start
    last, tried, step, n_idle, params = first, {first}, 2, 0, start.params
    while last + 1 < len(path) and n_idle < 2:
        last = min(last + step, len(path) - 1)
        tried.add(last)
        new, gone = trial(path[last], params), step
        gain = _gain(best, new)
        n_idle = 0 if gain > _GAIN or new.alpha > plateau else n_idle + 1
        n_idle = 2 if gain < -_RISE else n_idle
        step = 2 if _gain(latest, new) > _STEEP else 1
        params = _further(latest.params, new.params, step / gone)
        best, latest = _better(best, new), new
    return best, last, tried


def _further(before, last, ratio):
    """Parameters of the next penalty, if they went on as before in its logarithm: a fit takes one
    Newton step in five less from there."""
    return [b + ratio * (b - a) for a, b in zip(before, last, strict=True)]


def _ascend(trial, best, stronger):
    """The best trial, from the last of stronger penalties to the first, until there is no gain."""
    for alpha in reversed(stronger):
        new = trial(alpha, best.params)
        if new.value >= best.value:
            break
        best = new
    return best


def _better(old, new):
    return new if new.value < old.value else old


def _gain(old, new):
    return (old.value - new.value) / max(abs(old.value), _GRAIN)


def _trials(design, training, folds):
    """``trial(alpha, inits)``: a fit from there, and its mean held-out loss.

    On folds, a likelihood that will be calibrated is evaluated as calibrated. The loss of a sample
    is capped at that of a probability n times below chance, so that one outlier in n rows cannot
    choose the penalty.
    """
    training = training.replace(tol=max(_COARSER * training.tol, _PATH_TOL), report=None)
    objective, answers = training.objective, training.answers
    if folds is None:
        samples, objectives = np.arange(len(answers)), [objective]
    else:
        samples, objectives = folds.samples, [objective.masked(train) for train, _ in folds]
        rows = [answers.rows(test) for _, test in folds]
    evaluation = objective.evaluation(samples)
    is_likelihood = isinstance(objective.loss, NLL) and objective.offset is None
    calibrates = folds is not None and training.calibrates and is_likelihood
    if calibrates:
        evaluation = evaluation.as_likelihood()
        some = np.flatnonzero(evaluation.weights)
        some = some[:: -(-len(some) // _CALIBRATION_SAMPLES)]
        some_rows, calibration = evaluation.answers.rows(some), evaluation.take(some)
    shares = evaluation.weights / evaluation.weights.sum()
    cap = _largest_loss(objective, evaluation)

    def held_out_outputs(fits, params):
        if folds is None:
            return leave_one_out(design, fits[0], params[0])[1]
        return np.concatenate([design.vjp(p, r)[0] for p, r in zip(params, rows, strict=True)])

    def trial(alpha, inits):
        fits = [training.with_alpha(alpha).replace(objective=part) for part in objectives]
        starts = zip(fits, inits, strict=True)
        params = [design.minimize(fit, init).params for fit, init in starts]
        outputs = held_out_outputs(fits, params)
        beta = calibration.learn_beta(outputs[some_rows]) if calibrates else 1.0
        value = float(shares @ np.minimum(evaluation.values(beta * outputs), cap))
        return _Trial(alpha, params, (samples, outputs), value)

    return trial


def _largest_loss(objective, evaluation):
    """The loss of each sample at a probability n times below chance, (n,)."""
    zero = np.zeros((len(evaluation.row_weights), evaluation.answers.n_outputs))
    nats = np.log1p(objective.weights.sum()) / getattr(evaluation.loss, "beta", 1.0)
    return evaluation.replace(offset=None).values(zero) + nats
