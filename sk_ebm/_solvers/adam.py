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
    evaluate=None,
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

    ``evaluate(params)`` gives the loss of the held-out samples, where that is not one of all their
    outputs; then the initial parameters are evaluated too. Where mini-batches draw candidates,
    parameters are rows (>= o, r): first one for each output, of which ``vjp(params, rows,
    columns)`` sees those drawn and only these move, then any that all outputs share. The pullback
    gives the gradients of both.
    """
    samples = _training_samples(objective, held_out)
    n_epochs, n_batches = min(max_iter, n_epochs), max(len(samples) // batch_size, 1)
    n_steps = np.inf if objective.loss.trivial_minimum == "equal" else n_epochs * n_batches
    descent = _Descent(init, objective.answers.n_outputs, l2, l1, learning_rate, n_steps)
    params, average = init.copy(), np.zeros_like(init)
    best, best_epoch, best_params = np.inf if evaluate is None else evaluate(init), 0, init
    evaluate = evaluate or _evaluation(objective, held_out, vjp)
    for epoch in range(n_epochs):
        batches = np.array_split(rng.permutation(samples), n_batches)
        loss = _epoch(objective, batches, params, vjp, descent, rng)
        if held_out is None:
            average += (params - average) / max(epoch - n_epochs // 2 + 1, 1)
            report(loss, average)
            continue
        value = evaluate(params)
        report(value, params)
        if value < best:
            best, best_epoch, best_params = value, epoch, params.copy()
        elif epoch - best_epoch >= patience:
            break
    return Result(average if held_out is None else best_params, True)


def _training_samples(objective, held_out):
    """Samples of positive weight that are not held out."""
    samples = np.flatnonzero(objective.weights)
    return samples if held_out is None else np.setdiff1d(samples, held_out)


def _epoch(objective, batches, params, vjp, descent, rng):
    """Moves the parameters along each mini-batch; returns the loss of the last one."""
    for batch in batches:
        drawn, rows = objective.batch(batch, rng), objective.answers.rows(batch)
        columns = drawn.answers.columns
        outputs, pullback = vjp(params, rows, *(() if columns is None else (columns,)))
        loss, by_outputs = drawn.value_and_gradient(outputs)
        descent.step(params, pullback(by_outputs), columns)
    return loss


def _evaluation(objective, held_out, vjp):
    """The loss of held-out samples as a function of the parameters."""
    if held_out is None:
        return None
    evaluation, rows = objective.take(held_out), objective.answers.rows(held_out)
    return lambda params: evaluation.held_out_loss(vjp(params, rows)[0])


class _Descent:
    """Steps along running means of gradients over those of their squares (the paper's rates).

    Rows of outputs that a mini-batch did not draw stay, and so do their means; the penalty of the
    steps that they missed is added to their next gradient.
    """

    def __init__(self, params, n_outputs, l2, l1, learning_rate, n_steps):
        self.n_outputs = n_outputs
        self.mean, self.square = np.zeros_like(params), np.zeros_like(params)
        self.l2, self.l1 = l2, l1
        self.learning_rate, self.n_steps, self.count = learning_rate, n_steps, 0
        self.counts = np.zeros(len(params), dtype=int)  # of the steps of each row
        self.seen = np.zeros(len(params), dtype=int)  # the last of them

    def step(self, params, gradient, columns=None):
        """Moves the parameters, or the rows of the columns; the rate falls along a cosine."""
        self.count += 1
        rate = self.learning_rate * 0.5 * (1 + np.cos(np.pi * self.count / self.n_steps))
        if columns is None:
            gradient = gradient + self.l2 * params + self.l1 * np.sign(params)
            params -= self._direction(gradient, rate, self.count, self.mean, self.square)
            return
        columns = np.append(columns, np.arange(self.n_outputs, len(params)))
        part = params[columns]
        missed = (self.count - self.seen[columns])[:, None].astype(part.dtype)
        self.counts[columns] += 1
        self.seen[columns] = self.count
        l2, l1 = (np.broadcast_to(by, params.shape)[columns] for by in (self.l2, self.l1))
        gradient = gradient + missed * (l2 * part + l1 * np.sign(part))
        mean, square = self.mean[columns], self.square[columns]
        counts = self.counts[columns][:, None]
        params[columns] = part - self._direction(gradient, rate, counts, mean, square)
        self.mean[columns], self.square[columns] = mean, square

    @staticmethod
    def _direction(gradient, rate, count, mean, square):
        """The step, after bringing the running means, which are written on, up to date."""
        mean += 0.1 * (gradient - mean)
        square += 0.001 * (gradient * gradient - square)
        rate = rate * (np.sqrt(1 - 0.999**count) / (1 - 0.9**count))
        if np.ndim(rate):
            rate = rate.astype(mean.dtype)
        return rate * mean / (np.sqrt(square) + 1e-8)
