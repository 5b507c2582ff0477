"""The inputs that a fit was given, and what is to be done to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import _boundary, _boundary_inputs, _boundary_targets
from ._boundary import Rows
from .checks import Array, check_array, check_integer, check_rows
from .encoders import Encoder
from .noise import GaussianNoise, Noise, as_noise
from .preparation import Preparation, number_groups
from .projection import Projected, fit_projection
from .raw import RawInputs

UNCORRELATED = 1e-9  # correlations of noise below this are rounding


@dataclass(frozen=True, eq=False)
class Treatment:
    """What is to be done to inputs, as `Committee.fit` describes it."""

    noise: Any = None
    missing: Any = None
    components: Any = None
    encoder: Any = None
    replicate: int = 1
    models: Any = None

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        object.__setattr__(self, "noise", as_noise(self.noise))
        for name in ("missing", "components"):
            if self.encoder is not None and getattr(self, name) is not None:
                raise ValueError(f"{name} and encoder cannot be given together")
        check_integer("replicate", self.replicate, 1)
        if self.replicate > 1 and self.noise is None and self.missing is None:
            raise ValueError(
                f"replicate={self.replicate} needs noise: without it replicas of a "
                "sample are all the same"
            )

    @property
    def is_plain(self) -> bool:
        """Whether the core can do it all."""
        known = self.noise is None or isinstance(self.noise, GaussianNoise)
        return known and (self.missing, self.components, self.encoder) == (None,) * 3

    def project(self, raw: RawInputs, n_threads: int) -> Projected | None:
        """Components of all rows, where noise can be added to them as well."""
        if self.components is None or self.missing is not None:
            return None
        if not (self.noise is None or self.noise.is_gaussian):
            return None
        projection = fit_projection(raw, self.components, self.noise)
        return Projected.of(raw, projection, n_threads)


class Inputs:
    """Inputs of the samples, and of the sets to monitor and to weigh if there are any.

    Attributes
    ----------
    n_channels : int
        As they were given.
    n_inputs : int
        As a committee takes them: channels, or what an encoder makes of them, and
        levels of the noise.
    """

    def __init__(self, value: Any, treatment: Treatment, n_threads: int) -> None:
        self.treatment, self.n_threads = treatment, n_threads
        self.projection = self.groups = self._may_be_nan = None
        self.parts: list[Any] = []  # arrays if that is all the core needs
        self.scores: list[Array] = []  # components, where noise can be added to them
        noise = treatment.noise
        if isinstance(value, Projected):
            self._take_projected(value)
        elif treatment.is_plain:
            self.parts.append(check_rows("inputs", value))
        else:
            self._read(value)
        self.n_channels = _width(self.parts[0])
        if noise is not None:
            noise.channel_sd(self.n_channels)
        self.n_inputs = self.n_channels + (0 if noise is None else noise.n_levels)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.parts[0])

    def _read(self, value: Any) -> None:
        """Take inputs that the core cannot do all to."""
        treatment = self.treatment
        raw = RawInputs("inputs", value)
        if treatment.missing is not None:
            self.groups = number_groups(treatment.missing, raw.n_channels)
            self._may_be_nan = raw.may_be_nan = self.groups > 0
        if treatment.noise is not None:
            treatment.noise.channel_sd(raw.n_channels)
        projected = treatment.project(raw, self.n_threads)
        if projected is not None:
            self._take_projected(projected)
            return
        if treatment.components is not None:
            self.projection = fit_projection(raw, treatment.components, treatment.noise)
        self.parts.append(raw)

    def _take_projected(self, projected: Projected) -> None:
        self.projection = projected.projection
        self.parts.append(projected.raw)
        self.scores.append(projected.scores)

    def add(self, name: str, value: Any) -> int:
        """Take the inputs of one more set; how many there were before."""
        before = sum(map(len, self.parts))
        if self.treatment.models is not None:
            raise ValueError(
                f"{name}: of their models nothing is known; leave models out"
            )
        if self.treatment.is_plain:
            more: Any = check_rows(name, value, self.n_channels)
        else:
            more = RawInputs(name, value, self._may_be_nan)
            if more.n_channels != self.n_channels:
                raise ValueError(
                    f"{name} has {more.n_channels} features, but {self.n_channels} "
                    "features are expected as input"
                )
            if self.scores:
                projected = Projected.of(more, self.projection, self.n_threads)
                self.scores.append(projected.scores)
        self.parts.append(more)
        return before

    def replicas(self, rows: Array) -> Array:
        """Give the samples that the rows to train on are made of."""
        return np.repeat(rows, self.treatment.replicate)

    def plan(
        self,
        sample: Array,
        targets: Array,
        weights: Array,
        roles: Array,
        settings: dict[str, Any],
    ) -> Planned:
        """Lay a committee out whose scales are those of the rows."""
        of_rows = (sample, targets, weights, roles)
        noise, seed = self.treatment.noise, settings["seed"]
        rows = preparation = observed = encoder = None
        if not self.treatment.is_plain:
            models = self.treatment.models
            models = None if models is None else check_models(models, len(self))
            options = (models, noise, self.groups, None, seed, self.n_threads)
            observed = preparation = Preparation(self.parts, *of_rows, *options)
        if self.scores and noise is not None:
            noise = _simplified(noise.projected(self.projection.axes))
        if self.scores and not (noise is None or isinstance(noise, GaussianNoise)):
            tables = [RawInputs("components", one) for one in self.scores]
            preparation = replace(preparation, raw=tables, noise=noise)
        elif self.scores or self.treatment.is_plain:
            tables = self.scores or self.parts
            rows, preparation = _as_they_are(tables, *of_rows, noise, seed), None
        elif self.treatment.encoder is not None:
            encoder = preparation.fit_encoder(self.treatment.encoder)
            preparation.encoder = encoder
        layout, parameters = self._lay_out(targets.shape[1], encoder, settings)
        if preparation is not None:
            preparation.layout, preparation.parameters = layout, parameters
            preparation.projects = self.projection is not None and not self.scores
        to_scale = preparation.rows_to_scale() if rows is None else rows
        _boundary.fit_scales(layout, parameters, to_scale)
        others = []
        for kind in settings["others"]:
            others.append(self._lay_out(targets.shape[1], encoder, settings | kind))
            _boundary.fit_scales(*others[-1], to_scale)
        return Planned(layout, parameters, rows, preparation, observed, encoder, others)

    def _lay_out(
        self, n_targets: int, encoder: Encoder | None, settings: dict[str, Any]
    ) -> tuple[Array, Array]:
        n_inputs = self.n_inputs
        if encoder is not None:
            n_inputs -= encoder.n_more
        groups = None
        if self.groups is not None:
            groups = np.zeros(n_inputs, dtype=np.intc)
            groups[: self.n_channels] = self.groups
        axes = np.zeros((0, 0)) if self.projection is None else self.projection.axes
        layout, parameters = _boundary.plan_committee(
            settings["seed"],
            n_inputs,
            n_targets,
            settings["n_members"],
            settings["hidden"],
            settings["kernels"],
            settings["covariance"],
            settings["linear_path"],
            groups,
            axes.shape[1],
            axes.shape[0],
        )
        layout, parameters = _boundary_targets.add_ranges(
            layout, parameters, settings["ranges"]
        )
        if settings["bent"]:
            layout, parameters = _boundary_inputs.add_knots(
                layout, parameters, in_pieces=settings["in_pieces"]
            )
        if self.projection is not None:
            _boundary_inputs.write_projection(
                layout, parameters, self.projection.centre, axes
            )
        elif groups is not None:
            centre = self.parts[0].mean()
            _boundary_inputs.write_input_centre(layout, parameters, centre)
        return layout, parameters


@dataclass(frozen=True, eq=False)
class Planned:
    """A committee laid out, and the rows to train it on.

    Attributes
    ----------
    rows : Rows or None
        The same for all members; else `preparation` makes them for each.
    observed : Preparation or None
        Makes rows as an observation is, where those that train are not.
    """

    layout: Array
    parameters: Array
    rows: Rows | None
    preparation: Preparation | None
    observed: Preparation | None
    encoder: Encoder | None
    others: list[tuple[Array, Array]]  # layouts and parameters of other kinds


def _as_they_are(
    tables: list[Array],
    sample: Array,
    targets: Array,
    weights: Array,
    roles: Array,
    noise: GaussianNoise | None,
    seed: int,
) -> Rows:
    """Rows of these tables, to which the core adds the noise."""
    inputs = tables[0] if len(tables) == 1 else np.concatenate(tables)
    if len(sample) != len(inputs) or (sample != np.arange(len(inputs))).any():
        inputs = inputs[sample]
    n = inputs.shape[1]
    sd = np.zeros(n) if noise is None else noise.sd_for(n)
    sd = np.ascontiguousarray(sd, dtype=float)
    return Rows(inputs, targets, weights, roles, sd, seed)


def _width(table: Any) -> int:
    return table.shape[1] if isinstance(table, np.ndarray) else table.n_channels


def check_models(models: Any, n: int) -> Array:
    """Give the models of n samples, for noise that depends on them."""
    models = check_array("models", models, (1, 2))
    if len(models) != n:
        raise ValueError(
            f"models must have {n} rows, one per sample, got {len(models)}"
        )
    return models if models.ndim == 2 else models[:, np.newaxis]


def _simplified(noise: Noise) -> Noise:
    """Give noise of one standard deviation per channel, if it is that."""
    sd = noise.channel_sd(len(noise.covariance))
    limit = UNCORRELATED * np.outer(sd, sd)
    off = np.abs(noise.covariance - np.diag(sd**2))
    return GaussianNoise(sd) if (off <= limit).all() else noise
