"""Labels of some rows: anomalies, known compatible rows, and unknown ones."""

import numpy as np

from sk_ebm._core.classes import Labels

ANOMALOUS, UNKNOWN, COMPATIBLE = -1, 0, 1


class PartialLabels(Labels):
    """Anomalies and other rows as two classes, which know what of the others is known.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        -1 for anomalies, 1 for rows known to be compatible, 0 for unknown rows, whose class is that
        of compatible ones.
    """

    def __init__(self, codes):
        super().__init__((codes != ANOMALOUS).astype(int), 2, np.array([ANOMALOUS, COMPATIBLE]))
        self.codes = codes

    def take(self, samples):
        return PartialLabels(self.codes[samples])


def codes_of(answers):
    """The codes of `PartialLabels`; of other answers, class 0 is that of anomalies."""
    if isinstance(answers, PartialLabels):
        return answers.codes
    return np.where(answers.target == 0, ANOMALOUS, UNKNOWN)
