"""A committee to be trained: what `fit` was given, checked, and roles for the rows."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _boundary
from ._boundary import Rows
from .checks import check_array, check_integer, check_rows
from .noise import GaussianNoise
from .threads import count_threads

MIN_GROUPS = 5


@dataclass
class Plan:
    """A committee to be trained: what the core is told, checked."""

    layout: np.ndarray
    parameters: np.ndarray
    rows: Rows
    n_members: int
    max_iter: int
    patience: int  # 0: none
    n_threads: int
    input_names: list[str]
    target_names: list[str]
    one_target_axis: bool
    features: np.ndarray | None  # names of a data frame's columns

    @classmethod
    def of(
        cls,
        committee: Any,
        inputs: Any,
        targets: Any,
        *,
        monitor: Any,
        weighting: Any,
        groups: Any,
        sample_weight: Any,
        noise: Any,
        prior: Any,
        input_names: Any,
        target_names: Any,
    ) -> Plan:
        """Check a committee's settings and what its `fit` was given."""
        features, series = columns(inputs), getattr(targets, "name", None)
        frame_names = columns(targets) or (series if isinstance(series, str) else None)
        inputs, targets, one_target_axis = _rows("", inputs, targets)
        n, n_inputs = inputs.shape
        n_targets = targets.shape[1]
        prior_names = _prior_names(prior, n_targets)
        if target_names is None:
            target_names = prior_names or frame_names
        settings = _settings(committee)

        weights = check_weights(sample_weight, n)
        used = weights > 0  # a row of no weight is as good as not there
        groups = _groups(groups, n)[used]
        if not used.all():
            inputs, targets, weights = inputs[used], targets[used], weights[used]
        roles = _boundary.split_rows(
            _number_groups(groups, with_split=monitor is None),
            settings["seed"],
            with_weighting=weighting is None and monitor is None,
            with_folds=monitor is None,
        )
        settings["kernels"] = _cap_kernels(
            settings["kernels"],
            _distinct_targets(
                targets, roles, settings["n_members"], settings["kernels"][1]
            ),
            drawn=isinstance(committee.kernels, tuple),
        )
        for name, given, role in (
            ("monitor ", monitor, _boundary.MONITOR),
            ("weighting ", weighting, _boundary.NO_FOLD),
        ):
            if given is None:
                continue
            if not isinstance(given, (tuple, list)) or len(given) != 2:
                raise TypeError(f"{name.strip()} must be a pair (inputs, targets)")
            if (
                None not in (features, columns(given[0]))
                and columns(given[0]) != features
            ):
                raise ValueError(f"{name}inputs have other columns than inputs")
            more, of_more, _ = _rows(name, *given, n_inputs, n_targets)
            inputs = np.concatenate([inputs, more])
            targets = np.concatenate([targets, of_more])
            weights = np.concatenate([weights, np.ones(len(more))])
            roles = np.concatenate([roles, np.full(len(more), role, roles.dtype)])

        rows = Rows(
            inputs,
            targets,
            weights,
            roles,
            _noise_sd(noise, n_inputs),
            settings["seed"],
        )
        layout, parameters = _boundary.plan_committee(
            settings["seed"],
            n_inputs,
            n_targets,
            settings["n_members"],
            settings["hidden"],
            settings["kernels"],
            settings["covariance"],
            settings["linear_path"],
        )
        _boundary.fit_scales(layout, parameters, rows)
        return cls(
            layout,
            parameters,
            rows,
            settings["n_members"],
            settings["max_iter"],
            settings["patience"],
            settings["n_threads"],
            check_names(
                "input", features if input_names is None else input_names, n_inputs
            ),
            check_names("target", target_names, n_targets),
            one_target_axis,
            None if features is None else np.array(features, dtype=object),
        )

    def fingerprint(self) -> str:
        """Of everything that the trained parameters depend on."""
        digest = hashlib.blake2b(digest_size=16)
        rows = self.rows
        for array in (
            self.layout,
            self.parameters,
            rows.inputs,
            rows.targets,
            rows.weights,
            rows.roles,
            rows.noise_sd,
        ):
            digest.update(np.ascontiguousarray(array))
        digest.update(repr((rows.seed, self.max_iter, self.patience)).encode())
        return digest.hexdigest()


# --- Arguments ---------------------------------------------------------------------


def columns(frame: Any) -> list[str] | None:
    """Names of a data frame's columns, if all of them are strings."""
    names = getattr(frame, "columns", None)
    if names is None or not all(isinstance(name, str) for name in names):
        return None
    return list(names)


