"""Which of several energies earn their place in a pool."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sk_ebm._core.classes import Labels
from sk_ebm._core.groups import Groups
from sk_ebm._core.objective import Objective
from sk_ebm._core.selection import (
    LEAST_WEIGHT,
    adds_significantly,
    loss_alone,
    loss_in_pool,
    pool_without_idle,
)
from sk_ebm.losses import NLL
from sk_ebm.metrics import ndcg


@pytest.fixture
def held_out(rng):
    """An objective of three classes, and outputs that say much, something and nothing."""
    target = rng.randint(3, size=400)
    truth = np.eye(3)[target]
    outputs = {
        "good": 2 * truth + rng.standard_normal((400, 3)),
        "fair": truth + rng.standard_normal((400, 3)),
        "noise": rng.standard_normal((400, 3)),
    }
    return Objective(Labels(target, 3), NLL(), np.ones(400)), outputs


def test_what_says_nothing_is_dropped(held_out):
    objective, outputs = held_out
    weights, constant, _ = pool_without_idle(objective, outputs)
    assert list(weights) == ["good", "fair"]
    assert min(weights.values()) >= LEAST_WEIGHT
    assert constant.shape == (3,)


def test_a_single_energy_stays_whatever_it_says(held_out):
    objective, outputs = held_out
    assert list(pool_without_idle(objective, {"noise": outputs["noise"]})[0]) == ["noise"]


def test_losses_and_significance(held_out):
    objective, outputs = held_out
    good, fair, noise = outputs.values()
    alone = loss_alone(objective, good)
    assert_allclose(alone, loss_alone(objective, 10 * good), rtol=1e-6)
    assert_allclose(loss_alone(objective, noise), np.log(3), atol=0.02)
    with_fair = loss_in_pool(objective, [good, fair])
    assert with_fair < alone
    assert adds_significantly(objective, [good], fair)
    assert not adds_significantly(objective, [good], good)


def test_queries_are_judged_by_ndcg(rng):
    query = np.repeat(np.arange(40), 15)
    relevance = rng.randint(4, size=600)
    groups = Groups(2.0**relevance - 1, query)
    objective = Objective(groups, NLL(), np.ones(40))
    good = (relevance + rng.standard_normal(600))[:, None]
    expected = 1 - ndcg(relevance, good[:, 0], query)
    assert_allclose(loss_alone(objective, good), expected, rtol=1e-9)
    noise = rng.standard_normal((600, 1))
    assert list(pool_without_idle(objective, {"noise": noise, "good": good})[0]) == ["good"]
