"""Toroidal modes of the example against the exact ones of a uniform shell, and PREM."""

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import spherical_jn, spherical_yn
from toroidal import EDGES, Earth, gauss_lobatto, prem_earth, toroidal_periods

DATA = Path(__file__).parents[2] / "examples" / "data" / "toroidal_periods.csv"


def traction(function, degree, x):
    """Proportional to r W' - W for W = function(degree, x), x = omega r / v."""
    return (degree - 1) * function(degree, x) - x * function(degree + 1, x)


def exact_periods(degree, n_modes, inner, outer, velocity):
    """Of a uniform shell without tractions: zeros of a determinant."""

    def determinant(omega):
        a, b = omega * inner / velocity, omega * outer / velocity
        return traction(spherical_jn, degree, a) * traction(
            spherical_yn, degree, b
        ) - traction(spherical_jn, degree, b) * traction(spherical_yn, degree, a)

    omega = np.linspace(5e-4, 0.03, 4000)
    values = determinant(omega)
    change = np.flatnonzero(values[1:] * values[:-1] < 0)[:n_modes]
    return [2 * np.pi / brentq(determinant, *omega[k : k + 2]) for k in change]


@pytest.mark.parametrize("degree", [2, 5, 10])
def test_uniform_shell(degree):
    radius = prem_earth().radius
    ones = np.ones_like(radius)
    shell = Earth(radius, 4.5 * ones, 6.0 * ones, 6.0 * ones, 1e12 * ones)
    modes = [(n, degree) for n in range(4)]
    exact = exact_periods(degree, 4, EDGES[0], EDGES[-1], 6.0)
    np.testing.assert_allclose(toroidal_periods(shell, modes)[0], exact, rtol=1e-6)


def test_dispersion_of_a_uniform_shell():
    """A mode of period T has the elastic period divided by 1 - ln T / (pi Q)."""
    radius = prem_earth().radius
    ones = np.ones_like(radius)
    modes = [(0, 2), (1, 5), (3, 10)]
    elastic, real = (
        toroidal_periods(
            Earth(radius, 4.5 * ones, 6.0 * ones, 6.0 * ones, quality * ones), modes
        )[0]
        for quality in (1e12, 200.0)
    )
    expected = elastic / (1 - np.log(elastic) / (np.pi * 200))
    np.testing.assert_allclose(real, expected, rtol=2e-4)  # of second order


def test_prem_gives_the_observed_periods():
    lines = [line for line in DATA.read_text().splitlines() if line[0].isdigit()]
    table = np.array([line.split(",") for line in lines], dtype=float)
    modes = table[:, :2].astype(int)
    earth = prem_earth()
    periods = toroidal_periods(earth, modes)[0]
    np.testing.assert_allclose(periods, table[:, 2], rtol=1.5e-3)
    rms = np.sqrt(np.mean((periods / table[:, 2] - 1) ** 2))
    assert 0.0007 < rms < 0.0008  # the model error of the example is taken from it
    # without attenuation the Earth would be too stiff by far
    earth.quality[:] = 1e12
    short = toroidal_periods(earth, modes)[0] / table[:, 2] - 1
    assert (short < -0.006).all() and (short > -0.012).all()


def test_edges_may_move():
    """Two models at once, the one with a shallower 660, are what each is alone."""
    moved = EDGES.copy()
    moved[5] += 20.0
    modes = [(0, 2), (2, 8)]
    both = toroidal_periods(prem_earth(np.array([EDGES, moved])), modes)
    np.testing.assert_allclose(
        both[0], toroidal_periods(prem_earth(), modes)[0], rtol=1e-9
    )
    assert (both[1] < both[0]).all()  # more of the stiff lower mantle


def test_quadrature():
    points, weights, derivative = gauss_lobatto(5)
    for power in range(10):  # exact up to 2 n - 1
        expected = (1 - (-1) ** (power + 1)) / (power + 1)
        np.testing.assert_allclose(weights @ points**power, expected, atol=1e-13)
    np.testing.assert_allclose(derivative @ points**5, 5 * points**4, atol=1e-12)
