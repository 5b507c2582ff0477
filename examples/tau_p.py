"""Travel times of body waves in a spherical Earth, from the delay time tau(p).

tau(p) = integral of sqrt(eta^2 - p^2) / r dr along the ray, eta = r / v, and the wave
that leaves with slowness p arrives at X = -dtau/dp after T = tau + p X (Buland &
Chapman 1983, BSSA 73:1271). Between two radii v = a r^b, so that the integral is exact.
"""

import numpy as np
from earth_models import AK135, EARTH_RADIUS


def with_source(depth, velocity, source_depth):
    """Add the source's depth to the nodes of velocity models.

    Parameters
    ----------
    depth : (n_nodes,) array
        Ascending, km; twice at a discontinuity.
    velocity : (..., n_nodes) array
        km/s.
    source_depth : float
        km.

    Returns
    -------
    depth, velocity, k
        With the node k of the source.
    """
    k = int(np.searchsorted(depth, source_depth, side="right"))
    share = (source_depth - depth[k - 1]) / (depth[k] - depth[k - 1])
    there = (1 - share) * velocity[..., k - 1] + share * velocity[..., k]
    inserted = np.insert(velocity, k, there, axis=-1)
    return np.insert(depth, k, source_depth), inserted, k


def delay_times(depth, velocity, slowness):
    """Delay times from the surface down to each node, one way.

    Parameters
    ----------
    depth : (n_nodes,) array
        km.
    velocity : (n_models, n_nodes) array
        km/s.
    slowness : (n_slowness,) array
        s/radian.

    Returns
    -------
    (n_models, n_nodes, n_slowness) array
        Seconds. A ray that has turned adds no more.
    """
    radius = EARTH_RADIUS - depth
    eta = radius / velocity
    above, below = eta[:, :-1], eta[:, 1:]
    # v = a r^b makes d ln r = d ln eta / (1 - b), with one 1 - b between two nodes
    log_eta = np.log(above / below)
    log_eta = np.where(np.abs(log_eta) < 1e-9, 1e-9, log_eta)
    per_log_eta = np.log(radius[:-1] / radius[1:]) / log_eta
    # integral of sqrt(eta^2 - p^2) d ln eta
    ratio = np.minimum(slowness / eta[..., None], 1)
    primitive = np.sqrt(1 - ratio**2) - ratio * np.arccos(ratio)
    primitive *= eta[..., None]
    shells = per_log_eta[..., None] * (primitive[:, :-1] - primitive[:, 1:])
    gets_there = np.minimum.accumulate(above, axis=1)[..., None] > slowness
    delays = np.zeros((*eta.shape, len(slowness)))
    np.cumsum(np.where(gets_there, shells, 0), axis=1, out=delays[:, 1:])
    return delays


def first_arrivals(distance, slowness, delay):
    """Times of the first wave that turns, at distances beyond the source's horizon.

    Where a slowness gives a wave that arrives, tau + p X is stationary in p: it has a
    minimum on the branches that recede and a maximum where the curve turns back. So the
    first arrival is the least of all, and beyond the last ray what is diffracted.

    Parameters
    ----------
    distance : (n_distances,) array
        Radians.
    slowness : (n_slowness,) array
        s/radian.
    delay : (n_models, n_slowness) array
        Of the whole ray; infinite where there is none.

    Returns
    -------
    (n_models, n_distances) array
        Seconds.
    """
    return np.min(delay[:, :, None] + np.outer(slowness, distance), axis=1)


def travel_time_table(distance, source_depths, phase):
    """First arrivals in ak135 at any distance, from sources in the crust or below.

    Parameters
    ----------
    distance : (n_distances,) array
        Radians; below 98 degrees.
    source_depths : (n_depths,) array
        km.
    phase : {"P", "S"}

    Returns
    -------
    (n_distances, n_depths) array
        Seconds.
    """
    velocity = AK135[:, ["P", "S"].index(phase) + 1]
    table = np.empty((len(distance), len(source_depths)))
    for column, source_depth in enumerate(source_depths):
        depth, with_it, k = with_source(AK135[:, 0], velocity, source_depth)
        eta = (EARTH_RADIUS - depth) / with_it
        slowness = np.linspace(0, eta[: k + 1].min(), 4000)
        delay = delay_times(depth, with_it[None], slowness)[0]
        # up from the source: a maximum, for there the slowness grows with distance
        upward = delay[k, :, None] + np.outer(slowness, distance)
        turns = slowness > eta[-1]
        downward = (2 * delay[-1] - delay[k])[turns, None]
        downward = downward + np.outer(slowness[turns], distance)
        here, before, after = downward[1:-1], downward[:-2], downward[2:]
        least = np.where((here <= before) & (here <= after), here, np.inf).min(axis=0)
        table[:, column] = np.minimum(upward.max(axis=0), least)
    return table
