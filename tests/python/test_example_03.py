"""The example's program against the waves of a force in a homogeneous medium."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

SOURCE = Path(__file__).parents[2] / "examples" / "wave3d.f90"
VP, VS, DENSITY, WIDTH = 5500.0, 3200.0, 2700.0, 1.6
STEP, STEPS, CENTRE = 0.08, 150, 30
PLACES = np.array([[40, 30, 30], [38, 36, 30], [30, 30, 40], [36, 36, 36]])


def displacement(x, t, direction):
    """Of a Gaussian force of unit impulse at offsets x (Aki & Richards, eq. 4.23)."""

    def force(t):
        return np.exp(-(((t - 3 * WIDTH) / WIDTH) ** 2)) / (WIDTH * np.sqrt(np.pi))

    found = np.zeros((len(x), 3, len(t)))
    for u, offset in zip(found, x, strict=True):
        r = np.linalg.norm(offset)
        cosines, along = offset / r, np.eye(3)[direction]
        delays = np.linspace(r / VP, r / VS, 200)[:, None]
        near = np.trapezoid(delays * force(t - delays), delays, axis=0)
        both = np.outer(cosines * cosines[direction], np.ones_like(t))
        along = np.outer(along, np.ones_like(t))
        u[:] = (3 * both - along) * near / r**3
        u += both * force(t - r / VP) / (VP**2 * r)
        u -= (both - along) * force(t - r / VS) / (VS**2 * r)
    return found / (4 * np.pi * DENSITY)


def strain_rate(x, t, direction):
    gradient = np.empty((len(x), 3, 3, len(t)))
    for j, shift in enumerate(50 * np.eye(3)):
        ends = (displacement(x + s * shift, t, direction) for s in (1, -1))
        gradient[:, :, j] = np.subtract(*ends) / 100
    strain = (gradient + gradient.transpose(0, 2, 1, 3)) / 2
    rate = np.gradient(strain, t[1] - t[0], axis=-1)
    i, j = [0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]
    return rate[:, i, j].transpose(2, 0, 1)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    compiler = shutil.which("gfortran")
    if compiler is None:
        pytest.skip("no gfortran")
    path = tmp_path_factory.mktemp("wave3d") / "wave3d"
    subprocess.run([compiler, "-O3", SOURCE, "-o", path], check=True)
    return path


def run(program, direction, **settings):
    values = {
        "n": "3*60", "spacing": 1000, "step": STEP, "steps": STEPS, "every": 1,
        "width": WIDTH, "source": f"3*{CENTRE}", "direction": direction + 1,
        "n_points": len(PLACES), "points": " ".join(map(str, PLACES.ravel())),
        "free_surface": "f", "vp": VP, "vs": VS, "density": DENSITY,
    } | settings  # fmt: skip
    text = "&run " + " ".join(f"{k}={v}" for k, v in values.items()) + " /\n"
    subprocess.run([program], input=text, text=True, check=True, cwd=program.parent)
    strains = np.fromfile(program.parent / "strain.bin", np.float32)
    return strains.reshape(values["steps"], -1, 6)


@pytest.mark.parametrize("direction", [0, 2])
def test_waves_of_a_force(program, direction):
    """Within the grid's dispersion: six points for the shortest waves."""
    t = (np.arange(1, STEPS + 1) - 0.5) * STEP  # velocities lie between the steps
    expected = strain_rate(1000.0 * (PLACES - CENTRE), t, direction)
    errors = run(program, direction) - expected
    size = np.sqrt((expected**2).sum(axis=(0, 2)))
    assert (np.sqrt((errors**2).sum(axis=(0, 2))) < 0.08 * size).all()


def test_directions_are_alike(program):
    """Turning force and places by a quarter turns the strains."""
    turned = PLACES[:, [1, 0, 2]]
    points = " ".join(map(str, turned.ravel()))
    x, y = run(program, 0), run(program, 1, points=points)
    swapped = y[..., [1, 0, 2, 3, 5, 4]]
    assert np.abs(swapped - x).max() < 1e-4 * np.abs(x).max()


def test_the_edges_absorb(program):
    """What comes back from them is small beside what went by."""
    found = np.abs(run(program, 0, steps=350)).max(axis=(1, 2))
    assert found[220:].max() < 0.03 * found.max()


def test_the_free_surface_doubles(program):
    """A vertical force on it sends twice the P wave straight down, far from it."""
    peaks = []
    for top, surface in ((1, "t"), (14, "f")):
        found = run(
            program, 2, n="60,60,74", width=0.8, n_points=1, free_surface=surface,
            source=f"30 30 {top}", points=f"30 30 {top + 45}",
        )  # fmt: skip
        peaks.append(np.abs(found[..., 2]).max())
    assert abs(peaks[0] / peaks[1] - 2) < 0.05


def test_the_static_displacement_of_an_earthquake(program):
    """What a moment at a place leaves at the force's (Aki & Richards, eq. 4.34).

    By reciprocity the strain rate is the acceleration by a moment whose rate is a
    Gaussian of unit area; summed twice it is the displacement.
    """
    found = run(program, 0, steps=STEPS + 40)
    moved = 2 * np.cumsum(np.cumsum(found[..., 3], axis=0), axis=0)[-1] * STEP**2
    offset = 1000.0 * (CENTRE - PLACES)
    r = np.linalg.norm(offset, axis=1)
    x, y, z = offset.T / r
    along = 2 * x * y * x  # of the radial displacement, sin 2 theta cos phi
    across = y - along  # cos 2 theta cos phi theta - cos theta sin phi phi
    expected = (9 * along - 6 * across) / 2 * (VS**-2 - VP**-2)
    expected += (4 * along - 2 * across) / VP**2 + 3 * (across - along) / VS**2
    expected /= 4 * np.pi * DENSITY * r**2
    np.testing.assert_allclose(moved, expected, atol=0.08 * np.abs(expected).max())
