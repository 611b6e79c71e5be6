"""What every loss must satisfy: one function for each property, of a case."""

from dataclasses import dataclass

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils.validation import check_random_state

from sk_ebm._core.gibbs import Gibbs
from sk_ebm._testing.differences import difference
from sk_ebm.losses import Loss
from sk_ebm.losses._relevance import RelevanceTarget

_CLOSE = {"rtol": 1e-6, "atol": 1e-7}  # to differences
_EQUAL = {"rtol": 1e-10, "atol": 1e-12}  # up to rounding
_N, _K = 30, 5  # samples and candidates


@dataclass(frozen=True)
class LossCase:
    """A loss with energies (n, k), a target, and the mask (n, k) of answers that may be absent.

    ``target`` is an index (n,), or gains (n, k) of graded relevance.
    """

    given: Loss
    energies: np.ndarray
    target: np.ndarray
    absent: np.ndarray
    rng: np.random.RandomState

    @classmethod
    def of(cls, loss, graded, random_state=0):
        rng = check_random_state(random_state)
        energies = 1.5 * rng.standard_normal((_N, _K))
        if loss.positive:
            energies = np.abs(energies) + 0.1
        target = rng.randint(_K, size=_N)
        absent = np.arange(_K) == ((target + 2) % _K)[:, None]
        if graded:
            target = 2.0 ** rng.randint(4, size=(_N, _K)) - 1
            target[:, :2] = 0, 3  # something irrelevant and something relevant in each sample
            absent = np.arange(_K) == np.full((_N, 1), _K - 1)
        return cls(loss, energies, target, absent, rng)

    @property
    def graded(self):
        return self.target.ndim == 2

    @property
    def loss(self):
        """The loss, whose noise, if it has any, starts anew."""
        return self.given.seeded(np.random.RandomState(0))

    @property
    def noisy(self):
        return self.loss is not self.given

    def target_in(self, order=..., absent=None):
        """The target where answers are in another order, or some of them absent."""
        if not self.graded:
            return self.target if order is ... else np.argsort(order)[self.target]
        counts = np.ones((_N, _K)) if absent is None else np.where(absent, 0.0, 1.0)
        return RelevanceTarget(self.target[:, order] * counts, counts)

    def gibbs(self, energies, absent=None):
        return Gibbs(energies, None if absent is None else np.where(absent, -np.inf, 0.0))

    def __call__(self, energies, absent=None):
        return self.loss(self.gibbs(energies, absent), self.target_in(absent=absent))

    def curvature(self, absent=None):
        return self.loss.curvature(self.gibbs(self.energies, absent), self.target_in(absent=absent))

    def direction(self):
        return self.rng.standard_normal((_N, _K))


def _shapes(case):
    returned = case(case.energies)
    assert isinstance(returned, tuple) and len(returned) == 2, "it returns values and gradient"
    shapes = tuple(np.shape(part) for part in returned)
    assert shapes == ((_N,), (_N, _K)), f"shapes must be {((_N,), (_N, _K))}, got {shapes}"
    assert all(np.isfinite(part).all() for part in returned), "some numbers are not finite"


def _gradient(case):
    _check_gradient(case, None)


def _gradient_beside_absent(case):
    _check_gradient(case, case.absent)


def _check_gradient(case, absent):
    if not case.given.exact:
        return
    along = case.direction()
    found = (case(case.energies, absent)[1] * along).sum(axis=1)
    expected = difference(lambda e: case(e, absent)[0], case.energies, along)
    assert_allclose(found, expected, **_CLOSE)


def _absent_gradient(case):
    assert_array_equal(case(case.energies, case.absent)[1][case.absent], 0)


def _absent_change_nothing(case):
    least = np.where(case.absent, 1e-3, case.energies)
    for part, expected in zip(
        case(least, case.absent), case(case.energies, case.absent), strict=True
    ):
        assert_allclose(part, expected, **_EQUAL)


def _only_candidate(case):
    if case.graded:
        return
    chosen = np.arange(_K) == case.target[:, None]
    assert_array_equal(case(case.energies, ~chosen)[1][~chosen], 0)


def _energies_stay(case):
    energies = case.energies.copy()
    case(energies)
    assert_array_equal(energies, case.energies)


def _equivariance(case):
    if case.noisy:
        return
    order = case.rng.permutation(_K)
    values, gradient = case(case.energies)
    permuted = case.loss(case.gibbs(case.energies[:, order]), case.target_in(order))
    assert_allclose(permuted[0], values, **_EQUAL)
    assert_allclose(permuted[1], gradient[:, order], **_EQUAL)


def _shift_invariance(case):
    if case.given.shift_invariant and not case.given.positive:
        shifted = case(case.energies + 3.0)
        for part, expected in zip(shifted, case(case.energies), strict=True):
            assert_allclose(part, expected, rtol=1e-8, atol=1e-10)


def _non_negative(case):
    if case.given.non_negative:
        least = case(case.energies)[0].min()
        assert least >= 0, f"non_negative is declared, and a value is {least:.3g}"


def _single_precision(case):
    dtypes = [part.dtype for part in case(case.energies.astype(np.float32))]
    assert case.graded or dtypes == [np.float32] * 2, f"float32 became {dtypes}"


def _curvature_product(case):
    along = case.direction()
    expected = difference(lambda e: case(e)[1], case.energies, along)
    if case.given.exact:
        assert_allclose(case.curvature().product(along), expected, **_CLOSE)


def _curvature_diagonal(case):
    curvature = case.curvature()
    for answer, unit in enumerate(np.eye(_K)):
        product = curvature.product(np.tile(unit, (_N, 1)))
        assert_allclose(curvature.diagonal[:, answer], product[:, answer], **_EQUAL)


def _curvature_semidefinite(case):
    v = case.direction()
    least = (v * case.curvature().product(v)).sum(axis=1).min()
    assert least >= -1e-10, f"a vector times the curvature times this vector is {least:.3g}"


def _curvature_of_absent(case):
    assert_array_equal(case.curvature(case.absent).diagonal[case.absent], 0)


def _of_curvature(law):
    """The law where a loss declares second derivatives of one correct answer, or of graded ones
    that are exact: those of the free energy of several correct answers leave a concave part out."""

    def holds(case):
        concave = case.graded and hasattr(case.given, "pair")
        if case.given.second_derivatives is not None and not concave:
            law(case)

    return holds


LOSS_LAWS = {
    "energies are not written on": _energies_stay,
    "values have shape (n,), the gradient (n, k), and both are finite": _shapes,
    "the gradient is that of the values": _gradient,
    "so it is beside an absent answer": _gradient_beside_absent,
    "absent answers get gradient 0": _absent_gradient,
    "absent answers change nothing": _absent_change_nothing,
    "beside the only candidate, absent answers get gradient 0": _only_candidate,
    "answers in another order have values and gradient in that order": _equivariance,
    "a shift of all energies changes nothing, as shift_invariant declares": _shift_invariance,
    "values are never negative, as non_negative declares": _non_negative,
    "single precision is kept": _single_precision,
    "the curvature is that of the gradient": _of_curvature(_curvature_product),
    "the diagonal is that of the curvature": _of_curvature(_curvature_diagonal),
    "the curvature is positive semi-definite": _of_curvature(_curvature_semidefinite),
    "absent answers have no curvature": _of_curvature(_curvature_of_absent),
}
