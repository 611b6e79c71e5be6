"""Designs: the inputs of a linear energy, in the coordinates in which it is fitted.

A design maps parameters (d + 1, o), weights above one row of biases, to outputs (n, o). Dense
columns are centred and scaled, which changes the numbers that the solver sees but neither the
model nor its penalty, since W = scale * params.
"""

from copy import copy
from functools import lru_cache

import numpy as np
from scipy import linalg, sparse
from sklearn.utils.sparsefuncs import mean_variance_axis

# Least penalty of the weights of standardised columns: the rounding errors of redundant columns, of
# relative size 1e-8 and below, then get no weight.
_LEAST_L2 = 1e-14
_BLOCK_ROWS = 2048  # of a weighted copy, which stays in the cache for a hundred columns
_BLOCK_NUMBERS = 200_000  # of a copy that is weighted for each pair of outputs
_LEAST_RATIO = 0.5  # of the outputs' curvatures, above which one inverse preconditions all well
_CHEAP_COUPLED = 12  # conjugate gradient steps: of less cost, all are used from the start
# What calls take, in multiplications, of all second derivatives and of a conjugate gradient step.
_OVERHEAD, _STEP_OVERHEAD = 1e6, 2e5  # measured: 4 to 60 columns, 3 to 10 outputs
_MOST_COUPLED = 1000  # parameters up to which all second derivatives are held: 8 MB


def make_design(inputs, weights, *, rotate, idle=None):
    """The design that suits the inputs.

    ``rotate`` allows an orthogonal change of columns; ``idle`` (o, r) is an orthonormal basis of
    directions of the outputs that change nothing, so that parameters orthogonal to it are enough.
    """
    if sparse.issparse(inputs):
        design = SparseDesign(inputs, weights)
    else:
        n, d = inputs.shape
        design = (RotatedDesign if rotate and 1.5 * n < d else DenseDesign)(inputs, weights)
    design.idle = idle
    return design


class Design:
    """The inputs as fitted.

    Attributes
    ----------
    columns : ndarray or CSR matrix of shape (n, d)
    scale : ndarray of shape (d + 1, 1)
        W = scale * params; 0 for the biases, which are not penalised.
    centre : ndarray of shape (d,)
        Mean of each column.
    biased : bool
        Whether biases are fitted; not where they change nothing.
    variances : ndarray of shape (d,)
        Weighted variance of each column before scaling.
    shifts : ndarray of shape (d, 1) or None
        What is taken off the columns where they are used, so that sparse ones stay sparse.
    idle : ndarray of shape (o, r) or None
        Orthonormal directions of the outputs of a row that change nothing.
    hard : bool
        Whether all second derivatives cost little, or less than the conjugate gradients took.
    """

    idle = None
    biased = True
    hard = False
    centre = np.zeros(1)
    shifts = None

    @property
    def shape(self):
        """Rows, and parameters for each output beside its bias."""
        return self.columns.shape

    @property
    def dtype(self):
        return self.columns.dtype

    def preconditioner(self, l2, n_outputs):
        """``preconditioner(curvature, cg_steps)(gradient)`` solves, as `newton` asks."""
        self.hard |= self.coupled_cost(n_outputs) < _CHEAP_COUPLED
        return Preconditioner(self, l2, n_outputs)

    def coupled_cost(self, n_outputs):
        """Conjugate gradient steps that cost as much as `coupled_solver`; infinite without one."""
        return np.inf

    def take(self, rows):
        """The design of some rows."""
        design = copy(self)
        design.columns = self.columns[rows]
        return design

    def rescaled(self, factors):
        """The same outputs of parameters in other units: columns times factors (d,)."""
        design = copy(self)
        design.columns = self._times(factors)
        design.scale = self.scale * np.append(factors, 1.0)[:, None]
        design.shifts = None if self.shifts is None else self.shifts * factors[:, None]
        return design

    def _times(self, factors):
        factors = factors.astype(self.dtype)
        if sparse.issparse(self.columns):
            return (self.columns @ sparse.diags_array(factors)).tocsr()
        return self.columns * factors

    def with_idle(self, idle):
        """A copy in which other directions of the outputs change nothing."""
        design = copy(self)
        design.idle = idle
        return design

    def with_biases(self, fitted):
        """A copy in which biases are fitted, or not, where that changes nothing."""
        design = copy(self)
        design.biased = fitted and type(self).biased
        return design

    def _standardise(self, variances):
        """Factors that give columns unit variance, and constant ones zeros."""
        self.variances = variances
        deviation = np.sqrt(np.where(variances > 0, variances, 1.0))
        self.scale = np.append(1 / deviation, 0.0)[:, None]
        return np.where(variances > 0, 1 / deviation, 0.0)

    def weights_of(self, params):
        """Weights (d, o) and biases (o,) for the inputs as given."""
        coef = params[:-1] * self.scale[:-1]
        return coef, params[-1] - self.centre @ coef

    def minimize(self, training, init, fitted=None):
        """The minimum of the objective, for outputs that are linear in the parameters."""
        l2 = np.maximum(training.l2(self.scale), _LEAST_L2 * (self.scale > 0))
        return training.minimize(
            init,
            self.vjp,
            self.scale,
            fitted,
            kind="linear",
            l2=l2,
            preconditioner=self.preconditioner(l2, init.shape[1]),
        )

    def note_steps(self, cg_steps, n_outputs):
        """Remember whether conjugate gradients took more steps than all second derivatives cost."""
        self.hard |= cg_steps > self.coupled_cost(n_outputs)

    def centre_outputs(self, params):
        """Takes rounding errors out of the directions that change nothing."""
        if not self.biased:
            params[-1] = 0
        return params if self.idle is None else params - (params @ self.idle) @ self.idle.T

    def vjp(self, params, rows=None):
        """Outputs (n, o) of the rows, and the pullback of a gradient (n, o) to the parameters."""
        columns = self.columns if rows is None else self.columns[rows]
        weights, biases = params[:-1].astype(columns.dtype, copy=False), params[-1:]
        if self.shifts is not None:
            biases = biases - self.shifts.T @ params[:-1]
        if sparse.issparse(columns):
            outputs = columns @ weights
        else:
            outputs = (weights.T @ columns.T).T  # column-major: fast reductions over few outputs
        outputs += biases.astype(columns.dtype, copy=False)

        def pullback(gradient):
            by_biases = gradient.sum(axis=0, dtype=np.float64)[None]
            by_params = np.concatenate([columns.T @ gradient, by_biases], dtype=np.float64)
            if self.shifts is not None:
                by_params[:-1] -= self.shifts * by_biases
            return self.centre_outputs(by_params)

        return outputs, pullback


