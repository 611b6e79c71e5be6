"""Mini-batch Adam."""

import numpy as np

from sk_ebm._solvers.result import Result


def adam(
    objective,
    init,
    vjp,
    *,
    l2,
    l1,
    tol,
    max_iter,
    report,
    rng,
    held_out=None,
    batch_size=64,
    learning_rate=3e-3,
    n_epochs=50,
    patience=10,
    **_,
):
    """Mini-batch Adam (Kingma and Ba, 2015) with a cosine schedule, for any parameters.

    With ``held_out`` samples, the parameters of least loss on them are kept, and training stops
    ``patience`` epochs after; otherwise the iterates of the second half are averaged, as in
    the averaged perceptron. The l1 term is descended along its sign. Where equal energies are a
    minimum, the rate stays constant: it is what keeps the scale of the energies.
    """
    samples, evaluation = _training_samples(objective, held_out)
    n_epochs, n_batches = min(max_iter, n_epochs), max(len(samples) // batch_size, 1)
    anneals = objective.loss.trivial_minimum != "equal"
    moments = _Moments(init, learning_rate, n_epochs * n_batches if anneals else np.inf)
    params, average = init.copy(), np.zeros_like(init)
    best, best_epoch, best_params = np.inf, 0, params
    for epoch in range(n_epochs):
        for batch in np.array_split(rng.permutation(samples), n_batches):
            outputs, pullback = vjp(params, objective.answers.rows(batch))
            loss, by_outputs = objective.take(batch).value_and_gradient(outputs)
            params -= moments.step(pullback(by_outputs) + l2 * params + l1 * np.sign(params))
        if held_out is None:
            average += (params - average) / max(epoch - n_epochs // 2 + 1, 1)
            report(loss, average)
            continue
        value = evaluation.held_out_loss(vjp(params, objective.answers.rows(held_out))[0])
        report(value, params)
        if value < best:
            best, best_epoch, best_params = value, epoch, params.copy()
        elif epoch - best_epoch >= patience:
            break
    return Result(average if held_out is None else best_params, True)


def _training_samples(objective, held_out):
    """Samples of positive weight that are not held out, and the objective of those that are."""
    samples = np.flatnonzero(objective.weights)
    if held_out is None:
        return samples, None
    return np.setdiff1d(samples, held_out), objective.take(held_out)


class _Moments:
    """Running means of gradients and of their squares, with the paper's decay rates."""

    def __init__(self, params, learning_rate, n_steps):
        self.mean, self.square = np.zeros_like(params), np.zeros_like(params)
        self.learning_rate, self.n_steps, self.count = learning_rate, n_steps, 0

    def step(self, gradient):
        """The next step of the parameters; its rate falls along a cosine to the last one."""
        self.count += 1
        self.mean += 0.1 * (gradient - self.mean)
        self.square += 0.001 * (gradient * gradient - self.square)
        rate = self.learning_rate * 0.5 * (1 + np.cos(np.pi * self.count / self.n_steps))
        rate *= np.sqrt(1 - 0.999**self.count) / (1 - 0.9**self.count)
        return rate * self.mean / (np.sqrt(self.square) + 1e-8)
