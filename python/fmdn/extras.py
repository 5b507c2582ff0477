"""What a model file holds of a committee beside its networks, as entries of its text.

Readers in other languages pass the text on as it is: their posteriors are those of the
networks, not recalibrated.
"""

from __future__ import annotations

from typing import Any

from . import stored_prior
from .cloud import TrainingCloud


def remember(committee: Any, rows: Any) -> None:
    """After training: the cloud of its inputs; a recalibration is none any more."""
    vars(committee).pop("recalibration_", None)
    committee.cloud_ = TrainingCloud.of(
        rows.inputs, committee.input_names_, rows.noise_sd, rows.seed
    )


def to_text(committee: Any) -> dict[str, Any]:
    """Entries for the text, in the types of JSON."""
    held = ((name, getattr(committee, name + "_", None)) for name in KINDS)
    entries = {name: one.to_json() for name, one in held if one is not None}
    if committee.prior_ is not None:
        entries["prior"] = committee.prior_.describe()
    return entries


def from_text(committee: Any, known: dict[str, Any]) -> None:
    """Set what the entries of a text hold."""
    committee.prior_ = stored_prior.restored(known.get("prior", []))
    for name, kind in KINDS.items():
        if name in known:
            setattr(committee, name + "_", kind(known[name]))


def _recalibration(known: dict[str, Any]) -> Any:
    from .recalibration import Recalibration  # SciPy, only where it is needed

    return Recalibration.from_json(known)


KINDS = {"cloud": TrainingCloud.from_json, "recalibration": _recalibration}
