"""The figure of 09_theory.py: figures 3 to 7 of Kaeufl et al. (2016), and the cost."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from fmdn.plots import POSTERIOR
from fmdn.plots_truth import plot_near_truth
from hypersphere import (
    GRID,
    NOISE,
    divergence,
    exact_posteriors,
    mean_likelihood,
    simulate,
)

EXACT = "#d1495b"
MARKERS = {2: "o", 5: "s", 10: "^"}
SHADES = {2: "#0b4f8a", 5: "#4f8fc0", 10: "#9cc3df"}


def draw(path, solved, check, approaches, descents):
    """Draw and save: a line of panels for each c, and one of the other figures."""
    committees, joint, five, chains = solved
    figure = plt.figure(figsize=(15, 13.5), layout="constrained")
    axes = figure.subplots(4, 4)
    for row, (c, committee) in zip(axes[:3], committees.items(), strict=True):
        image(row[0], c, committee)
        for ax, d in zip(row[1:3], (0.0, 0.7), strict=True):
            posterior(ax, c, d, committee, chains[c, d])
    axes[0, 1].legend(frameon=False, fontsize="small")
    ring(axes[0, 3], joint, 0.7)
    approach(axes[1, 3], approaches)
    cost(axes[2, 3], approaches, descents)
    posterior(axes[3, 0], 2, 0.7, five)
    axes[3, 0].set_title("c = 2, d = 0.7, five kernels", loc="left")
    mean_likelihoods(axes[3, 1], (100, 10_000, 1_000_000))
    plot_near_truth(check, ax=axes[3, 2])
    axes[3, 2].set_title("c = 2, new simulations", loc="left")
    neighbours(axes[3, 3], committees)
    for ax, letter in zip(axes.flat, "abcdefghijklmnop", strict=True):
        ax.set_title(
            f"({letter}) {ax.get_title('left')}", loc="left", fontsize="medium"
        )
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def image(ax, c, committee):
    """p(m1|d) over d and m1, exact and learnt; where the prior samples' data lie."""
    d = np.linspace(-0.2, 1.15 * np.sqrt(c), 150)
    learnt = committee.posterior(d[:, np.newaxis]).pdf(GRID)
    levels = [0.25, 0.5, 1, 2, 4]
    shades = plt.cm.Blues(np.linspace(0, 0.9, len(levels) + 1))
    ax.contourf(d, GRID, learnt.T, [0, *levels, 99], colors=shades)
    ax.contour(d, GRID, exact_posteriors(d, c).T, levels, colors=EXACT, linewidths=1.1)
    shares, edges = np.histogram(simulate(c, 5000, 0).data, 60)
    ax.stairs(shares / shares.max() * 0.5 - 1, edges, baseline=-1, color="black")
    ax.set(xlabel="observed distance d", ylabel="$m_1$", ylim=(-1, 1), xlim=d[[0, -1]])
    ax.set_title(f"c = {c}", loc="left")


def posterior(ax, c, d0, committee, chain=None):
    """Exact, learnt, each member, and a histogram of McMC."""
    post = committee.posterior([d0])
    if chain is not None:
        ax.hist(chain, 50, (-1, 1), density=True, color="0.85", label="McMC")
    for i, member in enumerate(post.members):
        label = None if i else "members"
        ax.plot(GRID, member.pdf(GRID), color=POSTERIOR, lw=0.5, alpha=0.6, label=label)
    ax.plot(GRID, post.pdf(GRID), color=POSTERIOR, lw=2.2, label="committee")
    exact = exact_posteriors(d0, c)[0]
    ax.plot(GRID, exact, color=EXACT, ls=(0, (4, 2)), lw=1.8, label="exact")
    ax.set(xlim=(-1, 1), ylim=(0, 1.3 * exact.max()), xlabel="$m_1$")
    ax.set_title(f"c = {c}, d = {d0}", loc="left")


