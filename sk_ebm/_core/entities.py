"""Entities in sequences of tags, and how many two taggings share.

A tag is "O" outside of entities, or has a kind and a type: "B-PER" begins an entity of the type
PER, "I-PER" is inside of one, "E-PER" ends it, "S-PER" is a whole one. A kind alone is a tag too.
"""

import numpy as np

# Of each scheme: after which kinds an entity may go on, with which kinds, and with which kinds it
# may begin and end. None takes all that could be an entity, as conlleval of CoNLL 2000 does; the
# others are those of seqeval's mode "strict".
SCHEMES = {
    None: ("BI", "IE", "BIES", "BIES"),
    "IOB2": ("BI", "I", "B", "BI"),
    "IOE2": ("I", "IE", "IE", "E"),
    "IOBES": ("BI", "IE", "BS", "ES"),
    "BILOU": ("BI", "IL", "BU", "LU"),
}


def count_entities(y_true, y_pred, starts, scheme, weights):
    """The weights of the entities of flat tags that are correct, of those in y_pred, in y_true.

    ``starts`` are the first rows of the sequences, and the end; ``weights`` (n_sequences,).
    """
    _check_tags({*y_true.tolist(), *y_pred.tolist()}, scheme)
    tags, codes = np.unique(np.concatenate([y_true, y_pred]), return_inverse=True)
    kinds = np.array([tag[0] for tag in tags])
    types = np.unique([tag[2:] for tag in tags], return_inverse=True)[1]
    true, predicted = (
        _entities(kinds[rows], types[rows], starts, scheme) for rows in np.split(codes, 2)
    )
    correct = set(true) & set(predicted)
    return tuple(_weight(found, starts, weights) for found in (correct, predicted, true))


def _weight(entities, starts, weights):
    first = np.array([entity[0] for entity in entities], dtype=int)
    return float(weights[np.searchsorted(starts, first, side="right") - 1].sum())


def _entities(kinds, types, starts, scheme):
    """(first row, end, type) of each entity."""
    goes_on, goes_on_as, begins, ends = map(list, SCHEMES[scheme])
    joined = np.zeros(len(kinds), dtype=bool)
    joined[1:] = (
        np.isin(kinds[:-1], goes_on) & np.isin(kinds[1:], goes_on_as) & (types[1:] == types[:-1])
    )
    joined[starts[:-1]] = False
    first = np.flatnonzero(~joined)
    last = np.append(first[1:], len(kinds)) - 1
    whole = np.isin(kinds[first], begins) & np.isin(kinds[last], ends)
    first, last = first[whole], last[whole]
    return list(zip(first.tolist(), last.tolist(), types[first].tolist(), strict=True))


def _check_tags(tags, scheme):
    """Raise a ValueError that names a tag that is none of the scheme."""
    accepted = ["O", *dict.fromkeys("".join(SCHEMES[scheme]))]
    for tag in tags:
        if not (isinstance(tag, str) and tag[:1] in accepted and tag[1:2] in ("", "-")):
            raise ValueError(
                "y_true and y_pred must hold tags of entities such as 'B-PER', of the kinds "
                f"{', '.join(accepted)} for scheme={scheme!r}, got {tag!r}. The schemes are "
                f"{', '.join(map(repr, SCHEMES))}."
            )
