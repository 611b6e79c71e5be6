"""Answers: which candidates each sample has, which of them is correct, and how the outputs of
an energy function become energies of the candidates."""

from functools import cached_property

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from sk_ebm._utils.sklearn_private import namespace
from sk_ebm.losses._losses import Curvature
from sk_ebm.losses._relevance import Graded, ranges


class Answers:
    """The candidate answers of n samples.

    A family member offers

    - ``target``: index (n,) of the correct candidate, or a `Graded` where several are correct;
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
    - ``floats``: whether a number added to all outputs is added to all energies of each sample;
    - ``diagonal(curvature, outputs)``: diagonal (m, o) of a loss curvature, seen from the outputs;
    - ``curvature(of_energies, outputs, pullback)``: the whole of it, diagonal and product, made of
      ``arrange`` and ``diagonal`` unless something cheaper is known;
    - ``blocks``: triples (samples, rows, answers) where samples are arranged apart, since their
      numbers of candidates differ: then ``target``, ``log_measure``, ``arrange`` and ``diagonal``
      are those of the answers of each block, and ``places_in_blocks`` (m,) says where each row is
      among those of the blocks, one after another. None: all samples are one block.
    """

    log_measure = None
    shifts = False
    floats = False
    blocks = None

    def curvature(self, of_energies, outputs, pullback):
        """`Curvature` (m, o) by the outputs, of that by the energies, with the pullback there."""

        def product(v):
            return pullback(of_energies.product(self.arrange(v)[0]))

        return Curvature(self.diagonal(of_energies, outputs), product)

    def rows(self, samples):
        """Rows of the inputs that belong to the samples: one each, unless overridden."""
        return samples

    def per_row(self, values):
        """Weights (n,) of the samples for each row of the inputs, (m,)."""
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


class Groups(Answers):
    """Items of queries as answers: one row of the inputs for each item, one sample for each query.

    Queries differ in length: those of similar length are a block, so that one long query never
    pads many short ones.

    Parameters
    ----------
    gains : ndarray of shape (m,)
        How good each item is, >= 0.
    query : ndarray of int, shape (m,)
        The query of each item, 0 to n - 1, in any order.
    relevance : ndarray of shape (m,), default=None
        Grades as given, for experts that read them; None means the gains.
    copies : ndarray of shape (m,), default=None
        How many times each item is there; None means once. Only their ratios within a query count.
    """

    n_outputs = 1
    floats = True

    def __init__(self, gains, query, relevance=None, copies=None):
        self.gains = gains
        self.query = query
        self.relevance = gains if relevance is None else relevance
        self.copies = np.ones(len(gains)) if copies is None else copies
        self.sizes = np.bincount(query)
        self._ends = np.cumsum(self.sizes)
        self._order = np.argsort(query, kind="stable")

    def __len__(self):
        return len(self.sizes)

    def rows(self, samples):
        """Rows of the items of some queries, query after query."""
        sizes = self.sizes[samples]
        return self._order[ranges(self._ends[samples] - sizes, sizes)]

    def take(self, samples):
        rows, sizes = self.rows(samples), self.sizes[samples]
        query = np.repeat(np.arange(len(sizes)), sizes)
        return Groups(self.gains[rows], query, self.relevance[rows], self.copies[rows])

    @cached_property
    def mean_copies(self):
        """Of the items of each query that are there at all, (n,)."""
        there = np.bincount(self.query, self.copies > 0)
        return np.bincount(self.query, self.copies) / np.maximum(there, 1)

    @cached_property
    def _counts(self):
        """Copies (m,) over their mean in the query; ones in queries without any."""
        mean = self.mean_copies[self.query]
        return np.where(mean > 0, self.copies / np.where(mean > 0, mean, 1.0), 1.0)

    def per_row(self, values):
        return values[self.query] * self._counts

    @cached_property
    def informative(self):
        """Whether each query has an item that is worth something, (n,)."""
        return np.bincount(self.query, self.gains * self.copies) > 0

    def splits(self, n_splits, rng):
        """Shuffled folds of whole queries, the informative ones spread over them.

        None at all where fewer than two are informative: nothing can be held out then.
        """
        n_splits = min(n_splits, np.count_nonzero(self.informative))
        if n_splits < 2:
            return []
        order = rng.permutation(len(self))
        order = order[np.argsort(~self.informative[order], kind="stable")]
        fold = np.empty(len(self), dtype=int)
        fold[order] = np.arange(len(self)) % n_splits
        return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(n_splits)]

    @cached_property
    def blocks(self):
        found = []
        for samples in _of_similar_length(self.sizes):
            rows, sizes = self.rows(samples), self.sizes[samples]
            found.append((samples, rows, Padded(self.gains[rows], self._counts[rows], sizes)))
        return found

    @cached_property
    def places_in_blocks(self):
        return np.argsort(np.concatenate([rows for _, rows, _ in self.blocks]))


class Padded(Answers):
    """A block of queries of similar length, their rows one after another: energies (n, longest)."""

    n_outputs = 1

    def __init__(self, gains, counts, sizes):
        self.sizes = sizes
        places = np.arange(sizes.max())
        self.present = places < sizes[:, None]
        self._where = np.flatnonzero(self.present)
        firsts = np.cumsum(sizes) - sizes
        self._row = firsts[:, None] + np.where(self.present, places, 0)  # of the first if absent
        self.target = Graded(self._padded(gains), self._padded(counts))
        with np.errstate(divide="ignore"):
            self.log_measure = np.log(self.target.counts)

    def _padded(self, values):
        padded = np.zeros(self.present.shape)
        padded[self.present] = values
        return padded

    def __len__(self):
        return len(self.sizes)

    def per_row(self, values):
        return np.repeat(values, self.sizes)

    def arrange(self, outputs):
        """In double precision: the padded items, absent, have the energy of the first."""
        energies = np.negative(outputs[:, 0], dtype=np.float64).take(self._row)
        return energies, lambda slopes: -self._of_rows(slopes, outputs.dtype)

    def diagonal(self, curvature, outputs):
        return self._of_rows(curvature.diagonal, outputs.dtype)

    def _of_rows(self, values, dtype):
        """Values (n, longest) of the items that are present, (m, 1)."""
        return values.take(self._where)[:, None].astype(dtype, copy=False)


_COST = 4096  # of a block, in entries of padding that take as long


def _of_similar_length(sizes):
    """Parts of the samples that take the least time, padded to the longest; the longest first."""
    order = np.argsort(-sizes, kind="stable")
    lengths, firsts = np.unique(-sizes[order], return_index=True)
    ends = np.append(firsts, len(sizes))
    least, last = np.zeros(len(ends)), np.zeros(len(ends), dtype=int)  # if a block ended there
    for i in range(1, len(ends)):
        times = least[:i] - lengths[:i] * (ends[i] - ends[:i])
        last[i] = np.argmin(times)
        least[i] = times[last[i]] + _COST
    bounds = [len(lengths)]
    while bounds[0]:
        bounds.insert(0, last[bounds[0]])
    return np.split(order, ends[bounds[1:-1]])


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
