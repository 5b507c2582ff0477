"""What `fit` is given, checked: targets, weights, groups, priors, names."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import _boundary
from .checks import check_array, check_rows
from .parameter import Distribution, check_distribution

MIN_GROUPS = 5


def columns(frame: Any) -> list[str] | None:
    """Names of a data frame's columns, if all of them are strings."""
    names = getattr(frame, "columns", None)
    if names is None or not all(isinstance(name, str) for name in names):
        return None
    return list(names)


def require_targets(name: str, targets: Any) -> None:
    """Refuse that there are none."""
    if targets is None:
        raise ValueError(
            f"{name}targets: requires y to be passed, but the target y is None"
        )


def read_targets(
    name: str, targets: Any, n: int, n_targets: int | None = None
) -> tuple[np.ndarray, bool]:
    """Targets (n, n_targets), and whether they were flat."""
    targets = check_array(f"{name}targets", targets, (1, 2))
    one_target_axis = targets.ndim == 1
    if one_target_axis:
        targets = targets[:, np.newaxis]
    if len(targets) != n:
        raise ValueError(
            f"{name}inputs and {name}targets must have the same number of rows, got "
            f"{n} and {len(targets)}"
        )
    return check_rows(f"{name}targets", targets, n_targets), one_target_axis


def distinct_targets(
    targets: np.ndarray, roles: np.ndarray, n_members: int, enough: int
) -> int:
    """Count distinct targets that train, where they are fewest, up to `enough`."""
    least = enough
    for fold in range(1, 1 + max(1, min(n_members, roles.max()))):
        own = targets[(roles == _boundary.TRAINING) | ((roles > 0) & (roles != fold))]
        some = len(np.unique(own[: 10 * enough], axis=0))
        if some < enough:
            least = min(least, len(np.unique(own, axis=0)))
    return least


def cap_kernels(kernels: tuple[int, int], most: int, given: Any) -> tuple[int, int]:
    """No more kernels than there are distinct targets."""
    if kernels[1] <= most:
        return kernels
    few = f"there are only {most} distinct targets to train on"
    if isinstance(given, str):  # "auto"
        return min(kernels[0], most), most
    if not isinstance(given, tuple):
        raise ValueError(f"kernels={kernels[0]} is too many: {few}")
    warnings.warn(
        f"kernels={kernels}: {few}; at most {most}", UserWarning, stacklevel=4
    )
    return min(kernels[0], most), most


def check_weights(sample_weight: Any, n: int) -> np.ndarray:
    """Give the weights of n rows: ones, or what was given if it is of use."""
    if sample_weight is None:
        return np.ones(n)
    if np.isscalar(sample_weight):
        sample_weight = np.full(n, sample_weight)
    weights = check_array("sample_weight", sample_weight, (0, 1))
    if len(weights) != n:
        raise ValueError(f"sample_weight must have {n} entries, got {len(weights)}")
    if (weights < 0).any():
        raise ValueError(f"sample_weight is negative at row {np.argmax(weights < 0)}")
    if not weights.any():
        raise ValueError("sample_weight is zero everywhere")
    return weights


def read_groups(groups: Any, n: int) -> np.ndarray:
    """Label of each row's group."""
    if groups is None:
        return np.arange(n)
    groups = np.asarray(groups)
    if groups.shape != (n,):
        raise ValueError(f"groups must have shape ({n},), got {groups.shape}")
    missing = groups != groups  # NaN, NaT, also among objects
    if missing.any():
        raise ValueError(f"groups contains NaN at row {np.argmax(missing)}")
    return groups


def number_groups(groups: np.ndarray, with_split: bool) -> np.ndarray:
    """Give the number of each row's group, from 0."""
    try:
        numbers = np.unique(groups, return_inverse=True)[1]
    except TypeError as error:
        raise TypeError(f"groups must be labels of one kind: {error}") from None
    n_groups = int(numbers.max()) + 1
    if with_split and n_groups < MIN_GROUPS:
        raise ValueError(
            f"at least {MIN_GROUPS} rows or groups of rows, with weights, are needed "
            f"to train, monitor and weigh, got {n_groups} sample(s)"
        )
    return numbers


def read_priors(prior: Any, n: int) -> tuple[Any, list]:
    """Names of a prior and its n distributions, one for each target."""
    if prior is None:
        return None, []
    if n == 1 and not hasattr(prior, "__len__"):
        prior = [prior]  # the distribution of the one target
    if not hasattr(prior, "__len__"):
        raise TypeError(f"prior must be a Prior or {n} distributions, got {prior!r}")
    if len(prior) != n:
        raise ValueError(f"prior must have {n} distributions, got {len(prior)}")
    each = list(prior.values() if isinstance(prior, Mapping) else prior)
    for one in each:
        if not isinstance(one, Distribution):
            check_distribution("prior", one)
    return getattr(prior, "names", None), each


def check_names(what: str, names: Any, n: int) -> list[str]:
    """Give n names: numbered ones, or those that were given if they are of use."""
    if names is None:
        return [f"{what}_{i}" for i in range(n)]
    names = [names] if isinstance(names, str) else [str(name) for name in names]
    if len(names) != n:
        raise ValueError(f"{what}_names must have {n} entries, got {len(names)}")
    twice = [name for name in names if names.count(name) > 1]
    if twice and what == "target":
        raise ValueError(f"target_names: {twice[0]!r} is there twice")
    return names
