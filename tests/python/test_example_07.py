"""The equation of state of the example, against independent values and identities."""

from pathlib import Path

import numpy as np
import pytest
from mie_grueneisen_debye import BOLTZMANN, N_ATOMS, debye, isotherm, pressure
from scipy.integrate import quad

MODEL = np.array([162.12, 262.3, 4.044, 1.675, 1.39])


def thermal_energy(theta, kelvin):
    """Of a unit cell, GPa Angstrom^3, from the density of states of Debye."""
    integral = quad(lambda t: t**3 / np.expm1(t), 0, theta / kelvin)[0]
    return 9 * N_ATOMS * BOLTZMANN * kelvin * (kelvin / theta) ** 3 * integral


@pytest.mark.parametrize("x", [1e-6, 0.1, 1.0, 4.0, 12.0])
def test_debye_is_its_integral(x):
    value = 3 / x**3 * quad(lambda t: t**3 / np.expm1(t), 0, x, epsabs=0)[0]
    assert debye(x) == pytest.approx(value, rel=1e-8)


def test_cold_curve_has_the_parameters_it_is_given():
    """P(V0) = 0, -V dP/dV = K0 and dK/dP = K0' at 300 K, by finite differences."""
    step = 1e-3
    volume = MODEL[0] + step * np.arange(-2, 3)
    p = pressure(volume, 300.0, MODEL)
    modulus = -volume[1:-1] * (p[2:] - p[:-2]) / (2 * step)
    assert p[2] == pytest.approx(0, abs=1e-9)
    assert modulus[1] == pytest.approx(262.3, rel=1e-8)
    slope = (modulus[2] - modulus[0]) / (p[3] - p[1])
    assert slope == pytest.approx(4.044, rel=1e-5)


@pytest.mark.parametrize("q", [1.39, 0.0, -0.7])
def test_thermal_pressure_is_that_of_debye_oscillators(q):
    """Gamma/V times their energy, with gamma = -dln theta/dlnV."""
    model = MODEL.copy()
    model[-1] = q
    volume, kelvin, step = 135.0, 1800.0, 1e-4

    def theta(v):
        x = v / model[0]
        exponent = -model[3] * np.log(x) if q == 0 else model[3] * (1 - x**q) / q
        return 1000.0 * np.exp(exponent)

    gamma = -volume * np.log(theta(volume + step) / theta(volume - step)) / (2 * step)
    heat = thermal_energy(theta(volume), kelvin) - thermal_energy(theta(volume), 300.0)
    hot = pressure(np.array([volume]), kelvin, model)
    cold = pressure(np.array([volume]), 300.0, model)
    assert hot - cold == pytest.approx(gamma / volume * heat, rel=1e-6)


def test_published_parameters_explain_the_measurements():
    """Wolf et al. (2015) fitted these 42 pressures: chi2 per datum is about one."""
    table = Path(__file__).parents[2] / "examples/data/bridgmanite.csv"
    _, kelvin, volume, measured, sd = np.loadtxt(table, delimiter=",", skiprows=6).T
    misfit = ((pressure(volume, kelvin, MODEL) - measured) / sd) ** 2
    assert len(sd) == 42 and 0.5 < misfit.mean() < 1.5


def test_isotherms_agree_with_gruneisens_relation():
    """gamma = V alpha K / C_V, with C_V from the energy."""
    p, kelvin = np.array([25.0, 80.0, 130.0]), 1500.0
    volume, modulus, expansion = isotherm(p, kelvin, MODEL)
    assert pressure(volume, kelvin, MODEL) == pytest.approx(p, abs=2e-3)
    for v, k, alpha in zip(volume, modulus, expansion, strict=True):
        gamma = 1.675 * (v / 162.12) ** 1.39
        theta = 1000 * np.exp((1.675 - gamma) / 1.39)
        warm, cool = (thermal_energy(theta, kelvin + one) for one in (1, -1))
        assert v * alpha * k == pytest.approx(gamma * (warm - cool) / 2, rel=1e-4)
    many = isotherm(p, kelvin, np.stack([MODEL, MODEL]))
    assert all(one.shape == (2, 3) for one in many)
    assert np.array_equal(many[1][1], modulus)
