import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.metrics.pairwise import rbf_kernel

from sk_ebm._core.classes import Labels
from sk_ebm._core.objective import Objective
from sk_ebm.energies import (
    ENERGIES,
    KernelEnergy,
    LinearEnergy,
    MLPEnergy,
    PrototypeEnergy,
    _kernel,
)
from sk_ebm.energies._design import DenseDesign, RotatedDesign, SparseDesign, make_design
from sk_ebm.energies._kernel import _gaussian
from sk_ebm.energies._linear import _leave_one_out, _start, _trials
from sk_ebm.losses._likelihood import NLL
from sk_ebm.losses._table1 import EnergyLoss, Hinge, SquareExponential, SquareSquare

VARIANTS = {
    **{name: energy() for name, energy in ENERGIES.items()},
    "kernel_few": KernelEnergy(n_components=10),
    "kernel_fourier": KernelEnergy("fourier", n_components=30),
    "mlp_deep": MLPEnergy((8, 6), "tanh", early_stopping=False, n_epochs=40),
    "prototype_min": PrototypeEnergy(2, latent="min"),
}
every_energy = pytest.mark.parametrize("name", VARIANTS)
# Mini-batches amplify rounding, and so does the choice of the nearest of two prototypes.
steady = pytest.mark.parametrize(
    "name", ["linear", "kernel", "kernel_few", "kernel_fourier", "prototype"]
)
n, d, n_classes = 60, 5, 3


@pytest.fixture
def X(rng):
    """Half of the entries are zero."""
    return rng.standard_normal((n, d)) * (rng.uniform(size=(n, d)) < 0.5)


@pytest.fixture
def objective(X, rng):
    noisy = X @ rng.standard_normal((d, n_classes)) + rng.gumbel(size=(n, n_classes))
    weights = rng.uniform(0.5, 2, size=n)
    return Objective(Labels(noisy.argmax(axis=1), n_classes), NLL(), weights, alpha=0.01)


def fitted(name, X, objective, seed=0):
    """A fitted energy of its own; components may be shared, fits never."""
    energy = type(VARIANTS[name])(**VARIANTS[name].get_params())
    return energy.fit(X, objective.with_(), np.random.RandomState(seed))


@every_energy
def test_fits_descend(name, X, objective):
    energy = fitted(name, X, objective)
    assert objective(energy(X))[0] < 0.98 * np.log(n_classes)


@every_energy
def test_rows_are_independent(name, X, objective):
    energy = fitted(name, X, objective)
    assert_allclose(energy(X[7:9]), energy(X)[7:9], rtol=1e-10, atol=1e-12)


@every_energy
def test_the_same_seed_gives_the_same_fit(name, X, objective):
    assert_array_equal(fitted(name, X, objective)(X), fitted(name, X, objective)(X))


@every_energy
def test_float32_is_kept(name, X, objective):
    X = X.astype(np.float32)
    assert fitted(name, X, objective)(X).dtype == np.float32


@pytest.mark.parametrize("name", ["linear", "kernel", "prototype"])
def test_float32_gives_nearly_the_same_outputs(name, X, objective):
    expected = fitted(name, X, objective)(X)
    X = X.astype(np.float32)
    assert_allclose(fitted(name, X, objective)(X), expected, atol=0.02)


@steady
def test_sparse_inputs_give_the_outputs_of_dense_ones(name, X, objective):
    expected = fitted(name, X, objective.with_(tol=1e-12))(X)
    X = sparse.csr_array(X)
    assert_allclose(fitted(name, X, objective.with_(tol=1e-12))(X), expected, atol=1e-4)


@every_energy
def test_sparse_predictions_are_those_of_dense_inputs(name, X, objective):
    energy = fitted(name, sparse.csr_array(X), objective)
    assert_allclose(energy(sparse.csr_array(X)), energy(X), rtol=1e-8, atol=1e-10)


@every_energy
def test_two_classes_have_one_output_or_two_energies(name, X, objective, rng):
    objective = objective.with_(answers=Labels((X[:, 0] > 0).astype(int), 2))
    outputs = fitted(name, X, objective)(X)
    assert objective.answers.arrange(outputs)[0].shape == (n, 2)