class DenseDesign(Design):
    """Columns centred and scaled to unit variance."""

    def __init__(self, inputs, weights):
        self.centre, self.columns, variances = _centred(inputs, weights)
        self.columns *= self._standardise(variances).astype(inputs.dtype)

    def patience(self, n_outputs):
        """Conjugate gradient steps that cost as much as a new preconditioner."""
        n, d = self.columns.shape
        least = 1 if n_outputs == 1 else 5
        return least + (n + 2 * d) * d // (4 * n * n_outputs)

    def solver(self, diagonal, l2):
        """For each output from the largest curvature of each row, times a ratio of the output.

        Where ratios differ, all outputs share the eigenvectors of one matrix.
        """
        top = diagonal.max(axis=1)
        ratios = diagonal.sum(axis=0) / max(top.sum(), 1e-300)
        if ratios.min() > _LEAST_RATIO or not top.any():
            inverse = _inverse(self.columns, top, l2)
            return lambda r: inverse @ r
        matrix = _squares(self.columns, top)
        penalty = l2[:, 0] + _jitter(matrix)
        penalty[-1] += 1e-3 * matrix[-1, -1]  # of the bias, to be of the size of the others
        root = np.sqrt(penalty)
        values, vectors = np.linalg.eigh(matrix / root / root[:, None])
        vectors /= root[:, None]
        vectors[:-1][self.variances == 0] = 0  # no rounding errors in weights of constant columns
        inverses = 1 / (1 + np.maximum(values, 0)[:, None] * ratios)
        return lambda r: vectors @ (inverses * (vectors.T @ r))

    def coupled_cost(self, n_outputs):
        n, d = self.columns.shape
        n_free = n_outputs - (0 if self.idle is None else self.idle.shape[1])
        size = n_free * (d + 1)
        if n_outputs == 1 or size > _MOST_COUPLED:
            return np.inf
        assembly = n * size * ((d + 1) * (n_free + 1) / 2 + 2 * n_free)
        return (assembly + size**3 + _OVERHEAD) / (1.5 * n * n_outputs * (d + 8) + _STEP_OVERHEAD)

    def coupled_solver(self, curvature, l2):
        """From all second derivatives, those between two outputs included."""
        free = self._free(curvature)
        inverse, _ = self._coupled_inverse(curvature, l2, free)
        inverse = inverse.reshape(-1, len(free) * (self.shape[1] + 1))
        return lambda r: (inverse @ (free @ r.T).ravel()).reshape(len(free), -1).T @ free

    def _free(self, curvature):
        """Orthonormal directions (q, o) of the outputs that change something."""
        if self.idle is None:
            return np.eye(curvature.diagonal.shape[1])
        if self.idle.shape[1] == 1 and np.ptp(self.idle) == 0:
            return _differences(len(self.idle))
        return linalg.qr(self.idle)[0][:, self.idle.shape[1] :].T

    def _coupled_inverse(self, curvature, l2, free):
        """The inverse of all second derivatives (q, d + 1, q, d + 1) along the free directions, and
        those by the outputs, (n, q, q)."""
        n, o = curvature.diagonal.shape
        products = [curvature.product(np.broadcast_to(along, (n, o))) for along in free]
        by_outputs = np.stack(products, axis=1) @ free.T
        first, second = _pairs(len(free))
        pairs, d = by_outputs[:, first, second], self.columns.shape[1] + 1
        sums = np.zeros((d, len(first), d))
        for rows in _blocks(n, max(1, _BLOCK_NUMBERS // sums[0].size)):
            block = _with_ones(self.columns[rows]).astype(np.float64, copy=False)
            weighted = (pairs[rows, :, None] * block[:, None]).reshape(len(block), -1)
            sums += (block.T @ weighted).reshape(sums.shape)
        matrix = np.empty((len(free), d, len(free), d))
        matrix[first, :, second] = matrix[second, :, first] = sums.swapaxes(0, 1)
        matrix = matrix.reshape(len(free) * d, -1)
        matrix.flat[:: len(matrix) + 1] += np.tile(l2[:, 0], len(free)) + _jitter(matrix)
        return np.linalg.inv(matrix).reshape(len(free), d, len(free), d), by_outputs

    def leverages(self, diagonal, l2):
        """x_i' M_k^-1 x_i (n, o), M_k the matrix of second derivatives of output k alone."""
        out = np.empty(diagonal.shape)
        for k in range(diagonal.shape[1]):
            inverse = _inverse(self.columns, diagonal[:, k], l2)
            for rows in _blocks(len(out)):
                block = _with_ones(self.columns[rows])
                out[rows, k] = np.einsum("ij,ij->i", block @ inverse, block)
        return out

    def coupled_leverages(self, curvature, l2):
        """The same between any two directions of the outputs that change something, (n, q, q), of
        the matrix of all second derivatives; the directions (q, o); and second derivatives along
        these (n, q, q)."""
        free = self._free(curvature)
        inverse, by_outputs = self._coupled_inverse(curvature, l2, free)
        out = np.empty((len(self.columns), len(free), len(free)))
        for rows in _blocks(len(out)):
            block = _with_ones(self.columns[rows])
            half = np.tensordot(block, inverse, axes=(1, 1))
            out[rows] = np.einsum("nkld,nd->nkl", half, block)
        return out, free, by_outputs


class RotatedDesign(DenseDesign):
    """Fewer rows than columns: under a penalty that no rotation changes, the weights lie in the
    span of the rows, so a QR factorisation leaves as many columns as rows."""

    def __init__(self, inputs, weights):
        self.centre, centred, _ = _centred(inputs, weights)
        self.basis, factor = linalg.qr(
            centred.T, mode="economic", overwrite_a=True, check_finite=False
        )
        squares = mean_squares(factor.T, weights)
        size = np.sqrt(squares.max()) or 1.0
        self.variances = _variances(squares, size, inputs.dtype)
        self.columns = np.where(self.variances > 0, factor.T / size, 0.0).astype(inputs.dtype)
        self.scale = np.append(np.full(len(squares), 1 / size), 0.0)[:, None]

    def weights_of(self, params):
        coef = self.basis @ (params[:-1] * self.scale[:-1])
        return coef, params[-1] - self.centre @ coef


def _centred(inputs, weights):
    """The weighted mean of each column, the columns less it, and their variances.

    A row is taken off first, so that constant columns are zero exactly; those that differ from a
    constant by rounding errors have variance 0.
    """
    row = inputs[weights.argmax()]
    # Column-major: products with few outputs are bound by memory, and faster this way.
    columns = np.subtract(inputs, row, order="F")
    mean = (weights / weights.sum()) @ columns
    columns -= mean.astype(columns.dtype, copy=False)
    centre = row + mean
    return centre, columns, _variances(mean_squares(columns, weights), centre, columns.dtype)


def column_variances(inputs, weights):
    """Weighted variances of the columns, 0 where they are constant up to rounding errors."""
    if not sparse.issparse(inputs):
        return _centred(inputs, weights)[2]
    mean, variances = mean_variance_axis(inputs, 0, weights.astype(inputs.dtype))
    return _variances(variances, mean, inputs.dtype)


def mean_squares(columns, weights):
    return np.einsum("i,ij,ij->j", weights / weights.sum(), columns, columns)


def _variances(squares, centre, dtype):
    """Mean squares of centred columns, 0 where these are no more than rounding errors."""
    return np.where(squares > (10 * np.finfo(dtype).eps * centre) ** 2, squares, 0.0)


class SparseDesign(Design):
    """Columns centred and scaled to unit variance; stored are those that are only scaled."""

    def __init__(self, inputs, weights):
        self.centre, squares = mean_variance_axis(inputs, 0, weights.astype(inputs.dtype))
        factors = self._standardise(_variances(squares, self.centre, inputs.dtype))
        self.columns = (inputs @ sparse.diags_array(factors.astype(inputs.dtype))).tocsr()
        self.squares = self.columns.multiply(self.columns).tocsr()
        self.shifts = (self.centre * factors)[:, None]

    def patience(self, n_outputs):
        return 0

    def solver(self, diagonal, l2):
        """The diagonal of the second derivatives, one per output."""
        total = diagonal.sum(axis=0)
        top = self.squares.T @ diagonal - 2 * self.shifts * (self.columns.T @ diagonal)
        matrix = np.vstack([top + self.shifts**2 * total, total]).clip(0) + l2
        matrix += 1e-12 * matrix.max() + 1e-300
        return lambda r: r / matrix


class Preconditioner:
    """Solutions with the matrix of second derivatives at some penalty, approximate at first.

    Once conjugate gradients take more steps than the whole matrix costs, it is the whole one.
    """

    def __init__(self, design, l2, n_outputs):
        self.design, self.l2, self.n_outputs = design, l2, n_outputs

    @property
    def patience(self):
        """Conjugate gradient steps after which a new solution pays."""
        cost = self.design.coupled_cost if self.design.hard else self.design.patience
        return cost(self.n_outputs)

    def __call__(self, curvature, cg_steps):
        design = self.design
        design.note_steps(cg_steps, self.n_outputs)
        if design.hard:
            solve = design.coupled_solver(curvature, self.l2)
        else:
            solve = design.solver(curvature.diagonal, self.l2)
        return lambda r: design.centre_outputs(solve(r))


@lru_cache(maxsize=8)
def _differences(n):
    """Orthonormal rows (n - 1, n) that are orthogonal to a constant one."""
    return linalg.helmert(n)


@lru_cache(maxsize=8)
def _pairs(n):
    """Indices of all pairs of n, the first of which is not the larger."""
    return np.triu_indices(n)


def _inverse(columns, curvature, l2):
    """(Z' diag(curvature) Z + diag(l2))^-1 for Z = [columns, 1], with a jitter against rounding.

    numpy's inverse, not scipy's Cholesky: the two bring BLAS threads of their own, which contend
    when a solver alternates between them.
    """
    matrix = _squares(columns, curvature)
    matrix.flat[:: len(matrix) + 1] += l2[:, 0] + _jitter(matrix)
    return np.linalg.inv(matrix)


def _squares(columns, curvature):
    """Z' diag(curvature) Z for Z = [columns, 1]."""
    root = np.sqrt(curvature)[:, None]
    d = columns.shape[1]
    matrix = np.zeros((d + 1, d + 1))
    for rows in _blocks(len(root)):
        block = _with_ones(columns[rows]) * root[rows]
        matrix += block.T @ block
    return matrix


def _jitter(matrix):
    return 1e-12 * np.trace(matrix) / len(matrix) + 1e-300


def _with_ones(block):
    return np.concatenate([block, np.ones((len(block), 1), dtype=block.dtype)], axis=1)


def _blocks(n, size=_BLOCK_ROWS):
    return (slice(start, start + size) for start in range(0, n, size))
