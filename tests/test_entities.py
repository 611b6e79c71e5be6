"""Entities in tags: counts by hand, and those of seqeval where it is installed."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sk_ebm.metrics import (
    EntityScorer,
    entity_f1,
    entity_f1_scorer,
    entity_precision,
    entity_recall,
)

# Tags, and the entities (first, last) of PER (p) or LOC (l) for each scheme, by hand.
BY_HAND = {
    "B-p I-p O B-l": {None: "p01 l33", "IOB2": "p01 l33"},
    "I-p I-p O I-l": {None: "p01 l33", "IOB2": ""},
    "B-p B-p I-l I-l": {None: "p00 p11 l23", "IOB2": "p00 p11"},
    "B-p I-l I-p O": {None: "p00 l11 p22", "IOB2": "p00"},
    "B-p I-p E-p S-p": {None: "p02 p33", "IOBES": "p02 p33"},
    "B-p I-p O E-p": {None: "p01 p33", "IOBES": ""},
    "S-p E-p B-p E-l": {None: "p00 p11 p22 l33", "IOBES": "p00"},
    "I-p E-p E-p I-p": {None: "p01 p22 p33", "IOE2": "p01 p22"},
    "B-p L-p U-l I-p": {"BILOU": "p01 l22"},
    "B I O B": {None: "01 33", "IOB2": "01 33"},
    "O O O O": {None: "", "IOB2": "", "IOE2": "", "IOBES": "", "BILOU": ""},
}
CASES = [
    (tags.split(), scheme, found.split())
    for tags, schemes in BY_HAND.items()
    for scheme, found in schemes.items()
]
TRUE = [["B-p", "I-p", "O"], ["B-l", "O"], ["O"], ["B-p", "B-p", "O", "I-l"]]
PREDICTED = [["B-p", "O", "O"], ["B-l", "B-l"], ["B-l"], ["B-p", "I-p", "O", "B-l"]]
# Of sequences: correct 0, 1, 0, 1; predicted 1, 2, 1, 2; true 1, 1, 0, 3.
ALL_METRICS = [entity_f1, entity_precision, entity_recall]


def tags_of(found, length=4):
    """Tags that are these entities in any scheme of begin and inside."""
    tags = ["O"] * length
    for entity in found:
        *kind, first, last = entity
        kind = "-" + kind[0] if kind else ""
        for row in range(int(first), int(last) + 1):
            tags[row] = ("B" if row == int(first) else "I") + kind
    return tags


@pytest.mark.parametrize("tags, scheme, found", CASES)
def test_entities_by_hand(tags, scheme, found):
    """Each that is expected is found, and no other."""
    if scheme in (None, "IOB2"):
        assert entity_f1([tags], [tags_of(found)], scheme=scheme) == float(bool(found))
        assert entity_precision([tags_of(found)], [tags], scheme=scheme) == float(bool(found))
    assert entity_f1([tags], [tags], scheme=scheme) == float(bool(found))
    kinds = {"IOBES": "S", "IOE2": "E", "BILOU": "U"}.get(scheme, "B")
    whole = [[f"{kinds}-x"] + ["O"] * 3]  # one entity, which is none of the others
    weights = {"sample_weight": [1.0, 2.0], "scheme": scheme}
    share = entity_precision([tags, *whole], [tags, *whole], **weights)
    assert share == 1
    share = entity_precision([["O"] * 4, *whole], [tags, *whole], **weights)
    assert_allclose(share, 2 / (2 + len(found)))


def test_values_by_hand():
    assert_allclose(entity_precision(TRUE, PREDICTED), 2 / 6)
    assert_allclose(entity_recall(TRUE, PREDICTED), 2 / 5)
    assert_allclose(entity_f1(TRUE, PREDICTED), 4 / 11)


def test_weights_by_hand():
    weights = [1, 2, 3, 0.5]
    correct, predicted, true = 2 + 0.5, 1 + 4 + 3 + 1, 1 + 2 + 1.5
    assert_allclose(entity_precision(TRUE, PREDICTED, sample_weight=weights), correct / predicted)
    assert_allclose(entity_recall(TRUE, PREDICTED, sample_weight=weights), correct / true)
    found = entity_f1(TRUE, PREDICTED, sample_weight=weights)
    assert_allclose(found, 2 * correct / (predicted + true))


@pytest.mark.parametrize("metric", ALL_METRICS)
def test_flat_tags_are_the_nested_ones(metric):
    names = np.repeat(["z", "b", "c", "a"], [3, 2, 1, 4])
    order = np.array([0, 3, 1, 6, 7, 4, 5, 2, 8, 9])
    true, predicted = (np.concatenate(y)[order] for y in (TRUE, PREDICTED))
    flat = {"sequences": names[order]}
    assert metric(true, predicted, **flat) == metric(TRUE, PREDICTED)
    weights = np.repeat([1, 2, 3, 0.5], [3, 2, 1, 4])[order]
    found = metric(true, predicted, sample_weight=weights, **flat)
    assert_allclose(found, metric(TRUE, PREDICTED, sample_weight=[1, 2, 3, 0.5]))
    assert metric(list(true), pd.Series(predicted), **flat) == metric(TRUE, PREDICTED)


def test_forms_of_nested_tags():
    arrays = [np.array(tags, dtype=object) for tags in TRUE]
    assert entity_f1(arrays, tuple(map(tuple, PREDICTED))) == entity_f1(TRUE, PREDICTED)
    assert entity_f1(np.array(TRUE, dtype=object), PREDICTED) == entity_f1(TRUE, PREDICTED)


@pytest.mark.parametrize(
    "y_true, y_pred, options, message",
    [
        (["O", "O"], [["O", "O"]], {}, "y_true must be a list with a list of at least one tag"),
        ([["O"]], np.array(["O"]), {}, "y_pred must be a list with a list"),
        ([["O"], []], [["O"], ["O"]], {}, "y_true must be a list with a list of at least one tag"),
        ([["O"]], [["O"], ["O"]], {}, "inconsistent numbers of samples"),
        ([["O"], ["O"]], [["O"], ["O", "O"]], {}, "got 1 and 2 tags in sequence 1"),
        ([["O"]], [["NOUN"]], {}, "kinds O, B, I, E, S for scheme=None, got 'NOUN'"),
        ([["O"]], [["B_PER"]], {}, "got 'B_PER'"),
        ([["O", None]], [["O", "O"]], {}, "got None"),
        ([["O", ""]], [["O", "O"]], {}, "got ''"),
        ([[0, 1]], [[0, 1]], {}, "got 0"),
        ([["U-PER"]], [["O"]], {}, "got 'U-PER'. The schemes are None, 'IOB2'"),
        ([["E-PER"]], [["O"]], {"scheme": "IOB2"}, "kinds O, B, I for scheme='IOB2', got 'E-PER'"),
        ([["O"]], [["O"]], {"scheme": "BIO"}, "scheme must be .*'IOB2', .* got 'BIO'"),
        ([["O"]], [["O"]], {"scheme": ["IOB2"]}, "scheme must be"),
        (["O", "O"], ["O"], {"sequences": [0, 0]}, "inconsistent numbers of samples"),
        (["O", "O"], ["O", "O"], {"sequences": [0]}, "each of the 2 rows"),
        ([["O"]], [["O"]], {"sequences": [0]}, "Lists of lists need no sequences"),
        (np.array([["O"]]), ["O"], {"sequences": [0]}, "one tag for each position"),
        ([["O"]], [["O"]], {"sample_weight": [1, 1]}, "sample_weight"),
    ],
)
def test_refused(y_true, y_pred, options, message):
    with pytest.raises(ValueError, match=message):
        entity_f1(y_true, y_pred, **options)


class TokenTags(ClassifierMixin, BaseEstimator):
    """Predicts the tag that a token had, in flat or nested form."""

    def fit(self, X, y):
        self.tags_ = dict(zip(np.concatenate(X).tolist(), np.concatenate(y).tolist(), strict=True))
        return self

    def predict(self, X, sequences=None):
        if isinstance(X[0], str):
            assert sequences is not None
            return np.array([self.tags_.get(token, "O") for token in X])
        return [[self.tags_.get(token, "O") for token in tokens] for tokens in X]


TOKENS = [["Ada", "L", "x"], ["Rome", "y"], ["z"], ["Ada", "Bob", "t", "Rome"]]


def test_a_scorer_of_nested_lists():
    found = cross_validate(TokenTags(), TOKENS, TRUE, scoring=entity_f1_scorer, cv=KFold(2))
    true, predicted = TRUE[:2], [["B-p", "O", "O"], ["I-l", "O"]]
    assert_allclose(found["test_score"][0], entity_f1(true, predicted))


def test_a_scorer_of_flat_tags():
    model = TokenTags().fit(TOKENS[:2], TRUE[:2])
    names = np.repeat(np.arange(4), [3, 2, 1, 4])
    X, y = np.concatenate(TOKENS).tolist(), np.concatenate(TRUE)
    nested = entity_f1_scorer(model, TOKENS, TRUE)
    assert entity_f1_scorer(model, X, y, sequences=names) == nested
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(
            FunctionTransformer(), TokenTags().set_predict_request(sequences=True)
        ).fit(TOKENS[:2], TRUE[:2])
        assert EntityScorer()(pipeline, X, y, sequences=names) == nested


def test_equal_to_seqeval(rng):
    seqeval = pytest.importorskip("seqeval.metrics")
    schemes = pytest.importorskip("seqeval.scheme")
    kinds = {None: "BIES", "IOB2": "BI", "IOE2": "IE", "IOBES": "BIES", "BILOU": "BILU"}
    theirs = [seqeval.f1_score, seqeval.precision_score, seqeval.recall_score]
    for scheme in list(kinds) * 20:
        tags = ["O"] + [f"{kind}-{kind_of}" for kind in kinds[scheme] for kind_of in ("p", "A-B")]
        true = [rng.choice(tags, size=rng.randint(1, 9)).tolist() for _ in range(4)]
        predicted = [
            [tag if rng.uniform() < 0.6 else str(rng.choice(tags)) for tag in one] for one in true
        ]
        strict = {"mode": "strict", "scheme": getattr(schemes, scheme)} if scheme else {}
        for ours, their in zip(ALL_METRICS, theirs, strict=True):
            expected = their(true, predicted, zero_division=0, **strict)
            assert_allclose(ours(true, predicted, scheme=scheme), expected)
