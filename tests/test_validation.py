"""Checks of numbers."""

from numbers import Integral

import numpy as np
import pytest

from sk_ebm._utils.validation import check_number


@pytest.mark.parametrize(
    "value, options",
    [
        (1, {}),
        (np.float32(0.5), {"high": 1}),
        (np.int64(3), {"kind": Integral}),
        (0, {"closed": True}),
        (1, {"high": 1, "closed": True}),
        (1, {"high": 1, "closed": "above"}),
        (None, {"other": (None,)}),
        ("auto", {"other": ("auto", None)}),
    ],
)
def test_good_numbers(value, options):
    assert check_number("alpha", value, 0, **options) is None


@pytest.mark.parametrize(
    "value, options, message",
    [
        (0, {}, "a finite number > 0, got 0"),
        (np.inf, {"closed": True}, "a finite number >= 0, got inf"),
        (np.nan, {}, "a finite number > 0, got nan"),
        (True, {}, "a finite number > 0, got True"),
        ("1", {"other": ("auto",)}, "'auto' or a finite number > 0, got '1'"),
        (1.5, {"kind": Integral}, "an integer > 0, got 1.5"),
        (1, {"high": 1}, "a finite number > 0 and < 1, got 1"),
        (0, {"high": 1, "closed": "above"}, "a finite number > 0 and <= 1, got 0"),
        (2, {"high": 1, "closed": True}, "a finite number >= 0 and <= 1, got 2"),
        (None, {"other": (None, "auto"), "high": 0}, None),
    ],
)
def test_messages_name_what_is_accepted(value, options, message):
    if message is None:
        return check_number("alpha", value, 0, **options)
    with pytest.raises(ValueError) as error:
        check_number("alpha", value, 0, **options)
    assert str(error.value) == f"alpha must be {message}."
