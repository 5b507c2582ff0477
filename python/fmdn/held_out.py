"""Warns of posteriors that are too narrow for the rows kept from training."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ._boundary import Training
from .plan import Plan

LEVEL = 0.9  # of the regions of highest density
MOST_ROWS, FEWEST_ROWS = 1000, 50
N_DRAWS = 100
ERRORS, ENOUGH = 3, 0.03  # standard errors, and how much, that coverage must be short


class CoverageWarning(UserWarning):
    """Posteriors hold the truth less often than they say."""


def check_coverage(
    committee: Any, plan: Plan, training: Training, stacklevel: int
) -> None:
    """Warn where posteriors are too narrow for rows that trained none of the members.

    Where all rows train, the rows of a fold are asked of the member it monitored.
    """
    rows = plan.rows_held_out(MOST_ROWS)
    if len(rows.targets) < FEWEST_ROWS:
        return
    posterior = committee.posterior(rows.inputs)
    if rows.roles[0] > 0:
        inside = _inside_by_folds(posterior, rows, training)
    else:
        inside = _inside(posterior, rows.targets)
    if len(inside) < FEWEST_ROWS:
        return
    coverage = inside.mean()
    error = np.sqrt(LEVEL * (1 - LEVEL) / len(inside))
    if coverage < LEVEL - max(ERRORS * error, ENOUGH):
        whose = "its members'" if rows.roles[0] > 0 else "its"
        warnings.warn(
            f"{', '.join(plan.target_names)}: {whose} {100 * LEVEL:.0f} % regions hold "
            f"{100 * coverage:.0f} % of {len(inside)} rows that were kept from "
            "training; posteriors are too narrow. More rows help; see docs/training.md",
            CoverageWarning,
            stacklevel=stacklevel,
        )


def _inside_by_folds(posterior: Any, rows: Any, training: Training) -> np.ndarray:
    """Whether rows are inside the region of the first member that they monitored."""
    found = []
    seen = set()
    n_folds = int(rows.roles.max())
    for k, member in zip(
        np.flatnonzero(training.trained()), posterior.members, strict=True
    ):
        fold = 1 + k % n_folds
        if fold in seen:
            continue
        seen.add(fold)
        here = np.flatnonzero(rows.roles == fold)
        if here.size:
            found.append(_inside(member[here], rows.targets[here]))
    return np.concatenate(found)


def _inside(posterior: Any, targets: np.ndarray) -> np.ndarray:
    """Whether the targets lie in the regions of highest density, among draws."""
    draws = posterior.sample(N_DRAWS, seed=0)
    truth = targets if draws.ndim == 2 else targets[:, np.newaxis]
    denser = posterior.logpdf(draws) > posterior.logpdf(truth)
    return denser.mean(axis=1) < LEVEL
