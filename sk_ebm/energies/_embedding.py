"""The embedding energy: a vector for each class."""

from copy import copy
from dataclasses import replace
from functools import partial
from numbers import Integral

import numpy as np
from sklearn.base import clone

from sk_ebm._core.folds import Folds
from sk_ebm._utils.validation import check_choice, check_number, check_scales
from sk_ebm.energies._base import Energy
from sk_ebm.energies._class_choice import choose_class_means
from sk_ebm.energies._class_training import fit_class_vectors
from sk_ebm.energies._generic_class import beside_generic_class, with_generic_class
from sk_ebm.energies._mlp import MLPEnergy
from sk_ebm.energies._new_classes import vectors_of_new
from sk_ebm.energies._words import WordsEnergy, suits_words

_ENCODERS = "linear", "identity", "mlp"
_FORMS = "inner_product", "squared_distance"


class EmbeddingEnergy(Energy):
    """-E(x, y) = <f(x), v_y> + b_y - c(x) with a vector v_y for each class.

    c(x), which changes no probability, makes energies log likelihood ratios to a generic class, so
    that the least energy is high where x is of none of the classes.

    f standardises the columns, or scales all alike, and whitens them by the covariance within
    classes, which is shrunk towards a multiple of the identity. The class vectors start from means
    of classes, shrunk by how much the means differ, as probabilistic linear discriminant analysis
    [1]_ would have them; then mini-batch Adam moves them, as long as that lowers the loss of
    held-out rows. ``alpha`` penalises how far they move.

    Where ``form="squared_distance"``, E(x, y) = |f(x) - v_y|^2 / 2 instead.

    Sparse matrices of more than 1,000 columns without negative entries, such as counts or tf-idf
    weights of words, get the sparse vectors of a `WordsEnergy` instead: where classes are many or
    rows few, a low rank loses the words that tell them apart.

    Parameters
    ----------
    shrinkage : float or "auto", default="auto"
        Of the covariance within classes, in (0, 1]; "auto" chooses it on held-out rows.
    encoder : {"linear", "identity", "mlp"} or MLPEnergy, default="linear"
        How f begins. "linear": as above. "identity": with the columns as they are, which are only
        rotated and scaled by one number: for embeddings of a network that was trained elsewhere.
        "mlp": with the last hidden layer of an `MLPEnergy`, fitted first, which is then whitened.
    form : {"inner_product", "squared_distance"}, default="inner_product"
        Of the energy. Squared distances have no b_y and no c(x).
    learning_rate : float, default=3e-3
        Of the first steps.
    batch_size : int, default=None
        None means n / 40, between 32 and 512.
    n_epochs : int, default=50
        Length of the schedule; the estimator's ``max_iter`` bounds it.
    patience : int, default=5
        Epochs without a lower held-out loss after which training stops.

    Attributes
    ----------
    encoder_ : MLPEnergy or None
    vectors_ : ndarray of shape (n_classes, n_components)
    biases_ : ndarray of shape (n_classes,)
    shrinkage_ : float
    alpha_ : float
        The penalty used; ``alpha="auto"`` means 0.

    References
    ----------
    .. [1] Ioffe, "Probabilistic linear discriminant analysis", ECCV, 2006.
    """

    answers = frozenset({"classes"})
    solvers = ("adam",)
    rejects_by_least = True
    takes_class_features = True
    samples_classes = True

    def __init__(
        self,
        shrinkage="auto",
        *,
        encoder="linear",
        form="inner_product",
        learning_rate=3e-3,
        batch_size=None,
        n_epochs=50,
        patience=5,
    ):
        self.shrinkage = shrinkage
        self.encoder = encoder
        self.form = form
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_epochs = n_epochs
        self.patience = patience

    def check(self):
        check_number("shrinkage", self.shrinkage, 0, 1, closed=True, other=("auto",))
        if isinstance(self.encoder, MLPEnergy):
            self.encoder.check()
        else:
            check_choice("encoder", self.encoder, _ENCODERS)
        check_choice("form", self.form, _FORMS)
        check_number("learning_rate", self.learning_rate, 0)
        check_number("batch_size", self.batch_size, 0, kind=Integral, other=(None,))
        check_number("n_epochs", self.n_epochs, 0, kind=Integral)
        check_number("patience", self.patience, 0, kind=Integral)

    def fit(self, inputs, training):
        by_default = (self.encoder, self.form) == (_ENCODERS[0], _FORMS[0])
        if by_default and suits_words(inputs) and training.class_features is None:
            return WordsEnergy().fit(inputs, training)
        check_scales(inputs)
        network, training, cross_fits = self._network(inputs, training)
        self.alpha_ = training.with_default_alpha(0.0).penalty.alpha
        settings = "learning_rate", "batch_size", "n_epochs", "patience"
        result = fit_class_vectors(
            inputs if network is None else network.features(inputs),
            training,
            partial(self._fitted, inputs.dtype, network),
            choose=partial(
                choose_class_means,
                shrinkage=self.shrinkage,
                whitens=self.encoder != "identity",
                distances=self.form == "squared_distance",
            ),
            **{name: getattr(self, name) for name in settings},
        )
        unseen = {"held_out": None, "held_out_objective": None} if cross_fits else {}
        return replace(result, **unseen)

    def _network(self, inputs, training):
        """The fitted `MLPEnergy`, or None; the training with the samples that it has not seen held
        out; and whether others are wanted."""
        if self.encoder in ("linear", "identity"):
            return None, training, False
        network = MLPEnergy() if self.encoder == "mlp" else clone(self.encoder)
        result = network.fit(inputs, training.replace(folds=None))
        if result.held_out is None:
            return result.energy, training, True
        test = result.held_out[0]
        rest = np.setdiff1d(np.arange(len(training.answers)), test)
        held_out = training.replace(folds=Folds(((rest, test),)))
        return result.energy, held_out, training.folds is not None

    def _fitted(self, dtype, network, choice, means):
        fitted = copy(self)
        fitted.encoder_ = network
        fitted.coordinates_, fitted.shrinkage_ = choice.coordinates, choice.shrinkage
        fitted.prior_ = means.prior
        fitted.centre_, fitted.axes_ = means.centre.astype(dtype), means.axes.astype(dtype)
        fitted._vectors = with_generic_class(means.vectors.astype(dtype))
        fitted.biases_ = means.biases.astype(dtype)
        return fitted

    def features(self, inputs):
        """f(x), (m, r), and c(x)."""
        return beside_generic_class(self._whitened(inputs), self.prior_)

    def _whitened(self, inputs):
        columns = inputs if self.encoder_ is None else self.encoder_.features(inputs)
        return (self.coordinates_(columns) - self.centre_) @ self.axes_

    def class_vectors(self):
        return self._vectors, self.biases_

    @property
    def vectors_(self):
        return self._vectors[:, :-1]

    def with_classes(self, new, order):
        fitted = copy(self)
        vectors, biases = vectors_of_new(self, self._whitened(new.inputs), new)
        fitted._vectors = np.concatenate([self._vectors, with_generic_class(vectors)])[order]
        fitted.biases_ = np.append(self.biases_, biases)[order]
        return fitted

    def __call__(self, inputs):
        vectors, biases = self.class_vectors()
        return self.features(inputs) @ vectors.T + biases
