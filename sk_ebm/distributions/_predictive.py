"""The predictive distributions of rows, of one target or several, as one object."""

from functools import cached_property
from numbers import Integral
from operator import methodcaller

import numpy as np
from sklearn.utils import check_random_state

from sk_ebm._utils.validation import check_number
from sk_ebm.distributions._display import frame_of, plot_densities
from sk_ebm.distributions._values import (
    as_levels,
    per_row,
    per_row_and_target,
    without_infinity,
)


class PredictiveDistribution:
    """Predictive distributions p(y given x), one for each of n rows.

    `EnergyDensityEstimator.predict_distribution` returns it. All is asked by methods, as of scipy's
    frozen distributions. Values y may be a number, the same for all rows, or an array: (n,) with
    one for each row gives (n,); (n, k) with k for each row gives (n, k); a grid (1, k) for all rows
    gives (n, k), and of a single row any (k,) is a grid. Probabilities come in the same shapes.
    Statistics have shape (n,).

    With t targets, statistics are of each target given x alone and have shape (n, t), values have a
    last axis of targets, as in (n, t) or (n, k, t), and ``pdf`` and ``logpdf`` are of all targets
    together, (n,) or (n, k). From the second target on statistics are those of 2,200 draws.

    ``distribution[rows]`` takes rows, ``distribution[i]`` is that of one row, and
    ``len(distribution)`` counts them. It stays as it is when the estimator is fitted again.

    Parameters
    ----------
    chain : ConditionalChain
        Fitted conditionals.
    X : ndarray of shape (n, n_features)
    seed : int, default=None
        Of the draws that stand for the marginals of several targets.
    index : array-like of shape (n,), default=None
        Names of the rows, for `to_frame`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sk_ebm import EnergyDensityEstimator
    >>> X, y = load_diabetes(return_X_y=True)
    >>> density = EnergyDensityEstimator("linear", location=Ridge(), random_state=0)
    >>> distribution = density.fit(X[:300], y[:300]).predict_distribution(X[300:302])
    >>> distribution.cdf([[100, 150, 200]]).round(1)
    array([[0.1, 0.2, 0.4],
           [0.4, 0.7, 0.9]])
    >>> distribution.interval(0.8).round(-1)
    array([[110., 310.],
           [ 50., 220.]])
    """

    def __init__(self, chain, X, *, seed=None, index=None):
        self._chain = chain
        self._X = X
        self._seed = seed
        self._index = index

    def __len__(self):
        return len(self._X)

    @property
    def n_targets(self):
        """The number of targets, t."""
        return len(self._chain.conditionals)

    def __getitem__(self, rows):
        """The distributions of some rows, by an integer, a slice, a mask or indices."""
        rows = slice(rows, rows + 1 or None) if self._is_row(rows) else rows
        rows = rows if isinstance(rows, slice) else np.asarray(rows)
        X, index = self._X[rows], None if self._index is None else self._index[rows]
        if not len(X):
            raise ValueError(f"rows must take at least one of {len(self)} rows, got none.")
        return type(self)(self._chain, X, seed=self._seed, index=index)

    def _is_row(self, rows):
        if not isinstance(rows, Integral) or isinstance(rows, bool):
            return False
        if not -len(self) <= rows < len(self):
            raise IndexError(f"There are {len(self)} rows, got index {rows}.")
        return True

    def __repr__(self):
        targets = f" of {self.n_targets} targets" if self.n_targets > 1 else ""
        return f"<{type(self).__name__}: {len(self)} rows{targets}>"

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "_held"}

    @cached_property
    def _held(self):
        """The `Distribution` of each target of all rows, where these are no more than a block."""
        return self._chain.marginals(self._X, self._seed)

    def marginals(self):
        """The `Distribution` of each target, of all rows at once."""
        return self._held

    def _blocks(self):
        """Slices of rows and the `Distribution` of each target in these rows."""
        blocks = self._chain.blocks_of_marginals(self._X)
        if len(blocks) == 1:
            yield blocks[0], self._held
            return
        for rows in blocks:
            yield rows, self._chain.marginals(self._X[rows], self._seed)

    def of_each(self, question, values=None):
        """What a function of the `Distribution` of a target returns, for all rows and targets.

        Rows are evaluated in blocks, so that many need little memory.

        Parameters
        ----------
        question : callable or list of callables
            ``question(distribution)`` returns an array (n, ...); a list has one for each target.
        values : ndarray of shape (n, k, t), default=None
            Then it is ``question(distribution, values)`` with the values (n, k) of the target.

        Returns
        -------
        answers : ndarray of shape (n, ...) or (n, t, ...)
            With an axis of targets where there are several.
        """
        questions = question if isinstance(question, list) else [question] * self.n_targets
        answers = []
        for rows, marginals in self._blocks():
            given = [()] * self.n_targets
            if values is not None:
                given = [[values[rows, :, j]] for j in range(self.n_targets)]
            block = [ask(d, *v) for ask, d, v in zip(questions, marginals, given, strict=True)]
            answers.append(block[0] if self.n_targets == 1 else np.stack(block, axis=1))
        return np.concatenate(answers)

    def _of_single(self, method, question):
        """The same, where there is one target."""
        self._chain.single(method)
        return self.of_each(question)

    def _values(self, y):
        """Values (n, k, t), and whether there is one for each row."""
        if self.n_targets > 1:
            return per_row_and_target("y", y, len(self), self.n_targets)
        y, is_single = per_row("y", y, len(self))
        return y[:, :, None], is_single

    def _at(self, question, y):
        """What a question about values (n, k) of each target says of y, in the shape of y."""
        values, is_single = self._values(y)
        answers = self.of_each(question, values)
        if self.n_targets > 1:
            answers = answers.swapaxes(1, 2)  # (n, k, t)
        return answers[:, 0] if is_single else answers

    def log_prob(self, y, kind="density"):
        """Log density in nats, or with ``kind="mass"`` the log mass of what is rounded to y."""
        values, is_single = self._values(y)
        n_rows, n_values, n_targets = values.shape
        if n_targets == 1:
            measure = self._chain.conditionals[0].log_prob_of
            logs = self.of_each(lambda d, y: measure(d, y, kind), values)
        else:
            X = np.repeat(self._X, n_values, axis=0)
            logs = self._chain.log_prob(X, values.reshape(-1, n_targets), kind)
            logs = logs.reshape(n_rows, n_values)
        return logs[:, 0] if is_single else logs

    def logpdf(self, y):
        """Log density in nats, of all targets together; of a rounded answer before rounding.

        At a point mass it is that of the mass divided by the rounding step, or by a hundredth of
        the standard deviation of y where there is none.
        """
        return self.log_prob(y)

    def pdf(self, y):
        """The density, as `logpdf`."""
        return np.exp(self.logpdf(y))

    def pmf(self, y):
        """P(Y = y): positive at point masses and at the values to which y is rounded, else 0."""
        return self._at(lambda d, y: d.pmf(y), y)

    def cdf(self, y):
        """P(Y <= y); y may be infinite."""
        return self._at(lambda d, y: d.cdf(y), without_infinity(y))

    def sf(self, y):
        """P(Y > y), the survival function."""
        return 1 - self.cdf(y)

    def pit(self, y, random_state=None):
        """Probability integral transform: uniform on (0, 1) where the distributions are right.

        It is the cdf; at a point mass, or a value to which y is rounded, a random number between
        P(Y < y) and P(Y <= y) (Czado, Gneiting and Held, 2009).

        Parameters
        ----------
        y : array-like
        random_state : int, RandomState instance or None, default=None
            Draws these numbers; None means a seed of the estimator's, the same at each call.
        """
        below, upper = self.cdf_below(y), self.cdf(y)
        rng = check_random_state(self._seed if random_state is None else random_state)
        return upper - (upper - below) * rng.uniform(size=np.shape(upper))

    def cdf_below(self, y):
        """P(Y < y), which differs from `cdf` at point masses."""
        return self._at(lambda d, y: d.cdf_below(y), without_infinity(y))

    def crps(self, y):
        """Continuous ranked probability score, in the unit of y: low is good."""
        return self._at(lambda d, y: d.crps(y), y)

    def energies(self, y):
        """E(x, y) = -log p(y given x) - log Z(x) in nats, of a single target."""
        self._chain.single("energies")
        return self._at(lambda d, y: d.energies(y), y)

    def ppf(self, p):
        """Quantiles: the least values with cdf at least p, in (0, 1), in the order given.

        Returns
        -------
        quantiles : ndarray of shape (n,) or (n, k)
            Of several targets (n, t) or (n, t, k).
        """
        levels, is_single = per_row("p", as_levels("p", p), len(self))
        levels = np.repeat(levels[:, :, None], self.n_targets, axis=2)
        quantiles = self.of_each(lambda d, p: d.ppf(p), levels)
        return quantiles[..., 0] if is_single else quantiles

    def mean(self):
        return self.of_each(methodcaller("mean"))

    def var(self):
        return self.of_each(methodcaller("var"))

    def std(self):
        return np.sqrt(self.var())

    def median(self):
        return self.of_each(methodcaller("median"))

    def mode(self):
        """The value of greatest density or mass, of a single target."""
        return self._of_single("mode", methodcaller("mode"))

    def interval(self, coverage=0.9):
        """Ends of the equal-tailed interval with that probability.

        Returns
        -------
        interval : ndarray of shape (n, 2)
            Of several targets (n, t, 2), each with this probability.
        """
        check_number("coverage", coverage, 0, 1)
        return self.of_each(lambda d: d.interval(coverage))

    def shortest_interval(self, coverage=0.9):
        """Ends of the shortest interval with that probability, shaped as those of `interval`."""
        check_number("coverage", coverage, 0, 1)
        return self.of_each(lambda d: d.shortest_interval(coverage))

    def hdr(self, coverage=0.9):
        """Highest-density region: the values of greatest density with that probability together.

        Of a distribution with several peaks it is a union of intervals (Hyndman, 1996). Point
        masses come first, as intervals of length zero; of rounded answers an interval is a run of
        neighbouring values.

        Returns
        -------
        regions : list of ndarray of shape (k_i, 2)
            One for each row: the ends of its intervals, ascending.
        """
        check_number("coverage", coverage, 0, 1)
        self._chain.single("hdr")
        return [region for _, (d,) in self._blocks() for region in d.hdr(coverage)]

    def rvs(self, size=1, random_state=None):
        """Draws, of several targets together.

        Parameters
        ----------
        size : int, default=1
            Draws m for each row.
        random_state : int, RandomState instance or None, default=None

        Returns
        -------
        draws : ndarray of shape (n, m)
            Of several targets (n, m, t).
        """
        check_number("size", size, 1, closed=True, kind=Integral)
        rng = check_random_state(random_state)
        draws = self._chain.draws(self._X, size, rng)[:, :, self._X.shape[1] :]
        return draws[:, :, 0] if self.n_targets == 1 else draws

    def support(self):
        """Ends of the support, (n, 2), infinite where there are none."""
        return self.of_each(methodcaller("support"))

    def grid(self):
        """Candidate values (n, q) of a single target: quadrature nodes and point masses, or what y
        is rounded to."""
        return self._of_single("grid", lambda d: d.grid)

    def grid_masses(self):
        """Gibbs masses (n, q) of the values of `grid`, which sum to one."""
        return self._of_single("grid_masses", lambda d: d.masses)

    def to_frame(self, quantiles=(0.05, 0.5, 0.95)):
        """Mean, standard deviation and quantiles as a pandas frame, a row for each distribution.

        Parameters
        ----------
        quantiles : sequence of float, default=(0.05, 0.5, 0.95)

        Returns
        -------
        frame : pandas.DataFrame
            With the index of X where X was a frame. Columns are "mean", "std" and one such as
            "q0.05" for each quantile; of several targets (target, column).
        """
        return frame_of(self, quantiles, self._index)

    def to_skpro(self):
        """The distribution as one of skpro, where that is installed, of a single target.

        Metrics of skpro also take the distribution itself: they read its `columns` and `loc`.

        Returns
        -------
        distribution : skpro.distributions.base.BaseDistribution
            With one column, and the index of X where X was a frame.
        """
        self._chain.single("to_skpro")
        from sk_ebm.distributions._skpro import SkproDistribution

        return SkproDistribution(self, index=self._index)

    @property
    def columns(self):
        """The column of the distribution as one of skpro (`to_skpro`)."""
        return self._of_skpro().columns

    @property
    def loc(self):
        """Columns and rows of the distribution as one of skpro (`to_skpro`)."""
        return self._of_skpro().loc

    def _of_skpro(self):
        """`to_skpro`, with an AttributeError where there is none."""
        try:
            return self.to_skpro()
        except (ImportError, ValueError) as error:
            raise AttributeError(f"columns and loc are those of skpro: {error}") from error

    def plot(self, ax=None, n_rows=10):
        """The densities of the first rows, with matplotlib (extra ``plot``).

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes one.
        n_rows : int, default=10

        Returns
        -------
        ax : matplotlib Axes
        """
        check_number("n_rows", n_rows, 1, closed=True, kind=Integral)
        self._chain.single("plot")
        return plot_densities(self[:n_rows], ax)
