"""Earthquakes under a sedimentary basin: waves in three dimensions, from a program.

Prior: a place in a box under the basin, simulated at the nearest of 150 nodes; any
double couple, drawn uniformly (strike, cosine of dip, rake: Tape & Tape 2012).
Forward model: `wave3d.f90`, elastic waves by finite differences, compiled here and run
by `fmdn.Program`, once for each station and direction: by reciprocity a force at the
station gives the accelerations from all nodes (Kaeufl et al. 2016 use SPECFEM3D so).
Data: acceleration at five stations, three components, a sample a second for 40 s.
Noise: 0.1 mm/s^2 in each sample.
Targets: place, magnitude and mechanism; learnt in the medium with the basin and,
wrongly, in the same flat layers without one.

    python 03_three_dimensions.py            4 minutes on two cores
    python 03_three_dimensions.py --quick    a coarse grid, small numbers
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import fmdn
import numpy as np
from three_dimensions_model import (
    EVENT,
    MEDIA,
    NODES,
    NOISE,
    PRIOR,
    SECONDS,
    STATIONS,
    Pattern,
    compile_program,
    forward_model,
    green_functions,
)


def simulate(forward, n, seed):
    return fmdn.simulate(PRIOR, forward, n, seed=seed, vectorised=True, batch_size=200)


# --- Numbers and a figure -------------------------------------------------------------


def print_table(posteriors):
    print(f"{'':10}{'truth':>8}" + "".join(f"{m:>26}" for m in posteriors))
    tables = [one.summary() for one in posteriors.values()]
    for value, *rows in zip(EVENT, *tables, strict=True):
        cells = (f"{r.median:12.2f} [{r.low:6.2f}, {r.high:6.2f}]" for r in rows)
        print(f"{rows[0].target:10}{value:8.2f}" + "".join(cells))


def draw(posteriors, data, path):
    """Draw the basin, what it does to records, and both posteriors of one event."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(3, 3, figsize=(11, 9), layout="constrained")
    axes = axes.ravel()
    styles = (("3-D", "#0b4f8a", "-"), ("1-D", "#d1495b", "--"))
    axes[0].add_patch(plt.Circle((30, 30), 14, color="0.85", label="basin"))
    axes[0].plot(*STATIONS[:, ::-1].T / 1e3, "k^", label="stations")
    axes[0].plot(*NODES[::6, 1::-1].T, "k.", ms=3, label="nodes")
    axes[0].plot(EVENT[1], EVENT[0], "k*", ms=12, mfc="w", label="earthquake")
    axes[0].set(xlim=(10, 50), ylim=(10, 50), aspect="equal")
    axes[0].set(xlabel="east (km)", ylabel="north (km)")
    axes[0].legend(fontsize="x-small", loc="upper left", ncols=2)
    step = 2e3 * np.abs(data["3-D"]).max() / 3
    for medium, color, style in styles:
        records = 1e3 * data[medium].reshape(len(STATIONS), 3, SECONDS)[:, 1].T
        axes[1].plot(records + step * np.arange(len(STATIONS)), style, color=color)
    axes[1].set(xlabel="time (s)", ylabel="east acceleration (mm/s$^2$), shifted")
    for ax, name, value in zip(axes[2:], PRIOR, EVENT, strict=True):
        x = np.linspace(*PRIOR[name].support(), 400)
        for medium, color, style in styles:
            ax.plot(
                x, posteriors[medium][name].pdf(x), style, color=color, label=medium
            )
        ax.plot(x, PRIOR[name].pdf(x), ":", color="0.4", label="prior")
        ax.axvline(value, color="k", lw=1)
        unit = f" ({PRIOR[name].unit})" if PRIOR[name].unit else ""
        ax.set(xlabel=name + unit, yticks=[], ylim=(0, None))
    axes[2].legend(fontsize="x-small")
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--figure", type=Path, default=Path("03_three_dimensions.png"))
    options = parser.parse_args()
    if shutil.which("gfortran") is None:
        print("skipped: this example compiles wave3d.f90, and there is no gfortran")
        return 0
    spacing, n, n_test = 1000, 20_000, 1000
    settings = {"n_members": 2, "hidden": [50, 50], "kernels": 6, "max_iter": 300}
    if options.quick:
        spacing, n, n_test = 2000, 3000, 300
        settings = {"n_members": 2, "hidden": 30, "kernels": 4, "max_iter": 80}

    with tempfile.TemporaryDirectory() as folder:
        compile_program(folder)
        green = {m: green_functions(Path(folder), m, spacing) for m in MEDIA}
    forward = {medium: forward_model(one) for medium, one in green.items()}
    test = simulate(forward["3-D"], n_test, seed=2)
    noisy = NOISE.add(test.data, seed=3)
    data = {medium: one(EVENT[None])[0] for medium, one in forward.items()}
    observed = NOISE.add(data["3-D"], seed=4)

    posteriors, checks, wrong = {}, {}, []
    for medium, one in forward.items():
        samples = simulate(one, n, seed=1)
        inversion = fmdn.Inversion(samples, NOISE, encoder=Pattern(), **settings).fit()
        posteriors[medium] = inversion.posterior(observed)
        checks[medium] = fmdn.calibration(inversion.posterior(noisy), test, PRIOR)
        print(f"\nlearnt in the {medium} medium; new earthquakes, all in the 3-D one:")
        print(checks[medium].summary())
        place = fmdn.novelty(inversion, observed)
        print(
            f"the earthquake below is at percentile {place.distance[0]:.1f} of it all"
        )
    print()
    print_table(posteriors)
    draw(posteriors, data, options.figure)

    for name, one in checks["3-D"].items():
        flat = checks["1-D"][name].gain
        if one.excess_coverage.value < (-0.1 if options.quick else -0.03):
            wrong.append(f"{name}: overconfident in the medium it was trained for")
        if one.gain.value < flat.value - 3 * flat.error:
            wrong.append(f"{name}: the wrong medium does better")
    print("\n".join(["", *(wrong or ["all checks passed"])]))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
