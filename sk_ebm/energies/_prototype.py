"""The prototype energy: distances to prototypes, with the nearest one as a latent variable."""

from copy import copy
from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils.extmath import row_norms

from sk_ebm._core.training import FitResult
from sk_ebm._utils.validation import check_choice, check_number, check_scales
from sk_ebm.energies._base import Energy

_ALPHA = 1e-3  # a weak default, not tuned: k-means' centres are near the optimum


class PrototypeEnergy(Energy):
    """E(x, y) over prototypes c_yz of each answer, z a latent variable (tutorial, section 3.1).

    With E(x, y, z) = gamma |x - c_yz|^2, the latent prototype is minimised over, E(x, y) =
    min_z E(x, y, z), or summed out as a free energy, -log mean_z exp(-E(x, y, z)). To it
    comes -log of the answer's share of the weight, unless the loss only pulls: the energy loss
    decides for the nearest prototype. Prototypes start at the means of each class found by
    k-means; the weights, which ``alpha`` penalises, are their displacements from there, times
    sqrt(gamma).

    Parameters
    ----------
    n_prototypes : int, default=3
        Per class; a class with fewer distinct samples gets as many as it has.
    latent : {"min", "free"}, default="free"
    gamma : float, default=None
        None makes the energy of a sample and its nearest prototype of the own class 1 on average
        at the start, a scale that ``beta`` then corrects.

    Attributes
    ----------
    prototypes_ : ndarray of shape (n_all, n_features)
    centre_ : ndarray of shape (n_features,)
        Means of the columns from which distances are measured; zeros where they are sparse.
    classes_of_ : ndarray of shape (n_all,)
        Which answer each prototype stands for.
    surprise_ : ndarray of shape (n_classes,)
        Part of the energy of each answer that does not depend on x, in nats.
    gamma_ : float
    alpha_ : float
        The penalty used; ``alpha="auto"`` means 1e-3.
    """

    answers = frozenset({"classes"})
    anchored = True
    positive = True
    solvers = ("lbfgs", "adam")

    def __init__(self, n_prototypes=3, latent="free", gamma=None):
        self.n_prototypes = n_prototypes
        self.latent = latent
        self.gamma = gamma

    def check(self):
        check_choice("latent", self.latent, ("min", "free"))
        check_number("n_prototypes", self.n_prototypes, 0, kind=Integral)
        check_number("gamma", self.gamma, 0, other=(None,))

    def fit(self, inputs, training):
        check_scales(inputs, squares=True)
        training = training.with_default_alpha(_ALPHA)
        objective, answers = training.objective, training.answers
        self.alpha_ = training.penalty.alpha
        self.centre_ = _mean(inputs, objective.weights)
        inputs = self._centred(inputs)
        centres = [
            _centres(inputs, objective.weights * (answers.target == k), self.n_prototypes)
            for k in range(answers.n_classes)
        ]
        self.surprise_ = _surprise(objective, answers)
        self.classes_of_ = np.repeat(np.arange(len(centres)), [len(c) for c in centres])
        start = np.concatenate(centres).astype(np.float64)
        self.gamma_ = float(self.gamma or self._unit_gamma(inputs, start, objective))
        self._dtype = inputs.dtype

        scale = np.full((1, 1), np.sqrt(self.gamma_))

        def vjp(params, rows=None):
            return self._vjp(start + params, inputs if rows is None else inputs[rows])

        def fitted(params):
            return self._fitted(start + params)

        minimum = training.minimize(np.zeros_like(start), vjp, scale, fitted)
        vars(self).update(vars(fitted(minimum.params)))
        return FitResult(
            self, alpha=self.alpha_, converged=minimum.converged, history=minimum.history
        )

    def _unit_gamma(self, inputs, centres, objective):
        squares = euclidean_distances(inputs, centres, squared=True)
        own = objective.answers.target[:, None] == self.classes_of_
        nearest = np.where(own, squares, np.inf).min(axis=1)
        mean = np.average(nearest, weights=objective.weights)
        mean = mean or np.average(squares.mean(axis=1), weights=objective.weights)
        return 1 / mean if mean > 0 else 1.0

    def _fitted(self, prototypes):
        fitted = copy(self)
        fitted.prototypes_ = (prototypes + self.centre_).astype(self._dtype)
        return fitted

    def _centred(self, inputs):
        """Less the mean of the columns, far from which distances would be rounded."""
        return inputs - self.centre_.astype(inputs.dtype) if self.centre_.any() else inputs

    def __call__(self, inputs):
        return self._vjp(self._centred(self.prototypes_), self._centred(inputs))[0]

    def _vjp(self, prototypes, inputs):
        """Negative energies (n, K), and the pullback of their gradient to the prototypes.

        Inputs and prototypes are less the mean of the columns.
        """
        energies = self.gamma_ * euclidean_distances(inputs, prototypes, squared=True)
        counts = np.bincount(self.classes_of_)
        starts = np.cumsum(counts) - counts
        least = np.minimum.reduceat(energies, starts, axis=1)
        shares = least[:, self.classes_of_] - energies  # of y's derivative
        outputs = -least
        if self.latent == "min":
            shares = (shares == 0).astype(energies.dtype)
        else:
            np.exp(shares, out=shares)
        totals = np.add.reduceat(shares, starts, axis=1)
        shares /= totals[:, self.classes_of_]
        if self.latent == "free":
            outputs += np.log(totals / counts).astype(outputs.dtype)
        outputs -= self.surprise_.astype(outputs.dtype)

        def pullback(gradient):
            by_distances = shares * gradient[:, self.classes_of_] * (2 * self.gamma_)
            return by_distances.T @ inputs - by_distances.sum(axis=0)[:, None] * prototypes

        return outputs, pullback


