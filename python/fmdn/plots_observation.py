"""Figures of one observation: how usual it is, and how well it is explained.

Matplotlib is imported when the first one is drawn.
"""

import numpy as np

from .plots import POSTERIOR, PRIOR

MOST_NAMES = 30  # of channels that fit on an axis
MOST_ROWS = 20  # observations that can be told apart
BANDS = ((2.5, 97.5, "0.87", "95 %"), (16, 84, "0.7", "68 %"))


def plot_novelty(found, *, figure=None):
    """Draw at which percentiles of the training set observations lie.

    Triangles stand for what is beyond all of the training set.

    Parameters
    ----------
    found : Novelty
        Of at most 20 observations.
    figure : matplotlib.figure.Figure or SubFigure, optional
        Where to draw; a new one if None.

    Returns
    -------
    matplotlib.figure.Figure
    """
    n, n_channels = found.channels.shape
    if n > MOST_ROWS:
        raise ValueError(
            f"plot_novelty is for {MOST_ROWS} observations at most, got {n}"
        )
    figure = figure or _new_figure((8.4, 3.4))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 4))
    wholes = np.column_stack([found.distance, found.rest])
    for ax, values in ((left, wholes), (right, found.channels)):
        ax.axhspan(0.1, 99.9, color="0.92", lw=0)
        for row, unlike in zip(values, found.unlike, strict=True):
            color = "black" if unlike else POSTERIOR
            at = np.arange(len(row))
            for where, marker, size in (
                ((row > 0) & (row < 100), "o", 4),
                ((row <= 0) & (ax is right), "v", 7),  # no rest is nothing unusual
                (row >= 100, "^", 7),
            ):
                if where.any():
                    style = {"ls": "", "ms": size, "color": color, "alpha": 0.8}
                    ax.plot(at[where], row[where], marker, clip_on=False, **style)
        ax.spines[["top", "right"]].set_visible(False)
    left.set(ylim=(0, 100), xlim=(-0.5, 1.5), ylabel="percentile of the training set")
    left.set_xticks([0, 1], ["distance", "rest"], rotation=90)
    right.set_xlim(-0.5, n_channels - 0.5)
    _name_channels(right, found.names)
    return figure


def plot_predictive(check, *, names=None, unit="", figure=None):
    """Draw an observation over what the posterior predicts, noise included.

    Below, the same in standard deviations of the prediction.

    Parameters
    ----------
    check : PredictiveCheck
    names : sequence of str, optional
        Of the data.
    unit : str
        Of the data.
    figure : matplotlib.figure.Figure or SubFigure, optional
        Where to draw; a new one if None.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = figure or _new_figure((8.4, 4.4))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    at = np.arange(len(check.observed))
    centre, spread = check.noisy.mean(axis=0), check.noisy.std(axis=0)
    spread = np.where(spread > 0, spread, 1)
    for ax, shift, scale in ((upper, 0, 1), (lower, centre, spread)):
        for low, high, grey, share in BANDS:
            ends = np.percentile((check.noisy - shift) / scale, [low, high], axis=0)
            ax.bar(at, ends[1] - ends[0], 0.8, ends[0], color=grey, label=share)
        seen = (check.observed - shift) / scale
        ax.plot(at, seen, "o", ms=4, color=POSTERIOR, label="observed")
        ax.use_sticky_edges = False
        ax.spines[["top", "right"]].set_visible(False)
    lower.axhline(0, color=PRIOR, lw=0.8)
    upper.set_ylabel(f"data ({unit})" if unit else "data")
    lower.set_ylabel("in sd")
    upper.set_title(
        f"χ² per datum {check.chi2:.2f}, p = {check.p_value:.3f}", fontsize="medium"
    )
    figure.legend(
        *upper.get_legend_handles_labels(),
        loc="outside upper right",
        ncols=3,
        frameon=False,
        fontsize="small",
    )
    _name_channels(lower, names)
    return figure


def _name_channels(ax, names):
    if names is not None and len(names) <= MOST_NAMES:
        ax.set_xticks(np.arange(len(names)), names, rotation=90, fontsize="small")
    else:
        ax.set_xlabel("channel")


def _new_figure(size):
    import matplotlib.pyplot as plt

    return plt.figure(figsize=size, layout="constrained")
