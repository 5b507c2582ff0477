"""An encoder ahead of the networks: what the user brings to make the data fewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._boundary import ModelFileError
from .checks import Array

TOLERANCE = 1e-4  # of the largest number: other machines round differently


@dataclass(frozen=True, eq=False)
class Encoder:
    """A fitted encoder, and what tells it from others.

    Attributes
    ----------
    of : object
        Has ``transform(data)``, (n, n_data) to (n, n_codes), row by row.
    probe, code : ndarray
        One row of data, and what the encoder makes of it.
    """

    of: Any
    probe: Array
    code: Array

    @classmethod
    def fit(cls, encoder: Any, data: Array) -> Encoder:
        """Fit an encoder to noisy data, unless it has no ``fit``: then it is fitted."""
        if not callable(getattr(encoder, "transform", None)):
            raise TypeError(
                f"encoder must have a method transform, {encoder!r} has not"
            )
        if hasattr(encoder, "fit"):
            encoder.fit(data)
        probe = np.array(data[0], dtype=float)
        return cls(encoder, probe, _transform(encoder, probe[np.newaxis])[0])

    @property
    def n_more(self) -> int:
        """How many more data there are than codes."""
        return len(self.probe) - len(self.code)

    def encode(self, inputs: Array) -> Array:
        """Give the codes of data, float64, and what comes after the data as it is."""
        n_data = len(self.probe)
        codes = _transform(self.of, inputs[:, :n_data])
        if codes.shape[1] != len(self.code):
            raise ValueError(
                f"encoder: transform gave {len(self.code)} columns before, "
                f"now {codes.shape[1]}"
            )
        return np.concatenate([codes, inputs[:, n_data:]], axis=1)

    def record(self) -> dict[str, Any]:
        """Give what a model file says about it."""
        return {
            "name": _name_of(self.of),
            "probe": self.probe.tolist(),
            "code": self.code.tolist(),
        }

    @classmethod
    def recognise(cls, record: dict[str, Any] | None, encoder: Any) -> Encoder | None:
        """See to it that this is the encoder of a record, or that neither is there."""
        if record is None and encoder is not None:
            raise ModelFileError("it was trained without an encoder; leave it out")
        if record is None:
            return None
        if encoder is None:
            raise ModelFileError(
                f"it was trained behind an encoder, {record['name']}; give it: "
                "load(path, encoder=...)"
            )
        probe, code = np.array(record["probe"], float), np.array(record["code"], float)
        found = _transform(encoder, probe[np.newaxis])[0]
        near = TOLERANCE * np.abs(code).max(initial=0)
        if found.shape != code.shape or not np.allclose(found, code, rtol=0, atol=near):
            raise ModelFileError(
                f"the encoder, {_name_of(encoder)}, is not the one it was trained "
                f"behind, {record['name']}: it gives other codes"
            )
        return cls(encoder, probe, code)


def _transform(encoder: Any, data: Array) -> Array:
    codes = np.asarray(encoder.transform(data))
    if codes.ndim != 2 or len(codes) != len(data) or codes.dtype.kind not in "fiu":
        raise ValueError(
            f"encoder: transform must give {len(data)} rows of numbers, but gave "
            f"{codes.dtype} of shape {codes.shape}"
        )
    if not np.isfinite(codes).all():
        raise ValueError("encoder: transform gave codes that are not finite")
    return np.ascontiguousarray(codes, dtype=float)


def _name_of(encoder: Any) -> str:
    return f"{type(encoder).__module__}.{type(encoder).__qualname__}"