def ring(ax, joint, d0):
    """Joint posterior of two parameters, learnt and exact."""
    points = np.stack(np.meshgrid(GRID[::4], GRID[::4]), axis=-1)
    exact = np.exp(-0.5 * ((d0 - np.linalg.norm(points, axis=-1)) / NOISE) ** 2)
    exact /= exact.sum() * (4 * (GRID[1] - GRID[0])) ** 2
    learnt = joint.posterior([d0]).pdf(points)
    levels = np.array([0.25, 0.5, 0.75]) * exact.max()
    x = GRID[::4]
    shades = plt.cm.Blues([0.3, 0.55, 0.8])
    ax.contourf(x, x, learnt, [*levels, 99], colors=shades)
    ax.contour(x, x, exact, levels, colors=EXACT, linewidths=1.1)
    ax.set(xlabel="$m_1$", ylabel="$m_2$", aspect="equal")
    ax.set_title(f"c = 2, d = {d0}: both parameters", loc="left")


def approach(ax, rows):
    """Errors against the number of prior samples."""
    for c, of_c in rows.items():
        n, few, many = of_c.T[:3]
        style = {"marker": MARKERS[c], "color": SHADES[c], "mec": "black"}
        ax.loglog(n, many, label=f"c = {c}, default", **style)
        ax.loglog(n, few, ls=":", label=f"c = {c}, 3 kernels", **style)
    ax.set(xlabel="prior samples", ylabel="mean KL(exact || learnt) (nat)")
    ax.set_title("exact in the limit", loc="left")
    ax.legend(frameon=False, fontsize="x-small")


def cost(ax, rows, walks):
    """The same error by both ways: prior samples, and McMC for one event."""
    for c, of_c in rows.items():
        style = {"marker": MARKERS[c], "color": SHADES[c], "mec": "black"}
        ax.loglog(of_c[:, 0], of_c[:, 3], label=f"c = {c}", **style)
        ax.loglog(*walks[c].T, ls="--", mfc="white", **style)
    ax.set(xlabel="forward solutions", ylabel="error of the cdf (sd)")
    ax.plot([], [], "k-", label="prior samples, all events")
    ax.plot([], [], "k--", label="McMC, each event")
    ax.set_title("what it costs", loc="left")
    ax.legend(frameon=False, fontsize="x-small")


def mean_likelihoods(ax, sizes):
    """Mean likelihood of d = 0 over prior samples, beside eq. 28."""
    for c, marker in MARKERS.items():
        data = simulate(c, max(sizes), 7).data[:, 0]
        values = np.exp(-0.5 * (data / NOISE) ** 2) / NOISE / np.sqrt(2 * np.pi)
        means = [max(values[:n].mean(), 1e-16) for n in sizes]
        ax.loglog(sizes, means, marker, color=SHADES[c], mec="black", label=f"c = {c}")
        ax.axhline(mean_likelihood(c), color=EXACT, ls=(0, (4, 2)))
    ax.set(xlabel="prior samples", ylabel="mean likelihood of d = 0")
    ax.set_title("dashed: eq. 28 of the paper", loc="left")
    ax.legend(frameon=False, fontsize="small")


def neighbours(ax, committees):
    """Error at a distance against the number of prior samples there."""
    for c, committee in committees.items():
        data, d = simulate(c, 5000, 0).data, np.linspace(0, np.sqrt(c), 40)
        near = (np.abs(data - d) < NOISE).sum(axis=0)
        found = committee.posterior(d[:, np.newaxis]).pdf(GRID)
        kl = divergence(exact_posteriors(d, c), found)
        ax.loglog(np.maximum(near, 0.5), kl, MARKERS[c], color=SHADES[c], mec="black",
                  label=f"c = {c}")  # fmt: skip
    ax.set(xlabel="prior samples within 0.1 of d", ylabel="KL(exact || learnt) (nat)")
    ax.set_title("any distance d", loc="left")
    ax.legend(frameon=False, fontsize="small")
