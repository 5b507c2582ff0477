"""Axes of a mixture: observation, kernel or point, and target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .ranges import Ranges

if TYPE_CHECKING:
    from typing_extensions import Self

    from .priors import Prior


class Axes:
    """Kernels of the mixtures of several observations, and the shapes users see."""

    def __init__(
        self,
        weights: np.ndarray,
        means: np.ndarray,
        factors: np.ndarray,
        *,
        single: bool,
        one_target_axis: bool,
        target_names: list[str],
        member_kernels: list[int] | None = None,
        ranges: Ranges | None = None,
        prior: Prior | None = None,
    ):
        # Always (n, K), (n, K, c), (n, K, c, c); factors L with L L^T = 1/covariance.
        self._weights, self._means, self._factors = (
            _read_only(array) for array in (weights, means, factors)
        )
        self._single, self._flat = single, one_target_axis
        self.target_names, self.prior = list(target_names), prior
        self._member_kernels = member_kernels or [weights.shape[1]]
        self._ranges = Ranges.free(means.shape[-1]) if ranges is None else ranges

    # --- What it is -------------------------------------------------------------------

    @property
    def n_targets(self) -> int:
        """Number of targets."""
        return self._means.shape[-1]

    @property
    def space(self) -> str:
        """Where the kernels live: "physical" units, or "mapped" ones."""
        return "mapped" if self._ranges.mapped else "physical"

    @property
    def period(self) -> float | None:
        """Of the one target, if it has one."""
        return self._ranges.period if self.n_targets == 1 else None

    @property
    def periods(self) -> list[float | None]:
        """Of each target, if it has one."""
        return self._ranges.periods

    @property
    def weights(self) -> np.ndarray:
        """Weights of the kernels."""
        return self._out(self._weights)

    @property
    def means(self) -> np.ndarray:
        """Means of the kernels."""
        return self._out(self._means[..., 0] if self._flat else self._means)

    @property
    def covariances(self) -> np.ndarray:
        """Covariances of the kernels, or variances."""
        covariances = self._covariances()
        return self._out(covariances[..., 0, 0] if self._flat else covariances)

    @property
    def members(self) -> list[Self]:
        """Each member's own posterior."""
        ends = np.cumsum([0, *self._member_kernels])
        parts = []
        for first, last in zip(ends[:-1], ends[1:], strict=True):
            weights = self._weights[:, first:last]
            total = weights.sum(axis=1, keepdims=True)
            parts.append(
                self._like(
                    weights / np.where(total > 0, total, 1),
                    self._means[:, first:last],
                    self._factors[:, first:last],
                )
            )
        return parts

    def __len__(self) -> int:
        if self._single:
            raise TypeError("a posterior of one observation has no length")
        return len(self._weights)

    def __getitem__(self, index: Any) -> Self:
        """Posterior of some of the observations; an integer gives a single one."""
        if self._single:
            raise TypeError("a posterior of one observation cannot be indexed")
        single = hasattr(index, "__index__") and not np.ndim(index)  # as arrays have
        if single:
            index = range(len(self))[index.__index__()]
            index = slice(index, index + 1)
        part = self._like(
            self._weights[index],
            self._means[index],
            self._factors[index],
            member_kernels=self._member_kernels,
        )
        part._single = single
        return part

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        n = "one observation" if self._single else f"{len(self)} observations"
        names = ", ".join(self.target_names)
        return f"<Mixture of {names} for {n}: {self._weights.shape[1]} kernels>"

    # --- Shapes -----------------------------------------------------------------------

    @property
    def _kernels(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self._weights, self._means, self._factors

    def _like(self, weights, means, factors, **changes) -> Self:
        settings = {
            "single": self._single,
            "one_target_axis": self._flat,
            "target_names": self.target_names,
            "member_kernels": None,
            "ranges": self._ranges,
            "prior": self.prior,
        }
        return type(self)(weights, means, factors, **(settings | changes))

    def _each(self) -> Iterator[Self]:
        """The observations as single ones."""
        return iter([self] if self._single else self)

    def _covariances(self) -> np.ndarray:
        inverse = np.linalg.inv(self._factors)
        return inverse.swapaxes(-1, -2) @ inverse

    def _out(self, values: np.ndarray) -> np.ndarray:
        """Drop the observation axis where there is one observation."""
        return values[0] if self._single else values

    def _values(self, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Give (n, m) values the shape of the points."""
        return self._out(values.reshape(len(values), *shape))[()]

    def _points(self, x) -> tuple[np.ndarray, tuple[int, ...]]:
        """Points (n, m, c), or common ones (1, m, c), and the shape for users."""
        points = np.asarray(x, dtype=float)
        if np.isnan(points).any():
            raise ValueError("x contains NaN")
        n, c = len(self._weights), self.n_targets
        if self._flat:
            points = points[..., np.newaxis]
        if points.ndim == 0 or points.shape[-1] != c:
            raise ValueError(
                f"x must end in an axis of {c} targets, got {points.shape}"
            )
        shape = points.shape[:-1]
        if self._single:
            return points.reshape(1, -1, c), shape
        if len(shape) > 2 or (len(shape) == 2 and shape[0] not in (1, n)):
            raise ValueError(
                f"x of shape {np.shape(x)} does not broadcast against {n} observations"
            )
        if points.ndim < 3:
            points = points.reshape(1, -1, c)
        return points, shape[-1:]

    def _index(self, name: str) -> int:
        if name not in self.target_names:
            raise KeyError(f"no target {name!r}; there is {self.target_names}")
        return self.target_names.index(name)

    def _require_one_target(self, what: str) -> None:
        if self.n_targets != 1 or not self._flat and self.n_targets > 1:
            raise ValueError(
                f"{what} needs one target; take marginal(name) of {self.target_names}"
            )


def _read_only(array: np.ndarray) -> np.ndarray:
    """A posterior is a value: nobody changes it through what it shows."""
    view = array.view()
    view.flags.writeable = False
    return view
