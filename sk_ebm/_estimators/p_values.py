"""What held-out energies say of new rows: p-values, selections, and bounds on false alarms."""

from functools import partial

from sklearn.utils.validation import check_is_fitted

from sk_ebm._core.discoveries import discoveries
from sk_ebm._estimators.strata import check_strata
from sk_ebm._utils.validation import check_choice, check_number
from sk_ebm.thresholds import TAILS, FalseAlarm


class PValues:
    """Mixin of a detector with ``energies(X)``, a threshold, references and strata."""

    def p_values(self, X, tail=None, strata=None):
        """(1 + #{calibration energies >= E(x)}) / (1 + n): small for anomalies.

        For compatible rows that are exchangeable with the calibration rows, a p-value is at
        most u with probability at most u.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        tail : {None, "exponential"}, default=None
            None is valid for any distribution, and never less than 1 / (1 + n). "exponential"
            continues p-values beyond the largest calibration energy by an exponential tail,
            estimated from the highest tenth of them: valid if energies have such a tail, as those
            in nats have.
        strata : array-like of shape (n_samples,), default=None
            As in `fit`: rows are then compared with the calibration rows of their stratum. They are
            compared with all for None and, with a warning, in strata that had too few, or none.

        Returns
        -------
        p_values : ndarray of shape (n_samples,)
        """
        check_choice("tail", tail, TAILS)
        return self._p_values(X, strata)(tail)

    def _p_values(self, X, strata):
        """The p-values of inputs as a function of the tail."""
        strata, energies = check_strata(strata, X), self.energies(X)
        if strata is None:
            return partial(self._reference(0).p_values, energies)
        return partial(self._strata.p_values, energies, strata, self._reference(0))

    def select(self, X, false_discovery_rate=0.1, tail=None, strata=None):
        """Which rows are anomalies, with a bound on the share of false discoveries.

        Benjamini and Hochberg's procedure on the p-values of these rows, which judges the
        rows together (Bates et al., "Testing for outliers with conformal p-values", 2023).

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
        false_discovery_rate : float, default=0.1
            Bound on the expected share of compatible rows among those selected, in (0, 1).
        tail : {None, "exponential"}, default=None
            As in `p_values`. Without a tail, calibration rows can be too few for any selection, of
            which a warning tells.
        strata : array-like of shape (n_samples,), default=None
            As in `p_values`.

        Returns
        -------
        selected : ndarray of bool, shape (n_samples,)
        """
        check_number("false_discovery_rate", false_discovery_rate, 0, 1)
        check_choice("tail", tail, TAILS)
        p_values = self._p_values(X, strata)
        return discoveries(p_values, false_discovery_rate, tail, self._reference(0).n_rows)

    def false_alarm_bounds(self, confidence=0.9):
        """Bounds on the share of new compatible rows that are flagged, by `threshold_`.

        They hold with this confidence over samples of calibration rows, where `p_values` and
        guarantees hold on average: quantiles of a Beta(m + 1, n - m) distribution, if m of n
        held-out energies exceed a conformal threshold, and those of Clopper and Pearson for other
        thresholds. They are approximate where guarantees are, and where energies tie, the lower one
        is too.

        Parameters
        ----------
        confidence : float, default=0.9
            In (0, 1): that both bounds hold.

        Returns
        -------
        low, high : float

        References
        ----------
        Bates, Candes, Lei, Romano and Sesia, "Testing for outliers with conformal p-values", Annals
        of Statistics, 2023.

        Examples
        --------
        >>> import numpy as np
        >>> from sk_ebm import EnergyDetector
        >>> X = np.random.RandomState(0).standard_normal((1000, 3))
        >>> detector = EnergyDetector("gaussian", calibration="split", random_state=0).fit(X)
        >>> low, high = detector.false_alarm_bounds(confidence=0.9)
        >>> print(f"{low:.3f} to {high:.3f}")
        0.031 to 0.072
        """
        check_number("confidence", confidence, 0, 1)
        check_is_fitted(self)
        is_rank = isinstance(self._threshold, FalseAlarm)
        return self._reference(0).false_alarm_bounds(self.threshold_, confidence, is_rank)

    @property
    def stratum_thresholds_(self):
        return self._strata.levels

    def _reference(self, column):
        if self.calibration_energies_ is None:
            raise ValueError(
                "p-values and bounds need calibration energies, of which calibration=None left "
                "none: use calibration='cv' or 'split', or call calibrate(X)."
            )
        return self._references[column]
