"""The multi-layer perceptron energy."""

from copy import copy
from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from sk_ebm._core.sampled import Sampled
from sk_ebm._core.training import FitResult
from sk_ebm._utils.validation import check_choice, check_flag, check_number, check_scales
from sk_ebm._utils.weighted import standard_scaler
from sk_ebm.energies._base import Energy
from sk_ebm.energies._sampled_network import SampledNetwork

_ALPHA = 1e-4  # that of MLPClassifier
_ABSENT = -100.0  # output of a class without weight: e^-100 of the probability of the others
_ENOUGH = 20  # held-out samples for beta: with fewer, cross-fitting is cheap and steadier

_ACTIVATIONS = {  # name: (function, derivative from the function's value)
    "relu": (lambda a: np.maximum(a, 0), lambda h: (h > 0).astype(h.dtype)),
    "tanh": (np.tanh, lambda h: 1 - h * h),
}


class MLPEnergy(Energy):
    """Outputs of a multi-layer perceptron on standardised columns.

    Trained by mini-batch Adam with a cosine schedule, keeping the parameters of least loss on
    held-out samples. Sparse columns are scaled by one number, never centred.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default=(128,)
    activation : {"relu", "tanh"}, default="relu"
    learning_rate : float, default=5e-3
        Of the first steps.
    batch_size : int, default=None
        None means n / 40, between 32 and 128.
    n_epochs : int, default=200
        Length of the schedule; the estimator's ``max_iter`` bounds it.
    early_stopping : bool, default=True
        Whether to hold out samples; without, ``beta="auto"`` cross-fits.
    validation_fraction : float, default=0.1
    patience : int, default=20
        Epochs without a lower held-out loss after which training stops.

    Attributes
    ----------
    coefs_, intercepts_ : lists of ndarray
        One weight matrix and one bias vector per layer.
    alpha_ : float
        The penalty used; ``alpha="auto"`` means 1e-4.
    """

    solvers = ("adam", "lbfgs")
    samples_classes = True

    def __init__(
        self,
        hidden_layer_sizes=(128,),
        activation="relu",
        *,
        learning_rate=5e-3,
        batch_size=None,
        n_epochs=200,
        early_stopping=True,
        validation_fraction=0.1,
        patience=20,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience

    def check(self):
        check_choice("activation", self.activation, tuple(_ACTIVATIONS))
        sizes = np.atleast_1d(self.hidden_layer_sizes)
        if sizes.dtype.kind not in "iu" or (sizes < 1).any():
            raise ValueError(
                f"hidden_layer_sizes must be integers >= 1, got {self.hidden_layer_sizes!r}."
            )
        check_number("learning_rate", self.learning_rate, 0)
        check_number("n_epochs", self.n_epochs, 0, kind=Integral)
        check_number("patience", self.patience, 0, kind=Integral)
        check_number("batch_size", self.batch_size, 0, kind=Integral, other=(None,))
        check_number("validation_fraction", self.validation_fraction, 0, 1)
        check_flag("early_stopping", self.early_stopping)

    def fit(self, inputs, training):
        check_scales(inputs)
        training = training.with_default_alpha(_ALPHA)
        objective, rng = training.objective, training.rng
        self.alpha_ = training.penalty.alpha
        self.scaler_ = _scaler(inputs, objective.row_weights)
        columns = self._columns(inputs)
        sizes = np.atleast_1d(self.hidden_layer_sizes)
        self._sizes = [inputs.shape[1], *sizes, objective.answers.n_outputs]
        start, scale = self._start(columns, rng)
        settings = self._settings(len(objective.answers))
        if isinstance(objective.answers, Sampled):
            network = SampledNetwork(self, columns, start, scale, objective)
            return network.fit(inputs, training, settings)
        self._silence(objective.answers.absent_outputs(objective.weights), start)

        def vjp(params, rows=None):
            return self._vjp(params, columns if rows is None else columns[rows])

        test = training.hold_out(self.validation_fraction) if self.early_stopping else None
        minimum = training.minimize(
            start,
            vjp,
            scale,
            self._fitted,
            kind="minibatch",
            held_out=test,
            **settings,
        )
        vars(self).update(vars(self._fitted(minimum.params)))
        held_out = None
        if test is not None and training.folds is None and len(test) >= _ENOUGH:
            held_out = test, vjp(minimum.params, objective.answers.rows(test))[0]
        return FitResult(
            self,
            held_out,
            alpha=self.alpha_,
            converged=minimum.converged,
            history=minimum.history,
        )

    def _settings(self, n_samples):
        """Of Adam."""
        return {
            "batch_size": self.batch_size or int(np.clip(n_samples // 40, 32, 128)),
            "learning_rate": self.learning_rate,
            "n_epochs": self.n_epochs,
            "patience": self.patience,
        }

    @np.errstate(invalid="ignore")  # of sums of huge entries, by which scikit-learn looks for NaN
    def _columns(self, inputs):
        """The standardised inputs."""
        return self.scaler_.transform(inputs)

    def _start(self, columns, rng):
        """Initial parameters, all weights before all biases, and which of them are weights.

        Hidden units start with unit variance (He et al., 2015, with the rows' mean square norm
        in place of the number of columns); the outputs start at zero.
        """
        entries = columns.data if sparse.issparse(columns) else columns
        norm = float(np.sum(np.square(entries, dtype=np.float64))) / columns.shape[0]
        fans = [max(norm, 1e-12), *self._sizes[1:-1]]
        shapes = list(zip(self._sizes[:-1], self._sizes[1:], strict=True))
        weights = [
            rng.standard_normal(a * b) * np.sqrt(2 / fan)
            for (a, b), fan in zip(shapes, fans, strict=True)
        ]
        weights[-1] *= 0.1
        n_biases = sum(self._sizes[1:])
        scale = np.concatenate([np.ones(sum(map(len, weights))), np.zeros(n_biases)])
        start = np.concatenate([*weights, np.zeros(n_biases)])
        return start.astype(columns.dtype), scale.astype(columns.dtype)

    def _silence(self, absent, params):
        """Outputs without samples of weight, which nothing trains, start where they stay."""
        weights, biases = self._layers(params)
        weights[-1][:, absent], biases[-1][absent] = 0.0, _ABSENT

    def _layers(self, params):
        """Weight matrices and bias vectors, as views."""
        weights, biases, i = [], [], 0
        for a, b in zip(self._sizes[:-1], self._sizes[1:], strict=True):
            weights.append(params[i : i + a * b].reshape(a, b))
            i += a * b
        for b in self._sizes[1:]:
            biases.append(params[i : i + b])
            i += b
        return weights, biases

    def _vjp(self, params, columns):
        weights, biases = self._layers(params)
        outputs, hidden = self._forward(weights, biases, columns)

        def pullback(gradient):
            by_weights, by_biases = self._gradients(weights, hidden, gradient)
            return np.concatenate([*(w.ravel() for w in by_weights), *by_biases])

        return outputs, pullback

    def _gradients(self, weights, hidden, gradient):
        """Gradients by the weights and the biases of each layer, from that by the outputs."""
        derivative = _ACTIVATIONS[self.activation][1]
        by_weights, by_biases = [], []
        for i in range(len(weights) - 1, -1, -1):
            by_weights.append(hidden[i].T @ gradient)
            by_biases.append(gradient.sum(axis=0))
            if i:
                gradient = (gradient @ weights[i].T) * derivative(hidden[i])
        return by_weights[::-1], by_biases[::-1]

    def _forward(self, weights, biases, columns):
        """Outputs, and the values of each layer before them."""
        hidden = self._hidden(weights[:-1], biases[:-1], columns)
        return hidden[-1] @ weights[-1] + biases[-1], hidden

    def _hidden(self, weights, biases, columns):
        """The columns, and the values of each hidden layer."""
        activate = _ACTIVATIONS[self.activation][0]
        hidden = [columns]
        for w, b in zip(weights, biases, strict=True):
            hidden.append(activate(hidden[-1] @ w + b))
        return hidden

    def _fitted(self, params):
        return self._with_layers(*self._layers(params.copy()))

    def _with_layers(self, weights, biases):
        fitted = copy(self)
        fitted.coefs_, fitted.intercepts_ = weights, biases
        return fitted

    def features(self, inputs):
        """Values of the last hidden layer."""
        columns = self._columns(inputs)
        return self._hidden(self.coefs_[:-1], self.intercepts_[:-1], columns)[-1]

    def class_vectors(self):
        return self.coefs_[-1].T, self.intercepts_[-1]

    def __call__(self, inputs):
        return self._forward(self.coefs_, self.intercepts_, self._columns(inputs))[0]


def _scaler(inputs, weights):
    """Standardises dense columns; one scale for all sparse ones, by their nonzero entries."""
    if not sparse.issparse(inputs):
        return standard_scaler(inputs, weights)
    scaler = StandardScaler(with_mean=False)
    scaler.n_features_in_ = inputs.shape[1]
    size = np.sqrt(np.mean(np.square(inputs.data))) if inputs.nnz else 1.0
    scaler.scale_ = np.full(inputs.shape[1], size or 1.0)
    scaler.var_ = scaler.scale_**2
    return scaler
