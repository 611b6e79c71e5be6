"""New classes of a fitted classifier, without a refit."""

from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.extmath import safe_sparse_dot

from sk_ebm._tables.class_features import read_class_features
from sk_ebm._utils.sklearn_private import check_sample_weight
from sk_ebm._utils.validation import check_largest_weight
from sk_ebm.energies._new_classes import NewClasses

_MOST_NAMES = 5  # in messages


def read_classes(given, energy):
    """The `ClassFeatures` that a fit was given, which its energy must take; or None."""
    if given is None:
        return None
    if not energy.takes_class_features:
        raise ValueError(
            f"class_features= is for energies of class vectors: {type(energy).__name__} learns "
            "nothing from features of the classes. Use energy='embedding', or leave it out."
        )
    return read_class_features(given)


def check_adds_classes(energy):
    """Raise a ValueError unless the energy takes new classes without a refit."""
    if not energy.takes_class_features:
        raise ValueError(
            f"add_classes needs an energy of class vectors, whose other parts new classes share, "
            f"got {type(energy).__name__}. Use energy='embedding', or fit again with all rows."
        )


def named_new(classes, y, features, reject_label):
    """Names of the new classes, sorted; they must be of the kind of the known ones, and new."""
    parts = [] if y is None else [y]
    if features is not None:
        parts.append(np.asarray(features.labels))
    if not parts:
        raise ValueError("add_classes needs rows X and their classes y, or class_features.")
    names = _sorted_names(np.concatenate(parts))
    if len(names) == 0:
        raise ValueError("add_classes needs at least one new class, got none.")
    if _are_strings(names) != _are_strings(classes):
        raise ValueError(
            f"New classes must be of the same kind as {classes[:_MOST_NAMES].tolist()}, got "
            f"{names[:_MOST_NAMES].tolist()}."
        )
    existing = names[np.isin(names, classes)]
    if len(existing):
        raise ValueError(
            f"add_classes takes new classes only, and {existing[:_MOST_NAMES].tolist()} were "
            "fitted or added already: give the rows of the others only, or fit again with all rows."
        )
    if reject_label is not None and reject_label in names:
        raise ValueError(
            f"{reject_label!r} is the reject_label, and cannot be a class: use another name, or "
            "another reject_label."
        )
    return names


def _sorted_names(labels):
    """Labels of one kind, each once."""
    if not _are_strings(labels):
        if not all(isinstance(label, Real) for label in labels.tolist()):
            some = labels[:_MOST_NAMES].tolist()
            raise ValueError(f"New classes must be all strings or all numbers, got {some}.")
        labels = np.array(labels.tolist())
    names = np.unique(labels)
    if (names != names).any():
        raise ValueError("New classes must have names, got NaN: leave out rows without a class.")
    return names


def _are_strings(labels):
    return all(isinstance(label, str) for label in labels.tolist())


def new_classes(classifier, X, y, sample_weight, features, names):
    """`NewClasses` of these names, from validated rows and features."""
    if X is None:
        X = np.zeros((0, classifier.n_features_in_))
        target, weights = np.zeros(0, int), np.zeros(0)
    else:
        target, weights = np.searchsorted(names, y), check_sample_weight(sample_weight, X)
        check_largest_weight(weights)
    prior = classifier.energy_.prior_
    if (features is None) != (prior.coef is None):
        was, remedy = ("without", "leave it out") if prior.coef is None else ("with", "give it")
        raise ValueError(
            f"The classifier was fitted {was} class_features: {remedy} for new classes, too."
        )
    values = None
    if features is not None:
        values = features.like(classifier._class_columns, len(prior.coef)).of(names)
    if values is None and len(np.unique(target[weights > 0])) < len(names):
        raise ValueError("Each new class needs a row of positive weight, or class_features.")
    return NewClasses(X, target, weights, len(names), values)


def checked_rows(classifier, X, y):
    """X and y of new classes, validated, or None both."""
    if (X is None) != (y is None):
        raise ValueError("add_classes needs X and y together, got one of them.")
    if X is None:
        return None, None
    return classifier._validated_pairs(X, y)


def larger(classifier, new, names):
    """Fitted attributes of a classifier with new classes, by name."""
    classes = np.concatenate([classifier.classes_, names])
    order = np.argsort(classes, kind="stable")
    with np.errstate(over="ignore", invalid="ignore"):
        energy = classifier.energy_.with_classes(new, order)
    _check_finite(*energy.class_vectors())
    attributes = {"classes_": classes[order], "energy_": energy}
    if classifier._index is not None:
        rows = classifier._index.rows
        index, inference = classifier._searched(energy, len(classes), lambda: rows)
        attributes |= index | {"inference_": classifier.inference_ | inference}
    held_out = vars(classifier).get("_held_out")
    if held_out is None:
        return attributes
    positions = np.argsort(order)
    vectors, biases = (part[positions[-len(names) :]] for part in energy.class_vectors())
    outputs = safe_sparse_dot(held_out.features, vectors.T, dense_output=True) + biases
    held_out = held_out.with_classes(-outputs, classifier.beta_, positions)
    calibrates = hasattr(classifier, "calibration_energies_")
    return attributes | held_out.attributes(calibrates, classifier._rejects(), energy)


def _check_finite(vectors, biases):
    """Raise a ValueError where rows of new classes gave them no finite vectors."""
    values = vectors.data if issparse(vectors) else vectors
    if not (np.isfinite(values).all() and np.isfinite(biases).all()):
        raise ValueError(
            "X or class_features of new classes are so far from those fitted on that energies "
            "overflow: give them in the units of fit, or fit again with all rows."
        )
