"""Free oscillations: observed periods, prior, forward model and noise."""

from pathlib import Path

import fmdn
import numpy as np
from earth_models import EARTH_RADIUS, V_SH, V_SV, ak135, prem
from toroidal import EDGE_660, EDGES, prem_earth, toroidal_periods

_file = Path(__file__).parent / "data" / "toroidal_periods.csv"
TABLE = np.genfromtxt(
    [line for line in _file.read_text().splitlines() if not line.startswith("#")],
    delimiter=",",
    names=True,
)
MODES = np.column_stack([TABLE["overtone"], TABLE["degree"]]).astype(int)
OBSERVED = TABLE["period_s"]
MODEL_ERROR = 0.0007  # of a period; PREM, fitted to them, leaves 0.00076 (rms)
NOISE = fmdn.GaussianNoise(np.hypot(TABLE["sd_s"], MODEL_ERROR * OBSERVED))

# from top to bottom in km, and the elements that make up each
SHEAR = {
    "v_S 24-220 km": (24.4, 220.0, (8, 9)),
    "v_S 220-400 km": (220.0, 400.0, (7,)),
    "v_S 400-670 km": (400.0, 670.0, (5, 6)),
    "v_S 670-1421 km": (670.0, 1421.0, (3, 4)),
    "v_S 1421-2071 km": (1421.0, 2071.0, (2,)),
    "v_S 2071-2891 km": (2071.0, 2891.0, (0, 1)),
}
UPPER, LOWER = (5, 6, 7, 8, 9), (0, 1, 2, 3, 4)
DENSITY = {"density 24-670 km": UPPER, "density 670-2891 km": LOWER}
QUALITY = {"ln Q 24-670 km": UPPER, "ln Q 670-2891 km": LOWER}
PRIOR = fmdn.Prior(
    {name: fmdn.Normal(0, 2, unit="%") for name in (*SHEAR, *DENSITY)}
    | {"depth of the 660": fmdn.Uniform(640, 700, unit="km")}
    | {name: fmdn.Normal(0, 0.1) for name in QUALITY}
)
TARGETS = list(PRIOR)[: -len(QUALITY)]  # the rest is marginalised


def forward(models):
    """Periods of the modes in seconds, (n_models, n_modes)."""
    columns = dict(zip(PRIOR, models.T[..., None, None], strict=True))
    edges = np.tile(EDGES, (len(models), 1))
    edges[:, EDGE_660] = EARTH_RADIUS - columns["depth of the 660"][:, 0, 0]
    earth = prem_earth(edges)
    for name, (_, _, elements) in SHEAR.items():
        earth.v_sv[:, elements] *= 1 + columns[name] / 100
        earth.v_sh[:, elements] *= 1 + columns[name] / 100
    for name, elements in DENSITY.items():
        earth.density[:, elements] *= 1 + columns[name] / 100
    for name, elements in QUALITY.items():
        earth.quality[:, elements] *= np.exp(columns[name])
    return toroidal_periods(earth, MODES)


def ak135_deviation():
    """Mean deviation of ak135's shear velocity from PREM's in each layer, percent."""
    for top, bottom, _ in SHEAR.values():
        depth = np.linspace(top + 0.5, bottom - 0.5, 200)
        isotropic = (2 * prem(depth, V_SV) ** 2 + prem(depth, V_SH) ** 2) / 3
        yield 100 * np.mean(ak135(depth, "S") / np.sqrt(isotropic) - 1)
