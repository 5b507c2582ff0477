"""Figure of the convecting mantle: image, gain with runs, posteriors, test runs."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from fmdn.plots import plot_posterior


def draw(path, field, truth, found, gains):
    figure = plt.figure(figsize=(12, 10), layout="constrained")
    rows = figure.subfigures(3, 1, height_ratios=(0.8, 1, 1))
    ax, curve = rows[0].subplots(1, 2, width_ratios=(2.2, 1))
    image = ax.imshow(field, origin="lower", extent=(0, 4, 0, 1), cmap="inferno")
    ax.set(xlabel="x (depths of the box)", ylabel="height")
    ax.set_title("the image: temperature with noise", fontsize="medium")
    rows[0].colorbar(image, ax=ax, label="temperature", shrink=0.6)
    (posteriors, _), (with_means, checks) = found.values()
    sizes = [n for n, what in gains if what == "variations"]
    for name, style, marker in zip(checks, ("-", "--", ":"), "os^", strict=True):
        line = [gains[n, "variations"][name] for n in sizes]
        drawn = curve.errorbar(sizes, [one.value for one in line],
                               [one.error for one in line], ls=style, marker=marker,
                               label=name)  # fmt: skip
        better = gains[sizes[-1], "with means"][name].value
        curve.plot(1.2 * sizes[-1], better, marker=marker, ms=9, mfc="none",
                   color=drawn[0].get_color())  # fmt: skip
    curve.axhline(0, color="0.6", lw=0.8)
    curve.set(xlabel="runs to learn from", ylabel="mean gain (nat)", xscale="log")
    curve.set_title("open: with means", fontsize="medium")
    curve.set_xticks(sizes, [str(n) for n in sizes], minor=False)
    curve.minorticks_off()
    curve.legend(frameon=False)
    above, below = rows[1].subplots(1, 3), rows[2].subplots(1, 3)
    for (name, check), true, upper, lower in zip(
        checks.items(), truth, above, below, strict=False
    ):
        prior = posteriors.prior[name]
        plot_posterior(posteriors[name], prior, truth=true, members=False, ax=upper)
        x = np.linspace(*prior.support(), 400)
        upper.plot(x, with_means[name].pdf(x), color="#d1495b", ls="-.", lw=1.8,
                   label="with means")  # fmt: skip
        top = max(line.get_ydata().max() for line in upper.lines[:1] + upper.lines[-1:])
        upper.set_ylim(0, 1.15 * top)
        truths, median = check.truths[:, 0], check.posterior.median()
        low, high = check.posterior.interval(0.9)
        lower.vlines(truths, low, high, color="0.8", lw=0.7)
        lower.scatter(truths, median, s=8, color="#0b4f8a", zorder=3)
        lower.plot(prior.support(), prior.support(), "k:", lw=1)
        lower.set(xlabel=f"true {name}", ylabel="median, 90 %, with means")
    above[0].legend(frameon=False, loc="upper left")
    figure.savefig(path, dpi=120)
    plt.close(figure)
