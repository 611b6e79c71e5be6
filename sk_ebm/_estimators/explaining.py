"""Why: contributions of columns, or of terms, to the energies of an estimator."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sk_ebm._core.contributions import Contributions, background_rows, sampled_shapley
from sk_ebm._density.chain import ConditionalChain
from sk_ebm._density.checks import check_kind, validated_targets
from sk_ebm._density.joint import column_energies
from sk_ebm._tables.schema import Table
from sk_ebm._utils.sklearn_private import feature_names
from sk_ebm.distributions import PredictiveDistribution
from sk_ebm.energies._fold_median import of_compatible
from sk_ebm.explanations import Explanation


class KeepsBackground:
    """Mixin of estimators that keep some training rows, beside which others are explained."""

    def _keep_background(self, inputs, weights):
        rows = background_rows(inputs, weights)
        self._background = rows.without_source() if isinstance(rows, Table) else rows


class Explains(KeepsBackground):
    """Mixin of estimators whose energies are linear in the outputs of ``energy_``.

    A member defines ``_arrange(outputs)``, the energies (n,) or (n, k) of outputs (n, o).
    """

    def explain(self, X):
        """Contributions of the columns to the energies, which they add up to.

        They are in closed form for linear, tree, marginal, Gaussian and mixture energies, and their
        sums; else they are Shapley values, sampled by replacing columns by those of training rows,
        for energies of inputs (neighbors, forest) by those of the nearest ones.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        explanation : Explanation
            ``base + values.sum(axis=1)`` are the `energies`.

        Raises
        ------
        ValueError
            If X is out of range, or answers have parts: label sequences and sets of labels.
        """
        check_is_fitted(self)
        return self._explain(self._inputs_to_explain(X))

    def explain_terms(self, X):
        """The same by term of a sum: their energies, times their weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        explanation : Explanation
            ``feature_names`` are those of the terms; the constant of the sum is the base.
        """
        check_is_fitted(self)
        return self._explain_terms(self._inputs_to_explain(X))

    def _inputs_to_explain(self, X):
        return self._validated(self.energy_, X, reset=False)

    def _explain(self, inputs):
        found = self.energy_.contributions(inputs, self._background)
        names = feature_names(self, found.values.shape[1])
        return self._explained(found.values, found.base, names, found.errors)

    def _explain_terms(self, inputs):
        outputs = self.energy_.outputs_of_terms(inputs)
        values = np.stack(list(outputs.values()), axis=1)
        base = np.broadcast_to(self.energy_.constant_of_terms, values.shape[2:])
        return self._explained(values, base, list(outputs))

    def _explained(self, values, base, names, errors=None):
        """An `Explanation`, of values and errors (n, d, o) and a base (o,) or (n, o) of outputs."""

        def by_column(values):
            energies = self._arrange(values.reshape(-1, values.shape[2]))
            return energies.reshape(*values.shape[:2], *energies.shape[1:])

        if errors is not None:  # of more than two outputs, each is that of one energy
            parts = np.eye(2)[:, : errors.shape[2]] if errors.shape[2] <= 2 else [1.0]
            errors = sum(np.abs(by_column(errors * part)) for part in parts)
        of_base = self._arrange(np.atleast_2d(base))
        of_base = of_base[0] if np.ndim(base) == 1 else of_base
        classes = vars(self).get("classes_")
        return Explanation(by_column(values), of_base, names, errors, classes)

    @property
    def feature_importances_(self):
        """Mean absolute contributions (n_features,) of the columns, over some training rows, where
        they are in closed form."""
        check_is_fitted(self)
        if not self.energy_.additive:
            raise AttributeError(
                f"feature_importances_ needs contributions in closed form, which those of "
                f"{type(self.energy_).__name__} are not: use explain(X).importances()."
            )
        return self._explain(self._background).importances()


class ExplainsDetection(Explains):
    """Mixin of detectors, whose energy is that of being compatible."""

    def _arrange(self, outputs):
        return of_compatible(outputs)[:, 0]


class ExplainsDensities(KeepsBackground):
    """Mixin of densities: what adds up to -log p(x), or to -log p(y given x)."""

    def explain(self, X, y=None):
        """Contributions of the columns to the energy -log p(x), or to that of a given y.

        Those to -log p(x) are the energies of the columns, each given the columns before it,
        averaged over the orders of columns that were fitted, less their means over some training
        rows. Those to -log p(y given x) are Shapley values, sampled by replacing columns by those
        of training rows. The encoded columns of a table are summed by the column they are made of.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Needed with ``conditional=True``.

        Returns
        -------
        explanation : Explanation
            ``base + values.sum(axis=1)`` are ``-score_samples(X)``, or ``-log_prob(X, y)``.

        Raises
        ------
        ValueError
            If X or y are out of range, or y is missing.
        """
        X = self._validated_X(X)
        found = self._conditional_contributions(X, y) if self.conditional else self._of_columns(X)
        return self._explained(found)

    def _explained(self, found):
        names = feature_names(self, found.values.shape[1])
        return Explanation(found.values, found.base, names, found.errors)

    def _conditional_contributions(self, X, y):
        if y is None:
            raise ValueError("y is None, but its density given X is explained: explain(X, y).")
        y = validated_targets(X, y, len(self.chain_))
        y = y[:, 0] if y.shape[1] == 1 else y
        check_kind(self.kind, self.rounding_)

        def energies(table, rows):
            distribution = PredictiveDistribution(ConditionalChain(self.chain_), table)
            return -distribution.log_prob(y[rows], self.kind)[:, None]

        found = sampled_shapley(energies, X, self._background)
        if self._schema is not None:
            found = found.summed_over(self._numbers.sources(), len(self._schema.names))
        return Contributions(found.values[:, :, 0], found.base[:, 0], found.errors[:, :, 0])

    def _of_columns(self, X):
        check_kind(self.kind, self.rounding_)
        values, rest = column_energies(self._ordered_chains, X, self.kind)
        means = column_energies(self._ordered_chains, self._background, self.kind)[0].mean(axis=0)
        return Contributions(values - means, rest + means.sum())

    @property
    def feature_importances_(self):
        """Mean absolute contributions (n_features,) to -log p(x), over some training rows."""
        check_is_fitted(self)
        if self.conditional:
            raise AttributeError(
                "feature_importances_ needs contributions in closed form, which those to the "
                "energy of y are not: use explain(X, y).importances()."
            )
        return self._explained(self._of_columns(self._background)).importances()
