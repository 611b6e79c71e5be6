"""Written by .ci/stubs.py from the signatures and docstrings: do not edit."""

from typing import Any, Literal, Self

from numpy.typing import NDArray

def trusted_types() -> Any: ...
