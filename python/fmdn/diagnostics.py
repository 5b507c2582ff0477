"""Is a posterior calibrated, and what did the data teach? Measured on a test set.

A posterior is right on average if, over prior samples and their data, the truth is
distributed as the posterior says. Then the cdf at the truth and every rank of the truth
among draws are uniform; each test here asks whether they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import ndtri

from . import scores, uniformity
from .among_draws import compare
from .calibration_tables import CalibrationRow, Calibrations, CalibrationTable
from .checks import check_array, check_integer
from .scores import Estimate, Score, mean_of

FEWEST = 20  # rows that a calibration can be judged by


def calibration(posterior, truths, prior=None, *, level=0.01, seed=0):
    """Test posteriors against the truths that their data were simulated from.

    Parameters
    ----------
    posterior : Mixture or mapping of str to Mixture
        Of n observations that nothing was trained on: ``committee.posterior(inputs)``,
        or all of an inversion.
    truths : array_like, shape (n,) or (n, n_targets), or mapping
        The targets of these observations. For several posteriors {name: (n,)}, as
        `Samples` have them, of all targets.
    prior : distribution or Prior, optional
        Of the targets; a `Prior` has them under their names. By default the one that
        the posteriors know, if any; without it there are no gains.
    level : float
        Probability that posteriors which are right are called wrong.
    seed : int
        Of the draws from the posteriors.

    Returns
    -------
    Calibration, or Calibrations for several posteriors

    Examples
    --------
    >>> check = calibration(committee.posterior(inputs), targets, prior)
    >>> check.summary()
    >>> check.plot()
    >>> check.by("gain").summary()
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    if isinstance(posterior, Mapping):
        found = {}
        for key, one in posterior.items():
            names = key if isinstance(key, tuple) else (key,)
            values = np.column_stack([truths[name] for name in names])
            found[", ".join(names)] = calibration(
                one, values, _known(prior, names), level=level, seed=seed
            )
        return Calibrations(found)
    names = posterior.target_names
    truths = check_array("truths", truths, (1, 2))
    truths = truths.reshape(len(truths), -1)
    if posterior._single or truths.shape != (len(posterior), len(names)):
        n = 1 if posterior._single else len(posterior)
        raise ValueError(
            f"truths must have shape ({n}, {len(names)}), like the posteriors, "
            f"got {truths.shape}"
        )
    if len(truths) < FEWEST:
        raise ValueError(
            f"calibration needs at least {FEWEST} observations, got {len(truths)}"
        )
    marginals = [posterior.marginal(name) for name in names]
    truths = truths.copy()
    for one, column in zip(marginals, truths.T, strict=True):
        if getattr(one, "period", None) is not None:  # on the turn of the prior
            low = one._ranges.low[0]
            column[:] = low + np.mod(column - low, one.period)
    if len(names) == 1:
        posterior = marginals[0]  # without a target axis
    prior = getattr(posterior, "prior", None) if prior is None else prior
    pit = {
        f"PIT {name}": one.cdf(truth[:, np.newaxis])[:, 0]
        for name, one, truth in zip(names, marginals, truths.T, strict=True)
    }
    seed = check_integer("seed", seed, 0)
    ranks, found = compare(posterior, truths, prior, seed)
    return Calibration(posterior, truths, prior, level, found, pit | ranks)


@dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """What a test set says about the posteriors of a target, or of a joint one.

    Indexing gives the calibration of some of the rows.

    Attributes
    ----------
    posterior : Mixture
    truths : ndarray, shape (n, n_targets)
    prior : distribution, Prior or None
    level : float
        Probability that posteriors which are right are called wrong.
    scores : dict of str to Score
        "loss", "gain" where the prior is known, and "CRPS", "P±" and "P+ - P-", of
        several targets "CRPS name" and so on; each with what the posteriors promise.
    uniform : dict of str to ndarray, shape (n,)
        Numbers that are uniform if the posteriors are right: "PIT name" of each target,
        "HPD", "TARP", and "name x name" of pairs of targets.
    """

    posterior: Any
    truths: np.ndarray
    prior: Any
    level: float
    scores: dict[str, Score]
    uniform: dict[str, np.ndarray]

    # --- What the data taught ---------------------------------------------------------

    @property
    def loss(self) -> Estimate:
        """Mean of -log p(truth | data), nats."""
        return self.scores["loss"].mean

    @property
    def gain(self) -> Estimate:
        """Mean of log p(truth | data) - log p(truth), nats; NaN without a prior.

        Posteriors that are exact gain the mutual information of target and data; no
        others gain more.
        """
        known = "gain" in self.scores
        return self.scores["gain"].mean if known else Estimate(np.nan, np.nan)

    @cached_property
    def information_gain(self) -> np.ndarray:
        """KL(posterior || prior) of each observation, nats, shape (n,).

        Of several targets estimated from 500 draws.
        """
        if "gain" not in self.scores:
            raise ValueError("information gains need a prior: calibration(..., prior)")
        if self.truths.shape[1] > 1:
            return self.scores["gain"].expected
        return self.posterior.information_gain(self.prior)

    # --- Is it right? -----------------------------------------------------------------

    @property
    def excess_coverage(self) -> Estimate:
        """Mean over all levels of coverage of highest-density regions minus level.

        Positive where the posteriors are cautious, negative where they are
        overconfident.
        """
        return mean_of(0.5 - self.uniform["HPD"])

    @property
    def bias(self) -> dict[str, Estimate]:
        """By how much the truths lie above their posteriors, in posterior sd.

        The mean of the normal scores Phi^-1(PIT) for each target: 0 if calibrated.
        """
        return {name: mean_of(z) for name, z in self._normal_scores().items()}

    @property
    def spread(self) -> dict[str, Estimate]:
        """How many times as wide as the posteriors the truths scatter about them.

        The standard deviation of the normal scores for each target: 1 if calibrated.
        """
        n = len(self)
        return {
            name: Estimate(float(z.std(ddof=1)), float(z.std() / np.sqrt(2 * n)))
            for name, z in self._normal_scores().items()
        }

    def coverage(self, confidence) -> np.ndarray:
        """Share of truths inside the highest-density regions of some probability."""
        return np.mean(self.uniform["HPD"] < np.asarray(confidence)[..., None], axis=-1)

    def near_truth(self, width=None) -> tuple[np.ndarray, np.ndarray]:
        """P+ and P-: see `fmdn.scores.near_truth`.

        Parameters
        ----------
        width : float, optional
            By default 5 % of the range of the prior, or of the truths without one.
        """
        if width is None:
            width = scores.near_width(self.distribution, self.truths)
        return scores.near_truth(self.posterior, self.truths[:, 0], width)

    @property
    def p_values(self) -> dict[str, float]:
        """Probabilities of deviations as large as those found, if all is right.

        Of PIT and pairs by the worst bin of a histogram, of HPD and TARP by the worst
        level of coverage (see `fmdn.uniformity`), of scores by their means.
        """
        by_coverage = "HPD", "TARP"
        return {
            name: uniformity.coverage_test(u)
            if name in by_coverage
            else uniformity.histogram_test(u)
            for name, u in self.uniform.items()
        } | {name: score.p_value for name, score in self.scores.items()}

    @property
    def p_value(self) -> float:
        """Of all tests together: the smallest, times their number."""
        p = self.p_values.values()
        return min(1.0, len(p) * min(p))

    @property
    def calibrated(self) -> bool:
        """Whether no test finds anything, at the `level` for all of them together."""
        return self.p_value > self.level

    @property
    def verdict(self) -> str:
        """In a word: calibrated, or what seems to be wrong."""
        if self.calibrated:
            return "calibrated"
        excess = self.excess_coverage
        wrong = {
            "cautious": excess.value / excess.error,
            "overconfident": -excess.value / excess.error,
            "biased": max(abs(b.value / b.error) for b in self.bias.values()),
        }
        worst = max(wrong, key=wrong.get)
        return worst if wrong[worst] > 3 else "misshapen"

    # --- Rows, strata -----------------------------------------------------------------

    def __len__(self) -> int:
        """Return the number of observations."""
        return len(self.truths)

    def __getitem__(self, rows) -> Calibration:
        """Return the calibration of some rows: a slice, indices or a mask."""
        rows = np.arange(len(self))[rows]
        if rows.size < FEWEST:
            raise ValueError(
                f"calibration needs at least {FEWEST} observations, got {rows.size}"
            )
        part = replace(
            self,
            posterior=self.posterior[rows],
            truths=self.truths[rows],
            scores={name: score[rows] for name, score in self.scores.items()},
            uniform={name: u[rows] for name, u in self.uniform.items()},
        )
        if "information_gain" in vars(self):
            vars(part)["information_gain"] = self.information_gain[rows]
        return part

    def by(self, values="gain", n_groups=3) -> Calibrations:
        """Calibrations of groups of observations with low, ..., high values.

        Right posteriors are calibrated in every group that is made from the data alone.
        Groups made from the truths are another thing: among the largest truths most lie
        above their posterior, however right that is.

        Parameters
        ----------
        values : str or array_like, shape (n,)
            "gain", the information gain; the name of a target, for its posterior mean;
            or numbers of your own.
        n_groups : int
            Of equal size.

        Returns
        -------
        Calibrations
        """
        name = values if isinstance(values, str) else "value"
        if isinstance(values, str):
            values = self._values(values)
        values = check_array("values", values, (1,))
        if len(values) != len(self):
            raise ValueError(f"values must have {len(self)} entries, got {len(values)}")
        n_groups = check_integer("n_groups", n_groups, 1)
        groups = np.array_split(np.argsort(values, kind="stable"), n_groups)
        return Calibrations(
            {
                f"{name} {values[rows[0]]:.3g} to {values[rows[-1]]:.3g}": self[rows]
                for rows in groups
                if rows.size
            }
        )

    # --- Table and figure -------------------------------------------------------------

    def summary(self) -> CalibrationTable:
        """Return a table of everything: a list of `CalibrationRow`s."""
        table = CalibrationTable()

        def add(quantity, estimate, expected, unit="", p=np.nan):
            numbers = map(float, (*estimate, expected))
            table.append(CalibrationRow(quantity, *numbers, unit, p))

        names, p = self.posterior.target_names, self.p_values
        for name, score in self.scores.items():
            add(name, score.mean, score.promise, score.unit, p[name])
        for name in names:
            of = f" of {name}" if len(names) > 1 else ""
            add(f"bias{of}", self.bias[name], 0, "sd", p[f"PIT {name}"])
            add(f"spread{of}", self.spread[name], 1)
        for confidence in (0.5, 0.9):
            inside = 100.0 * (self.uniform["HPD"] < confidence)
            share = 100 * confidence
            add(f"coverage of {share:.0f} %", mean_of(inside), share, "%")
        excess = Estimate(*(100 * x for x in self.excess_coverage))
        add("excess coverage", excess, 0, "%", p["HPD"])
        for name, u in self.uniform.items():
            if name == "TARP" or " x " in name:
                add(f"mean rank, {name}", mean_of(u), 0.5, "", p[name])
        return table

    def plot(self):
        """Draw PIT, coverage and TARP: see `plots_calibration.plot_calibration`."""
        from .plots_calibration import plot_calibration

        return plot_calibration(self)

    def __repr__(self) -> str:
        """Return what was tested and the outcome."""
        names = ", ".join(self.posterior.target_names)
        tests = f"{uniformity.say_p(self.p_value)}, {len(self)} tests"
        return f"<Calibration of {names}: {self.verdict}, {tests}>"

    @property
    def distribution(self) -> Any:
        """Prior of the one target, or of the first one; None if it is not known."""
        return scores.prior_of(self.prior, self.posterior.target_names[0])

    def unit(self, name: str) -> str:
        """Unit of a target, as far as the prior knows."""
        return getattr(scores.prior_of(self.prior, name), "unit", "")

    def _normal_scores(self) -> dict[str, np.ndarray]:
        pit = {k[4:]: u for k, u in self.uniform.items() if k.startswith("PIT ")}
        return {name: np.clip(ndtri(u), -8, 8) for name, u in pit.items()}

    def _values(self, name: str) -> np.ndarray:
        names = self.posterior.target_names
        if name == "gain":
            return self.information_gain
        if name not in names:
            raise KeyError(f"no target {name!r}; there is {names}, and 'gain'")
        return self.posterior.marginal(name).mean()


def _known(prior: Any, names: tuple[str, ...]) -> Any:
    """The prior, if it knows all of these targets."""
    return prior if prior is not None and all(n in prior for n in names) else None
