"""Written by .ci/stubs.py from the signatures and docstrings: do not edit."""

from typing import Any, Literal, Self

from numpy.typing import NDArray

class MissingQueriesWarning(UserWarning):
    ...

class NothingLearnedWarning(UserWarning):
    ...

class InconsistentVersionWarning(UserWarning):
    @classmethod
    def of(cls, estimator: Any, current: Any, original: Any) -> Any: ...
    def __init__(self, *, estimator_name: Any, current_sklearn_version: Any, original_sklearn_version: Any) -> None: ...
