"""Metrics of entities in label sequences."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length

from sk_ebm._core.entities import SCHEMES, count_entities
from sk_ebm._tables.sequences import is_list, read_flat
from sk_ebm._utils.sklearn_private import check_sample_weight
from sk_ebm._utils.validation import check_choice
from sk_ebm.metrics._routing import takes


def entity_f1(y_true, y_pred, *, sequences=None, scheme=None, sample_weight=None):
    """The harmonic mean of `entity_precision` and `entity_recall`, over all entities ("micro").

    An entity is correct if its type and its first and last position are. The counts are seqeval's:
    those of conlleval for ``scheme=None``, and else those of its mode "strict".

    Parameters
    ----------
    y_true, y_pred : list of array-like of str; or array-like of str of shape (n_positions,)
        The tags of each sequence: "O" outside of entities, and else a kind and a type such as
        "B-PER". Or, with ``sequences``, the tags of all positions.
    sequences : array-like of shape (n_positions,), default=None
        The name of the sequence of each position of flat tags.
    scheme : {"IOB2", "IOE2", "IOBES", "BILOU"}, default=None
        With a scheme, only runs of tags that follow it are entities. None takes B, I, E and S as
        they come, so that an entity can begin with I as well. It is right for tags that always
        follow IOB1, IOB2, IOE2 or IOBES.
    sample_weight : array-like of shape (n_sequences,) or (n_positions,), default=None
        Of sequences; with ``sequences``, the weight of a sequence is the mean weight of its rows.

    Returns
    -------
    f1 : float
        From 0 to 1, and 0 where no entity is correct.

    Examples
    --------
    >>> from sk_ebm.metrics import entity_f1
    >>> y_true = [["B-PER", "I-PER", "O"], ["B-LOC", "O"]]
    >>> y_pred = [["B-PER", "O", "O"], ["B-LOC", "B-LOC"]]
    >>> entity_f1(y_true, y_pred)
    0.4
    """
    correct, predicted, true = _entity_weights(y_true, y_pred, sequences, scheme, sample_weight)
    return _ratio(2 * correct, predicted + true)


def entity_precision(y_true, y_pred, *, sequences=None, scheme=None, sample_weight=None):
    """Share of the entities in y_pred that are correct, 0 without any; parameters of `entity_f1`.

    Returns
    -------
    precision : float
    """
    correct, predicted, _ = _entity_weights(y_true, y_pred, sequences, scheme, sample_weight)
    return _ratio(correct, predicted)


def entity_recall(y_true, y_pred, *, sequences=None, scheme=None, sample_weight=None):
    """Share of the entities in y_true that are found, 0 without any; parameters of `entity_f1`.

    Returns
    -------
    recall : float
    """
    correct, _, true = _entity_weights(y_true, y_pred, sequences, scheme, sample_weight)
    return _ratio(correct, true)


class EntityScorer(BaseEstimator):
    """A scorer for grid searches over any classifier of sequences: `entity_f1`.

    With metadata routing it requests ``sequences``, the sequence of each row of a flat table, and
    hands them on to ``predict`` where that takes them. Nested lists need neither.

    Parameters
    ----------
    scheme : as in `entity_f1`
    """

    __metadata_request__score = {"sequences": True}

    def __init__(self, scheme=None):
        self.scheme = scheme

    def score(self, X, y, sequences=None):
        """Not used: metadata routing only reads its signature."""
        raise NotImplementedError("A scorer is called: scorer(classifier, X, y, sequences=...).")

    def __call__(self, estimator, X, y, sequences=None):
        handed_on = sequences is not None and takes(estimator, "predict", "sequences")
        y_pred = estimator.predict(X, **({"sequences": sequences} if handed_on else {}))
        return entity_f1(y, y_pred, sequences=sequences, scheme=self.scheme)


entity_f1_scorer = EntityScorer()


def _entity_weights(y_true, y_pred, sequences, scheme, sample_weight):
    """The weights of correct entities, of those in y_pred and of those in y_true."""
    check_choice("scheme", scheme, tuple(SCHEMES))
    if sequences is None:
        true, predicted, starts = _nested_tags(y_true, y_pred)
        order = np.arange(starts[-1])
    else:
        true, predicted = (_flat_tags(y) for y in (y_true, y_pred))
        check_consistent_length(true, predicted)
        order, starts = read_flat(predicted, true, sequences)
    weights = _sequence_weights(sample_weight, order, starts, sequences is None)
    return count_entities(true[order], predicted[order], starts, scheme, weights)


def _flat_tags(y):
    if (is_list(y) and any(map(_is_tags, y))) or np.ndim(y) != 1:
        raise ValueError(
            "With sequences=, y_true and y_pred must hold one tag for each position, got "
            f"{y!r:.100}. Lists of lists need no sequences."
        )
    return np.asarray(y)


def _nested_tags(y_true, y_pred):
    """Flat tags, and the starts of the sequences."""
    lengths = _lengths("y_true", y_true), _lengths("y_pred", y_pred)
    check_consistent_length(y_true, y_pred)
    if lengths[0] != lengths[1]:
        index = next(i for i, (a, b) in enumerate(zip(*lengths, strict=True)) if a != b)
        raise ValueError(
            f"y_true and y_pred must have the same lengths, got {lengths[0][index]} and "
            f"{lengths[1][index]} tags in sequence {index}."
        )
    true, predicted = (np.array([tag for tags in y for tag in tags]) for y in (y_true, y_pred))
    return true, predicted, np.cumsum([0] + lengths[0])


def _lengths(name, y):
    """The number of tags of each sequence."""
    if not is_list(y) or not len(y) or not all(map(_is_tags, y)):
        raise ValueError(
            f"{name} must be a list with a list of at least one tag for each sequence. With "
            "sequences=, the sequence of each position, it may be a flat array of tags."
        )
    return [len(tags) for tags in y]


def _is_tags(one):
    return (is_list(one) or getattr(one, "ndim", None) == 1) and len(one) > 0


def _sequence_weights(sample_weight, order, starts, nested):
    """The weight of each sequence, from those of sequences or of rows."""
    if sample_weight is None:
        return np.ones(len(starts) - 1)
    weights = check_sample_weight(sample_weight, starts[:-1] if nested else order)
    if nested:
        return weights
    return np.add.reduceat(weights[order], starts[:-1]) / np.diff(starts)


def _ratio(part, whole):
    return part / whole if whole > 0 else 0.0
