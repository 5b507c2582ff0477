"""A committee to be trained: what `fit` was given, checked, and roles for the rows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from . import _boundary
from ._boundary import Rows
from .arguments import (
    cap_kernels,
    check_names,
    check_weights,
    columns,
    distinct_targets,
    number_groups,
    read_groups,
    read_priors,
    read_targets,
    require_targets,
)
from .blur import blur, find_marks
from .encoders import Encoder
from .inputs import Inputs, Treatment
from .preparation import Preparation
from .priors import Prior
from .ranges import FREE, Ranges, check_inside
from .recipe import (
    CUT_OFF,
    ENOUGH_TO_STACK,
    ENOUGH_TO_WEIGH,
    Recipe,
    Run,
    common_settings,
    is_automatic,
    most_kernels,
    n_pilots,
    pilot_step,
    pointless,
    recipes,
)
from .stored_prior import prior_of_targets

OTHER_ARGUMENTS = (
    "inputs, targets or other arguments are not those that the committee was trained "
    "with"
)
MOST_BESIDE = 2**25  # numbers of a member's rows that others are trained beside


class Network(NamedTuple):
    """A committee of one kind, laid out; how it and its pilots are trained."""

    layout: np.ndarray
    parameters: np.ndarray
    recipe: Recipe
    of_pilots: Recipe


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
    networks: dict[int, Network]  # of each kind that is to be tried
    n_pilots: int  # members to train before a kind is chosen
    step: int  # they are trained on one row in so many
    prior: Prior | None  # of the targets, as it is kept
    kind: int | None = None  # the one that was chosen
    mark: str = ""

    @classmethod
    def of(
        cls,
        committee: Any,
        inputs: Any,
        targets: Any,
        *,
        treatment: Treatment,
        monitor: Any = None,
        weighting: Any = None,
        groups: Any = None,
        sample_weight: Any = None,
        prior: Any = None,
        input_names: Any = None,
        target_names: Any = None,
    ) -> Plan:
        """Check a committee's settings and what its `fit` was given."""
        features, series = columns(inputs), getattr(targets, "name", None)
        frame_names = columns(targets) or (series if isinstance(series, str) else None)
        settings = common_settings(committee)
        require_targets("", targets)
        inputs = Inputs(inputs, treatment, settings["n_threads"])
        targets, one_target_axis = read_targets("", targets, len(inputs))
        n, n_targets = targets.shape
        prior_names, priors = read_priors(prior, n_targets)
        if target_names is None:
            target_names = prior_names or frame_names
        target_names = check_names("target", target_names, n_targets)
        ranges = _ranges_of(priors, n_targets, committee.covariance)
        cut_off = _ranges_of(priors, n_targets, "diagonal")
        targets = check_inside("", targets, ranges, target_names, priors)

        weights = check_weights(sample_weight, n)
        reweighted = np.ptp(weights) > 0
        # A row of no weight is as good as not there; replicas are of one group.
        sample = inputs.replicas(np.flatnonzero(weights > 0))
        n_samples = len(sample) // treatment.replicate
        groups = read_groups(groups, n)[sample]
        targets, weights = targets[sample], weights[sample]
        numbers = number_groups(groups, with_split=monitor is None)
        automatic = is_automatic(committee)
        noise = treatment.noise  # some sees the targets
        to_blur = automatic and (noise is None or noise.is_gaussian)
        once = targets[:: treatment.replicate]
        marks = find_marks(once, (ranges.kinds == FREE) & to_blur)
        targets = blur(targets, marks, [settings["seed"], 0])
        enough = not automatic or numbers.max() + 1 >= ENOUGH_TO_WEIGH
        roles = _boundary.split_rows(
            numbers,
            settings["seed"],
            with_weighting=weighting is None and monitor is None and enough,
            with_folds=monitor is None,
        )
        can_be_cut = not ranges.same_as(cut_off)
        without = pointless(len(sample), inputs.n_inputs, can_be_cut=can_be_cut)
        kinds = recipes(committee, len(sample), without)
        enough = max(kind.kernels[1] for kind in kinds.values())
        most = distinct_targets(targets, roles, settings["n_members"], enough)
        for number, kind in kinds.items():
            enough = most_kernels(kind, n_targets, n_samples) if automatic else most
            capped = cap_kernels(kind.kernels, min(most, enough), committee.kernels)
            kinds[number] = replace(kind, kernels=capped)
        first, *others = (
            vars(kind) | {"ranges": cut_off if number in CUT_OFF else ranges}
            for number, kind in kinds.items()
        )
        settings |= first | {"others": others}
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
            require_targets(name, given[1])
            before = inputs.add(f"{name}inputs", given[0])
            more = np.arange(len(inputs.parts[-1]))
            of_more, _ = read_targets(name, given[1], len(more), n_targets)
            of_more = check_inside(name, of_more, ranges, target_names, priors)
            of_more = blur(of_more, marks, [settings["seed"], len(roles)])
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
        planned = inputs.plan(sample, targets, weights, roles, settings)
        step = pilot_step(len(sample))
        laid_out = [(planned.layout, planned.parameters), *planned.others]
        of_pilots = recipes(committee, -(-len(sample) // step), without)
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
            {
                number: Network(*one, kinds[number], of_pilots[number])
                for number, one in zip(kinds, laid_out, strict=True)
            },
            n_pilots(settings["n_members"], len(sample)),
            step,
            kept,
        )

    def of_kind(self, number: int) -> Plan:
        """Give the plan with one of the kinds of network that are to be tried."""
        if number not in self.networks:
            raise ValueError(OTHER_ARGUMENTS)
        layout, parameters, recipe, _ = self.networks[number]
        max_iter, run = recipe.max_iter, recipe.run
        changes = {"networks": {}, "kind": number, "max_iter": max_iter, "run": run}
        return replace(self, layout=layout, parameters=parameters, **changes)

    def of_pilots(self, number: int) -> Plan:
        """Give the plan for its pilots: the same, or with fewer rows."""
        plan = self.of_kind(number)
        if self.step == 1:
            return plan
        plan.parameters = plan.parameters.copy()
        recipe = self.networks[number].of_pilots
        plan.max_iter, plan.run = recipe.max_iter, recipe.run
        if plan.rows is None:
            plan.preparation = plan.preparation.thinned(self.step)
        else:
            plan.rows = plan.rows.chosen(slice(None, None, self.step))
        return plan

    def become(self, kind: Plan) -> None:
        """Go on with one of the kinds."""
        vars(self).update(vars(kind))

    def adopt(self, layout: np.ndarray, parameters: np.ndarray) -> None:
        """Take over the members of a committee that was trained on the same rows."""
        old = _boundary.describe(layout, parameters)
        new = _boundary.describe(self.layout, self.parameters)
        ahead = new.offset[0] - new.n_members  # scales and what else is of all members
        theirs = old.offset[0] - old.n_members
        same = all(
            np.array_equal(getattr(old, name), getattr(new, name)[: old.n_members])
            for name in ("kernels", "layers", "hidden", "n_parameters", "covariance")
        )
        if not same or not np.array_equal(parameters[:theirs], self.parameters[:ahead]):
            raise ValueError(OTHER_ARGUMENTS)
        for k in range(old.n_members):
            first, mine = old.offset[k], new.offset[k]
            n = old.n_parameters[k]
            self.parameters[mine : mine + n] = parameters[first : first + n]

    def n_monitored(self) -> float:
        """Count the rows that monitor a member."""
        roles = (self.preparation if self.rows is None else self.rows).roles
        n_folds = max(0, int(roles.max()))
        if n_folds:
            return np.count_nonzero(roles > 0) / n_folds
        return float(np.count_nonzero(roles == _boundary.MONITOR))

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

    def rows_held_out(self, most: int) -> Rows:
        """Give at most so many rows, as observations are, that did not train all.

        Those that weigh the members, or monitor them: all, or each fold some.
        """
        source = self.rows if self.observed is None else self.observed
        roles = source.roles
        for wanted in (roles == _boundary.NO_FOLD, roles == _boundary.MONITOR):
            if wanted.any():
                break
        else:
            wanted = roles > 0
        some = np.flatnonzero(wanted)
        some = some[:: max(1, -(-len(some) // most))]
        if self.observed is not None:
            wanted = np.zeros(len(roles), dtype=bool)
            wanted[some] = True
            return source.as_observed(wanted)
        rows = source.chosen(some)
        noise = np.random.default_rng(rows.seed).standard_normal(rows.inputs.shape)
        return replace(rows, inputs=rows.inputs + rows.noise_sd * noise)

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


def _ranges_of(priors: Sequence, n_targets: int, covariance: str) -> Ranges:
    if not priors:
        return Ranges.free(n_targets)
    return Ranges.of_priors(priors, covariance)
