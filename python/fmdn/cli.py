"""The commands: mdn_train, mdn_apply, and fmdn train | apply | info | report.

The first two have the options, defaults, files and output of the original Fortran
package; native programs of the same names do the same without Python.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np

from . import _boundary, _boundary_file
from ._boundary_inputs import target_scale
from ._boundary_table import format_rows
from .command_line import CommandError, CommandLine, Option
from .committee import Committee
from .data_files import read_rows, write_whole
from .threads import count_threads

ROWS_AT_ONCE = 1000
THREADS = Option("", "threads", "N", "", "threads (OMP_NUM_THREADS, or all cores)")
HELP = Option("h", "help", "", "", "print this")
TRAIN = [
    Option("n", "n-ct-members", "N", "10", "members of the committee"),
    Option("l", "n-hid-min", "N", "25", "hidden units of a member, at least"),
    Option("u", "n-hid-max", "N", "50", "hidden units of a member, at most"),
    Option("j", "n-kern-min", "N", "3", "Gaussian kernels of a member, at least"),
    Option("k", "n-kern-max", "N", "8", "Gaussian kernels of a member, at most",
           alias="nkern-max"),
    Option("t", "max-iter", "N", "1000", "L-BFGS iterations of a member"),
    Option("o", "output-file", "FILE", "mdnc.out", "the trained committee"),
    Option("", "format", "FORMAT", "original", "of that file: original or fmdn"),
    Option("", "seed", "N", "0", "the same seed gives the same committee"),
    THREADS,
    Option("", "patience", "N", "0",
           "stop after N iterations without improvement; 0: never"),
    Option("", "weighting-file", "FILE", "",
           "data that weigh the members (the monitor data)"),
    Option("", "legacy-weights", "", "", "let the monitor data weigh the members"),
    HELP,
]  # fmt: skip
APPLY = [
    Option("", "has-targets", "", "", "the last column of datafile is the target"),
    Option("p", "output-pdf", "", "", "write densities on a grid, not the kernels"),
    Option("", "m-lo", "X", "-1", "first point of the grid"),
    Option("", "m-up", "X", "1", "last point of the grid"),
    Option("", "m-num", "N", "100", "points of the grid"),
    Option("o", "output-file", "FILE", "", "the results (standard output)"),
    Option("", "copy-inputs", "", "", "put the inputs before the results"),
    Option("", "copy-targets", "", "", "put the target before the results"),
    Option("", "legacy-weights", "", "",
           "divide kernels' weights by the target's sd, as once"),
    Option("", "recalibrated", "", "",
           "densities recalibrated by the map in mdn_file"),
    THREADS,
    HELP,
]  # fmt: skip
REPORT = [
    Option("o", "output-file", "FILE", "report.html", "the page"),
    HELP,
]
OWN_DEFAULTS = {"format": "fmdn", "patience": "50", "output-file": "committee.mdn"}


# --- Training -------------------------------------------------------------------------


def _train(program: str, options: list[Option], words: list[str]) -> None:
    line = CommandLine(program, "training_data monitor_data", options)
    line.parse(words)
    if line.text("format") not in ("original", "fmdn"):
        raise CommandError(
            f"--format must be original or fmdn, not {line.text('format')!r}"
        )
    if line.has("weighting-file") and line.has("legacy-weights"):
        raise CommandError("--weighting-file and --legacy-weights exclude each other")
    committee = Committee(
        line.integer("n-ct-members", 1),
        hidden=_bounds(line, "n-hid-min", "n-hid-max"),
        kernels=_bounds(line, "n-kern-min", "n-kern-max"),
        max_iter=line.integer("max-iter", 0),
        patience=line.integer("patience", 0) or None,
        seed=line.integer("seed", 0),
        n_threads=_threads(line),
    )
    training = read_rows(line.arguments[0], None, "inputs, then the target", True)
    as_these = (training.shape[1], f"as {line.arguments[0]} has", True)
    monitor = read_rows(line.arguments[1], *as_these)
    weighting = None
    if line.has("weighting-file"):
        weighting = _split(read_rows(line.text("weighting-file"), *as_these))
    _say(
        program,
        f"{len(training)} rows of {training.shape[1] - 1} inputs train "
        f"{committee.n_members} members, {len(monitor)} monitor them",
    )
    committee.fit(
        *_split(training),
        monitor=_split(monitor),
        weighting=weighting,
        progress=sys.stderr.isatty() and find_spec("tqdm") is not None,
    )
    committee.save(line.text("output-file"), format=line.text("format"))


def _bounds(line: CommandLine, low: str, high: str) -> tuple[int, int]:
    bounds = line.integer(low, 1), line.integer(high, 1)
    if bounds[0] > bounds[1]:
        raise CommandError(f"--{low} {bounds[0]} is more than --{high} {bounds[1]}")
    return bounds


def _threads(line: CommandLine) -> int:
    return count_threads(line.integer("threads", 1) if line.has("threads") else None)


def _split(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and target."""
    return rows[:, :-1], rows[:, -1]


