"""Contributions to energies: sampled Shapley values and quadratic energies."""

from itertools import permutations

import numpy as np
import pytest
from scipy import sparse

from sk_ebm._core.contributions import (
    Contributions,
    Quadratic,
    add_contributions,
    background_rows,
    sampled_shapley,
    with_equal_outputs,
)


def product_of_two(table, rows):
    table = table.toarray() if sparse.issparse(table) else table
    return np.stack([table[:, 0] * table[:, 1] + table[:, 2], table[:, 3]], axis=1)


@pytest.mark.parametrize("to", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_sampled_values_add_up_and_are_shapley_values(rng, to):
    X, background = rng.standard_normal((7, 5)), rng.standard_normal((1, 5))
    found = sampled_shapley(product_of_two, to(X), to(background))
    np.testing.assert_allclose(
        found.base + found.values.sum(axis=1), product_of_two(X, None), rtol=1e-12
    )
    # Of one background row, an order and its reverse give exact values of an interaction of two.
    difference = X[:, 0] * X[:, 1] - background[0, 0] * background[0, 1]
    swapped = X[:, 0] * background[0, 1] - background[0, 0] * X[:, 1]
    np.testing.assert_allclose(found.values[:, 0, 0], (difference + swapped) / 2, rtol=1e-9)
    np.testing.assert_allclose(found.values[:, 2, 0], X[:, 2] - background[0, 2], rtol=1e-9)
    np.testing.assert_allclose(found.values[:, 4], 0, atol=1e-12)
    assert found.errors.max() < 1e-12


def test_standard_errors_cover_the_mean_over_the_background(rng):
    X, background = rng.standard_normal((200, 3)), rng.standard_normal((200, 3))
    found = sampled_shapley(lambda table, _: table[:, :1] * 2, X, background)
    expected = 2 * (X[:, 0] - background[:, 0].mean())
    error = np.abs(found.values[:, 0, 0] - expected)
    assert (error < 4 * found.errors[:, 0, 0]).all()
    assert found.errors[:, 0, 0].min() > 0


@pytest.mark.parametrize("near", [False, True])
def test_rows_are_explained_apart(rng, near):
    X, background = rng.standard_normal((6, 4)), rng.standard_normal((40, 4))
    every = sampled_shapley(product_of_two, X, background, near).values
    one = sampled_shapley(product_of_two, X[3:4], background, near).values
    np.testing.assert_allclose(one, every[3:4], rtol=1e-12)


def test_rows_are_compared_with_the_nearest_ones():
    centres = np.array([[0.0, 0.0, 0.0, 5.0], [10.0, 10.0, 10.0, 5.0]])
    background = np.repeat(centres, 20, axis=0)
    X = np.array([[0.0, 0.0, 90.0, np.nan], [10.0, 10.0, 10.0, 5.0]])  # one value is strange
    found = sampled_shapley(lambda table, _: table[:, :3], X, background, near=True)
    np.testing.assert_array_equal(found.base, centres[:, :3])
    np.testing.assert_allclose(found.values[0, 2, 2], 90)
    assert np.count_nonzero(found.values) == 1


def test_contributions_are_summed_by_source():
    found = Contributions(np.arange(6.0).reshape(1, 3, 2), np.zeros(2), np.ones((1, 3, 2)))
    summed = found.summed_over([1, 0, 1], 2)
    np.testing.assert_array_equal(summed.values, [[[2, 3], [4, 6]]])
    np.testing.assert_array_equal(summed.errors, [[[1, 1], [2, 2]]])


def precision(rng, d, r):
    directions = np.linalg.qr(rng.standard_normal((d, r)))[0]
    roots = directions * rng.uniform(1, 3, r)
    if d == r:
        return Quadratic(rng.standard_normal(d), roots)
    return Quadratic(rng.standard_normal(d), roots, directions, 0.5)


def matrix(quadratic):
    P = quadratic.roots @ quadratic.roots.T
    if quadratic.directions is not None:
        D = quadratic.directions
        P = P + quadratic.outside * (np.eye(len(P)) - D @ D.T)
    return P


@pytest.mark.parametrize("d, r", [(1, 1), (2, 2), (6, 6), (6, 2)])
def test_quadratic_contributions_add_up(rng, d, r):
    quadratic = precision(rng, d, r)
    X = rng.standard_normal((9, d))
    deviations = X - quadratic.mean
    energies = np.einsum("ni,ij,nj->n", deviations, matrix(quadratic), deviations) / 2
    np.testing.assert_allclose(quadratic.contributions(X).sum(axis=1), energies, rtol=1e-9)


def test_the_last_columns_have_their_conditional_energies(rng):
    quadratic = precision(rng, 4, 4)
    covariance = np.linalg.inv(matrix(quadratic))
    x = rng.standard_normal((1, 4))
    found, deviation = quadratic.contributions(x)[0], (x - quadratic.mean)[0]

    def energy(columns):
        part = deviation[list(columns)]
        return part @ np.linalg.inv(covariance[np.ix_(columns, columns)]) @ part / 2

    left = [0, 1, 2, 3]
    for _ in range(3):  # greedily, the column whose removal lowers the energy most
        gains = {j: energy(left) - (energy([i for i in left if i != j])) for j in left}
        last = max(gains, key=gains.get)
        np.testing.assert_allclose(found[last], gains[last], rtol=1e-9)
        left.remove(last)
    np.testing.assert_allclose(found[left[0]], energy(left), rtol=1e-9)


def test_one_row_far_from_its_conditional_is_found():
    """A cell within the range of its column, which only the other column makes unlikely."""
    covariance = np.array([[1, 0.99], [0.99, 1]])
    values, directions = np.linalg.eigh(covariance)
    quadratic = Quadratic(np.zeros(2), directions / np.sqrt(values))
    for x in permutations([0.1, 1.5]):
        found = quadratic.contributions(np.array([x]))[0]
        assert found.argmax() == np.argmax(x)
        assert found.max() > 0.9 * found.sum()


def test_terms_of_one_and_two_outputs_are_added(rng):
    one = Contributions(rng.standard_normal((3, 2, 1)), np.zeros(1), np.ones((3, 2, 1)))
    two = Contributions(rng.standard_normal((3, 2, 2)), np.ones(2))
    total = add_contributions(with_equal_outputs([one, two]))
    np.testing.assert_allclose(total.values[:, :, 1], one.values[:, :, 0] / 2 + two.values[:, :, 1])
    np.testing.assert_allclose(total.values[:, :, 0], two.values[:, :, 0] - one.values[:, :, 0] / 2)
    np.testing.assert_allclose(total.errors, 0.5)
    np.testing.assert_allclose(total.base, 1)


def test_the_background_holds_rows_of_positive_weight():
    X, weights = np.arange(1000.0)[:, None], np.ones(1000)
    weights[:500] = 0
    rows = background_rows(X, weights)
    assert len(rows) == 200
    assert rows.min() == 500
    assert rows.max() == 999
    assert len(background_rows(np.zeros((50, 100_000)), np.ones(50))) == 32
