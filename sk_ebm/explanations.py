"""Why a row has its energy: contributions of its columns, which add up to it."""

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support, check_pandas_support

from sk_ebm._utils.bars import draw_contributions, largest_contributions
from sk_ebm._utils.validation import check_choice


class Explanation:
    """Contributions in the unit of the energies, which are ``base + values.sum(axis=1)``.

    ``explain`` of the estimators returns it. Where ``errors`` is None, contributions are in closed
    form; else they are sampled Shapley values, which add up to the energy all the same.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_features) or (n_samples, n_features, n_classes)
        A positive contribution raises the energy: it makes the row, or its answer, less compatible.
    base : float, or ndarray of shape (n_samples,), (n_classes,) or (n_samples, n_classes)
        The energy without any contribution.
    feature_names : sequence of str
        Of columns, or of terms of a sum.
    errors : ndarray, default=None
        Standard errors of the values, of their shape.
    classes : ndarray of shape (n_classes,), default=None

    Examples
    --------
    >>> import numpy as np
    >>> from sk_ebm.explanations import Explanation
    >>> explanation = Explanation(np.array([[0.5, -1.5], [1.5, 0.5]]), 2.0, ["age", "income"])
    >>> explanation.energies()
    array([1., 4.])
    >>> explanation.importances()
    array([1., 1.])
    """

    def __init__(self, values, base, feature_names, errors=None, classes=None):
        self.values = values
        self.base = base
        self.feature_names = list(feature_names)
        self.errors = errors
        self.classes = classes

    def __repr__(self):
        sampled = "closed form" if self.errors is None else "sampled"
        return f"<Explanation of {len(self)} rows by {len(self.feature_names)} names, {sampled}>"

    def __len__(self):
        return len(self.values)

    def __getitem__(self, rows):
        """The explanation of some rows, by a slice, a mask or an array of indices."""
        if np.ndim(rows) == 0 and not isinstance(rows, slice):
            rows = [rows]
        n_kept = self.values.ndim - 1  # dimensions of a base of each row
        base = self.base[rows] if np.ndim(self.base) == n_kept else self.base
        errors = None if self.errors is None else self.errors[rows]
        return Explanation(self.values[rows], base, self.feature_names, errors, self.classes)

    def energies(self):
        """What the contributions add up to, (n_samples,) or (n_samples, n_classes)."""
        return self.base + self.values.sum(axis=1)

    def importances(self):
        """Mean absolute contributions (n_features,) over rows, and over classes."""
        axes = (0, *range(2, self.values.ndim))
        return np.abs(self.values).mean(axis=axes)

    def to_frame(self):
        """The values as a pandas frame, a column for each name, or each pair of class and name."""
        pd = check_pandas_support("Explanation.to_frame")
        if self.values.ndim == 2:
            return pd.DataFrame(self.values, columns=self.feature_names)
        pairs = pd.MultiIndex.from_product([self.classes, self.feature_names])
        flat = np.moveaxis(self.values, 2, 1).reshape(len(self), -1)
        return pd.DataFrame(flat, columns=pairs)

    def plot(self, ax=None, *, kind=None, row=0, answer=None):
        """The largest contributions as bars, with matplotlib (extra ``plot``).

        `sk_ebm.displays.ExplanationDisplay` draws the same.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes one.
        kind : {"row", "importance"}, default=None
            Contributions to the energy of one row, or their mean sizes over all; None means "row"
            where there is one, else "importance".
        row : int, default=0
            Which row is drawn.
        answer : object, default=None
            The class whose energy is drawn; None means that of least energy.

        Returns
        -------
        ax : matplotlib Axes
        """
        kind = kind or ("row" if len(self) == 1 else "importance")
        check_choice("kind", kind, ("row", "importance"))
        check_matplotlib_support("Explanation.plot")
        from matplotlib import pyplot as plt

        found = largest_contributions(self, kind, row, answer)
        ax = plt.figure(layout="constrained").add_subplot() if ax is None else ax
        draw_contributions(ax, kind, **found)
        return ax
