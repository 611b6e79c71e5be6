"""Which labels can follow which: schemes of entities, and pairs that cannot be."""

import reprlib

import numpy as np

from sk_ebm._core.entities import SCHEMES

_SCHEMES = {"bio": "IOB2", "iobes": "IOBES"}  # short names of those of entities


def check_constraints(constraints):
    """Raise a ValueError unless these are constraints of transitions."""
    if constraints is None or (isinstance(constraints, str) and constraints in _SCHEMES):
        return
    try:
        pairs = [] if isinstance(constraints, str) else [tuple(pair) for pair in constraints]
    except TypeError:
        pairs = []
    if not pairs or any(len(pair) != 2 for pair in pairs):
        raise ValueError(
            "constraints must be 'bio', 'iobes', a list of pairs (label, next label) that cannot "
            f"be, or None, got {reprlib.repr(constraints)}."
        )


def allowed_labels(constraints, classes):
    """First labels (K,) and transitions (K, K) that can be, or None where all can."""
    if constraints is None:
        return None
    if isinstance(constraints, str):
        return _allowed_tags([str(label) for label in classes], constraints)
    pairs = [tuple(pair) for pair in constraints]
    unknown = [label for pair in pairs for label in pair if label not in classes]
    if unknown:
        raise ValueError(
            f"constraints must name labels of y, {classes[:5].tolist()}, got {unknown[0]!r}."
        )
    transitions = np.ones((len(classes), len(classes)), dtype=bool)
    transitions[tuple(np.searchsorted(classes, side) for side in zip(*pairs, strict=True))] = False
    return np.ones(len(classes), dtype=bool), transitions


def _allowed_tags(tags, scheme):
    """Tags that go on with an entity, or end one or are outside, and begin one or are outside."""
    goes_on, goes_on_as, begins, ends = SCHEMES[_SCHEMES[scheme]]
    known = {"O", *goes_on, *goes_on_as, *begins, *ends}
    for tag in tags:
        if tag[:1] not in known or tag[1:2] not in ("", "-"):
            raise ValueError(
                f"constraints={scheme!r} needs tags of entities such as 'O', 'B-PER' and 'I-PER', "
                f"got {tag!r} in y. Give pairs that cannot be, or constraints=None."
            )
    kinds, types = np.array([tag[:1] for tag in tags]), np.array([tag[2:] for tag in tags])
    on = np.isin(kinds, list(goes_on))[:, None] & np.isin(kinds, list(goes_on_as))
    first, last = np.isin(kinds, ["O", *begins]), np.isin(kinds, ["O", *ends])
    return first, (on & (types[:, None] == types)) | (last[:, None] & first)


def longest_allowed(allowed, at_most):
    """The length of the longest label sequence that can be, up to that given."""
    if allowed is None:
        return at_most
    first, transitions = allowed
    for length in range(min(at_most, len(first) + 1)):
        if not first.any():
            return length
        first = transitions[first].any(axis=0)
    return at_most  # some label comes twice, and so may again


def check_allowed(allowed, labels, starts, classes, where):
    """Raise a ValueError that names the first sequence of y with a transition that cannot be.

    ``where`` says in words where a position is.
    """
    if allowed is None:
        return
    possible = np.append(True, allowed[1][labels[:-1], labels[1:]])
    possible[starts[:-1]] = allowed[0][labels[starts[:-1]]]
    if possible.all():
        return
    row = int(np.argmin(possible))
    after = "first" if row in starts else f"after {classes[labels[row - 1]]}"
    raise ValueError(
        f"y has {classes[labels[row]]} {after} in {where(row)}, which constraints exclude. Correct "
        "the labels, or leave out constraints."
    )
