"""Where the fits of losses that are not smooth start."""

import numpy as np

_SMALL_START = (
    0.1  # of the likelihood's optimum; with 1 the perceptron's log-loss is .001 +- .008 higher
)


def least_scale(objective, vjp, params):
    """The scale of parameters, which are optimal for another loss, of least loss.

    Without a margin every scale has the same optimum, and the smaller the parameters, the more
    answers a step of the solver changes: then the start is a small multiple.
    """
    if objective.loss.trivial_minimum == "equal":
        return _SMALL_START

    def loss(scale):
        return objective.value_and_gradient(vjp(scale * params)[0])[0]

    return min(0.5 ** np.arange(12), key=loss)
