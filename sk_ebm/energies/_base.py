"""What every energy function has in common."""

from sklearn.base import BaseEstimator


class Energy(BaseEstimator):
    """Base class of energy functions: low where the answer fits the inputs.

    An energy is fitted on an objective, and then called:

    - ``fit(inputs, objective, rng)`` finds the outputs of low objective and returns self, with
      fitted attributes ending in an underscore. *The loss sees energies; the energy decides how
      to descend*: along parameters through ``objective.minimize``, or along the slopes that
      ``objective(outputs)`` returns.
    - ``energy(inputs)`` returns the outputs (m, o), which the answers turn into energies.

    An energy whose own fit yields outputs of samples it was not fitted on leaves them, with the
    samples, in ``objective.held_out``.

    Attributes
    ----------
    anchored : bool
        Whether the energy of one answer cannot fall everywhere: without it the energy loss
        collapses.
    positive : bool
        Whether energies are never negative.
    solvers : tuple of str
        Names of the solvers it can use.
    """

    anchored = False
    positive = False
    solvers: tuple[str, ...] = ()

    def fit(self, inputs, objective, rng):
        raise NotImplementedError(f"{type(self).__name__} must define fit.")

    def __call__(self, inputs):
        raise NotImplementedError(f"{type(self).__name__} must define __call__.")

    def check(self):
        """Raise a ValueError or TypeError if a parameter is out of range."""
