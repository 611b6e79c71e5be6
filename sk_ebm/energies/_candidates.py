"""Which energies stand a chance on a table, and about how long each of them takes."""

from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from sk_ebm._core.folds import DEFAULT_FOLDS
from sk_ebm._tables.schema import Table
from sk_ebm.energies._base import Energy
from sk_ebm.energies._bilinear import BilinearEnergy
from sk_ebm.energies._given_loss import GivenLossEnergy
from sk_ebm.energies._kernel import KernelEnergy
from sk_ebm.energies._linear import LinearEnergy
from sk_ebm.energies._mlp import MLPEnergy
from sk_ebm.energies._trees import TreesEnergy
from sk_ebm.energies.experts._forest_expert import OutOfBagEnergy
from sk_ebm.losses._lambdarank import Lambda
from sk_ebm.losses._xendcg import XENDCG

EFFORTS = ("low", "medium", "high")
_FEW_ROWS, _FEWER_FOLDS = 300, 3  # medium: 2.9 -> 2.1 s of 18 fits; at 100 rows .005 nats
_TIMES_LIGHTGBM = 3  # what a fit of medium effort may take, or
_LEAST_BUDGET = 0.1  # seconds, of tables that LightGBM hardly splits


class Facts(NamedTuple):
    """What the rules know of a table and its answers.

    Attributes
    ----------
    n_rows, n_columns, n_outputs : int
        Rows of positive weight, columns, and outputs of an energy.
    n_values : int
        Entries of the table that are stored.
    is_sparse, is_finite, varies : bool
        Whether it is a sparse matrix, has no missing values, and has a column that differs between
        rows.
    kind : {"classes", "items", "values"}
        What energies are of.
    query_columns : tuple of int
        Columns that are the same for all items of each query, but not for all queries.
    """

    n_rows: int
    n_columns: int
    n_outputs: int
    n_values: int
    is_sparse: bool
    is_finite: bool
    varies: bool
    kind: str
    query_columns: tuple = ()

    @classmethod
    def of(cls, inputs, objective):
        answers = objective.answers
        is_sparse, shape = sparse.issparse(inputs), inputs.shape
        entries = inputs.data if is_sparse else inputs
        is_table = isinstance(inputs, Table)  # whose terms read what is missing, each in its form
        return cls(
            int(np.count_nonzero(objective.row_weights)),
            shape[1],
            answers.n_outputs,
            inputs.nnz if is_sparse else shape[0] * shape[1],
            is_sparse,
            is_table or not np.isnan(np.min(entries, initial=0)),
            _table_varies(inputs.values) if is_table else _varies(inputs),
            answers.kind,
            _query_columns(inputs, answers.query) if answers.kind == "items" else (),
        )


def _varies(inputs):
    """Whether some column has two values, where missing ones are no value."""
    if sparse.issparse(inputs):
        return bool((inputs.max(axis=0) != inputs.min(axis=0)).nnz)
    return bool((np.fmax.reduce(inputs) > np.fmin.reduce(inputs)).any())


def _table_varies(values):
    """Whether some column has two values, of which missing is one."""
    missing = np.isnan(values)
    return _varies(values) or bool((missing.any(axis=0) > missing.all(axis=0)).any())


def _query_columns(inputs, query):
    if not isinstance(inputs, np.ndarray):
        return ()
    order = np.argsort(query, kind="stable")
    starts = np.flatnonzero(np.diff(query[order], prepend=-1))
    least, most = (f.reduceat(inputs[order], starts) for f in (np.minimum, np.maximum))
    own = (least == most).all(axis=0) & (least.min(axis=0) < most.max(axis=0))
    several = len(starts) < len(query)
    return tuple(np.flatnonzero(own).tolist()) if several else ()


class Candidate(NamedTuple):
    """An energy that stands a chance.

    Attributes
    ----------
    name : str
    energy : Energy
    sketch : Energy or None
        What is fitted first, in about a tenth of the time, to see whether it adds anything.
    seconds : float
        About how long a fit takes.
    """

    name: str
    energy: Energy
    sketch: Energy | None
    seconds: float


def candidates_of(facts, effort):
    """The candidates for a table, the cheapest first; none where nothing can be learned."""
    if not facts.varies:
        return []
    of_queries = facts.kind == "items"
    rules = (_RULES_OF_QUERIES if of_queries else _RULES)[effort]
    if find_spec("lightgbm") is None:
        rules = [rule for rule in rules if rule not in _RULES_OF_BOOSTING]
    found = [candidate for rule in rules for candidate in rule(facts)]
    found.sort(key=lambda candidate: candidate.seconds)
    if effort != "medium" or of_queries:
        return found
    total = np.cumsum([candidate.seconds for candidate in found])
    budget = max(_TIMES_LIGHTGBM * lightgbm_seconds(facts), _LEAST_BUDGET)
    return found[: max(np.count_nonzero(total <= budget), 1)]


def n_folds_for(facts, effort):
    """How many folds a sum is cross-fitted on: fewer of more rows at medium effort."""
    return _FEWER_FOLDS if effort == "medium" and facts.n_rows >= _FEW_ROWS else DEFAULT_FOLDS


def lightgbm_seconds(facts):
    """About how long `LGBMClassifier()` takes on one core: 100 rounds of a tree for each output."""
    leaves = np.clip(facts.n_rows / 40, 1, 31)
    bins = 2 if facts.is_sparse else np.clip(facts.n_rows / 3, 2, 255)
    splits = leaves / 31 * (2e-4 + 2e-7 * facts.n_columns * bins)
    return 100 * facts.n_outputs * (splits + 5e-9 * facts.n_values)


