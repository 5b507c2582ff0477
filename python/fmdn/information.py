"""What a posterior says relative to something else: a prior, or another posterior."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import divergences
from .checks import check_integer
from .comparison import Comparison
from .divergences import Estimate, Within
from .kernel_space import in_kernel_space
from .prior_density import PriorDensity
from .weighted import WeightedModels

DIRECTIONS = "posterior||prior", "prior||posterior"
NEGLIGIBLE = 1e-3  # probability outside of a prior that nobody has to know of
TOGETHER = 64  # observations at a time
FEW = 300  # independent draws; with fewer do not trust


class LeakWarning(UserWarning):
    """A posterior has probability outside the prior that it is compared with."""


class Information:
    """Numbers about posteriors relative to something else.

    Of one target they are exact; of several they are means over draws: an `Estimate`
    (value, error) with the standard error.
    """

    def leaked(self, prior=None, *, size=10_000, seed=0) -> np.ndarray | Estimate:
        """Probability outside the prior's support, given as to `information_gain`."""
        of_prior = self._prior_density(prior)
        parts = self._within(of_prior, size, seed)
        return self._join([Estimate(one.leaked, one.mass_error) for one, _ in parts])

    def information_gain(
        self,
        prior=None,
        *,
        direction="posterior||prior",
        base=None,
        size=10_000,
        seed=0,
    ) -> np.ndarray | Estimate:
        """KL(posterior || prior) in nats: what the observation taught.

        The posterior is first restricted to the prior's support and normalised there;
        `leaked` says how much that takes away, and a `LeakWarning` if it exceeds 0.001.

        Parameters
        ----------
        prior : distribution or Prior, optional
            Of the target, with logpdf, cdf and ppf; a Prior has it under the target's
            name. Of several targets a Prior. By default `self.prior`.
        direction : {"posterior||prior", "prior||posterior"}
            Both are in use. The second, KL(prior || posterior), is what de Wit et al.
            (2014) and Atkins et al. (2016) give, in bits; it is large wherever the
            posterior excludes something, and no expected gain of information.
        base : float, optional
            Of the logarithm: 2 gives bits. By default e, nats.
        size, seed : int
            Of the draws, of several targets.

        Returns
        -------
        ndarray, shape (n,), or Estimate
            Of several targets an `Estimate` (value, error) of arrays.
        """
        if direction not in DIRECTIONS:
            raise ValueError(
                f"direction must be one of {DIRECTIONS}, not {direction!r}"
            )
        if base is not None and not base > 1:
            raise ValueError(f"base must be above 1, got {base}")
        of_prior = self._prior_density(prior)
        parts = self._within(of_prior, size, seed)
        if not of_prior.is_table:  # whose ends are those of the training targets
            _warn_of_leaks(np.concatenate([one.leaked for one, _ in parts]))
        unit = 1.0 if base is None else np.log(base)
        gains = []
        for i, pair in enumerate(parts):
            order = 1 if direction == DIRECTIONS[0] else -1
            gain = divergences.kl(*pair[::order], size, seed + i)
            known = pair[0].mass > 0
            gains.append(Estimate(*(np.where(known, x / unit, np.inf) for x in gain)))
        return self._join(gains)

    def reweight(self, new, old=None, *, size=10_000, seed=0):
        """Posterior under another prior, without new simulations.

        Draws from the posterior with weights new(m)/old(m). Nothing is known where the
        old prior has no samples; and where it has few, the weights are uneven and the
        effective size is small, of which a warning tells. The same change can be made
        in training: ``fit(sample_weight=new.pdf(targets) / old.pdf(targets))``.

        Parameters
        ----------
        new, old : distribution or Prior
            As for `information_gain`; `old` is what the models were drawn from, by
            default `self.prior`.
        size, seed : int
            Of the draws.

        Returns
        -------
        WeightedModels
            A list of them for several observations.
        """
        size = check_integer("size", size, 1)
        new, old = self._prior_density(new), self._prior_density(old)
        unknown = np.mean(np.isneginf(old.logpdf(new.sample(size, seed))))
        if unknown > NEGLIGIBLE:
            warnings.warn(
                f"{unknown:.2g} of the new prior lies where the old one is zero: there "
                "the posterior cannot be known",
                UserWarning,
                stacklevel=2,
            )
        found, outside = [], []
        for i, one in enumerate(self._without_axis()._each()):
            x = one.sample(size, seed + i)
            before = old.logpdf(x)
            known = np.isfinite(before)
            outside.append(1 - known.mean())
            log_weights = np.full(size, -np.inf)
            log_weights[known] = new.logpdf(x[known]) - before[known]
            rows = x.reshape(size, self.n_targets)
            found.append(WeightedModels.of(rows, log_weights, self.target_names))
        _warn_of_leaks(np.array(outside))
        least = min(one.effective_size for one in found)
        if least < FEW:
            warnings.warn(
                f"the effective size is {least:.0f} of {size} draws: the priors differ "
                "too much for reweighting; draw more, or simulate from the new prior",
                UserWarning,
                stacklevel=2,
            )
        return self._out(found)

    def compare(self, other, *, size=10_000, seed=0) -> Comparison:
        """Compare with other posteriors of the same targets: KL, overlap and so on.

        Parameters
        ----------
        other : Mixture, distribution or Prior
            Posteriors of as many observations, or one for all of them.
        size, seed : int
            Of the draws, of several targets.

        Returns
        -------
        Comparison
        """
        parts, size = self._parts(), check_integer("size", size, 2)
        if isinstance(other, Information):
            others = self._others(other, len(parts))
        else:
            others = [self._prior_density(other)] * len(parts)
        return Comparison(list(zip(parts, others, strict=True)), size, seed, self._join)

    # --- Some observations at a time --------------------------------------------------

    def _without_axis(self) -> Any:
        """One target has no axis of its own here."""
        return self.marginal(self.target_names[0]) if self.n_targets == 1 else self

    def _parts(self) -> list:
        """Of one target some observations at a time, of several one."""
        if self._single or self.n_targets > 1:
            return list(self._without_axis()._each())
        whole = self._without_axis()
        return [whole[i : i + TOGETHER] for i in range(0, len(whole), TOGETHER)]

    def _prior_density(self, prior: Any) -> PriorDensity:
        prior = self.prior if prior is None else prior
        if prior is None:
            raise ValueError("this posterior knows no prior: give one")
        return PriorDensity(prior, self.target_names, self.periods)

    def _within(self, prior: PriorDensity, size: int, seed: int) -> list[tuple]:
        """Posteriors inside of a prior, and the prior in the same space."""
        size = check_integer("size", size, 2)
        seed = check_integer("seed", seed, 0, 2**62)
        pairs = [in_kernel_space(one, prior) for one in self._parts()]
        return [
            (Within(one, before, size, seed + i), before)
            for i, (one, before) in enumerate(pairs)
        ]

    def _others(self, other: Any, n_parts: int) -> list:
        """Posteriors to compare with, in the same parts."""
        same = self.target_names == other.target_names
        if self.n_targets != other.n_targets or (self.n_targets > 1 and not same):
            raise ValueError(
                f"posteriors of {other.target_names} cannot be compared with those of "
                f"{self.target_names}"
            )
        if self.periods != other.periods:
            raise ValueError(
                f"the targets' periods are {self.periods} and {other.periods}: they "
                "cannot be compared"
            )
        if other._single:
            return other._parts() * n_parts
        n = 1 if self._single else len(self)
        if len(other) != n:
            raise ValueError(f"{len(other)} observations cannot be compared with {n}")
        return other._parts()

    def _join(self, estimates: Sequence[Estimate]) -> np.ndarray | Estimate:
        """Those of all observations, with their errors if they have any."""
        values = self._out(np.concatenate([one.value for one in estimates]))
        if self.n_targets == 1:
            return values
        return Estimate(values, self._out(np.concatenate([x.error for x in estimates])))


def _warn_of_leaks(leaked: np.ndarray) -> None:
    far = leaked > NEGLIGIBLE
    if far.any():
        which = f" of {far.sum()} of {far.size} observations" if far.size > 1 else ""
        warnings.warn(
            f"up to {leaked.max():.2g} of the posterior{which} lies outside the prior, "
            "and is left out; fit(prior=...) keeps posteriors inside",
            LeakWarning,
            stacklevel=3,
        )
