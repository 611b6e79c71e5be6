"""What fitting a base density q(y given x) finds.

A base has a known cdf F, and energies of its normal score z = Phi^-1(F(y given x)) correct it.
``base.fit(X, y, points, weights, splits, rng)`` returns a `BaseFit`; an answer counts as spread
evenly over its points (n, k). After it ``base.distribution(X)`` returns the distributions of new
rows and the features that energies read.

Distributions have ``logpdf(y)`` in nats of y (n, k); the normal score ``normal_score(y)``, accurate
in both tails, of y (n, k) or, the same in all rows, (k,); and its inverse ``from_normal_score(z)``.
Where the latter has kinks, ``breaks`` (n, b) are the normal scores at these places.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BaseFit:
    """A fitted base, and what the energy that corrects it is fitted on.

    Attributes
    ----------
    base : fitted base
    normal_scores : ndarray of shape (n, k)
        Those of the points, under distributions that were fitted without the row.
    features : ndarray of shape (n, n_features)
        What energies read of the training rows.
    """

    base: object
    normal_scores: np.ndarray
    features: np.ndarray
