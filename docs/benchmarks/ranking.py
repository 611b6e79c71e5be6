"""EnergyRanker beside LightGBM's, XGBoost's and CatBoost's rankers: NDCG@10 and time.

    python docs/benchmarks/ranking.py [--data DIR] [--part PART] [--sets a,b] [--folds 0,1]

Without ``--data`` it runs on a generated set; with it, on every ``*.npz`` of ``DIR/ranking``
(keys X, y, qid, and train_idx_k, valid_idx_k, test_idx_k where the source has folds, else five
folds of queries are drawn). Every model is fitted to the training and the validation rows,
standardised; "tuned" peers choose leaves and rounds on the validation rows first. NDCG@10 has
gains 2^y - 1, and queries without relevant items are left out. Differences are means over the
queries of all folds, with the p-value of a paired t-test. Every ratio is ours / theirs. Every
model has one thread. The part "catalogue" prints the recall and the time of an approximate index.
"""

import argparse
import multiprocessing
import resource
import time
import warnings
from pathlib import Path

import numpy as np
from catboost import CatBoostRanker
from lightgbm import LGBMRanker, early_stopping
from scipy.stats import ttest_rel
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from xgboost import XGBRanker

from sk_ebm import EnergyRanker
from sk_ebm.energies import BilinearEnergy, ItemIndex, TreesEnergy
from sk_ebm.metrics import ndcg, top_k_recall


def generated():
    """(name, X, y, queries, folds) of one set that is made here."""
    rng = np.random.RandomState(0)
    queries = np.repeat(np.arange(300), rng.randint(5, 30, size=300))
    X = rng.standard_normal((len(queries), 20)) + 0.5 * rng.standard_normal((300, 20))[queries]
    worth = X[:, 0] + X[:, 1] * X[:, 2] + np.abs(X[:, 3]) + rng.standard_normal(len(X))
    y = np.clip(np.round(worth), 0, 4).astype(int)
    yield "generated", X.astype(np.float32), y, queries, drawn_folds(queries)


def stored(folder):
    """(name, X, y, queries, folds) of every file of a folder."""
    for path in sorted(Path(folder).glob("*.npz")):
        with np.load(path) as file:
            parts = {key: file[key] for key in file.files}
        n_folds = int(parts.get("n_splits", 0))
        folds = [
            tuple(np.sort(parts[f"{kind}_idx_{k}"]) for kind in ("train", "valid", "test"))
            for k in range(n_folds)
        ]
        folds = folds or drawn_folds(parts["qid"])
        yield path.stem, parts["X"].astype(np.float32), parts["y"], parts["qid"], folds


def drawn_folds(queries):
    """Five folds of queries: three parts to train, one to validate, one to test."""
    fold = np.random.RandomState(0).permutation(queries.max() + 1)[queries] % 5
    return [
        tuple(
            np.flatnonzero(part)
            for part in (~np.isin(fold, [k, (k + 1) % 5]), fold == (k + 1) % 5, fold == k)
        )
        for k in range(5)
    ]


class Fold:
    """Standardised rows of one fold; a query's rows stand together."""

    def __init__(self, X, y, queries, train, valid, test):
        scaler = StandardScaler().fit(X[np.concatenate([train, valid])])
        X = scaler.transform(X)
        both = np.sort(np.concatenate([train, valid]))
        self.train, self.valid, self.both, self.test = (
            (X[rows], y[rows], queries[rows]) for rows in (train, valid, both, test)
        )


def sizes(queries):
    return np.unique(queries, return_counts=True)[1]


class Ours:
    def __init__(self, energy="linear", loss="nll", **params):
        self.model = EnergyRanker(energy, loss, random_state=0, **params)

    def fit(self, fold):
        X, y, queries = fold.both
        self.model.fit(X, y, groups=queries)

    def predict(self, X):
        return self.model.predict(X)


class Regressor(Ours):
    def __init__(self):
        self.model = RidgeCV(np.logspace(-1, 5, 7))

    def fit(self, fold):
        self.model.fit(*fold.both[:2])


class LightGBM(Ours):
    def __init__(self, objective, tuned=False):
        self.objective, self.tuned = objective, tuned

    def make(self, **params):
        shared = {"n_jobs": 1, "verbose": -1, "random_state": 0}
        return LGBMRanker(objective=self.objective, **shared, **params)

    def fit(self, fold):
        X, y, queries = fold.both
        params = self.chosen(fold) if self.tuned else {}
        self.model = self.make(**params).fit(X, y, group=sizes(queries))

    def chosen(self, fold):
        """Leaves and rounds of the highest NDCG@10 on the validation rows."""
        X, y, queries = fold.train
        found = []
        for leaves in (15, 31):
            params = {"num_leaves": leaves, "learning_rate": 0.05, "min_child_samples": 50}
            params["colsample_bytree"] = 0.5
            model = self.make(n_estimators=1000, **params).fit(
                X,
                y,
                group=sizes(queries),
                eval_set=[fold.valid[:2]],
                eval_group=[sizes(fold.valid[2])],
                eval_at=[10],
                callbacks=[early_stopping(50, first_metric_only=True, verbose=False)],
            )
            score = model.best_score_["valid_0"]["ndcg@10"]
            found.append((score, leaves, {**params, "n_estimators": model.best_iteration_}))
        return max(found)[2]


