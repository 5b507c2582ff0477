"""A committee as an entry of a model file, and back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from . import _boundary, _boundary_file, extras
from .arguments import check_names
from .encoders import Encoder
from .estimator import plain, restored
from .fitting import SUMMARY


class Stored:
    """What a committee's file holds of it."""

    def save(self, path, format="fmdn") -> None:
        """Write a file, whole or not at all; "original" is the old program's format."""
        _boundary_file.write_file(path, [self._to_entry("")], format)

    def _to_entry(self, name: str) -> _boundary_file.Entry:
        self._require_fit()
        text = {
            # What was computed does not depend on the machine's number of threads.
            "settings": plain(self.get_params() | {"n_threads": None}),
            "input_names": self.input_names_,
            "target_names": self.target_names_,
            "one_target_axis": self._one_target_axis,
            "kind": self.kind_,
            "weighting_losses": self.weighting_losses_.tolist(),
            "history": [
                {key: h[key] for key in SUMMARY if key in h} for h in self.history_
            ],
            **extras.to_text(self),
        }
        if self._encoder is not None:
            text["encoder"] = self._encoder.record()
        return name, self.layout_, self.parameters_, json.dumps(text, indent=1)

    @classmethod
    def _from_entry(cls, entry: _boundary_file.Entry, encoder=None) -> Any:
        name, layout, parameters, text = entry
        try:
            known = json.loads(text or "{}")
            return cls._from_text(layout, parameters, known, encoder)
        except _boundary.ModelFileError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise _boundary.ModelFileError(
                f"the text of committee {name!r} makes no sense: {error}"
            ) from None

    @classmethod
    def _from_text(cls, layout, parameters, known: dict, encoder) -> Any:
        if "fingerprint" in known:
            raise ValueError("it is a checkpoint; fit(checkpoint=...) goes on from it")
        settings = restored(known.get("settings", {}))
        self = cls(**{k: v for k, v in settings.items() if k in cls._settings()})
        self.layout_, self.parameters_ = layout, parameters
        self._encoder = Encoder.recognise(known.get("encoder"), encoder)
        self._settle()
        self.input_names_ = check_names(
            "input", known.get("input_names"), self.n_features_in_
        )
        self.target_names_ = check_names(
            "target", known.get("target_names"), self.n_targets_
        )
        self._one_target_axis = known.get("one_target_axis", self.n_targets_ == 1)
        self.weighting_losses_ = np.array(known.get("weighting_losses", []), float)
        self.history_ = list(known.get("history", []))
        self.kind_ = known.get("kind")
        extras.from_text(self, known)
        return self
