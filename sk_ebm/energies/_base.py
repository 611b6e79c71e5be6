"""What every energy function has in common."""

from sklearn.base import BaseEstimator, clone

from sk_ebm._core.contributions import sampled_shapley
from sk_ebm._utils.html import Boxes


class Energy(Boxes, BaseEstimator):
    """Base class of energy functions: low where the answer fits the inputs.

    An energy is fitted, and what the fit returns is called:

    - ``fit(inputs, training)`` finds outputs of low objective and returns a `FitResult` with the
      fitted energy, whose fitted attributes end in an underscore. *The loss sees energies; the
      energy decides how to descend*: along parameters through ``training.minimize``, or along the
      derivatives that ``training.objective.value_and_gradient(outputs)`` and
      ``training.objective.second_order(outputs)`` return.
    - ``energy(inputs)`` returns the outputs (m, o), which the answers turn into energies.

    Energies add: ``LinearEnergy() + TreesEnergy()`` is a `SumEnergy`. scikit-learn's input tags say
    whether missing values and sparse matrices are taken (`__sklearn_tags__`); by default sparse
    matrices are. What else it needs and gives is declared by the attributes, which the table of
    compatibility reads.

    Attributes
    ----------
    answers : frozenset of str
        What it can be an energy of: "classes", "items" of a query and "values" of a continuous
        target; or "inputs" alone, without answers.
    anchored : bool
        Whether the energy of one answer cannot fall everywhere, which the energy loss needs.
    positive : bool
        Whether energies are never negative.
    normalised : bool
        Whether outputs are log-probabilities, whose free energy is zero.
    rejects_by_least : bool
        Whether the least energy of all answers says better than the free energy that none fits.
    solvers : tuple of str
        Names of the solvers that it can use.
    takes_offset : bool
        Whether it can be fitted to what other energies left.
    raw : bool
        Whether it also reads frames and arrays of objects itself, as the user gave them.
    reads_tables : bool
        Whether a `Table` comes as it is, with native categories; else encoded (`on_tables`).
    reads_dates : bool
        Whether these may hold dates and durations.
    takes_class_features : bool
        Whether it learns from features of the classes, and takes new classes without a refit.
    samples_classes : bool
        Whether it can be fitted to candidates drawn among the classes (`Sampled`).
    fits_chains : bool
        Whether it can be fitted to label sequences (`Chains`) jointly with their transitions.
    fits_on_folds : bool
        Whether the held-out outputs that its fit gives are those of energies fitted on the folds.
    """

    answers = frozenset({"classes", "items", "values"})
    anchored = False
    positive = False
    normalised = False
    rejects_by_least = False
    solvers: tuple[str, ...] = ()
    takes_offset = True
    raw = False
    reads_tables = False
    reads_dates = False
    takes_class_features = False
    samples_classes = False
    fits_chains = False
    fits_on_folds = False

    def fit(self, inputs, training):
        raise NotImplementedError(f"{type(self).__name__} must define fit.")

    def __call__(self, inputs):
        raise NotImplementedError(f"{type(self).__name__} must define __call__.")

    def check(self):
        """Raise a ValueError or TypeError if a parameter is out of range."""

    def check_weights(self, weights):
        """Raise a ValueError if it cannot take these weights (n,) of rows."""

    def clone_with_choices(self):
        """An unfitted clone, for folds, that keeps what the fit has chosen."""
        return clone(self)

    def as_detector(self, labelled):
        """The energy as a detector uses it: of inputs alone, where it can be that."""
        return self

    def on_tables(self):
        """The energy as it reads a `Table`, of which each term of a sum reads its own form."""
        from sk_ebm.energies._encoded import EncodedEnergy  # itself an energy, so it comes later

        return EncodedEnergy(self)

    def can_leave_out(self, inputs, n_rows):
        """Whether its fit to so many rows, counted by weight, gives their held-out energies, as if
        each had been left out."""
        return False

    def with_shares_of(self, objective, outputs):
        """Itself and held-out outputs of the objective's samples, with the shares of their answers
        where the energy was not fitted to these."""
        return self, outputs

    @property
    def additive(self):
        """Whether the `contributions` of a fitted energy are in closed form."""
        return False

    def contributions(self, inputs, background):
        """`Contributions` of the columns of the inputs to the outputs: sampled Shapley values
        beside rows of a background, unless the energy is ``additive``."""
        found = sampled_shapley(lambda table, rows: self(table), inputs, background)
        return found._replace(base=found.base[0])  # that of all rows

    def outputs_of_terms(self, inputs):
        """Outputs (n, o) of each term, times its weight, by its name; one for what is no sum."""
        return {type(self).__name__: self(inputs)}

    @property
    def constant_of_terms(self):
        """What the outputs have besides those of the terms."""
        return 0.0

    def class_vectors(self):
        """Vectors (o, r) and biases (o,) of the outputs, if these are
        ``features(inputs) @ vectors.T + biases``; else None. Then candidates can be sampled, and
        searched by an index."""
        return None

    def with_classes(self, new, order):
        """A copy with `NewClasses`, whose columns come after those of its classes and are then put
        into this order, where ``takes_class_features``."""
        raise NotImplementedError(f"{type(self).__name__} takes no new classes.")

    def all_terms(self):
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
