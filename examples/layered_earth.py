"""Displacement records of point sources in a layered Earth, as sums.

By linearity a source's record is a sum of those of six unit moment tensors. They depend
on depth and distance alone, so that they are computed once, by pyprop8 (O'Toole and
Woodhouse 2011, GJI 187:1516), for a grid of these; a record then costs microseconds.

Coordinates: kilometres east and north, depths down; records east, north, up in metres.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

# Southern California (Hadley and Kanamori 1977, GSA Bulletin 88:1469): thickness km,
# P velocity km/s. Poisson solids; densities in g/cm^3 are those of usual crust.
CRUST = [(5.5, 5.5, 2.5), (10.5, 6.3, 2.7), (16.0, 6.7, 2.9), (np.inf, 7.8, 3.3)]
LAYERS = [(h, vp, vp / np.sqrt(3), rho) for h, vp, rho in CRUST]

LENGTH = 128  # s, of what is computed, at 1 sample/s
# On this contour below the real axis all frequencies are finite, and what comes after
# LENGTH wraps around a thousand times smaller.
SHIFT = np.log(1e3) / LENGTH
HIGHEST = 0.25  # Hz, the end of a cosine taper from 0.15 Hz
REDUCING = 3.5  # km/s: phases at this speed are taken out where distances interpolate


def frequencies():
    """Complex angular frequencies, rad/s, and the low-pass filter at them."""
    f = np.arange(int(HIGHEST * LENGTH) + 1) / LENGTH
    taper = 0.5 + 0.5 * np.cos(np.pi * np.clip((f - 0.15) / (HIGHEST - 0.15), 0, 1))
    return 2 * np.pi * f - 1j * SHIFT, taper


@dataclass(frozen=True)
class Greens:
    """Spectra of displacement per N m, (depth, distance, tensor, component, frequency).

    Tensors: rr, tt, zz, rt, rz, tz; components: radial, transverse (counterclockwise
    seen from above), up. Depths and distances in km lie on regular grids.
    """

    depths: np.ndarray
    distances: np.ndarray
    spectra: np.ndarray

    @classmethod
    def compute(cls, depths, distances, layers=LAYERS, cache=None, progress=True):
        """Compute them, or read them from the file `cache` if it holds the same."""
        wanted = {"depths": depths, "distances": distances, "layers": np.array(layers)}
        if cache is not None and Path(cache).exists():
            with np.load(cache) as stored:
                if all(np.array_equal(stored[k], v) for k, v in wanted.items()):
                    return cls(depths, distances, stored["spectra"])
            raise ValueError(f"{cache} holds Green's functions of another grid")
        spectra = np.stack(list(_spectra(depths, distances, layers, progress)))
        if cache is not None:
            np.savez(cache, spectra=spectra, **wanted)
        return cls(depths, distances, spectra)

    def records(self, tensors, depth, distance, transfer):
        """Records (n, n_stations, 3, LENGTH): radial, transverse, up, at 1 sample/s.

        `tensors` (n, n_stations, 6) in N m lie in the frames of the stations at
        `distance` (n, n_stations); `transfer` (n, n_stations, n_frequencies) is the
        spectrum of the source's time function, with all delays.
        """
        omega, taper = frequencies()
        iz, fz = _place(depth, self.depths)
        ir, fr = _place(distance, self.distances)
        spectrum = 0
        for dz, weight_z in ((0, 1 - fz), (1, fz)):
            for dr, weight_r in ((0, 1 - fr), (1, fr)):
                near = self.spectra[(iz + dz)[:, None], ir + dr]
                weights = tensors * (weight_z[:, None] * weight_r)[..., None]
                spectrum += np.einsum("nst,nstcf->nscf", weights, near)
        phase = np.exp(-1j * omega * distance[..., None] / REDUCING)
        spectrum *= (transfer * phase * taper)[:, :, None]
        growth = np.exp(SHIFT * np.arange(LENGTH))
        return np.fft.irfft(spectrum, LENGTH) * growth


def _spectra(depths, distances, layers, progress):
    """Yield the spectra of one depth after the other."""
    import pyprop8
    from tqdm import tqdm

    units = np.zeros((6, 3, 3))
    for k, (i, j) in enumerate([(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]):
        units[k, i, j] = units[k, j, i] = 1
    structure = pyprop8.LayeredStructureModel(layers)
    line = pyprop8.ListOfReceivers(distances, np.zeros(len(distances)))
    omega, _ = frequencies()
    phase = np.exp(1j * np.outer(distances, omega) / REDUCING)
    for depth in tqdm(depths, "Green's functions", unit="depth", disable=not progress):
        source = pyprop8.PointSource(0.0, 0.0, depth, units, np.zeros((6, 3, 1)), 0)
        # a wavenumber of 10 / depth decays by e^-10 on its way up
        numbers = {"kmin": 0, "kmax": max(1.2, 10 / depth), "nk": 800}
        velocity = pyprop8.compute_spectra(
            structure, source, line, omega, show_progress=False, stencil_kwargs=numbers
        )
        # km per 1e18 N m, for layers in km, km/s, g/cm^3
        displacement = 1e-15 * velocity / (1j * omega)
        yield (displacement * phase[:, None]).swapaxes(0, 1)


def _place(values, grid):
    """Index of the grid point below, and the way to the next one, 0 to 1."""
    position = (values - grid[0]) / (grid[1] - grid[0])
    index = np.clip(position.astype(int), 0, len(grid) - 2)
    return index, np.clip(position - index, 0, 1)


def double_couple(strike, dip, rake):
    """Unit moment tensors rr, tt, zz, rt, rz, tz, (..., 6); angles in radians.

    Aki and Richards (2002), box 4.4, in a frame whose first axis points to the station:
    strike is counted from there, t is their -y and up their -z.
    """
    strike, dip, rake = np.broadcast_arrays(strike, dip, rake)
    sin, cos = np.sin(dip), np.cos(dip)
    sin2, cos2 = np.sin(2 * dip), np.cos(2 * dip)
    along, down = np.cos(rake), np.sin(rake)
    s, c = np.sin(strike), np.cos(strike)
    return np.stack(
        [
            -sin * along * 2 * s * c - sin2 * down * s**2,
            sin * along * 2 * s * c - sin2 * down * c**2,
            sin2 * down,
            -sin * along * (c**2 - s**2) - sin2 * down * s * c,
            cos * along * c + cos2 * down * s,
            -cos * along * s + cos2 * down * c,
        ],
        axis=-1,
    )


def auxiliary_strike(strike, cos_dip, rake):
    """Strike of the plane whose normal is the slip; radians, up to half a turn."""
    along, up_dip = np.cos(rake), np.sin(rake) * cos_dip
    north = along * np.cos(strike) + up_dip * np.sin(strike)
    east = along * np.sin(strike) - up_dip * np.cos(strike)
    return np.arctan2(-north, east)


def triangle(omega, half_duration):
    """Spectrum of a triangle that begins at time zero: a boxcar with itself."""
    phase = 1j * omega * half_duration[..., None]
    return ((1 - np.exp(-phase)) / phase) ** 2