@every_energy
def test_the_shape_of_outputs_is_rows_by_answers(name, X, objective):
    assert fitted(name, X, objective)(X[:4]).shape == (4, n_classes)


@every_energy
def test_check_accepts_the_defaults(name):
    assert VARIANTS[name].check() is None


BAD = {
    "approximation": (KernelEnergy, ["sparse", None]),
    "n_components": (KernelEnergy, [0, -3, 2.5, np.nan, "many"]),
    "gamma": (KernelEnergy, [0, -1.0, np.inf, np.nan, "scale"]),
    "hidden_layer_sizes": (MLPEnergy, [0, (4, -1), (2.5,), "wide", None]),
    "activation": (MLPEnergy, ["step", None]),
    "learning_rate": (MLPEnergy, [0, -1.0, np.inf, np.nan, "fast", None]),
    "batch_size": (MLPEnergy, [0, -1, 2.5, np.inf, np.nan, "all"]),
    "n_epochs": (MLPEnergy, [0, -1, 2.5, np.inf, np.nan, "all", None]),
    "validation_fraction": (MLPEnergy, [0, 1, -0.1, np.nan, "half", None]),
    "patience": (MLPEnergy, [0, -1, np.nan, "long", None]),
    "n_prototypes": (PrototypeEnergy, [0, -1, 2.5, "many", None]),
    "latent": (PrototypeEnergy, ["max", None]),
}


@pytest.mark.parametrize(
    "energy, name, value",
    [
        pytest.param(energy, name, value, id=f"{name}-{value}")
        for name, (energy, values) in BAD.items()
        for value in values
    ]
    + [
        pytest.param(PrototypeEnergy, "gamma", v, id=f"prototype-{v}") for v in (0, np.nan, "scale")
    ],
)
def test_check_names_the_bad_parameter(energy, name, value):
    with pytest.raises((ValueError, TypeError), match=name):
        energy(**{name: value}).check()


@pytest.mark.parametrize("name", ["mlp", "mlp_deep"])
def test_mlp_vjp_matches_finite_differences(name, X, objective, rng, derivative):
    energy = fitted(name, X, objective)
    size = sum(a.size for a in energy.coefs_ + energy.intercepts_)
    params, along = 0.5 * rng.standard_normal((2, size))
    slopes = rng.standard_normal((n, n_classes))
    expected = derivative(lambda p: np.vdot(energy._vjp(p, X)[0], slopes), params, along)
    assert_allclose(energy._vjp(params, X)[1](slopes) @ along, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["prototype", "prototype_min"])
def test_prototype_vjp_matches_finite_differences(name, X, objective, rng, derivative):
    energy = fitted(name, X, objective)
    params, along = rng.standard_normal((2, *energy.prototypes_.shape))
    slopes = rng.standard_normal((n, n_classes))
    expected = derivative(lambda p: np.vdot(energy._vjp(p, X)[0], slopes), params, along)
    assert_allclose(np.vdot(energy._vjp(params, X)[1](slopes), along), expected, rtol=1e-6)


DESIGNS = {
    "dense": lambda X, weights: DenseDesign(X, weights),
    "rotated": lambda X, weights: RotatedDesign(X, weights),
    "sparse": lambda X, weights: SparseDesign(sparse.csr_array(X), weights),
}
every_design = pytest.mark.parametrize(
    "design", [pytest.param(design, id=name) for name, design in DESIGNS.items()]
)


@every_design
def test_pullback_is_the_adjoint_of_a_design(design, X, rng):
    design = design(X, np.ones(n))
    params = rng.standard_normal((design.columns.shape[1] + 1, 2))
    slopes = rng.standard_normal((n, 2))
    outputs, pullback = design.vjp(params)
    assert_allclose(np.vdot(outputs, slopes), np.vdot(params, pullback(slopes)), rtol=1e-12)


@every_design
def test_weights_are_those_of_the_inputs_as_given(design, X, rng):
    design = design(X, rng.uniform(0.5, 2, size=n))
    params = rng.standard_normal((design.columns.shape[1] + 1, 2))
    coef, intercept = design.weights_of(params)
    assert_allclose(X @ coef + intercept, design.vjp(params)[0], rtol=1e-9, atol=1e-12)


