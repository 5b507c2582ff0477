"""What the text of a model file holds of a committee beside names and history.

Readers in other languages pass it on as it is.
"""

from __future__ import annotations

from typing import Any

from . import stored_prior
from .cloud import TrainingCloud


def remember(committee: Any, rows: Any) -> None:
    """After training: the cloud of its inputs."""
    committee.cloud_ = TrainingCloud.of(
        rows.inputs, committee.input_names_, rows.noise_sd, rows.seed
    )


def to_text(committee: Any) -> dict[str, Any]:
    """Entries for the text, in the types of JSON."""
    entries: dict[str, Any] = {}
    if hasattr(committee, "cloud_"):
        entries["cloud"] = committee.cloud_.to_json()
    if committee.prior_ is not None:
        entries["prior"] = committee.prior_.describe()
    return entries


def from_text(committee: Any, known: dict[str, Any]) -> None:
    """Set what the entries of a text hold, and look at the recalibration."""
    committee.prior_ = stored_prior.restored(known.get("prior", []))
    if "cloud" in known:
        committee.cloud_ = TrainingCloud.from_json(known["cloud"])
    getattr(committee, "recalibration_", None)  # a damaged one is noticed now
