"""Figure of the waveforms: early warning, gain with time, posteriors."""

import matplotlib
import numpy as np
from waveforms_model import PRIOR, TARGETS

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from fmdn.plots import plot_posterior


def draw(path, found, updates, gains, truth):
    """Draw the updates of all events, the gains, and the last event's posteriors."""
    figure = plt.figure(figsize=(12.5, 8.5), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.1))
    *maps, right = top.subplots(1, len(updates) + 1)
    for ax, (event, posts) in zip(maps, updates.items(), strict=True):
        shown = draw_updates(ax, posts)
        ax.axhline(truth["magnitude"], color="black", lw=1, ls=":")
        ax.set_title(f"early warning, {event}", fontsize="medium")
    top.colorbar(shown, ax=maps, label="density / its maximum")
    styles = ["-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1))]
    for name, style, marker in zip(TARGETS, styles, "os^vD*x", strict=True):
        line = [gain[name] for gain in gains.values()]
        right.plot(list(gains), line, ls=style, marker=marker, label=name)
    right.set_xlabel("length of the data window (s)")
    right.set_ylim(0, 1.45 * max(max(gain.values()) for gain in gains.values()))
    right.set_ylabel("mean information gain (nat)")
    right.set_title("events that nothing was trained on", fontsize="medium")
    right.spines[["top", "right"]].set_visible(False)
    right.legend(frameon=False, ncols=3, loc="upper center", fontsize="small")

    event, posteriors = list(found.items())[-1]
    known = truth if event == "synthetic" else {}
    axes = bottom.subplots(2, 4).ravel()
    for ax, name in zip(axes, TARGETS, strict=False):
        plot_posterior(posteriors[name], PRIOR[name], truth=known.get(name), ax=ax)
        ax.set(ylabel="", yticks=[])
    axes[7].axis("off")
    axes[7].legend(*axes[0].get_legend_handles_labels(), loc="center", frameon=False,
                   title=f"{event}, {max(gains)} s of data")  # fmt: skip
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_updates(ax, posts):
    """Show a density of the magnitude as a column for each update."""
    low, high = PRIOR["magnitude"].support()
    magnitudes = np.linspace(low, high, 300)
    seconds = np.array(list(posts))
    image = np.array([post.pdf(magnitudes) for post in posts.values()]).T
    half = (seconds[1] - seconds[0]) / 2
    extent = (seconds[0] - half, seconds[-1] + half, low, high)
    bounds = np.array([post.interval(0.9) for post in posts.values()])
    ax.plot(seconds, bounds, color="0.2", lw=1, ls="--")
    ax.set(xlabel="data since the first P wave (s)", ylabel="magnitude")
    style = {"cmap": "Blues", "origin": "lower", "aspect": "auto", "vmin": 0}
    style |= {"extent": extent, "interpolation": "nearest"}
    return ax.imshow(image / image.max(axis=0), **style)
