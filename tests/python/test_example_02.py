"""Waveforms in a layered Earth against other ways to compute them."""

import numpy as np
import okada
import pytest
from layered_earth import SHIFT, Greens, double_couple, frequencies, triangle
from waveforms_model import EAST, MODEL_ERROR, NAMES, SD, averages, noise, window

HALF_SPACE = [(np.inf, 6.0, 6.0 / np.sqrt(3), 2.7)]
RIGIDITY = 2700 * 6000**2 / 3  # Pa
STRIKE, DIP, RAKE = np.radians([35.0, 62.0, -140.0])


def fault_tensor(strike, dip, rake):
    """Slip and normal of a fault give its tensor; north, east, down."""
    normal = [-np.sin(dip) * np.sin(strike), np.sin(dip) * np.cos(strike), -np.cos(dip)]
    along = np.array([np.cos(strike), np.sin(strike), 0])
    up_dip = [np.cos(dip) * np.sin(strike), -np.cos(dip) * np.cos(strike), -np.sin(dip)]
    slip = np.cos(rake) * along + np.sin(rake) * np.array(up_dip)
    return np.outer(slip, normal) + np.outer(normal, slip)


@pytest.mark.parametrize("azimuth", [0.0, 70.0, 200.0])
def test_double_couple(azimuth):
    azimuth = np.radians(azimuth)
    got = double_couple(STRIKE - azimuth, DIP, RAKE)
    # to the station, counterclockwise from there, up; each as north, east, down
    radial = [np.cos(azimuth), np.sin(azimuth), 0]
    across = [np.sin(azimuth), -np.cos(azimuth), 0]
    axes = np.array([radial, across, [0, 0, -1]])
    tensor = axes @ fault_tensor(STRIKE, DIP, RAKE) @ axes.T
    expected = tensor[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    np.testing.assert_allclose(got, expected, atol=1e-14)


def test_triangle_is_its_transform():
    omega, half = frequencies()[0], 4.0
    t, dt = np.linspace(0, 2 * half, 4001, retstep=True)
    shape = (1 - np.abs(t / half - 1)) / half
    transform = (shape * np.exp(-1j * np.outer(omega, t))).sum(axis=1) * dt
    found = triangle(omega, np.array(half))
    np.testing.assert_allclose(found, transform, rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def half_space():
    pytest.importorskip("pyprop8")
    grid = np.array([8.0, 10.0]), np.arange(58.0, 71.0, 3)
    return Greens.compute(*grid, layers=HALF_SPACE, progress=False)


def records(greens, east, north, depth, half_duration=3.0):
    """East, north, up of a source at the origin with a moment of 1e19 N m."""
    omega, _ = frequencies()
    distance, azimuth = np.hypot(east, north), np.arctan2(east, north)
    tensor = 1e19 * double_couple(STRIKE - azimuth, DIP, RAKE)
    transfer = triangle(omega, np.array(half_duration))
    one = np.ones((1, 1))
    radial, across, up = greens.records(
        tensor[None, None], depth * one[0], distance * one, transfer[None, None]
    )[0, 0]
    sin, cos = np.sin(azimuth), np.cos(azimuth)
    return np.array([radial * sin - across * cos, radial * cos + across * sin, up])


def test_late_displacement_is_the_static_one():
    """Okada (1985) has the same half-space after all waves are gone.

    The surface wave of a buried source has a tail that fades with a power of time, so
    that the stations have to be near.
    """
    pytest.importorskip("pyprop8")
    grid = np.array([9.0, 10.0]), np.arange(19.0, 22.0)
    greens = Greens.compute(*grid, layers=HALF_SPACE, progress=False)
    size, depth, places = 0.1, 9.0, [(12.0, 16.0), (-16.0, 12.0)]
    static = okada.displacement(
        *np.transpose(places), up=True,
        **{name: np.atleast_1d(value) for name, value in {
            "x": 0.0, "y": 0.0, "top": depth - size / 2 * np.sin(DIP),
            "strike": np.degrees(STRIKE), "dip": np.degrees(DIP),
            "rake": np.degrees(RAKE), "length": size, "width": size,
            "slip": 1e19 / (RIGIDITY * size**2 * 1e6),
        }.items()},
    )[0]  # fmt: skip
    for station, place in enumerate(places):
        late = records(greens, *place, depth)[:, 60:90].mean(axis=1)
        scale = np.abs(static[:, station]).max()
        np.testing.assert_allclose(late, static[:, station], atol=0.01 * scale)


def test_nothing_moves_before_the_p_wave(half_space):
    found = np.abs(records(half_space, 40.0, 50.0, 9.0))
    arrival = np.hypot(64.0, 9.0) / 6.0  # 10.8 s
    # the low-pass filter rings a little ahead
    assert found[:, : int(arrival) - 3].max() < 0.02 * found.max()
    s_wave = int(np.sqrt(3) * arrival)
    assert found[:, s_wave : s_wave + 8].max() > 0.9 * found.max()


def test_between_the_points_of_the_grid(half_space):
    """The same source computed for its own depth and distance."""
    grid = np.array([9.0, 10.0]), np.array([64.5, 67.5])
    own = Greens.compute(*grid, layers=HALF_SPACE, progress=False)
    azimuth = np.radians(25.0)
    place = 64.5 * np.sin(azimuth), 64.5 * np.cos(azimuth), 9.0
    exact = records(own, *place)
    found = records(half_space, *place)
    assert np.abs(found - exact).max() < 0.03 * np.abs(exact).max()


def test_cache(tmp_path, half_space):
    file = tmp_path / "greens.npz"
    grid = np.array([8.0, 10.0]), np.array([58.0, 61.0])
    first = Greens.compute(*grid, layers=HALF_SPACE, cache=file, progress=False)
    again = Greens.compute(*grid, layers=HALF_SPACE, cache=file, progress=False)
    np.testing.assert_array_equal(first.spectra, again.spectra)
    np.testing.assert_allclose(
        first.spectra, half_space.spectra[:, :2], rtol=1e-9, atol=1e-30
    )
    with pytest.raises(ValueError, match="another grid"):
        Greens.compute(grid[0] + 1, grid[1], cache=file)


def test_wrapping_is_small():
    assert np.exp(-SHIFT * 128) == pytest.approx(1e-3)


def test_windows_hold_what_has_come_in():
    time = np.tile(np.arange(1.0, 61), (1, len(EAST), 3, 1))
    data = averages(time)
    assert data.shape == (1, len(EAST) * 3 * 20)
    early = window(data, 9).reshape(len(EAST), 3, 3)
    np.testing.assert_array_equal(early, np.broadcast_to([2.0, 5.0, 8.0], early.shape))


def test_noise_is_what_the_page_says():
    n = 4000
    clean = np.tile(np.array([0.0, 1.0]), (n, len(NAMES) * 3))
    found = noise(np.random.default_rng(1), clean).reshape(n, len(NAMES), 3, 2)
    quiet, loud = found[..., 0].std(axis=(0, 1)), found[..., 1].std(axis=(0, 1))
    error = 4 / np.sqrt(2 * n * len(NAMES))
    np.testing.assert_allclose(quiet, SD, rtol=error)
    log_normal = np.exp(MODEL_ERROR**2 / 2) * np.sqrt(np.exp(MODEL_ERROR**2) - 1)
    np.testing.assert_allclose(loud, np.hypot(log_normal, SD), rtol=2 * error)
