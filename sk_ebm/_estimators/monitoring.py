"""What callbacks and users see of a fit while it runs."""

from contextlib import contextmanager
from copy import copy
from time import perf_counter

from sklearn.callback import CallbackSupportMixin


class Monitored(CallbackSupportMixin):
    """Mixin of estimators whose fits call callbacks, and print lines where ``verbose`` asks so."""

    @contextmanager
    def _reporting(self, X, y, sample_weight=None):
        """Runs a fit within a callback context; gives what is called after each iteration."""
        context = self._init_callback_context(max_subtasks=None)
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        data = {"estimator": self, "X": X, "y": y, "metadata": metadata}
        context.call_on_fit_task_begin(**data)
        print_step = step_printer(self)

        def report(value, attributes):
            print_step(value)
            task = context.subcontext(task_name="iteration").call_on_fit_task_begin(estimator=self)
            task.call_on_fit_task_end(**data, reconstruction_attributes=attributes)

        yield report
        print_step()
        context.call_on_fit_task_end(**data, reconstruction_attributes={})

    @staticmethod
    def _monitored(training, report, finished):
        """The training, after whose iterations callbacks get an estimator with the attributes
        ``finished(energy)``, as if the fit had ended there."""

        def report_energy(value, fitted):
            report(value, lambda: finished(fitted()))

        return training.replace(report=report_energy)


def finished_detector(detector, inputs, training, threshold, labels, energy):
    """Fitted attributes of a detector with this energy, whose threshold is learned from the rows
    of the fit."""
    fitted, weights = copy(detector), training.objective.weights
    fitted.energy_ = energy
    energies = fitted._all_energies(inputs, training.answers)
    fitted._set_thresholds(threshold, energies, weights, labels)
    fitted._set_reference(energies, weights, labels)
    return vars(fitted)


def step_printer(estimator):
    """``print_step(value)`` prints a line after an iteration of an estimator with ``verbose``, and
    ``print_step()`` one at the end."""
    if not estimator.verbose:
        return lambda value=None: None
    name, started, n_steps = type(estimator).__name__, perf_counter(), 0

    def print_step(value=None):
        nonlocal n_steps
        elapsed = f"{perf_counter() - started:.2f} s"
        if value is None:
            print(f"[{name}] fitted after {n_steps} iterations, {elapsed}", flush=True)
            return
        n_steps += 1
        print(f"[{name}] iteration {n_steps}: objective {value:.6g}, {elapsed}", flush=True)

    return print_step
