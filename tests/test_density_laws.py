"""Laws of predictive distributions, over base models, energies and shapes of y."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.linear_model import BayesianRidge, Ridge

from sk_ebm import EnergyDensityEstimator

N = 40
LEVELS = np.concatenate([[1e-6, 1e-3], np.linspace(0.01, 0.99, 49), [1 - 1e-3, 1 - 1e-6]])

TARGETS = {
    "normal": lambda rng: rng.normal(size=N),
    "two values": lambda rng: np.repeat([0.0, 1.0], N // 2),
    "two narrow peaks": lambda rng: np.repeat([0.0, 1.0], N // 2) + 1e-3 * rng.normal(size=N),
    "heavy tails": lambda rng: rng.standard_cauchy(N) ** 3,
    "lognormal": lambda rng: np.exp(3 * rng.normal(size=N)),
    "an outlier": lambda rng: np.append(rng.normal(size=N - 1), 1e10),
    "far from zero": lambda rng: 1e8 + rng.normal(size=N),
    "tiny": lambda rng: 1e-300 * rng.normal(size=N),
    "large": lambda rng: 1e149 * rng.uniform(-1, 1, size=N),
    "a point mass": lambda rng: np.where(rng.uniform(size=N) < 0.6, 0.3, rng.normal(size=N)),
    "rounded": lambda rng: rng.poisson(2, N).astype(float),
}
MODELS = {
    "constant": {"location": None},
    "steep kernel": {"energy": "kernel", "location": None, "beta": 50.0},
    "steep": {"location": Ridge(), "beta": 10.0},
    "no penalty": {"location": Ridge(), "alpha": 0.0},
    "predicted": {"base": BayesianRidge()},
    "one spline": {"location": Ridge(), "n_basis": 1},
}
CASES = [(model, target) for model in MODELS for target in TARGETS]
# Each model on three of the targets that try it most, and each target by the first model.
CASES = [
    (model, target)
    for i, (model, target) in enumerate(CASES)
    if model in ("constant", "steep kernel") or i % 4 == 0
]


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request):
    """The distributions of some rows, near and far, and y."""
    model, target = request.param
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(N, 2)), TARGETS[target](rng)
    params = {"energy": "linear", "max_iter": 3000, "cv": 3, "random_state": 0, **MODELS[model]}
    density = EnergyDensityEstimator(**params).fit(X, y)
    return density.predict_distribution(np.vstack([X[:3], [[30.0, -30.0]]])), y


def just_below(y):
    """Below y by more than the rounding errors of values and quantiles."""
    return np.nextafter(y, -np.inf) - 1e-13 * np.abs(y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
class TestLaws:
    def test_quantiles_are_sorted_and_invert_the_cdf(self, case):
        distribution, _ = case
        p = np.tile(LEVELS, (4, 1))
        y = distribution.ppf(p)
        assert np.isfinite(y).all()
        assert (np.diff(y, axis=1) >= 0).all()
        assert (distribution.cdf(y) >= p - 1e-6).all()
        assert (distribution.cdf(just_below(y)) <= p + 1e-4).all()

    def test_the_cdf_rises_from_0_to_1(self, case):
        distribution, y = case
        ends = y.min() - np.ptp(y), y.max() + np.ptp(y)
        grid = np.unique(np.concatenate([y, np.linspace(*ends, 300)]))
        levels = distribution.cdf(np.tile(grid, (4, 1)))
        assert (np.diff(levels, axis=1) >= -1e-9).all()
        assert ((levels >= 0) & (levels <= 1 + 1e-9)).all()

    def test_densities_integrate_to_the_cdf(self, case):
        assert_allclose(case[0].of_each(self._off), 0, atol=0.05)

    @staticmethod
    def _off(smooth):
        """How far sums of the density are off the cdf, (n,)."""
        for part in ("unrounded", "continuous"):
            smooth = getattr(smooth, part, smooth)
        levels = np.linspace(0.001, 0.999, 500)
        y = smooth.ppf(np.tile(levels, (4, 1)))
        middle, width = (y[:, 1:] + y[:, :-1]) / 2, np.diff(y, axis=1)
        resolved = width > 1e-10 * np.abs(middle)
        with np.errstate(divide="ignore"):
            logs = [smooth.logpdf(at) + np.log(width) for at in (y[:, 1:], middle, y[:, :-1])]
        masses = np.tensordot([1 / 6, 4 / 6, 1 / 6], np.exp(logs), axes=1)
        return np.where(resolved, masses - np.diff(smooth.cdf(y), axis=1), 0).sum(axis=1)

    def test_draws_follow_the_cdf(self, case):
        distribution, _ = case
        draws = distribution.rvs(200, random_state=0)
        upper, lower = distribution.cdf(draws), distribution.cdf(just_below(draws))
        between = np.random.default_rng(0).uniform(size=upper.shape)
        for below in lower + between * (upper - lower):
            assert stats.kstest(below, "uniform").pvalue > 1e-4

    def test_the_crps_is_that_of_quantiles(self, case):
        distribution, y = case
        levels = (np.arange(1000) + 0.5) / 1000
        draws = distribution.ppf(np.tile(levels, (4, 1)))
        for at in (y[:4], np.full(4, np.median(y))):
            pinball = 2 * ((levels - (at[:, None] < draws)) * (at[:, None] - draws)).mean(axis=1)
            found = distribution.crps(at)
            assert (found >= 0).all()
            assert_allclose(found, pinball, rtol=0.2, atol=1e-6 * np.ptp(y))

    @pytest.mark.parametrize("coverage", [0.5, 0.9, 1 - 1e-10])
    def test_intervals_hold_their_mass(self, case, coverage):
        distribution, _ = case
        equal, shortest = distribution.interval(coverage), distribution.shortest_interval(coverage)
        assert (np.diff(shortest) <= np.diff(equal) * (1 + 1e-9)).all()
        for ends in (equal, shortest):
            assert np.isfinite(ends).all()
            held = distribution.cdf(ends[:, 1]) - distribution.cdf(just_below(ends[:, 0]))
            assert (held >= coverage - 1e-4).all()

    def test_points_are_finite(self, case):
        distribution, y = case
        for point in (distribution.mean(), distribution.median(), distribution.mode()):
            assert np.isfinite(point).all()
        assert not np.isnan(distribution.logpdf(y[:4])).any()
