"""Sketches of what is to come: that answers, objectives and energies carry it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeRegressor

from sk_ebm import EnergyClassifier
from sk_ebm._core.answers import Answers
from sk_ebm._core.classes import Labels
from sk_ebm._core.gibbs import Gibbs
from sk_ebm._core.groups import Groups
from sk_ebm._core.objective import Objective
from sk_ebm.energies import Energy, LinearEnergy, MLPEnergy
from sk_ebm.losses._likelihood import NLL
from sk_ebm.losses._registry import LOSSES


class Grid(Answers):
    """Values of a continuous y: energies are -<outputs, phi(z)> at quadrature nodes z.

    The observed y stands beside the nodes: correct, and of measure zero, so it counts in E+ and
    not in Z.
    """

    nodes, node_weights = np.polynomial.legendre.leggauss(40)
    n_outputs = 3

    def __init__(self, y):
        self.y = y
        self.target = np.full(len(y), len(self.nodes))
        self.log_measure = np.append(np.log(self.node_weights), -np.inf)

    def __len__(self):
        return len(self.y)

    @staticmethod
    def phi(z):
        return np.stack([z, z**2, z**3], axis=-1)

    def take(self, samples):
        return Grid(self.y[samples])

    def arrange(self, outputs):
        nodes, observed = self.phi(self.nodes), self.phi(self.y)
        at_y = np.sum(outputs * observed, axis=1, keepdims=True)

        def pullback(slopes):
            return -slopes[:, :-1] @ nodes - slopes[:, -1:] * observed

        return -np.hstack([outputs @ nodes.T, at_y]), pullback

    def diagonal(self, curvature, outputs):
        pulled = []
        for o, unit in enumerate(np.eye(self.n_outputs)):
            energies, pullback = self.arrange(np.tile(unit, (len(self), 1)))
            pulled.append(pullback(curvature.product(energies))[:, o])
        return np.stack(pulled, axis=1)


class Stumps(Energy):
    """Boosted trees of one split, that descend along the slopes of the outputs."""

    def __init__(self, n_rounds=30, learning_rate=0.5):
        self.n_rounds = n_rounds
        self.learning_rate = learning_rate

    def fit(self, inputs, objective, rng):
        self.n_outputs_ = objective.answers.n_outputs
        self.trees_, outputs = [], np.zeros((len(inputs), self.n_outputs_))
        share = objective.row_weights / objective.weights.sum()
        for _ in range(self.n_rounds):
            value, slopes = objective(outputs)
            steps = -slopes / share[:, None]
            tree = DecisionTreeRegressor(max_depth=1, random_state=0).fit(inputs, steps, share)
            self.trees_.append(tree)
            outputs += self._step(tree, inputs)
            objective.n_iter += 1
            if objective.report is not None:
                objective.report(value, lambda: self)
        return self

    def _step(self, tree, inputs):
        return self.learning_rate * tree.predict(inputs).reshape(-1, self.n_outputs_)

    def __call__(self, inputs):
        return sum(self._step(tree, inputs) for tree in self.trees_)


def groups(rng):
    """Queries of one to five items in any order, of which those of large x[:, 0] are good."""
    query = rng.permutation(np.repeat(np.arange(40), rng.randint(1, 6, size=40)))
    X = rng.standard_normal((len(query), 3))
    noisy = X[:, 0] + 0.3 * rng.standard_normal(len(X))
    best = np.full(40, -np.inf)
    np.maximum.at(best, query, noisy)
    return X, Groups(np.where(noisy == best[query], 3.0, noisy.clip(0)), query)


def grid(rng):
    X = rng.standard_normal((60, 3))
    return X, Grid(np.tanh(X[:, 0] + 0.3 * rng.standard_normal(60)))


def labels(rng):
    X = rng.standard_normal((60, 3))
    return X, Labels((X[:, 0] > 0.5).astype(int) + (X[:, 1] > 0), 3)


EVERY = [pytest.param(make, id=make.__name__) for make in (groups, grid, labels)]
every_answers = pytest.mark.parametrize("make", EVERY)


@pytest.fixture
def problem(make, rng):
    """Inputs, an objective with uneven weights, and random outputs."""
    X, answers = make(rng)
    objective = Objective(answers, NLL(), rng.uniform(0.5, 2, size=len(answers)), alpha=0.01)
    return X, objective, rng.standard_normal((len(X), answers.n_outputs))


def each_block(answers):
    """The answers that are arranged, with the rows of each block."""
    return [block[1:] for block in answers.blocks or [(..., ..., answers)]]


@every_answers
def test_pullback_is_the_adjoint_of_arrange(problem, rng):
    _, objective, outputs = problem
    for rows, answers in each_block(objective.answers):
        energies, pullback = answers.arrange(outputs[rows])
        slopes = rng.standard_normal(energies.shape)
        slopes[~getattr(answers, "present", np.full(energies.shape, True))] = 0
        pulled = np.vdot(outputs[rows], pullback(slopes))
        assert_allclose(np.vdot(energies, slopes), pulled, rtol=1e-12)


@every_answers
def test_slopes_match_finite_differences(problem, rng, derivative):
    _, objective, outputs = problem
    along = rng.standard_normal(outputs.shape)
    expected = derivative(lambda o: objective(o)[0], outputs, along)
    assert_allclose(np.vdot(objective(outputs)[1], along), expected, rtol=1e-6)


@every_answers
def test_curvature_matches_finite_differences(problem, rng, derivative):
    _, objective, outputs = problem
    along = rng.standard_normal(outputs.shape)
    expected = derivative(lambda o: objective(o)[1], outputs, along)
    product = objective.curvature(outputs).product(along)
    assert_allclose(product, expected, rtol=1e-6, atol=1e-9)


@every_answers
def test_curvature_diagonal_is_that_of_its_product(problem):
    _, objective, outputs = problem
    curvature = objective.curvature(outputs, damping=0.1)
    for row, o in [(0, 0), (7, 0), (9, outputs.shape[1] - 1)]:
        unit = np.zeros_like(outputs)
        unit[row, o] = 1
        assert_allclose(curvature.diagonal[row, o], curvature.product(unit)[row, o], rtol=1e-12)


@every_answers
def test_blocks_add_up(problem):
    _, objective, outputs = problem
    value = 0.0
    for samples in np.array_split(np.arange(len(objective.answers)), 3):
        block = objective.take(samples)
        rows = objective.answers.rows(samples)
        value += block(outputs[rows])[0] * block.weights.sum() / objective.weights.sum()
    assert_allclose(value, objective(outputs)[0], rtol=1e-12)


def value_of_zero(objective, n_rows):
    return objective(np.zeros((n_rows, objective.answers.n_outputs)))[0]


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "adam"])
@every_answers
def test_a_linear_energy_descends(problem, rng, solver):
    X, objective, _ = problem
    energy = LinearEnergy().fit(X, objective.with_(solver=solver), rng)
    assert objective(energy(X))[0] < value_of_zero(objective, len(X)) - 0.02


@every_answers
def test_newton_and_lbfgs_agree(problem, rng):
    X, objective, _ = problem
    coefs = [
        LinearEnergy().fit(X, objective.with_(solver=solver, tol=1e-12), rng).coef_
        for solver in ("newton", "lbfgs")
    ]
    assert_allclose(*coefs, atol=1e-4)


@every_answers
def test_a_linear_energy_chooses_its_penalty(problem, rng):
    X, objective, _ = problem
    objective = objective.with_(alpha="auto", calibrate=True)
    energy = LinearEnergy().fit(X, objective, rng)
    assert objective(energy(X))[0] < value_of_zero(objective, len(X))


@every_answers
def test_held_out_outputs_are_those_of_their_samples(problem, rng):
    X, objective, _ = problem
    objective = objective.with_(alpha="auto", calibrate=True)
    LinearEnergy().fit(X, objective, rng)
    samples, outputs = objective.held_out
    assert len(outputs) == len(objective.answers.rows(samples))


@every_answers
def test_an_mlp_energy_descends(problem, rng):
    X, objective, _ = problem
    energy = MLPEnergy((16,), learning_rate=0.03, n_epochs=20).fit(X, objective, rng)
    assert objective(energy(X))[0] < value_of_zero(objective, len(X)) - 0.02


@every_answers
def test_stumps_descend_in_every_round(problem, rng):
    X, objective, _ = problem
    values = []
    Stumps().fit(X, objective.with_(report=lambda value, _: values.append(value)), rng)
    assert (np.diff(values) < 0).all()


def test_stumps_return_the_outputs_that_they_fitted(rng):
    X, answers = labels(rng)
    objective = Objective(answers, NLL(), np.ones(len(X)))
    values = []
    energy = Stumps(n_rounds=9).fit(X, objective, rng)
    Stumps(n_rounds=10).fit(X, objective.with_(report=lambda value, _: values.append(value)), rng)
    assert_allclose(objective(energy(X))[0], values[-1], rtol=1e-12)


@pytest.mark.parametrize("loss", ["nll", "hinge", "log", "mce", "mee"])
def test_stumps_classify(loss):
    X, y = load_iris(return_X_y=True)
    classifier = EnergyClassifier(Stumps(learning_rate=1.0), loss, random_state=0).fit(X, y)
    assert classifier.score(X, y) > 0.9


@pytest.mark.parametrize("loss", [pytest.param(loss(), id=name) for name, loss in LOSSES.items()])
def test_padding_gets_slope_zero(loss, rng):
    X, every = groups(rng)
    outputs = -np.abs(rng.standard_normal((len(X), 1)))
    for rows, answers in each_block(every):
        energies, _ = answers.arrange(outputs[rows])
        slopes = loss(Gibbs(energies, answers.log_measure), answers.target)[1]
        assert_array_equal(slopes[~answers.present], 0)


def test_the_observed_value_counts_in_its_energy_and_not_in_z(rng):
    X, answers = grid(rng)
    outputs = rng.standard_normal((len(X), 3))
    energies, _ = answers.arrange(outputs)
    values = NLL()(Gibbs(energies, answers.log_measure), answers.target)[0]
    nodes = np.exp(outputs @ Grid.phi(Grid.nodes).T) @ Grid.node_weights
    expected = -np.sum(outputs * Grid.phi(answers.y), axis=1) + np.log(nodes)
    assert_allclose(values, expected, rtol=1e-10, atol=1e-12)


def test_a_linear_energy_recovers_a_conditional_density(rng):
    """p(y given x) proportional to exp(2 x y) on [-1, 1], drawn by inverting its cdf."""
    x, u = rng.standard_normal((4000, 1)), rng.uniform(size=4000)
    rate = 2 * x[:, 0]
    y = np.log(np.exp(-rate) + u * (np.exp(rate) - np.exp(-rate))) / rate
    energy = LinearEnergy().fit(x, Objective(Grid(y), NLL(), np.ones(4000), tol=1e-10), rng)
    assert_allclose(energy.coef_[0], [2, 0, 0], atol=0.4)
