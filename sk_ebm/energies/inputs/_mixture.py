"""The free energy of a mixture of normals."""

import warnings
from numbers import Integral

import numpy as np
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from sk_ebm._utils.validation import check_number
from sk_ebm.energies.inputs._standardised import _Standardised
from sk_ebm.energies.inputs._subspace import _Subspace


class MixtureEnergy(_Standardised):
    """Free energy -log p(x) of a mixture of normals (over the latent component).

    Of many columns it is a mixture of the principal components, at most 60 and one for four rows,
    with normal noise of one variance outside of them (Tipping and Bishop, 1999).

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

    def fit_standardised(self, X, rng):
        self._subspace = _Subspace(X, rng)
        X = self._subspace.transform(X)
        size = int(np.clip(len(X) // (5 * X.shape[1]), 1, self.n_components))
        seed = rng.randint(np.iinfo(np.int32).max)
        mixture = GaussianMixture(size, reg_covar=self.reg_covar, random_state=seed)
        # k-means, where it starts, knows no array API; a hundred steps are as good as all
        with config_context(array_api_dispatch=False), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.mixture_ = mixture.fit(X)

    def energies(self, X):
        X = self.prepared(X)
        return self._subspace.outside(X) - self.mixture_.score_samples(self._subspace.transform(X))
