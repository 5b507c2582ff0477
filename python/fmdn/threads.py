"""How many threads the core may use."""

from __future__ import annotations

import os

from .checks import check_integer

MAX_THREADS = 1024  # the OpenMP runtime ends the process where it cannot make them

_forked = False


def _after_fork() -> None:
    # The OpenMP runtime's threads do not survive a fork; one thread always works.
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def count_threads(n_threads: int | None = None) -> int:
    """Threads to use: those asked for, else OMP_NUM_THREADS, else all cores."""
    if _forked:
        return 1
    if n_threads is not None:
        return check_integer("n_threads", n_threads, 1, MAX_THREADS)
    setting = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if setting.isdigit() and int(setting) > 0:
        return min(int(setting), MAX_THREADS)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
