"""Earthquakes under a sedimentary basin: waves in three dimensions, from a program.

Prior: a place in a box under the basin, simulated at the nearest of 150 nodes; any
double couple, drawn uniformly (strike, cosine of dip, rake: Tape & Tape 2012).
Forward model: `wave3d.f90`, elastic waves by finite differences, compiled here and run
by `fmdn.Program`, once for each station and direction: by reciprocity a force at the
station gives the displacements from all nodes (Kaeufl et al. 2016 use SPECFEM3D so).
Noise: 0.1 mm in each sample.
Targets: place, magnitude and mechanism; learnt in the medium with the basin and,
wrongly, in the same flat layers without one.

    python 03_three_dimensions.py            8 minutes on two cores
    python 03_three_dimensions.py --quick    a coarse grid, small numbers
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import fmdn
import numpy as np

# --- Medium, stations, prior ----------------------------------------------------------

SIZE = 60e3  # m, of the cube; x is north, y east, z down
LAYERS = (
    "n_layers=3 tops=0,6e3,22e3 vp=5400,6000,6700 vs=3100,3450,3800 "
    "density=2600,2700,2900"
)
BASIN = (
    "basin_centre=30e3,30e3 basin_radius=14e3 basin_depth=3.5e3 "
    "basin_vp=3000 basin_vs=1700 basin_density=2200"
)
MEDIA = {"3-D": BASIN, "1-D": "basin_depth=0"}
STATIONS = 1e3 * np.array([[22, 24], [36, 22], [40, 38], [26, 38], [32, 30]])  # x, y
SECONDS, WIDTH = 40, 1.6  # of a record; of the moment rate, a Gaussian
NOISE = fmdn.GaussianNoise(1e-4)  # m

PRIOR = fmdn.Prior(
    x=fmdn.Uniform(17.5, 42.5, unit="km"),
    y=fmdn.Uniform(17.5, 42.5, unit="km"),
    depth=fmdn.Uniform(3, 15, unit="km"),
    strike=fmdn.Uniform(0, 360, period=360, unit="degrees"),
    cos_dip=fmdn.Uniform(0, 1),
    rake=fmdn.Uniform(-90, 90, unit="degrees"),
    magnitude=fmdn.Uniform(4.8, 5.8),
)
EVENT = np.array([27.0, 33.0, 9.0, 140.0, 0.4, 30.0, 5.3])
CORNER, CELL, COUNT = np.array([17.5, 17.5, 3]), np.array([5, 5, 2]), (5, 5, 6)
NODES = CORNER + CELL * (np.indices(COUNT).reshape(3, -1).T + 0.5)  # km


def moment_tensors(models):
    """Six components (xx, yy, zz, xy, xz, yz) in N m (Aki & Richards 2002, box 4.4)."""
    strike, rake = np.radians(models[:, 3]), np.radians(models[:, 5])
    cos_d, moment = models[:, 4], 10 ** (1.5 * models[:, 6] + 9.1)
    sin_d = np.sqrt(1 - cos_d**2)
    c, s = np.cos(strike), np.sin(strike)
    normal = -sin_d * s, sin_d * c, -cos_d
    slip = (
        np.cos(rake) * c + np.sin(rake) * cos_d * s,
        np.cos(rake) * s - np.sin(rake) * cos_d * c,
        -np.sin(rake) * sin_d,
    )
    pairs = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
    return (moment * [slip[i] * normal[j] + slip[j] * normal[i] for i, j in pairs]).T


# --- Waves: one run of the program for each station and direction ---------------------


def green_functions(folder, medium, spacing):
    """Displacements that unit moments leave: (nodes, 6, stations x 3 x seconds)."""
    every = int(np.ceil(6700 / (0.48 * spacing)))  # steps a second, for stability
    points = " ".join(f"{i:.0f}" for i in (1e3 * NODES / spacing + 1).ravel())
    text = (
        f"&run n=3*{SIZE / spacing + 1:.0f} spacing={spacing} step={1 / every} "
        f"every={every} steps={SECONDS * every} width={WIDTH} n_points={len(NODES)} "
        f"points={points} {LAYERS} {MEDIA[medium]}\n"
        "source={i:.0f},{j:.0f},1 direction={direction:.0f} /\n"
    )
    program = fmdn.Program(str(folder / "wave3d"), {"stdin": text}, output=read_strains)
    places = STATIONS / spacing + 1
    runs = [[*place, direction] for place in places for direction in (1, 2, 3)]
    prior = fmdn.Prior({("i", "j", "direction"): fmdn.GivenModels(np.array(runs))})
    done = fmdn.simulate(prior, program, len(runs), batch_size=1)
    strains = done.data.reshape(len(runs), SECONDS, len(NODES), 6)
    strains[..., 3:] *= 2  # M : strain has the shear components twice
    return strains.transpose(2, 3, 0, 1).reshape(len(NODES), 6, -1)


def read_strains(folder):
    return np.fromfile(folder / "strain.bin", np.float32).astype(float)


def forward_model(green):
    """Give the forward model: six moments' displacements, summed for each model."""

    def forward(models):
        cells = ((models[:, :3] - CORNER) / CELL).astype(int)
        nodes = np.ravel_multi_index(np.minimum(cells, np.array(COUNT) - 1).T, COUNT)
        return np.einsum("ni,nik->nk", moment_tensors(models), green[nodes])

    return forward


class Pattern:
    """Records as their size and the 60 largest components of their pattern."""

    def fit(self, data):
        scaled = data / self._size(data)
        self.mean = scaled.mean(axis=0)
        self.axes = np.linalg.svd(scaled[:5000] - self.mean, full_matrices=False)[2][
            :60
        ]

    def transform(self, data):
        size = self._size(data)
        return np.hstack([(data / size - self.mean) @ self.axes.T, np.log(size)])

    def _size(self, data):
        return np.sqrt((data**2).mean(axis=1, keepdims=True))


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
    axes[1].set(xlabel="time (s)", ylabel="east displacement (mm), shifted")
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
        source = Path(__file__).with_name("wave3d.f90")
        command = ["gfortran", "-O3", "-march=native", source, "-o", "wave3d"]
        subprocess.run(command, cwd=folder, check=True)
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
