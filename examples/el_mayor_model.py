"""El Mayor-Cucapah 2010: data, noise, prior and forward model.

A rectangle of uniform slip in an elastic half-space stands for the fault.
"""

from pathlib import Path

import fmdn
import numpy as np
import okada
from scipy import stats
from scipy.special import ndtr, ndtri

# --- Data: horizontal displacements of the stations within 300 km -------------------

TABLE = Path(__file__).parent / "data" / "el_mayor_offsets.csv"
CENTRE = -115.4, 32.4  # longitude and latitude, degrees: about the epicentre
AZIMUTH = 320.0  # of the faults of the region, degrees: "along" and "across"


def read_stations(path=TABLE, within=300.0):
    """Give east and north in km, displacements and their scatter in m, (2 n,) each."""
    lines = Path(path).read_text().splitlines()
    lines = [line for line in lines if not line.startswith("#")]
    table = np.genfromtxt(lines, delimiter=",", names=True, dtype=None, encoding="utf8")
    table = table[table["epicentral_dist_km"] <= within]
    lon, lat = np.radians(table["lon_deg"]), np.radians(table["lat_deg"])
    lon0, lat0 = np.radians(CENTRE)
    # azimuthal equidistant projection of the sphere
    y = np.cos(lat0) * np.sin(lat) - np.sin(lat0) * np.cos(lat) * np.cos(lon - lon0)
    x = np.cos(lat) * np.sin(lon - lon0)
    scale = 6371.0 * np.arcsin(np.hypot(x, y)) / np.hypot(x, y)
    observed = np.concatenate([table["dE_m"], table["dN_m"]])
    scatter = np.concatenate([table["sdE_m"], table["sdN_m"]])
    return scale * x, scale * y, observed, scatter


EAST, NORTH, OBSERVED, SCATTER = read_stations()
FLOOR = np.hypot(SCATTER, 0.005)  # m: what late surface waves can leave
MODEL_ERROR = 0.1  # of a displacement: the Earth is no half-space, the fault no plane


def noise_sd(predicted):
    """Standard deviation of observed minus predicted displacement, m."""
    return np.hypot(FLOOR, MODEL_ERROR * predicted)


def add_noise(predicted, seed):
    """Make displacements what could be observed: this is the likelihood."""
    errors = np.random.default_rng(seed).standard_normal(predicted.shape)
    return predicted + noise_sd(predicted) * errors


# --- Prior and forward model --------------------------------------------------------

# Length and width scatter about the law of Wells and Coppersmith (1994, BSSA 84:974)
# for strike-slip faults: log10 of km = a + b magnitude.
LENGTH_LAW, LENGTH_SCATTER = (-2.57, 0.62), 0.15
WIDTH_LAW, WIDTH_SCATTER = (-0.76, 0.27), 0.14
RIGIDITY = 32e9  # Pa

PRIOR = fmdn.Prior(
    along=fmdn.Uniform(-50, 50, unit="km"),
    across=fmdn.Uniform(-50, 50, unit="km"),
    top=fmdn.Uniform(0, 10, unit="km"),
    strike=fmdn.Uniform(290, 350, unit="degrees"),
    dip=fmdn.Uniform(30, 90, unit="degrees"),
    rake=fmdn.Uniform(150, 240, unit="degrees"),
    magnitude=fmdn.Uniform(6.8, 7.6),
    length_excess=fmdn.Normal(0, LENGTH_SCATTER),  # log10 units
    width_excess=fmdn.Normal(0, WIDTH_SCATTER),
)


def fault_length(models):
    """Length of the fault in km."""
    magnitude, excess = models[:, PRIOR.names.index("magnitude")], models[:, -2]
    return 10 ** (LENGTH_LAW[0] + LENGTH_LAW[1] * magnitude + excess)


def forward(models):
    """Displacements in m of the models' faults, east of all stations and then north."""
    along, across, top, strike, dip, rake, magnitude, _, excess = models.T
    length = fault_length(models)
    width = 10 ** (WIDTH_LAW[0] + WIDTH_LAW[1] * magnitude + excess)
    moment = 10 ** (1.5 * magnitude + 9.05)  # N m
    axis = np.radians(AZIMUTH)
    fault = {
        "x": along * np.sin(axis) + across * np.cos(axis),
        "y": along * np.cos(axis) - across * np.sin(axis),
        **{"top": top, "strike": strike, "dip": dip, "rake": rake},
        **{"length": length, "width": width},
        "slip": moment / (RIGIDITY * length * width * 1e6),
    }
    data = np.empty((len(models), 2, len(EAST)))
    for i in range(0, len(models), 100):  # as many as the processor's cache holds
        some = {name: value[i : i + 100] for name, value in fault.items()}
        data[i : i + 100] = okada.displacement(EAST, NORTH, **some)
    return data.reshape(len(models), -1)


class LengthPrior(stats.rv_continuous):
    """Of the length in km: its scatter convolved with the uniform magnitudes."""

    def _terms(self, length):
        m = (np.log10(length) - LENGTH_LAW[0]) / LENGTH_LAW[1]
        sd = LENGTH_SCATTER / LENGTH_LAW[1]
        low, high = PRIOR["magnitude"].support()
        return (m[..., None] - np.array([low, high])) / sd, sd / (high - low)

    def _cdf(self, length):
        u, scale = self._terms(length)
        integral = u * ndtr(u) + stats.norm.pdf(u)
        return scale * (integral[..., 0] - integral[..., 1])

    def _pdf(self, length):
        u, scale = self._terms(length)
        per_sd = LENGTH_SCATTER * np.log(10) * length
        return scale * (ndtr(u[..., 0]) - ndtr(u[..., 1])) / per_sd


TARGETS = {name: PRIOR[name] for name in PRIOR.names[:7]}
TARGETS["length"] = LengthPrior(a=1.0, name="length")()
UNITS = {name: getattr(one, "unit", "km") for name, one in TARGETS.items()}


# --- The standard normal scale: z = Phi^-1(F(m)), F the prior's cdf of m -------------
# Every prior becomes N(0, 1), bounds included; information gains do not change.


def to_normal(values, distributions):
    return np.column_stack(
        [
            ndtri(one.cdf(column))
            for one, column in zip(distributions, values.T, strict=True)
        ]
    )


def from_normal(z, distributions):
    share = np.clip(ndtr(z), 1e-15, 1 - 1e-15)  # of the prior's probability
    return np.column_stack(
        [one.ppf(column) for one, column in zip(distributions, share.T, strict=True)]
    )


def predict(z):
    """The forward model of parameters on the normal scale."""
    return forward(from_normal(z, PRIOR.values()))


def normal_targets(models):
    """Give the targets of models on the normal scale."""
    values = np.column_stack([models[:, :7], fault_length(models)])
    return to_normal(values, TARGETS.values())
