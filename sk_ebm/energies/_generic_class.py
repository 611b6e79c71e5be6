"""A generic class, to which rows are compared: energies are then log likelihood ratios.

<f(x), v_y> - |v_y|^2 / 2 is the log likelihood ratio of class y, N(v_y, I), to N(0, I). But rows
of a class that is not known follow N(0, I + diag(b)), where b are the variances of class means.
With this as the reference, energies are those of probabilistic linear discriminant analysis
(Ioffe, ECCV, 2006), and the least energy says whether any of the known classes fits x better than
a class of its own would. Probabilities of the classes are the same.
"""

import numpy as np


def generic_energies(features, prior):
    """log N(x; 0, I + diag(b)) - log N(x; 0, I) of features (m, r), (m,); of squared distances,
    |x|^2 / 2."""
    reference = prior.reference.astype(features.dtype)
    return np.square(features) @ reference - features.dtype.type(prior.log_volume)


def beside_generic_class(features, prior):
    """Features (m, r + 1), of which the last stands for the generic class.

    Of rows of unknown classes, its energies reject more than inner products alone and than the
    distance to the nearest class do (docs/benchmarks/answers.py --part faces).
    """
    return np.column_stack([features, -generic_energies(features, prior)])


def with_generic_class(vectors):
    """Vectors (K, r + 1) of the classes for these features."""
    return np.column_stack([vectors, np.ones(len(vectors), vectors.dtype)])
