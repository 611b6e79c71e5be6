"""What a solver returns, and the ridge penalty."""

from collections import namedtuple

import numpy as np

Result = namedtuple("Result", ["params", "converged"])


def _ridge(l2, params):
    return 0.5 * float(np.sum(l2 * np.square(params)))
