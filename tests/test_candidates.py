"""Which energies stand a chance on a table."""

import numpy as np
import pytest
from scipy import sparse

from sk_ebm._core.classes import Labels
from sk_ebm._core.groups import Groups
from sk_ebm._core.objective import Objective
from sk_ebm.energies._candidates import Facts, candidates_of, lightgbm_seconds
from sk_ebm.losses import NLL


def names(inputs, answers, effort):
    objective = Objective(answers, NLL(), np.ones(len(answers)))
    return [c.name for c in candidates_of(Facts.of(inputs, objective), effort)]


def table(n, d=5):
    return np.random.RandomState(0).standard_normal((n, d))


def labels(n, n_classes=3):
    return Labels(np.arange(n) % n_classes, n_classes)


def test_candidates_come_cheapest_first():
    objective = Objective(labels(2000), NLL(), np.ones(2000))
    facts = Facts.of(table(2000, 20), objective)
    for effort in ("low", "medium", "high"):
        seconds = [c.seconds for c in candidates_of(facts, effort)]
        assert seconds == sorted(seconds)
    assert sum(c.seconds for c in candidates_of(facts, "medium")) <= 3 * lightgbm_seconds(facts)


@pytest.mark.parametrize(
    "inputs, answers, effort, expected",
    [
        (table(2000, 20), labels(2000), "low", {"linear", "kernel"}),
        (table(2000, 20), labels(2000), "medium", {"linear", "kernel", "forest", "trees"}),
        (table(60), labels(60, 20), "medium", {"linear", "kernel"}),
        (sparse.csr_matrix(table(300)), labels(300), "medium", {"linear"}),
        (sparse.csr_matrix(table(300)), labels(300), "high", {"linear", "mlp"}),
        (np.where(table(300) > 1, np.nan, table(300)), labels(300), "medium", {"trees"}),
        (np.ones((300, 2)), labels(300), "high", set()),
        (np.full((300, 2), np.nan), labels(300), "high", set()),
        (sparse.csr_matrix((300, 2)), labels(300), "high", set()),
    ],
)
def test_rules(inputs, answers, effort, expected):
    assert set(names(inputs, answers, effort)) == expected


def test_columns_of_queries_make_a_bilinear_energy():
    query = np.repeat(np.arange(50), 6)
    items = Groups(np.arange(300) % 3, query)
    X = table(300)
    assert "bilinear" not in names(X, items, "medium")
    X[:, 2] = X[query, 2]
    assert "bilinear" in names(X, items, "medium")
    assert "bilinear" not in names(X[:50], Groups(np.ones(50), np.arange(50)), "medium")


@pytest.mark.parametrize("effort", ["medium", "high"])
@pytest.mark.parametrize(
    "answers",
    [labels(2000), Groups(np.arange(2000) % 3, np.repeat(np.arange(200), 10))],
    ids=["classes", "items"],
)
def test_boosted_trees_need_lightgbm(monkeypatch, answers, effort):
    assert "trees" in names(table(2000, 20), answers, effort)
    monkeypatch.setattr("sk_ebm.energies._candidates.find_spec", lambda name: None)
    found = names(table(2000, 20), answers, effort)
    assert found and not [name for name in found if name.endswith("trees")]
