"""The kernel energy: a linear energy on a map of Gaussian kernels."""

from numbers import Integral

import numpy as np
from scipy import linalg, sparse
from sklearn.kernel_approximation import RBFSampler
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils.sparsefuncs import mean_variance_axis

from sk_ebm._utils.distances import squared_distances
from sk_ebm._utils.estimators import batches_of
from sk_ebm._utils.validation import check_choice, check_number, check_scales
from sk_ebm.energies._base import Energy
from sk_ebm.energies._design import column_variances
from sk_ebm.energies._linear import LinearEnergy

# Fewer features than columns cannot even be linear. mnist10k, reuters_r8, cora: accuracy .917 ->
# .932, .932 -> .967, .716 -> .768 in half, half and 3 times the time of SVC.
_MOST_BY_COLUMNS = 2000
_BLOCK_ENTRIES = 1_000_000  # of a kernel that are held at once: 8 MB
_PHASE_ERROR = 1e-4  # of Fourier features that say something
_FARTHEST = 1e150  # entry whose square is finite


class KernelEnergy(LinearEnergy):
    """A linear energy on features of the Gaussian kernel exp(-gamma |x - x'|^2).

    Parameters
    ----------
    approximation : {"nystroem", "fourier"}, default="nystroem"
        Nystroem features of a sample of the rows (Williams and Seeger, 2001), which are the whole
        kernel where the rows are no more than ``n_components``; or random Fourier features
        (Rahimi and Recht, 2007).
    n_components : int, default=None
        Number of features; None means 4 sqrt(n), at least 200, 8 per class and 2 per column, but
        for columns no more than 2,000. More of them fit better and cost more.
    gamma : float, default=None
        None means 1 / (sum of the variances of the columns), as ``gamma="scale"`` of `SVC` where
        columns have equal means: scale the columns first.

    Attributes
    ----------
    gamma_ : float
    landmarks_ : array or CSR matrix of shape (n_components, n_features), for "nystroem"
    """

    _tol, _path_factor = 3e-4, 0.1  # the map is an approximation itself
    _path_start = 1e-2

    additive, contributions = Energy.additive, Energy.contributions
    samples_classes = False  # features of all rows would be held

    def __init__(self, approximation="nystroem", n_components=None, gamma=None):
        self.approximation = approximation
        self.n_components = n_components
        self.gamma = gamma

    def check(self):
        check_choice("approximation", self.approximation, ("nystroem", "fourier"))
        check_number("n_components", self.n_components, 0, kind=Integral, other=(None,))
        check_number("gamma", self.gamma, 0, other=(None,))

    def fit(self, inputs, training):
        check_scales(inputs)
        objective, rng = training.objective, training.rng
        self.gamma_ = float(self.gamma or _scale_gamma(inputs, objective.row_weights))
        least = max(
            200, 8 * objective.answers.n_outputs, min(2 * inputs.shape[1], _MOST_BY_COLUMNS)
        )
        # classification, 10 sets: half as many lose .004 +- .002 nats, twice as many take 1.7 x
        size = self.n_components or max(least, int(4 * np.sqrt(inputs.shape[0])))
        if self.approximation == "fourier":
            self.sampler_ = RBFSampler(gamma=self.gamma_, n_components=size, random_state=rng)
            self.sampler_.fit(inputs)
        else:
            self._fit_landmarks(inputs, objective.row_weights, size, rng)
        result = super().fit(self._features(inputs), training)
        if self.approximation == "nystroem":
            fitted = result.energy
            fitted.landmark_coef_ = fitted._coefficients_of_landmarks()
            del fitted._whitening  # larger, by landmarks over outputs
        return result

    def _fit_landmarks(self, inputs, weights, size, rng):
        rows = np.flatnonzero(weights)
        if len(rows) <= 4 * size:  # few enough to leave repeated rows out
            rows = rows[_distinct(inputs[rows])]
        if len(rows) > size:
            share = weights[rows] / weights[rows].sum()
            rows = np.sort(rng.choice(rows, size, replace=False, p=share))
        self.landmarks_ = inputs[rows]
        self._whitening = self._whitening_of_landmarks()
        vars(self).pop("landmark_coef_", None)

    def _whitening_of_landmarks(self):
        double, n = self.landmarks_.astype(np.float64), self.landmarks_.shape[0]
        kernel = _gaussian(double, double, self.gamma_)
        kernel.flat[:: n + 1] += self._rounding(self.landmarks_.dtype)
        factor = linalg.cholesky(kernel, check_finite=False)
        whitening = linalg.solve_triangular(factor, np.eye(n), check_finite=False)
        return whitening.astype(self.landmarks_.dtype)

    def _coefficients_of_landmarks(self):
        """In double precision, in which sums hardly depend on the order of rows."""
        return (self._whitening @ self.coef_).astype(np.float64)

    @staticmethod
    def _rounding(dtype):
        """That of kernels, which are of order one, of landmarks that hardly differ."""
        return 1e-5 if dtype == np.float32 else 1e-10

    def _plateau(self, design):
        return np.inf  # features of kernels have no units of their own

    def _least_alpha(self, design, total):
        return 1e-2 / total

    def _features(self, inputs):
        if self.approximation == "fourier":
            return self._waves(inputs)
        return self._times(inputs, self._whitening)

    def _waves(self, inputs):
        """What `RBFSampler.transform` computes; zero, the mean, where phases are mere rounding."""
        phases = inputs @ self.sampler_.random_weights_ + self.sampler_.random_offset_
        known = np.abs(phases) * np.finfo(inputs.dtype).eps < _PHASE_ERROR
        waves = np.cos(np.where(known, phases, np.pi / 2))
        return (waves * np.sqrt(2 / phases.shape[1])).astype(inputs.dtype, copy=False)

    def _times(self, inputs, coef):
        """The kernel of rows and landmarks times coefficients of the latter, in blocks of rows."""
        batches = batches_of(inputs.shape[0], _BLOCK_ENTRIES // self.landmarks_.shape[0])
        kernels = (_gaussian(inputs[rows], self.landmarks_, self.gamma_) for rows in batches)
        return np.concatenate([kernel @ coef for kernel in kernels])

    def features(self, inputs):
        """Fourier features, or the kernel of rows and landmarks."""
        if self.approximation == "fourier":
            return super().features(self._features(inputs))
        return _gaussian(inputs, self.landmarks_, self.gamma_)

    def class_vectors(self):
        if self.approximation == "fourier":
            return super().class_vectors()
        return self.landmark_coef_.T, self.intercept_

    def __call__(self, inputs):
        if self.approximation == "fourier":
            return super().__call__(self._features(inputs))
        coef = vars(self).get("landmark_coef_")  # not while it is fitted
        coef = self._coefficients_of_landmarks() if coef is None else coef
        return (self._times(inputs, coef) + self.intercept_).astype(inputs.dtype, copy=False)


def _gaussian(inputs, landmarks, gamma):
    """exp(-gamma |x - x'|^2) of rows (n, d) and landmarks (m, d): (n, m) of the rows' dtype."""
    rows, landmarks = (X.astype(np.float64, copy=False) for X in (inputs, landmarks))
    squares = (_sparse_squares if sparse.issparse(rows) else _squares)(rows, landmarks)
    with np.errstate(over="ignore"):
        squares *= -gamma
    return np.exp(squares, out=squares).astype(inputs.dtype, copy=False)


def _squares(rows, landmarks):
    """Squared distances, from the landmarks' mean: far from it they would be rounded.

    Entries whose squares overflow are clipped, where kernels are zero as well.
    """
    centre = landmarks.mean(axis=0)
    rows = np.clip(rows, -_FARTHEST, _FARTHEST) - centre
    return squared_distances(rows, landmarks - centre)


def _sparse_squares(rows, landmarks):
    """The same, where columns far from zero, which hardly ever hold one, are made dense."""
    mean, variance = mean_variance_axis(landmarks, axis=0)
    far = np.abs(mean) > 10 * np.sqrt(variance)
    squares = np.zeros((rows.shape[0], landmarks.shape[0]))
    if far.any():
        squares += _squares(rows[:, far].toarray(), landmarks[:, far].toarray())
        rows, landmarks = rows[:, ~far], landmarks[:, ~far]
    if rows.shape[1]:
        entries = np.clip(rows.data, -_FARTHEST, _FARTHEST)
        rows = sparse.csr_matrix((entries, rows.indices, rows.indptr), shape=rows.shape)
        squares += euclidean_distances(rows, landmarks, squared=True)
    return squares


def _scale_gamma(inputs, weights):
    """1 / (sum of the weighted variances of the columns)."""
    total = column_variances(inputs, weights).sum()
    return 1.0 / total if total > 0 else 1.0


def _distinct(inputs):
    """Indices of rows none of which equals another, in the order of their contents."""
    if sparse.issparse(inputs):
        inputs = inputs.sorted_indices()
        bounds = zip(inputs.indptr[:-1], inputs.indptr[1:], strict=True)
        rows = [inputs.indices[a:b].tobytes() + inputs.data[a:b].tobytes() for a, b in bounds]
    else:
        rows = [row.tobytes() for row in np.ascontiguousarray(inputs)]
    return np.array(sorted({row: i for i, row in enumerate(rows)}.values(), key=rows.__getitem__))
