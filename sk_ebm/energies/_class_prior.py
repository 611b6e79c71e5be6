"""What is expected of the mean of a class before its rows are seen, from features of the class."""

from typing import NamedTuple

import numpy as np

# Strengths of the ridge penalty, for standardised columns and rows of weight one on average: from
# nearly none, to one that predicts the mean of all classes for each.
_STRENGTHS = np.append(np.logspace(-4, 4, 17), np.inf)


class ClassPrior(NamedTuple):
    """Means of classes in whitened features, N(predicted, diag(between)), where rows have the
    covariance I around the mean of their class.

    Attributes
    ----------
    reference, log_volume : ndarray of shape (r,) and float
        The energy to which a class is compared is ``square(x) @ reference - log_volume`` (see
        `generic_energies`).
    between : ndarray of shape (r,)
        Variances around the predicted means; without features of the classes, around their mean.
    coef : ndarray of shape (p, r), default=None
        Of the features of classes; without any, the mean of all classes is predicted.
    intercept : ndarray of shape (r,), default=None
    """

    reference: np.ndarray
    log_volume: float
    between: np.ndarray
    coef: np.ndarray | None = None
    intercept: np.ndarray | None = None

    def predicted(self, class_features=None):
        """Means (K, r) that are expected of classes with these features (K, p); 0 without."""
        if self.coef is None:
            return 0.0
        return class_features @ self.coef + self.intercept

    def posterior_means(self, means, counts, predicted):
        """The means (K, r) of classes of so many rows, shrunk towards the predicted ones."""
        shares = counts[:, None] * self.between
        return predicted + shares / (shares + 1) * (means - predicted)

    def beside_nothing(self):
        """The same for squared distances, which are compared to zero."""
        return self._replace(reference=np.full_like(self.reference, 0.5), log_volume=0.0)

    def scaled(self, scale):
        """The same for features that are scaled, and log likelihoods scaled by its square."""
        scaled = self._replace(log_volume=scale**2 * self.log_volume)
        if self.coef is None:
            return scaled
        return scaled._replace(coef=scale * self.coef, intercept=scale * self.intercept)


def class_prior(means, counts, between, class_features=None):
    """The `ClassPrior` from classes with means (K, r) of so many rows.

    Features of the classes (K, p) predict the means by ridge regression, whose strength has the
    least leave-one-out error; the variances around the predictions are those of this error.
    """
    generic = 0.5 * between / (1 + between), 0.5 * np.log1p(between).sum()
    if class_features is None:
        return ClassPrior(*generic, between)
    seen = counts > 0
    means, counts = means[seen], counts[seen]
    reliability = 1 / (between.mean() + 1 / counts)
    weights = reliability / reliability.mean()
    shares = weights / weights.sum()
    columns = class_features[seen]
    centre = shares @ columns
    scale = np.sqrt(shares @ np.square(columns - centre))
    scale[scale <= 1e-12 * np.abs(centre)] = np.inf  # constant columns predict nothing
    coef, intercept, residuals = _ridge((columns - centre) / scale, means, weights)
    noise = shares @ (1 / counts)
    left = np.clip(shares @ np.square(residuals) - noise, 1e-6 * between, between)
    coef /= scale[:, None]
    return ClassPrior(*generic, left, coef, intercept - centre @ coef)


def _ridge(columns, targets, weights):
    """Coefficients, intercept and leave-one-out residuals at the strength where these are least."""
    roots = np.sqrt(weights)[:, None]
    mean = weights @ targets / weights.sum()
    left, singular, right = np.linalg.svd(roots * columns, full_matrices=False)
    projected = left.T @ (roots * (targets - mean))
    best = None
    for strength in _STRENGTHS * len(columns):
        kept = np.square(singular) / (np.square(singular) + strength)
        leverages = np.square(left) @ kept + weights / weights.sum()
        errors = targets - mean - left @ (kept[:, None] * projected) / roots
        errors /= np.maximum(1 - leverages, 1e-12)[:, None]
        error = weights @ np.square(errors).sum(axis=1)
        if best is None or error < best[0]:
            inverse = np.divide(kept, singular, out=np.zeros_like(kept), where=singular > 0)
            best = error, right.T @ (inverse[:, None] * projected), errors
    return best[1], mean, best[2]
