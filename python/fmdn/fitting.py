"""What happens in `Committee.fit`: arguments checked, rows given roles, members trained."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _boundary
from ._boundary import Rows, Training, check_array, check_integer, check_rows
from .noise import GaussianNoise

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
    """Inputs (n, n_inputs), targets (n, n_targets), and whether they were given as (n,)."""
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
        "n_members": check_integer("n_members", committee.n_members, 1),
        "hidden": hidden,
        "kernels": _bounds("kernels", committee.kernels, 1000),
        "covariance": committee.covariance,
        "linear_path": bool(committee.linear_path),
        "max_iter": check_integer("max_iter", committee.max_iter, 0),
        "patience": 0 if patience is None else check_integer("patience", patience, 1),
        "seed": _seed(committee.seed),
        "n_threads": _boundary.count_threads(committee.n_threads),
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
    """Count distinct targets that train, for the member with the fewest, up to `enough`."""
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
            f"at least {MIN_GROUPS} rows or groups of rows, with weights, are needed to "
            f"train, monitor and weigh, got {n_groups} sample(s)"
        )
    return numbers


def _noise_sd(noise: Any, n_inputs: int) -> np.ndarray:
    if noise is None:
        return np.zeros(n_inputs)
    if not isinstance(noise, GaussianNoise):
        noise = GaussianNoise(noise)
    return np.ascontiguousarray(noise.sd_for(n_inputs), dtype=float)


def _prior_names(prior: Any, n: int) -> Any:
    """Names that come with the prior, which must have a distribution for each target."""
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


# --- Training ----------------------------------------------------------------------


def train(
    plan: Plan,
    training: Training,
    checkpoint: str | os.PathLike | None,
    executor: Executor | None,
    progress: bool,
) -> None:
    """Train the members that the checkpoint does not hold yet."""
    mark = "" if checkpoint is None else plan.fingerprint()
    done = _read_checkpoint(plan, training, mark, checkpoint)
    if checkpoint is not None:  # where it cannot be written, say so now
        _write_checkpoint(plan, training, mark, done, checkpoint)
    bar = _progress_bar(plan, done) if progress else None
    seen = done.copy()

    def watch() -> None:
        """Show and keep what has been finished since the last look."""
        finished = training.finished()
        fresh = finished & ~seen
        if fresh.any():
            seen[fresh] = True
            if checkpoint is not None:
                _write_checkpoint(plan, training, mark, finished, checkpoint)
        if bar is not None:
            _show(bar, training, int(fresh.sum()))

    try:
        if executor is not None:
            _train_by_executor(plan, training, done, executor, watch)
        else:
            for first, last in _runs(~done):
                _boundary.train_members(
                    plan.layout,
                    plan.parameters,
                    plan.rows,
                    first,
                    last,
                    plan.patience,
                    plan.n_threads,
                    training,
                    watch,
                )
        watch()
    finally:
        if bar is not None:
            bar.close()


def _runs(wanted: np.ndarray) -> list[tuple[int, int]]:
    """Give the runs of True as (first, one past the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _train_by_executor(
    plan: Plan,
    training: Training,
    done: np.ndarray,
    executor: Executor,
    watch: Callable[[], None],
) -> None:
    """Train each member as a task of its own."""
    from concurrent.futures import as_completed

    sizes = _boundary.describe(plan.layout, plan.parameters)
    tasks = {}
    try:
        for k in np.flatnonzero(~done):
            tasks[executor.submit(_train_one, plan, k, training.interrupt)] = k
        for task in as_completed(tasks):
            k = tasks[task]
            mine, training.history[k], outcome = task.result()
            first = sizes.offset[k]
            plan.parameters[first : first + sizes.n_parameters[k]] = mine
            training.outcome[k] = outcome
            watch()
    except BaseException:
        training.interrupt[0] = 1
        for task in tasks:
            task.cancel()
        raise


def _train_one(
    plan: Plan, k: int, interrupt: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train member k, in whatever process: its parameters, history and outcome."""
    training = Training.of(plan.n_members, plan.max_iter)
    training.interrupt = interrupt  # the caller's own in a thread, a copy elsewhere
    parameters = plan.parameters.copy()
    _boundary.train_members(
        plan.layout,
        parameters,
        plan.rows,
        int(k),
        int(k) + 1,
        plan.patience,
        1,
        training,
        lambda: None,
    )
    sizes = _boundary.describe(plan.layout, parameters)
    mine = slice(sizes.offset[k], sizes.offset[k] + sizes.n_parameters[k])
    return parameters[mine], training.history[k], training.outcome[k]


def _progress_bar(plan: Plan, done: np.ndarray) -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError("progress=True needs tqdm: pip install tqdm") from None
    description = ", ".join(plan.target_names)
    if len(description) > 24:
        description = f"{description[:21]}..."
    return tqdm(
        total=plan.n_members, initial=int(done.sum()), desc=description, unit="member"
    )


def _show(bar: Any, training: Training, n_fresh: int) -> None:
    iterations = training.outcome[:, 1]
    running = np.flatnonzero((training.outcome[:, 0] == 0) & (iterations > 0))
    if running.size:
        k = running[-1]
        loss = training.history[k, iterations[k], 1]
        bar.set_postfix(
            iteration=int(iterations[k]), monitor=f"{loss:.3f}", refresh=False
        )
    bar.update(n_fresh)
    bar.refresh()


# --- Checkpoints: a model file whose text says which members are finished -------------


def _write_checkpoint(
    plan: Plan,
    training: Training,
    mark: str,
    finished: np.ndarray,
    path: str | os.PathLike,
) -> None:
    members = {}
    for k in np.flatnonzero(finished):
        n = training.outcome[k, 1]
        members[int(k)] = {
            "outcome": training.outcome[k].tolist(),
            "history": training.history[k, : n + 1].tolist(),
        }
    text = json.dumps({"fingerprint": mark, "finished": members})
    _boundary.write_file(
        path, [("checkpoint", plan.layout, plan.parameters.copy(), text)]
    )


def _read_checkpoint(
    plan: Plan, training: Training, mark: str, path: str | os.PathLike | None
) -> np.ndarray:
    """Take over the members that are finished in the file, if there is one."""
    done = np.zeros(plan.n_members, dtype=bool)
    if path is None or not os.path.exists(path):
        return done
    name, _, parameters, text = _boundary.read_file(path)[0]
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
