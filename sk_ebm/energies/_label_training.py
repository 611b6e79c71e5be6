"""Fits of the energies of sets of labels: of single labels and of links between them."""

import numpy as np
from sklearn.base import clone

from sk_ebm._core.label_links import learn_links
from sk_ebm._core.label_sets import LinkedLabelSets

_ENOUGH = 1000  # held-out samples of the second fit, on which its links are learned


def fit_labels(energy, inputs, training, beta=None):
    """The `FitResult` of an energy of the labels, and the `Links` between these.

    The energy is first fitted to each label, as if they were independent given x; links are those
    of greatest likelihood of held-out outputs. An energy that can is then fitted again with these
    links, and links are learned anew, which is kept where it raises the likelihood of the same
    held-out rows: with ten labels and 20 columns it lowers the joint log-loss of 1,000 rows by .08
    to .16 nats, and of 100 rows by .03. To repeat it gains .01 in twice the time.

    Parameters
    ----------
    energy : Energy
    inputs : rows as the energy reads them
    training : Training
        Of `LabelSets`.
    beta : float, default=None
        The inverse temperature, where it is given.
    """
    objective = training.objective
    result = clone(energy).fit(inputs, training)
    samples, outputs = training.held_out_outputs(result, inputs)
    scale = objective.take(samples).learn_beta(outputs)
    links = _links_of(objective, samples, outputs, scale, beta)
    folds = _folds(training)
    if not (energy.fits_chains and objective.loss.shift_invariant and len(folds)):
        return result, links
    settings = training.replace(folds=folds).with_alpha(result.alpha)
    again, *held_out = _fit_linked(energy, inputs, settings, links)
    new_links = _links_of(objective, *held_out, links.beta, beta)
    before = _links_of(objective, *settings.cross_fit(result, inputs, folds), scale, beta)
    return (again, new_links) if new_links.loss < before.loss else (result, links)


def _folds(training):
    """Those of the user, or as many of the default ones as test enough samples."""
    if training.folds is not None:
        return training.folds
    return training.default_folds().first_with(_ENOUGH, training.objective.weights)


def _links_of(objective, samples, outputs, scale, beta):
    held_out = objective.take(samples)
    return learn_links(outputs, held_out.answers.indicator, held_out.weights, scale, beta)


def _fit_linked(energy, inputs, training, links):
    """A fit with these links, and its held-out samples and outputs."""
    objective = training.objective
    indicator, loss = objective.answers.indicator, objective.loss
    answers = LinkedLabelSets(indicator, links.tree, links.transitions, loss)
    linked = training.replace(objective=objective.replace(answers=answers), solver="auto")
    result = clone(energy).fit(inputs, linked)
    samples = np.concatenate([part.sequences for part in result.parts])
    negative_energies = np.concatenate([part.gibbs.unary for part in result.parts])
    outputs = np.diff(negative_energies, axis=1).reshape(len(samples), -1)
    return result, samples, outputs
