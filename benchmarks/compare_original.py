"""Against the original program: densities, test loss, speed and memory, as tables.

With --original DIR, the folder of its mdn_train and mdn_apply, both are run on the same
files; without it ours is compared with what the original wrote when the files of
tests/data/original were made.
"""

import argparse
import math
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fmdn
import numpy as np
from speed_training import original_folder
from workers import available_cores, limited, pinned

DATA = Path(__file__).parents[1] / "tests" / "data" / "original"
SETTINGS = ["-n", "10"]
ITERATIONS = 300
# Mean test losses of three committees that the original trained with these settings.
RECORDED = [4.758, 4.757, 4.758]
GRID = (400, 1800, 57)


def ours(program):
    """Give the command of our program: the native one if it is there."""
    native = Path(__file__).parents[1] / "build" / "release" / program
    if native.exists():
        return [str(native)]
    return [sys.executable, "-c", f"from fmdn.cli import {program} as f; exit(f())"]


def run(command, *words, cores):
    """Seconds that a program takes, and megabytes where the system tells (Linux)."""
    with pinned(cores), tempfile.TemporaryFile("w+") as said:
        start = time.perf_counter()
        process = subprocess.Popen(
            [*command, *map(str, words)],
            stdout=said, stderr=said, env=limited(len(cores)),
        )  # fmt: skip
        memory = math.nan
        while process.poll() is None:
            memory = np.fmax(memory, megabytes(process.pid))
            time.sleep(0.005)
        seconds = time.perf_counter() - start
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{command[0]} failed: {said.read().strip()}")
    return seconds, memory


def megabytes(process):
    """Most memory that a process has had so far."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
        return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 2**10
    except (OSError, TypeError):
        return math.nan


def train(program, folder, iterations, cores, seed=None):
    """Test loss, seconds and megabytes of a training."""
    output = folder / "committee.out"
    words = [*SETTINGS, "-t", iterations, "-o", output]
    if seed is not None:
        words += ["--seed", seed]
    files = [DATA / "train.txt", DATA / "monitor.txt"]
    seconds, memory = run(program, *words, *files, cores=cores)
    return test_loss(fmdn.load(output)), seconds, memory


def test_loss(committee):
    """Mean of -log p of the test rows, in nats."""
    rows = np.loadtxt(DATA / "test.txt")
    return -committee.score(rows[:, :-1], rows[:, -1])


def densities(program, folder):
    """Densities of the original's committee, as a program writes them."""
    output = folder / "densities.txt"
    low, high, n = GRID
    words = ["--has-targets", "--output-pdf", f"--m-lo={low}", f"--m-up={high}"]
    words += [f"--m-num={n}", "-o", output, DATA / "committee.out", DATA / "test.txt"]
    run(program, *words, cores=available_cores()[:1])
    return np.loadtxt(output)


def agreement(options, folder):
    if options.original:
        theirs = densities([str(options.original / "mdn_apply")], folder)
    else:
        theirs = np.loadtxt(DATA / "pdf_test.txt")
    large = theirs > 1e-280
    difference = densities(ours("mdn_apply"), folder)[large] / theirs[large] - 1
    yield f"{large.sum()} densities of one committee differ by at most"
    yield f"{np.abs(difference).max():.1e} of their value."


def losses(options, folder, original):
    """After the same iterations."""
    cores = available_cores()[:2]
    mine = [
        train(ours("mdn_train"), folder, options.iterations, cores, seed)[0]
        for seed in range(options.seeds)
    ]
    theirs = RECORDED
    if original:
        runs = range(min(3, options.seeds))
        theirs = [train(original, folder, options.iterations, cores)[0] for _ in runs]
    rows = np.loadtxt(DATA / "train.txt"), np.loadtxt(DATA / "monitor.txt")
    (training, monitor) = [(r[:, :-1], r[:, -1]) for r in rows]
    defaults = []
    for seed in range(options.seeds):
        limit = {"max_iter": options.iterations} if options.quick else {}
        committee = fmdn.Committee(seed=seed, **limit).fit(*training, monitor=monitor)
        defaults.append(test_loss(committee))
    yield f"| test loss, nats | {len(mine)} seeds | mean |"
    yield "|---|---|---|"
    for name, values in (
        (f"ours, `-n 10 -t {options.iterations}`", mine),
        ("the original" + ("" if original else ", recorded with `-t 300`"), theirs),
        ("ours, the package's own defaults", defaults),
    ):
        shown = " ".join(f"{value:.3f}" for value in values)
        yield f"| {name} | {shown} | {np.mean(values):.3f} |"


def speed(options, folder, original):
    """Seconds of a training, and what it takes of memory, on 1 and on 2 threads."""
    programs = {"ours": ours("mdn_train")} | (
        {"the original": original} if original else {}
    )
    yield "| | threads | seconds | MB |"
    yield "|---|---|---|---|"
    took = {}
    for n in range(1, 1 + min(2, len(available_cores()))):
        cores = available_cores()[:n]
        for name, program in programs.items():
            results = [
                train(program, folder, options.iterations, cores)[1:]
                for _ in range(options.repeats)
            ]
            took[name], memory = np.median(results, axis=0)
            yield f"| {name} | {n} | {took[name]:.2f} | {memory:.0f} |"
    if not original:
        return
    more = round(options.iterations * took["the original"] / took["ours"])
    loss, seconds, _ = train(programs["ours"], folder, more, cores)
    theirs, their_seconds, _ = train(original, folder, options.iterations, cores)
    yield ""
    yield f"After the same time, {their_seconds:.1f} s for the original's"
    yield f"{options.iterations} iterations and {seconds:.1f} s for {more} of ours:"
    yield f"test loss {loss:.3f}, the original {theirs:.3f}."


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--original", metavar="DIR", type=original_folder,
        help="folder with the original's mdn_train and mdn_apply")  # fmt: skip
    add("--quick", action="store_true", help="small numbers, to see that it runs")
    options = parser.parse_args(arguments)
    options.original = options.original and Path(options.original)
    options.seeds, options.repeats, options.iterations = 5, 3, ITERATIONS
    if options.quick:
        options.seeds, options.repeats, options.iterations = 1, 1, 3
    return options


def main():
    options = parse()
    original = [str(options.original / "mdn_train")] if options.original else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, lines in (
            ("Agreement", agreement(options, folder)),
            ("Test loss", losses(options, folder, original)),
            ("Speed and memory", speed(options, folder, original)),
        ):
            print(f"\n## {title}\n")
            for line in lines:
                print(line, flush=True)


if __name__ == "__main__":
    main()
