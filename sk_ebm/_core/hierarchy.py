"""Classes that are nodes of trees, whose energies are sums along their paths."""

from collections.abc import Mapping

import numpy as np
from scipy.linalg import null_space
from scipy.sparse import csr_array

from sk_ebm._core.answers import Answers
from sk_ebm._core.classes import Labels


def check_parents(parents, negatives="auto"):
    """Raise an error unless these are parents of nodes, without cycles; None is."""
    if parents is None:
        return
    if not isinstance(parents, Mapping) or not parents:
        raise ValueError(
            "parents must be a mapping of each class or node to its parent, such as {'oak': "
            f"'tree', 'ash': 'tree'}}, or None, got {parents!r}."
        )
    if negatives not in ("auto", "all"):
        raise ValueError(
            f"parents needs the energies of all classes, got negatives={negatives!r}. Use "
            "negatives='auto'."
        )
    done = set()
    for node in parents:
        path = []
        while node is not None and node not in done:
            if node in path:
                cycle = " -> ".join(map(repr, [*path[path.index(node) :], node]))
                raise ValueError(f"parents must have no cycles, got {cycle}.")
            path.append(node)
            node = parents.get(node)
        done.update(path)


class Hierarchy:
    """Paths of classes through the nodes of trees.

    A node that all classes share, or that has the same classes below it as one of its children,
    can say nothing of its own and is left out.

    Parameters
    ----------
    nodes : list
        Labels of the nodes: first the classes, then the inner nodes.
    paths : CSR array of shape (n_classes, n_nodes)
        One where a node is on the path of a class.
    """

    def __init__(self, nodes, paths):
        self.nodes, self.paths = nodes, paths

    @classmethod
    def of(cls, classes, parents):
        """From the parents of classes (K,) and nodes, a mapping that `check_parents` has seen."""
        classes = classes.tolist()
        if not any(label in parents for label in classes):
            raise ValueError(
                f"parents must name classes of y, such as {classes[:3]}, got {list(parents)[:3]}."
            )
        position = {label: k for k, label in enumerate(classes)}
        rows, columns = [], []
        for k, node in enumerate(classes):
            while node is not None:
                rows.append(k)
                columns.append(position.setdefault(node, len(position)))
                node = parents.get(node)
        shape = len(classes), len(position)
        paths = csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape)
        kept = _distinct(paths, len(classes))
        nodes = list(position)
        return cls([nodes[i] for i in kept], paths[:, kept])

    @property
    def is_flat(self):
        """Whether no two classes share a node."""
        return self.paths.nnz == self.paths.shape[0]

    def of_outputs(self, by_output):
        """Sums (K, ...) along paths of values (n_nodes, ...)."""
        return self.paths @ by_output

    def arrange(self, outputs):
        """Energies (m, K) of outputs (m, n_nodes), and the pullback, as `Labels.arrange`."""
        paths = self.paths.astype(outputs.dtype, copy=False)
        return -(outputs @ paths.T), lambda gradient: -(gradient @ paths)


def _distinct(paths, n_classes):
    """Columns of the classes, and of inner nodes with other classes than all and each other."""
    columns = paths.tocsc()
    below = np.split(columns.indices, columns.indptr[1:-1])
    seen, kept = {tuple(range(n_classes))}, []
    for i, rows in enumerate(below):
        rows = tuple(np.sort(rows).tolist())
        if i < n_classes or rows not in seen:
            kept.append(i)
        seen.add(rows)
    return kept


def labels_of(y, parents=None):
    """Classes from labels (n,) of any kind, in a hierarchy where some of them share a node."""
    labels = Labels.of(y)
    if parents is None:
        return labels
    hierarchy = Hierarchy.of(labels.classes, parents)
    if hierarchy.is_flat:
        return labels
    return HierarchyLabels(labels.target, labels.n_classes, labels.classes, hierarchy)


class HierarchyLabels(Labels):
    """Classes as answers, whose negative energies are sums of outputs along their paths.

    There is one output for each node of the `Hierarchy`.
    """

    shift_axis = None  # type: ignore[assignment]
    can_be_drawn = False
    curvature = Answers.curvature  # type: ignore[assignment]

    def __init__(self, target, n_classes, classes, hierarchy):
        super().__init__(target, n_classes, classes)
        self.hierarchy = hierarchy

    @property
    def n_outputs(self):
        return len(self.hierarchy.nodes)

    def take(self, samples):
        return HierarchyLabels(self.target[samples], self.n_classes, self.classes, self.hierarchy)

    def idle_outputs(self, shift_invariant):
        paths = self.hierarchy.paths.toarray().astype(np.float64)
        return null_space(paths - paths.mean(axis=0) if shift_invariant else paths)

    def absent_outputs(self, weights):
        counts = np.bincount(self.target, weights, self.n_classes)
        return np.flatnonzero(self.hierarchy.paths.T @ counts == 0)

    def arrange(self, outputs):
        return self.hierarchy.arrange(outputs)

    def diagonal(self, curvature, outputs):
        """Of a class without others below it the entry of the curvature, else by a product."""
        paths = self.hierarchy.paths.tocsc()
        sizes = np.diff(paths.indptr)
        diagonal = np.empty_like(outputs)
        alone = sizes == 1
        diagonal[:, alone] = curvature.diagonal[:, paths[:, alone].indices]
        for node in np.flatnonzero(~alone):
            below = paths.indices[paths.indptr[node] : paths.indptr[node + 1]]
            moved = np.zeros_like(curvature.diagonal)
            moved[:, below] = 1
            diagonal[:, node] = curvature.product(moved)[:, below].sum(axis=1)
        return diagonal
