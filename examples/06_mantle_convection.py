"""What drives a mantle, and how long it has convected, from an image of today's state.

Prior     log10 of the Rayleigh number 4.3..5.5 and of the age in diffusion times
          -2.5..-1, internal heating 0..30, initial temperature of the interior
          0.3..0.9: all uniform
Forward   convection in a box four times as wide as deep, from a random initial state
          (convection.py; 96 x 32 cells)
Data      temperature at 11 depths, (a) its variation along each depth alone, as in an
          image by seismic tomography, (b) with the mean of each depth as well
Noise     5 % of the temperature difference, in every point of the field; the networks
          see the power spectrum of the noisy field
Targets   Rayleigh number, heating and age, each by itself; the initial temperature and
          the initial pattern are marginalised

After Atkins et al. (2016), PEPI 257:171, doi:10.1016/j.pepi.2016.05.016, who had 334 to
800 simulations to train on.

    python 06_mantle_convection.py [--quick] [--figure PATH] [--store PATH]

The runs are kept in the store: the same call goes on where it was stopped.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # simulations run side by side

import fmdn
import numpy as np
from convection import Box
from scipy.fft import dct
from scipy.special import erf

PRIOR = fmdn.Prior(
    rayleigh=fmdn.Uniform(4.3, 5.5, unit="log10"),
    heating=fmdn.Uniform(0, 30),
    age=fmdn.Uniform(-2.5, -1, unit="log10"),
    initial=fmdn.Uniform(0.3, 0.9),
)
TARGETS = ["rayleigh", "heating", "age"]
BOX = Box(width=4.0, nx=96, nz=32)
LEVELS = np.arange(1, 32, 3)  # of the 33 depths
NOISE = 0.05
FLOOR = 2 * NOISE**2 / BOX.nx  # power of the noise: nothing is seen below
NAME = Path(__file__).stem
HIDDEN_RUN = [5.1, 12.0, -2.0, 0.6]  # plays the planet
# Blankenbach et al. (1989, GJI 98:23), case 1a: Ra 1e4 in a square.
NUSSELT, SPEED = 4.884409, 42.864947


def forward(model, rng):
    """Temperature (n_levels * n_points,) of one model."""
    rayleigh, heating, age, initial = model
    layer = 0.05  # thickness of the first boundary layers
    profile = initial * erf((1 - BOX.z) / layer)
    profile += (1 - initial) * (1 - erf(BOX.z / layer))
    theta = np.tile((profile - (1 - BOX.z))[:, None], (1, BOX.nx + 1))
    theta[[0, -1]] = 0
    waves = np.zeros_like(theta)
    waves[1:6, 1:13] = rng.standard_normal((5, 12))
    theta += 0.05 * BOX.to_grid(waves) / BOX.to_grid(waves).std()
    theta = BOX.evolve(theta, 10**rayleigh, heating, 10**age)
    return BOX.temperature(theta)[LEVELS].astype(np.float32).ravel()


class Spectrum:
    """Logarithm of the power at each depth and wavenumber, in principal components."""

    n_waves, n_components = 32, 28

    def __init__(self, with_mean=False):
        self.with_mean = with_mean  # of the temperature at each depth

    def fit(self, data):
        power = self._power(data)
        self.mean = power.mean(axis=0)
        axes = np.linalg.svd(power - self.mean, full_matrices=False)[2]
        self.axes = axes[: self.n_components].T

    def transform(self, data):
        codes = (self._power(data) - self.mean) @ self.axes
        if not self.with_mean:
            return codes
        return np.hstack([codes, data.reshape(len(data), len(LEVELS), -1).mean(axis=2)])

    def _power(self, data):
        field = data.reshape(len(data), len(LEVELS), -1)
        waves = dct(field, type=1, axis=2)[..., 1 : self.n_waves + 1]
        power = (waves / (field.shape[2] - 1)) ** 2  # 1 for a wave of amplitude 1
        return np.log(power + FLOOR).reshape(len(data), -1)


def benchmark():
    """Nusselt number and speed of the benchmark's steady state."""
    box = Box(nx=32, nz=32)
    theta = 0.1 * np.outer(np.sin(np.pi * box.z), np.cos(np.pi * box.x))
    theta = box.evolve(theta, 1e4, time=0.5)
    return box.nusselt(theta), box.speed(theta, 1e4)


