"""Figure of the convecting mantle: image, gain with runs, posteriors, test runs."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from fmdn.plots import plot_posterior


def draw(path, field, posteriors, truth, checks, gains):
    figure = plt.figure(figsize=(12, 10), layout="constrained")
    rows = figure.subfigures(3, 1, height_ratios=(0.8, 1, 1))
    ax, curve = rows[0].subplots(1, 2, width_ratios=(2.2, 1))
    image = ax.imshow(field, origin="lower", extent=(0, 4, 0, 1), cmap="inferno")
    ax.set(xlabel="x (depths of the box)", ylabel="height")
    ax.set_title("the image: temperature with noise", fontsize="medium")
    rows[0].colorbar(image, ax=ax, label="temperature", shrink=0.6)
    for name, style, marker in zip(checks, ("-", "--", ":"), "os^", strict=True):
        line = [gain[name].value for gain in gains.values()]
        error = [gain[name].error for gain in gains.values()]
        curve.errorbar(list(gains), line, error, ls=style, marker=marker, label=name)
    curve.set(xlabel="runs to learn from", ylabel="mean gain (nat)", ylim=(0, None))
    curve.set_xscale("log")
    curve.set_xticks(list(gains), [str(n) for n in gains], minor=False)
    curve.minorticks_off()
    curve.legend(frameon=False)
    above, below = rows[1].subplots(1, 3), rows[2].subplots(1, 3)
    for (name, check), true, upper, lower in zip(
        checks.items(), truth, above, below, strict=False
    ):
        prior = posteriors.prior[name]
        plot_posterior(posteriors[name], prior, truth=true, ax=upper)
        truths, median = check.truths[:, 0], check.posterior.median()
        low, high = check.posterior.interval(0.9)
        lower.vlines(truths, low, high, color="0.8", lw=0.7)
        lower.scatter(truths, median, s=8, color="#0b4f8a", zorder=3)
        lower.plot(prior.support(), prior.support(), "k:", lw=1)
        lower.set(xlabel=f"true {name}", ylabel="median, 90 % interval")
    above[0].legend(frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)
