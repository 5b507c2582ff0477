"""Training: a member-iteration, ours and the original program's; what threads bring."""

import os
import subprocess
import tempfile
import time
from argparse import ArgumentTypeError
from pathlib import Path

import fmdn
import numpy as np
from speed_loss import N_ROWS, core_sets
from workers import in_turns, limited, pinned

N_INPUTS, N_MONITOR = 28, 2_000
HIDDEN, KERNELS = 30, 6


def make_rows(n):
    rng = np.random.default_rng(1)
    inputs = rng.standard_normal((n, N_INPUTS))
    return inputs, np.tanh(inputs[:, 0]) + 0.3 * rng.standard_normal(n)


def train(rows, monitor, n_members, max_iter, cores):
    """Train for exactly so many iterations: seconds, and the parameters."""
    committee = fmdn.Committee(
        n_members,
        hidden=HIDDEN,
        kernels=KERNELS,
        max_iter=max_iter,
        patience=None,
        n_threads=len(cores),
    )
    with pinned(cores):
        start = time.perf_counter()
        committee.fit(*rows, monitor=monitor)
        seconds = time.perf_counter() - start
    if any(one["n_iterations"] != max_iter for one in committee.history_):
        raise AssertionError("a member stopped before its last iteration")
    return seconds, committee.parameters_


def per_member_iteration(run, n_members, lengths):
    """Seconds from two runs of different lengths: what comes before cancels."""
    short, long = (run(length) for length in lengths)
    return (long - short) / (n_members * (lengths[1] - lengths[0]))


# --- Against the original program ---------------------------------------------------


def original_seconds(program, folder, n_members, max_iter, cores):
    """Time of `mdn_train` with OpenMP over members, BLAS with one thread."""
    options = {"n": n_members, "l": HIDDEN, "u": HIDDEN, "j": KERNELS, "k": KERNELS}
    command = [program]
    for option, value in (options | {"t": max_iter}).items():
        command += [f"-{option}", str(value)]
    command += ["-o", "original.out", "training.txt", "monitor.txt"]
    environment = limited(1) | {"OMP_NUM_THREADS": str(len(cores))}
    with pinned(cores):
        start = time.perf_counter()
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True
        )
    if done.returncode != 0:
        message = (done.stderr + done.stdout).strip().splitlines() or ["no message"]
        raise RuntimeError(f"{program} failed: {message[-1]}")
    return time.perf_counter() - start


def write_table(path, inputs, targets):
    """ASCII, a row a line, the target last."""
    np.savetxt(path, np.column_stack([inputs, targets]), fmt="%.9e")


def measure_training(options):
    """Seconds of a member-iteration with the monitor set, and ratios to ours."""
    n, n_members, repeats = N_ROWS, 2, 5
    lengths, original_lengths = (5, 45), (2, 12)
    if options.quick:
        n, repeats, lengths = 2_000, 1, (2, 12)
    rows, monitor = make_rows(n), make_rows(N_MONITOR)
    runs = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, cores in core_sets().items():
            runs[f"fmdn, {name}"] = lambda cores=cores: per_member_iteration(
                lambda length: train(rows, monitor, n_members, length, cores)[0],
                n_members,
                lengths,
            )
        if options.original:
            program = Path(options.original).resolve() / "mdn_train"
            write_table(Path(folder) / "training.txt", *rows)
            write_table(Path(folder) / "monitor.txt", *monitor)
            for name, cores in core_sets().items():
                runs[f"original, {name}"] = lambda cores=cores: per_member_iteration(
                    lambda length: original_seconds(
                        program, folder, n_members, length, cores
                    ),
                    n_members,
                    original_lengths,
                )
        times = in_turns(runs, repeats)
    seconds = {name: float(np.median(values)) for name, values in times.items()}
    ratio = {}
    for name, values in times.items():
        ours = times[name.replace("original", "fmdn")]
        ratio[name] = float(np.median(np.divide(values, ours)))
    return {"rows": n, "members": n_members, "seconds": seconds, "ratio": ratio}


# --- Threads --------------------------------------------------------------------------


def measure_scaling(options):
    """How many times as fast two threads are, for several members and for one."""
    sets = list(core_sets().values())
    n, repeats, lengths = N_ROWS, 5, (5, 35)
    if options.quick:
        n, repeats, lengths = 2_000, 1, (2, 12)
    rows, monitor = make_rows(n), make_rows(N_MONITOR)
    results = {}
    for n_members in (4, 1):
        bits = {}

        def seconds(length, cores, n_members=n_members, bits=bits):
            time_taken, parameters = train(rows, monitor, n_members, length, cores)
            bits.setdefault(length, set()).add(parameters.tobytes())
            return time_taken

        runs = {
            len(cores): lambda cores=cores, n_members=n_members, seconds=seconds: (
                per_member_iteration(
                    lambda length: seconds(length, cores), n_members, lengths
                )
            )
            for cores in sets
        }
        times = in_turns(runs, repeats)
        if any(len(different) > 1 for different in bits.values()):
            raise AssertionError("another number of threads gave other parameters")
        if len(sets) > 1:
            ratio = float(np.median(np.divide(times[1], times[2])))
            results[str(n_members)] = ratio
    return results


def original_folder(text):
    """Check the argument of --original."""
    if not os.access(Path(text) / "mdn_train", os.X_OK):
        raise ArgumentTypeError(f"there is no program mdn_train in {text}")
    return text
