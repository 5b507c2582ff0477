"""Figure of free oscillations: posteriors of the layers, and the periods."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from fmdn.plots import plot_posterior
from free_oscillations_model import (
    MODES,
    NOISE,
    OBSERVED,
    PRIOR,
    SHEAR,
    TARGETS,
    ak135_deviation,
)

EXACT = "#d1495b"


def draw(path, posterior, known, in_prem):
    """Draw velocity against depth, the other targets, and the periods."""
    figure = plt.figure(figsize=(12.5, 7), layout="constrained")
    grid = figure.add_gridspec(3, 3, width_ratios=(1.3, 1, 1.3))
    left = figure.add_subplot(grid[:, 0])
    low, high = PRIOR[TARGETS[0]].ppf([0.05, 0.95])
    left.axvspan(low, high, color="0.92", label="prior, 90 %")
    left.axvline(0, color="black", lw=0.8, label="PREM")
    for (name, (top, bottom, _)), other in zip(
        SHEAR.items(), ak135_deviation(), strict=True
    ):
        one, first = posterior[name], top < 30
        for confidence, color in ((0.9, "#9ec5e8"), (0.5, "#0b4f8a")):
            low, high = one.interval(confidence)
            label = f"posterior, {confidence:.0%}" if first else None
            left.fill_betweenx([top, bottom], low, high, color=color, label=label)
        left.errorbar(known.quantile(name, 0.5), (top + bottom) / 2, xerr=np.abs(
            known.quantile(name, [[0.05], [0.95]]) - known.quantile(name, 0.5)),
            color=EXACT, fmt="o", ms=4, capsize=3,
            label="exact, 90 %" if first else None)  # fmt: skip
        left.plot([other, other], [top, bottom], "white", lw=4)
        left.plot([other, other], [top, bottom], "--", color="black", lw=1.5,
                  label="ak135" if first else None)  # fmt: skip
        left.axhline(bottom, color="0.8", lw=0.6, zorder=0)
    left.set(xlabel="shear velocity minus PREM (%)", ylabel="depth (km)")
    left.set(ylim=(2891, 0), xlim=(-4, 4))
    left.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))
    for row, name in enumerate(TARGETS[len(SHEAR) :]):
        ax = figure.add_subplot(grid[row, 1])
        plot_posterior(posterior[name], PRIOR[name], ax=ax)
        ax.hist(known[name], 20, weights=known.weights, density=True,
                histtype="step", color=EXACT)  # fmt: skip
        ax.axvline(670 if "660" in name else 0, color="black", lw=0.8, zorder=0)
        ax.set(ylabel="", yticks=[])
    right = figure.add_subplot(grid[:, 2])
    misfit, error = 100 * (OBSERVED / in_prem - 1), 100 * NOISE.sd / OBSERVED
    for n, marker in enumerate("os^D"):
        here = MODES[:, 0] == n
        degree = MODES[here, 1] + 0.15 * (n - 1)  # side by side
        right.errorbar(degree, misfit[here], error[here], fmt=marker, color=f"C{n}",
                       mfc="none", capsize=2, label=f"{n}T")  # fmt: skip
    right.axhline(0, color="black", lw=0.8)
    right.set(xlabel="degree", ylabel="observed period minus that in PREM (%)")
    right.legend(frameon=False, title="overtone")
    figure.savefig(path, dpi=130)