def _rows(
    name: str, inputs: Any, targets: Any, n_inputs: int | None = None, n_targets=None
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Inputs (n, n_inputs), targets (n, n_targets), and whether they were flat."""
    if targets is None:
        raise ValueError(
            f"{name}targets: requires y to be passed, but the target y is None"
        )
    inputs = check_rows(f"{name}inputs", inputs, n_inputs)
    targets = check_array(f"{name}targets", targets, (1, 2))
    one_target_axis = targets.ndim == 1
    if one_target_axis:
        targets = targets[:, np.newaxis]
    if len(targets) != len(inputs):
        raise ValueError(
            f"{name}inputs and {name}targets must have the same number of rows, got "
            f"{len(inputs)} and {len(targets)}"
        )
    targets = check_rows(f"{name}targets", targets, n_targets)
    return inputs, targets, one_target_axis


def _settings(committee: Any) -> dict[str, Any]:
    """Settings as the core takes them."""
    if not isinstance(committee.covariance, str) or (
        committee.covariance not in _boundary.COVARIANCES
    ):
        known = ", ".join(map(repr, _boundary.COVARIANCES))
        raise ValueError(
            f"covariance must be one of {known}, got {committee.covariance!r}"
        )
    hidden = committee.hidden
    if isinstance(hidden, list):
        if not hidden:
            raise ValueError("hidden must hold at least one layer's width, got []")
        hidden = [_bounds("hidden", width, 10**6) for width in hidden]
    else:
        hidden = [_bounds("hidden", hidden, 10**6)]
    patience = committee.patience
    return {
        "n_members": check_integer("n_members", committee.n_members, 1, 10_000),
        "hidden": hidden,
        "kernels": _bounds("kernels", committee.kernels, 1000),
        "covariance": committee.covariance,
        "linear_path": bool(committee.linear_path),
        "max_iter": check_integer("max_iter", committee.max_iter, 0),
        "patience": 0 if patience is None else check_integer("patience", patience, 1),
        "seed": _seed(committee.seed),
        "n_threads": count_threads(committee.n_threads),
    }


def _seed(seed: Any) -> int:
    """An integer; what scikit-learn calls a random state is not one."""
    return check_integer("seed", seed, 0, 2**63 - 1)


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


def _distinct_targets(
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


def _cap_kernels(kernels: tuple[int, int], most: int, drawn: bool) -> tuple[int, int]:
    """No more kernels than there are distinct targets."""
    if kernels[1] <= most:
        return kernels
    few = f"there are only {most} distinct targets to train on"
    if not drawn:
        raise ValueError(f"kernels={kernels[0]} is too many: {few}")
    warnings.warn(
        f"kernels={kernels}: {few}; at most {most}", UserWarning, stacklevel=4
    )
    return min(kernels[0], most), most


def check_weights(sample_weight: Any, n: int) -> np.ndarray:
    """Give the weights of n rows: ones, or what was given if it is of use."""
    if sample_weight is None:
        return np.ones(n)
    weights = check_array("sample_weight", sample_weight, (0, 1))
    if weights.ndim == 0:
        weights = np.full(n, weights)
    if len(weights) != n:
        raise ValueError(f"sample_weight must have {n} entries, got {len(weights)}")
    if (weights < 0).any():
        raise ValueError(f"sample_weight is negative at row {np.argmax(weights < 0)}")
    if not weights.any():
        raise ValueError("sample_weight is zero everywhere")
    return weights


def _groups(groups: Any, n: int) -> np.ndarray:
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


def _number_groups(groups: np.ndarray, with_split: bool) -> np.ndarray:
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


def _noise_sd(noise: Any, n_inputs: int) -> np.ndarray:
    if noise is None:
        return np.zeros(n_inputs)
    if not isinstance(noise, GaussianNoise):
        noise = GaussianNoise(noise)
    return np.ascontiguousarray(noise.sd_for(n_inputs), dtype=float)


def _prior_names(prior: Any, n: int) -> Any:
    """Names of the prior, which must have a distribution for each target."""
    if prior is None:
        return None
    if not hasattr(prior, "__len__"):
        raise TypeError(f"prior must be a Prior or {n} distributions, got {prior!r}")
    if len(prior) != n:
        raise ValueError(f"prior must have {n} distributions, got {len(prior)}")
    return getattr(prior, "names", None)


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
