"""The array namespace of an array, so that the core mathematics is not tied to numpy.

scikit-learn's array API helper is private and has no public counterpart; this is the one
place that imports it.
"""

from sklearn.utils._array_api import get_namespace


def namespace(*arrays):
    """The array API namespace that the arrays share."""
    return get_namespace(*arrays)[0]
