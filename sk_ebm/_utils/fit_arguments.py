"""What the fits of other libraries' estimators are given, and errors that name them."""

import warnings
from contextlib import contextmanager

import numpy as np
from sklearn import get_config
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object
from sklearn.utils.validation import has_fit_parameter


def seeded(estimator, rng):
    """The estimator, with integers from rng for every ``random_state`` that is None."""
    if isinstance(estimator, FrozenEstimator):
        return estimator
    names = sorted(
        name
        for name, value in estimator.get_params().items()
        if (name == "random_state" or name.endswith("__random_state")) and value is None
    )
    seeds = rng.randint(np.iinfo(np.int32).max, size=len(names))
    return estimator.set_params(**dict(zip(names, map(int, seeds), strict=True)))


def weight_arguments(estimator, weights):
    """The keyword that passes weights (n,) to the estimator's fit; {} where they are equal."""
    if isinstance(estimator, FrozenEstimator) or (weights == 1).all():
        return {}
    if get_config()["enable_metadata_routing"]:
        takes_weights = _requests_weights(estimator)
    else:
        takes_weights = has_fit_parameter(estimator, "sample_weight")
        if isinstance(estimator, Pipeline) and has_fit_parameter(estimator[-1], "sample_weight"):
            return {f"{estimator.steps[-1][0]}__sample_weight": weights}
    if takes_weights:
        return {"sample_weight": weights}
    if np.ptp(weights) == 0:
        return {}
    raise ValueError(
        f"sample_weight or class_weight cannot be passed to {estimator!r}: its fit must take "
        "sample_weight and, with metadata routing, not have the request turned off."
    )


def _requests_weights(estimator):
    """Whether its fit takes weights with metadata routing on.

    What the user left unset is set, as no one else could: the estimator takes weights; of a
    pipeline, the last step does, and the others do not, as without routing.
    """
    steps = list(estimator) if isinstance(estimator, Pipeline) else [estimator]
    for step in steps:
        request = get_routing_for_object(step)
        unset = isinstance(request, MetadataRequest) and "sample_weight" in request.fit.requests
        if unset and request.fit.requests["sample_weight"] is None:
            step.set_fit_request(sample_weight=step is steps[-1])
    return get_routing_for_object(estimator).consumes("fit", ["sample_weight"])


@contextmanager
def naming(expert, doing="fitted"):
    """Adds the expert to what its methods raise, and says what to do about missing values.

    Overflows and logarithms of zero are no news: what is not finite is dealt with afterwards.
    """
    try:
        with np.errstate(all="ignore"):
            yield
    except Exception as error:
        message = _wrong_with_rows(error, doing)
        if message is None:
            error.add_note(f"Raised while the expert {expert!r} was {doing}.")
            raise
        raise ValueError(f"The expert {expert!r} {message}") from error


def _wrong_with_rows(error, doing):
    """Which rows an expert cannot take, if an error tells of them, and a remedy; else None."""
    if isinstance(error, ValueError) and "contains NaN" in str(error):
        return (
            "takes no missing values (NaN): give one that fills them, such as a pipeline with an "
            "imputer."
        )
    if isinstance(error, ValueError) and "could not convert string to float" in str(error):
        return (
            f"takes no text ({error}): give one that encodes it, such as a pipeline with a "
            "OneHotEncoder, or an energy that reads tables by its name, such as 'linear'."
        )
    if isinstance(error, (IndexError, np.linalg.LinAlgError)) or "infs or NaNs" in str(error):
        return (  # decompositions that keep no direction at all, or whose squares overflow
            f"cannot be {doing} on these rows of X ({error}). Leave constant or huge columns "
            "out, or give more rows of positive weight."
        )
    return None


@contextmanager
def many_classes_expected():
    """Silences scikit-learn's doubt whether so many classes in so few rows are meant."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        yield


def fit_rows(estimator, X, y, weights, rows):
    """The estimator, fitted on those of the rows that have a positive weight."""
    rows = rows[weights[rows] > 0]
    arguments = weight_arguments(estimator, weights[rows])
    with naming(estimator):
        return estimator.fit(X[rows], y[rows], **arguments)
