"""Boxes of estimators in a notebook."""

from html.parser import HTMLParser

import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils import estimator_html_repr

from sk_ebm import EnergyClassifier, EnergyDensityEstimator, EnergyDetector, EnergyRanker
from sk_ebm.energies import KernelEnergy, SumEnergy, TreesEnergy
from sk_ebm.features import TokenFeatures
from sk_ebm.losses import Hinge
from sk_ebm.thresholds import FalseAlarm


class Titles(HTMLParser):
    """The titles of boxes."""

    def __init__(self):
        super().__init__()
        self.tags, self.titles = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)

    def handle_data(self, data):
        if data.strip():
            self.titles.append(data.strip())


def read(model):
    parser = Titles()
    parser.feed(estimator_html_repr(model))
    return parser


CASES = {
    "names": (EnergyClassifier(["linear", "trees"]), ["energy: list of 2", "linear", "trees"]),
    "pairs": (
        EnergyClassifier([("a", "linear"), ("b", LogisticRegression())]),
        ["a: linear", "b: LogisticRegression"],
    ),
    "sum": (
        EnergyClassifier(KernelEnergy() + TreesEnergy(), Hinge(2.0)),
        ["energy: SumEnergy", "KernelEnergy", "TreesEnergy", "loss: Hinge"],
    ),
    "residual": (
        EnergyRanker(SumEnergy(["linear", TreesEnergy()], "residual")),
        ["terms: list of 2", "TreesEnergy"],
    ),
    "threshold": (EnergyDetector(threshold=FalseAlarm(0.01)), ["threshold: FalseAlarm"]),
    "location": (EnergyDensityEstimator(location=Ridge()), ["location: Ridge"]),
    "locations": (
        EnergyDensityEstimator(location=[Ridge(), LogisticRegression()]),
        ["location: list of 2", "Ridge", "LogisticRegression"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_components_are_nested_boxes(name):
    model, titles = CASES[name]
    found = read(model)
    assert [title for title in titles if title not in found.titles] == []
    assert found.tags.count("input") > len(titles)


@pytest.mark.parametrize(
    "thing",
    [EnergyClassifier(), EnergyDensityEstimator(), KernelEnergy(), Hinge(), TokenFeatures()],
)
def test_what_has_no_components_is_one_box(thing):
    found = read(thing)
    assert type(thing).__name__ in found.titles


def test_bad_parameters_are_shown(wine):
    assert "EnergyClassifier" in read(EnergyClassifier(energy=[], loss=3)).titles
    assert "EnergyClassifier" in read(EnergyClassifier().fit(*wine[::2])).titles
