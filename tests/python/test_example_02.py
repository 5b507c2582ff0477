"""Waveforms in a layered Earth against other ways to compute them."""

import numpy as np
import okada
import pytest
from layered_earth import (
    SHIFT,
    Greens,
    auxiliary_strike,
    double_couple,
    frequencies,
    triangle,
)
from waveforms_model import (
    EAST,
    MODEL_ERROR,
    N_POINTS,
    NAMES,
    PRIOR,
    SD,
    Forward,
    averages,
    noise,
    window,
)

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


def test_auxiliary_plane():
    """A tensor does not tell the normal from the slip, (1, 2) of its axes."""
    values, axes = np.linalg.eigh(fault_tensor(STRIKE, DIP, RAKE))
    np.testing.assert_allclose(values, [-1, 0, 1], atol=1e-12)
    pressure, tension = axes[:, 0], axes[:, 2]
    strikes = {
        round(np.degrees(np.arctan2(-n[0], n[1])) % 180, 6)
        for n in (tension + pressure, tension - pressure)
    }
    other = auxiliary_strike(STRIKE, np.cos(DIP), RAKE)
    found = {round(np.degrees(one) % 180, 6) for one in (STRIKE, other)}
    assert found == strikes


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


@pytest.fixture(scope="module")
def rupture():
    """Data of an earthquake of Mw 7 in a row to the north, with changes to it."""
    pytest.importorskip("pyprop8")
    forward = object.__new__(Forward)
    forward.greens = Greens.compute(
        np.array([8.0, 10.0]), np.arange(1.0, 280.0, 9), progress=False
    )
    usual = {
        "east": 0.0, "north": -20.0, "depth": 9.0, "magnitude": 7.0, "strike": 0.0,
        "rake": 10.0, "cos_dip": 0.1, "duration": 1.0, "delay": 0.0,
        "length_excess": 0.0, "start": 0.0, "speed": 2.6, "plane": 0.2,
    }  # fmt: skip

    def compute(slip=None, **changes):
        model = np.array([[{**usual, **changes}[name] for name in PRIOR.names]])
        data = forward.data(model, slip=None if slip is None else np.array([slip]))
        return data.reshape(len(EAST), 3, -1)

    return compute


def test_a_short_row_is_a_point(rupture):
    point = rupture(length_excess=-6.0)
    for changes in ({"start": 1.0}, {"speed": 3.2}, {"plane": 0.9}):
        found = rupture(length_excess=-6.0, **changes)
        np.testing.assert_allclose(found, point, atol=1e-4 * np.abs(point).max())
    # all the moment in one place takes longer, and leaves as much in the end
    uneven = np.where(np.arange(N_POINTS) == 1, 0.996, 0.001)
    one = rupture(uneven, length_excess=-6.0)
    late = np.abs(one - point)[..., -3:].max() / np.abs(point[..., -3:]).max()
    assert late < 0.05 < np.abs(one - point).max() / np.abs(point).max()


def test_a_rupture_to_the_north_is_stronger_there(rupture):
    """Its waves pile up, in the order of the stations' azimuths."""
    towards, away = (np.ptp(rupture(start=s), axis=-1).max(axis=1) for s in (0.0, 1.0))
    north = [NAMES.index(name) for name in ("P501", "P509", "P497")]
    assert (towards[north] > 1.2 * away[north]).all()


def test_noise_is_what_the_page_says():
    n, step = 4000, 10
    clean = np.tile(np.repeat([0.0, 1e3], step), (n, len(NAMES) * 3))
    found = noise(np.random.default_rng(1), clean).reshape(n, len(NAMES), 3, 2 * step)
    error = 4 / np.sqrt(2 * n * len(NAMES))
    np.testing.assert_allclose(found[..., 0].std(axis=(0, 1)), SD, rtol=error)
    # nothing of the late waves comes before their time, and nothing of them stays
    np.testing.assert_allclose(found[..., step], found[..., step + 7], atol=0.1)
    late = found[..., step + 4] / found[..., step] - 1
    # they begin after 1 to 4 samples and end 1 to 3 later: 6 cases of 12 are there
    assert np.mean(late**2) == pytest.approx(0.5, abs=4 / np.sqrt(late.size))
    log = np.log(found[..., step] / 1e3).reshape(n, -1)
    covariance = np.cov(log.T) / MODEL_ERROR**2
    station = np.kron(np.eye(len(NAMES)), np.ones((3, 3)))
    expected = np.eye(len(station)) + station + 1
    # the worst of 465; 3 * sqrt(2 / n) is the largest standard deviation
    np.testing.assert_allclose(covariance, expected, atol=5 * 3 * np.sqrt(2 / n))
