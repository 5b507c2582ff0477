"""Thermal convection in a two-dimensional box, as in a mantle of constant viscosity.

Infinite Prandtl number, Boussinesq; lengths in depths of the box, times in diffusion
times, temperatures in their difference from top (0) to bottom (1); free-slip walls,
no heat through the sides. With T = 1 - z + theta:

    del^4 psi = -Ra d theta/dx,   u = -d psi/dz,   w = d psi/dx
    d theta/dt = del^2 theta + H - u . grad T

All of it is diagonal in sines and cosines, which obey the boundary conditions; products
are made on the grid (Canuto et al. 2006, Spectral Methods, chapter 3).
"""

import numpy as np
from scipy.fft import dct, dst, idct, idst


class Box:
    """A box of unit depth: nz + 1 by nx + 1 points, of which z = 0 and 1 are known."""

    def __init__(self, width=1.0, nx=48, nz=48):
        self.width, self.nx, self.nz = width, nx, nz
        self.x, self.z = np.linspace(0, width, nx + 1), np.linspace(0, 1, nz + 1)
        self.k = np.pi / width * np.arange(nx + 1)
        self.m = np.pi * np.arange(nz + 1)[:, None]
        self.square = self.k**2 + self.m**2
        self.square[0, 0] = 1  # no such term: there is no sine of zero
        # a product of two waves has up to twice their wavenumbers: the upper third of
        # all is left out, so that none comes back as another
        self.kept = (np.arange(nx + 1) <= 2 * nx / 3) & (
            np.arange(nz + 1) <= 2 * nz / 3
        )[:, None]

    def to_waves(self, theta):
        """Coefficients of sines in z and cosines in x, (nz + 1, nx + 1)."""
        waves = np.zeros((self.nz + 1, self.nx + 1))
        waves[1:-1] = dst(dct(theta[1:-1], 1, axis=1), 1, axis=0)
        return waves * self.kept

    def to_grid(self, waves, z="sin", x="cos"):
        """Values at the points of a series in sines or cosines of z and x."""
        for axis, kind in ((0, z), (1, x)):
            if kind == "cos":
                waves = idct(waves, 1, axis=axis)
            else:
                inside = (slice(1, -1), slice(None))[:: 1 - 2 * axis]
                series, waves = waves, np.zeros_like(waves)
                waves[inside] = idst(series[inside], 1, axis=axis)
        return waves

    def velocity(self, waves, rayleigh):
        """u and w at the points."""
        psi = rayleigh * self.k * waves / self.square**2  # sines in both
        u = self.to_grid(-self.m * psi, "cos", "sin")
        return u, self.to_grid(self.k * psi, "sin", "cos")

    def advection(self, waves, rayleigh):
        """-u . grad T in waves, and the largest of |u|/dx + |w|/dz."""
        u, w = self.velocity(waves, rayleigh)
        along = self.to_grid(-self.k * waves, "sin", "sin")
        down = self.to_grid(self.m * waves, "cos", "cos") - 1
        fastest = (np.abs(u) * self.nx / self.width + np.abs(w) * self.nz).max()
        return self.to_waves(-u * along - w * down), fastest

    def evolve(self, theta, rayleigh, heating=0.0, time=0.1, courant=0.3):
        """Give theta after some time.

        Adams-Bashforth of second order for advection; diffusion and heating exact.
        """
        waves, source = self.to_waves(theta), self.to_waves(heating + 0 * theta)
        growth = rayleigh * (self.k / self.square)[1:].max() ** 2  # of small waves
        old, step_before, now = None, None, 0.0
        while now < time:
            new, fastest = self.advection(waves, rayleigh)
            new += source
            step = min(courant / max(fastest, growth, 30.0), time - now)
            decay = np.exp(-self.square * step)
            change = new
            if old is not None:
                ratio = 0.5 * step / step_before
                change = (1 + ratio) * new - ratio * old
            # exact for what is constant over the step
            waves = decay * waves + (1 - decay) / self.square * change
            old, step_before, now = new, step, now + step
        return self.to_grid(waves)

    def temperature(self, theta):
        return theta + 1 - self.z[:, None]

    def nusselt(self, theta):
        """Mean heat flux through the top, in units of that by conduction alone."""
        flux = (self.m * self.to_waves(theta))[:, 0] @ (-1.0) ** np.arange(self.nz + 1)
        # idst and idct of scipy: the series with weights 1 / nz and 1 / (2 nx)
        return 1 - flux / (2 * self.nx * self.nz)

    def speed(self, theta, rayleigh):
        """Root of the mean square of the velocity."""
        u, w = self.velocity(self.to_waves(theta), rayleigh)
        mean = np.trapezoid(np.trapezoid(u**2 + w**2, self.x, axis=1), self.z)
        return np.sqrt(mean / self.width)