# --- Applying -------------------------------------------------------------------------


def _apply(program: str, options: list[Option], words: list[str]) -> None:
    line = CommandLine(program, "mdn_file datafile", options)
    line.parse(words)
    with_target = line.has("has-targets")
    if line.has("copy-targets") and not with_target:
        _say(
            program, "--copy-targets without --has-targets: there is no target to copy"
        )
    low, high, n = line.number("m-lo"), line.number("m-up"), line.integer("m-num", 1)
    grid = low + np.arange(n) * (high - low) / max(1, n - 1)
    threads = _threads(line)
    path, data = line.arguments
    committee = _one_committee(path)
    if committee.n_targets_ != 1:
        raise CommandError(f"{path}: expected one target")
    map_of = _recalibration(committee, path, line)
    committee.n_threads = threads
    n_inputs = committee.n_features_in_
    columns = "the committee's inputs; a target needs --has-targets"
    if with_target:
        columns = "the committee's inputs and the target"
    rows = read_rows(data, n_inputs + with_target, columns, with_target)

    def results() -> Iterator[bytes]:
        for first in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[first : first + ROWS_AT_ONCE]
            posterior = committee.posterior(some[:, :n_inputs])
            parts = [some[:, :n_inputs]] if line.has("copy-inputs") else []
            if line.has("copy-targets") and with_target:
                parts.append(some[:, n_inputs:])
            if line.has("output-pdf"):
                parts.append((map_of(posterior) if map_of else posterior).pdf(grid))
            else:
                if posterior._ranges.any:  # kernels alone are not the posterior
                    raise CommandError(f"{path}: with bounds or periods: --output-pdf")
                unit = 1.0
                if line.has("legacy-weights"):
                    unit = target_scale(committee.layout_, committee.parameters_)[0]
                parts.append(_kernels(posterior, unit))
            yield format_rows(np.column_stack(parts))

    output = line.text("output-file")
    write_whole("" if output == "/dev/stdout" else output, results())


def _recalibration(committee, path: str, line: CommandLine):
    """Give the committee's map, where it is asked for."""
    if not line.has("recalibrated"):
        return None
    if not line.has("output-pdf"):
        raise CommandError(
            "--recalibrated needs --output-pdf: a recalibrated posterior has no kernels"
        )
    if not hasattr(committee, "recalibration_"):
        raise CommandError(f"{path}: the committee has no recalibration")
    return committee.recalibration_


def _kernels(posterior, unit: float) -> np.ndarray:
    """Weight per unit, mean and standard deviation of each kernel, side by side."""
    sd = np.sqrt(posterior.covariances)
    triples = np.stack([posterior.weights / unit, posterior.means, sd], axis=-1)
    return triples.reshape(len(triples), -1)


def _one_committee(path: str) -> Committee:
    entries = _boundary_file.read_file(path)
    if len(entries) != 1:
        raise CommandError(f"{path}: expected one committee, found {len(entries)}")
    return Committee._from_entry(entries[0])