class XGBoost(Ours):
    def __init__(self, objective):
        self.model = XGBRanker(objective=objective, n_jobs=1, random_state=0)

    def fit(self, fold):
        X, y, queries = fold.both
        self.model.fit(X, y, qid=queries)


class CatBoost(Ours):
    """YetiRank with its defaults, rounds chosen on the validation rows."""

    def make(self, rounds):
        return CatBoostRanker(
            loss_function="YetiRank",
            iterations=rounds,
            thread_count=1,
            verbose=0,
            random_seed=0,
            allow_writing_files=False,
        )

    def __init__(self):
        self.model = None

    def fit(self, fold):
        from catboost import Pool

        train, valid = (Pool(X, y, group_id=queries) for X, y, queries in (fold.train, fold.valid))
        rounds = self.make(1000).fit(train, eval_set=valid, early_stopping_rounds=50)
        X, y, queries = fold.both
        self.model = self.make(max(rounds.get_best_iteration(), 1) + 1)
        self.model.fit(Pool(X, y, group_id=queries))


def measure(model, fold):
    """NDCG@10 of each test query with relevant items, and seconds of the fit."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(fold)
    seconds = time.perf_counter() - start
    X, y, queries = fold.test
    values = ndcg(y, model.predict(X), queries, per_query=True)
    return values[~np.isnan(values)], seconds


def compare(sets, title, models, pairs):
    """A table of NDCG@10 per fold, then the pairs (ours, theirs): differences and time ratios."""
    print(f"\n## {title}: NDCG@10 per fold, mean, seconds of all fits")
    total = {}
    for name, X, y, queries, folds in sets:
        found = {label: [] for label in models}
        for rows in folds:
            fold = Fold(X, y, queries, *rows)
            for label, make in models.items():
                found[label].append(measure(make(), fold))
        print(f"{name}")
        for label, results in found.items():
            means = [values.mean() for values, _ in results]
            seconds = sum(s for _, s in results)
            figures = "".join(f"{mean:8.4f}" for mean in [*means, np.mean(means)])
            print(f"  {label:28}{figures}{seconds:9.1f}", flush=True)
            total.setdefault(label, []).append((np.mean(means), seconds, results))
        for ours, theirs in pairs:
            report(ours, theirs, found[ours], found[theirs])
    if len(sets) > 1:
        print("mean over the sets")
        for label, results in total.items():
            print(f"  {label:28}{np.mean([mean for mean, *_ in results]):8.4f}")


def report(ours, theirs, a, b):
    first, second = (np.concatenate([values for values, _ in results]) for results in (a, b))
    p = ttest_rel(first, second).pvalue
    ratio = sum(s for _, s in a) / sum(s for _, s in b)
    print(
        f"    {ours} - {theirs}: {np.mean(first - second):+.4f}, p = {p:.1e}, "
        f"time ratio {ratio:.2f}"
    )


def linear_models():
    return {
        "linear nll": Ours,
        "linear RankNet": lambda: Ours("linear", "pairwise_log"),
        "RidgeCV": Regressor,
    }


def equal_trees():
    trees = TreesEnergy(100, early_stopping=False, n_jobs=1)
    losses = ("nll", "xendcg", "lambda")
    models = {f"trees {loss}": (lambda loss=loss: Ours(trees, loss, beta=1)) for loss in losses}
    models["LightGBM lambdarank"] = lambda: LightGBM("lambdarank")
    models["LightGBM rank_xendcg"] = lambda: LightGBM("rank_xendcg")
    return models


class Pooled(Ours):
    """Linear, an mlp, and trees of two losses and shapes: small ones with xendcg, as an expert.

    Those have the leaf size of the highest NDCG@10 on the validation rows.
    """

    def __init__(self, loss="nll"):
        self.loss = loss

    def fit(self, fold):
        X, y, queries = fold.train
        found = []
        for size in (50, 200):
            alone = shallow_trees(size).fit(X, y, groups=queries)
            found.append((alone.score(*fold.valid), size))
        terms = ["linear", slow_trees(min_samples_leaf=50), shallow_trees(max(found)[1]), "mlp"]
        super().__init__(terms, self.loss)
        super().fit(fold)


def slow_trees(**params):
    return TreesEnergy(1000, 0.05, colsample=0.5, patience=50, n_jobs=1, **params)


def shallow_trees(size):
    trees = slow_trees(max_leaf_nodes=64, max_depth=6, subsample=0.6, min_samples_leaf=size)
    return EnergyRanker(trees, "xendcg", random_state=0)


def pooled_models():
    return {
        "pooled": Pooled,
        "linear, trees, mlp": lambda: Ours(["linear", slow_trees(min_samples_leaf=50), "mlp"]),
    } | peers()


def peers():
    return {
        "LightGBM lambdarank": lambda: LightGBM("lambdarank"),
        "LightGBM rank_xendcg": lambda: LightGBM("rank_xendcg"),
        "LightGBM lambdarank tuned": lambda: LightGBM("lambdarank", True),
        "LightGBM rank_xendcg tuned": lambda: LightGBM("rank_xendcg", True),
        "XGBoost rank:ndcg": lambda: XGBoost("rank:ndcg"),
        "XGBoost rank:pairwise": lambda: XGBoost("rank:pairwise"),
        "CatBoost YetiRank": CatBoost,
        "RidgeCV": Regressor,
    }


def against_peers(name):
    return [(name, peer) for peer in peers()]


def large(n_rows, kind):
    """Fit seconds and peak memory (MB) of one model on generated rows, in a process of its own."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 50), dtype=np.float32)
    queries = np.sort(rng.integers(n_rows // 50, size=n_rows))
    worth = X[:, :10].sum(axis=1) / 3 + rng.standard_normal(n_rows, dtype=np.float32)
    y = np.clip(np.round(worth), 0, 4).astype(np.int32)
    model = Ours(alpha="auto" if kind == "auto" else 1e-6) if kind != "LightGBM" else None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    if model is None:
        LGBMRanker(n_jobs=1, verbose=-1).fit(X, y, group=sizes(queries))
    else:
        model.model.fit(X, y, groups=queries)
    seconds = time.perf_counter() - start
    return seconds, before / 1024, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def scale(_):
    """Linear nll on 1,000,000 rows, 50 columns (200 MB), 20,000 queries, beside LightGBM."""
    print("\n## 1,000,000 rows of 50 float32 columns, 20,000 queries")
    print(f"{'model':24}{'s':>9}{'peak MB':>9}  of which before the fit")
    for label, kind in [
        ("linear nll, alpha=1e-6", "fixed"),
        ("linear nll, alpha=auto", "auto"),
        ("LGBMRanker(), 100 rounds", "LightGBM"),
    ]:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, before, peak = pool.apply(large, (1_000_000, kind))
        print(f"{label:24}{seconds:9.1f}{peak:9.0f}{before:9.0f}", flush=True)


def catalogue(_):
    """The ten best of 50,000 items for each of 1,000 queries: an index beside all products."""
    rng = np.random.RandomState(0)
    queries, groups = rng.standard_normal((500, 16)), np.repeat(np.arange(500), 10)
    shown = rng.standard_normal((5000, 32))
    worth = np.sum(queries[groups] @ rng.standard_normal((16, 32)) * shown, axis=1)
    X, y = np.column_stack([queries[groups], shown]), worth > 20
    ranker = EnergyRanker(BilinearEnergy(range(16)), alpha=0.01).fit(X, y, groups=groups)
    queries, items = rng.standard_normal((1000, 16)), rng.standard_normal((50_000, 32))
    items *= rng.lognormal(sigma=0.5, size=(50_000, 1))  # some are liked more than others
    print("\n## 10 of 50,000 items of 32 columns for 1,000 queries, one thread")
    with threadpool_limits(1):
        index, seconds = timed(ItemIndex().fit, items)
        print(f"the index is built in {seconds:.1f} s")
        exact, seconds = timed(ranker.top_k, queries, items=items)
        print(f"{'search':24}{'s':>9}{'recall':>9}")
        print(f"{'exact':24}{seconds:9.2f}{1:9.3f}")
        for n_search in (16, 64, 256):
            index.set_params(n_search=n_search)
            found, seconds = timed(ranker.top_k, queries, items=index)
            print(
                f"{f'index, n_search={n_search}':24}{seconds:9.2f}{top_k_recall(found, exact):9.3f}"
            )


def timed(call, *args, **params):
    """What the call gives, and its seconds."""
    start = time.perf_counter()
    return call(*args, **params), time.perf_counter() - start


PARTS = {
    "linear": lambda sets: compare(
        sets,
        "linear",
        linear_models(),
        [("linear nll", "linear RankNet"), ("linear nll", "RidgeCV")],
    ),
    "trees": lambda sets: compare(
        sets,
        "trees, 100 rounds, 31 leaves, rate 0.1",
        equal_trees(),
        [
            ("trees lambda", "LightGBM lambdarank"),
            ("trees xendcg", "LightGBM rank_xendcg"),
            ("trees nll", "LightGBM rank_xendcg"),
        ],
    ),
    "pooled": lambda sets: compare(
        sets, "sums beside single peers", pooled_models(), against_peers("pooled")
    ),
    "scale": scale,
    "catalogue": catalogue,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder that holds ranking/*.npz")
    parser.add_argument("--part", choices=PARTS, help="one table (default: all)")
    parser.add_argument("--sets", help="names, separated by commas (default: all)")
    parser.add_argument("--folds", help="numbers of folds, separated by commas (default: all)")
    options = parser.parse_args()
    sets = list(stored(Path(options.data) / "ranking") if options.data else generated())
    if options.sets:
        sets = [s for s in sets if s[0] in options.sets.split(",")]
    if options.folds:
        chosen = list(map(int, options.folds.split(",")))
        sets = [(*s[:4], [s[4][k] for k in chosen]) for s in sets]
    for name in [options.part] if options.part else PARTS:
        PARTS[name](sets)


if __name__ == "__main__":
    main()
