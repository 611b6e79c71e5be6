"""Any method of the last step of a fitted pipeline or search, through the steps before."""

from functools import wraps
from inspect import signature
from numbers import Integral

from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline


def through(model):
    """A fitted pipeline or search object with every method of its last step.

    ``through(pipe).predict_interval(X)`` is ``pipe[-1].predict_interval(pipe[:-1].transform(X))``,
    for any method whose first argument is X, and so are the attributes of the last step. Pipelines
    in pipelines, searches over pipelines and pipelines that end in a search are looked through.

    Parameters
    ----------
    model : Pipeline, search object or any other estimator
        Fitted. A search is its ``best_estimator_``; an estimator that is neither stands for itself.

    Returns
    -------
    last : Through
        Has the methods and attributes of the last step.

    Raises
    ------
    AttributeError
        If the last step has no such method.
    NotFittedError
        If a search has no ``best_estimator_``, or a step is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sk_ebm import EnergyClassifier, through
    >>> X, y = load_wine(return_X_y=True)
    >>> pipe = make_pipeline(StandardScaler(), EnergyClassifier()).fit(X, y)
    >>> through(pipe).predict_set(X[:2], coverage=0.9)
    array([[ True, False, False],
           [ True, False, False]])
    """
    if not hasattr(model, "fit") or isinstance(model, type):
        raise TypeError(
            f"model must be a fitted pipeline, search or estimator, got {model!r:.200}."
        )
    return Through(*_opened(model))


def _opened(model):
    """The steps that transform X, the first one first, and the last estimator."""
    if isinstance(model, Pipeline):
        transformers, last = _opened(model.steps[-1][1])
        return [model[:-1], *transformers] if len(model) > 1 else transformers, last
    if isinstance(model, FrozenEstimator):
        return _opened(model.estimator)
    if hasattr(model, "best_estimator_"):
        return _opened(model.best_estimator_)
    if hasattr(model, "param_grid") or hasattr(model, "param_distributions"):
        raise NotFittedError(
            f"{type(model).__name__} has no best_estimator_: call fit first, with refit=True."
        )
    return [], model


class Through:
    """What `through` returns: the last step, which reads X through the steps before."""

    def __init__(self, transformers, last):
        self._transformers = transformers
        self._last = last

    def __getattr__(self, name):
        if name.startswith("__") or name in ("_transformers", "_last"):
            raise AttributeError(name)
        found = getattr(self._last, name)
        return self._reading(found) if callable(found) and _takes_X(found) else found

    def __dir__(self):
        return dir(self._last)

    def __repr__(self):
        return f"through({self._last!r})"

    def _reading(self, method):
        """The method, which is given X through the steps before."""

        @wraps(method)
        def ask(*args, **kwargs):
            if args:
                args = self._transformed(args[0]), *args[1:]
            elif "X" in kwargs:
                kwargs["X"] = self._transformed(kwargs["X"])
            return method(*args, **kwargs)

        return ask

    def _transformed(self, X):
        """X after the steps; None, or a number of rows to draw, has nothing to transform."""
        if X is None or isinstance(X, Integral):
            return X
        for transformer in self._transformers:
            X = transformer.transform(X)
        return X


def _takes_X(method):
    try:
        parameters = list(signature(method).parameters)
    except (TypeError, ValueError):
        return False
    return parameters[:1] == ["X"]
