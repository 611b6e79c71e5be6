"""Answers larger than a class: which methods of a classifier they answer themselves."""

from functools import wraps

from sklearn.utils.validation import check_is_fitted

from sk_ebm._tables.sequences import is_nested


class Structure:
    """What a fitted classifier predicts with, where its answers are not classes.

    It defines methods with the names of the classifier's, with the classifier before their
    arguments. What makes no sense for these answers it leaves out.
    """

    answers = "structured answers"  # in messages


def by_structure(method):
    """A method of a classifier that asks its structure, where it is fitted to one."""
    name = method.__name__

    @wraps(method)
    def ask(self, *args, **kwargs):
        structure = vars(self).get("structure_")
        if structure is None:
            check_is_fitted(self)
            check_no_sequences(args[0] if args else kwargs.get("X"), kwargs.pop("sequences", None))
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
            "X is a list of sequences, and this classifier is fitted to classes. Give a table, or "
            "give fit label sequences."
        )
    if sequences is not None:
        raise ValueError(
            "sequences= names the sequence of each row, for a classifier of label sequences, and "
            "this one is fitted to classes. Leave it out, or give it to fit too."
        )
