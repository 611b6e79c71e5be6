"""Answers: which candidates each sample has, which of them is correct, and how the outputs of
an energy function become energies of the candidates."""

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from sk_ebm._private import namespace


class Answers:
    """The candidate answers of n samples.

    A family member offers

    - ``target``: index (n,) of the correct candidate, or a distribution (n, k) over candidates;
    - ``log_measure``: None, or an array broadcastable to (n, k), -inf for absent candidates;
    - ``n_outputs``: how many outputs (m, o) an energy function computes for it;
    - ``len()``: the number of samples n, over which an objective is a sum;
    - ``take(rows)``: the answers of some samples, for mini-batches and folds;
    - ``rows(samples)``: which rows of the inputs belong to those samples, and ``per_row(values)``;
    - ``splits(n_splits, rng)``: (train, test) pairs of samples, for cross-fitting;
    - ``arrange(outputs) -> energies (n, k), pullback``: linear in the outputs; the pullback, its
      adjoint, turns slopes (n, k) into slopes (m, o) of the outputs;
    - ``aligned(parts)``: outputs of several energies with the same columns, so that they add;
    - ``shifts``: whether a number added to all outputs of a sample is added to all energies;
    - ``diagonal(curvature, outputs)``: diagonal (m, o) of a loss curvature, seen from the outputs.
    """

    log_measure = None
    shifts = False

    def rows(self, samples):
        """Rows of the inputs that belong to the samples: one each, unless overridden."""
        return samples

    def per_row(self, values):
        """Values (n,) of the samples for each row of the inputs, (m,)."""
        return values

    @staticmethod
    def aligned(parts):
        """Outputs of several energies for the same rows, all with the same columns."""
        return parts

    def splits(self, n_splits, rng):
        """Shuffled folds: (train, test) pairs of samples, for cross-fitting."""
        folds = KFold(n_splits, shuffle=True, random_state=rng)
        return list(folds.split(np.arange(len(self))))


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
    """

    def __init__(self, target, n_classes, classes=None):
        self.target = target
        self.n_classes = n_classes
        self.classes = np.arange(n_classes) if classes is None else classes

    def __len__(self):
        return self.target.shape[0]

    @property
    def shifts(self):
        return self.n_classes > 2

    @property
    def n_outputs(self):
        return 1 if self.n_classes == 2 else self.n_classes

    def take(self, samples):
        return Labels(self.target[samples], self.n_classes, self.classes)

    def splits(self, n_splits, rng):
        """Shuffled folds, stratified where every class has a sample for each of them."""
        counts = np.bincount(self.target)
        if counts[counts > 0].min() < n_splits:
            return super().splits(n_splits, rng)
        folds = StratifiedKFold(n_splits, shuffle=True, random_state=rng)
        return list(folds.split(self.target, self.target))

    @staticmethod
    def aligned(parts):
        if len({part.shape[1] for part in parts}) == 1:
            return parts
        return [part if part.shape[1] > 1 else np.hstack([-part, part]) / 2 for part in parts]

    @staticmethod
    def arrange(outputs):
        if outputs.shape[1] > 1:
            return -outputs, lambda slopes: -slopes
        xp = namespace(outputs)
        half = outputs * 0.5
        energies = xp.concat((half.T, -half.T), axis=0).T  # column-major: fast row reductions
        return energies, lambda slopes: (slopes[:, :1] - slopes[:, 1:]) * 0.5

    @staticmethod
    def diagonal(curvature, outputs):
        if outputs.shape[1] > 1:
            return curvature.diagonal
        energies, pullback = Labels.arrange(namespace(outputs).ones_like(outputs))
        return pullback(curvature.product(energies))


class Given(Answers):
    """Answers that an estimator of its own reads, of any kind.

    Parameters
    ----------
    target : ndarray of shape (n,)
    """

    def __init__(self, target):
        self.target = target

    def __len__(self):
        return len(self.target)

    def take(self, samples):
        return Given(self.target[samples])


class Grid(Answers):
    """Values of a continuous answer, by their normal scores z: E(x, z) = -<outputs, phi(z)>.

    The candidates are the nodes of a quadrature, the same for every sample, with the observed z
    beside them: correct, and of measure zero, so it counts in E+ and not in Z.

    Parameters
    ----------
    z : ndarray of shape (n,) or (n, k)
        Of several scores, over which an answer is spread, the mean of phi counts.
    splines : NormalSplines
        phi, and the nodes with their log weights.
    trust : float, default=None
        One virtual sample from the standard normal law stands beside the n samples, so that no
        sharper law around few values is always better: phi has mean zero there, so it makes the
        energy of an observed z n / (n + 1) times what it is. None means that; a part keeps it.
    """

    def __init__(self, z, splines, trust=None):
        self.z = z
        self.splines = splines
        self.trust = len(z) / (len(z) + 1) if trust is None else trust
        self.target = np.full(len(z), len(splines.nodes))
        self.log_measure = np.append(splines.log_weights, -np.inf)
        self._at_z = self.trust * splines(z.reshape(len(z), -1)).mean(axis=1)

    def __len__(self):
        return len(self.z)

    @property
    def n_outputs(self):
        return self.splines.n_basis

    def take(self, samples):
        return Grid(self.z[samples], self.splines, self.trust)

    def arrange(self, outputs):
        at_nodes, at_z = self.splines.at_nodes, self._at_z
        energies = np.empty((len(outputs), len(at_nodes) + 1))
        np.matmul(outputs, -at_nodes.T, out=energies[:, :-1])
        energies[:, -1] = -np.einsum("nk,nk->n", outputs, at_z)

        def pullback(slopes):
            return -slopes[:, :-1] @ at_nodes - slopes[:, -1:] * at_z

        return energies, pullback

    def diagonal(self, curvature, outputs):
        diagonal = np.empty(outputs.shape)
        for o in range(outputs.shape[1]):
            unit = np.zeros_like(outputs)
            unit[:, o] = 1
            energies, pullback = self.arrange(unit)
            diagonal[:, o] = pullback(curvature.product(energies))[:, o]
        return diagonal
