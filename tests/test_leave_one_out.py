"""Approximate leave-one-out outputs of linear energies."""

import numpy as np
import pytest
from helpers import fit, training_of
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm._core.training import Penalty
from sk_ebm.energies import LinearEnergy
from sk_ebm.energies._design import make_design
from sk_ebm.energies._leave_one_out import leave_one_out, leave_one_out_pays
from sk_ebm.losses._likelihood import NLL
from sk_ebm.losses._table1 import Hinge

n = 60


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("alpha", [0.01, 0.1])
def test_leave_one_out_is_close_to_exact_refits(alpha, n_classes, X, objective, rng):
    """One unit of each weight is left out at the same strength of the penalty, alpha n."""
    weights = rng.randint(1, 4, size=n).astype(float)
    labels = Labels(np.minimum(objective.answers.target, n_classes - 1), n_classes)
    objective = Objective(labels, NLL(), weights)
    exact = []
    for i in range(n):
        rest = weights - (np.arange(n) == i)
        strength = alpha * weights.sum() / rest.sum()
        refit = fit(LinearEnergy(), X, objective.replace(weights=rest), rng, alpha=strength)
        exact.append(refit.energy(X[i : i + 1])[0])
    design = make_design(X, weights, rotate=False, idle=labels.idle_outputs(True))
    training = training_of(objective, rng, alpha=alpha)
    energy = LinearEnergy().fit(X, training).energy
    params = np.vstack([energy.coef_, energy.intercept_ + design.centre @ energy.coef_])
    params[:-1] /= design.scale[:-1]
    samples, approximate = leave_one_out(design, training, params)
    assert_array_equal(samples, np.arange(n))
    error = np.abs(approximate - exact).max()
    assert error < (0.03 if n_classes == 2 else 0.1) * np.abs(energy(X) - exact).max()


def test_it_needs_a_smooth_objective_of_dense_rows_without_folds(X, objective, rng):
    design = make_design(X, objective.weights, rotate=False)
    training = training_of(objective, rng, alpha=0.1)
    assert leave_one_out_pays(design, training)
    hinge = objective.replace(loss=Hinge())
    assert not leave_one_out_pays(design, training.replace(objective=hinge))
    assert not leave_one_out_pays(design, training.replace(folds=training.default_folds()))
    assert not leave_one_out_pays(design, training.replace(penalty=Penalty(0.1, 0.5)))
    sparse_design = make_design(sparse.csr_array(X), objective.weights, rotate=False)
    assert not leave_one_out_pays(sparse_design, training)


def test_it_is_what_a_linear_energy_holds_out(X, objective, rng):
    held_out = fit(LinearEnergy(), X, objective, rng, alpha=0.1, calibrates=True).held_out
    assert_array_equal(held_out[0], np.arange(n))
    value = objective.value_and_gradient(held_out[1])[0]
    fitted = fit(LinearEnergy(), X, objective, rng, alpha=0.1).energy
    assert value > objective.value_and_gradient(fitted(X))[0]
    assert_allclose(held_out[1], fitted(X), atol=1.5)
