"""The distribution object that densities return: shapes, truths, regions, and bad input."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge

from sk_ebm import EnergyDensityEstimator
from sk_ebm.distributions import PredictiveDistribution

SIMPLE = {"location": Ridge(), "power": None, "alpha": 0.1, "random_state": 0}
OF_VALUES = ["pdf", "logpdf", "cdf", "cdf_below", "sf", "pit", "crps", "pmf", "energies"]
STATISTICS = ["mean", "std", "var", "median", "mode"]


def fit(y, X, **options):
    return EnergyDensityEstimator("linear", **SIMPLE | options).fit(X, y)


def answers(kind, rng, n=300):
    X = rng.standard_normal((n, 2))
    y = 2 * X[:, 0] + rng.standard_normal(n)
    if kind == "rounded":
        y = np.round(y)
    if kind == "point masses":
        y = np.where(rng.uniform(size=n) < 0.3, 0.0, y)
    return X, y


KINDS = ["smooth", "rounded", "point masses"]


@pytest.fixture(scope="module")
def fitted():
    """Rows and the fitted density of each kind of answers."""
    found = {}
    for kind in KINDS:
        X, y = answers(kind, np.random.RandomState(0))
        found[kind] = X[:7], fit(y, X)
    return found


@pytest.fixture(scope="module")
def two():
    """Rows, answers and a density of two targets."""
    rng = np.random.RandomState(0)
    X, first = answers("smooth", rng)
    y = np.column_stack([first, first + 0.3 * rng.standard_normal(len(first))])
    return X[:5], y[:5], fit(y, X)


@pytest.fixture(params=KINDS)
def distribution(request, fitted):
    X, density = fitted[request.param]
    return density.predict_distribution(X)


def test_kinds_are_what_they_are_called(fitted):
    names = [type(density.chain_[0].distribution(X)).__name__ for X, density in fitted.values()]
    assert names == ["CorrectedDistribution", "RoundedDistribution", "WithPointMasses"]


@pytest.mark.parametrize("name", OF_VALUES)
def test_values_come_in_all_shapes(name, distribution):
    ask, y = getattr(distribution, name), np.linspace(-3, 4, 7)
    if name == "pit":
        ask = distribution.cdf_below if distribution.pmf(0.0).any() else ask
    by_row = ask(y)
    assert by_row.shape == (7,)
    assert ask(1.0).shape == (7,)
    grid = ask(y[None, :5])
    assert grid.shape == (7, 5)
    several = np.tile(y, (7, 1))
    assert_allclose(ask(several).diagonal(), by_row)
    assert_allclose(grid, ask(several[:, :5]))
    assert_allclose(grid[:, 2], ask(y[2]))
    assert ask(y[:, None]).shape == (7, 1)
    one = distribution[4]
    if name != "pit":
        assert_allclose(getattr(one, name)(y[:5]), grid[4:5], rtol=1e-9)
        assert getattr(one, name)(y[:1]).shape == (1,)


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_have_a_number_for_each_row(name, distribution):
    values = getattr(distribution, name)()
    assert values.shape == (7,)
    assert_allclose(getattr(distribution[2:5], name)(), values[2:5], rtol=1e-9)
    assert_allclose(getattr(distribution[-1], name)(), values[-1:], rtol=1e-9)
    mask = values >= np.median(values)
    assert_allclose(getattr(distribution[mask], name)(), values[mask], rtol=1e-9)


def test_shapes_of_the_rest(distribution):
    assert len(distribution) == 7
    assert [len(row) for row in distribution] == [1] * 7
    assert distribution.interval(0.8).shape == distribution.support().shape == (7, 2)
    assert distribution.rvs(size=3).shape == (7, 3)
    assert_array_equal(distribution.rvs(3, 1), distribution.rvs(3, 1))
    assert distribution.ppf([[0.1, 0.5]]).shape == (7, 2)
    assert distribution.ppf(0.5).shape == (7,)
    assert_array_equal(distribution.ppf([[0.9, 0.1]]), distribution.ppf([[0.1, 0.9]])[:, ::-1])
    assert distribution.grid().shape == distribution.grid_masses().shape
    regions = distribution.hdr(0.8)
    assert len(regions) == 7 and all(region.shape[1] == 2 for region in regions)


def test_all_mass_lies_below_infinity(distribution):
    assert_allclose(distribution.cdf([[-np.inf, np.inf]]), [[0, 1]] * 7, atol=1e-15)
    assert_allclose(distribution.sf(-np.inf), 1)


def test_moments_are_those_of_draws(distribution):
    draws = distribution.rvs(20_000, random_state=0)
    assert_allclose(distribution.mean(), draws.mean(axis=1), atol=0.05)
    assert_allclose(distribution.std(), draws.std(axis=1), rtol=0.05)
    assert_allclose(distribution.var(), distribution.std() ** 2)
    assert_allclose(distribution.pmf(0.0), np.mean(draws == 0, axis=1), atol=0.02)
    assert_allclose(distribution.cdf(0.0), np.mean(draws <= 0, axis=1), atol=0.02)
    assert_allclose(distribution.cdf_below(0.0), np.mean(draws < 0, axis=1), atol=0.02)


def test_variance_is_the_integral(fitted):
    X, density = fitted["smooth"]
    one = density.predict_distribution(X[:1])
    y = np.linspace(-200, 200, 400_001)
    p = one.pdf(y)[0]
    mean = integrate.simpson(y * p, x=y)
    assert_allclose(one.mean(), mean, rtol=1e-3)
    assert_allclose(one.var(), integrate.simpson((y - mean) ** 2 * p, x=y), rtol=1e-3)


def test_regions_hold_the_coverage_and_the_greatest_densities(fitted):
    X, density = fitted["smooth"]
    distribution = density.predict_distribution(X)
    for row, region in zip(distribution, distribution.hdr(0.8), strict=True):
        assert_allclose(np.sum(np.diff(row.cdf(region.ravel()))[:, ::2]), 0.8, atol=2e-3)
        levels = row.pdf(region.ravel()[None])
        assert_allclose(levels, levels.mean(), rtol=0.05)
        shortest = row.shortest_interval(0.8)
        assert np.sum(np.diff(region)) < np.diff(shortest)[0, 0] * 1.01


def test_a_region_of_two_peaks_has_two_intervals():
    rng = np.random.RandomState(1)
    X = rng.standard_normal((2000, 1))
    y = np.where(rng.uniform(size=2000) < 0.5, -3, 3) + 0.5 * rng.standard_normal(2000)
    distribution = fit(y, X, location=None).predict_distribution(X[:3])
    for region in distribution.hdr(0.8):
        assert region.shape == (2, 2)
        assert region[0, 1] < -1 and region[1, 0] > 1
    lengths = [np.diff(region).sum() for region in distribution.hdr(0.8)]
    assert (np.array(lengths) < 0.7 * np.diff(distribution.interval(0.8))[:, 0]).all()


def test_regions_of_values_and_points(fitted):
    X, density = fitted["rounded"]
    distribution = density.predict_distribution(X)
    for row, region in zip(distribution, distribution.hdr(0.8), strict=True):
        inside = sum(row.cdf(high) - row.cdf_below(low) for low, high in region)
        least = min(row.pmf(end)[0] for end in region.ravel())
        assert 0.8 <= inside < 0.8 + least + 1e-9
    X, density = fitted["point masses"]
    distribution = density.predict_distribution(X)
    for row, region in zip(distribution, distribution.hdr(0.8), strict=True):
        inside = sum(row.cdf(high) - row.cdf_below(low) for low, high in region)
        assert_allclose(inside, 0.8, atol=2e-3)
        assert ((region[:, 0] <= 0) & (region[:, 1] >= 0)).any()
    assert all(region.tolist() == [[0, 0]] for region in distribution.hdr(1e-3))


def test_transforms_are_uniform(rng):
    for kind in KINDS:
        X, y = answers(kind, rng, 1500)
        distribution = fit(y[:500], X[:500]).predict_distribution(X[500:])
        pit = distribution.pit(y[500:])
        assert_array_equal(pit, distribution.pit(y[500:]))
        assert stats.kstest(pit, "uniform").pvalue > 1e-3
        assert (distribution.pit(y[500:], random_state=1) == pit).all() == (kind == "smooth")


def test_several_targets(two):
    X, y, density = two
    distribution = density.predict_distribution(X)
    assert distribution.mean().shape == distribution.std().shape == (5, 2)
    assert distribution.interval(0.8).shape == distribution.support().shape == (5, 2, 2)
    assert distribution.ppf(0.5).shape == (5, 2)
    assert distribution.ppf([[0.1, 0.5, 0.9]]).shape == (5, 2, 3)
    assert distribution.rvs(size=4).shape == (5, 4, 2)
    joint = distribution.logpdf(y)
    assert joint.shape == (5,)
    assert_allclose(joint, density.log_prob(X, y))
    grid = distribution.logpdf(np.stack([y, y + 1], axis=1))
    assert grid.shape == (5, 2)
    assert_allclose(grid[:, 0], joint)
    assert_allclose(distribution.logpdf(y[None]).diagonal(), joint)
    assert_allclose(
        distribution[2].logpdf(y[[2, 0, 1]]), distribution.logpdf(y[None])[2:3, [2, 0, 1]]
    )
    assert distribution.cdf(y).shape == distribution.crps(y).shape == distribution.pit(y).shape
    assert distribution.cdf(y).shape == (5, 2)
    assert distribution.cdf(y[None]).shape == (5, 5, 2)
    assert_allclose(distribution[1:3].mean(), distribution.mean()[1:3], rtol=1e-9)
    covered = distribution.cdf(distribution.interval(0.8).swapaxes(1, 2))
    assert_allclose(covered[:, 1] - covered[:, 0], 0.8, atol=2e-3)
    for name in ("mode", "hdr", "grid", "plot"):
        with pytest.raises(ValueError, match=f"{name} needs one target, got 2"):
            getattr(distribution, name)()


def test_blocks_of_rows_change_nothing(fitted, two):
    for X, density in (fitted["rounded"], (two[0], two[2])):
        whole = density.predict_distribution(X)
        expected = whole.mean(), whole.interval(0.8), whole.cdf(0.3)
        with config_context(working_memory=1e-6):
            found = density.predict_distribution(X)
            found = found.mean(), found.interval(0.8), found.cdf(0.3)
        for a, b in zip(found, expected, strict=True):
            assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_it_is_kept_as_it_was(fitted, rng):
    X, density = fitted["smooth"]
    X = X.copy()
    distribution = density.predict_distribution(X)
    expected = density.predict(X)
    copied = pickle.loads(pickle.dumps(distribution))
    X[:] = 0
    fit(rng.standard_normal(50), rng.standard_normal((50, 2)))
    assert_array_equal(distribution.mean(), expected)
    assert_array_equal(copied.mean(), expected)
    assert isinstance(copied, PredictiveDistribution)


def test_what_is_of_skpro_needs_one_target(two):
    distribution = two[2].predict_distribution(two[0])
    assert not hasattr(distribution, "loc") and not hasattr(distribution, "columns")


def test_frames_keep_their_index(two, rng):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(rng.standard_normal((60, 2)), columns=["a", "b"]).set_axis(range(100, 160))
    y = X["a"] + rng.standard_normal(60)
    distribution = fit(y, X).predict_distribution(X[:4])
    frame = distribution.to_frame(quantiles=[0.9, 0.1])
    assert list(frame.columns) == ["mean", "std", "q0.9", "q0.1"]
    assert list(frame.index) == [100, 101, 102, 103]
    assert list(distribution[[2, 0]].to_frame().index) == [102, 100]
    assert_array_equal(frame["q0.1"], distribution.ppf(0.1))
    assert two[2].predict_distribution(two[0]).to_frame().shape == (5, 10)
    assert distribution.cdf(y[:4]).shape == (4,)


def test_a_picture_has_a_curve_for_each_row(distribution):
    pytest.importorskip("matplotlib").use("Agg")
    assert len(distribution.plot(n_rows=3).lines) == 3


def test_metrics_of_skpro_take_it(fitted):
    skpro = pytest.importorskip("skpro.metrics")
    for X, density in fitted.values():
        distribution, y = density.predict_distribution(X), np.linspace(-2, 2, 7)
        assert_allclose(skpro.CRPS()(y, distribution), distribution.crps(y).mean(), rtol=1e-6)
        assert_allclose(skpro.LogLoss()(y, distribution), -distribution.logpdf(y).mean(), rtol=1e-6)
        assert 0 <= skpro.AUCalibration()(y, distribution) <= 1
        assert_allclose(distribution.to_skpro().ppf(0.3).to_numpy()[:, 0], distribution.ppf(0.3))


class Gamma(RegressorMixin, BaseEstimator):
    """Predicts scipy's gamma distributions."""

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        return stats.gamma(3 + np.zeros(len(X)))


