"""Tables as the inputs of a conditional density."""

import numpy as np

from sk_ebm._density.checks import validated_targets
from sk_ebm._tables.numbers import TableNumbers, Target
from sk_ebm._tables.schema import Table
from sk_ebm._utils.sklearn_private import check_sample_weight


class ConditionalTables:
    """Mixin of a density that reads tables as numbers, encoded with what it is a density of."""

    def _read(self, X, y, sample_weight):
        """The inputs as numbers, the targets (n, n_targets) and the weights of the rows."""
        X, targets = self._validated_data(X, y)
        weights = check_sample_weight(sample_weight, X)
        return self._learn_numbers(X, targets, weights), targets, weights

    def _reads_table(self, X):
        """Whether X is read through a schema, which is then learned."""
        takes_nan = bool(self._given_estimators)
        self._schema = self._learn_schema(X, takes_nan, keeps_frames=False)
        return self._schema is not None

    def _read_new_table(self, X, y):
        """A `Table`, and targets (n, n_targets)."""
        table = self._read_table(X)
        n_targets = np.shape(y)[1] if np.ndim(y) == 2 else 1
        return table, validated_targets(table, y, n_targets)

    def _learn_numbers(self, X, targets, weights):
        """The columns of a table as numbers, whose many categories the first target encodes."""
        self._numbers = None
        if not isinstance(X, Table):
            return X
        self._numbers = TableNumbers()
        used = None if (weights > 0).all() else np.flatnonzero(weights)
        target = Target(targets[:, 0], "continuous")
        return self._numbers.fit_transform(X, target, used)
