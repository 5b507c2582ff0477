"""Periods of toroidal free oscillations, by spectral elements along the radius.

A mode of degree l with displacement W(r) makes stationary (Dahlen & Tromp 1998, 8.6)

    omega^2 int rho r^2 W^2 dr = int [ L (r W' - W)^2 + (l - 1)(l + 2) N W^2 ] dr

over the mantle and crust, L = rho v_SV^2 and N = rho v_SH^2. Elements end where the
Earth's properties jump; in each W is a polynomial through Gauss-Lobatto points.
"""

from dataclasses import dataclass

import numpy as np
from earth_models import DENSITY, EARTH_RADIUS, PREM, V_SH, V_SV
from numpy.polynomial import Legendre, Polynomial

DEGREE = 5  # of the polynomials
REFERENCE_PERIOD = 1.0  # s: PREM's velocities are those of waves of this period
BAND_PERIOD = 600.0  # s: amid the modes

# Regions of PREM, the long ones cut where nothing jumps.
CUTS = 4300.0, 4950.0
EDGES = np.unique([*(row[0] for row in PREM), PREM[-1][1], *CUTS])
REGION = [next(row for row in PREM if inner < row[1]) for inner in EDGES[:-1]]
EDGE_660 = int(np.searchsorted(EDGES, 5701.0))


def gauss_lobatto(degree):
    """Points on [-1, 1], weights, and the matrix that differentiates at the points."""
    legendre = Legendre.basis(degree)
    points = np.concatenate([[-1], np.sort(legendre.deriv().roots().real), [1]])
    value = legendre(points)
    weights = 2 / (degree * (degree + 1) * value**2)
    difference = points[:, None] - points + np.eye(degree + 1)
    derivative = value[:, None] / value / difference - np.eye(degree + 1)
    derivative[0, 0] = -degree * (degree + 1) / 4
    derivative[-1, -1] = degree * (degree + 1) / 4
    return points, weights, derivative


POINTS, WEIGHTS, DERIVATIVE = gauss_lobatto(DEGREE)


@dataclass
class Earth:
    """Models at the points of their elements, (n_models, n_elements, n_points) each."""

    radius: np.ndarray  # km
    density: np.ndarray  # g/cm^3
    v_sv: np.ndarray  # km/s at a period of REFERENCE_PERIOD
    v_sh: np.ndarray
    quality: np.ndarray  # of shear


def prem_earth(edges=EDGES):
    """PREM; edges (n_models, n_elements + 1) in km may be elsewhere than its own."""
    edges = np.atleast_2d(edges)[:, :, None]
    radius = 0.5 * (edges[:, 1:] * (1 + POINTS) + edges[:, :-1] * (1 - POINTS))
    density, v_sv, v_sh = (
        np.stack(
            [
                Polynomial(row[column])(radius[:, i] / EARTH_RADIUS)
                for i, row in enumerate(REGION)
            ],
            axis=1,
        )
        for column in (DENSITY, V_SV, V_SH)
    )
    quality = np.array([float(row[-1]) for row in REGION])[:, None] + 0 * radius
    return Earth(radius, density, v_sv, v_sh, quality)


def toroidal_periods(earth, modes):
    """Periods of modes.

    Parameters
    ----------
    earth : Earth
    modes : (n_modes, 2) array of int
        Overtone n and degree l of each.

    Returns
    -------
    (n_models, n_modes) array
        Seconds, with anelastic dispersion v ~ 1 + ln(omega) / (pi Q) (Kanamori &
        Anderson 1977, Rev. Geophys. 15:105).
    """
    modes = np.asarray(modes)
    # velocities within the band; from there to each mode's own period to first order
    slower = 1 - np.log(BAND_PERIOD / REFERENCE_PERIOD) / (np.pi * earth.quality)
    across = earth.density * (earth.v_sv * slower) ** 2
    along = earth.density * (earth.v_sh * slower) ** 2
    r = earth.radius
    jacobian = 0.5 * (r[..., -1:] - r[..., :1])
    weight = WEIGHTS * jacobian
    strain = r[..., None] * DERIVATIVE / jacobian[..., None] - np.eye(DEGREE + 1)
    shear = np.einsum("...k,...ki,...kj->...ij", weight * across, strain, strain)
    mass = _add_elements(weight * earth.density * r**2)
    stretch = _add_elements(weight * along)
    scale = 1 / np.sqrt(mass)
    matrix = scale[:, :, None] * _add_elements(shear) * scale[:, None, :]
    periods = np.empty((len(r), len(modes)))
    diagonal = np.arange(mass.shape[1])
    for degree in np.unique(modes[:, 1]):
        both = matrix.copy()
        factor = (degree - 1) * (degree + 2)
        both[:, diagonal, diagonal] += factor * stretch / mass
        squares, vectors = np.linalg.eigh(both)
        for column in np.flatnonzero(modes[:, 1] == degree):
            k = modes[column, 0]
            omega = np.sqrt(squares[:, k])
            w = _cut(scale * vectors[:, :, k], r.shape[1])
            twist = np.einsum("...ki,...i->...k", strain, w)
            energy = weight * (across * twist**2 + factor * along * w**2)
            loss = (energy / earth.quality).sum((1, 2)) / energy.sum((1, 2))
            elastic = 2 * np.pi / omega
            faster = np.log(BAND_PERIOD / elastic) * loss / np.pi
            periods[:, column] = elastic / (1 + faster)
    return periods


def _add_elements(parts):
    """Sum what neighbours share: (n, n_elements, p[, p]) to (n, n_nodes[, n_nodes])."""
    n, n_elements = parts.shape[:2]
    total = np.zeros((n, *(n_elements * DEGREE + 1,) * (parts.ndim - 2)))
    for i in range(n_elements):
        here = slice(i * DEGREE, (i + 1) * DEGREE + 1)
        total[(slice(None), *(here,) * (parts.ndim - 2))] += parts[:, i]
    return total


def _cut(nodes, n_elements):
    """Values at the nodes as values at the points of each element."""
    starts = DEGREE * np.arange(n_elements)[:, None]
    return nodes[:, starts + np.arange(DEGREE + 1)]
