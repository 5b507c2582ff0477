"""Weighted models that stand for a posterior."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .tables import Table


@dataclass(frozen=True, eq=False)
class WeightedModels:
    """Weighted models that stand for a posterior.

    Attributes
    ----------
    models : ndarray, shape (n, n_parameters)
    weights : ndarray, shape (n,)
        They sum to one.
    effective_size : float
        Number of independent draws that are as good: below some hundreds, do not trust.
    names : tuple of str
    """

    models: np.ndarray
    weights: np.ndarray
    effective_size: float
    names: tuple[str, ...]

    @classmethod
    def of(
        cls, models: np.ndarray, log_weights: np.ndarray, names: Sequence[str]
    ) -> WeightedModels:
        """Give models their weights, known but for a factor; NaN counts as none."""
        log_weights = np.where(np.isnan(log_weights), -np.inf, log_weights)
        highest = log_weights.max()
        if not np.isfinite(highest):
            raise ValueError("no model has any likelihood or weight")
        weights = np.exp(log_weights - highest)
        weights /= weights.sum()
        size = float(1 / (weights**2).sum())  # Kong 1992
        return cls(models, weights, size, tuple(names))

    def __getitem__(self, name: str) -> np.ndarray:
        """Return one parameter of all models."""
        if name not in self.names:
            raise KeyError(f"no parameter {name!r}; there is {', '.join(self.names)}")
        return self.models[:, self.names.index(name)]

    def mean(self) -> np.ndarray:
        """Posterior mean of each parameter."""
        return self.weights @ self.models

    def cov(self) -> np.ndarray:
        """Posterior covariance."""
        deviations = self.models - self.mean()
        return (self.weights[:, np.newaxis] * deviations).T @ deviations

    def std(self) -> np.ndarray:
        """Posterior standard deviation of each parameter."""
        return np.sqrt(np.diag(self.cov()))

    def quantile(self, name: str, q) -> np.ndarray:
        """Quantiles of a parameter."""
        order = np.argsort(self[name])
        held = self.weights[order].cumsum() - 0.5 * self.weights[order]
        return np.interp(q, held, self[name][order])

    def sample(self, size: int, seed: int = 0) -> np.ndarray:
        """Draw models, (size, n_parameters)."""
        rng = np.random.default_rng(seed)
        return self.models[rng.choice(len(self.models), size, p=self.weights)]

    def compare(self, posteriors) -> ComparedTable:
        """Compare with posteriors of the same observation, target by target.

        Parameters
        ----------
        posteriors : mapping of str to Mixture
            What an inversion gives, or {name: Mixture}; names that are no parameters
            here are left out.

        Returns
        -------
        ComparedTable
            A list of `ComparedRow`s that prints as a table.
        """
        of_all = getattr(posteriors, "marginals", lambda: posteriors)()
        table = ComparedTable()
        for name, mixture in of_all.items():
            if name not in self.names:
                continue
            k = self.names.index(name)
            mean, sd = float(self.mean()[k]), float(self.std()[k])
            found = (float(np.ravel(one())[0]) for one in (mixture.mean, mixture.std))
            found_mean, found_sd = found
            difference = (found_mean - mean) / sd, found_sd / sd
            table.append(ComparedRow(name, mean, sd, found_mean, found_sd, *difference))
        return table

    def plot(self, posteriors, prior=None, **options):
        """Draw these as histograms over posteriors of the same observation.

        Parameters
        ----------
        posteriors : mapping of str to Mixture
            As for `compare`.
        prior, **options
            As for `fmdn.plots.plot_posteriors`.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from .plots import plot_posteriors

        of_all = getattr(posteriors, "marginals", lambda: posteriors)()
        known = {name: one for name, one in of_all.items() if name in self.names}
        return plot_posteriors(known, prior, reference=self, **options)


class ComparedRow(NamedTuple):
    """One target: by the reference, by the networks, and how they differ."""

    target: str
    reference_mean: float
    reference_sd: float
    mean: float
    sd: float
    shift: float
    sd_ratio: float


class ComparedTable(Table):
    """A comparison with a reference, printed as a table."""

    texts = ("target",)

    def cells(self):
        """Give the lines."""
        yield "target", "reference", "sd", "found", "sd", "shift (sd)", "sd ratio"
        for row in self:
            numbers = [f"{x:.4g}" for x in row[1:5]]
            yield row.target, *numbers, f"{row.shift:+.2f}", f"{row.sd_ratio:.2f}"