@every_design
def test_the_penalty_is_that_of_the_weights(design, X, rng):
    design = design(X, np.ones(n))
    params = rng.standard_normal((design.columns.shape[1] + 1, 2))
    expected = np.square(design.weights_of(params)[0]).sum()
    assert_allclose(np.square(design.scale * params).sum(), expected, rtol=1e-12)


@every_design
def test_a_design_of_some_rows_gives_their_outputs(design, X, rng):
    design = design(X, np.ones(n))
    params = rng.standard_normal((design.columns.shape[1] + 1, 2))
    assert_allclose(design.vjp(params, [5, 2])[0], design.vjp(params)[0][[5, 2]], rtol=1e-12)


@pytest.mark.parametrize("other", ["rotated", "sparse"])
@pytest.mark.parametrize("solver", ["newton", "lbfgs"])
def test_designs_give_the_same_optimum(other, solver, rng):
    X, weights = rng.standard_normal((20, 35)), rng.uniform(0.5, 2, size=20)
    labels = Labels(rng.randint(3, size=20), 3)
    objective = Objective(labels, NLL(), weights, alpha=0.1, solver=solver, tol=1e-13)
    coefs = []
    for name in ("dense", other):
        design = DESIGNS[name](X, weights)
        params = objective.minimize(
            np.zeros((design.columns.shape[1] + 1, 3)),
            design.vjp,
            design.scale,
            None,
            preconditioner=design.preconditioner(0.1 * design.scale**2, 3),
        )
        coefs.append(design.weights_of(params)[0])
    assert_allclose(*coefs, atol=1e-5)


