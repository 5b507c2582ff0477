"""Checkpoints: a model file whose text says which members are finished."""

from __future__ import annotations

import json
import os

import numpy as np

from . import _boundary, _boundary_file
from ._boundary import Training
from .plan import Plan


def write_checkpoint(
    plan: Plan,
    training: Training,
    mark: str,
    finished: np.ndarray,
    path: str | os.PathLike,
) -> None:
    """Write the members that are finished."""
    members = {}
    for k in np.flatnonzero(finished):
        n = training.outcome[k, 1]
        members[int(k)] = {
            "outcome": training.outcome[k].tolist(),
            "history": training.history[k, : n + 1].tolist(),
        }
    text = json.dumps({"fingerprint": mark, "finished": members})
    _boundary_file.write_file(
        path, [("checkpoint", plan.layout, plan.parameters.copy(), text)]
    )


def read_checkpoint(
    plan: Plan, training: Training, mark: str, path: str | os.PathLike | None
) -> np.ndarray:
    """Take over the members that are finished in the file, if there is one."""
    done = np.zeros(plan.n_members, dtype=bool)
    if path is None or not os.path.exists(path):
        return done
    name, _, parameters, text = _boundary_file.read_file(path)[0]
    if name != "checkpoint":
        raise ValueError(f"checkpoint: {os.fspath(path)} is a model, not a checkpoint")
    try:
        known = json.loads(text)
        members, same = known["finished"].items(), known["fingerprint"] == mark
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(
            f"checkpoint: the text of {os.fspath(path)} is damaged"
        ) from None
    if not same:
        raise ValueError(
            f"checkpoint: {os.fspath(path)} belongs to other rows or settings; "
            "give another path, or remove it"
        )
    sizes = _boundary.describe(plan.layout, plan.parameters)
    for key, member in members:
        k = int(key)
        mine = slice(sizes.offset[k], sizes.offset[k] + sizes.n_parameters[k])
        plan.parameters[mine] = parameters[mine]
        training.outcome[k] = member["outcome"]
        training.history[k, : len(member["history"])] = member["history"]
        done[k] = True
    return done
