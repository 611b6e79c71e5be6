import numpy as np
import pytest
from scipy.stats import kstest
from sklearn.mixture import GaussianMixture

from sk_ebm import EnergyDensityEstimator
from sk_ebm._density.column_transform import ColumnTransform
from sk_ebm._density.rounding import Rounding


def transform(column):
    return ColumnTransform.of(column, Rounding.of(column))


def skewed(rng, n):
    return rng.exponential(size=n) ** 2


def test_a_skewed_column_becomes_normal_scores(rng):
    x = skewed(rng, 4000)
    between_knots = 4000 ** (-1 / 3)  # share of the rows
    assert kstest(transform(x)(x), "norm").statistic < between_knots


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(lambda rng: skewed(rng, 500), id="few rows"),
        pytest.param(lambda rng: np.round(skewed(rng, 4000), 1), id="repeated values"),
        pytest.param(lambda rng: rng.randn(4000) * (rng.rand(4000) < 0.7), id="point mass"),
        pytest.param(lambda rng: np.full(3000, 5.0), id="constant"),
    ],
)
def test_other_columns_are_standardised(rng, column):
    x = column(rng)
    np.testing.assert_allclose(transform(x)(x), (x - x.mean()) / (x.std() or 1), atol=1e-12)


@pytest.mark.parametrize(
    "values", [[1e9], [1e300], [1.0, np.nextafter(1, 2)], [-1e18, -1e18 + 128], [0.0, 1e-310]]
)
def test_columns_that_hardly_vary_have_a_scale(values):
    x = np.append(np.full(300, values[0]), values)
    fitted = transform(x)
    np.testing.assert_allclose(fitted.inverse(fitted(x)), x)
    assert np.isfinite(fitted.log_derivative(x)).all()


def test_inverse_and_derivatives(rng):
    x = skewed(rng, 3000)
    fitted = transform(x)
    wide = np.linspace(-5, 2 * x.max(), 1001)
    np.testing.assert_allclose(fitted.inverse(fitted(wide)), wide, rtol=1e-9, atol=1e-9)
    derivatives = (fitted(wide + 1e-7) - fitted(wide - 1e-7)) / 2e-7
    np.testing.assert_allclose(np.exp(fitted.log_derivative(wide)), derivatives, rtol=1e-4)


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


def test_knots_lie_at_both_ends_of_a_gap_and_where_the_distribution_is_not_uniform(rng):
    x = np.append(rng.uniform(0, 1e-3, size=200), rng.uniform(5, 6, size=3800))
    fitted = transform(x)
    assert {x[:200].max(), x[200:].min()} < set(fitted.x)
    assert kstest(fitted(x), "norm").statistic < 2 / np.sqrt(4000)
    assert len(transform(rng.uniform(size=4000)).x) < 20