def take(runs, rows):
    """Give some of the runs."""
    return fmdn.Samples(runs.models[rows], runs.data[rows], prior=PRIOR)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small numbers, for tests")
    parser.add_argument("--figure", type=Path, default=Path(f"{NAME}.png"))
    parser.add_argument("--store", type=Path, help=f"by default {NAME}.zarr")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    quick, seed = options.quick, options.seed
    store = options.store or (None if quick else Path(f"{NAME}.zarr"))

    nusselt, speed = benchmark()
    print(f"benchmark 1a: Nusselt number {nusselt:.3f} (published {NUSSELT:.3f}), "
          f"speed {speed:.2f} ({SPEED:.2f})")  # fmt: skip
    sizes, n_test = ([40], 20) if quick else ([75, 150, 300, 600, 1200], 300)
    settings = {"n_members": 10, "seed": seed, "replicate": 4}
    if quick:
        settings |= {"n_members": 4, "hidden": 20, "kernels": 4, "max_iter": 30}
    noise = fmdn.GaussianNoise(NOISE)
    kept = {"seed": seed, "store": store, "version": 2}
    clean = forward(np.array(HIDDEN_RUN), np.random.default_rng(seed + 2))
    observed = noise.add(clean, seed + 3)

    images = [(n, "variations", Spectrum()) for n in sizes]
    images.append((sizes[-1], "with means", Spectrum(with_mean=True)))
    gains, found = {}, {}
    for n, what, encoder in images:
        # what is in the store is not simulated again
        runs = fmdn.simulate(PRIOR, forward, n_test + n, **kept)
        rows, test = slice(n_test, None), take(runs, slice(n_test))
        inversion = fmdn.Inversion(
            take(runs, rows), NOISE, TARGETS, encoder=encoder, **settings
        ).fit()
        data = noise.add(test.data, seed + 1)
        checks = fmdn.calibration(inversion.posterior(data), test, PRIOR)
        gains[n, what] = {name: one.gain for name, one in checks.items()}
        found[what] = inversion.posterior(observed), checks
        row = ", ".join(f"{name} {gain.value:.2f} +- {gain.error:.2f}"
                        for name, gain in gains[n, what].items())  # fmt: skip
        print(f"{n:4d} runs, {what:10}: mean gain {row} nat")
    n_inside = 0
    for what, (posteriors, checks) in found.items():
        print(f"\n--- {what}, {sizes[-1]} runs to learn from")
        print(f"{'target':10}{'median':>9}{'90 % interval':>20}{'gain':>11}   truth")
        for row, truth in zip(posteriors.summary(), HIDDEN_RUN, strict=False):
            n_inside += row.low < truth < row.high
            interval = f"{row.low:.3f} to {row.high:.3f}"
            print(f"{row.target:10}{row.median:9.3f}{interval:>20}{row.gain:7.2f} nat"
                  f"   {truth}")  # fmt: skip
        print(f"{n_test} runs that nothing was trained on:\n{checks.summary()}")
    place = fmdn.novelty(inversion, observed)
    print(f"\nthe image lies at {place.distance[0]:.1f} % of the training cloud")
    from convection_figure import draw

    field = observed.reshape(len(LEVELS), -1)
    draw(options.figure, field, HIDDEN_RUN, found, gains)

    passed = {
        "Nusselt number of the benchmark within 2 %": abs(nusselt / NUSSELT - 1) < 0.02,
        "speed of the benchmark within 2 %": abs(speed / SPEED - 1) < 0.02,
        "the run's truth inside 90 % for four of six": n_inside >= 4,
        "Rayleigh number gains": checks["rayleigh"].gain.value > (-1 if quick else 0.5),
        "coverage of 90 % within 0.80..0.97": quick
        or all(0.80 < one.coverage(0.9) < 0.97 for one in checks.values()),
    }
    for what, fine in passed.items():
        print(f"{'passed' if fine else 'FAILED'}: {what}")
    return not all(passed.values())


if __name__ == "__main__":
    sys.exit(main())
