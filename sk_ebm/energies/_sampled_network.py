"""A network whose last layer is trained on candidates drawn among many classes."""

import numpy as np

from sk_ebm._core.training import FitResult
from sk_ebm.energies._class_choice import candidates_by, held_out_fold


class SampledNetwork:
    """The parameters of an `MLPEnergy` as rows: those of the last layer, one for each class, with
    its bias at the end, and then those of the hidden layers, filled up with zeros.

    Biases start at the log shares of the classes.
    """

    def __init__(self, energy, columns, start, scale, objective):
        self.energy, self.columns = energy, columns
        answers = objective.answers
        totals = np.bincount(answers.target, objective.weights, answers.n_classes)
        self.n_classes = answers.n_classes
        weights, biases = energy._layers(start.copy())
        biases[-1][:] = np.log(np.maximum(totals / totals.sum(), np.exp(-100.0)))
        self.shapes = [w.shape for w in weights[:-1]]
        self.start = self._rows(weights, biases)
        self.scale = self._rows(*energy._layers(scale.copy()))

    def fit(self, inputs, training, settings):
        """The `FitResult` of the energy."""
        energy = self.energy
        fold = held_out_fold(inputs, training) if energy.early_stopping else None
        test = None if fold is None else fold.test
        minimum = training.minimize(
            self.start,
            self.vjp,
            self.scale,
            self._fitted,
            kind="minibatch",
            held_out=test,
            evaluate=None if fold is None else lambda params: self._held_out_loss(params, fold),
            **settings,
        )
        held_out = objective = None
        if fold is not None:
            features, vectors, biases = self._last_layer(minimum.params, test)
            answers = training.answers.take(test)
            candidates = candidates_by(features, vectors, biases, answers, training.rng)
            held_out = test, candidates.outputs(features, vectors, biases)
            objective = fold.objective.replace(answers=candidates.answers)
        return FitResult(
            self._fitted(minimum.params),
            held_out,
            alpha=energy.alpha_,
            converged=minimum.converged,
            history=minimum.history,
            held_out_objective=objective,
        )

    def vjp(self, params, rows, classes):
        """Outputs of some classes, and the pullback to their rows and those of hidden layers."""
        weights, biases = self._hidden(params)
        weights.append(params[classes, :-1].T)
        biases.append(params[classes, -1])
        outputs, hidden = self.energy._forward(weights, biases, self.columns[rows])
        return outputs, lambda g: self._rows(*self.energy._gradients(weights, hidden, g))

    def _rows(self, weights, biases):
        """Weights and biases of the layers as rows."""
        last = np.column_stack([weights[-1].T, biases[-1]])
        shared = np.concatenate([*(w.ravel() for w in weights[:-1]), *biases[:-1]])
        shared.resize(-(-len(shared) // last.shape[1]), last.shape[1])
        return np.concatenate([last, shared])

    def _hidden(self, params):
        """Weights and biases of the hidden layers, as views."""
        shared = params[self.n_classes :].ravel()
        sizes = [a * b for a, b in self.shapes] + [b for _, b in self.shapes]
        parts = np.split(shared, np.cumsum(sizes))
        n = len(self.shapes)
        weights = [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=False)]
        return weights, parts[n : 2 * n]

    def _last_layer(self, params, rows):
        """Values of the last hidden layer, and vectors and biases of the classes."""
        features = self.energy._hidden(*self._hidden(params), self.columns[rows])[-1]
        return features, params[: self.n_classes, :-1], params[: self.n_classes, -1]

    def _held_out_loss(self, params, fold):
        return fold.objective.held_out_loss(fold.outputs(*self._last_layer(params, fold.test)))

    def _fitted(self, params):
        weights, biases = self._hidden(params)
        weights.append(params[: self.n_classes, :-1].T.copy())
        biases.append(params[: self.n_classes, -1].copy())
        return self.energy._with_layers(weights, biases)
