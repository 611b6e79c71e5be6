"""Warnings of the package, each of a class of its own, so that it can be filtered apart."""

from sklearn import exceptions


class InconsistentVersionWarning(exceptions.InconsistentVersionWarning):
    """A saved estimator is read by another version of the package than wrote it.

    Its attributes may have other meanings or be missing: fit it again, or read it with the version
    that the message names. A filter for scikit-learn's warning of this name catches it, too.
    """

    @classmethod
    def of(cls, estimator, current, original):
        """The warning for an estimator and two versions, by name."""
        return cls(
            estimator_name=estimator,
            current_sklearn_version=current,
            original_sklearn_version=original,
        )

    def __str__(self):
        return (
            f"{self.estimator_name} was saved by sk_ebm {self.original_sklearn_version} and is "
            f"read by {self.current_sklearn_version}: it may fail or predict wrongly. Fit it "
            f"again, or read it with sk_ebm {self.original_sklearn_version}."
        )


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