# --- Information ----------------------------------------------------------------------


def _info(program: str, options: list[Option], words: list[str]) -> None:
    line = CommandLine(program, "file", options)
    line.parse(words)
    for entry in _boundary_file.read_file(line.arguments[0]):
        committee = Committee._from_entry(entry)
        sizes = _boundary.describe(committee.layout_, committee.parameters_)
        print(
            f"{entry[0] or line.arguments[0]}: committee of {sizes.n_members} members"
        )
        print(f"  inputs   {', '.join(committee.input_names_)}")
        print(f"  targets  {', '.join(committee.target_names_)}")
        for name, one in (committee.prior_ or {}).items():
            print(f"  prior    {name}: {one!r}")
        if hasattr(committee, "recalibration_"):
            print("  recalibrated on request: mdn_apply --recalibrated")
        if entry[3]:
            print(f"  settings {committee!r}")
        print("  member  hidden  kernels  parameters  weight  trained")
        for k in range(sizes.n_members):
            history = committee.history_[k] if committee.history_ else {}
            trained = "{n_iterations} iterations: {stopped}" if history else ""
            print(
                f"  {k:6d}  {sizes.hidden[k]:6d}  {sizes.kernels[k]:7d}  "
                f"{sizes.n_parameters[k]:10d}  {sizes.weights[k]:6.4f}  "
                f"{trained.format(**history)}".rstrip()
            )


# --- Is it right? ---------------------------------------------------------------------


def _report(program: str, options: list[Option], words: list[str]) -> None:
    from .inversion import load
    from .report import write_report

    line = CommandLine(program, "file datafile", options)
    line.parse(words)
    path, data = line.arguments
    model = load(path)
    committees = list(getattr(model, "committees_", {None: model}).values())
    n_inputs = committees[0].n_features_in_
    names = dict.fromkeys(name for one in committees for name in one.target_names_)
    columns = f"{n_inputs} inputs, then {', '.join(names)}"
    rows = read_rows(data, n_inputs + len(names), columns, True)
    output = line.text("output-file")
    print(write_report(model, rows[:, :n_inputs], rows[:, n_inputs:], output).summary())
    _say(program, f"{output} written")


# --- Entry points ---------------------------------------------------------------------


def _say(program: str, message: str) -> None:
    print(f"{program}: {message}", file=sys.stderr)


def _run(
    command: Callable, program: str, options: list[Option], words: list[str]
) -> int:
    """Carry out a command: its exit status, 2 after an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_: _say(program, str(message))
        try:
            command(program, options, words)
        except BrokenPipeError:  # who read the results has enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except KeyboardInterrupt:
            return 130
        except (
            CommandError, ImportError, MemoryError, OSError, TypeError, ValueError,
            _boundary.FmdnError,
        ) as error:  # fmt: skip
            _say(program, str(error) or "out of memory")
            return 2
    return 0


def mdn_train() -> int:
    """Train a committee on a table."""
    return _run(_train, "mdn_train", TRAIN, sys.argv[1:])


def mdn_apply() -> int:
    """Give posteriors of the rows of a table."""
    return _run(_apply, "mdn_apply", APPLY, sys.argv[1:])


def main() -> int:
    """Train, apply, tell about a file, or report on it."""
    own = [
        Option(**vars(o) | {"default": OWN_DEFAULTS.get(o.name, o.default)})
        for o in TRAIN
    ]
    commands = {
        "train": (_train, own),
        "apply": (_apply, APPLY),
        "info": (_info, [HELP]),
        "report": (_report, REPORT),
    }
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        asked = sys.argv[1:] in (["-h"], ["--help"])
        usage = f"Usage: fmdn {'|'.join(commands)} ...; fmdn train --help says more"
        print(usage, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    command, options = commands[sys.argv[1]]
    return _run(command, f"fmdn {sys.argv[1]}", options, sys.argv[2:])
