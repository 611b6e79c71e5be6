"""The energy that is the same for all inputs."""

import numpy as np

from sk_ebm._core.training import FitResult
from sk_ebm._utils.sklearn_private import count_rows
from sk_ebm.energies._base import Energy


class ConstantEnergy(Energy):
    """Outputs of least loss that do not depend on the inputs: of classes, those of their shares.

    Attributes
    ----------
    constant_ : ndarray of shape (n_outputs,)
    """

    raw = True

    def fit(self, inputs, training):
        self.constant_ = constant_outputs(training)
        return FitResult(self)

    def __call__(self, inputs):
        return np.broadcast_to(self.constant_, (count_rows(inputs), len(self.constant_))).copy()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = True
        return tags


def constant_outputs(training):
    """Outputs (o,), the same for all rows, of least objective, or likelihood if that is safer."""
    loss = training.objective.loss
    if not (loss.second_derivatives and loss.exact):
        training = training.as_likelihood()
    objective = training.objective
    shape = len(objective.row_weights), objective.answers.n_outputs

    def vjp(params):
        return np.broadcast_to(params, shape), lambda gradient: gradient.sum(axis=0, keepdims=True)

    constant = training.replace(solver="lbfgs", report=None)
    return constant.minimize(np.zeros((1, shape[1])), vjp, np.zeros((1, 1))).params[0]
