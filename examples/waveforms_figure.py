"""Figure of the waveforms: early warning, gain with time, posteriors."""

import matplotlib
import numpy as np
from waveforms_model import PRIOR, TARGETS

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from fmdn.plots import plot_posterior


def draw(path, posteriors, updates, gains, truth):
    figure = plt.figure(figsize=(12, 8.5), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.1))
    left, right = top.subplots(1, 2)
    magnitudes = np.linspace(6, 8, 300)
    seconds = np.array(list(updates))
    image = np.array([post.pdf(magnitudes) for post in updates.values()]).T
    half = (seconds[1] - seconds[0]) / 2
    extent = (seconds[0] - half, seconds[-1] + half, 6, 8)
    image /= image.max(axis=0)
    shown = left.imshow(image, vmin=0, cmap="Blues", extent=extent, origin="lower",
                        aspect="auto", interpolation="nearest")  # fmt: skip
    bounds = np.array([post.interval(0.9) for post in updates.values()])
    left.plot(seconds, bounds, color="0.2", lw=1, ls="--")
    left.axhline(truth.get("magnitude", 7.2), color="black", lw=1, ls=":")
    left.set(xlabel="data since the first P wave (s)", ylabel="magnitude")
    left.set_title("early warning (dashed: 90 % interval)", fontsize="medium")
    top.colorbar(shown, ax=left, label="density / its maximum")
    styles = ["-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1, 1, 1))]
    for name, style, marker in zip(TARGETS, styles, "os^vD*x", strict=True):
        line = [gain[name] for gain in gains.values()]
        right.plot(list(gains), line, ls=style, marker=marker, label=name)
    right.set_xlabel("length of the data window (s)")
    right.set_ylim(0, 1.35 * max(max(gain.values()) for gain in gains.values()))
    right.set_ylabel("mean information gain (nat)")
    right.set_title("events that nothing was trained on", fontsize="medium")
    right.spines[["top", "right"]].set_visible(False)
    right.legend(frameon=False, ncols=4, loc="upper center")
    axes = bottom.subplots(2, 4).ravel()
    for ax, name in zip(axes, TARGETS, strict=False):
        plot_posterior(posteriors[name], PRIOR[name], truth=truth.get(name), ax=ax)
        ax.set(ylabel="", yticks=[])
    axes[7].axis("off")
    axes[7].legend(*axes[0].get_legend_handles_labels(), loc="center", frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)
