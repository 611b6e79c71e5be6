"""The kinds of features that an `EnergyTransformer` takes from a fitted estimator.

Each is a function of the estimator, rows X, probabilities of quantiles and all classes (None of
estimators without classes). It returns features (n, k) and their names.
"""

import numpy as np


def default_kind(model):
    """The kind of features that an estimator is taken to be used for."""
    if hasattr(model, "predict_set"):
        return "log_proba"
    if hasattr(model, "predict_quantile"):
        return "quantiles"
    return "surprisals" if _gives_surprisals(model) else "energies"


def energies(model, X, quantiles, classes):
    """Of all classes, of items or of inputs."""
    if classes is not None:
        return _of_classes("energy", _answer(model, "energies", "energies", X), model, classes)
    if hasattr(model, "log_prob"):
        raise _refusal("energies", "energies without y", model)
    if hasattr(model, "energies"):
        return model.energies(X)[:, None], ["energy"]
    return -_answer(model, "score_samples", "energies", X)[:, None], ["energy"]


def log_proba(model, X, quantiles, classes):
    """Of all classes."""
    logs = _answer(model, "predict_log_proba", "log_proba", X)
    return _of_classes("log_proba", logs, model, classes)


def quantiles(model, X, quantiles, classes):
    """Of p(y given x), of each target."""
    values = _answer(model, "predict_quantile", "quantiles", X, quantiles)
    names = [f"quantile_{level:g}" for level in quantiles]
    if values.ndim == 3:
        names = [f"target_{j}_{name}" for j in range(values.shape[1]) for name in names]
    return values.reshape(len(values), -1), names


def surprisals(model, X, quantiles, classes):
    """-log p(x), or -log of the p-value, in nats."""
    if hasattr(model, "p_values"):
        return -np.log(model.p_values(X))[:, None], ["surprisal"]
    if not _gives_surprisals(model):
        raise _refusal("surprisals", "score_samples", model)
    return -model.score_samples(X)[:, None], ["surprisal"]


def p_values(model, X, quantiles, classes):
    """Of a detector."""
    return _answer(model, "p_values", "p_values", X)[:, None], ["p_value"]


KINDS = {
    "energies": energies,
    "log_proba": log_proba,
    "quantiles": quantiles,
    "surprisals": surprisals,
    "p_values": p_values,
}


def classes_of(model):
    """The classes of a fitted classifier, else None."""
    return model.classes_ if hasattr(model, "predict_set") and hasattr(model, "classes_") else None


def _gives_surprisals(model):
    return hasattr(model, "p_values") or hasattr(model, "score_samples")


def _answer(model, method, kind, *args):
    if not hasattr(model, method):
        raise _refusal(kind, method, model)
    return getattr(model, method)(*args)


def _refusal(kind, what, model):
    has = {
        "energies": hasattr(model, "energies") and not hasattr(model, "log_prob"),
        "log_proba": hasattr(model, "predict_log_proba"),
        "quantiles": hasattr(model, "predict_quantile"),
        "surprisals": _gives_surprisals(model),
        "p_values": hasattr(model, "p_values"),
    }
    fitting = [repr(name) for name in KINDS if has[name]]
    remedy = f"It has {', '.join(fitting)}" if fitting else "Use an estimator of this package"
    name = repr(model).removeprefix("through(").removesuffix(")")
    return ValueError(f"features={kind!r} needs an estimator with {what}, got {name}. {remedy}.")


def _of_classes(name, values, model, classes):
    """Values (n, K) of all classes; one that the model does not know gets those of the worst."""
    names = [f"{name}_{c}" for c in classes.tolist()]
    if len(values.T) == len(classes):
        return values, names
    worst = values.max(axis=1) if name == "energy" else values.min(axis=1)
    every = np.tile(worst[:, None], (1, len(classes)))
    every[:, np.searchsorted(classes, model.classes_)] = values
    return every, names
