"""What every energy must satisfy: one function for each property, of a case."""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.utils.validation import check_random_state

from sk_ebm._core.classes import Labels
from sk_ebm._core.groups import Groups
from sk_ebm._core.objective import Objective
from sk_ebm._core.training import FitResult, Penalty, Training
from sk_ebm._density.score_answers import NormalScoreAnswers
from sk_ebm._density.splines import NormalSplines
from sk_ebm._testing.differences import difference
from sk_ebm.losses import NLL

_EQUAL = {"rtol": 1e-10, "atol": 1e-12}  # up to rounding
# Of pullbacks, of outputs that may have kinks and single precision.
_N_DIRECTIONS, _PULLBACK_STEP, _PULLBACK_ERROR = 3, 1e-4, 1e-2
_ROWS, _COLUMNS = 60, 5  # of the inputs


def _class_problem(X, rng):
    noisy = X @ rng.standard_normal((_COLUMNS, 3)) + rng.gumbel(size=(_ROWS, 3))
    return Labels(noisy.argmax(axis=1), 3)


def _item_problem(X, rng):
    """Queries of five items, each with something relevant and something irrelevant."""
    noisy = X[:, 0] + 0.5 * rng.standard_normal(_ROWS)
    place = np.argsort(np.argsort(noisy.reshape(-1, 5), axis=1), axis=1).ravel()
    return Groups((place - 2.0).clip(0), np.arange(_ROWS) // 5)


def _value_problem(X, rng):
    scores = (X[:, 0] + 0.3 * rng.standard_normal(_ROWS)).clip(-3, 3)
    return NormalScoreAnswers(scores, NormalSplines(4))


def _input_problem(X, rng):
    return Labels(np.ones(_ROWS, dtype=int), 2)


PROBLEMS = {
    "classes": _class_problem,
    "items": _item_problem,
    "values": _value_problem,
    "inputs": _input_problem,
}


class CheckedTraining(Training):
    """Settings of a fit that compare the pullback of an energy with differences of outputs."""

    def minimize(self, init, vjp, scale, fitted=None, **details):
        init = np.asarray(init)
        self._check_pullback(init, vjp)
        return super().minimize(init, vjp, scale, fitted, **details)

    def _check_pullback(self, init, vjp):
        rng = np.random.RandomState(0)
        params = init + 0.1 * rng.standard_normal(init.shape)

        def objective(params):
            return self.objective.value_and_gradient(vjp(params)[0])[0]

        outputs, pullback = vjp(params)
        gradient = pullback(self.objective.value_and_gradient(outputs)[1])
        assert np.shape(gradient) == init.shape, (
            f"the pullback has shape {np.shape(gradient)}, and the parameters {init.shape}"
        )
        for along in rng.standard_normal((_N_DIRECTIONS, *init.shape)):
            found = float(np.vdot(gradient, along))
            expected = float(difference(objective, params, along, _PULLBACK_STEP))
            assert abs(found - expected) <= _PULLBACK_ERROR * (abs(found) + abs(expected) + 0.1), (
                f"along a random direction the pullback says {found:.4g}, and the objective "
                f"changes by {expected:.4g}"
            )


@dataclass(frozen=True)
class EnergyCase:
    """An energy with inputs (m, 5) and an objective of some kind of answers."""

    energy: object
    X: np.ndarray
    objective: Objective
    seed: int

    @classmethod
    def of(cls, energy, kind, random_state=0):
        rng = check_random_state(random_state)
        X = rng.standard_normal((_ROWS, _COLUMNS))
        answers = PROBLEMS[kind](X, rng)
        weights = np.ones(len(answers))
        if kind != "inputs":
            weights = rng.uniform(0.5, 2, size=len(answers))
        return cls(energy, X, Objective(answers, NLL(), weights), rng.randint(1000))

    def training(self, alpha=0.01, kind=Training):
        return kind(self.objective, Penalty(alpha), rng=np.random.RandomState(self.seed))

    def fit(self, **settings):
        return clone(self.energy).fit(self.X, self.training(**settings))


def _result(case):
    result = case.fit(alpha="auto")
    assert isinstance(result, FitResult), (
        f"fit must return a FitResult, got {type(result).__name__}"
    )
    assert result.n_iter >= 1, f"n_iter must be at least 1, got {result.n_iter}"
    assert_allclose(result.outputs_of(case.X), result.energy(case.X), atol=1e-5)


def _pullback(case):
    case.fit(kind=CheckedTraining)


def _outputs(case):
    outputs, n_outputs = case.fit().energy(case.X), case.objective.answers.n_outputs
    wanted = [(_ROWS, n_outputs), (_ROWS, 2)] if n_outputs == 1 else [(_ROWS, n_outputs)]
    assert np.shape(outputs) in wanted, f"outputs have shape {np.shape(outputs)}, not {wanted[0]}"
    assert np.isfinite(outputs).all(), "some outputs are not finite"


def _descent(case):
    if case.energy.answers == {"inputs"}:
        return
    outputs = case.fit().energy(case.X)
    found, start = (case.objective.value_and_gradient(o)[0] for o in (outputs, 0 * outputs))
    assert found < start, f"the objective is {found:.4g}, and {start:.4g} where outputs are zero"


def _independent_rows(case):
    energy = case.fit().energy
    assert_allclose(energy(case.X[7:9]), energy(case.X)[7:9], **_EQUAL)


def _same_seed(case):
    assert_array_equal(case.fit().energy(case.X), case.fit().energy(case.X))


def _nothing_is_written(case):
    training, inputs, weights = case.training(), case.X.copy(), case.objective.weights.copy()
    before, of_answers = dict(vars(training)), dict(vars(case.objective.answers))
    clone(case.energy).fit(inputs, training)
    assert vars(training).keys() == before.keys(), "attributes of training changed"
    assert all(vars(training)[key] is value for key, value in before.items()), "training changed"
    kept = vars(case.objective.answers)
    assert all(kept[key] is value for key, value in of_answers.items()), "the answers changed"
    assert_array_equal(case.objective.weights, weights)
    assert_array_equal(inputs, case.X)


def _clones_are_unfitted(case):
    copy = case.fit().energy.clone_with_choices()
    assert type(copy) is type(case.energy)
    fitted = [name for name in vars(copy) if name.endswith("_")]
    assert not fitted, f"a clone has the fitted attributes {fitted}"


def _copies(case):
    energy = case.fit().energy
    assert_array_equal(deepcopy(energy)(case.X), energy(case.X))


ENERGY_LAWS = {
    "a fit writes on nothing that it is given": _nothing_is_written,
    "fit returns a FitResult of what it found": _result,
    "the pullback that training.minimize gets is the gradient of outputs": _pullback,
    "outputs are finite, of shape (m, o)": _outputs,
    "a fit descends": _descent,
    "outputs of a row do not depend on other rows": _independent_rows,
    "the same seed gives the same fit": _same_seed,
    "clones for folds are unfitted": _clones_are_unfitted,
    "a copy of the fitted energy gives the same outputs": _copies,
}
