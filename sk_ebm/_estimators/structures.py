"""Answers larger than a class: which methods of a classifier they answer themselves."""

from functools import wraps

from sk_ebm._tables.sequences import is_nested


class Structure:
    """What a fitted classifier predicts with, where its answers are not classes.

    It defines methods with the names of the classifier's, with the classifier before their
    arguments. What makes no sense for these answers it leaves out.
    """

    answers = "structured answers"  # in messages
    takes_sequences = False  # whether its methods take the sequence of each row

    def calibrated(self, classifier, X, y, sample_weight=None, *, sequences=None):
        """Fitted attributes that `conformalize` learns."""
        raise AttributeError(
            "conformalize is of classes and label sequences, and this classifier is fitted to "
            f"{self.answers}."
        )


def by_structure(method, name=None):
    """A method of a classifier that asks its structure, where it is fitted to one, by name."""
    name = name or method.__name__

    @wraps(method)
    def ask(self, *args, **kwargs):
        structure = vars(self).get("structure_")
        if structure is None or not structure.takes_sequences:
            given = args[0] if args else kwargs.get("X")
            sequences = kwargs.pop("sequences", None)
            if "classes_" in vars(self):  # else the method says that nothing is fitted
                check_no_sequences(given, sequences)
        if structure is None:
            return method(self, *args, **kwargs)
        own = getattr(structure, name, None)
        if own is None:
            raise AttributeError(
                f"{name} is of classes, and this classifier is fitted to {structure.answers}."
            )
        return own(self, *args, **kwargs)

    return ask


def check_no_sequences(X, sequences):
    """Raise a ValueError where X holds sequences and answers are classes."""
    if is_nested(X):
        raise ValueError(
            "X is a list of sequences, and this classifier is fitted to other answers. Give a "
            "table, or give fit label sequences."
        )
    if sequences is not None:
        raise ValueError(
            "sequences= names the sequence of each row, for a classifier of label sequences, and "
            "this one is fitted to other answers. Leave it out, or give it to fit too."
        )
