"""A report on a model and a test set: one page of HTML with tables and figures."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from . import page
from .cloud import NoveltyWarning, novelty
from .diagnostics import Calibration, Calibrations, calibration
from .scores import prior_of

FEWEST_TO_GROUP = 300  # test rows
HOW_TO_READ = (
    "Gain: by how many nats the posteriors beat the prior at the truth. Bias: by how "
    "many posterior standard deviations the truths lie above their posteriors; 0 is "
    "right. Spread: how many times as wide as the posteriors the truths scatter; 1 is "
    "right. 50 %, 90 %: share of truths in the densest region of that probability. "
    "Excess: coverage minus probability, mean over all probabilities; positive is "
    "cautious, negative overconfident. p: probability of deviations as large as these "
    "if all is right.",
    "In the figures what is right stays within the grey bands, all of it together, but "
    "for one in 100 test sets. PIT is the posterior's cdf at the truth: too many at "
    "both ends say that posteriors are too narrow, a slope that they are shifted. HPD: "
    "how often the densest region of a probability holds the truth. TARP: the same of "
    "balls about random points. Information gains are KL(posterior || prior) in nats.",
)


def write_report(model, inputs, targets, path, prior=None):
    """Write a report on a model's posteriors of a test set.

    The page needs nothing else, neither scripts nor a network.

    Parameters
    ----------
    model : Committee or Inversion
    inputs : array_like, shape (n, n_inputs)
        That nothing was trained on, with noise.
    targets : array_like, shape (n,) or (n, n_targets), or mapping
        Their truths: columns in the order of the model's targets, or {name: (n,)}.
    path : path
        Of the HTML file; written whole or not at all.
    prior : distribution or Prior, optional
        Of the targets; by default the one that the model knows.

    Returns
    -------
    Calibrations
        What the report is about.
    """
    if prior is None:
        prior = getattr(model, "prior", None)  # of an inversion
    checks = _calibrations(model, inputs, targets, prior)
    committees = getattr(model, "committees_", {None: model})
    parts = [
        page.heading(1, "Are these posteriors right?"),
        page.paragraph(_verdict(checks), "lead"),
        page.paragraph(f"{_describe(committees)}; {len(inputs)} test rows."),
        page.table(checks.summary()),
        page.folded("How to read this", "".join(map(page.paragraph, HOW_TO_READ))),
        _priors(checks),
        _likeness(model, inputs),
        page.links(checks) if len(checks) > 1 else "",
    ]
    for name, check in checks.items():
        parts += _section(name, check, committees)
    page.write_page(path, "fmdn report", parts)
    return checks


def _calibrations(model, inputs, targets, prior) -> Calibrations:
    posterior = model.posterior(inputs)
    if not isinstance(posterior, Mapping):
        if isinstance(targets, Mapping):
            targets = np.column_stack([targets[k] for k in posterior.target_names])
        check = calibration(posterior, targets, prior)
        return Calibrations({", ".join(posterior.target_names): check})
    if not isinstance(targets, Mapping) and not hasattr(targets, "models"):
        names, columns = list(posterior.marginals()), np.asarray(targets)
        if columns.shape != (len(inputs), len(names)):
            raise ValueError(
                f"targets must have shape ({len(inputs)}, {len(names)}), columns "
                f"{', '.join(names)}; got {columns.shape}"
            )
        targets = dict(zip(names, columns.T, strict=True))
    return calibration(posterior, targets, prior)


# --- Sections -------------------------------------------------------------------------


def _section(name: str, check: Calibration, committees: Mapping) -> list[str]:
    """Tables and figures of one posterior."""
    parts = [
        page.heading(2, name),
        page.paragraph(f"Verdict: {check.verdict}."),
        page.table(check.summary()),
        page.figures(_calibration_figures(check)),
        page.figures(_posterior_figures(name, check, committees)),
    ]
    if len(check) >= FEWEST_TO_GROUP:
        names = check.posterior.target_names
        by = "gain" if "gain" in check.scores else names[0]
        what = "information gain" if by == "gain" else f"posterior mean of {by}"
        parts.append(page.heading(3, f"{name} by {what}"))
        parts.append(page.table(check.by(by).summary()))
    return parts


def _calibration_figures(check: Calibration) -> Iterator[tuple[Any, str]]:
    from .plots_calibration import plot_coverage, plot_pit, plot_score

    yield plot_pit(check), "PIT"
    yield plot_coverage(check), "Coverage of the densest regions"
    yield plot_coverage(check, "TARP"), "TARP"
    for name in check.scores:
        if name.startswith(("gain", "CRPS")):
            yield plot_score(check, name), f"{name} against its promise"


def _posterior_figures(
    name: str, check: Calibration, committees: Mapping
) -> Iterator[tuple[Any, str]]:
    from . import plots_joint, plots_training, plots_truth

    posterior, truths = check.posterior, check.truths
    names = posterior.target_names
    if len(names) > 1:
        row = _rows_to_show(check)[1]
        truth = dict(zip(names, truths[row], strict=True))
        prior = check.prior
        drawn = plots_joint.plot_joint(posterior[row], prior, truth=truth)
        yield drawn, f"Posterior of test row {row}"
    else:
        yield plots_truth.plot_truth(check), f"Posterior modes of {name} against truth"
        unit = f" ({check.unit(name)})" if check.unit(name) else ""
        drawn = plots_truth.plot_columns(
            posterior,
            truths[:, 0],
            label=f"true {name}{unit}",
            truth=truths[:, 0],
            prior=check.distribution,
        )
        yield drawn, f"Posteriors of {name} against truth, mean of each column"
        if check.prior is not None:
            yield plots_truth.plot_near_truth(check), f"Probability near true {name}"
        rows = zip(_rows_to_show(check), ("low", "median", "high"), strict=True)
        for row, what in rows:
            ax = posterior[row].plot(check.distribution, truth=truths[row, 0])
            yield ax, f"Posterior of test row {row}: {what} information gain"
    for committee in committees.values():
        history = getattr(committee, "history_", [])
        if committee.target_names_ == names and "monitor_loss" in (history or [{}])[0]:
            yield plots_training.plot_history(committee), f"Training of {name}"


def _rows_to_show(check: Calibration) -> list[int]:
    """Three test rows of which the data taught little, as usual, and much."""
    order = np.argsort(-check.scores["loss"].expected, kind="stable")
    return [int(order[int(share * (len(order) - 1))]) for share in (0.05, 0.5, 0.95)]


# --- Sentences ------------------------------------------------------------------------


def _verdict(checks: Calibrations) -> str:
    wrong = [
        f"{name} ({one.verdict})" for name, one in checks.items() if not one.calibrated
    ]
    n = len(checks)
    if not wrong:
        return "Yes, as far as this test set can tell."
    if len(wrong) == n:
        return f"No: {', '.join(wrong)}."
    return f"{n - len(wrong)} of {n} are, not so {', '.join(wrong)}."


def _describe(committees: Mapping) -> str:
    members = sorted({len(one.weights_) for one in committees.values()})
    n, one = len(committees), next(iter(committees.values()))
    return (
        f"{n} committee{'s' * (n > 1)} of {' or '.join(map(str, members))} networks "
        f"with {one.n_features_in_} inputs"
    )


def _priors(checks: Calibrations) -> str:
    """Which priors the gains are over."""
    priors = {
        name: prior_of(check.prior, name)
        for check in checks.values()
        for name in check.posterior.target_names
    }
    shown = [f"{name} {one!r}" for name, one in priors.items() if one is not None]
    return page.paragraph(f"Priors: {', '.join(shown)}.") if shown else ""


def _likeness(model: Any, inputs: Any) -> str:
    """Whether the test rows are like the training set."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NoveltyWarning)
            found = novelty(model, inputs)
    except ValueError:
        return ""
    return page.paragraph(
        f"{int(found.unlike.sum())} of {len(found)} test rows are unlike the training "
        f"set; the median row lies at {np.median(found.distance):.0f} % of its "
        "Mahalanobis distances."
    )
