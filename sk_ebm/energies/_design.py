"""Designs: the inputs of a linear energy, in the coordinates in which it is fitted.

A design maps parameters (d + 1, o), weights above one row of biases, to outputs (n, o). Dense
columns are centred and scaled, which changes the numbers that the solver sees but neither the
model nor its penalty, since W = scale * params.
"""

import numpy as np
from scipy import linalg, sparse

_BLOCK = 2048  # rows per block where a weighted copy of the rows is needed


def make_design(inputs, weights, *, rotate, centred=False):
    """The design that suits the inputs.

    ``rotate`` allows an orthogonal change of columns; ``centred`` says that only differences
    between outputs matter, so that parameters of mean zero over the outputs are enough.
    """
    if sparse.issparse(inputs):
        design = SparseDesign(inputs, weights)
    else:
        n, d = inputs.shape
        design = (RotatedDesign if rotate and 1.5 * n < d else DenseDesign)(inputs, weights)
    design.centred = centred
    return design


class Design:
    """The inputs as fitted.

    Attributes
    ----------
    columns : ndarray or CSR matrix of shape (n, d)
    scale : ndarray of shape (d + 1, 1)
        W = scale * params; 0 for the biases, which are not penalised.
    biased : bool
        Whether biases are fitted; not where they change nothing.
    variances : ndarray of shape (d,)
        Weighted variance (dense) or mean square (sparse) of each column before scaling.
    """

    centred = False
    biased = True

    @property
    def shape(self):
        """Rows, and parameters for each output beside its bias."""
        return self.columns.shape

    @property
    def dtype(self):
        return self.columns.dtype

    def preconditioner(self, l2, n_outputs):
        """``solve = preconditioner(diagonal)``; ``solve(gradient)``, as `newton` asks."""
        return Preconditioner(self, l2, n_outputs)

    def centre_outputs(self, params):
        """Takes rounding errors out of the directions that change nothing."""
        if not self.biased:
            params[-1] = 0
        return params - params.mean(axis=1, keepdims=True) if self.centred else params

    def vjp(self, params, rows=None):
        """Outputs (n, o) of the rows, and the pullback of slopes (n, o) to the parameters."""
        columns = self.columns if rows is None else self.columns[rows]
        weights, biases = params[:-1].astype(columns.dtype, copy=False), params[-1:]
        if sparse.issparse(columns):
            outputs = columns @ weights
        else:
            outputs = (weights.T @ columns.T).T  # column-major: fast reductions over few outputs
        outputs += biases.astype(columns.dtype, copy=False)

        def pullback(slopes):
            below = slopes.sum(axis=0, dtype=np.float64)[None]
            gradient = np.concatenate([columns.T @ slopes, below], dtype=np.float64)
            return self.centre_outputs(gradient)

        return outputs, pullback


class DenseDesign(Design):
    """Columns centred and scaled to unit variance."""

    def __init__(self, inputs, weights):
        share = weights / weights.sum()
        self.centre = share @ inputs
        # Column-major: products with few outputs are bound by memory, and faster this way.
        columns = np.subtract(inputs, self.centre.astype(inputs.dtype, copy=False), order="F")
        square = np.einsum("i,ij,ij->j", share, columns, columns)
        rounding = np.finfo(columns.dtype).eps ** 2 * 100 * self.centre**2
        self.variances = np.where(square > rounding, square, 0.0)  # constant columns: 0
        deviation = np.sqrt(np.where(self.variances > 0, self.variances, 1.0))
        columns /= deviation.astype(columns.dtype)
        columns[:, self.variances == 0] = 0.0
        self.columns = columns
        self.scale = np.append(1 / deviation, 0.0)[:, None]

    def weights_of(self, params):
        """Weights (d, o) and biases (o,) for the inputs as given."""
        coef = params[:-1] * self.scale[:-1]
        return coef, params[-1] - self.centre @ coef

    def patience(self, n_outputs):
        """Conjugate gradient steps that cost as much as a new preconditioner."""
        n, d = self.columns.shape
        return 5 + (n + 2 * d) * d // (4 * n * n_outputs)

    def solver(self, diagonal, l2):
        """One inverse for all outputs, from the largest curvature of each row."""
        inverse = _inverse(self.columns, diagonal.max(axis=1), l2)
        return lambda r: inverse @ r

    def leverages(self, diagonal, l2):
        """x_i' M_k^-1 x_i (n, o), M_k the matrix of second derivatives of output k alone."""
        out = np.empty(diagonal.shape)
        for k in range(diagonal.shape[1]):
            inverse = _inverse(self.columns, diagonal[:, k], l2)
            for rows in _blocks(len(out)):
                block = _with_ones(self.columns[rows])
                out[rows, k] = np.einsum("ij,ij->i", block @ inverse, block)
        return out


