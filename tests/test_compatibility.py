"""Which energies, losses, solvers and estimators go together."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from sk_ebm import EnergyClassifier, EnergyDetector, EnergyRanker
from sk_ebm._core.compatibility import Choice, check_compatible, compatible, conflict
from sk_ebm.energies import (
    ENERGIES,
    INPUT_ENERGIES,
    BilinearEnergy,
    LinearEnergy,
    MLPEnergy,
    PrototypeEnergy,
    TreesEnergy,
    as_energy,
)
from sk_ebm.losses import GRADED_LOSSES, LVQ2, NLL, Hinge, Lambda, Log, Perceptron

LOSSES = {
    **{name: loss() for name, loss in GRADED_LOSSES.items()},
    "lvq2-relative": LVQ2(relative=True),
}
EVERY_ENERGY = {name: energy() for name, energy in {**ENERGIES, **INPUT_ENERGIES}.items()}
SMALL = {**EVERY_ENERGY, "mlp": MLPEnergy((8,), n_epochs=5), "trees": TreesEnergy(5)}
pairs = pytest.mark.parametrize(
    ("energy", "loss"), [(energy, loss) for energy in EVERY_ENERGY for loss in LOSSES]
)


def agree(fit, answers, energy, loss):
    """That the fit succeeds where the table says so, and else says what is in conflict."""
    if compatible(EVERY_ENERGY, LOSSES, answers)[energy][loss]:
        fit()
        return
    with pytest.raises(ValueError) as caught:
        fit()
    choice = Choice(SMALL[energy], SMALL[energy], LOSSES[loss], "auto", 0.0, answers, "")
    assert str(caught.value).split(":")[0] == conflict(choice).split(":")[0]


@pairs
def test_what_is_compatible_fits_on_three_classes_and_nothing_else(energy, loss, rng):
    X, y = rng.standard_normal((60, 3)), np.arange(60) % 3
    X[:, 0] += y
    # A name that the estimator does not know is refused before; here the component is given.
    classifier = EnergyClassifier(SMALL[energy], LOSSES[loss], beta=1, random_state=0)

    def fit():
        p = classifier.fit(X, y).predict_proba(X)
        assert np.isfinite(p).all()

    agree(fit, "classes", energy, loss)


@pairs
def test_what_is_compatible_fits_on_items_and_nothing_else(energy, loss, rng):
    X, groups = rng.standard_normal((60, 3)), np.repeat(np.arange(12), 5)
    y = (X[:, 0] > 0.5).astype(int) + (X[:, 1] > 1)
    ranker = EnergyRanker(SMALL[energy], LOSSES[loss], beta=1, random_state=0)

    def fit():
        assert np.isfinite(ranker.fit(X, y, groups=groups).predict(X)).all()

    agree(fit, "items", energy, loss)


def test_every_energy_goes_with_the_likelihood_of_the_answers_that_it_is_of():
    for answers in ("classes", "items", "values", "inputs"):
        for name, row in compatible(EVERY_ENERGY, {"nll": NLL()}, answers).items():
            of = EVERY_ENERGY[name].answers
            assert row["nll"] == bool(of & {answers} or (answers == "inputs" and "classes" in of))


def choose(energy, loss=None, solver="auto", l1_ratio=0.0, answers="classes", name="Estimator"):
    energy, loss = as_energy(energy), NLL() if loss is None else loss
    check_compatible(energy, loss, solver, l1_ratio, answers, name)


@pytest.mark.parametrize(
    "choice, message",
    [
        ({"energy": "gaussian"}, "GaussianEnergy.* is one of the inputs alone.* Estimator takes"),
        ({"energy": BilinearEnergy()}, "orders the items of a query.* Estimator takes 'linear'"),
        ({"energy": Ridge()}, "orders the items of a query"),
        ({"energy": "prototype", "answers": "items"}, "is one of classes: Estimator takes"),
        ({"energy": LogisticRegression(), "answers": "values"}, "give regressors as location="),
        ({"energy": "linear", "loss": Lambda()}, "Lambda.*: it is for EnergyRanker, not Estimator"),
        ({"energy": ["prototype", "linear"], "loss": LOSSES["energy"]}, "collapses with Linear"),
        ({"energy": "linear", "loss": LVQ2(relative=True)}, "needs energies that are never neg"),
        (
            {"energy": "linear", "loss": Lambda(), "solver": "lbfgs", "answers": "items"},
            "solver='lbfgs' cannot search along a line. Use solver='auto' or 'adam'",
        ),
        ({"energy": "mlp", "solver": "newton"}, r"takes solver in \['adam', 'lbfgs'\] or 'auto'"),
        ({"energy": "trees", "solver": "lbfgs"}, r"TreesEnergy takes solver in \[\]"),
        ({"energy": "linear", "solver": "newton", "loss": Hinge()}, "needs l1_ratio=0.* Hinge"),
        ({"energy": "linear", "solver": "newton", "l1_ratio": 0.5}, "l1_ratio=0.5 and NLL"),
        ({"energy": "linear", "solver": "lbfgs", "loss": Perceptron()}, "all energies are equal"),
    ],
)
def test_conflicts_are_named(choice, message):
    with pytest.raises(ValueError, match=message):
        choose(**choice)


@pytest.mark.parametrize(
    "choice",
    [
        {"energy": "linear", "solver": "newton"},
        {"energy": "linear", "solver": "lbfgs", "l1_ratio": 0.5, "loss": Log()},
        {"energy": ["trees", "linear"], "solver": "newton"},
        {"energy": "prototype", "solver": "lbfgs", "loss": Perceptron()},
        {"energy": PrototypeEnergy(), "loss": LVQ2(relative=True)},
        {"energy": "linear", "solver": "adam", "loss": Perceptron()},
        {"energy": LogisticRegression(), "loss": LOSSES["energy"]},
        {"energy": Ridge(), "answers": "items"},
        {"energy": BilinearEnergy(), "answers": "items", "loss": Lambda()},
        {"energy": "gaussian", "answers": "inputs"},
        {"energy": LinearEnergy(), "answers": "inputs"},
    ],
    ids=str,
)
def test_what_goes_together_raises_nothing(choice):
    choose(**choice)


def test_solvers_of_a_sum_are_those_of_any_term():
    energy = as_energy(["mlp", "prototype", "trees"])
    choice = Choice(energy.all_terms()[0], energy, NLL(), "auto", 0.0, "classes", "")
    assert choice.solvers == ["adam", "lbfgs"]


def test_energies_of_the_inputs_alone_are_for_detectors(rng):
    X = rng.standard_normal((40, 2))
    for name in INPUT_ENERGIES:
        assert np.isfinite(EnergyDetector(name, random_state=0).fit(X).energies(X)).all()
