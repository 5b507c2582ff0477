"""Geometry, arrivals, picks and locator of the rapid-location example."""

import numpy as np
import pytest
import rapid_location_inputs as inputs
import rapid_location_model as model


def hypocentre(start=0.0):
    truth = [model.TRUTH[name] for name in ("east", "north", "depth")]
    return np.array([[*truth, start]])


def test_distances_on_the_sphere():
    """Berlin and Tokyo are 8,918 km apart on a sphere of 6371 km."""
    berlin, tokyo = np.radians([52.5167, 13.4]), np.radians([35.7, 139.7667])
    away = model.EARTH_RADIUS * model.distance(berlin, tokyo)
    np.testing.assert_allclose(away, 8918, atol=2)
    there = model.destination([0.0, 0.0], np.radians(30.0), np.radians(90.0))
    np.testing.assert_allclose(there, np.radians([0.0, 30.0]), atol=1e-12)


def test_map_and_sphere_agree():
    rng = np.random.default_rng(1)
    east, north = rng.uniform(-300, 300, (2, 50))
    away = np.hypot(east, north) / model.EARTH_RADIUS
    place = model.destination(model.CENTRE, away, np.arctan2(east, north))
    np.testing.assert_allclose(model.east_north(place), [east, north], atol=1e-6)


def test_stations_are_where_the_bulletin_has_them():
    away = np.degrees(model.distance(model.BULLETIN[0], model.STATIONS))
    np.testing.assert_allclose(away, model.TABLE["distance_deg"], atol=1e-9)


def test_bulletin_explains_its_picks():
    late = model.ARRIVALS - model.travel_times(hypocentre())[0]
    n_p = len(model.TABLE)
    assert np.median(np.abs(late[:n_p])) < 3
    assert np.median(np.abs(late[n_p:])) < 8
    # the first P is at zero on the clock, and the origin before it by its travel time
    data = model.forward(hypocentre())[0]
    np.testing.assert_allclose(data[:n_p].min(), 0, atol=1e-9)
    np.testing.assert_allclose(model.forward(hypocentre(5.0))[0], data - 5)


def test_what_is_seen():
    rng = np.random.default_rng(2)
    data = np.tile(model.forward(hypocentre()), (4000, 1))
    picks, clock = model.read_picks(data, rng)
    came = np.isfinite(picks)
    assert (picks[came] <= np.broadcast_to(clock[:, None], picks.shape)[came]).all()
    out = np.isnan(picks)
    np.testing.assert_allclose(out.mean(axis=0), model.SILENT, atol=0.02)
    n_p = len(model.TABLE)  # P and S of a station are out together
    assert (out[:, n_p:] == out[:, :n_p][:, model.HAS_S]).all()
    waits = np.isinf(picks)[~out].mean()
    expected = (data > clock[:, None])[~out].mean()
    np.testing.assert_allclose(waits, expected, atol=0.01)


@pytest.mark.parametrize("n_silent", [0, 3])
def test_locator_finds_where_exact_picks_come_from(n_silent):
    models = model.PRIOR.sample(60, seed=3)
    models[:, 2] = 0.2 * models[:, 2] + 10
    picks = model.forward(models)
    picks[:, :n_silent] = np.nan
    found = inputs.locate(picks, np.full(60, 1e3))
    away = np.hypot(*(found[:, :2] - models[:, :2]).T)
    assert np.median(away) < 0.5 and np.mean(away < 5) > 0.9
    origin = found[:, 3] - model.origin_time(models)
    assert np.median(np.abs(origin)) < 0.3


def test_a_pick_that_should_have_come_counts():
    """Not yet come at 10 s: no earlier arrival is predicted without a cost."""
    picks, clock = np.array([[1.0, np.inf, np.inf, np.nan]]), np.array([10.0])
    predicted = np.array([[2.0, 7.0, 15.0, 3.0]])
    late = inputs.residuals(picks, clock, predicted)
    np.testing.assert_array_equal(late, [[-1.0, 3.0, np.nan, np.nan]])
