"""A committee to be trained: what `fit` was given, checked, and roles for the rows."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import _boundary
from ._boundary import Rows
from .checks import check_array, check_rows
from .encoders import Encoder
from .inputs import Inputs, Treatment
from .parameter import Distribution, check_distribution
from .preparation import Preparation
from .priors import Prior
from .ranges import Ranges, check_inside
from .recipe import (
    ENOUGH_TO_STACK,
    ENOUGH_TO_WEIGH,
    Run,
    common_settings,
    is_automatic,
    n_pilots,
    recipes,
)
from .stored_prior import prior_of_targets

MIN_GROUPS = 5
MOST_BESIDE = 2**25  # numbers of a member's rows that others are trained beside


@dataclass
class Plan:
    """A committee to be trained: what the core is told, checked."""

    layout: np.ndarray
    parameters: np.ndarray
    rows: Rows | None  # the same for all members, or made for each by
    preparation: Preparation | None
    observed: Preparation | None  # makes rows as an observation is, if they are others
    encoder: Encoder | None
    n_members: int
    n_threads: int
    max_iter: int
    run: Run
    stacked: bool  # weights by the score of the mixture, or of each member
    input_names: list[str]
    target_names: list[str]
    one_target_axis: bool
    features: np.ndarray | None  # names of a data frame's columns
    others: list[tuple]  # of other kinds: layout, parameters, max_iter, run
    n_pilots: int  # members to train before a kind is chosen
    prior: Prior | None  # of the targets, as it is kept
    mark: str = ""

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
        treatment: Treatment,
        prior: Any,
        input_names: Any,
        target_names: Any,
    ) -> Plan:
        """Check a committee's settings and what its `fit` was given."""
        features, series = columns(inputs), getattr(targets, "name", None)
        frame_names = columns(targets) or (series if isinstance(series, str) else None)
        settings = common_settings(committee)
        _require_targets("", targets)
        inputs = Inputs(inputs, treatment, settings["n_threads"])
        targets, one_target_axis = _targets("", targets, len(inputs))
        n, n_targets = targets.shape
        prior_names, priors = _priors(prior, n_targets)
        if target_names is None:
            target_names = prior_names or frame_names
        target_names = check_names("target", target_names, n_targets)
        ranges = Ranges.free(n_targets)
        if priors:
            ranges = Ranges.of_priors(priors, settings["covariance"])
            targets = check_inside("", targets, ranges, target_names, priors)

        weights = check_weights(sample_weight, n)
        reweighted = np.ptp(weights) > 0
        # A row of no weight is as good as not there; replicas are of one group.
        sample = inputs.replicas(np.flatnonzero(weights > 0))
        groups = _groups(groups, n)[sample]
        targets, weights = targets[sample], weights[sample]
        numbers = _number_groups(groups, with_split=monitor is None)
        automatic = is_automatic(committee)
        enough = not automatic or numbers.max() + 1 >= ENOUGH_TO_WEIGH
        roles = _boundary.split_rows(
            numbers,
            settings["seed"],
            with_weighting=weighting is None and monitor is None and enough,
            with_folds=monitor is None,
        )
        kinds = recipes(committee, len(sample))
        enough = max(kind.kernels[1] for kind in kinds)
        most = _distinct_targets(targets, roles, settings["n_members"], enough)
        for i, kind in enumerate(kinds):
            capped = _cap_kernels(kind.kernels, most, committee.kernels)
            kinds[i] = replace(kind, kernels=capped)
        settings |= vars(kinds[0]) | {"others": [vars(kind) for kind in kinds[1:]]}
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
            _require_targets(name, given[1])
            before = inputs.add(f"{name}inputs", given[0])
            more = np.arange(len(inputs.parts[-1]))
            of_more, _ = _targets(name, given[1], len(more), n_targets)
            of_more = check_inside(name, of_more, ranges, target_names, priors)
            sample = np.concatenate([sample, before + more])
            targets = np.concatenate([targets, of_more])
            weights = np.concatenate([weights, np.ones(len(more))])
            roles = np.concatenate([roles, np.full(len(more), role, roles.dtype)])

        weigh = np.count_nonzero(roles == _boundary.NO_FOLD)
        train = (roles == _boundary.TRAINING) | (roles > 0)
        kept = prior_of_targets(
            prior if isinstance(prior, Mapping) else priors or None,
            target_names,
            targets[train],
            weights[train] if reweighted else None,
        )
        levels = ["log noise level"] * (inputs.n_inputs - inputs.n_channels)
        settings["ranges"] = ranges
        planned = inputs.plan(sample, targets, weights, roles, settings)
        return cls(
            planned.layout,
            planned.parameters,
            planned.rows,
            planned.preparation,
            planned.observed,
            planned.encoder,
            settings["n_members"],
            settings["n_threads"],
            kinds[0].max_iter,
            kinds[0].run,
            automatic and weigh >= ENOUGH_TO_STACK,
            check_names(
                "input",
                features if input_names is None else input_names,
                inputs.n_channels,
            )
            + levels,
            target_names,
            one_target_axis,
            None if features is None else np.array(features + levels, dtype=object),
            [
                (*numbers, kind.max_iter, kind.run)
                for numbers, kind in zip(planned.others, kinds[1:], strict=True)
            ],
            n_pilots(settings["n_members"], len(sample)),
            kept,
        )

    def kinds(self) -> list[Plan]:
        """Give a plan for each kind of network that is to be tried."""
        names = ("layout", "parameters", "max_iter", "run")
        return [self] + [
            replace(self, others=[], **dict(zip(names, other, strict=True)))
            for other in self.others
        ]

    def become(self, kind: Plan) -> None:
        """Go on with one of the kinds."""
        vars(self).update(vars(kind) | {"others": []})

    def rows_of(
        self,
        member: int,
        interrupt: np.ndarray | None = None,
        n_threads: int | None = None,
    ) -> Rows:
        """Rows that train or monitor a member."""
        if self.rows is not None:
            return self.rows
        return self.preparation.rows_of(member, interrupt, n_threads)

    def rows_are_small(self) -> bool:
        """Whether memory has room for those of a few members at once."""
        return self.preparation.n_numbers() <= MOST_BESIDE

    def rows_to_weigh(self) -> Rows:
        """Rows that weigh the members, at least."""
        return self.preparation.rows_to_weigh() if self.rows is None else self.rows

    def rows_to_remember(self) -> Rows:
        """Rows as an observation is; some of them where they are made for it."""
        return self.rows if self.observed is None else self.observed.rows_to_remember()

    def fingerprint(self) -> str:
        """Of everything that the trained parameters depend on.

        Where rows are made for each member, those of one stand for all.
        """
        if self.mark:  # training changes parameters
            return self.mark
        digest = hashlib.blake2b(digest_size=16)
        rows = self.rows_of(0)
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
        digest.update(repr((rows.seed, self.max_iter, *self.run)).encode())
        self.mark = digest.hexdigest()
        return self.mark


# --- Arguments ---------------------------------------------------------------------


def columns(frame: Any) -> list[str] | None:
    """Names of a data frame's columns, if all of them are strings."""
    names = getattr(frame, "columns", None)
    if names is None or not all(isinstance(name, str) for name in names):
        return None
    return list(names)


def _require_targets(name: str, targets: Any) -> None:
    if targets is None:
        raise ValueError(
            f"{name}targets: requires y to be passed, but the target y is None"
        )


def _targets(
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


def _cap_kernels(kernels: tuple[int, int], most: int, given: Any) -> tuple[int, int]:
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


def _priors(prior: Any, n: int) -> tuple[Any, list]:
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
