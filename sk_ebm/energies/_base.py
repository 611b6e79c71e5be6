"""What every energy function has in common."""

from sklearn.base import BaseEstimator, clone


class Energy(BaseEstimator):
    """Base class of energy functions: low where the answer fits the inputs.

    An energy is fitted on an objective, and then called:

    - ``fit(inputs, objective, rng)`` finds the outputs of low objective and returns self, with
      fitted attributes ending in an underscore. *The loss sees energies; the energy decides how
      to descend*: along parameters through ``objective.minimize``, or along the slopes that
      ``objective(outputs)`` and ``objective.second_order(outputs)`` return.
    - ``energy(inputs)`` returns the outputs (m, o), which the answers turn into energies.

    An energy whose own fit yields outputs of samples it was not fitted on leaves them, with the
    samples, in ``objective.held_out``. Energies add: ``LinearEnergy() + TreesEnergy()`` is a
    `SumEnergy`. scikit-learn's input tags say whether missing values and sparse matrices are
    taken (`__sklearn_tags__`); by default sparse matrices are.

    Attributes
    ----------
    anchored : bool
        Whether the energy of one answer cannot fall everywhere: without it the energy loss
        collapses.
    positive : bool
        Whether energies are never negative.
    solvers : tuple of str
        Names of the solvers it can use.
    raw : bool
        Whether it also reads frames and arrays of objects itself, as the user gave them.
    takes_offset : bool
        Whether it can be fitted to what other energies left.
    of_classes : bool
        Whether it can only have classes as answers.
    of_inputs : bool
        Whether it is an energy E(x) of the inputs alone, the same for all answers.
    of_items : bool
        Whether it can only have the items of a query as answers.
    normalised : bool
        Whether outputs are logarithms of probabilities, which leave nothing for a free energy.
    single_precision : bool
        Whether densities give it inputs of single precision, on which it is faster.
    """

    anchored = False
    positive = False
    solvers: tuple[str, ...] = ()
    raw = False
    takes_offset = True
    of_classes = False
    of_inputs = False
    of_items = False
    normalised = False
    single_precision = False

    def fit(self, inputs, objective, rng):
        raise NotImplementedError(f"{type(self).__name__} must define fit.")

    def __call__(self, inputs):
        raise NotImplementedError(f"{type(self).__name__} must define __call__.")

    def check(self):
        """Raise a ValueError or TypeError if a parameter is out of range."""

    def settled(self):
        """An unfitted clone, for folds, that does not choose again what the fit has chosen."""
        return clone(self)

    def for_inputs(self, labelled):
        """The energy as a detector uses it: of inputs alone, where it can be that."""
        return self

    def unseen(self, inputs, objective, splits, rng):
        """Samples and outputs of clones that were not fitted on them, once it is fitted."""
        return objective.cross_fit(self, inputs, splits, rng)

    def parts(self):
        """The energies that are fitted on the loss: itself, or the terms of a sum."""
        return [self]

    def __add__(self, other):
        from sk_ebm.energies._sum import add  # a sum is made of energies, so it comes later

        return add(self, other)

    def __radd__(self, other):
        from sk_ebm.energies._sum import add

        return add(other, self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
