"""Forests as energies, whose held-out outputs are those of trees that did not draw a row."""

import dataclasses
import warnings

import numpy as np

from sk_ebm.energies.experts._class_expert import ExpertEnergy


class OutOfBagEnergy(ExpertEnergy):
    """The energy of a forest that is fitted once, whatever the folds.

    Rows are drawn for each tree, so that the trees that did not draw a row say what a fit without
    it says (Breiman, "Out-of-bag estimation", 1996). Where groups or ``cv`` say which rows belong
    together, the forest is fitted on their folds.

    Parameters
    ----------
    estimator : forest of classifiers
        With ``bootstrap=True`` and ``oob_score=True``.
    """

    raw = False  # numbers, as the other terms
    fits_on_folds = True

    def fit(self, inputs, training):
        with warnings.catch_warnings():  # of rows that all trees drew, which get equal shares
            warnings.filterwarnings("ignore", "Some inputs do not have OOB scores", UserWarning)
            result = super().fit(inputs, training)
        weights = training.objective.weights
        if training.folds is not None or not weights.all() or len(weights) < 2:
            return result
        outputs = self._outputs_of(self.estimator_.oob_decision_function_)
        return dataclasses.replace(result, held_out=(np.arange(len(weights)), outputs))