def _mean(inputs, weights):
    """The weighted mean of dense columns, zero for sparse ones, which centring would fill."""
    if sparse.issparse(inputs):
        return np.zeros(inputs.shape[1])
    row = inputs[weights.argmax()]
    return row + (weights / weights.sum()) @ (inputs - row)


def _surprise(objective, answers):
    """-log of each class's share of the weight, at most 700; 0 where the loss only pulls."""
    if objective.loss.trivial_minimum == "falling":
        return np.zeros(answers.n_classes)
    totals = np.bincount(answers.target, objective.weights, answers.n_classes)
    return -np.log(np.maximum(totals / totals.sum(), np.exp(-700.0)))


def _centres(inputs, weights, n_centres):
    """Centres of weighted k-means; the mean of all rows where no row has weight."""
    rows = np.flatnonzero(weights)
    if not len(rows):
        return np.asarray(inputs.mean(axis=0)).reshape(1, -1)
    part, weights = inputs[rows], weights[rows]
    mean = (weights / weights.sum()) @ part
    if n_centres == 1:
        return mean.reshape(1, -1)
    start = _farthest_first(part, mean.reshape(1, -1), min(n_centres, len(rows)))
    means = KMeans(len(start), init=start, n_init=1).fit(part, sample_weight=weights)
    return means.cluster_centers_


def _farthest_first(inputs, first, n_centres):
    """Up to n_centres rows: the row farthest from ``first``, then from all chosen so far."""
    chosen, distances = [], euclidean_distances(inputs, first, squared=True)[:, 0]
    nothing = 1e-12 * max(distances.max(), row_norms(inputs, squared=True).max())
    for _ in range(n_centres):
        row = int(distances.argmax())
        if chosen and distances[row] <= nothing:
            break
        chosen.append(row)
        new = euclidean_distances(inputs, inputs[row : row + 1], squared=True)[:, 0]
        distances = new if len(chosen) == 1 else np.minimum(distances, new)
    start = inputs[chosen]
    return start if isinstance(start, np.ndarray) else start.toarray()