def test_a_constant_column_gets_no_weight(X, objective):
    X[:, 2] = 0.1
    assert_allclose(fitted("linear", X, objective.with_(alpha=0.0)).coef_[2], 0, atol=1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("alpha", [0.01, 0.1])
def test_leave_one_out_is_close_to_exact_refits(alpha, n_classes, X, objective, rng):
    """One unit of each weight is left out at the same strength of the penalty, alpha n."""
    weights = rng.randint(1, 4, size=n).astype(float)
    labels = Labels(np.minimum(objective.answers.target, n_classes - 1), n_classes)
    objective = Objective(labels, NLL(), weights, alpha=alpha)
    exact = []
    for i in range(n):
        rest = weights - (np.arange(n) == i)
        refit = objective.with_(weights=rest, alpha=alpha * weights.sum() / rest.sum())
        exact.append(LinearEnergy().fit(X, refit, rng)(X[i : i + 1])[0])
    design = make_design(X, weights, rotate=False, centred=n_classes > 2)
    energy = LinearEnergy().fit(X, objective, rng)
    params = np.vstack([energy.coef_, energy.intercept_ + design.centre @ energy.coef_])
    params[:-1] /= design.scale[:-1]
    approximate = _leave_one_out(design, objective, params)[1]
    error = np.abs(approximate - exact).max()
    assert error < (0.03 if n_classes == 2 else 0.1) * np.abs(energy(X) - exact).max()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_whole_solver_undoes_second_derivatives(dtype, X, objective, rng):
    design = make_design(X.astype(dtype), objective.weights, rotate=False, centred=True)
    l2 = 0.01 * design.scale**2
    curvature = objective.curvature(design.vjp(rng.standard_normal((d + 1, n_classes)))[0])
    direction = design.centre_outputs(rng.standard_normal((d + 1, n_classes)))
    moved, pullback = design.vjp(direction)
    gradient = pullback(curvature.product(moved)) + l2 * direction
    preconditioner = design.preconditioner(l2, n_classes)
    atol = 1e-9 if dtype == np.float64 else 1e-3
    assert_allclose(preconditioner(curvature, np.inf)(gradient), direction, atol=atol)


def test_linear_energies_choose_a_penalty(X, objective):
    assert 0 < fitted("linear", X, objective.with_(alpha="auto")).alpha_ < np.inf


@pytest.mark.parametrize(("with_folds", "unit"), [(False, 1.0), (False, 1e3), (True, 1.0)])
def test_no_penalty_of_the_path_is_better_out_of_sample(with_folds, unit, X, objective, rng):
    """Nor where a column in a large unit says nothing, so that strong penalties do neither."""
    X = np.column_stack([X, unit * rng.standard_normal(n)])
    splits = objective.default_splits(rng) if with_folds else None
    objective = objective.with_(alpha="auto", splits=splits)
    design = make_design(X, objective.weights, rotate=True, centred=True)
    trial = _trials(design, objective, splits, rng)
    path = LinearEnergy()._path(design, objective.weights.sum())
    inits = [np.zeros((d + 2, n_classes))] * (len(splits) if with_folds else 1)
    chosen = trial(fitted("linear", X, objective).alpha_, inits).value
    assert chosen < 1.004 * min(trial(alpha, inits).value for alpha in path)


def test_the_penalty_of_a_likelihood_goes_with_its_beta(X, objective, rng):
    """It is the same problem: (1 / b) times the likelihood of b W at the penalty alpha / b."""
    objective = objective.with_(alpha="auto", calibrate=True, splits=objective.default_splits(rng))
    alphas = [fitted("linear", X, objective.with_(loss=NLL(beta))).alpha_ for beta in (1, 0.1)]
    assert_allclose(alphas[1], 0.1 * alphas[0], rtol=1e-9)


def test_a_likelihood_that_will_be_calibrated_is_judged_as_such(rng):
    X = rng.standard_normal((200, d))
    labels = Labels((X[:, 0] + 0.3 * rng.logistic(size=200) > 0).astype(int), 2)
    objective = Objective(labels, NLL(), np.ones(200), alpha="auto")
    design, splits = make_design(X, objective.weights, rotate=True), objective.default_splits(rng)
    inits = [np.zeros((d + 1, 1))] * len(splits)
    alone = _trials(design, objective, splits, rng)(1.0, inits)
    calibrated = _trials(design, objective.with_(calibrate=True), splits, rng)(1.0, inits)
    samples, outputs = alone.held_out
    judge = objective.take(samples)
    best = min(judge(scale * outputs)[0] for scale in np.geomspace(0.1, 100, 200))
    assert_allclose(calibrated.value, best, rtol=1e-2)
    assert best < 0.9 * alone.value


def test_an_outlier_counts_no_more_than_a_probability_of_one_in_n(X, objective, rng):
    X[0] = 1e4
    splits = objective.default_splits(rng)
    design = make_design(X, objective.weights, rotate=True, centred=True)
    trial = _trials(design, objective, splits, rng)(1e-6, [np.zeros((d + 1, n_classes))] * 5)
    samples, outputs = trial.held_out
    judge = objective.take(samples)
    values, share = judge.values(outputs), judge.weights / judge.weights.sum()
    most = np.log(n_classes) + np.log1p(objective.weights.sum())
    assert values.max() > 2 * most
    assert_allclose(trial.value, share @ np.minimum(values, most), rtol=1e-9)


@pytest.mark.parametrize("loss", [Hinge(), SquareExponential(), SquareSquare()])
def test_fits_start_at_the_scale_of_least_loss(loss, X, objective, rng):
    objective = objective.with_(loss=loss)
    design = make_design(X, objective.weights, rotate=False)
    params = 20 * rng.standard_normal((d + 1, n_classes))
    start = objective(design.vjp(_start(design, objective, params))[0])[0]
    assert start < 0.5 * objective(design.vjp(params)[0])[0]
    assert start <= objective(design.vjp(params / 64)[0])[0]


def test_kernels_see_nothing_in_rounding_errors(objective, rng):
    X = np.full((n, d), 0.3)
    X[::2] = np.nextafter(X[::2], 1)
    energy = fitted(
        "kernel", X, objective.with_(alpha="auto", splits=objective.default_splits(rng))
    )
    assert np.abs(energy.coef_).max() < 0.01


@pytest.mark.parametrize("gamma", [None, 0.7])
def test_nystroem_on_all_rows_reproduces_the_kernel(gamma, rng, objective):
    X = rng.standard_normal((n, d))
    energy = KernelEnergy(gamma=gamma).fit(X, objective, rng)
    features = energy._features(X)
    assert_allclose(features @ features.T, rbf_kernel(X, gamma=energy.gamma_), atol=1e-7)


@pytest.mark.parametrize("dtype, error", [(np.float64, 1e-9), (np.float32, 2e-7)])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_kernels_are_those_of_scikit_learn(dtype, error, form, rng):
    rows, landmarks = (rng.standard_normal((n, 4)).astype(dtype) for n in (50, 30))
    landmarks[:5] = rows[:5] = 1e3 * rows[:5]
    rows[-1] = 1e25  # exponents are beyond single precision
    found = _gaussian(form(rows), form(landmarks), 0.3)
    assert found.dtype == dtype
    expected = rbf_kernel(rows.astype(float), landmarks.astype(float), gamma=0.3)
    assert_allclose(found, expected, rtol=0, atol=error)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_kernels_of_whole_numbers_are_exact_far_from_the_origin(form, rng):
    near = rng.randint(50, size=(100, 2)).astype(float)
    found = _gaussian(form(near + 1e6), form(near[:40] + 1e6), 0.03)
    assert_allclose(found, rbf_kernel(near, near[:40], gamma=0.03), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_kernels_go_by_blocks_of_rows(dtype, X, rng, objective, monkeypatch):
    X = X.astype(dtype)
    energy = KernelEnergy(n_components=20).fit(X, objective, rng)
    outputs, features = energy(X), energy._features(X)
    assert outputs.dtype == features.dtype == dtype
    monkeypatch.setattr(_kernel, "_BLOCK", 100)
    assert_allclose(energy(X), outputs, rtol=1e-6, atol=1e-6)
    assert_allclose(energy._features(X), features, rtol=1e-6, atol=1e-6)


def test_fourier_features_approximate_the_kernel(X, rng, objective):
    energy = KernelEnergy("fourier", n_components=5000, gamma=0.2)
    energy.fit(X, objective.with_(max_iter=1, solver="lbfgs"), rng)
    features = energy._features(X)
    assert_allclose(features @ features.T, rbf_kernel(X, gamma=0.2), atol=0.08)


def test_repeated_rows_are_no_landmarks_twice(X, objective, rng):
    X[30:] = X[:30]
    energy = KernelEnergy().fit(X, objective, rng)
    assert len(energy.landmarks_) == len(np.unique(X, axis=0))


def test_the_energy_loss_with_one_prototype_gives_weighted_class_means(X, objective, rng):
    target, weights = objective.answers.target, objective.weights
    expected = [
        np.average(X[target == k], axis=0, weights=weights[target == k]) for k in range(n_classes)
    ]
    energy = PrototypeEnergy(1).fit(X, objective.with_(loss=EnergyLoss()), rng)
    assert_allclose(energy.prototypes_, expected, atol=1e-6)


@pytest.mark.parametrize("latent", ["min", "free"])
def test_prototype_energies_are_never_negative(latent, X, objective, rng):
    energy = PrototypeEnergy(3, latent=latent).fit(X, objective, rng)
    assert (energy(X) <= 0).all()


def test_a_prototype_has_the_energy_of_its_class_alone(X, objective, rng):
    energy = PrototypeEnergy(2, latent="min").fit(X, objective, rng)
    own = -energy(energy.prototypes_)[np.arange(len(energy.prototypes_)), energy.classes_of_]
    assert_allclose(own, energy.surprise_[energy.classes_of_], atol=1e-12)
    shares = np.bincount(objective.answers.target, objective.weights) / objective.weights.sum()
    assert_allclose(energy.surprise_, -np.log(shares))


def test_a_class_has_no_more_prototypes_than_distinct_samples(X, objective, rng):
    X[objective.answers.target == 1] = X[0]
    energy = PrototypeEnergy(3).fit(X, objective, rng)
    assert_array_equal(np.bincount(energy.classes_of_), [3, 1, 3])


@pytest.mark.parametrize("fraction", [0.05, 0.3, 0.6, 0.9])
def test_mlp_energies_hold_out_any_fraction(fraction, X, objective, rng):
    energy = MLPEnergy((4,), n_epochs=2, validation_fraction=fraction)
    assert np.isfinite(energy.fit(X, objective, rng)(X)).all()


def test_mlp_energies_learn_what_no_linear_energy_can(rng):
    X = rng.standard_normal((400, 2))
    objective = Objective(Labels((X[:, 0] * X[:, 1] > 0).astype(int), 2), NLL(), np.ones(400))
    energy = MLPEnergy((16,), learning_rate=0.02).fit(X, objective, rng)
    assert objective(energy(X))[0] < 0.4 * np.log(2)
