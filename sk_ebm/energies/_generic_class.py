"""A generic class, to which rows are compared: energies are then log likelihood ratios.

<f(x), v_y> - |v_y|^2 / 2 is the log likelihood ratio of class y, N(v_y, I), to N(0, I). But rows
of a class that is not known follow N(0, I + diag(b)), where b are the variances of class means.
With this as the reference, energies are those of probabilistic linear discriminant analysis
(Ioffe, ECCV, 2006), and the free energy says whether any of the known classes fits x better than a
class of its own would. Probabilities of the classes are the same.
"""

import numpy as np


def beside_generic_class(features, between):
    """Features (m, r + 1), the last of which subtracts log N(x; 0, I + diag(b)) - log N(x; 0, I).

    Of held-out rows of unknown classes, it rejects more than the free energy of the inner products
    and than the distance to the nearest class: areas under the curve of .95, .87 and .93, on
    average of faces, objects and digits (docs/benchmarks/answers.py --part faces).
    """
    shares = between / (1 + between)
    generic = 0.5 * (np.square(features) @ shares + np.log1p(-shares).sum())
    return np.column_stack([features, -generic.astype(features.dtype)])


def with_generic_class(vectors):
    """Vectors (K, r + 1) of the classes for these features."""
    return np.column_stack([vectors, np.ones(len(vectors), vectors.dtype)])
