"""Figures of calibrations: what is right stays within the grey bands.

Matplotlib is imported when the first one is drawn. Lines differ in dash as well as in
colour, so that they can be told apart in grey.
"""

import numpy as np

from . import uniformity
from .plots import POSTERIOR
from .uniformity import say_p

DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1, 1, 1)), (0, (8, 2, 1, 2, 1, 2)))
BAND = "0.85"


def plot_calibration(check, *, figure=None):
    """Draw PIT, coverage and TARP of a calibration on one sheet.

    What is right stays within the grey bands, all of it together, but for one in 100
    test sets (or what `level` the calibration has).

    Parameters
    ----------
    check : Calibration
    figure : matplotlib.figure.Figure or SubFigure, optional
        Where to draw; a new one if None.

    Returns
    -------
    matplotlib.figure.Figure
    """
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=(10.5, 3.9), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    pit = {k: u for k, u in check.uniform.items() if k not in ("HPD", "TARP")}
    _plot_histogram(left, pit, check)
    left.set_xlabel("cdf at the truth (PIT)" if len(pit) == 1 else "PIT, or rank")
    _plot_coverage(middle, "HPD", check)
    middle.set_xlabel("probability of the densest region")
    middle.set_ylabel("share of truths inside")
    _plot_coverage(right, "TARP", check)
    right.set_xlabel("probability of a ball about a random point")
    right.set_ylabel("share of truths inside")
    names = ", ".join(check.posterior.target_names)
    excess = check.excess_coverage
    figure.suptitle(
        f"{names}: {check.verdict} ({say_p(check.p_value)}, {len(check)} tests); "
        f"excess coverage {100 * excess.value:+.1f} ± {100 * excess.error:.1f} %",
        fontsize="medium",
    )
    return figure


def plot_calibrations(checks):
    """Draw several calibrations, a line of panels for each.

    Parameters
    ----------
    checks : mapping of str to Calibration

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    height = 3.5 * len(checks)
    figure = plt.figure(figsize=(10.5, height), layout="constrained")
    parts = figure.subfigures(len(checks), 1, squeeze=False)[:, 0]
    for part, (name, check) in zip(parts, checks.items(), strict=True):
        plot_calibration(check, figure=part)
        if name != ", ".join(check.posterior.target_names):
            part.suptitle(f"{name}\n{part.get_suptitle()}", fontsize="medium")
    return figure


def _plot_histogram(ax, ranks, check):
    """Histograms of numbers that should be uniform, with their common band."""
    n, bins = len(check), uniformity.N_BINS
    edges = np.linspace(0, 1, bins + 1)
    low, high = uniformity.histogram_band(n, check.level)
    ax.axhspan(low * bins / n, high * bins / n, color=BAND, lw=0)
    ax.axhline(1, color="0.4", lw=0.8)
    p = check.p_values
    top = high * bins / n
    for i, (name, u) in enumerate(ranks.items()):
        density = uniformity.histogram(u) * bins / n
        top = max(top, density.max())
        text = name.removeprefix("PIT ").replace(" x ", " × ")
        ax.stairs(
            density,
            edges,
            color=POSTERIOR if i == 0 else f"C{i}",
            ls=DASHES[i % len(DASHES)],
            lw=1.6,
            baseline=None,
            label=f"{text}, {say_p(p[name])}",
        )
    ax.set_xlim(0, 1)
    ax.set_ylim(0, top * (1.15 + 0.1 * len(ranks)))
    ax.set_ylabel("density")
    ax.legend(frameon=False, fontsize="small", loc="upper center")
    ax.spines[["top", "right"]].set_visible(False)


def _plot_coverage(ax, name, check):
    """Share of truths in regions of each probability, with the band of all levels."""
    levels = uniformity.LEVELS
    low, high = uniformity.coverage_band(len(check), check.level)
    whole = np.concatenate([[0], levels, [1]])
    low, high = (np.concatenate([[0], one, [1]]) for one in (low, high))
    ax.fill_between(whole, low, high, color=BAND, lw=0)
    ax.plot([0, 1], [0, 1], color="0.4", lw=0.8)
    found = np.concatenate([[0], uniformity.coverage(check.uniform[name]), [1]])
    label = f"{name}, {say_p(check.p_values[name])}"
    ax.plot(whole, found, color=POSTERIOR, lw=1.8, marker=".", ms=4, label=label)
    if name == "HPD":
        ax.text(0.97, 0.06, "overconfident", ha="right", fontsize="small", color="0.35")
        ax.text(0.03, 0.82, "cautious", fontsize="small", color="0.35")
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ax.legend(frameon=False, fontsize="small", loc="upper left")
    ax.spines[["top", "right"]].set_visible(False)
