"""How members are trained: what the settings say, and what "auto" stands for.

With `hidden` and `kernels` at "auto" `fit` trains some members of each of several kinds
of network and goes on with the kind whose monitor loss is the lowest. docs/training.md
has the measurements. An explicit size means that network and one plain L-BFGS run.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from . import _boundary
from .checks import check_integer
from .threads import count_threads

AUTO = "auto"
PLAIN = {
    "hidden": (25, 50),
    "kernels": (3, 8),
    "linear_path": False,
    "max_iter": 1000,
    "patience": 50,
}

# Simple and curved, as most tables are; nearly linear; posteriors of intricate shape;
# these two with kernels that are cut off where targets end (docs/bounds.md: only those
# without correlations can be); small tables whose inputs have steps; and last, no more
# than the prior.
WIDTH = (15, 40)
CURVED = {
    "hidden": [WIDTH] * 3,
    "kernels": (1, 4),
    "linear_path": False,
    "decay": 5.0,
    "bent": True,
}
LINEAR = {
    "hidden": [WIDTH] * 2,
    "kernels": (1, 2),
    "linear_path": True,
    "decay": 3e4,
}
INTRICATE = LINEAR | {"kernels": (16, 16), "decay": 5.0}
DIAGONAL = {"covariance": "diagonal"}
STEPS = CURVED | {"hidden": [WIDTH] * 2, "decay": 20.0, "in_pieces": True}
PRIOR = {"hidden": [1], "kernels": (8, 8), "linear_path": False, "decay": 1e6}
KINDS = (
    CURVED,
    LINEAR,
    INTRICATE,
    LINEAR | DIAGONAL,
    INTRICATE | DIAGONAL,
    STEPS,
    PRIOR,
)
CUT_OFF = 3, 4  # the kinds of kernels that are cut off
IN_PIECES = 5  # the kind that sees inputs in pieces
N_PIECES, MOST_PIECES = 31, 1_000_000  # of an input; of all rows
NOTHING = len(KINDS) - 1  # the kind that learns nothing from the inputs
MOST_OUTPUTS = 400  # of a network: fewer kernels where each has many numbers
SAMPLES_OF_A_KERNEL = 40  # or two kernels, if samples are fewer
MEMORY = 30
PATIENCE = 100, 300  # of many and of few rows
PATIENT_WORK = 1_700_000  # rows times patience, between these
WORK = 30_000_000  # rows times iterations of a member, about; of each stage
SHORTEST, LONGEST = 30, 5000  # iterations on all rows
WARM_ROWS = 10_000  # training on a part of the rows first leaves at least these
PILOT_ROWS = 20_000  # rows times pilots of a kind
FIRST_PILOTS = 3  # after these, kinds that are clearly worse get no more
CLEARLY = 3  # standard errors
MANY_ROWS = 40_000  # from twice as many on pilots see a part of them
ENOUGH_TO_WEIGH = 5000  # groups of rows, of which a tenth can be spared
ENOUGH_TO_STACK = 500  # rows of a weighting set


class Run(NamedTuple):
    """How a member is trained."""

    patience: int  # 0: none
    decay: float = 0.0  # over the number of rows: times the sum of squared weights
    memory: int = 10  # of L-BFGS
    first_stride: int = 1  # training begins on one tile of rows in so many


@dataclass(frozen=True)
class Recipe:
    """A kind of network, and how it is trained."""

    hidden: list[tuple[int, int]]  # bounds of each layer
    kernels: tuple[int, int]
    covariance: str
    linear_path: bool
    bent: bool  # inputs towards a normal distribution
    in_pieces: bool  # inputs seen in pieces as well
    max_iter: int
    run: Run


def common_settings(committee: Any) -> dict[str, Any]:
    """Give what holds for all kinds, as the core takes it."""
    if not isinstance(committee.covariance, str) or (
        committee.covariance not in _boundary.COVARIANCES
    ):
        known = ", ".join(map(repr, _boundary.COVARIANCES))
        raise ValueError(
            f"covariance must be one of {known}, got {committee.covariance!r}"
        )
    recipes(committee, 1)  # what is wrong shows first
    return {
        "n_members": check_integer("n_members", committee.n_members, 1, 10_000),
        # An integer; what scikit-learn calls a random state is not one.
        "seed": check_integer("seed", committee.seed, 0, 2**63 - 1),
        "n_threads": count_threads(committee.n_threads),
    }


def is_automatic(committee: Any) -> bool:
    """Say whether sizes are left to `fit`."""
    return _is_auto(committee.hidden) and _is_auto(committee.kernels)


def recipes(
    committee: Any, n_rows: int, without: Container[int] = ()
) -> dict[int, Recipe]:
    """Give the kinds of network to try on so many rows: one where a size is given."""
    given = {name: getattr(committee, name) for name in PLAIN}
    given = {name: value for name, value in given.items() if not _is_auto(value)}
    common = {"covariance": committee.covariance}
    if not is_automatic(committee):
        return {0: _recipe(common | PLAIN | given, Run(0))}
    stride = 1
    while n_rows >= 4 * stride * WARM_ROWS:
        stride *= 4
    last = min(max(WORK // n_rows, SHORTEST), LONGEST)
    length = last * (4 * stride - 1) // 3  # four times as many for a fourth of the rows
    patience = min(max(PATIENT_WORK // n_rows, PATIENCE[0]), PATIENCE[1])
    common |= {"max_iter": length, "patience": patience}
    return {
        number: _recipe(common | kind | given, Run(0, kind["decay"], MEMORY, stride))
        for number, kind in enumerate(KINDS)
        if number not in without
    }


def pointless(n_rows: int, n_inputs: int, *, can_be_cut: bool) -> set[int]:
    """Give the kinds that cannot be of use, or not at that price.

    `can_be_cut`: whether only kernels without correlations can be cut off.
    """
    kinds = set() if can_be_cut else {*CUT_OFF}
    if n_rows * n_inputs * N_PIECES > MOST_PIECES:
        kinds.add(IN_PIECES)
    return kinds


def most_kernels(recipe: Recipe, n_targets: int, n_samples: int) -> int:
    """Give the kernels that a network can have for so many targets and samples.

    Replicas of a sample are one, as they have the same targets.
    """
    scales = {"isotropic": 1, "diagonal": n_targets}
    full = n_targets * (n_targets + 1) // 2
    outputs = 1 + n_targets + scales.get(recipe.covariance, full)
    return min(
        max(1, MOST_OUTPUTS // outputs), max(2, n_samples // SAMPLES_OF_A_KERNEL)
    )


def n_pilots(n_members: int, n_rows: int) -> int:
    """Give the members of each kind that are trained before one is chosen, at most."""
    return min(n_members, max(1, PILOT_ROWS // n_rows))


def pilot_rounds(n: int) -> list[int]:
    """Give how many of n pilots are trained when kinds are dropped."""
    return sorted({min(n, FIRST_PILOTS), n})


def pilot_step(n_rows: int) -> int:
    """Pilots are trained on one row in so many."""
    return max(1, n_rows // MANY_ROWS)


def undecided(losses: dict[int, np.ndarray], n_monitored: float) -> list[int]:
    """Give the kinds that are not clearly worse than the best of them.

    From their pilots' monitor losses: worse by several standard errors of the
    difference, which are taken to be no smaller than if single rows differed by a nat.
    """
    best, kept = _best(losses), []
    for kind in losses:
        gap, error, n = _difference(losses[kind], losses[best])
        error = max(error, 1 / np.sqrt(max(1, n * n_monitored)))
        if n < 2 or gap <= CLEARLY * error:
            kept.append(kind)
    return kept


def choose(losses: dict[int, np.ndarray], n_monitored: float) -> int:
    """Give the kind to go on with, from the monitor losses of pilots.

    The one with the lowest mean, if it is better than knowing nothing: by more than its
    standard error, and by more than the loss falls on `n_monitored` rows only because
    training stops where it is lowest there, of the order of a nat for all of them.
    """
    best = _best(losses)
    if best == NOTHING or NOTHING not in losses:
        return best
    gain, error, n = _difference(losses[NOTHING], losses[best])
    return best if not n or gain > error + 1 / max(1, n_monitored) else NOTHING


def _best(losses: dict[int, np.ndarray]) -> int:
    means = {
        kind: np.nanmean(one) if np.isfinite(one).any() else np.inf
        for kind, one in losses.items()
    }
    return min(means, key=means.get)


def _difference(one: np.ndarray, other: np.ndarray) -> tuple[float, float, int]:
    """Mean difference of pilots, its standard error (0 of one), and their number."""
    gaps = one - other
    gaps = gaps[np.isfinite(gaps)]
    n = gaps.size
    error = gaps.std(ddof=1) / np.sqrt(n) if n > 1 else 0.0
    return (gaps.mean() if n else 0.0), error, n


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == AUTO


def _recipe(settings: dict[str, Any], run: Run) -> Recipe:
    hidden, patience = settings["hidden"], settings["patience"]
    if not isinstance(hidden, list):
        hidden = [hidden]
    if not hidden:
        raise ValueError("hidden must hold at least one layer's width, got []")
    patience = 0 if patience is None else check_integer("patience", patience, 1)
    return Recipe(
        [_bounds("hidden", width, 10**6) for width in hidden],
        _bounds("kernels", settings["kernels"], 1000),
        settings["covariance"],
        bool(settings["linear_path"]),
        settings.get("bent", False),
        settings.get("in_pieces", False),
        check_integer("max_iter", settings["max_iter"], 0),
        run._replace(patience=patience),
    )


def _bounds(name: str, value: Any, most: int) -> tuple[int, int]:
    """Give a number, or a range to draw from, as (low, high)."""
    if not isinstance(value, tuple):
        value = (value, value)
    if len(value) != 2:
        raise ValueError(
            f"{name} must be a number or a pair (low, high), got {value!r}"
        )
    low, high = (check_integer(name, bound, 1, most) for bound in value)
    if low > high:
        raise ValueError(f"{name}: the low bound {low} exceeds the high bound {high}")
    return low, high
