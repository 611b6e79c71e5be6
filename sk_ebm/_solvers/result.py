"""What a solver returns, and the l2 penalty."""

from typing import NamedTuple

import numpy as np


class Result(NamedTuple):
    """Parameters of least objective, and whether the tolerance was reached."""

    params: np.ndarray
    converged: bool


def ridge(l2, params):
    """(l2/2) params^2, in all."""
    return 0.5 * float(np.sum(l2 * np.square(params)))
