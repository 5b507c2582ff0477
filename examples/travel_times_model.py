"""Travel times through the mantle: data, prior, forward model and noise."""

from pathlib import Path

import fmdn
import numpy as np
from earth_models import AK135, EARTH_RADIUS
from tau_p import delay_times, first_arrivals, with_source

# --- Data and prior -----------------------------------------------------------------


def read_times(name):
    """Distances in radians and times in seconds."""
    lines = (Path(__file__).parent / "data" / name).read_text().splitlines()
    lines = [line for line in lines if not line.startswith("#")]
    table = np.genfromtxt(lines, delimiter=",", names=True, dtype=None, encoding="utf8")
    return np.radians(table["distance_deg"]), table["time_s"]


SPITAK, SPITAK_DEPTH = read_times("spitak_1967_p_times.csv"), 11.0  # km
TABLE, TABLE_DEPTH = read_times("jeffreys_bullen_p_times.csv"), 0.0
N_SPITAK = len(SPITAK[0])

BOUNDARIES = np.array([35, 210, 410, 660, 1000, 1400, 1800, 2200, 2600, 2891.5])  # km
ENDS = list(zip(BOUNDARIES[:-1], BOUNDARIES[1:], strict=True))
LAYERS = [f"{top:.0f}-{bottom:.0f} km" for top, bottom in ENDS]
DEVIATIONS = {layer: fmdn.Normal(0, 1, unit="%") for layer in LAYERS}
PRIOR = fmdn.Prior(DEVIATIONS, delay=fmdn.Normal(0, 3, unit="s"))

# --- Forward model ------------------------------------------------------------------

SLOWNESS = np.arange(240.0, 790.0, 1.0)  # s/radian: all that turn in the mantle
NODES, VELOCITY, SOURCE = with_source(AK135[:, 0], AK135[:, 1], SPITAK_DEPTH)


def layer_shares():
    """Share of each layer in the deviation at each node, (n_layers, n_nodes).

    A layer gives way to the next over 100 km, so that no wave turns back where ak135
    has no boundary; at those of 410 and 660 km it ends.
    """
    is_pair = np.diff(NODES) == 0
    nodes = NODES + 0.1 * np.append(False, is_pair) - 0.1 * np.append(is_pair, False)
    half = np.where(np.isin(BOUNDARIES, (410, 660)), 0.05, 50.0)
    half[[0, -1]] = 0
    ends = np.column_stack([BOUNDARIES[:-1] + half[:-1], BOUNDARIES[1:] - half[1:]])
    one_each = np.repeat(np.eye(len(LAYERS)), 2, axis=1)
    shares = [np.interp(nodes, ends.ravel(), one) for one in one_each]
    return np.where(nodes < BOUNDARIES[0], 0, shares)


SHARES = layer_shares()


def travel_times(deviation, wanted):
    """P times of models in which ak135 deviates by so many percent in each layer.

    Parameters
    ----------
    deviation : (n_models, n_layers) array
    wanted : list of (distances in radians, source depth in km: 0 or SPITAK_DEPTH)

    Returns
    -------
    (n_models, n_distances of all) array
        Seconds.
    """
    velocity = VELOCITY * (1 + deviation @ SHARES / 100)
    delay = delay_times(NODES, velocity, SLOWNESS)
    enters_core = SLOWNESS <= ((EARTH_RADIUS - NODES[-1]) / velocity[:, -1])[:, None]
    parts = []
    for distances, depth in wanted:
        whole = 2 * delay[:, -1] - (delay[:, SOURCE] if depth else 0)
        whole[enters_core] = np.inf
        parts.append(first_arrivals(distances, SLOWNESS, whole))
    return np.concatenate(parts, axis=1)


WANTED = [(SPITAK[0], SPITAK_DEPTH), (TABLE[0], TABLE_DEPTH)]
IN_AK135 = travel_times(np.zeros((1, len(LAYERS))), WANTED)[0]


def forward(models):
    """Times of the readings, then those of the table."""
    return travel_times(models[:, :-1], WANTED) + models[:, -1:]


READING_ERROR, FREEDOM, TABLE_ERROR = 1.5, 3, 0.3  # s, degrees of freedom, s


def read_with_errors(rng, data, models):
    """Readings on paper, at 57 stations with clocks of their own: some are far off."""
    return data + READING_ERROR * rng.standard_t(FREEDOM, data.shape)


class Residuals:
    """What the networks see: residuals against ak135, those that are large drawn in."""

    def __init__(self, expected):
        self.expected = expected

    def transform(self, data):
        return 10 * np.tanh((data - self.expected) / 10)


# name: columns of the data, noise, what was observed
DATA_SETS = {
    "Spitak 1967": (slice(0, N_SPITAK), read_with_errors, SPITAK[1]),
    "Jeffreys-Bullen": (slice(N_SPITAK, None), TABLE_ERROR, TABLE[1]),
}
