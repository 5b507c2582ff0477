"""Figure of rapid location: epicentres at some times, depth and origin time."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from rapid_location_model import EAST, NORTH, PICKS, STATIONS, TABLE, TRUTH, east_north

EXACT = {"color": "#d1495b", "fmt": "o", "ms": 4, "capsize": 3, "label": "exact, 90 %"}


def bars(values):
    """Where an error bar is, and how far it reaches: median, 5 % and 95 %."""
    middle, low, high = np.transpose(values)
    return middle, np.array([middle - low, high - middle])


def draw(path, posteriors, references):
    """Draw the epicentre at some times, and depth and origin time against the clock."""
    figure, axes = plt.subplots(2, 3, figsize=(12.5, 8), layout="constrained")
    x = np.linspace(-250, 250, 501)
    points = np.stack(np.meshgrid(x, x), axis=-1)
    east, north = east_north(STATIONS)
    for ax, clock in zip((*axes[0, :2], *axes[1, :2]), references, strict=True):
        joint = posteriors[clock]["east", "north"]
        density = joint.pdf(points)
        levels = np.quantile(joint.pdf(joint.sample(4000, seed=1)), [0.1, 0.5])
        ax.contourf(x, x, density, [*levels, density.max() * 1.01],
                    colors=["#9ec5e8", "#0b4f8a"])  # fmt: skip
        came = PICKS[: len(TABLE)] < clock
        ax.plot(east[came], north[came], "k^", ms=8, label="P has come")
        ax.plot(east[~came], north[~came], "^", ms=8, mfc="none", mec="0.4",
                label="not yet")  # fmt: skip
        ax.plot(EAST, NORTH, "*", ms=12, mfc="white", mec="black", label="bulletin")
        (x0, dx), (y0, dy) = (
            bars([one]) for one in list(references[clock].values())[:2]
        )
        ax.errorbar(x0, y0, dy, dx, **EXACT)
        ax.set(title=f"{clock:.0f} s after the first pick", aspect="equal")
        ax.set(xlim=(-130, 180), ylim=(-230, 80))
        ax.set(xlabel="east (km)", ylabel="north (km)")
    axes[0, 0].legend(loc="lower left", fontsize="small")
    for ax, (name, unit) in zip(
        axes[:, 2], (("depth", "km"), ("origin", "s")), strict=True
    ):
        for confidence, color in ((0.9, "#9ec5e8"), (0.5, "#0b4f8a")):
            ends = np.array(
                [one[name].interval(confidence) for one in posteriors.values()]
            ).T
            ax.fill_between(
                list(posteriors), *ends, color=color, label=f"{confidence:.0%}"
            )
        ax.axhline(TRUTH[name], color="black", ls="--", label="bulletin")
        ax.errorbar(list(references), *bars([one[name] for one in references.values()]),
                    **EXACT)  # fmt: skip
        ax.set(xscale="log", xlabel="after the first pick (s)")
        ax.set_ylabel(f"{name} ({unit})")
    axes[0, 2].legend(fontsize="small")
    figure.savefig(path, dpi=130)
