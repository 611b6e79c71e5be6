"""Constraints of label sequences: which label can follow which."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sk_ebm._core.label_schemes import (
    allowed_labels,
    check_allowed,
    check_constraints,
    longest_allowed,
)

BIO = np.array(["B-LOC", "B-PER", "I-LOC", "I-PER", "O"])
IOBES = np.array(["B-X", "E-X", "I-X", "O", "S-X"])


def test_bio():
    first, transitions = allowed_labels("bio", BIO)
    assert_array_equal(first, [True, True, False, False, True])
    inside = transitions[:, 2:4]  # to I-LOC and I-PER
    assert_array_equal(inside, [[1, 0], [0, 1], [1, 0], [0, 1], [0, 0]])
    assert np.delete(transitions, [2, 3], axis=1).all()


def test_iobes():
    first, transitions = allowed_labels("iobes", IOBES)
    assert_array_equal(first, [True, False, False, True, True])
    expected = {"B-X": "EI", "I-X": "EI", "E-X": "BOS", "O": "BOS", "S-X": "BOS"}
    for label, row in zip(IOBES, transitions, strict=True):
        assert {one[0] for one in IOBES[row]} == set(expected[label])


@pytest.mark.parametrize("labels", [np.array(["a", "b", "c"]), np.arange(3)])
def test_pairs(labels):
    pairs = [(labels[0], labels[0]), (labels[2], labels[1])]
    check_constraints(pairs)
    first, transitions = allowed_labels(pairs, labels)
    assert first.all()
    assert_array_equal(np.argwhere(~transitions), [[0, 0], [2, 1]])


def test_no_constraints():
    check_constraints(None)
    assert allowed_labels(None, BIO) is None
    check_allowed(None, None, None, None, None)


@pytest.mark.parametrize("bad", ["iob", [], 5, {0: 1}, [(0, 1, 2)], [3], True])
def test_what_is_no_constraint(bad):
    with pytest.raises(ValueError, match="constraints must be 'bio', 'iobes', a list of pairs"):
        check_constraints(bad)


def test_labels_that_do_not_exist():
    with pytest.raises(ValueError, match=r"must name labels of y, \[0, 1\], got 7"):
        allowed_labels([(0, 7)], np.arange(2))


@pytest.mark.parametrize("tag", ["x", "E-PER", "BPER", ""])
def test_tags_of_other_schemes(tag):
    with pytest.raises(ValueError, match=f"constraints='bio' needs tags .* got {tag!r} in y"):
        allowed_labels("bio", np.array(["O", tag]))


@pytest.mark.parametrize(
    "tags, message",
    [
        (["O", "B-PER", "O", "I-PER"], "y has I-PER after O in row 3, which"),
        (["O", "B-PER", "I-LOC", "O"], "y has I-LOC after B-PER in row 2, which"),
        (["O", "I-PER", "O", "O"], "y has I-PER first in row 1, which"),
    ],
)
def test_labels_that_break_them(tags, message):
    labels, starts = np.searchsorted(BIO, tags), np.array([0, 1, 4])
    with pytest.raises(ValueError, match=message):
        check_allowed(allowed_labels("bio", BIO), labels, starts, BIO, lambda row: f"row {row}")


def test_entities_end_with_their_sequence():
    labels = np.searchsorted(BIO, ["B-PER", "I-PER", "B-LOC", "O"])
    check_allowed(allowed_labels("bio", BIO), labels, np.array([0, 2, 4]), BIO, None)


def test_longest_sequences():
    labels = np.arange(3)
    chain = [(a, b) for a in labels for b in labels if b != a + 1]  # 0, 1, 2 is all there is
    assert longest_allowed(allowed_labels(chain, labels), 10) == 3
    assert longest_allowed(allowed_labels(chain, labels), 2) == 2
    assert longest_allowed(allowed_labels(chain[:-1], labels), 10) == 10  # 2 may follow 2
    assert longest_allowed(None, 10) == 10
