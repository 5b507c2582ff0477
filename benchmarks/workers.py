"""Programs that are compared: each in a process of its own, on its cores, in turns.

A process for each, since the number of threads, the cores and XLA's flags are settled
when a library starts. While one works the others wait, and they take turns, so that
a machine that changes its speed changes it for all.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

import numpy as np


def available_cores():
    """Numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


@contextmanager
def pinned(cores):
    """Keep what is started inside to these cores, where the system can (Linux)."""
    before = available_cores()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, before)


def limited(n_threads):
    """Give the environment that asks libraries for a number of threads."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(n_threads))
    # fmdn has set it in this process; others do better without.
    environment.pop("OMP_WAIT_POLICY", None)
    return environment


class Failed(RuntimeError):
    """A worker that ended; the last line that it said."""


class Worker:
    """One program of `peers.py` with one setting, in a process of its own."""

    def __init__(self, name, program, form, cores):
        self.name = name
        flags = f"--xla_force_host_platform_device_count={len(cores)}"
        environment = limited(len(cores)) | {"JAX_TRACEBACK_FILTERING": "off"}
        if form == "tiles":
            environment["XLA_FLAGS"] = flags
        self._errors = tempfile.TemporaryFile("w+")
        with pinned(cores):
            self._process = subprocess.Popen(
                [sys.executable, __file__, program, form, str(len(cores))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=environment,
                text=True,
            )
        self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            self.close()
            self._errors.seek(0)
            lines = self._errors.read().strip().splitlines()
            raise Failed(lines[-1] if lines else "it ended without a word")
        return json.loads(line)

    def ask(self, what, value):
        """Call a method of the program in its process."""
        self._process.stdin.write(json.dumps([what, value]) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def start(settings):
    """Start workers, (name, program, form, cores) each; say which are not to be had."""
    workers = []
    for setting in settings:
        try:
            workers.append(Worker(*setting))
        except Failed as error:
            print(f"without {setting[0]}: {error}", file=sys.stderr)
    return workers


def in_turns(runs, repeats):
    """Call functions by name in turns: lists of what they give, one value a round."""
    results = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            results[name].append(run())
            time.sleep(0.01)  # threads that still spin come to rest
    return results


def median_time(function, seconds):
    """Median time of a call, of as many as fit into the given time; at least one."""
    times = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def serve():
    """Build the program named in the arguments and do what the parent asks."""
    name, form, n_threads = sys.argv[1:]
    # What libraries print must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from peers import PROGRAMS

    program = PROGRAMS[name](form, int(n_threads))
    print("null", file=answers, flush=True)
    for line in sys.stdin:
        what, value = json.loads(line)
        if what == "load":
            with np.load(value) as problem:
                answer = program.load(dict(problem))
        else:  # the time of an evaluation, a first one for warmth
            program.evaluate()
            answer = median_time(program.evaluate, value)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve()
