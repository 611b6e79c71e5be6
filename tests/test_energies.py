"""Laws of the energies that the registry names, and of a foreign one."""

import numpy as np
import pytest
from helpers import fit, training_of
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeRegressor

from sk_ebm import EnergyClassifier
from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm._core.training import FitResult
from sk_ebm._testing.energy_laws import ENERGY_LAWS, EnergyCase
from sk_ebm.energies import (
    ENERGIES,
    INPUT_ENERGIES,
    Energy,
    KernelEnergy,
    MLPEnergy,
    PrototypeEnergy,
)
from sk_ebm.losses import NLL

VARIANTS = {
    **{name: energy() for name, energy in ENERGIES.items()},
    "kernel_few": KernelEnergy(n_components=10),
    "kernel_fourier": KernelEnergy("fourier", n_components=30),
    "mlp_deep": MLPEnergy((8, 6), "tanh", early_stopping=False, n_epochs=40),
    "prototype_min": PrototypeEnergy(2, latent="min"),
}
EVERY = {**VARIANTS, **{name: energy() for name, energy in INPUT_ENERGIES.items()}}
FAST = ["linear", "kernel", "embedding"]  # laws of other energies are tried on classes only
every_energy = pytest.mark.parametrize("name", VARIANTS)
# Mini-batches amplify rounding, and so does the choice of the nearest of two prototypes.
steady = pytest.mark.parametrize(
    "name", ["linear", "kernel", "kernel_few", "kernel_fourier", "prototype"]
)
n, n_classes = 60, 3


def fitted(name, X, objective, seed=0, **settings):
    """A fitted energy of its own; components may be shared, fits never."""
    settings = {"alpha": 0.01, **settings}
    return fit(VARIANTS[name], X, objective, np.random.RandomState(seed), **settings).energy


@every_energy
def test_fits_descend(name, X, objective):
    energy = fitted(name, X, objective)
    assert objective.value_and_gradient(energy(X))[0] < 0.98 * np.log(n_classes)


LAW_CASES = {
    (name, kind): EnergyCase.of(energy, kind)
    for name, energy in EVERY.items()
    for kind in (["classes"] if name in VARIANTS and name not in FAST else sorted(energy.answers))
}


@pytest.mark.parametrize("law", ENERGY_LAWS)
@pytest.mark.parametrize("case", LAW_CASES, ids="-".join)
def test_laws(case, law):
    ENERGY_LAWS[law](LAW_CASES[case])


@pytest.mark.parametrize("shift", [0, 1e5])
@every_energy
def test_outputs_are_products_with_class_vectors(name, shift, X, objective):
    """Where an energy has these, searches and samples of classes use them."""
    energy = fitted(name, X + shift, objective)
    if energy.class_vectors() is None:
        assert name.split("_")[0] in ("trees", "prototype")
        return
    vectors, biases = energy.class_vectors()
    outputs = energy.features(X + shift) @ vectors.T + biases
    assert_allclose(outputs, energy(X + shift), rtol=1e-7, atol=1e-7)


@every_energy
def test_float32_is_kept(name, X, objective):
    X = X.astype(np.float32)
    assert fitted(name, X, objective)(X).dtype == np.float32


@pytest.mark.parametrize("name", ["linear", "kernel", "prototype"])
def test_float32_gives_nearly_the_same_outputs(name, X, objective):
    expected = fitted(name, X, objective)(X)
    X = X.astype(np.float32)
    assert_allclose(fitted(name, X, objective)(X), expected, atol=0.02)


@steady
def test_sparse_inputs_give_the_outputs_of_dense_ones(name, X, objective):
    expected = fitted(name, X, objective, tol=1e-12)(X)
    X = sparse.csr_array(X)
    assert_allclose(fitted(name, X, objective, tol=1e-12)(X), expected, atol=1e-4)


@every_energy
def test_sparse_predictions_are_those_of_dense_inputs(name, X, objective):
    energy = fitted(name, sparse.csr_array(X), objective)
    assert_allclose(energy(sparse.csr_array(X)), energy(X), rtol=1e-8, atol=1e-10)


@every_energy
def test_two_classes_have_one_output_or_two_energies(name, X, objective, rng):
    objective = objective.replace(answers=Labels((X[:, 0] > 0).astype(int), 2))
    outputs = fitted(name, X, objective)(X)
    assert objective.answers.arrange(outputs)[0].shape == (n, 2)


