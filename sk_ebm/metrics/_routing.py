"""Which keywords a method of an estimator takes."""

from inspect import signature

from sklearn import get_config
from sklearn.utils.metadata_routing import get_routing_for_object


def takes(estimator, name, argument):
    """Whether a method has an argument, or passes it on by metadata routing."""
    if argument in signature(getattr(estimator, name)).parameters:
        return True
    routed = get_config()["enable_metadata_routing"]
    return routed and bool(get_routing_for_object(estimator).consumes(name, [argument]))
