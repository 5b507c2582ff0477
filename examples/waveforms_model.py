"""Waveforms of El Mayor-Cucapah 2010: stations, records, prior, forward model, noise.

Points in a row, one after the other, in a layered Earth stand for the rupture; Kaeufl
et al. (2015, BSSA 105:2299) have one point. Positions are in km east and north of
115.4 W, 32.4 N.
"""

from pathlib import Path

import fmdn
import numpy as np
from layered_earth import (
    Greens,
    auxiliary_strike,
    double_couple,
    frequencies,
    triangle,
)

# --- Stations and records -----------------------------------------------------------

OFFSETS = Path(__file__).parent / "data" / "el_mayor_offsets.csv"
# Around the north, where there are any; none close to the ends of the 120 km of fault.
NAMES = "IID2 GMPK P509 P501 P497 P503 P492 P481 P066 MONP".split()
CENTRE = -115.4, 32.4
# Catalogue: east and north km, depth km; the records begin at its origin time.
HYPOCENTRE = np.array([9.9, -12.7, 10.0])
STEP, LONGEST = 3, 60  # s: a datum is the mean over STEP; the longest window
P_SPEED = 6.0  # km/s: dates the first arrival, up to an error that is drawn


def read_stations():
    """East and north of the ten stations, km."""
    lines = Path(OFFSETS).read_text().splitlines()
    lines = [line for line in lines if not line.startswith("#")]
    table = np.genfromtxt(lines, delimiter=",", names=True, dtype=None, encoding="utf8")
    rows = [list(table["station"]).index(name) for name in NAMES]
    per_degree = 6371.0 * np.pi / 180
    east = (table["lon_deg"][rows] - CENTRE[0]) * np.cos(np.radians(CENTRE[1]))
    return east * per_degree, (table["lat_deg"][rows] - CENTRE[1]) * per_degree


EAST, NORTH = read_stations()


def first_arrival(east, north, depth):
    """Seconds after origin at which the first P wave reaches one of the stations."""
    apart = np.hypot(EAST - np.c_[east], NORTH - np.c_[north])
    return np.hypot(apart.min(axis=1), depth) / P_SPEED


def read_records(path):
    """The data vector of the real records: (n_data,), from the first P arrival on."""
    stored = np.load(path)
    rows = [list(stored["station"]).index(name) for name in NAMES]
    time, records = stored["time_s"], stored["displacement_m"][rows].astype(float)
    records -= np.nanmean(records[..., time < 0], axis=-1, keepdims=True)
    start = int(np.rint(first_arrival(*HYPOCENTRE[:, None])[0])) - time[0]
    return averages(records[None, ..., start + 1 : start + 1 + LONGEST])[0]