def test_the_support_is_that_of_a_given_distribution(rng):
    X, y = rng.standard_normal((100, 1)), rng.gamma(3, size=100)
    density = EnergyDensityEstimator("linear", base=Gamma(), alpha=0.1, random_state=0).fit(X, y)
    distribution = density.predict_distribution(X[:2])
    assert_array_equal(distribution.support(), [[0, np.inf]] * 2)
    assert_array_equal(distribution.cdf([[-np.inf, np.inf]]), [[0, 1]] * 2)


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda d: d.cdf(np.zeros(3)), r"y must be a number, \(7,\) with one .* shape \(3,\)"),
        (lambda d: d.cdf(np.zeros((3, 7))), r"got an array of shape \(3, 7\)"),
        (lambda d: d.crps([np.nan] * 7), r"y is missing \(NaN\) in 7 of 7 rows"),
        (lambda d: d.logpdf("a"), "y must hold numbers only"),
        (lambda d: d.logpdf(None), "y must have a value for each row of X, got None"),
        (lambda d: d.ppf(1.0), r"p must be .* in \(0, 1\), got 1.0"),
        (lambda d: d.ppf([0.1, 0.2]), r"p must be a number, \(7,\)"),
        (lambda d: d.interval(1), "coverage must be a finite number > 0 and < 1, got 1"),
        (lambda d: d.hdr(0), "coverage must be .*, got 0"),
        (lambda d: d.shortest_interval("a"), "coverage must be"),
        (lambda d: d.rvs(0), "size must be an integer >= 1, got 0"),
        (lambda d: d.to_frame([2]), r"quantiles must be .* in \(0, 1\)"),
    ],
)
def test_bad_input(ask, said, fitted):
    X, density = fitted["smooth"]
    with pytest.raises(ValueError, match=said):
        ask(density.predict_distribution(X))


