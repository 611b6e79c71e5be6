"""Memory that this process can still have, and refusals of results that exceed it."""

import os
from contextlib import suppress
from pathlib import Path

_ALWAYS_FITS = 2**28  # bytes for which the system is not asked: that takes .3 ms
_SYSTEM, _PROCESS = Path("/proc/meminfo"), Path("/proc/self/statm")
_CONTAINER = Path("/sys/fs/cgroup")


def available_memory():
    """Bytes: the least of what the system, the container and the limit of the process leave;
    infinite where nothing says how much there is."""
    return min(_left_by_system(), _left_by_container(), _left_by_limit())


def _left_by_system():
    with suppress(OSError, KeyError):
        return 1024 * _numbers(_SYSTEM)["MemAvailable:"]
    with suppress(AttributeError, ValueError, OSError):  # elsewhere, all that there is
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return float("inf")


def _left_by_container():
    with suppress(OSError, ValueError, KeyError):  # no container, or one without a limit
        limit = int((_CONTAINER / "memory.max").read_text())
        used = int((_CONTAINER / "memory.current").read_text())
        return limit - used + _numbers(_CONTAINER / "memory.stat")["inactive_file"]
    return float("inf")


def _left_by_limit():
    with suppress(ImportError, OSError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            return limit - int(_PROCESS.read_text().split()[0]) * resource.getpagesize()
    return float("inf")


def _numbers(path):
    """Second words of the lines of a file, by the first."""
    lines = map(str.split, path.read_text().splitlines())
    return {line[0]: int(line[1]) for line in lines}


def check_fits_in_memory(n_bytes, what, remedy):
    """Raise a ValueError where results of so many bytes exceed the available memory."""
    if n_bytes <= _ALWAYS_FITS:
        return
    available = available_memory()
    if n_bytes > available:
        raise ValueError(
            f"{what} need {n_bytes / 2**30:.3g} GiB of memory, of which "
            f"{available / 2**30:.3g} GiB are available. {remedy}"
        )
