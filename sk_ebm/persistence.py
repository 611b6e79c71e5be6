"""Saved models: the types that skops needs to trust."""

from importlib import import_module
from inspect import isabstract, isclass
from pathlib import Path
from pkgutil import walk_packages

__all__ = ["trusted_types"]

# No part of a saved model.
_APART = ("__main__", "displays", "_displays", "testing", "_testing", "exceptions", "persistence")
# Of other libraries: what estimators that are energies by default, or documented ones, hold.
_FOREIGN = (
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMModel",
    "lightgbm.sklearn.LGBMRegressor",
    "numpy.dtype",
    "scipy.sparse._csr.csr_array",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfMultinomialLoss",
    "sklearn._loss._loss.CyHalfSquaredError",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.DotProduct",
    "sklearn.gaussian_process.kernels.Matern",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.gaussian_process.kernels.RationalQuadratic",
    "sklearn.gaussian_process.kernels.Sum",
    "sklearn.gaussian_process.kernels.WhiteKernel",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.metrics._dist_metrics.ManhattanDistance64",
    "sklearn.metrics._dist_metrics.MinkowskiDistance64",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.model_selection._split.GroupKFold",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.LeaveOneGroupOut",
    "sklearn.model_selection._split.LeaveOneOut",
    "sklearn.model_selection._split.PredefinedSplit",
    "sklearn.model_selection._split.StratifiedGroupKFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.tree._tree.Tree",
)


def trusted_types():
    """Names of the types that saved models of this package hold, for ``skops.io.load``.

    All classes of this package that can be part of a fitted estimator, and those of numpy,
    scikit-learn and LightGBM that its defaults and documented options hold. There are no functions
    among them: where a model has one of yours, as a threshold or a gain, add its name after you
    have looked at it; ``skops.io.get_untrusted_types`` lists what a file holds. No code of
    a file is run, but trees hold indices that scikit-learn does not check: read files of people
    whom you trust.

    Returns
    -------
    types : list of str
        Sorted.

    Examples
    --------
    >>> import skops.io
    >>> from sklearn.datasets import load_wine
    >>> from sk_ebm import EnergyClassifier
    >>> from sk_ebm.persistence import trusted_types
    >>> X, y = load_wine(return_X_y=True)
    >>> saved = skops.io.dumps(EnergyClassifier(alpha=0.01).fit(X, y))
    >>> skops.io.loads(saved, trusted=trusted_types()).predict(X[:2])
    array([0, 0])
    """
    return sorted({*_own_types(), *_FOREIGN})


def _own_types():
    """Names of the classes that the modules of the package define."""
    for info in walk_packages([str(Path(__file__).parent)], "sk_ebm."):
        if info.name.split(".")[1] in _APART:
            continue
        try:
            module = import_module(info.name)
        except ModuleNotFoundError as error:
            if error.name.startswith("sk_ebm"):
                raise
            continue  # a bridge to a library that is not installed
        for thing in vars(module).values():
            if isclass(thing) and thing.__module__ == module.__name__ and not isabstract(thing):
                yield f"{thing.__module__}.{thing.__qualname__}"
