"""Contributions of columns to the energy of a row, or to energies on average."""

from sk_ebm._displays.base import Display, final_model, refuse
from sk_ebm._utils.bars import draw_contributions, largest_contributions
from sk_ebm._utils.sklearn_private import count_rows, take_rows
from sk_ebm._utils.validation import check_choice
from sk_ebm.explanations import Explanation


class ExplanationDisplay(Display):
    """The largest contributions of columns to the energy of one row, or their mean sizes.

    ``kind="row"``: bars to the right raise the energy, so that the row or its answer is less
    compatible, those to the left lower it. ``kind="importance"``: mean absolute contributions over
    the rows. Error bars are two standard errors, where contributions are sampled.

    Parameters
    ----------
    names : list of str
    values : ndarray of shape (n_names,)
    errors : ndarray of shape (n_names,), default=None
    kind : {"row", "importance"}, default="row"
    title : str, default=""

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> import numpy as np
    >>> from sk_ebm.displays import ExplanationDisplay
    >>> from sk_ebm.explanations import Explanation
    >>> explanation = Explanation(np.array([[0.5, -1.5]]), 2.0, ["age", "income"])
    >>> ExplanationDisplay.from_explanation(explanation).names
    ['income', 'age']
    """

    def __init__(self, *, names, values, errors=None, kind="row", title=""):
        self.names = names
        self.values = values
        self.errors = errors
        self.kind = kind
        self.title = title

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        groups=None,
        kind=None,
        row=0,
        answer=None,
        ax=None,
        **kwargs,
    ):
        """Explain rows, and draw the contributions.

        Parameters
        ----------
        estimator : fitted estimator with ``explain``, or pipeline or search that ends with one
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Needed for a density of y given X; the energy of others does not depend on it.
        groups : array-like of shape (n_samples,), default=None
            The queries of a ranker, as its ``explain`` takes them.
        kind : {"row", "importance"}, default=None
            None means "row" for one row, else "importance".
        row : int, default=0
            Which row of X is drawn.
        answer : object, default=None
            The class whose energy is drawn; None means that of least energy.
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.barh``.

        Returns
        -------
        display : ExplanationDisplay
        """
        model, read = final_model(estimator)
        if not hasattr(model, "explain"):
            refuse(cls.__name__, model, "contributions to energies of estimators with explain")
        kind = kind or ("row" if count_rows(X) == 1 else "importance")
        check_choice("kind", kind, ("row", "importance"))
        X = read(X)
        if groups is not None:  # whose items are explained together
            explanation = model.explain(X, groups=groups)
        else:
            if kind == "row":
                X, y, row = take_rows(X, [row]), None if y is None else take_rows(y, [row]), 0
            given = (X, y) if getattr(model, "conditional", False) else (X,)
            explanation = model.explain(*given)
        how = {"kind": kind, "row": row, "answer": answer, "ax": ax}
        return cls.from_explanation(explanation, **how, **kwargs)

    @classmethod
    def from_explanation(cls, explanation, *, kind="row", row=0, answer=None, ax=None, **kwargs):
        """Draw contributions that ``explain`` returned.

        Parameters
        ----------
        explanation : Explanation
        kind : {"row", "importance"}, default="row"
        row : int, default=0
        answer : object, default=None
            The class whose energy is drawn; None means that of least energy.
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.barh``.

        Returns
        -------
        display : ExplanationDisplay
        """
        check_choice("kind", kind, ("row", "importance"))
        if not isinstance(explanation, Explanation):
            raise ValueError(f"explanation must be what explain returns, got {explanation!r}.")
        display = cls(kind=kind, **largest_contributions(explanation, kind, row, answer))
        return display.plot(ax, **kwargs)

    def plot(self, ax=None, **kwargs):
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
        **kwargs
            Of ``ax.barh``.

        Returns
        -------
        self
        """
        ax = self._start(ax)
        draw_contributions(
            ax, self.kind, self.names, self.values, self.errors, self.title, **kwargs
        )
        return self
