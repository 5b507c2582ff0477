"""KL from the exact posterior against the number of prior samples."""

import numpy as np
from accuracy_report import EXACT, collect

PROBLEMS = {"distance": ("KL at 0.7", "#0b4f8a"), "linear": ("KL", "#d1495b")}


def draw(rows, path):
    """Draw what was reached, each seed a point, and what is wanted, as lines."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    found = collect(rows, "exact")
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, (key, colour) in PROBLEMS.items():
        sizes = sorted(size for problem, size in found if problem == name)
        each = [np.maximum(found[name, size][key], 1e-5) for size in sizes]
        for size, values in zip(sizes, each, strict=True):
            axes.plot([size] * len(values), values, "o", color=colour, ms=4, alpha=0.5)
        means = [np.mean(values) for values in each]
        axes.plot(sizes, means, "-", color=colour, label=name)
        wanted = sorted(
            (n, kl) for (problem, n), kl in EXACT.items() if problem == name
        )
        axes.plot(*zip(*wanted, strict=True), "--", color=colour, lw=1, alpha=0.7)
    axes.plot([], [], "--", color="gray", lw=1, label="wanted")
    axes.set(xscale="log", yscale="log", xlabel="prior samples")
    axes.set_ylabel("KL(exact posterior || committee), nat")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