def averages(records):
    """Means over STEP seconds: data (n, n_data), ordered station, component, time."""
    n = len(records)
    return records.reshape(n, -1, LONGEST // STEP, STEP).mean(axis=-1).reshape(n, -1)


def window(data, seconds):
    """The part of the data that has come in by then."""
    parts = data.reshape(*data.shape[:-1], -1, LONGEST // STEP)
    return parts[..., : seconds // STEP].reshape(*data.shape[:-1], -1)


# --- Prior, forward model, noise ----------------------------------------------------

N_POINTS = 5
# Length of strike-slip ruptures, log10 km (Wells and Coppersmith 1994, BSSA 84:974).
LENGTH_LAW, LENGTH_SCATTER = (-2.57, 0.62), 0.15

PRIOR = fmdn.Prior(
    east=fmdn.Uniform(-50, 50, unit="km"),
    north=fmdn.Uniform(-50, 50, unit="km"),
    depth=fmdn.Uniform(2, 24, unit="km"),
    magnitude=fmdn.Uniform(6, 8),
    strike=fmdn.Uniform(0, 360, unit="degrees", period=360),
    rake=fmdn.Uniform(-90, 90, unit="degrees"),
    cos_dip=fmdn.Uniform(0, 1),
    # What follows is no target: it varies, and so it is marginalised.
    duration=fmdn.Normal(1.05, 0.1),  # times 1e-8 (moment in dyne cm)^(1/3) s, K15
    delay=fmdn.Uniform(0, 20, unit="s"),  # of the main slip behind the first P
    length_excess=fmdn.Normal(0, LENGTH_SCATTER),  # log10 units
    start=fmdn.Uniform(0, 1),  # of the rupture, as a share of its length
    speed=fmdn.Uniform(2.0, 3.2, unit="km/s"),
    plane=fmdn.Uniform(0, 1),  # which is the fault's: above 0.5 the auxiliary one
)
TARGETS = list(PRIOR.names[:7])


class Forward:
    """Data of many models; what has no name in the prior is drawn."""

    def __init__(self, quick=False, cache=None):
        depths = np.arange(2.0, 27.0, 8 if quick else 2)
        distances = np.arange(1.0, 280.0, 9 if quick else 3)
        self.greens = Greens.compute(depths, distances, cache=cache)

    def __call__(self, models, rng):
        late = np.array([one.standard_normal(len(EAST) + 1) for one in rng])
        slip = np.array([one.dirichlet(np.full(N_POINTS, 2.0)) for one in rng])
        # s, sd 1 each: at each station, by the Earth; of all, by the first pick
        return self.data(models, late[:, 1:] + late[:, :1], slip)

    def data(self, models, late=0.0, slip=None):
        """Data, (n, n_data), of waves that come `late` seconds to the stations.

        Points share the moment like `slip` (n, N_POINTS), their centroid is the place.
        """
        m = dict(zip(PRIOR.names, models.T, strict=True))
        slip = np.full((len(models), N_POINTS), 1 / N_POINTS) if slip is None else slip
        length = LENGTH_LAW[0] + LENGTH_LAW[1] * m["magnitude"] + m["length_excess"]
        # km along the rupture from where it begins, then from its centroid
        shares = (np.arange(N_POINTS) + 0.5) / N_POINTS - m["start"][:, None]
        along = 10 ** length[:, None] * shares
        begins = np.abs(along) / m["speed"][:, None]
        hypocentre = -(slip * along).sum(axis=1)
        along += hypocentre[:, None]
        m["strike"], m["rake"] = np.radians(m["strike"]), np.radians(m["rake"])
        other = auxiliary_strike(m["strike"], m["cos_dip"], m["rake"])
        axis = np.where(m["plane"] < 0.5, m["strike"], other)
        to_east, to_north = np.sin(axis)[:, None], np.cos(axis)[:, None]
        east, north = m["east"][:, None], m["north"][:, None]
        first = first_arrival(
            east[:, 0] + hypocentre * to_east[:, 0],
            north[:, 0] + hypocentre * to_north[:, 0],
            m["depth"],
        )
        late = late + (m["delay"] - first)[:, None]
        moment = 10 ** (1.5 * m["magnitude"] + 9.05)[:, None] * slip  # N m
        east, north = east + along * to_east, north + along * to_north
        records = sum(
            self._point(
                m, east[:, k], north[:, k], moment[:, k], late + begins[:, k, None]
            )
            for k in range(N_POINTS)
        )
        return averages(records[..., 1 : 1 + LONGEST])

    def _point(self, m, east, north, moment, late):
        """Records east, north, up, (n, n_stations, 3, LENGTH), of a point source."""
        x, y = EAST - east[:, None], NORTH - north[:, None]
        distance, azimuth = np.hypot(x, y), np.arctan2(x, y)
        tensors = moment[:, None, None] * double_couple(
            m["strike"][:, None] - azimuth,
            np.arccos(m["cos_dip"])[:, None],
            m["rake"][:, None],
        )
        omega, _ = frequencies()
        half_duration = np.abs(m["duration"]) * 1e-8 * (1e7 * moment) ** (1 / 3)
        transfer = np.exp(-1j * omega * (late + np.zeros_like(x))[..., None])
        transfer *= triangle(omega, half_duration)[:, None]
        local = self.greens.records(tensors, m["depth"], distance, transfer)
        radial, across, up = local.swapaxes(0, 2).swapaxes(1, 2)
        sin, cos = np.sin(azimuth)[..., None], np.cos(azimuth)[..., None]
        records = [radial * sin - across * cos, radial * cos + across * sin, up]
        return np.stack(records, axis=2)


SD = np.array([0.004, 0.004, 0.010])  # m, of GNSS: east, north, up (K15)
# Of amplitudes, the same for the whole event (the rigidity at the source), for a
# station (what it stands on), and for a trace. Together 0.35, half of the scatter of
# peak velocities about the laws of Boore et al. (2014, Earthquake Spectra 30:1057):
# mechanism, depth and the course of the rupture, a part of theirs, are simulated here.
MODEL_ERROR = 0.2


def noise(rng, data, models=None):
    """Data as measured: this is the likelihood."""
    traces = data.reshape(len(data), len(EAST), 3, -1)
    n, n_stations, n_components, _ = traces.shape
    shapes = (n, 1, 1, 1), (n, n_stations, 1, 1), (n, n_stations, n_components, 1)
    factor = np.exp(MODEL_ERROR * sum(rng.standard_normal(one) for one in shapes))
    error = SD[:, None] * rng.standard_normal(traces.shape)
    return ((traces + late_waves(rng, traces)) * factor + error).reshape(data.shape)


def late_waves(rng, traces):
    """What basins throw back: of the size of the trace, 3 to 21 s late, nothing stays.

    The difference of two copies. Without them few simulated events are as unlike all
    models in layers as the real one is.
    """
    begin = rng.integers(1, 5, (*traces.shape[:3], 1))
    end = begin + rng.integers(1, 4, begin.shape)
    size = rng.standard_normal(begin.shape)
    padded = np.pad(traces, 3 * [(0, 0)] + [(7, 0)])
    now = 7 + np.arange(traces.shape[-1])
    first, second = (np.take_along_axis(padded, now - k, -1) for k in (begin, end))
    return size * (first - second)
