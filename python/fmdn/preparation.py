"""What is done to the data of prior samples before the core trains on them.

In order: noise, afresh for each member; channels that go missing at random; an encoder
or a projection on principal components. Noise of one standard deviation per channel is
left to the core where nothing but a projection comes after it. Everything else is
drawn here, block by block, for one member at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import _boundary, _boundary_inputs
from ._boundary import Rows
from .checks import Array, check_integer
from .encoders import Encoder
from .noise import Noise
from .raw import RawInputs

MOST_REMEMBERED, MOST_NUMBERS = 20_000, 4_000_000
ALL, OWN = -1, 0  # keys of random numbers that are nobody's, and of a member's own


@dataclass(eq=False)
class Preparation:
    """Makes the rows that a member is trained on.

    Attributes
    ----------
    raw : list of RawInputs
        Samples, then those of the sets to monitor and to weigh.
    sample : ndarray, shape (n_rows,)
        Which of them a row is made of, ascending; a replica is another row.
    targets, weights, roles : ndarray
        Of the rows.
    models : ndarray, shape (n, n_parameters), or None
        Of the samples, for noise that depends on them; else it is given the targets.
    groups : ndarray of int, shape (n_channels,), or None
        From 1, of channels that go missing together; 0: never.
    layout, parameters : ndarray
        Of the committee; there when a channel may be missing or is projected.
    projects : bool
        Whether `layout` has a projection that `raw` has not been through yet.
    """

    raw: list[RawInputs]
    sample: Array
    targets: Array
    weights: Array
    roles: Array
    models: Array | None
    noise: Noise | None
    groups: Array | None
    encoder: Encoder | None
    seed: int
    n_threads: int
    layout: Array | None = None
    parameters: Array | None = None
    projects: bool = False

    def n_numbers(self) -> int:
        """Give how many numbers the rows of a member are."""
        sizes = _boundary.describe(self.layout, self.parameters)
        return len(self.roles) * sizes.n_features

    def thinned(self, step: int) -> Preparation:
        """Give one row in so many."""
        names = "sample", "targets", "weights", "roles"
        return replace(self, **{name: getattr(self, name)[::step] for name in names})

    def rows_of(
        self, member: int, interrupt: Array | None = None, n_threads: int | None = None
    ) -> Rows:
        """Rows that train or monitor a member, with its own noise where they train."""
        if n_threads is not None:
            return replace(self, n_threads=n_threads).rows_of(member, interrupt)
        fold = 1 + member % max(1, int(self.roles.max()))
        trains = (self.roles == _boundary.TRAINING) | (
            (self.roles > 0) & (self.roles != fold)
        )
        streams = np.where(trains, OWN, self.roles + 3)  # a role is -2 at least
        return self._make(self.roles != _boundary.NO_FOLD, streams, member, interrupt)

    def rows_to_weigh(self) -> Rows:
        """Rows that weigh the members; those that monitor all where none do, or any."""
        wanted = self.roles == _boundary.NO_FOLD
        if not wanted.any():
            wanted = self.roles == _boundary.MONITOR
        if not wanted.any():  # members count the same, whatever the row
            wanted[0] = True
        return self._make(wanted, self.roles + 3, ALL)

    def rows_to_scale(self) -> Rows:
        """All rows that are not to weigh, nothing missing that was there."""
        wanted = self.roles != _boundary.NO_FOLD
        return self._make(wanted, self.roles + 3, ALL, drop=False)

    def rows_to_remember(self) -> Rows:
        """Some rows as an observation is: noisy, with nothing done to them yet."""
        wanted = np.zeros(len(self.roles), dtype=bool)
        most = min(MOST_REMEMBERED, max(1000, MOST_NUMBERS // self.raw[0].n_channels))
        wanted[np.linspace(0, len(wanted) - 1, min(len(wanted), most)).astype(int)] = 1
        return self.as_observed(wanted & (self.roles != _boundary.NO_FOLD))

    def as_observed(self, wanted: Array) -> Rows:
        """Give rows as observations are: noisy, with nothing done to them yet."""
        return self._make(wanted, self.roles + 3, ALL, drop=False, raw=True)

    def fit_encoder(self, encoder: Any) -> Encoder:
        """Fit an encoder to noisy data; one that was fitted here before stays so."""
        if isinstance(encoder, Encoder):
            return encoder
        wanted = self.roles != _boundary.NO_FOLD
        rows = self._make(wanted, self.roles + 3, ALL, drop=False, raw=True)
        return Encoder.fit(encoder, rows.inputs[:, : self.raw[0].n_channels])

    def _make(
        self,
        wanted: Array,
        streams: Array,
        member: int,
        interrupt: Array | None = None,
        *,
        drop: bool = True,
        raw: bool = False,
    ) -> Rows:
        """Make the rows wanted; all rows of a stream are, or none."""
        made: list[Array] = []
        number, first_sample = -1, 0
        for part in self.raw:
            for first, block in part.blocks():
                if interrupt is not None and interrupt[0]:
                    raise KeyboardInterrupt
                ends = first_sample + first + np.array([0, len(block)])
                start, stop = np.searchsorted(self.sample, ends)
                here = start + np.flatnonzero(wanted[start:stop])
                number += 1
                if not here.size:  # encoders need not know what to do with no rows
                    continue
                noisy = np.empty((len(here), self._n_inputs(block)))
                for stream in np.unique(streams[here]):
                    some = streams[here] == stream
                    key = [member + 1, 0] if stream == OWN else [0, int(stream)]
                    rng = np.random.default_rng([self.seed, *key, number])
                    rows = here[some]
                    data = block[self.sample[rows] - ends[0]]
                    noisy[some] = self._measure(rng, data, rows, drop)
                made.append(noisy if raw else self._prepare(noisy))
            first_sample += len(part)
        features = np.concatenate(made)
        return Rows(
            features,
            self.targets[wanted],
            self.weights[wanted],
            self.roles[wanted],
            np.zeros(features.shape[1]),
            self.seed,
        )

    def _n_inputs(self, block: Array) -> int:
        return block.shape[1] + (0 if self.noise is None else self.noise.n_levels)

    def _measure(
        self, rng: np.random.Generator, data: Array, rows: Array, drop: bool
    ) -> Array:
        """Noise, then channels that go missing."""
        if self.noise is not None:
            models = self.targets[rows]
            if self.models is not None:
                models = self.models[self.sample[rows]]
            data = self.noise.draw(rng, data, models)
        if drop and self.groups is not None:
            channels = data[:, : len(self.groups)]
            channels[drop_groups(rng, len(data), self.groups)] = np.nan
        return data

    def _prepare(self, data: Array) -> Array:
        if self.encoder is not None:
            return self.encoder.encode(data)
        if self.groups is None and not self.projects:
            return data
        return _boundary_inputs.prepare_inputs(
            self.layout, self.parameters, data, self.n_threads
        )


def drop_groups(rng: np.random.Generator, n: int, groups: Array) -> Array:
    """Draw which of the channels are missing, shape (n, n_channels).

    The share of groups that are missing is the square of a uniform number: mostly few
    of them, a quarter in the median, at times all, so that an observation may lack any.
    """
    share = rng.random((n, 1)) ** 2
    missing = np.zeros((n, 1 + groups.max()), dtype=bool)
    missing[:, 1:] = rng.random((n, groups.max())) < share
    return missing[:, groups]


def number_groups(missing: Any, n_channels: int) -> Array:
    """Give the number of each channel's group, from 1, and 0 for those in none."""
    numbers = np.zeros(n_channels, dtype=np.intc)
    if isinstance(missing, (str, bytes)) or not hasattr(missing, "__iter__"):
        raise TypeError(
            "missing must be groups of channels that go missing together, such as "
            f"[[0, 1, 2], [3, 4, 5]], got {missing!r}"
        )
    for number, group in enumerate(missing, 1):
        if not hasattr(group, "__iter__"):
            raise TypeError(
                f"missing must be groups of channels, such as [[{group!r}]], but holds "
                f"{group!r}"
            )
        group = [check_integer("missing", one, 0, n_channels - 1) for one in group]
        if not group:
            raise ValueError(f"missing: group {number - 1} is empty")
        for channel in group:
            if numbers[channel]:
                raise ValueError(f"missing: channel {channel} is in two groups")
            numbers[channel] = number
    if not numbers.any():
        raise ValueError("missing: there is no group")
    return numbers
