"""The figure of 07_equation_of_state.py: parameters on the left, properties right."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from bridgmanite_model import (
    OBSERVED,
    PUBLISHED,
    PUBLISHED_CORRELATION,
    PUBLISHED_SD,
    TEMPERATURE,
    VOLUME,
)
from fmdn.plots_joint import plot_joint
from mie_grueneisen_debye import isotherm
from scipy import stats

LABELS = ("$V_0$ (Å³)", "$K_0$ (GPa)", "$K_0'$", r"$\gamma_0$", "$q$")
PROPERTIES = ("volume (Å³)", "bulk modulus (GPa)", "expansion ($10^{-5}$/K)")
ORANGE = "#e8833a"
ISOTHERMS = ((300, "#0b4f8a", "-"), (1500, "#e09f3e", (0, (5, 2))))  # K


def draw(path, joint, properties, unlike):
    """Draw and save.

    Parameters
    ----------
    path : path
    joint : Mixture
        Posterior of the five parameters.
    properties : callable
        Of places (n, 2): volume, bulk modulus and expansion, (3, members, n).
    unlike : callable
        Of places: which are unlike the measurements, (n,).
    """
    figure = plt.figure(figsize=(14, 7.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.3, 1))
    plot_joint(joint, figure=left)
    _add_published(left)
    axes = right.subplots(3, 1, sharex=True)
    _draw_properties(axes, joint.sample(300), properties, unlike)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _add_published(figure):
    """Ellipses that hold 68.3 and 95.4 %, over the contours of the posterior."""
    mean, axes = PUBLISHED, iter(figure.axes)
    covariance = PUBLISHED_CORRELATION * np.outer(PUBLISHED_SD, PUBLISHED_SD)
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    for i, label in enumerate(LABELS):
        for j in range(i):
            ax, at = next(axes), [j, i]
            factor = np.linalg.cholesky(covariance[np.ix_(at, at)])
            for share, dash in ((0.683, "-"), (0.954, "--")):
                ellipse = np.sqrt(-2 * np.log(1 - share)) * factor @ circle
                ax.plot(*(mean[at] + ellipse.T).T, color=ORANGE, ls=dash, lw=1.4)
            ax.set_ylabel(label if j == 0 else "")
            ax.set_xlabel(LABELS[j] if i == 4 else "")
        ax, one = next(axes), stats.norm(mean[i], np.sqrt(covariance[i, i]))
        x = np.linspace(*one.interval(0.9999), 200)
        ax.plot(x, one.pdf(x), color=ORANGE, lw=1.4, label="Wolf et al. (2015)")
        ax.set_ylim(0, max(ax.get_ylim()[1], 1.1 * one.pdf(mean[i])))
        ax.set_xlabel(label if i == 4 else "")
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legends[0].remove()
    figure.legend(
        *handles,
        loc="upper right",
        frameon=False,
        title="68.3 and 95.4 %: lines, dashes",
    )


def _draw_properties(axes, draws, properties, unlike):
    """Isotherms as learnt, with two sd of the members, and of the posterior in (a)."""
    pressures = np.linspace(20, 130, 111)
    style = {"cmap": "Greys", "vmin": -500, "vmax": 2500, "s": 20, "lw": 0.5}
    style |= {"edgecolors": "black", "zorder": 3, "label": "measured (dark: hot)"}
    axes[0].scatter(OBSERVED, VOLUME, c=TEMPERATURE, **style)
    for kelvin, colour, dash in ISOTHERMS:
        places = np.column_stack([pressures, np.full(len(pressures), float(kelvin))])
        far = unlike(places)
        for ax, label, members, law in zip(
            axes,
            PROPERTIES,
            properties(places),
            isotherm(pressures, kelvin, draws),
            strict=True,
        ):
            scale = 1e5 if "expansion" in label else 1
            mean, sd = scale * members.mean(axis=0), scale * members.std(axis=0)
            for where, alpha in ((None, 0.12), (~far, 0.3)):
                ax.fill_between(pressures, mean - 2 * sd, mean + 2 * sd, where=where,
                                color=colour, alpha=alpha, lw=0)  # fmt: skip
            ax.plot(pressures, np.where(far, np.nan, mean), color=colour, ls=dash, lw=2,
                    label=f"learnt, {kelvin} K")  # fmt: skip
            for bound in scale * np.quantile(law, [0.025, 0.975], axis=0):
                ax.plot(pressures, bound, color="black", ls=dash, lw=0.9)
            ax.set_ylabel(label)
            ax.spines[["top", "right"]].set_visible(False)
    axes[0].plot([], [], color="black", lw=0.9, label="equation of state of (a), 95 %")
    axes[0].fill_between(
        [],
        [],
        [],
        color="0.5",
        alpha=0.2,
        label="two sd of the members; faint:\nunlike the measurements",
    )
    axes[0].legend(frameon=False, fontsize="small")
    axes[1].set_ylim(250, 850)
    axes[2].set_ylim(0, 3.5)
    axes[2].set_xlabel("pressure (GPa)")
