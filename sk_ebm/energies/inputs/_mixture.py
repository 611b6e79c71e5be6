"""The free energy of a mixture of normals."""

from numbers import Integral

import numpy as np
from scipy.special import logsumexp

from sk_ebm._utils.validation import check_number
from sk_ebm.energies.inputs._normal_mixture import fit_robust_mixture
from sk_ebm.energies.inputs._standardised import _Standardised, depends_little_on_a_row
from sk_ebm.energies.inputs._subspace import _Subspace


class MixtureEnergy(_Standardised):
    """Free energy -log p(x) of a mixture of normals (over the latent component).

    Of many columns it is a mixture of the principal components, at most 60 and one for four rows,
    with normal noise of one variance outside of them (Tipping and Bishop, 1999). No component is
    there for a few outliers: rows of components with less than a twentieth of the rows, or five
    rows of each column, are set aside, at most a tenth of all.

    Parameters
    ----------
    n_components : int, default=3
        Lowered to one component for five rows of each column.
    reg_covar : float, default=1e-3
        Added to the variances of the standardised columns, >= 0.
    """

    def __init__(self, n_components=3, reg_covar=1e-3):
        self.n_components = n_components
        self.reg_covar = reg_covar

    def check(self):
        check_number("n_components", self.n_components, 1, closed=True, kind=Integral)
        check_number("reg_covar", self.reg_covar, 0, closed=True)

    def can_leave_out(self, inputs, n_rows):
        return depends_little_on_a_row(inputs, n_rows, components=True)

    def fit_standardised(self, X, weights, rng):
        self._subspace = _Subspace(X, weights, rng)
        inner = self._subspace.transform(X)
        size = int(np.clip(weights.sum() // (5 * inner.shape[1]), 1, self.n_components))
        self.mixture_, masses = fit_robust_mixture(inner, weights, size, self.reg_covar)

        def left_out(index):
            outside, shrinkage = self._subspace.outside_left_out(X, weights)
            inside = self.mixture_.log_densities_left_out(inner, masses, shrinkage)
            return (outside - inside)[index]

        return left_out

    def energies(self, X):
        X = self.prepared(X)
        return self._subspace.outside(X) - self.mixture_.log_densities(self._subspace.transform(X))

    @property
    def additive(self):
        """Whether its columns are those of the table, as those of sparse matrices are not."""
        return not self._scaler.is_sparse

    def contributions(self, inputs, background):
        """Means of those of the components (`Quadratic`), weighted by their responsibilities r.

        With shares s, E(x) = sum_k r_k (E_k(x) + log(r_k / s_k)). The second part, and what is
        constant of the first, is the base, which depends on the row.
        """
        if not self.additive:
            return super().contributions(inputs, background)
        X = self.prepared(inputs)
        joint = self.mixture_.joint_log_densities(self._subspace.transform(X))
        shares = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        components = (
            self._subspace.quadratic(mean, root) for mean, root in self.mixture_.components()
        )
        values = sum(
            share[:, None] * component.contributions(X)
            for share, component in zip(shares.T, components, strict=True)
        )
        return self._contributions(values, self.energies(inputs) - values.sum(axis=1))
