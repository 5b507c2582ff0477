"""The boundary for model files: committees under names, whole or not at all."""

from __future__ import annotations

import json
import os

import numpy as np

from ._boundary import CANNOT_OPEN, CANNOT_WRITE, ModelFileError, text_of
from ._core import fmdn_c_legacy as _legacy
from ._core import fmdn_c_text as _core
from .checks import Array

# A committee under a name: name, layout, parameters, text.
Entry = tuple[str, Array, Array, str]


def _characters(data: bytes) -> Array:
    return np.frombuffer(data, dtype="S1")


def file_name(path: str | os.PathLike) -> tuple[str, Array]:
    """Path for messages, and as the core takes it."""
    name = os.fsencode(path)
    if b"\0" in name or not name.strip():
        raise ValueError(f"path {path!r} cannot be the name of a file")
    return os.fsdecode(name), _characters(name)


def check_file(status: int, detail: Array, path: str) -> None:
    """Raise what a status code and its detail mean."""
    if status == 0:
        return
    text = text_of(_core.fmdn_status_text, status)
    what = detail.tobytes().decode(errors="replace").strip()
    error: type[Exception] = ModelFileError
    if status in (CANNOT_OPEN, CANNOT_WRITE):
        error = OSError
    if status == CANNOT_OPEN and not os.path.exists(path):
        error = FileNotFoundError
    raise error(f"{path}: {text}" + (f" ({what})" if what else ""))


def write_file(
    path: str | os.PathLike, entries: list[Entry], format: str = "fmdn"
) -> None:
    """Write committees, in the original's format one, into a file or not at all."""
    path, name = file_name(path)
    detail = np.full(200, b" ", dtype="S1")
    if format == "original":
        _, layout, parameters, text = entries[0]
        if "encoder" in json.loads(text or "{}"):
            raise ValueError("the original's format cannot hold an encoder")
        status = _legacy.fmdn_legacy_write(name, layout, parameters, detail)
        check_file(status, detail, path)
        return
    if format != "fmdn":
        raise ValueError(f"format must be 'fmdn' or 'original', got {format!r}")
    packed = [(n.encode(), layout, p, text.encode()) for n, layout, p, text in entries]
    sizes = np.array([[len(part) for part in entry] for entry in packed], np.int64)
    names, layouts, parameters, texts = zip(*packed, strict=True)
    status = _core.fmdn_file_write(
        name,
        sizes.T,
        _characters(b"".join(names)),
        np.concatenate(layouts),
        np.concatenate(parameters),
        _characters(b"".join(texts)),
        detail,
    )
    check_file(status, detail, path)


def read_file(path: str | os.PathLike) -> list[Entry]:
    """Read the committees of a model file."""
    path, name = file_name(path)
    totals = np.zeros(5, dtype=np.int64)
    detail = np.full(200, b" ", dtype="S1")
    check_file(_core.fmdn_file_sizes(name, totals, detail), detail, path)
    sizes = np.zeros((totals[0], 4), dtype=np.int64)
    names, text = np.zeros(totals[1], "S1"), np.zeros(totals[4], "S1")
    layout, parameters = np.zeros(totals[2], np.int64), np.zeros(totals[3])
    status = _core.fmdn_file_read(
        name, sizes.T, names, layout, parameters, text, detail
    )
    check_file(status, detail, path)
    entries = []
    start = np.zeros(4, dtype=np.int64)
    for end in np.cumsum(sizes, axis=0):
        part = [slice(*bounds) for bounds in zip(start, end, strict=True)]
        try:
            words = names[part[0]].tobytes().decode(), text[part[3]].tobytes().decode()
        except UnicodeDecodeError as error:
            raise ModelFileError(
                f"{path}: a name or text is not UTF-8: {error}"
            ) from None
        entries.append(
            (words[0], layout[part[1]].copy(), parameters[part[2]].copy(), words[1])
        )
        start = end
    return entries
