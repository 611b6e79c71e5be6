import numpy as np
import pytest
from scipy.stats import kstest
from sklearn.mixture import GaussianMixture

from sk_ebm import EnergyDensityEstimator
from sk_ebm._density.column_transform import ColumnTransform
from sk_ebm._density.rounding import Rounding


def margin(column):
    return ColumnTransform.of(column, Rounding.of(column))


def skewed(rng, n):
    return rng.exponential(size=n) ** 2


def test_a_skewed_column_is_read_as_normal_scores(rng):
    x = skewed(rng, 4000)
    assert kstest(margin(x)(x), "norm").statistic < 4000 ** (-1 / 3)  # the rows between two knots


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(lambda rng: skewed(rng, 500), id="few rows"),
        pytest.param(lambda rng: np.round(skewed(rng, 4000), 1), id="values recur"),
        pytest.param(lambda rng: np.where(rng.rand(4000) < 0.3, 0, rng.randn(4000)), id="atom"),
        pytest.param(lambda rng: np.full(3000, 5.0), id="constant"),
    ],
)
def test_other_columns_are_standardised(rng, column):
    x = column(rng)
    np.testing.assert_allclose(margin(x)(x), (x - x.mean()) / (x.std() or 1), atol=1e-12)


@pytest.mark.parametrize(
    "values", [[1e9], [1e300], [1.0, np.nextafter(1, 2)], [-1e18, -1e18 + 128]]
)
def test_columns_that_hardly_vary_have_a_scale(values):
    x = np.append(np.full(300, values[0]), values)
    scale = margin(x)
    np.testing.assert_allclose(scale.inverse(scale(x)), x)
    assert np.isfinite(scale.log_slope(x)).all()


def test_inverse_and_slopes(rng):
    x = skewed(rng, 3000)
    scale = margin(x)
    wide = np.linspace(-5, 2 * x.max(), 1001)
    np.testing.assert_allclose(scale.inverse(scale(wide)), wide, rtol=1e-9, atol=1e-9)
    slopes = (scale(wide + 1e-7) - scale(wide - 1e-7)) / 2e-7
    np.testing.assert_allclose(np.exp(scale.log_slope(wide)), slopes, rtol=1e-4)


def test_a_joint_density_of_a_skewed_column_integrates_to_one_and_beats_the_mixture(rng):
    X, new = skewed(rng, 2500)[:, None], skewed(rng, 2500)[:, None]
    model = EnergyDensityEstimator(conditional=False, random_state=0).fit(X)
    grid = model.column_transforms_[0].inverse(np.linspace(-9, 9, 40001))
    density = np.exp(model.score_samples(grid[:, None]))
    assert np.trapezoid(density, grid) == pytest.approx(1, abs=1e-3)
    assert model.score(new) > GaussianMixture(8, random_state=0).fit(X).score(new) + 0.1
    assert kstest(model.sample(2000)[:, 0], new[:, 0]).pvalue > 1e-3


def test_cells_of_whole_numbers_on_normal_scores_meet(rng):
    X = np.round(skewed(rng, 2500)[:, None] * 5000)
    model = EnergyDensityEstimator(conditional=False, kind="mass", random_state=0).fit(X)
    assert len(model.column_transforms_[0].x) > 2
    step = model.rounding_[0].step
    whole = np.arange(X.min() - 200 * step, 1000 * step, step)
    cells = model.rounding_[0].transformed(model.column_transforms_[0], False)
    edges = cells.intervals(model.column_transforms_[0](whole))
    np.testing.assert_allclose(edges[0][1:], edges[1][:-1])
    assert np.exp(model.score_samples(whole[:, None])).sum() < 1


def test_a_scale_bends_at_both_ends_of_a_gap_and_where_it_surely_is_not_straight(rng):
    x = np.append(rng.uniform(0, 1e-3, size=200), rng.uniform(5, 6, size=3800))
    scale = margin(x)
    assert {x[:200].max(), x[200:].min()} < set(scale.x)
    assert kstest(scale(x), "norm").statistic < 2 / np.sqrt(4000)
    assert len(margin(rng.uniform(size=4000)).x) < 20
