"""Classes as answers."""

import numpy as np

from sk_ebm._core.answers import Answers
from sk_ebm._core.folds import shuffled_folds, warn_of_unknown
from sk_ebm._utils.sklearn_private import namespace
from sk_ebm.losses import Curvature

_NUMBERS = "biuf"
# 1,000 classes, 10,000 rows: 125 -> 77 ms for a product with the second derivatives.
_ENERGIES_AT_ONCE, _CACHED_ENERGIES = 4_000_000, 300_000
_ROWS_AT_ONCE = 16_384  # 100,000 x 50, two classes: a fit takes 71 -> 60 MB


def positions(classes, labels):
    """The position of each label (m,) among sorted classes, -1 where it is none of them; labels may
    be of any kind."""
    labels = np.asarray(labels)
    kinds = classes.dtype.kind, labels.dtype.kind
    if kinds == ("U", "U") or all(kind in _NUMBERS for kind in kinds):
        nearest = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
        return np.where(classes[nearest] == labels, nearest, -1)
    found = {label: position for position, label in enumerate(classes.tolist())}
    return np.array([found.get(label, -1) for label in labels.tolist()], dtype=int)


class Labels(Answers):
    """Classes as answers.

    One output o stands for two classes, E_0 = o/2 and E_1 = -o/2, so that penalty and weights
    are those of logistic regression; otherwise the outputs are negative energies, as an energy of
    two classes may give them too.

    Parameters
    ----------
    target : ndarray of int, shape (n,)
    n_classes : int
    classes : ndarray of shape (n_classes,), default=None
        The labels that the classes stand for; None means their indices.

    Attributes
    ----------
    n_negatives, proposal : int and str, or "all" and None
        How a mini-batch draws incorrect classes as candidates; all are, unless they are `Sampled`.
    can_be_drawn : bool
        Whether they can be `Sampled`.
    hierarchy : Hierarchy or None
        Of which the classes are nodes.
    """

    n_negatives, proposal = "all", None
    can_be_drawn = True
    hierarchy = None

    def __init__(self, target, n_classes, classes=None):
        self.target = target
        self.n_classes = n_classes
        self.classes = np.arange(n_classes) if classes is None else classes

    @classmethod
    def of(cls, y):
        """From labels (n,) of any kind."""
        classes, target = np.unique(y, return_inverse=True)
        return cls(target, len(classes), classes)

    def __len__(self):
        return self.target.shape[0]

    @property
    def shift_axis(self):
        return 1 if self.n_classes > 2 else None

    @property
    def blocks(self):
        """Blocks of rows that stay in the cache, where all energies do not."""
        if len(self) <= _ROWS_AT_ONCE and len(self) * self.n_classes <= _ENERGIES_AT_ONCE:
            return None
        size = min(max(_CACHED_ENERGIES // self.n_classes, 1), _ROWS_AT_ONCE)
        slices = [slice(start, start + size) for start in range(0, len(self), size)]
        return [(rows, rows, self.take(rows)) for rows in slices]

    positions_in_blocks = None

    @property
    def n_outputs(self):
        return 1 if self.n_classes == 2 else self.n_classes

    def take(self, samples):
        return Labels(self.target[samples], self.n_classes, self.classes)

    def idle_outputs(self, shift_invariant):
        if self.n_classes == 2 or not shift_invariant:
            return None
        return np.full((self.n_classes, 1), self.n_classes**-0.5)

    def absent_outputs(self, weights):
        if self.n_classes == 2:
            return []
        return np.flatnonzero(np.bincount(self.target, weights, self.n_classes) == 0)

    def folds(self, n_folds, rng):
        """Shuffled folds, stratified."""
        return shuffled_folds(len(self), n_folds, rng, labels=self.target)

    def known(self, samples, weights):
        counts = np.bincount(self.target[weights > 0], minlength=self.n_classes)
        return counts[self.target[samples]] != 1

    def known_folds(self, folds, weights, rng, warns=False):
        folds, unknown = folds.knowing(np.where(weights > 0, self.target, -1), rng)
        if warns and len(unknown):
            warn_of_unknown(self.classes[unknown].tolist())
        return folds

    @staticmethod
    def arrange(outputs):
        if outputs.shape[1] > 1:
            return -outputs, lambda gradient: -gradient
        xp = namespace(outputs)
        half = outputs * 0.5
        energies = xp.concat((half.T, -half.T), axis=0).T  # column-major: fast row reductions
        return energies, lambda gradient: (gradient[:, :1] - gradient[:, 1:]) * 0.5

    def curvature(self, by_energies, outputs, pullback):
        """Of one output a factor of each row, else that by the energies: its signs cancel."""
        if outputs.shape[1] > 1:
            return by_energies
        diagonal = self.diagonal(by_energies, outputs)
        return Curvature(diagonal, lambda v: diagonal * v)

    @staticmethod
    def diagonal(curvature, outputs):
        if outputs.shape[1] > 1:
            return curvature.diagonal
        energies, pullback = Labels.arrange(namespace(outputs).ones_like(outputs))
        return pullback(curvature.product(energies))
