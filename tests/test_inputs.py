"""Energies of inputs alone: laws over energies, weights, missing values, far rows, wide tables."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.cluster import KMeans
from sklearn.covariance import EllipticEnvelope, LedoitWolf
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_ebm import EnergyDetector
from sk_ebm.energies import ForestEnergy, GaussianEnergy, NeighborsEnergy, SurvivalSum
from sk_ebm.energies._fold_median import FoldMedian
from sk_ebm.energies.inputs._normal_mixture import NormalMixture, _clusters
from sk_ebm.energies.inputs._shrunk_covariance import ShrunkCovariance
from sk_ebm.energies.inputs._whitening import Whitening
from sk_ebm.thresholds import FalseAlarm

SMALL_FOREST = ForestEnergy(n_estimators=20)
WHITE = NeighborsEnergy(n_neighbors=2, whiten=True)
HALF = NeighborsEnergy(n_neighbors=5, whiten=0.5)
RANKS = NeighborsEnergy(n_neighbors=2, whiten=0.5, normal_scores=True)
DETERMINISTIC = ["gaussian", "mixture", "neighbors", "marginal", WHITE, HALF]
OWN = [*DETERMINISTIC, SMALL_FOREST]
every_energy = pytest.mark.parametrize("energy", OWN, ids=str)


def detector(energy, **parameters):
    """Without calibration, unless it is asked for."""
    settings = {"calibration": None, "threshold": "contamination", "random_state": 0}
    return EnergyDetector(energy, **(settings | parameters))


@pytest.fixture(scope="module")
def contaminated():
    """Standard normal rows, a tenth of them far away, and which are."""
    rng = np.random.RandomState(0)
    X = rng.standard_normal((400, 4)) @ rng.standard_normal((4, 4))
    X[:40] = rng.uniform(-12, 12, (40, 4))
    return X, np.arange(400) < 40


# Weights


@pytest.mark.parametrize("energy", [*DETERMINISTIC, RANKS, ["gaussian", "neighbors"]], ids=str)
@pytest.mark.parametrize("shape", [(60, 3), (12, 40)], ids=["narrow", "wide"])
def test_weights_are_copies_of_rows(energy, shape, rng):
    X = rng.standard_normal(shape)
    weights = rng.randint(0, 4, size=shape[0])
    copies = np.repeat(np.arange(shape[0]), weights)
    cv = calibration = None
    if isinstance(energy, list):
        fold = np.arange(shape[0]) % 3
        cv = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]
        calibration = "cv"
    weighted = detector(energy, cv=cv, calibration=calibration).fit(X, sample_weight=weights)
    if cv:
        fold = fold[copies]
        cv = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]
    repeated = detector(energy, cv=cv, calibration=calibration).fit(X[copies])
    new = rng.standard_normal((30, shape[1]))
    assert_allclose(weighted.energies(new), repeated.energies(new), rtol=1e-6)
    assert_allclose(weighted.threshold_, repeated.threshold_, rtol=1e-6)


@every_energy
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_rows_are_compatible_where_the_weight_is(energy, kind, rng):
    if energy == "marginal" and kind is not np.asarray:
        pytest.skip("it reads no sparse rows")
    X = np.abs(np.r_[rng.normal(1, 1, (100, 2)), rng.normal(9, 1, (100, 2))])
    weights = np.repeat([1.0, 0.02], 100)
    found = detector(energy).fit(kind(X), sample_weight=weights).energies(X)
    assert found[:100].mean() < found[100:].mean()


def test_rows_without_weight_are_as_if_they_were_not_there(contaminated):
    X = contaminated[0]
    weights = np.where(np.arange(400) < 40, 0.0, 1.0)
    found = EnergyDetector("gaussian").fit(X, sample_weight=weights)
    assert_allclose(found.energies(X), EnergyDetector("gaussian").fit(X[40:]).energies(X))


def test_experts_without_weights_are_refused_before_any_fit(contaminated, monkeypatch):
    def fit(*_):
        raise AssertionError("fitted")

    monkeypatch.setattr(ForestEnergy, "fit_rows", fit)
    X, anomalous = contaminated
    terms = ["forest", LocalOutlierFactor(novelty=True)]
    with pytest.raises(ValueError, match="sample_weight .* cannot be passed to LocalOutlierFactor"):
        EnergyDetector(terms).fit(X, sample_weight=1.0 + anomalous)


@pytest.mark.parametrize("energy", [*OWN, [SMALL_FOREST, KernelDensity()]], ids=str)
def test_weights_where_metadata_is_routed(energy, contaminated):
    X, anomalous = contaminated
    if isinstance(energy, list):
        with config_context(enable_metadata_routing=True):
            energy[1].set_fit_request(sample_weight=True)
    with config_context(enable_metadata_routing=True):
        detector(energy).fit(X, sample_weight=2.0 - anomalous)


# The shrunk covariance, mixtures


@pytest.mark.parametrize("shape", [(50, 4), (20, 60)])
def test_the_shrunk_covariance_is_that_of_ledoit_and_wolf(shape, rng):
    X = rng.standard_normal(shape) * rng.uniform(0.5, 2, shape[1])
    peer = LedoitWolf().fit(X)
    ours = ShrunkCovariance(X, np.ones(len(X)))
    new = rng.standard_normal((10, shape[1]))
    assert_allclose(ours.mahalanobis(new), peer.mahalanobis(new), rtol=1e-6)
    assert_allclose(ours.log_determinant, np.linalg.slogdet(peer.covariance_)[1], rtol=1e-6)
    whitening = Whitening(ours, 1.0)
    squares = ((whitening(new) - whitening(X[:10])) ** 2).sum(axis=1)  # new from old rows
    difference = new - X[:10]
    exact = np.einsum("ij,jk,ik->i", difference, np.linalg.inv(peer.covariance_), difference)
    assert_allclose(squares, exact, rtol=1e-6)


def test_densities_of_a_mixture_are_those_of_scikit_learn(rng):
    X = np.r_[rng.standard_normal((60, 2)), rng.normal(8, 1, (60, 2))]
    peer = GaussianMixture(2, random_state=0).fit(X)
    ours = NormalMixture(peer.weights_, peer.means_, np.linalg.cholesky(peer.covariances_))
    assert_allclose(ours.log_densities(X), peer.score_samples(X))


@pytest.mark.parametrize("energy", ["mixture", "gaussian"])
@pytest.mark.parametrize("n_columns", [2, 6])
@pytest.mark.parametrize(("n_rows", "n_far"), [(120, 1), (120, 3), (300, 5)])
def test_far_rows_become_no_component(energy, n_columns, n_rows, n_far, rng):
    for seed in range(3):
        X = rng.standard_normal((n_rows, n_columns))
        X[-n_far:] += 12
        found = detector(energy, random_state=seed).fit(X).predict(X)
        assert_array_equal(found[-n_far:], -1)


def test_clusters_are_modelled_beside_far_rows(rng):
    X = np.r_[rng.normal(-8, 1, (150, 2)), rng.normal(8, 1, (150, 2)), np.full((5, 2), 40.0)]
    X[-5:] += rng.standard_normal((5, 2))
    energies = detector("mixture").fit(X).energies(np.r_[X, np.zeros((1, 2))])
    assert energies[-6:].min() > energies[:-6].max()  # neither between them, nor far away


def test_whitened_distances_do_not_depend_on_the_axes(rng):
    X = rng.standard_normal((300, 3))
    mixed = X @ rng.standard_normal((3, 3))
    plain, white = (
        [detector(NeighborsEnergy(whiten=w)).fit(Z).energies(Z) for Z in (X, mixed)]
        for w in (False, True)
    )
    assert np.corrcoef(white)[0, 1] > 0.97 > np.corrcoef(plain)[0, 1]


def test_energies_of_columns_do_not_depend_on_the_number_of_bins(rng):
    X = rng.uniform(size=(2000, 3))
    few, many = (detector("marginal").fit(X[:n]).energies(X[:100]).mean() for n in (100, 2000))
    assert abs(few - many) < 0.2


# Missing values


@pytest.mark.parametrize("energy", [*OWN, OWN, IsolationForest(random_state=0)], ids=str)
def test_outliers_are_found_among_rows_with_missing_values(energy, rng):
    X = rng.standard_normal((300, 4))
    X[:8] += 7
    X[rng.uniform(size=X.shape) < 0.1] = np.nan
    X[20] = np.nan
    found = detector(energy).fit(X)
    assert roc_auc_score(np.arange(300) < 8, found.energies(X)) > 0.97
    complete = detector(energy).fit(np.nan_to_num(X))
    assert np.isfinite(complete.energies(X)).all()


def test_a_column_without_values_is_ignored(rng):
    X = rng.standard_normal((60, 3))
    without = detector("gaussian").fit(X).energies(X)
    assert_allclose(
        detector("gaussian").fit(np.c_[X, np.full(60, np.nan)]).energies(np.c_[X, X[:, 0]]), without
    )


def test_missing_values_of_sparse_rows(rng):
    X = sparse.random_array((80, 6), density=0.5, rng=rng, format="csr")
    X.data[:5] = np.nan
    for energy in ("gaussian", "mixture", "neighbors"):
        assert np.isfinite(detector(energy).fit(X).energies(X)).all()


# Far rows, odd tables


FAR = np.array([[1e300, 0], [-1e200, 1e200], [1e155, 1], [1e20, -1e20]])
EXPERTS = [GaussianMixture(2), KernelDensity(), IsolationForest(n_estimators=5)]


@pytest.mark.parametrize("energy", [*OWN, ["gaussian", WHITE], *EXPERTS], ids=str)
def test_energies_of_far_rows_are_finite(energy, rng):
    X = rng.standard_normal((60, 2))
    found = detector(energy, calibration="cv").fit(X)
    for method in (found.score_samples, found.decision_function, found.predict_proba):
        assert np.isfinite(method(FAR)).all()
    if "Forest" not in str(energy):  # which knows no distances
        assert (found.energies(FAR) >= found.energies(X).max()).all()


@pytest.mark.parametrize("expert", [GaussianNB(), LogisticRegression()], ids=str)
@pytest.mark.parametrize("X", [np.zeros((30, 2)), FAR[:1] * 0 + np.arange(60.0).reshape(30, 2)])
def test_supervised_experts_have_finite_energies(expert, X):
    y = np.arange(30) % 2
    found = EnergyDetector(expert, labels="answer", novelty=True, random_state=0).fit(X, y)
    assert np.isfinite([found.threshold_, found.pair_threshold_, found.beta_]).all()
    assert np.isfinite(found.energies(FAR)).all()
    assert np.isfinite(found.pair_energies(FAR, y[:4])).all()


ROWS = np.random.RandomState(0).standard_normal((60, 2))
TABLES = {
    "two rows": np.array([[0.0], [1.0]]),
    "three rows": ROWS[:3],
    "five rows": ROWS[:5],
    "constant": np.ones((30, 2)),
    "a constant column": np.c_[ROWS, np.full(60, 3.0)],
    "duplicates": np.repeat([[1.0, 2, 3], [2, 2, 3]], 10, axis=0),
    "equal columns": np.c_[ROWS, ROWS],
    "n < d": np.random.RandomState(0).standard_normal((12, 80)),
    "one column": np.arange(40.0)[:, None],
    "integers": np.random.RandomState(0).randint(0, 5, (60, 3)),
    "offset": ROWS + 1e8,
    "large": ROWS * 1e305,
    "small": ROWS * 1e-305,
    "an outlier": np.r_[ROWS, [[1e200, 0.0]]],
}


@every_energy
@pytest.mark.parametrize("X", TABLES.values(), ids=TABLES)
@pytest.mark.filterwarnings("ignore:The highest energy is that of")
def test_odd_tables(energy, X):
    """Rows in any batch have the same finite energies, and others no lower ones."""
    found = detector(energy, calibration="cv").fit(X)
    energies = found.energies(X)
    assert np.isfinite([*energies, found.threshold_, found.beta_]).all()
    assert_allclose(np.concatenate([found.energies(x[None]) for x in X[:9]]), energies[:9])
    typical, strange = np.median(X, axis=0), np.median(X, axis=0) + 100 * np.abs(X).max()
    assert found.energies([strange])[0] >= found.energies([typical])[0] - 0.05  # trees are random


@every_energy
def test_units_and_offsets_of_columns_change_nothing(energy, rng):
    X, new = rng.standard_normal((100, 3)), rng.standard_normal((50, 3))
    moved = np.array([1e8, -1e6, 0]), np.array([1, 1e-3, 1e9])
    plain = detector(energy).fit(X).energies(new)
    other = detector(energy).fit(moved[0] + moved[1] * X).energies(moved[0] + moved[1] * new)
    constant = plain.mean() - other.mean()  # densities have other units
    assert_allclose(other + constant, plain, rtol=0.02, atol=0.02)


# Nats


def test_units_change_nothing_where_no_column_varies():
    for rows in (np.zeros((2, 2)), np.array([[0.0, 3.0], [0.0, 3.0]])):
        found = []
        for units in (1.0, np.array([0.25, 64.0])):
            detector = EnergyDetector("neighbors", threshold="contamination").fit(units * rows)
            found.append(detector.energies(units * np.array([[0.0, 3.0], [5.0, 3.0], [0.0, 4.0]])))
        assert_array_equal(*found)
        assert (found[0][1:] > found[0][0]).any()


def test_nats_are_the_log_of_the_share_with_more(rng):
    X = rng.standard_normal((2000, 2))
    found = EnergyDetector([GaussianEnergy(1.0)], random_state=0).fit(X)
    new = rng.standard_normal((2000, 2))
    exact = (new**2).sum(axis=1) / 2  # -log P(chi2_2 > r^2)
    assert np.abs(found.energies(new) - exact)[exact < 5].max() < 0.6
    far = np.array([[8.0, 0], [16.0, 0], [32.0, 0]])
    assert (np.diff(found.energies(far)) > 0).all()


def test_weights_of_a_sum(contaminated):
    X = contaminated[0]
    sum_ = SurvivalSum([("a", SMALL_FOREST), ("b", "gaussian")], weights=[3, 1])
    assert EnergyDetector(sum_).fit(X).energy_.weights_ == {"a": 0.75, "b": 0.25}
    with pytest.raises(ValueError, match="weights must be 2 numbers"):
        EnergyDetector(SurvivalSum(["forest", "gaussian"], weights=[1])).fit(X)


@pytest.mark.parametrize(
    "expert",
    [
        IsolationForest(n_estimators=20),
        GaussianMixture(2),
        KernelDensity(),
        EllipticEnvelope(),
        LocalOutlierFactor(novelty=True, n_neighbors=5),
        make_pipeline(StandardScaler(), KernelDensity()),
    ],
    ids=lambda expert: type(expert).__name__,
)
def test_experts_give_their_own_scores(expert, contaminated):
    X = contaminated[0]
    found = EnergyDetector(expert, random_state=0).fit(X)
    inner = found.energy_.estimator_
    assert_array_equal(found.score_samples(X), inner.score_samples(X))


# Wide tables


WIDE = [
    *("neighbors", "mixture", "gaussian", "marginal", WHITE),
    ["gaussian", "mixture"],
    KernelDensity(),
    LocalOutlierFactor(novelty=True, n_neighbors=5),
]


@pytest.mark.parametrize("energy", ["auto", *WIDE, LogisticRegression()], ids=str)
@pytest.mark.parametrize(("n_rows", "n_columns"), [(30, 50), (40, 800)])
def test_false_alarms_and_p_values_in_wide_tables(energy, n_rows, n_columns, rng):
    answers = isinstance(energy, LogisticRegression)
    alarms, p_values = [], []
    for seed in range(5):
        X, new = rng.standard_normal((n_rows, n_columns)), rng.standard_normal((100, n_columns))
        X[:, :20], new[:, :20] = 1.5 * X[:, :20], 1.5 * new[:, :20]
        labels = {"labels": "answer" if answers else None, "novelty": True}
        found = EnergyDetector(energy, threshold=FalseAlarm(0.1), random_state=seed, **labels)
        found.fit(X, X[:, 0] > 0)
        alarms.append(np.mean(found.predict(new) == -1))
        p_values.append(np.mean(found.p_values(new) <= 0.3))
        assert_allclose(found.decision_function(new), found.score_samples(new) - found.offset_)
    assert np.mean(alarms) < 0.15
    assert 0.1 < np.mean(p_values) < 0.4


def test_the_median_of_the_folds_in_wide_tables_only(rng):
    X = rng.standard_normal((40, 30))
    assert isinstance(EnergyDetector("gaussian").fit(X).energy_, FoldMedian)
    assert not isinstance(EnergyDetector("gaussian").fit(X[:, :20]).energy_, FoldMedian)
    split = EnergyDetector("gaussian", calibration="split", contamination=0.1).fit(X)
    assert not isinstance(split.energy_, FoldMedian)


def test_a_median_of_energies_of_inputs_and_pairs(rng):
    X, y = rng.standard_normal((30, 40)), np.arange(30) % 2
    found = EnergyDetector(LogisticRegression(), labels="answer", random_state=0).fit(X, y)
    inner = found.energy_.energies
    assert_allclose(found.energies(X), np.median([-e(X)[:, 0] for e in inner], axis=0))
    pairs = np.median([e.of_pairs(X, y) for e in inner], axis=0)
    assert_allclose(found.pair_energies(X, y), pairs)


def test_clusters_are_those_of_k_means(rng):
    X = rng.standard_normal((90, 2)) + 6 * np.eye(3, 2)[np.arange(90) % 3]
    weights = rng.uniform(0.1, 2, 90)
    clusters = _clusters(X, weights, 3)
    expected = KMeans(3, n_init=10, random_state=0).fit_predict(X, sample_weight=weights)
    assert_array_equal(clusters[:, None] == clusters, expected[:, None] == expected)


def test_clusters_of_fewer_distinct_rows_do_not_warn():
    """In threads, warnings cannot be silenced: their filters are shared."""
    X = np.repeat([[0.0], [1.0]], [3, 40], axis=0)
    assert_array_equal(_clusters(X, np.ones(43), 3), X[:, 0])
    assert_array_equal(_clusters(X[:3], np.ones(3), 3), 0)
