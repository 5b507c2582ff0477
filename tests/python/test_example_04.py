"""Travel times of the examples against published tables and exact formulas."""

import numpy as np
import pytest
from earth_models import AK135, EARTH_RADIUS, V_P, V_SH, V_SV, prem
from tau_p import delay_times, first_arrivals, travel_time_table, with_source
from travel_times_model import (
    IN_AK135,
    LAYERS,
    SPITAK,
    WANTED,
    Residuals,
    travel_times,
)

# First P and S of the ak135 tables (Kennett 2005, Seismological Tables: ak135), seconds
# at 0, 15 and 35 km depth; degrees from the source.
P_TABLE = {
    1: (19.17, 19.01, 17.51), 2: (35.03, 33.23, 31.27), 5: (76.27, 74.47, 72.51),
    10: (144.90, 143.09, 141.12), 15: (213.23, 211.41, 209.32),
    20: (274.10, 271.97, 269.49), 25: (325.43, 323.15, 320.44),
    30: (370.27, 367.98, 365.24), 45: (497.10, 494.75, 491.93),
    60: (608.34, 605.93, 603.01), 75: (703.22, 700.75, 697.76),
    90: (781.40, 778.89, 775.83), 98: (818.11, 815.60, 812.53),
}  # fmt: skip
S_TABLE = {
    1: (32.14, 31.98, 30.38), 2: (60.75, 57.98, 55.06), 5: (134.76, 131.99, 129.06),
    10: (257.80, 255.01, 252.05), 15: (380.08, 377.25, 374.24),
    20: (499.77, 496.38, 492.44), 30: (669.14, 665.36, 660.83),
    60: (1101.89, 1097.91, 1093.11), 90: (1435.44, 1431.29, 1426.22),
}  # fmt: skip


@pytest.mark.parametrize("phase, table", [("P", P_TABLE), ("S", S_TABLE)])
def test_published_times(phase, table):
    got = travel_time_table(np.radians(list(table)), [0.0, 15.0, 35.0], phase)
    np.testing.assert_allclose(got, list(table.values()), atol=0.1)


def test_published_times_of_many_models_at_once():
    distance = [k for k in P_TABLE if k >= 15]
    wanted = [(np.radians(distance), 0.0)]
    got = travel_times(np.zeros((2, len(LAYERS))), wanted)
    published = [P_TABLE[k][0] for k in distance]
    np.testing.assert_allclose(got, [published] * 2, atol=0.1)
    # beyond 98.4 degrees what is diffracted: the table's 4.45 s per degree
    late = travel_times(np.zeros((1, len(LAYERS))), [(np.radians([100, 102]), 0.0)])
    np.testing.assert_allclose(late, [[827.04, 835.93]], atol=0.1)


def test_homogeneous_sphere():
    """Rays are chords; the velocity is a r^0, so that the integral is exact."""
    depth = np.linspace(0, 6000, 7)
    velocity = np.array([[8.0] * 7, [5.0] * 7])
    slowness = np.linspace(400, 1274, 20_000)
    distance = np.radians([20.0, 50.0, 90.0])
    with_it, both, k = with_source(depth, velocity, 300.0)
    delay = delay_times(with_it, both, slowness)
    surface = first_arrivals(distance, slowness, 2 * delay[:, -1])
    chord = 2 * EARTH_RADIUS * np.sin(distance / 2)
    np.testing.assert_allclose(surface[0], chord / 8, rtol=1e-7)
    # from below: rays that turn, downward from the source
    radius, top = EARTH_RADIUS - 300.0, EARTH_RADIUS
    chord = np.sqrt(radius**2 + top**2 - 2 * radius * top * np.cos(distance))
    may = slowness < radius / 8.0
    downward = np.where(may, 2 * delay[:1, -1] - delay[:1, k], np.inf)
    got = first_arrivals(distance[1:], slowness, downward)
    np.testing.assert_allclose(got[0], chord[1:] / 8, rtol=1e-7)


def test_power_law_between_nodes_is_exact():
    """Nodes in the middle of v = a r^b change nothing."""
    radius = EARTH_RADIUS - np.array([0.0, 1500.0, 2891.0])
    slowness = np.linspace(300, 790, 50)
    law = 8 * (radius / EARTH_RADIUS) ** -0.6
    all_nodes = delay_times(EARTH_RADIUS - radius, law[None], slowness)[:, -1]
    ends = delay_times(EARTH_RADIUS - radius[::2], law[None, ::2], slowness)[:, -1]
    np.testing.assert_allclose(all_nodes, ends, rtol=1e-12)


def test_faster_everywhere_is_sooner_everywhere():
    slowness = np.linspace(250, 780, 3000)
    distance = np.radians(np.arange(20, 95, 5))
    one = delay_times(AK135[:, 0], AK135[None, :, 1], slowness)[:, -1]
    other = delay_times(AK135[:, 0], 1.02 * AK135[None, :, 1], slowness / 1.02)[:, -1]
    times = first_arrivals(distance, slowness, 2 * one)
    np.testing.assert_allclose(
        first_arrivals(distance, slowness / 1.02, 2 * other), times / 1.02, rtol=1e-12
    )


def test_layers_share_out_the_mantle():
    """A layer that is 1 % faster shortens the times of what passes it alone."""
    wanted = [(np.radians([30.0, 60.0, 95.0]), 0.0)]
    change = travel_times(np.eye(len(LAYERS)), wanted) - travel_times(
        np.zeros((1, len(LAYERS))), wanted
    )
    assert (change <= 1e-3).all()
    assert (change[-1, :2] == 0).all() and change[-1, 2] < -0.1
    # together they are a mantle that is 1 % faster below the crust
    whole = travel_times(np.ones((1, len(LAYERS))), wanted)[0] / P_TABLE[30][0]
    assert 0.99 < whole[0] < 0.991


def test_prem_at_its_boundaries():
    """Velocities of PREM's table (Dziewonski & Anderson 1981, table 2), km/s."""
    np.testing.assert_allclose(prem(2890.9, V_P), 13.7166, atol=2e-4)
    np.testing.assert_allclose(prem(670.1, V_P), 10.7513, atol=2e-3)
    np.testing.assert_allclose(prem(399.9, V_P), 8.9052, atol=2e-3)
    np.testing.assert_allclose(prem([2890.9, 670.1], V_SV), [7.2647, 5.9451], atol=2e-3)
    np.testing.assert_allclose(prem([24.5], V_SH), 4.6108, atol=2e-3)


def test_readings_are_of_the_earth():
    """Half of the readings within 2 s of ak135, and one far off."""
    late = SPITAK[1] - IN_AK135[: len(SPITAK[1])]
    assert np.median(np.abs(late)) < 2 and np.abs(late).max() > 10
    assert len(IN_AK135) == sum(len(distance) for distance, _ in WANTED)
    seen = Residuals(np.zeros(2)).transform(np.array([[0.1, -300.0]]))
    np.testing.assert_allclose(seen, [[0.1, -10]], atol=1e-5)
