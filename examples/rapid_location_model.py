"""Rapid location: stations and picks, prior, travel times, noise."""

from pathlib import Path

import fmdn
import numpy as np
from earth_models import EARTH_RADIUS
from scipy.ndimage import map_coordinates
from tau_p import travel_time_table

CENTRE = np.radians([41.5, 44.5])  # of the region: latitude and longitude
BULLETIN = np.radians([41.09, 44.31]), 11.0  # epicentre; depth in km, fixed there
PRIOR = fmdn.Prior(
    east=fmdn.Uniform(-250, 250, unit="km"),
    north=fmdn.Uniform(-250, 250, unit="km"),
    depth=fmdn.Uniform(0, 40, unit="km"),
    # Of the clock's start, behind the first P that any station can have. Whatever the
    # hypocentre, the origin time is thereby uniform: as if nothing were known of it.
    start=fmdn.Uniform(-5, 20, unit="s"),
)
LONGEST = 170.0  # s on the clock
SILENT = 0.1  # share of stations that are out
PICK_ERROR = {"P": 1.2, "S": 2.5}  # s
FREEDOM = 3  # degrees of, in Student's t


# --- On the sphere; latitudes, longitudes, distances and azimuths in radians ---------


def destination(start, distance, azimuth):
    """Latitude and longitude that distance and azimuth lead to."""
    latitude, longitude = start
    sine = np.sin(latitude) * np.cos(distance)
    sine = sine + np.cos(latitude) * np.sin(distance) * np.cos(azimuth)
    east = np.sin(azimuth) * np.sin(distance) * np.cos(latitude)
    return np.arcsin(sine), longitude + np.arctan2(
        east, np.cos(distance) - np.sin(latitude) * sine
    )


def distance(one, other):
    """Distance between places."""
    half = np.sin((other[0] - one[0]) / 2) ** 2
    turn = np.sin((other[1] - one[1]) / 2) ** 2
    return 2 * np.arcsin(np.sqrt(half + np.cos(one[0]) * np.cos(other[0]) * turn))


def east_north(place):
    """Coordinates on the map about CENTRE, km (azimuthal equidistant)."""
    turn = place[1] - CENTRE[1]
    east = np.cos(place[0]) * np.sin(turn)
    north = np.cos(CENTRE[0]) * np.sin(place[0])
    north = north - np.sin(CENTRE[0]) * np.cos(place[0]) * np.cos(turn)
    scale = EARTH_RADIUS * distance(CENTRE, place) / np.hypot(east, north)
    return scale * east, scale * north


# --- Stations and picks ---------------------------------------------------------------

_file = Path(__file__).parent / "data" / "spitak_1967_first_minutes.csv"
TABLE = np.genfromtxt(
    [line for line in _file.read_text("utf8").splitlines() if not line.startswith("#")],
    delimiter=",", names=True, dtype=None, encoding="utf8",
)  # fmt: skip
# The bulletin does not say where stations are, but where they lie from its epicentre.
_from_there = np.radians(TABLE["distance_deg"]), np.radians(TABLE["azimuth_deg"])
STATIONS = destination(BULLETIN[0], *_from_there)
HAS_S = np.isfinite(TABLE["s_s"])
STATION = np.append(np.arange(len(TABLE)), np.flatnonzero(HAS_S))  # of each pick
ARRIVALS = np.concatenate([TABLE["p_s"], TABLE["s_s"][HAS_S]])  # s
FIRST = ARRIVALS.min()  # after the bulletin's origin time
PICKS = ARRIVALS - FIRST
ERRORS = np.repeat(list(PICK_ERROR.values()), [len(TABLE), HAS_S.sum()])
EAST, NORTH = east_north(BULLETIN[0])
TRUTH = {"east": EAST, "north": NORTH, "depth": BULLETIN[1], "origin": -FIRST}

# --- Forward model and noise ----------------------------------------------------------

STEPS = np.radians(0.05), 2.0  # of the table: distance, and depth in km
_grid = STEPS[0] * np.arange(340), STEPS[1] * np.arange(21)
TIMES = {phase: travel_time_table(*_grid, phase) for phase in "PS"}


def travel_times(hypocentres):
    """P to all stations, then S to those that have read it.

    Parameters
    ----------
    hypocentres : (n, 3 or more) array
        East, north and depth, km; what comes after is not looked at.

    Returns
    -------
    (n, n_picks) array
        Seconds.
    """
    east, north, depth = hypocentres[:, :3].T[..., None]
    away = np.hypot(east, north) / EARTH_RADIUS
    epicentre = destination(CENTRE, away, np.arctan2(east, north))
    to_stations = distance(epicentre, STATIONS) / STEPS[0]
    there = np.array(
        [to_stations, np.broadcast_to(depth / STEPS[1], to_stations.shape)]
    )
    options = {"order": 1, "mode": "nearest"}
    p = map_coordinates(TIMES["P"], there, **options)
    return np.hstack([p, map_coordinates(TIMES["S"], there[:, :, HAS_S], **options)])


def origin_time(models):
    """Seconds on the clock, mostly before it starts."""
    first = travel_times(models)[:, : len(TABLE)].min(axis=1)
    return -first - models[:, 3]


def forward(models):
    """Give arrivals on the clock, s."""
    return travel_times(models) + origin_time(models)[:, None]


def read_picks(arrivals, rng):
    """Pick, with stations that are out, and look at some time.

    Returns
    -------
    picks : (n, n_picks) array
        NaN of stations that are out, infinite where nothing has come yet.
    clock : (n,) array
    """
    n = len(arrivals)
    picks = arrivals + ERRORS * rng.standard_t(FREEDOM, arrivals.shape)
    picks[(rng.random((n, len(TABLE))) < SILENT)[:, STATION]] = np.nan
    clock = np.exp(rng.uniform(np.log(2), np.log(LONGEST), n))
    return as_seen(picks, clock), clock


def as_seen(picks, clock):
    """Picks that have come by then; what is out (NaN) stays so."""
    return np.where(picks > clock[:, None], np.inf, picks)
