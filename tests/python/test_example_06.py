"""The convection code against closed forms and the community's benchmark."""

import importlib

import numpy as np
import pytest
from convection import Box

MANTLE = importlib.import_module("06_mantle_convection")


def wave(box, k=1, m=1):
    return np.outer(np.sin(m * np.pi * box.z), np.cos(k * np.pi * box.x / box.width))


def test_conduction():
    box = Box(width=1.5, nx=12, nz=16)
    theta = box.evolve(wave(box, 2, 3), 0.0, time=0.01)
    # the top row of temperature is advected by nothing: pure decay
    rate = (2 * np.pi / 1.5) ** 2 + (3 * np.pi) ** 2
    np.testing.assert_allclose(
        theta, np.exp(-0.01 * rate) * wave(box, 2, 3), atol=1e-12
    )


def test_heating_from_within():
    box = Box(nx=4, nz=96)
    theta = box.evolve(0 * wave(box), 0.0, heating=8.0, time=3.0)
    expected = 4 * box.z * (1 - box.z)
    # a constant has sines that fall as 1/m; the highest third is left out
    np.testing.assert_allclose(theta[:, 0], expected, atol=2e-4)
    assert box.nusselt(theta) == pytest.approx(1 + 8 / 2, rel=0.01)


@pytest.mark.parametrize("rayleigh", [300.0, 657.5, 2000.0])
def test_growth_of_small_waves(rayleigh):
    """Rayleigh (1916): Ra k^2 / (k^2 + pi^2)^2 - (k^2 + pi^2), free boundaries."""
    box, tiny, time = Box(width=np.sqrt(2), nx=8, nz=8), 1e-6, 0.02
    square = 1.5 * np.pi**2
    rate = rayleigh * 0.5 * np.pi**2 / square**2 - square
    theta = box.evolve(tiny * wave(box), rayleigh, time=time, courant=0.05)
    found = np.log(np.abs(theta).max() / tiny) / time
    assert found == pytest.approx(rate, abs=0.02 * square)


def test_flow_keeps_its_volume_and_obeys_stokes():
    box, rayleigh = Box(width=2.0, nx=32, nz=32), 1000.0
    u, w = box.velocity(box.to_waves(wave(box, 2, 1)), rayleigh)
    k, m = np.pi, np.pi
    up = rayleigh * k**2 / (k**2 + m**2) ** 2
    np.testing.assert_allclose(w, up * wave(box, 2, 1), atol=1e-9 * up)
    along = -up * np.outer(np.cos(m * box.z), np.sin(k * box.x)) * m / k
    np.testing.assert_allclose(u, along, atol=1e-9 * up)


def test_benchmark():
    nusselt, speed = MANTLE.benchmark()
    assert nusselt == pytest.approx(MANTLE.NUSSELT, rel=0.005)
    assert speed == pytest.approx(MANTLE.SPEED, rel=0.005)


def test_spectrum_sees_waves_and_not_the_mean():
    encoder, n_points = MANTLE.Spectrum(), MANTLE.BOX.nx + 1
    x = np.arange(n_points) / MANTLE.BOX.nx
    fields = np.zeros((2, len(MANTLE.LEVELS), n_points))
    fields[0, 4] = np.cos(7 * np.pi * x)
    fields[1] = fields[0] + np.linspace(0, 1, len(MANTLE.LEVELS))[:, None]
    power = encoder._power(fields.reshape(2, -1)).reshape(2, len(MANTLE.LEVELS), -1)
    assert np.abs(power[0] - power[1]).max() < 1e-9
    other = np.delete(power[0, 4], 6)
    assert power[0, 4, 6] - other.max() > 5
    assert (power[0, [3, 5]] == power[0, 0, 0]).all()


def test_runs_repeat():
    model = np.array([4.4, 3.0, -2.0, 0.5])
    one, other = (MANTLE.forward(model, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert one.min() > -0.2
    assert one.max() < 1.3
