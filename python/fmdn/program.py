"""Forward models that are programs: files in, files out, a folder for each model."""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

LOG_LINES = 20  # of its output that are kept with the reason


class ProgramError(RuntimeError):
    """A program gave no data."""


@dataclass(frozen=True)
class Columns:
    """Reads the data from columns of a text file.

    Parameters
    ----------
    file : str
        Its name in the folder of the run; "stdout" is what the program printed.
    columns : tuple of int, optional
        Numbers of the columns, counted from 0; by default all.
    skip : int
        Lines at the top that are no data.
    delimiter : str, optional
        Between columns; by default white space.
    """

    file: str = "stdout"
    columns: int | Sequence[int] | None = None
    skip: int = 0
    delimiter: str | None = None

    def __call__(self, folder: Path) -> np.ndarray:
        """Return the columns, one after the other, shape (n_data,)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an empty file: it gives no data
            table = np.loadtxt(
                folder / self.file,
                usecols=self.columns,
                skiprows=self.skip,
                delimiter=self.delimiter,
                ndmin=2,
            )
        return table.ravel(order="F")


@dataclass(frozen=True)
class Program:
    """A forward model that is a program, for `simulate`.

    Each model is run in a scratch folder of its own, which is taken away afterwards.

    Parameters
    ----------
    command : str or sequence of str
        The command line. A program given with a folder, as in "./solver", is looked
        for from where this object is made.
    inputs : mapping of str to str or Path
        {file name: template}: the files that are written into the folder; the one
        called "stdin" is the standard input. A template is a text, or the path of a
        file that holds it, with the names of parameters in braces, optionally with a
        format as of `str.format`: ``"depth = {depth:.3f}"``. A brace that is meant is
        written twice.
    output : callable
        ``output(folder)`` reads the data, shape (n_data,), from the files that the
        program left there; `Columns` is one. What it printed is in "stdout" and
        "stderr".
    files : sequence of path
        Other files and folders that the program needs; linked into the folder.
    timeout : float, optional
        Seconds after which the program, and all that it started, is killed.
    logs : path, optional
        A folder to which the scratch folders of failed models are moved.
    names : sequence of str, optional
        Of the parameters, in the order of a model; `simulate` fills in the prior's.

    Examples
    --------
    >>> program = Program(
    ...     "awk '{ print $1 + $2 }'", {"stdin": "{a} {b}"}, names=("a", "b")
    ... )
    >>> program(np.array([1.5, 2.0]))
    array([3.5])
    """

    command: str | Sequence[str]
    inputs: Mapping[str, str | Path]
    output: Callable[[Path], Any] = Columns()
    files: Sequence[str | os.PathLike] = ()
    timeout: float | None = None
    logs: str | os.PathLike | None = None
    names: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Find the program and its files, and read the templates."""
        command = self.command
        command = shlex.split(command) if isinstance(command, str) else list(command)
        found = shutil.which(command[0]) if command else None
        if found is None:
            raise FileNotFoundError(f"Program: there is no program {self.command!r}")
        paths = [Path(file).resolve(strict=True) for file in self.files]
        templates = {
            name: text.read_text() if isinstance(text, Path) else text
            for name, text in self.inputs.items()
        }
        logs = None if self.logs is None else Path(self.logs).resolve()
        for name, value in [
            ("command", (os.path.abspath(found), *command[1:])),
            ("files", tuple(paths)),
            ("inputs", templates),
            ("logs", logs),
        ]:
            object.__setattr__(self, name, value)
        if self.names is not None:
            self._fill(np.ones(len(self.names)))

    def __str__(self) -> str:
        """Return the command line, by which a store knows it."""
        return shlex.join([Path(self.command[0]).name, *self.command[1:]])

    def for_names(self, names: Sequence[str]) -> Program:
        """Return the same for a prior of these names.

        Raises
        ------
        ValueError
            If a template asks for another.
        """
        if self.names is not None and tuple(self.names) != tuple(names):
            raise ValueError(
                f"Program: it is made for {', '.join(self.names)}, "
                f"but the prior has {', '.join(names)}"
            )
        return dataclasses.replace(self, names=tuple(names))

    def __call__(self, model: np.ndarray) -> Any:
        """Run the program for one model; return what `output` reads.

        Raises
        ------
        ProgramError
            If it ends with another status than zero or not in time, or if its output
            cannot be read. The text says why, with the last lines that it printed.
        """
        folder = Path(tempfile.mkdtemp(prefix="fmdn-"))
        try:
            for name, text in self._fill(model).items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            for file in self.files:
                (folder / file.name).symlink_to(file)
            self._run(folder)
            try:
                return self.output(folder)
            except Exception as error:
                raise ProgramError(
                    f"its output cannot be read: {type(error).__name__}: {error}"
                    + _last_lines(folder)
                ) from error
        except ProgramError as error:
            if self.logs is None:
                raise
            raise ProgramError(f"{error}\nfiles: {self._keep(folder)}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _fill(self, model: np.ndarray) -> dict[str, str]:
        if self.names is None:
            raise ValueError("Program: names= says what the parameters are called")
        values = dict(zip(self.names, map(float, model), strict=True))
        filled = {}
        for name, template in self.inputs.items():
            try:
                filled[name] = template.format(**values)
            except KeyError as error:
                raise ValueError(
                    f"Program: the template of {name!r} asks for {error}; the "
                    f"parameters are {', '.join(self.names)}"
                ) from None
            except (ValueError, IndexError) as error:
                raise ValueError(
                    f"Program: the template of {name!r} is not one: {error}"
                ) from None
        return filled

    def _run(self, folder: Path) -> None:
        stdin = folder / "stdin"
        with (
            open(stdin if stdin.exists() else os.devnull, "rb") as given,
            open(folder / "stdout", "wb") as printed,
            open(folder / "stderr", "wb") as complained,
        ):
            process = subprocess.Popen(
                self.command,
                cwd=folder,
                stdin=given,
                stdout=printed,
                stderr=complained,
                start_new_session=True,
            )
            try:
                status = process.wait(self.timeout)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                _kill_group(process)
        if status is None:
            how = f"it had not ended after {self.timeout:g} s"
        elif status < 0:
            how = f"it ended with signal {signal.Signals(-status).name}"
        elif status > 0:
            how = f"it ended with status {status}"
        else:
            return
        raise ProgramError(how + _last_lines(folder))

    def _keep(self, folder: Path) -> Path:
        os.makedirs(self.logs, exist_ok=True)
        kept = Path(tempfile.mkdtemp(prefix="failed-", dir=self.logs))
        return Path(shutil.copytree(folder, kept, symlinks=True, dirs_exist_ok=True))


def _kill_group(process: subprocess.Popen) -> None:
    """Kill the program, and what it started and left behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # all have gone
    process.wait()


def _last_lines(folder: Path) -> str:
    texts = [
        (folder / name).read_text(errors="replace") for name in ("stdout", "stderr")
    ]
    lines = "".join(texts).splitlines()[-LOG_LINES:]
    return "".join(f"\n  {line}" for line in lines)
