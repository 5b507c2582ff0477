"""A store: a simulation on disk, in Zarr, that can be gone on with at any moment.

The arrays are `models` (sample, parameter), `data` (sample, channel), and for each
sample `state` (0 to do, 1 has data, 2 failed), `reason` and `traceback`; the
attributes say what was simulated. A chunk is replaced as a whole, and the state is
written after all that it speaks of, so that nothing is lost but what was on its way.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .forward import Fault, Outcome
from .rows import FAILED, GOOD, Rows
from .samples import DataOnDisk, Failure, Samples

try:
    import fcntl
except ImportError:  # Windows: nobody keeps a second process out
    fcntl = None

FORMAT = "fmdn simulation 1"
CHUNK_BYTES = 2**21  # of data
CHUNK_ROWS = 4096  # at most
WRITING_SHARE = 0.1  # of the time that passes; else a flush waits for more rows,
MOST_WAITING = 2**24  # bytes of them

_open_here: set[str] = set()


class StoredRows(Rows):
    """Rows on disk, of one process at a time.

    Parameters
    ----------
    path : path
        A folder; made if it is not there.
    record : dict
        What is simulated, in the types of JSON: "prior", "seed", "forward", "version".
    models : numpy.ndarray, shape (n, n_parameters)
        A store of fewer is extended; in one of more, the first n are worked on.

    Raises
    ------
    ValueError
        If the store holds something else.
    BlockingIOError
        If it is being worked on.
    """

    def __init__(
        self, path: str | os.PathLike, record: Mapping[str, Any], models: np.ndarray
    ) -> None:
        super().__init__(models)
        self.path = Path(path)
        self._zarr = _import_zarr()
        group = self.path / "zarr.json"
        inside = set(os.listdir(self.path)) if self.path.exists() else set()
        if not group.exists() and inside - {"state"}:
            raise FileExistsError(f"store {path} is there, but is not a Zarr group")
        self._waiting: dict[int, Outcome] = {}
        self._cost = self._written = 0.0
        self._lock = _Lock(self.path)
        try:
            self._open(record)
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        """Let others in."""
        self._lock.release()

    def flush(self) -> None:
        """Write what has come since the last time."""
        begun = time.perf_counter()
        try:
            for indices in _runs(sorted(self._waiting)):
                self._write_run(slice(indices[0], indices[-1] + 1))
        except OSError as error:
            self._waiting.clear()
            done = int(np.count_nonzero(self._group["state"][: len(self.models)]))
            raise OSError(
                error.errno,
                f"store {self.path}: {error.strerror}; {done} of {len(self.models)} "
                "models are kept there, and the same call goes on with them",
            ) from error
        self._waiting.clear()
        self._written = time.perf_counter()
        self._cost = self._written - begun

    # --- What Rows asks for ---

    def _write(self, indices: np.ndarray, outcomes: list[Outcome]) -> None:
        self._waiting.update(zip(map(int, indices), outcomes, strict=True))
        row = 0 if self.data is None else self.n_data * self.data.dtype.itemsize
        full = len(self._waiting) * row > MOST_WAITING
        if full or self._cost <= WRITING_SHARE * (time.perf_counter() - self._written):
            self.flush()

    def _allocate(self, n_data: int, dtype: np.dtype) -> Any:
        rows = max(1, min(CHUNK_ROWS, CHUNK_BYTES // (n_data * dtype.itemsize)))
        return self._array("data", ("sample", "channel"), dtype, rows, n_data, np.nan)

    def _rows_of(self, good: np.ndarray) -> DataOnDisk:
        return DataOnDisk(self.data, good)

    # --- The group ---

    def _open(self, record: Mapping[str, Any]) -> None:
        for left in self.path.rglob("*.partial"):
            left.unlink()
        record = {"format": FORMAT, **json.loads(json.dumps(record))}
        if (self.path / "zarr.json").exists():
            self._group = self._zarr.open_group(str(self.path), mode="r+")
            _compare(self.path, self._group.attrs.asdict(), record)
        else:
            self._group = self._zarr.open_group(
                str(self.path), mode="a", zarr_format=3, attributes=record
            )
        names = [name for block in record["prior"] for name in block["names"]]
        width = len(names)
        self._array("reason", ("sample",), str, 1024, fill="")
        self._array("traceback", ("sample",), str, 1024, fill="")
        models = self._array("models", ("sample", "parameter"), float, 4096, width)
        labels = self._array("parameter", ("parameter",), str, width, n=width)
        labels[:] = np.array(names, object)
        if "data" in self._group:
            self.data = self._array("data")
        known = self._group["state"].shape[0] if "state" in self._group else 0
        same = min(known, len(self.models))
        if not np.allclose(models[:same], self.models[:same], rtol=1e-9, atol=0):
            raise ValueError(
                f"store {self.path}: the prior draws other models than those there"
            )
        self.models = np.concatenate([models[:same], self.models[same:]])
        if known < len(self.models):
            models[known : len(self.models)] = self.models[known:]
        state = self._array("state", ("sample",), np.uint8, 2**16)  # after the rest
        self.state = state[: len(self.models)]
        self.faults = _read_faults(self._group, self.state)

    def _array(
        self,
        name: str,
        axes: tuple[str, ...] = (),
        dtype: Any = None,
        rows: int = 0,
        width: int | None = None,
        fill: Any = 0,
        n: int = 0,
    ) -> Any:
        """Give an array, made or lengthened as far as it needs to be."""
        n = n or len(self.models)
        columns = () if width is None else (width,)
        if name not in self._group:
            self._group.create_array(
                name,
                shape=(n, *columns),
                chunks=(rows, *columns),
                dtype=dtype,
                fill_value=fill,
                dimension_names=axes,
            )
        array = self._group[name]
        if array.shape[0] < n:
            array.resize((n, *array.shape[1:]))
        return array

    def _write_run(self, run: slice) -> None:
        outcomes = [self._waiting[i] for i in range(run.start, run.stop)]
        failed = np.array([isinstance(outcome, Fault) for outcome in outcomes])
        if not failed.all():
            data = np.full((len(failed), self.n_data), np.nan, self.data.dtype)
            for row, outcome in zip(data, outcomes, strict=True):
                if not isinstance(outcome, Fault):
                    row[:] = outcome
            self.data[run] = data
        if failed.any():
            faults = [one if isinstance(one, Fault) else Fault("") for one in outcomes]
            for name in Fault._fields:
                texts = [getattr(fault, name) for fault in faults]
                self._group[name][run] = np.array(texts, object)
        self._group["state"][run] = np.where(failed, FAILED, GOOD).astype(np.uint8)


def open_samples(store: str | os.PathLike) -> Samples:
    """Read the prior samples that a store holds, finished or not.

    Parameters
    ----------
    store : path
        As given to `simulate`, which may be working on it.

    Returns
    -------
    Samples
        Without the prior itself, but with its names.
    """
    path = Path(store)
    if not (path / "zarr.json").exists():
        raise FileNotFoundError(f"{path} is not a store of simulate")
    group = _import_zarr().open_group(str(path), mode="r")
    attributes = group.attrs.asdict()
    if attributes.get("format") != FORMAT:
        raise ValueError(f"{path} is not a store of simulate, but another Zarr group")
    if "data" not in group:
        raise ValueError(f"store {path}: no model has data yet")
    state, models = group["state"][:], group["models"][:]
    faults = _read_faults(group, state)
    good = np.flatnonzero(state == GOOD)
    names = [name for block in attributes["prior"] for name in block["names"]]
    failed = [Failure(i, models[i], *faults[i]) for i in faults]
    return Samples(models[good], DataOnDisk(group["data"], good), failed, names)


def _import_zarr() -> Any:
    try:
        import zarr
    except ImportError:
        raise ImportError("a store needs zarr: pip install 'fmdn[store]'") from None
    if [int(part) for part in re.findall(r"\d+", zarr.__version__)[:3]] < [3, 1, 3]:
        raise ImportError(f"a store needs zarr 3.1.3 or later, not {zarr.__version__}")
    return zarr


def _read_faults(group: Any, state: np.ndarray) -> dict[int, Fault]:
    failed = np.flatnonzero(state == FAILED)
    if not failed.size:
        return {}
    texts = [group[name][: failed[-1] + 1][failed] for name in Fault._fields]
    faults = (Fault(*map(str, pair)) for pair in zip(*texts, strict=True))
    return dict(zip(failed.tolist(), faults, strict=True))


def _runs(numbers: list[int]) -> Iterator[np.ndarray]:
    """Cut increasing numbers into runs without gaps."""
    numbers = np.array(numbers, int)
    if numbers.size:
        yield from np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)


def _compare(path: Path, stored: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Refuse a store that holds something else, and say in what it differs."""
    if stored.get("format") != FORMAT:
        raise ValueError(f"store {path} is not of simulate, but another Zarr group")
    differences = [
        f"{what} {stored.get(what)!r} there, {wanted[what]!r} here"
        for what in ("seed", "forward", "version")
        if stored.get(what) != wanted[what]
    ]
    old, new = _priors(stored), _priors(wanted)
    if list(old) != list(new):
        differences.append(f"parameters {_joined(old)} there, {_joined(new)} here")
    differences += [
        f"prior of {name}: {old[name]} there, {new[name]} here"
        for name in old
        if name in new and old[name] != new[name]
    ]
    if differences:
        raise ValueError(
            f"store {path} is of another simulation: {'; '.join(differences)}"
        )


def _priors(record: dict[str, Any]) -> dict[str, str]:
    return {
        ", ".join(block["names"]): f"{block['kind']} {json.dumps(block['parameters'])}"
        for block in record["prior"]
    }


def _joined(names: Any) -> str:
    return "(" + "; ".join(names) + ")"


class _Lock:
    """Keeps other processes out of a store.

    The system gives it up when the process ends, however it ends, and a process that
    was forked off does not hold it.
    """

    def __init__(self, path: Path) -> None:
        # In the folder of an array, where it disturbs no reader of the group.
        (path / "state").mkdir(parents=True, exist_ok=True)
        self._key = str(path.resolve())
        busy = BlockingIOError(
            f"store {path} is in use by another simulate; wait for it, or give "
            "another store"
        )
        if self._key in _open_here:
            raise busy
        self._file = open(path / "state" / ".lock", "a")
        try:
            if fcntl is not None:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            if isinstance(error, (BlockingIOError, PermissionError)):
                raise busy from None
            raise
        _open_here.add(self._key)

    def release(self) -> None:
        self._file.close()
        _open_here.discard(self._key)
