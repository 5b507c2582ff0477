"""Waveforms of El Mayor-Cucapah 2010: stations, records, prior, forward model, noise.

A point source in a layered Earth stands for the fault, as in Kaeufl et al. (2015,
BSSA 105:2299). Positions are in km east and north of 115.4 W, 32.4 N.
"""

from pathlib import Path

import fmdn
import numpy as np
from layered_earth import Greens, double_couple, frequencies, triangle

# --- Stations and records -----------------------------------------------------------

OFFSETS = Path(__file__).parent / "data" / "el_mayor_offsets.csv"
# Around the north, where there are any; none close to the ends of the 120 km of fault,
# which a point cannot stand for.
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
)
TARGETS = list(PRIOR.names[:7])


class Forward:
    """Data of many models; the Earth's deviations from its layers are drawn."""

    def __init__(self, quick=False, cache=None):
        depths = np.arange(2.0, 27.0, 8 if quick else 2)
        distances = np.arange(1.0, 200.0, 9 if quick else 3)
        self.greens = Greens.compute(depths, distances, cache=cache)

    def __call__(self, models, rng):
        late = np.array([one.standard_normal(len(EAST) + 1) for one in rng])
        # s, sd 1 each: at each station, by the Earth; of all, by the first pick
        return self.data(models, late[:, 1:] + late[:, :1])

    def data(self, models, late=0.0):
        """Data, (n, n_data), of waves that come `late` seconds to the stations."""
        east, north, depth, magnitude, strike, rake, cos_dip, stretch, delay = models.T
        x, y = EAST - east[:, None], NORTH - north[:, None]
        distance, azimuth = np.hypot(x, y), np.arctan2(x, y)
        moment = 10 ** (1.5 * magnitude + 9.05)  # N m
        tensors = moment[:, None, None] * double_couple(
            np.radians(strike)[:, None] - azimuth,
            np.arccos(cos_dip)[:, None],
            np.radians(rake)[:, None],
        )
        half_duration = np.abs(stretch) * 1e-8 * (1e7 * moment) ** (1 / 3)
        first = first_arrival(east, north, depth)
        omega, _ = frequencies()
        start = (delay - first)[:, None] + late + np.zeros_like(distance)
        transfer = np.exp(-1j * omega * start[..., None])
        transfer *= triangle(omega, half_duration)[:, None]
        local = self.greens.records(tensors, depth, distance, transfer)
        radial, across, up = local.swapaxes(0, 2).swapaxes(1, 2)
        sin, cos = np.sin(azimuth)[..., None], np.cos(azimuth)[..., None]
        records = [radial * sin - across * cos, radial * cos + across * sin, up]
        return averages(np.stack(records, axis=2)[..., 1 : 1 + LONGEST])


SD = np.array([0.004, 0.004, 0.010])  # m, of GNSS: east, north, up (K15)
MODEL_ERROR = 0.2  # of each trace: a fault is no point, the Earth has no layers


def noise(rng, data, models=None):
    """Data as measured: this is the likelihood."""
    traces = data.reshape(len(data), len(EAST), 3, -1)
    factor = np.exp(MODEL_ERROR * rng.standard_normal(traces.shape[:3]))[..., None]
    error = SD[:, None] * rng.standard_normal(traces.shape)
    return (traces * factor + error).reshape(data.shape)


class Pattern:
    """What the networks see: size and principal components of the pattern."""

    n_components = 24

    def fit(self, data):
        pattern = self._size_and_pattern(data[:5000])[1]
        self.mean = pattern.mean(axis=0)
        covariance = np.cov(pattern.T)
        self.axes = np.linalg.eigh(covariance)[1][:, : -self.n_components - 1 : -1]

    def transform(self, data):
        size, pattern = self._size_and_pattern(data)
        return np.hstack([np.log(size), (pattern - self.mean) @ self.axes])

    def _size_and_pattern(self, data):
        # asinh makes errors even: those of GNSS where it is small, of the model else
        traces = data.reshape(len(data), len(EAST), 3, -1)
        even = np.arcsinh(MODEL_ERROR * traces / SD[:, None]).reshape(data.shape)
        size = np.sqrt((even**2).mean(axis=1, keepdims=True))
        return size, even / size
