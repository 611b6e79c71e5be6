"""Values of a continuous answer, by their normal scores."""

import numpy as np

from sk_ebm._core.answers import Answers
from sk_ebm.losses._base import Curvature


class Grid(Answers):
    """Values of a continuous answer, by their normal scores z: E(x, z) = -<outputs, phi(z)>.

    The candidates are the nodes of a coarse quadrature, the same for every sample, with the
    observed z beside them: correct, and of measure zero, so it counts in E+ and not in Z.

    Parameters
    ----------
    z : ndarray of shape (n,) or (n, k)
        Of several scores, over which an answer is spread, the mean of phi counts.
    splines : NormalSplines
        phi, and its coarse nodes with their log weights.
    trust : float, default=None
        One virtual sample from the standard normal law stands beside the n samples, so that no
        sharper law around few values is always better: phi has mean zero there, so it makes the
        energy of an observed z n / (n + 1) times what it is. None means that; a part keeps it.
    """

    def __init__(self, z, splines, trust=None):
        self.z = z
        self.splines = splines
        self.trust = len(z) / (len(z) + 1) if trust is None else trust
        self.target = np.full(len(z), len(splines.at_coarse))
        self.log_measure = np.append(splines.coarse_log_weights, -np.inf)
        self._at_z = self.trust * splines(z.reshape(len(z), -1)).mean(axis=1)

    def __len__(self):
        return len(self.z)

    @property
    def n_outputs(self):
        return self.splines.n_basis

    def take(self, samples):
        return Grid(self.z[samples], self.splines, self.trust)

    def arrange(self, outputs):
        at_nodes, at_z = self.splines.at_coarse, self._at_z
        energies = np.empty((len(outputs), len(at_nodes) + 1))
        np.matmul(outputs, -at_nodes.T, out=energies[:, :-1])
        energies[:, -1] = -np.einsum("nk,nk->n", outputs, at_z)

        def pullback(slopes):
            return -slopes[:, :-1] @ at_nodes - slopes[:, -1:] * at_z

        return energies, pullback

    def curvature(self, of_energies, outputs, pullback):
        """There are more nodes than outputs: products are with matrices, which are made once."""
        matrices = self._curvatures(of_energies, outputs)
        diagonal = np.einsum("nkk->nk", matrices)
        return Curvature(diagonal, lambda v: np.matmul(matrices, v[..., None])[..., 0])

    def diagonal(self, curvature, outputs):
        return np.einsum("nkk->nk", self._curvatures(curvature, outputs))

    def _curvatures(self, curvature, outputs):
        """Second derivatives by the outputs of each sample, (n, o, o)."""
        columns = []
        for unit in np.eye(self.n_outputs):
            energies, pullback = self.arrange(np.broadcast_to(unit, outputs.shape))
            columns.append(pullback(curvature.product(energies)))
        return np.stack(columns, axis=2)
