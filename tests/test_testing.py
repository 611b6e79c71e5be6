"""Checks of a user's own losses and energies: they find each fault, and pass what is right."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from sk_ebm import EnergyClassifier
from sk_ebm.energies import Energy, FitResult, LinearEnergy
from sk_ebm.losses import GRADED_LOSSES, ContrastiveLoss, Loss
from sk_ebm.testing import check_energy, check_loss


class SquaredHinge(ContrastiveLoss):
    second_derivatives = "jumping"

    def pair(self, plus, minus):
        violation = (1 + plus - minus).clip(min=0)
        return violation**2, 2 * violation, -2 * violation

    def second(self, plus, minus):
        second = 2.0 * (1 + plus - minus > 0)
        return second, -second, second


class HalfGradient(SquaredHinge):
    def pair(self, plus, minus):
        violation = (1 + plus - minus).clip(min=0)
        return violation**2, violation, -violation


class WrongCurvature(SquaredHinge):
    def second(self, plus, minus):
        return tuple(0.5 * part for part in super().second(plus, minus))


class AllAnswers(Loss):
    """The sum of hinges over incorrect answers, with what is present left to a subclass."""

    def present(self, gibbs):
        return gibbs.present_energies

    def __call__(self, gibbs, target):
        rows, energies = np.arange(len(target)), self.present(gibbs)
        violation = (1 + energies[rows, target][:, None] - energies).clip(min=0)
        violation[rows, target] = 0
        gradient = -(violation > 0).astype(energies.dtype)
        gradient[rows, target] = (violation > 0).sum(axis=1)
        return violation.sum(axis=1), gradient


class CountsAbsent(AllAnswers):
    def present(self, gibbs):
        return gibbs.energies


class WritesOnEnergies(AllAnswers):
    def present(self, gibbs):
        gibbs.energies[0, 0] += 1
        return gibbs.energies


class OneValue(AllAnswers):
    def __call__(self, gibbs, target):
        values, gradient = super().__call__(gibbs, target)
        return values.mean(), gradient


class FirstAnswerCounts(AllAnswers):
    def __call__(self, gibbs, target):
        values, gradient = super().__call__(gibbs, target)
        gradient[:, 0] += 1
        return values + gibbs.energies[:, 0], gradient


class NotInvariant(AllAnswers):
    def __call__(self, gibbs, target):
        values, gradient = super().__call__(gibbs, target)
        gradient[np.arange(len(target)), target] += 1
        return values + gibbs.energies[np.arange(len(target)), target], gradient


class Double(AllAnswers):
    def __call__(self, gibbs, target):
        return tuple(part.astype(np.float64) for part in super().__call__(gibbs, target))


FAULTS = {
    HalfGradient: "the gradient is that of the values",
    WrongCurvature: "the curvature is that of the gradient",
    CountsAbsent: "absent answers get gradient 0",
    WritesOnEnergies: "energies are not written on",
    OneValue: "values have shape",
    FirstAnswerCounts: "absent answers|in another order",
    NotInvariant: "a shift of all energies",
    Double: "single precision is kept",
}


@pytest.mark.parametrize("loss", FAULTS)
def test_faults_of_losses_are_found(loss):
    with pytest.raises(
        AssertionError, match=rf"{loss.__name__}\(\) breaks the law '.*{FAULTS[loss]}"
    ):
        check_loss(loss())


@pytest.mark.parametrize("loss", [SquaredHinge, AllAnswers, *GRADED_LOSSES.values()])
def test_right_losses_pass(loss):
    check_loss(loss())


def test_what_is_no_loss_is_refused():
    with pytest.raises(TypeError, match="loss must be an instance"):
        check_loss("nll")


class LowRank(Energy):
    """-E(x, y) = <A x, b_y>."""

    solvers = ("lbfgs",)
    factor = 1.0  # of a part of the gradient

    def __init__(self, rank=2):
        self.rank = rank

    def fit(self, inputs, training):
        training = training.with_default_alpha(1e-3)
        d, o = inputs.shape[1], training.answers.n_outputs

        def vjp(params, rows=None):
            X = inputs if rows is None else inputs[rows]
            A, B = params[:d], params[d:]

            def pullback(gradient):
                return np.concatenate([X.T @ gradient @ B, self.factor * gradient.T @ (X @ A)])

            return X @ A @ B.T, pullback

        start = 0.1 * training.rng.standard_normal((d + o, self.rank))
        minimum = training.minimize(start, vjp, np.ones((1, 1)))
        self.A_, self.B_ = minimum.params[:d], minimum.params[d:]
        return FitResult(self, converged=minimum.converged, history=minimum.history)

    def __call__(self, inputs):
        return inputs @ self.A_ @ self.B_.T


class WrongPullback(LowRank):
    factor = 0.9


class RowsTogether(LowRank):
    def __call__(self, inputs):
        return super().__call__(inputs - inputs.mean(axis=0))


class WritesOnInputs(LowRank):
    def fit(self, inputs, training):
        inputs *= 2
        return super().fit(inputs, training)


class Unseeded(LowRank):
    def fit(self, inputs, training):
        return super().fit(inputs, training.replace(rng=np.random.RandomState()))


class ReturnsItself(LowRank):
    def fit(self, inputs, training):
        return super().fit(inputs, training).energy


class Uphill(LowRank):
    def __call__(self, inputs):
        return -super().__call__(inputs)


class Flat(LowRank):
    def __call__(self, inputs):
        return super().__call__(inputs)[:, 0]


ENERGY_FAULTS = {
    WrongPullback: "the pullback .* is the gradient.*the pullback says",
    RowsTogether: "do not depend on other rows",
    WritesOnInputs: "writes on nothing",
    Unseeded: "the same seed gives the same fit",
    ReturnsItself: "fit must return a FitResult",
    Uphill: "a fit descends",
    Flat: "outputs have shape",
}


@pytest.mark.parametrize("energy", ENERGY_FAULTS)
def test_faults_of_energies_are_found(energy):
    with pytest.raises(
        AssertionError, match=rf"(?s){energy.__name__}\(\) .*{ENERGY_FAULTS[energy]}"
    ):
        check_energy(energy())


@pytest.mark.parametrize(
    "energy", [LowRank(), LogisticRegression(), Ridge(), ["linear", LogisticRegression()]]
)
def test_right_energies_pass(energy):
    check_energy(energy)


def test_answers_may_be_chosen():
    check_energy(LinearEnergy(), answers="items")
    with pytest.raises(ValueError, match="answers must be"):
        check_energy("linear", answers="sequences")


def test_right_components_fit(wine):
    X, X_test, y, y_test = wine
    model = EnergyClassifier(LowRank(), SquaredHinge(), random_state=0).fit(X, y)
    assert model.score(X_test, y_test) > 0.9