class RotatedDesign(DenseDesign):
    """Fewer rows than columns: under a penalty that no rotation changes, the weights lie in the
    span of the rows, so a QR factorisation leaves as many columns as rows."""

    def __init__(self, inputs, weights):
        share = weights / weights.sum()
        self.centre = share @ inputs
        centred = inputs - self.centre.astype(inputs.dtype, copy=False)
        self.basis, factor = linalg.qr(
            centred.T, mode="economic", overwrite_a=True, check_finite=False
        )
        self.columns = np.ascontiguousarray(factor.T)
        self.variances = np.einsum("i,ij,ij->j", share, self.columns, self.columns)
        self.scale = np.append(np.ones(len(self.variances)), 0.0)[:, None]

    def weights_of(self, params):
        coef = self.basis @ params[:-1]
        return coef, params[-1] - self.centre @ coef


class SparseDesign(Design):
    """The columns as they are, never densified."""

    def __init__(self, inputs, weights):
        self.columns = inputs
        self.squares = inputs.multiply(inputs).tocsr()
        self.variances = self.squares.T @ (weights / weights.sum())
        self.scale = np.append(np.ones(inputs.shape[1]), 0.0)[:, None]

    def weights_of(self, params):
        return params[:-1], params[-1]

    def patience(self, n_outputs):
        return 0

    def solver(self, diagonal, l2):
        """The diagonal of the second derivatives, one per output."""
        top = self.squares.T @ diagonal
        matrix = np.concatenate([top, diagonal.sum(axis=0)[None]]) + l2
        matrix += 1e-12 * matrix.max() + 1e-300
        return lambda r: r / matrix


class Preconditioner:
    """Approximate solutions with the matrix of second derivatives at some penalty."""

    def __init__(self, design, l2, n_outputs):
        self.design, self.l2 = design, l2
        self.patience = design.patience(n_outputs)

    def __call__(self, diagonal):
        solve = self.design.solver(diagonal, self.l2)
        return lambda r: self.design.centre_outputs(solve(r))


def _inverse(columns, curvature, l2):
    """(Z' diag(curvature) Z + diag(l2))^-1 for Z = [columns, 1], with a jitter against rounding.

    numpy's inverse, not scipy's Cholesky: the two bring BLAS threads of their own, which contend
    when a solver alternates between them.
    """
    root = np.sqrt(curvature)[:, None]
    d = columns.shape[1]
    matrix = np.zeros((d + 1, d + 1))
    for rows in _blocks(len(root)):
        block = _with_ones(columns[rows]) * root[rows]
        matrix += block.T @ block
    matrix.flat[:: d + 2] += l2[:, 0] + 1e-12 * np.trace(matrix) / (d + 1) + 1e-300
    return np.linalg.inv(matrix)


def _with_ones(block):
    return np.concatenate([block, np.ones((len(block), 1), dtype=block.dtype)], axis=1)


def _blocks(n):
    return (slice(start, start + _BLOCK) for start in range(0, n, _BLOCK))
