"""Saved estimators carry the version that wrote them."""

from sk_ebm._utils.warnings import warn_user
from sk_ebm._version import __version__
from sk_ebm.exceptions import InconsistentVersionWarning

_KEY = "_sk_ebm_version"


class CarriesVersion:
    """Mixin of estimators that warn when they are read by another version, however they are saved.

    It comes before scikit-learn's `BaseEstimator`.
    """

    def __getstate__(self):
        return {**super().__getstate__(), _KEY: __version__}

    def __setstate__(self, state):
        state = dict(state)
        version = state.pop(_KEY, "unknown")
        if version != __version__:
            names = type(self).__name__, __version__, version
            warn_user(InconsistentVersionWarning.of(*names), InconsistentVersionWarning)
        super().__setstate__(state)
