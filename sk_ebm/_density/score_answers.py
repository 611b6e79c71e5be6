"""Answers of a continuous target, by their normal scores."""

import numpy as np

from sk_ebm._core.answers import Answers
from sk_ebm.losses._base import Curvature


class NormalScoreAnswers(Answers):
    """Values of a continuous target by their normal scores z: E(x, z) = -<outputs, phi(z)>.

    The candidates are the quadrature nodes, the same for every sample, and the observed
    z: the correct answer, of measure zero, which counts in E+ and not in Z.

    Parameters
    ----------
    z : ndarray of shape (n,) or (n, k)
        With k scores, over which an answer is spread, phi(z) is their mean.
    splines : NormalSplines
        phi, and its nodes with their log weights.
    shrinkage : float, default=None
        Factor of the energies of observed z; None means n / (n + 1). That equals one more sample
        from the standard normal distribution, where phi has mean zero: without it a distribution
        around few values could become ever narrower. `take` keeps it.
    """

    def __init__(self, z, splines, shrinkage=None):
        self.z = z
        self.splines = splines
        self.shrinkage = len(z) / (len(z) + 1) if shrinkage is None else shrinkage
        self.target = np.full(len(z), len(splines.at_nodes))
        self.log_measure = np.append(splines.log_weights, -np.inf)
        self._at_z = self.shrinkage * splines(z.reshape(len(z), -1)).mean(axis=1)

    def __len__(self):
        return len(self.z)

    @property
    def n_outputs(self):
        return self.splines.n_basis

    def take(self, samples):
        return NormalScoreAnswers(self.z[samples], self.splines, self.shrinkage)

    def arrange(self, outputs):
        at_nodes, at_z = self.splines.at_nodes, self._at_z
        energies = np.empty((len(outputs), len(at_nodes) + 1))
        np.matmul(outputs, -at_nodes.T, out=energies[:, :-1])
        energies[:, -1] = -np.einsum("nk,nk->n", outputs, at_z)

        def pullback(gradients):
            return -gradients[:, :-1] @ at_nodes - gradients[:, -1:] * at_z

        return energies, pullback

    def curvature(self, of_energies, outputs, pullback):
        """Products with matrices that are computed once: there are fewer outputs than nodes."""
        matrices = self._second_derivatives(of_energies, outputs)
        return Curvature(_diagonal(matrices), lambda v: np.matmul(matrices, v[..., None])[..., 0])

    def diagonal(self, curvature, outputs):
        return _diagonal(self._second_derivatives(curvature, outputs))

    def _second_derivatives(self, curvature, outputs):
        """Second derivatives by the outputs of each sample, (n, o, o)."""
        columns = []
        for unit in np.eye(self.n_outputs):
            energies, pullback = self.arrange(np.broadcast_to(unit, outputs.shape))
            columns.append(pullback(curvature.product(energies)))
        return np.stack(columns, axis=2)


def _diagonal(matrices):
    """Of variances, which are below 0 by rounding errors where one node has all of the mass."""
    return np.maximum(np.einsum("nkk->nk", matrices), 0)
