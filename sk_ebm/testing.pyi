"""Written by .ci/stubs.py from the signatures and docstrings: do not edit."""

from typing import Any, Literal, Self

from numpy.typing import NDArray

def check_energy(energy: Any, *, answers: Any = ..., random_state: Any = ...) -> Any: ...

def check_loss(loss: Any, *, random_state: Any = ...) -> Any: ...
