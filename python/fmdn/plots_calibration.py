"""Figures of calibrations: what is right stays within the grey bands.

Matplotlib is imported when the first one is drawn. Lines differ in dash as well as in
colour, so that they can be told apart in grey.
"""

import numpy as np
from scipy.special import ndtr, ndtri

from . import uniformity
from .plots import POSTERIOR
from .uniformity import say_p

DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1, 1, 1)), (0, (8, 2, 1, 2, 1, 2)))
DASHES += ((0, (2, 1)),)  # one more than colours: thirty that differ
COLOURS = (POSTERIOR, "#c2571a", "#2a8a5f", "#7a4fa3", "0.3")
BAND = "0.85"
MOST_RANKS = 8  # of many targets those that fit worst


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
    plot_pit(check, ax=left)
    plot_coverage(check, ax=middle)
    plot_coverage(check, "TARP", ax=right)
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


def plot_scores(check, *, figure=None):
    """Draw gain (or loss) and CRPS against what the posteriors promise.

    Rows are grouped by their promise. What is right stays within the grey bars, all of
    it together, but for one in 100 test sets (or what `level` the calibration has).

    Parameters
    ----------
    check : Calibration
    figure : matplotlib.figure.Figure or SubFigure, optional
        Where to draw; a new one if None.

    Returns
    -------
    matplotlib.figure.Figure
    """
    first = "gain" if "gain" in check.scores else "loss"
    names = [first, *(name for name in check.scores if name.startswith("CRPS"))]
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=(3.6 * len(names), 3.7), layout="constrained")
    for ax, name in zip(figure.subplots(1, len(names)), names, strict=True):
        plot_score(check, name, ax=ax)
    return figure


def plot_recalibration(recalibration, *, ax=None):
    """Draw which probability a recalibration makes of each.

    Parameters
    ----------
    recalibration : Recalibration
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = ax or _new_axes()
    below = np.linspace(0.001, 0.999, 999)
    ax.plot([0, 1], [0, 1], color="0.4", lw=0.8)
    ax.plot(below, ndtr(recalibration.map(ndtri(below))), color=POSTERIOR, lw=1.8)
    knots = ndtr(recalibration.scores), ndtr(recalibration.normal)
    ax.plot(*knots, "o", ms=4, color=POSTERIOR)
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.set_xlabel("cdf of the networks")
    ax.set_ylabel("cdf recalibrated")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


# --- Panels ---------------------------------------------------------------------------


def plot_pit(check, *, ax=None):
    """Draw histograms of PIT, and of ranks of pairs, with their common band.

    Parameters
    ----------
    check : Calibration
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = ax or _new_axes()
    ranks = {k: u for k, u in check.uniform.items() if k not in ("HPD", "TARP")}
    n, bins, p = len(check), uniformity.N_BINS, check.p_values
    worst = sorted(ranks, key=p.get)[:MOST_RANKS]
    ranks = {name: u for name, u in ranks.items() if name in worst}
    edges = np.linspace(0, 1, bins + 1)
    low, high = uniformity.histogram_band(n, check.level)
    ax.axhspan(low * bins / n, high * bins / n, color=BAND, lw=0)
    ax.axhline(1, color="0.4", lw=0.8)
    top = high * bins / n
    for i, (name, u) in enumerate(ranks.items()):
        density = uniformity.histogram(u) * bins / n
        top = max(top, density.max())
        text = name.removeprefix("PIT ").replace(" x ", " × ")
        ax.stairs(
            density,
            edges,
            color=COLOURS[i % len(COLOURS)],
            ls=DASHES[i % len(DASHES)],
            lw=1.6,
            baseline=None,
            label=f"{text}, {say_p(p[name])}",
        )
    ax.set_xlim(0, 1)
    ax.set_ylim(0, top / (0.93 - 0.06 * len(ranks)))  # the legend is above
    ax.set_xlabel("cdf at the truth (PIT)" if len(ranks) == 1 else "PIT, or rank")
    ax.set_ylabel("density")
    size = "small" if len(ranks) < 4 else "x-small"
    ax.legend(frameon=False, fontsize=size, loc="upper center", labelspacing=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


REGIONS = {"HPD": "the densest region", "TARP": "a ball about a random point"}


def plot_coverage(check, regions="HPD", *, ax=None):
    """Draw the share of truths in regions of each probability, with its band.

    Parameters
    ----------
    check : Calibration
    regions : {"HPD", "TARP"}
        Regions of highest density, or balls about random points.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = ax or _new_axes()
    levels = uniformity.LEVELS
    low, high = uniformity.coverage_band(len(check), check.level)
    whole = np.concatenate([[0], levels, [1]])
    low, high = (np.concatenate([[0], one, [1]]) for one in (low, high))
    ax.fill_between(whole, low, high, color=BAND, lw=0)
    ax.plot([0, 1], [0, 1], color="0.4", lw=0.8)
    found = np.concatenate([[0], uniformity.coverage(check.uniform[regions]), [1]])
    label = f"{regions}, {say_p(check.p_values[regions])}"
    ax.plot(whole, found, color=POSTERIOR, lw=1.8, marker=".", ms=4, label=label)
    if regions == "HPD":
        ax.text(0.97, 0.06, "overconfident", ha="right", fontsize="small", color="0.35")
        ax.text(0.03, 0.82, "cautious", fontsize="small", color="0.35")
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ax.set_xlabel(f"probability of {REGIONS[regions]}")
    ax.set_ylabel("share of truths inside")
    ax.legend(frameon=False, fontsize="small", loc="upper left")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def plot_score(check, name, *, ax=None):
    """Draw means of a score in groups of rows, over what the posteriors promise.

    Parameters
    ----------
    check : Calibration
    name : str
        Of one of its scores.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = ax or _new_axes()
    score, n = check.scores[name], len(check)
    groups = np.array_split(np.argsort(score.expected), np.clip(n // 50, 1, 12))
    allowed = -ndtri(check.level / len(groups) / 2)
    parts = [score[rows] for rows in groups]
    promised = np.array([part.promise for part in parts])
    half = [allowed * np.sqrt((part.sd**2).sum()) / len(part.sd) for part in parts]
    ax.errorbar(promised, promised, half, fmt="none", ecolor=BAND, elinewidth=7)
    ends = promised.min(), promised.max()
    ax.plot(ends, ends, color="0.4", lw=0.8)
    found = [part.mean.value for part in parts]
    label = f"{name}, {say_p(score.p_value)}"
    ax.plot(promised, found, "o", ms=4, color=POSTERIOR, label=label)
    unit = f" ({score.unit})" if score.unit else ""
    ax.set_xlabel(f"{name} promised{unit}")
    ax.set_ylabel(f"{name} at the truth{unit}")
    ax.legend(frameon=False, fontsize="small", loc="upper left")
    ax.margins(y=0.15)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _new_axes():
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(4.2, 3.9), layout="constrained")[1]
