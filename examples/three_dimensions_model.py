"""Waves under a sedimentary basin: medium, stations, prior, forward model, noise.

The waves are those of `wave3d.f90`, a program that is compiled here and started by
`fmdn.Program`. Coordinates: x north, y east, z down.
"""

import subprocess
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
NOISE = fmdn.GaussianNoise(1e-4)  # m/s^2

PRIOR = fmdn.Prior(
    north=fmdn.Uniform(17.5, 42.5, unit="km"),
    east=fmdn.Uniform(17.5, 42.5, unit="km"),
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


def compile_program(folder):
    """Put the program `wave3d` into a folder."""
    source = Path(__file__).with_name("wave3d.f90")
    command = ["gfortran", "-O3", "-march=native", source, "-o", "wave3d"]
    subprocess.run(command, cwd=folder, check=True)


def green_functions(folder, medium, spacing):
    """Accelerations that unit moments leave: (nodes, 6, stations x 3 x seconds)."""
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
    """Give the forward model: six moments' accelerations, summed for each model."""

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
