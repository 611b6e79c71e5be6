"""Warnings of the package, each of a class of its own, so that it can be filtered apart."""


class MissingQueriesWarning(UserWarning):
    """A ranker was given no queries, so that all rows count as the items of one query.

    Give them as ``groups=`` or ``qid=``, name the column of X that holds them as
    ``group_column=``, or let a pipeline or a search pass ``groups`` on: scikit-learn does so with
    ``set_config(enable_metadata_routing=True)`` only.
    """


class NothingLearnedWarning(UserWarning):
    """The data say nothing about the answers, so that the fitted energies do not either.

    For example where every query of a ranker holds items of one relevance only, or where boosted
    trees find no split. The message names the remedy.
    """
