"""How the parts of speed.py measure: CPU seconds and peaks of memory of ours and of a peer."""

import os
import statistics
import subprocess
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

FEWEST, ENOUGH_SECONDS = 3, 1.0  # runs of each, and more of what takes little time, up to
MOST = 25


class Comparison(NamedTuple):
    """Two actions, and how much more time the first may take.

    ``quality`` gives a dict of figures of what an action returns, such as of a fitted model.
    """

    name: str
    ours: Callable[[], Any]
    peer: Callable[[], Any]
    bound: float
    quality: Callable[[Any], dict] | None = None


def one_thread():
    """Restrict libraries of linear algebra, and OpenMP, which are loaded later, to one thread."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


def cpu_seconds(action):
    """The CPU seconds of an action, those of processes that it started included, and its result."""
    start = _cpu_time()
    with warnings.catch_warnings(action="ignore"):
        result = action()
    return _cpu_time() - start, result


def _cpu_time():
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def medians(*actions):
    """The median CPU seconds of each action, which take turns, and their last results."""
    seconds, results = [[] for _ in actions], [None] * len(actions)
    while len(seconds[0]) < FEWEST or (sum(map(sum, seconds)) < ENOUGH_SECONDS):
        for i, action in enumerate(actions):
            spent, results[i] = cpu_seconds(action)
            seconds[i].append(spent)
        if len(seconds[0]) >= MOST:
            break
    return [statistics.median(s) for s in seconds], results


def peak_bytes(action):
    """The most memory that is allocated from Python at once, in bytes, beyond what was before."""
    tracemalloc.start()
    with warnings.catch_warnings(action="ignore"):
        action()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def importing(module):
    """An action that imports a module in a new process."""
    return lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


def compare_times(title, comparisons):
    """A table of CPU seconds, their ratios beside the largest wanted, and figures of quality."""
    _compare(title, comparisons, "ms", lambda c: _milliseconds(c.ours, c.peer))


def compare_memory(title, comparisons):
    """The same of peaks of memory, in megabytes."""
    _compare(title, comparisons, "MB", lambda c: (_peaks(c.ours, c.peer), (None, None)))


def _milliseconds(*actions):
    seconds, results = medians(*actions)
    return [1000 * s for s in seconds], results


def _peaks(*actions):
    return [peak_bytes(action) / 1e6 for action in actions]


def _compare(title, comparisons, unit, measure):
    print(f"\n## {title}", flush=True)
    print(f"{'':34}{'ours, ' + unit:>12}{'peer, ' + unit:>12}{'ratio':>8}{'at most':>8}")
    for comparison in comparisons:
        (ours, peer), results = measure(comparison)
        ratio = ours / max(peer, 1e-9)
        line = f"{comparison.name:34}{ours:12.2f}{peer:12.2f}{ratio:8.2f}{comparison.bound:8.1f}"
        missed = " missed" if ratio > comparison.bound else "       "
        print(line + missed + _qualities(comparison.quality, results), flush=True)


def _qualities(quality, results):
    """Figures of ours / of the peer."""
    if quality is None:
        return ""
    ours, peer = map(quality, results)
    return "".join(f"  {name} {ours[name]:.4f} / {peer[name]:.4f}" for name in ours)
