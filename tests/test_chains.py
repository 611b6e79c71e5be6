"""Label sequences as answers."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp

from sk_ebm._core.chains import ChainGibbs, Chains, blocks_of, learn_chain_beta
from sk_ebm._core.gibbs import Gibbs
from sk_ebm._core.objective import Objective
from sk_ebm.losses import Hinge
from sk_ebm.losses._registry import LOSSES

K, STARTS = 3, np.array([0, 4, 5, 8, 12])
M, N = STARTS[-1], len(STARTS) - 1
FORMS = {
    "rows": ({}, (M + K, K)),
    "by input": ({"by_input": True}, (M, K + K**2)),
    "given": ({"transitions": np.arange(9.0).reshape(K, K) / 5}, (M, K)),
}
every_form = pytest.mark.parametrize("form", FORMS)


def chains_of(form, loss, rng, **changes):
    settings, shape = FORMS[form]
    chains = Chains(rng.randint(K, size=M), STARTS, K, loss, **settings | changes)
    return chains, rng.standard_normal(shape)


def all_energies(chains, outputs, sequence):
    """All labellings of a sequence, their energies, and the index of the correct one."""
    rows = range(*STARTS[sequence : sequence + 2])
    labellings = np.array(list(product(range(K), repeat=len(rows))))
    totals = outputs[rows, :K][np.arange(len(rows)), labellings].sum(axis=1)
    for t in range(1, len(rows)):
        if chains.by_input:
            transitions = outputs[rows[t], K:].reshape(K, K)
        else:
            transitions = outputs[M:] if chains.transitions is None else chains.transitions
        totals = totals + transitions[labellings[:, t - 1], labellings[:, t]]
    correct = np.flatnonzero((labellings == chains.labels[rows]).all(axis=1))
    return labellings, -totals, correct


@every_form
@pytest.mark.parametrize("loss", sorted(set(LOSSES) - {"energy"}))
def test_losses_are_those_over_all_sequences(form, loss, rng):
    """But for the hinge loss, which counts wrong labels."""
    loss = LOSSES[loss]()
    chains, outputs = chains_of(form, loss, rng)
    found = Objective(chains, loss, np.ones(N)).values(outputs)
    for sequence in range(N):
        labellings, energies, correct = all_energies(chains, outputs, sequence)
        if isinstance(loss, Hinge):
            wrong = (labellings != labellings[correct]).sum(axis=1)
            expected = (wrong + energies[correct] - energies).max()
        else:
            expected = loss(Gibbs(energies[None]), correct)[0][0]
        assert_allclose(found[sequence], expected, rtol=1e-10, atol=1e-12)


@every_form
@pytest.mark.parametrize("loss", ["nll", "mee", "log", "mce", "square_square", "hinge"])
def test_gradients_are_those_of_the_values(form, loss, rng, derivative):
    loss = LOSSES[loss]()
    chains, outputs = chains_of(form, loss, rng)
    objective = Objective(chains, loss, rng.uniform(0.5, 2, size=N))
    gradient = objective.value_and_gradient(outputs)[1]
    along = rng.standard_normal(outputs.shape)
    expected = derivative(lambda o: objective.value_and_gradient(o)[0], outputs, along)
    assert_allclose(np.vdot(gradient, along), expected, rtol=1e-6)


@every_form
def test_a_part_of_the_sequences_has_their_losses(form, rng):
    loss = LOSSES["nll"]()
    chains, outputs = chains_of(form, loss, rng)
    samples = np.array([3, 1])
    rows = chains.rows(samples)
    assert_array_equal(rows, [8, 9, 10, 11, 4])
    part = outputs[np.append(rows, np.arange(M, len(outputs)))]
    objective = Objective(chains, loss, np.ones(N))
    expected = objective.values(outputs)[samples]
    assert_allclose(objective.take(samples).values(part), expected)


@every_form
def test_the_distribution_is_that_of_all_sequences(form, rng):
    chains, outputs = chains_of(form, LOSSES["nll"](), rng)
    gibbs = chains.distribution(outputs).at(0.7)
    labels, least = gibbs.best(3)
    for sequence in range(N):
        labellings, energies, correct = all_energies(chains, outputs, sequence)
        rows = slice(*STARTS[sequence : sequence + 2])
        log_z = logsumexp(-0.7 * energies)
        assert_allclose(gibbs.log_z[sequence], log_z)
        assert_allclose(gibbs.free_energy[sequence], -log_z / 0.7)
        assert_allclose(gibbs.energies_of(chains.labels)[sequence], energies[correct][0])
        p = np.exp(-0.7 * energies - log_z)
        expected = np.stack([np.bincount(at, p, K) for at in labellings.T])
        assert_allclose(gibbs.marginals[rows], expected, rtol=1e-10)
        order = np.argsort(energies)[:3]
        assert_allclose(least[sequence][: len(order)], energies[order])
        assert_array_equal(labels[0, rows], labellings[order[0]])
        assert_allclose(gibbs.mean_energy(np.eye(N)[sequence]), p @ energies)


def test_excluded_labels_have_no_probability(rng):
    first, pairs = np.array([True, True, False]), ~np.eye(K, dtype=bool)
    chains = chains_of("rows", None, rng, allowed=(first, pairs))[0]
    gibbs = chains.distribution(rng.standard_normal((M + K, K)))
    assert_array_equal(gibbs.marginals[STARTS[:-1], 2], 0)
    assert_array_equal(np.diag(gibbs.pair_marginals(np.ones(N))[0]), 0)
    for labels in (*gibbs.best(2)[0], gibbs.sample(rng)):
        assert (labels[STARTS[:-1]] != 2).all()
        same = labels[1:] == labels[:-1]
        assert not np.delete(same, STARTS[1:-1] - 1).any()


def test_blocks_hold_every_position_once_in_order_of_time(rng):
    starts = np.concatenate([[0], np.cumsum(rng.randint(1, 60, size=4000))])
    blocks = blocks_of(starts)
    assert len(blocks) > 1
    assert_array_equal(np.sort(np.concatenate([b.rows for b in blocks])), np.arange(starts[-1]))
    assert_array_equal(np.sort(np.concatenate([b.sequences for b in blocks])), np.arange(4000))
    for block in blocks:
        owner = np.searchsorted(starts, block.rows, side="right") - 1
        assert_array_equal(block.sequences[block.forest.samples], owner)
        for step in block.forest.steps:
            assert_array_equal(block.rows[step.parents] + 1, block.rows[step.children])


def test_several_blocks_are_as_one(rng, monkeypatch):
    loss = LOSSES["nll"]()
    chains, outputs = chains_of("rows", loss, rng)
    together = Objective(chains, loss, np.ones(N)).value_and_gradient(outputs)
    monkeypatch.setattr("sk_ebm._core.chains._BLOCK_POSITIONS", 3)
    apart = Chains(chains.labels, STARTS, K, loss)
    assert len(apart.blocks_of_chains) > 1
    value, gradient = Objective(apart, loss, np.ones(N)).value_and_gradient(outputs)
    assert_allclose(value, together[0])
    assert_allclose(gradient, together[1])


def test_beta_is_that_of_the_sequences_that_were_drawn(rng):
    starts = np.arange(0, 30_001, 10)
    chains = Chains(None, starts, K, None, transitions=rng.standard_normal((K, K)))
    gibbs = chains.distribution(2 * rng.standard_normal((30_000, K)))
    chains.labels = gibbs.at(0.6).sample(rng)
    beta = learn_chain_beta([gibbs], [np.ones(3000)])
    assert_allclose(beta, 0.6, atol=0.02)


def test_beta_is_finite_where_every_sequence_is_the_best(rng):
    chains = Chains(None, STARTS, K, None, transitions=np.zeros((K, K)))
    gibbs = chains.distribution(rng.standard_normal((M, K)))
    chains.labels = gibbs.mode
    assert 1 < learn_chain_beta([gibbs], [np.ones(N)]) < 100
    constant = ChainGibbs(chains, np.zeros((M, K)), np.zeros((1, K, K)))
    assert 0 <= learn_chain_beta([constant], [np.ones(N)]) < np.inf


def test_sequences_take_no_offset(rng):
    chains, outputs = chains_of("given", LOSSES["nll"](), rng)
    with pytest.raises(ValueError, match="residual"):
        chains.gibbs(outputs, offset=outputs)
