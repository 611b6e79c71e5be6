"""Answers larger than a class: which methods of a classifier they answer themselves."""

from functools import wraps


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


def by_structure(method):
    """A method of a classifier that asks its structure, where it is fitted to one."""
    name = method.__name__

    @wraps(method)
    def ask(self, *args, **kwargs):
        structure = vars(self).get("structure_")
        if structure is None or not structure.takes_sequences:
            check_no_sequences(kwargs.pop("sequences", None))
        if structure is None:
            return method(self, *args, **kwargs)
        own = getattr(structure, name, None)
        if own is None:
            raise AttributeError(
                f"{name} is of classes, and this classifier is fitted to {structure.answers}."
            )
        return own(self, *args, **kwargs)

    return ask


def check_no_sequences(sequences):
    """Raise a ValueError where sequences are named and answers are classes."""
    if sequences is not None:
        raise ValueError(
            "sequences= names the sequence of each row, for a classifier of label sequences, and "
            "this one is fitted to other answers. Leave it out, or give it to fit too."
        )
