"""Cross-fitting: what models say about samples that they were not fitted on."""

from dataclasses import dataclass

from sklearn.utils.parallel import Parallel, delayed

from sk_ebm._core.folds import Folds


@dataclass(frozen=True)
class CrossFit:
    """What `cross_fit` returns.

    Attributes
    ----------
    folds : Folds
    models : list
        One for each fold.
    held_out : list
        What the model of each fold says about the fold's test samples.
    """

    folds: Folds
    models: list
    held_out: list

    @property
    def in_order(self):
        """The held-out values as one array, in the order of the samples."""
        return self.folds.in_order(self.held_out)


def cross_fit(fit, evaluate, folds, *, n_jobs=None):
    """Fit a model on each fold's training samples and evaluate it on its test samples.

    Parameters
    ----------
    fit : callable
        ``fit(k, train)`` returns the model of fold k.
    evaluate : callable
        ``evaluate(model, test)`` returns an array of the test samples, or anything else.
    folds : Folds
    n_jobs : int, default=None
        Processes that fit the folds, as in joblib.

    Returns
    -------
    crossed : CrossFit
    """
    results = Parallel(n_jobs=n_jobs)(
        delayed(_fit_and_evaluate)(fit, evaluate, k, train, test)
        for k, (train, test) in enumerate(folds)
    )
    models, held_out = zip(*results, strict=True)
    return CrossFit(folds, list(models), list(held_out))


def _fit_and_evaluate(fit, evaluate, k, train, test):
    model = fit(k, train)
    return model, evaluate(model, test)
