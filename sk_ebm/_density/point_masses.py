"""The probabilities of point masses given x."""

from dataclasses import dataclass

import numpy as np

from sk_ebm._core.classes import Labels
from sk_ebm._core.gibbs import Gibbs
from sk_ebm.energies import Energy


@dataclass(frozen=True, eq=False)
class PointMassClassifier:
    """Gibbs probabilities of the point masses, and of "none of them", given x.

    Attributes
    ----------
    points : ndarray of shape (n_points,)
    energy_, beta_, n_iter_, loss_curve_
        As for `EnergyClassifier`, of the classes of `class_answers`.
    converged : bool
    """

    points: np.ndarray
    energy_: Energy
    beta_: float
    n_iter_: int
    loss_curve_: list
    converged: bool

    @staticmethod
    def class_answers(y, points):
        """Answers: the index of the point that each of y (n,) equals, or the number of points."""
        equal = np.column_stack([y[:, None] == points, np.ones(len(y), dtype=bool)])
        return Labels(np.argmax(equal, axis=1), len(points) + 1)

    def log_masses(self, features):
        """Log probabilities (n, n_points + 1), the last of no point mass."""
        energies = Labels.arrange(self.energy_(features).astype(np.float64))[0]
        return Gibbs(energies, beta=self.beta_).log_probabilities