BAD = {
    "approximation": (KernelEnergy, ["sparse", None]),
    "n_components": (KernelEnergy, [0, -3, 2.5, np.nan, "many"]),
    "gamma": (KernelEnergy, [0, -1.0, np.inf, np.nan, "scale"]),
    "hidden_layer_sizes": (MLPEnergy, [0, (4, -1), (2.5,), "wide", None]),
    "activation": (MLPEnergy, ["step", None]),
    "learning_rate": (MLPEnergy, [0, -1.0, np.inf, np.nan, "fast", None]),
    "batch_size": (MLPEnergy, [0, -1, 2.5, np.inf, np.nan, "all"]),
    "n_epochs": (MLPEnergy, [0, -1, 2.5, np.inf, np.nan, "all", None]),
    "validation_fraction": (MLPEnergy, [0, 1, -0.1, np.nan, "half", None]),
    "patience": (MLPEnergy, [0, -1, np.nan, "long", None]),
    "n_prototypes": (PrototypeEnergy, [0, -1, 2.5, "many", None]),
    "latent": (PrototypeEnergy, ["max", None]),
}


@pytest.mark.parametrize(
    "energy, name, value",
    [
        pytest.param(energy, name, value, id=f"{name}-{value}")
        for name, (energy, values) in BAD.items()
        for value in values
    ]
    + [
        pytest.param(PrototypeEnergy, "gamma", v, id=f"prototype-{v}") for v in (0, np.nan, "scale")
    ],
)
def test_check_names_the_bad_parameter(energy, name, value):
    with pytest.raises((ValueError, TypeError), match=name):
        energy(**{name: value}).check()


@every_energy
def test_results_hold_what_the_fit_found(name, X, objective):
    result = fit(VARIANTS[name], X, objective, alpha="auto")
    assert result.n_iter >= 1
    assert result.alpha == result.energy.alpha_
    assert len(result.history) in (0, result.n_iter)
    assert_allclose(result.outputs_of(X), result.energy(X), atol=1e-5)


@pytest.mark.parametrize(
    "settings", [{"alpha": 0.01}, {"alpha": "auto", "calibrates": True}], ids=str
)
@pytest.mark.parametrize("name", EVERY)
def test_a_fit_changes_nothing_of_its_training(name, settings, X, objective):
    """Not by identity; an objective may only have computed what it keeps for later."""
    training = training_of(objective, **settings)
    inputs, weights = X.copy(), objective.weights.copy()
    if name in INPUT_ENERGIES:  # rows of equal weight, all of them compatible
        objective = Objective(Labels(np.ones(n, dtype=int), 2), NLL(), np.ones(n))
        training, weights = training.replace(objective=objective), np.ones(n)
    before, of_answers = dict(vars(training)), dict(vars(objective.answers))
    of_objective = {k: v for k, v in vars(objective).items() if not k.startswith("_")}
    clone(EVERY[name]).fit(X, training)
    assert vars(training).keys() == before.keys()
    assert all(vars(training)[key] is value for key, value in before.items())
    kept = {k: v for k, v in vars(objective).items() if not k.startswith("_")}
    assert kept.keys() == of_objective.keys()
    assert all(kept[key] is value for key, value in of_objective.items())
    assert all(vars(objective.answers)[key] is value for key, value in of_answers.items())
    assert_array_equal(objective.weights, weights)
    assert_array_equal(X, inputs)


class Stumps(Energy):
    """A foreign energy without parameters: trees of one split, along the gradient."""

    def fit(self, inputs, training):
        objective, history = training.objective, []
        self.n_outputs_ = objective.answers.n_outputs
        self.trees_, outputs = [], np.zeros((len(inputs), self.n_outputs_))
        share = objective.row_weights / objective.weights.sum()
        for _ in range(30):
            value, gradient = objective.value_and_gradient(outputs)
            history.append(value)
            tree = DecisionTreeRegressor(max_depth=1, random_state=0)
            self.trees_.append(tree.fit(inputs, -gradient / share[:, None], share))
            outputs += self._step(tree, inputs)
        return FitResult(self, outputs=outputs, history=history)

    def _step(self, tree, inputs):
        return 0.5 * tree.predict(inputs).reshape(-1, self.n_outputs_)

    def __call__(self, inputs):
        return sum(self._step(tree, inputs) for tree in self.trees_)


def test_a_foreign_energy_descends_in_every_round_on_all_answers(problem, rng):
    X, objective, _ = problem
    result = fit(Stumps(), X, objective, rng)
    assert result.n_iter == 30
    assert (np.diff(result.history) < 0).all()
    value = objective.value_and_gradient(result.energy(X))[0]
    assert value < result.history[-1]
    assert_allclose(result.outputs, result.energy(X), rtol=1e-12)


@pytest.mark.parametrize("loss", ["nll", "hinge", "log", "mce", "mee"])
def test_a_foreign_energy_classifies(loss):
    X, y = load_iris(return_X_y=True)
    classifier = EnergyClassifier(Stumps(), loss, random_state=0).fit(X, y)
    assert classifier.score(X, y) > 0.9
    assert classifier.n_iter_ == len(classifier.loss_curve_) == 30
