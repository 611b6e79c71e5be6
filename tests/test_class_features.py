"""Features of classes, as users give them."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sk_ebm._tables.class_features import read_class_features

pd = pytest.importorskip("pandas")


def test_a_mapping_and_a_frame():
    mapping = read_class_features({"a": [1, 2], "b": (3, 4)})
    frame = read_class_features(pd.DataFrame({"u": [3, 1], "v": [4, 2]}, index=["b", "a"]))
    for features in (mapping, frame):
        assert_array_equal(features.of(np.array(["a", "b"])), [[1, 2], [3, 4]])
    assert frame.columns == ["u", "v"]
    assert read_class_features({1: 0.5, 2: 1.5}).of(np.array([2])).shape == (1, 1)
    numbers = read_class_features(dict(zip(np.arange(3), np.eye(3), strict=True)))
    assert_array_equal(numbers.of(np.array([2.0])), [[0, 0, 1]])


def test_columns_of_a_frame_come_in_any_order():
    features = read_class_features(pd.DataFrame({"v": [2], "u": [1]}, index=["a"]))
    assert_array_equal(features.like(["u", "v"], 2).values, [[1, 2]])
    with pytest.raises(ValueError, match=r"must have the columns of fit, \['u', 'w'\]"):
        features.like(["u", "w"], 2)
    with pytest.raises(ValueError, match="must have 3 features of each class, as in fit, got 2"):
        features.like(None, 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([[1, 2]], "must be a mapping .* got list"),
        ({"a": [1, 2], "b": [1]}, "as many numbers for each class"),
        ({"a": ["red"]}, "encode text"),
        ({"a": [np.nan]}, "must be finite numbers"),
        ({"a": [1e200]}, "numbers below 1e"),
        ({}, "a row for each class, got none"),
        (pd.DataFrame({"u": [1, 2]}, index=["a", "a"]), "one row for each class"),
        (pd.DataFrame([[1, 2]], index=["a"], columns=["u", "u"]), "columns of different names"),
    ],
)
def test_bad_features_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        read_class_features(given)


def test_a_class_without_features_is_named():
    with pytest.raises(ValueError, match=r"none for 1 of 2, such as \['b'\]; .* \['a'\]"):
        read_class_features({"a": 1}).of(np.array(["a", "b"]))