def test_rows_that_are_not_there(distribution):
    with pytest.raises(IndexError, match="There are 7 rows, got index 7"):
        distribution[7]
    with pytest.raises(ValueError, match="at least one of 7 rows, got none"):
        distribution[7:]


def test_bad_values_of_several_targets(two):
    with pytest.raises(ValueError, match=r"y must be a number, \(5, 2\) .* shape \(5,\)"):
        two[2].predict_distribution(two[0]).cdf(np.zeros(5))


def test_log_prob_and_cdf_broadcast(fitted):
    X, density = fitted["smooth"]
    distribution = density.predict_distribution(X)
    for y in (0.5, np.arange(7.0), [[0.0, 1, 2]], np.zeros((7, 2))):
        assert_array_equal(density.log_prob(X, y), distribution.logpdf(y))
        assert_array_equal(density.cdf(X, y), distribution.cdf(y))
        assert density.energies(X, y).shape == distribution.crps(y).shape
    assert density.cdf(X[:1], [0.0, 1.0, 2.0]).shape == (1, 3)
    column = np.arange(7.0)[:, None]
    assert density.score(X, column) == density.score(X, column[:, 0])


@pytest.mark.parametrize("point", ["mean", "median"])
def test_predict_answers_keywords(point, rng):
    X, y = answers("smooth", rng, 100)
    density = fit(y, X, point=point)
    distribution = density.predict_distribution(X)
    mean, std = density.predict(X, return_std=True)
    assert_array_equal(mean, distribution.mean())
    assert_array_equal(std, distribution.std())
    quantiles = density.predict(X, quantiles=[0.9, 0.1, 0.5])
    assert_array_equal(quantiles, distribution.ppf([[0.9, 0.1, 0.5]]))
    assert density.predict(X, quantiles=0.5).shape == (100,)
    assert_array_equal(density.predict(X, coverage=0.8), distribution.interval(0.8))
    density.conformalize(X, y)
    assert_array_equal(density.predict(X, coverage=0.8), density.predict_interval(X, 0.8))
    with pytest.raises(ValueError, match="one keyword at a time, got return_std and coverage"):
        density.predict(X, return_std=True, coverage=0.8)
    with pytest.raises(ValueError, match="coverage must be"):
        density.predict(X, coverage=90)
    with pytest.raises(ValueError, match="quantiles must be"):
        density.predict(X, quantiles=[0.5, 1.5])