def _linear(facts):
    """Reads numbers."""
    if facts.is_finite:
        seconds = 0.01 + 1e-7 * facts.n_values * facts.n_outputs
        yield Candidate("linear", LinearEnergy(), None, seconds)


def _kernel(facts):
    """Reads numbers; words are too many for distances."""
    if facts.is_finite and not facts.is_sparse:
        least = max(200, 8 * facts.n_outputs, min(2 * facts.n_columns, 2000))
        size = min(max(least, 4 * facts.n_rows**0.5), facts.n_rows)
        seconds = 0.02 + 2.5e-10 * facts.n_rows * size**2
        yield Candidate("kernel", KernelEnergy(), None, seconds)


def _forest(facts):
    """Of classes, on dense columns."""
    if facts.kind == "classes" and not facts.is_sparse and facts.is_finite:
        yield Candidate("forest", _out_of_bag(ExtraTreesClassifier, 100), None, _grow(facts, 100))


def _larger_forests(facts):
    """Two kinds of more trees."""
    if facts.kind == "classes" and not facts.is_sparse and facts.is_finite:
        forests = {"forest": ExtraTreesClassifier, "random_forest": RandomForestClassifier}
        for name, kind in forests.items():
            yield Candidate(name, _out_of_bag(kind, 300), None, _grow(facts, 300))


def _grow(facts, n_trees):
    """About how long random trees take."""
    per_tree = 8e-4 + 1.3e-8 * facts.n_rows * np.log2(facts.n_rows + 1) * facts.n_columns**0.5
    return n_trees * per_tree


def _out_of_bag(kind, n_trees):
    return OutOfBagEnergy(kind(n_trees, bootstrap=True, oob_score=True))


def _few_trees(facts):
    """Steps of .2, which take half the rounds of the default."""
    if _suits_trees(facts):
        trees = TreesEnergy(learning_rate=0.2, patience=10)
        yield Candidate("trees", trees, _SKETCH_OF_TREES, 1.3 * lightgbm_seconds(facts))


def _many_trees(facts):
    if _suits_trees(facts):
        seconds = 5 * lightgbm_seconds(facts)
        yield Candidate("trees", TreesEnergy(), None, seconds)
        drawn = TreesEnergy(1000, 0.05, subsample=0.7, colsample=0.5, max_step=None)
        yield Candidate("drawn_trees", drawn, None, 2 * seconds)


def _suits_trees(facts):
    """Takes missing values; needs rows for each output, and does not suit words."""
    return facts.n_rows >= _FEWEST_ROWS_OF_TREES * max(facts.n_outputs, 2) and not facts.is_sparse


def _mlp(facts):
    """Reads numbers."""
    if facts.is_finite:
        sketch = MLPEnergy(n_epochs=20, early_stopping=False)
        yield Candidate("mlp", MLPEnergy(), sketch, 0.1 + 3e-6 * facts.n_values)


def _trees_of_losses(facts):
    """Of queries: trees of two losses, of which held-out queries choose."""
    fast = {"learning_rate": 0.1, "colsample": 0.5, "min_samples_leaf": _LEAF_OF_ITEMS}
    seconds = 2 * lightgbm_seconds(facts)
    yield Candidate("trees", TreesEnergy(**fast), None, seconds)
    xendcg = GivenLossEnergy(TreesEnergy(**fast, **_DRAWN), XENDCG())
    yield Candidate("xendcg_trees", xendcg, None, seconds)


def _slow_trees_of_losses(facts):
    """Of queries: trees of three losses, of which held-out queries choose."""
    slow = {"learning_rate": 0.05, "colsample": 0.5, "min_samples_leaf": _LEAF_OF_ITEMS}
    slow |= {"n_estimators": 1000, "patience": 50}
    seconds = 5 * lightgbm_seconds(facts)
    yield Candidate("trees", TreesEnergy(**slow), None, seconds)
    xendcg = GivenLossEnergy(TreesEnergy(**slow, **_DRAWN), XENDCG())
    yield Candidate("xendcg_trees", xendcg, None, seconds)
    yield Candidate("lambda_trees", GivenLossEnergy(TreesEnergy(**slow), Lambda()), None, seconds)


def _bilinear(facts):
    """Of queries that have columns of their own, the same for all their items."""
    n = len(facts.query_columns)
    if 0 < n < facts.n_columns and n * (facts.n_columns - n) <= _MOST_PRODUCTS:
        bilinear = BilinearEnergy(list(facts.query_columns))
        yield Candidate("bilinear", bilinear, None, 0.02 + 1e-7 * n * facts.n_values)


_LEAF_OF_ITEMS = 50  # ranking.py --part pooled
_DRAWN = {"max_leaf_nodes": 64, "max_depth": 6, "subsample": 0.6}  # ranking.py --part pooled
_MOST_PRODUCTS = 2000  # of a column of queries and one of items
_SKETCH_OF_TREES = TreesEnergy(30, learning_rate=0.2, early_stopping=False)
_FEWEST_ROWS_OF_TREES = 10  # for each output
_RULES = {
    "low": (_linear, _kernel),
    "medium": (_linear, _kernel, _forest, _few_trees),
    "high": (_linear, _kernel, _larger_forests, _many_trees, _mlp),
}
_RULES_OF_QUERIES = {
    "low": (_linear, _kernel),
    "medium": (_linear, _bilinear, _mlp, _trees_of_losses),
    "high": (_linear, _bilinear, _kernel, _mlp, _slow_trees_of_losses),
}
# Left out where LightGBM is not installed.
_RULES_OF_BOOSTING = _few_trees, _many_trees, _trees_of_losses, _slow_trees_of_losses
