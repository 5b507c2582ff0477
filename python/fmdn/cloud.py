"""Is an observation like the training set? Networks do not extrapolate.

The training inputs are remembered by their mean, scale and principal components, and by
quantiles: of each channel, of the Mahalanobis distance in the components, and of what
lies outside of these.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .checks import check_array
from .tables import Table

MOST_COMPONENTS = 50
MOST_ROWS, MOST_NUMBERS = 20_000, 4_000_000  # of the training set, for the quantiles
ALARM = 99.9  # percentile beyond which an observation is called unlike
PERCENT = np.array([0, 0.1, 1, 5, 25, 50, 75, 95, 99, 99.9, 100])
NEGLIGIBLE = 1e-4  # standard deviations; rounding leaves less


class NoveltyWarning(UserWarning):
    """An observation is unlike anything in the training set."""


def novelty(model, observed, *, stacklevel=2):
    """Say where observations lie in the cloud of a model's training inputs.

    Warns (`NoveltyWarning`) when one lies beyond 99.9 % of them.

    Parameters
    ----------
    model : Committee, Inversion or TrainingCloud
    observed : array_like, shape (n_inputs,) or (n, n_inputs)
    stacklevel : int
        Of the warning: whose line it names.

    Returns
    -------
    Novelty
    """
    cloud = model if isinstance(model, TrainingCloud) else cloud_of(model)
    if cloud is None:
        raise ValueError(
            f"{type(model).__name__} holds nothing of its training set; "
            "TrainingCloud.of(inputs) makes it of yours"
        )
    found = cloud.locate(observed)
    unlike = np.flatnonzero(found.unlike)
    if unlike.size:
        rows = f"observations {unlike.tolist()[:10]} are" if len(found) > 1 else "it is"
        channels = found.summary()[:3]
        worst = ", ".join(f"{one.channel} ({one.percentile:g} %)" for one in channels)
        warnings.warn(
            f"{rows} unlike the training set: beyond {ALARM} % of it in distance "
            f"({found.distance.max():.4g} %), rest ({found.rest.max():.4g} %) or a "
            f"channel's range; outermost channels: {worst}",
            NoveltyWarning,
            stacklevel=stacklevel,
        )
    return found


def cloud_of(model) -> TrainingCloud | None:
    """Give what a committee or an inversion remembers of its training set, or None."""
    committees = getattr(model, "committees_", {None: model}).values()
    return next((getattr(one, "cloud_", None) for one in committees), None)


class ChannelRow(NamedTuple):
    """Where the observations lie in one channel, at the outermost."""

    channel: str
    percentile: float
    observation: int


class ChannelTable(Table):
    """Channels, the outermost first."""

    texts = ("channel",)

    def cells(self):
        """Give the lines."""
        yield "channel", "percentile", "observation"
        for row in self:
            yield row.channel, f"{row.percentile:.4g}", str(row.observation)


@dataclass(frozen=True, eq=False)
class Novelty:
    """Percentiles of the training set at which observations lie.

    Attributes
    ----------
    distance : ndarray, shape (n,)
        Of the Mahalanobis distance in the leading principal components.
    rest : ndarray, shape (n,)
        Of the length of what lies outside of these components.
    channels : ndarray, shape (n, n_inputs)
        Of each channel by itself: near 0 and near 100 are far out.
    unlike : ndarray of bool, shape (n,)
        Whether one is beyond 99.9 % in distance or rest, or outside the range of a
        channel by more than a fifth of it.
    names : list of str
        Of the channels.
    """

    distance: np.ndarray
    rest: np.ndarray
    channels: np.ndarray
    unlike: np.ndarray
    names: list[str]

    def __len__(self) -> int:
        """Return the number of observations."""
        return len(self.distance)

    def summary(self) -> ChannelTable:
        """Return a table of the channels, outermost first."""
        out = np.abs(self.channels - 50)
        row = out.argmax(axis=0)
        columns = np.arange(out.shape[1])
        order = np.argsort(-out[row, columns], kind="stable")
        return ChannelTable(
            ChannelRow(self.names[j], float(self.channels[row[j], j]), int(row[j]))
            for j in order
        )

    def plot(self, *, figure=None):
        """Draw the percentiles: see `fmdn.plots_observation.plot_novelty`."""
        from .plots_observation import plot_novelty

        return plot_novelty(self, figure=figure)


@dataclass(frozen=True, eq=False)
class TrainingCloud:
    """What is remembered of the training inputs.

    Attributes
    ----------
    mean, scale : ndarray, shape (n_inputs,)
    components : ndarray, shape (k, n_inputs)
        Of the standardised inputs, divided by their standard deviations: at most 50.
    channels : ndarray, shape (n_inputs, 11)
        Quantiles of each channel, at the `PERCENT`.
    distance, rest : ndarray, shape (11,)
        Quantiles of the distance in the components, and of the length outside of them,
        over rows that these were not computed from.
    names : list of str
    """

    mean: np.ndarray
    scale: np.ndarray
    components: np.ndarray
    channels: np.ndarray
    distance: np.ndarray
    rest: np.ndarray
    names: list[str]

    @classmethod
    def of(cls, inputs, names=None, noise_sd=0.0, seed=0) -> TrainingCloud:
        """Remember inputs.

        Parameters
        ----------
        inputs : array_like, shape (n, n_inputs)
            NaN where a channel is missing.
        names : sequence of str, optional
            Of the channels.
        noise_sd : float or array_like, shape (n_inputs,)
            Of noise that the inputs lack: one draw of it is added.
        seed : int
            Of that draw.
        """
        inputs = check_array("inputs", inputs, (2,), finite=False)
        n, n_inputs = inputs.shape
        if n < 4:
            raise ValueError(f"at least 4 rows are needed, got {n}")
        most = min(n, MOST_ROWS, max(1000, MOST_NUMBERS // n_inputs))
        rows = inputs[np.linspace(0, n - 1, most).astype(int)]
        # not the stream of somebody else's default_rng(seed)
        noise = np.random.default_rng([seed, 1]).standard_normal(rows.shape)
        rows = rows + noise * noise_sd
        rows[:, np.isnan(rows).all(axis=0)] = 0
        first, second = rows[::2], rows[1::2]
        known = ~np.isnan(first)
        size = np.abs(np.where(known, first, 0)).max(axis=0)
        size[size == 0] = 1  # squares of what is divided by it do not overflow
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.nansum(first / size, axis=0) / count
        scale = np.sqrt(np.nansum((first / size - mean) ** 2, axis=0) / count) * size
        mean *= size
        scale[~(scale > 0)] = 1
        x = np.nan_to_num((first - mean) / scale)
        if len(x) < n_inputs:  # thousands of channels: without their covariance
            _, sizes, axes = np.linalg.svd(x / np.sqrt(len(x)), full_matrices=False)
            variances, vectors = sizes[::-1] ** 2, axes[::-1].T
        else:
            variances, vectors = np.linalg.eigh(x.T @ x / len(x))
        largest = max(variances[-1], np.finfo(float).tiny)
        k = min(MOST_COMPONENTS, max(1, len(x) // 10), n_inputs)
        kept = variances[::-1][:k] > 1e-10 * largest
        sds = np.sqrt(np.maximum(variances[::-1][:k][kept], np.finfo(float).tiny))
        components = vectors[:, ::-1][:, :k][:, kept].T / sds[:, np.newaxis]
        channels = np.nanpercentile(rows, PERCENT, axis=0).T
        names = names or [f"input_{i}" for i in range(n_inputs)]
        empty = np.zeros(len(PERCENT))
        draft = cls(mean, scale, components, channels, empty, empty, list(names))
        quantiles = (np.percentile(one, PERCENT) for one in draft._lengths(second))
        return cls(mean, scale, components, channels, *quantiles, list(names))

    def locate(self, observed) -> Novelty:
        """Give the percentiles of observations: see `novelty`."""
        observed = check_array("observed", observed, (1, 2), "column", finite=False)
        rows = np.atleast_2d(observed)
        if rows.shape[1] != len(self.mean):
            raise ValueError(
                f"observed has {rows.shape[1]} channels, the training set "
                f"{len(self.mean)}"
            )
        if np.isinf(rows).any():
            raise ValueError("observed contains inf")
        distance, rest = self._lengths(rows)
        channels = np.full(rows.shape, 50.0)  # where one is missing
        for j, quantiles in enumerate(self.channels):
            known = ~np.isnan(rows[:, j])
            channels[known, j] = _percentile(rows[known, j], quantiles)
        low, high = self.channels[:, 0], self.channels[:, -1]
        margin = 0.2 * (high - low)
        outside = (rows < low - margin) | (rows > high + margin)
        distance = _percentile(distance, self.distance)
        rest = np.where(rest > NEGLIGIBLE, _percentile(rest, self.rest), 0)
        unlike = (distance > ALARM) | (rest > ALARM) | outside.any(axis=1)
        return Novelty(distance, rest, channels, unlike, self.names)

    def _lengths(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance in the components, and length of what lies outside of them."""
        with np.errstate(over="ignore"):
            x = np.nan_to_num((rows - self.mean) / self.scale).clip(-1e15, 1e15)
        z = x @ self.components.T
        sds = 1 / np.linalg.norm(self.components, axis=1)
        rest = x - (z * sds**2) @ self.components
        return np.linalg.norm(z, axis=1), np.linalg.norm(rest, axis=1)

    def to_json(self) -> dict[str, Any]:
        """Give it in the types of JSON, a line of numbers as one text."""
        exact, short = ("mean", "scale", "channels"), ("distance", "rest", "components")
        return {"names": self.names} | {
            name: [
                " ".join(format(x, ".17g" if name in exact else ".6g") for x in row)
                for row in np.atleast_2d(getattr(self, name))
            ]
            for name in exact + short
        }

    @classmethod
    def from_json(cls, known: Mapping[str, Any]) -> TrainingCloud:
        """Make it from what `to_json` gave."""
        tables = {
            name: np.array([row.split() for row in lines], float)
            for name, lines in known.items()
            if name != "names"
        }
        for name in ("mean", "scale", "distance", "rest"):
            tables[name] = tables[name][0]
        return cls(**tables, names=list(known["names"]))


def _percentile(values: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Percentiles of values; in the middle of those that quantiles share."""
    up = np.interp(values, quantiles, PERCENT)
    down = np.interp(-values, -quantiles[::-1], 100 - PERCENT[::-1])
    return (up + 100 - down) / 2
