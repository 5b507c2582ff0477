"""Rapid location: the inputs of the networks, what a locator makes of the picks.

Geiger's method (1912): iterated least squares, here with the weights that make it the
most probable solution under the noise of Student's t, and with the prior. It takes any
picks: those of silent stations count nothing, those that have not come yet only where
they should have.
"""

import numpy as np
from rapid_location_model import (
    ERRORS,
    FREEDOM,
    PRIOR,
    forward,
    origin_time,
    read_picks,
    travel_times,
)

_low, _high = PRIOR.bounds[:3].T
PRIOR_MEAN, PRIOR_SD = (_low + _high) / 2, (_high - _low) / np.sqrt(12)
STEP = 1.0  # km, for derivatives


def residuals(picks, clock, predicted):
    """Late by how much; what has not come yet is as late as the clock shows."""
    waits = np.isinf(picks)
    late = np.where(waits, clock[:, None], picks) - predicted
    return np.where(np.isnan(picks) | (waits & (late < 0)), np.nan, late)


def misfit(late):
    """Minus twice the log likelihood, up to a constant, (n,)."""
    terms = (FREEDOM + 1) * np.log1p((late / ERRORS) ** 2 / FREEDOM)
    return np.nansum(terms, axis=1)


def first_guess(picks, clock):
    """The best of a hundred hypocentres, each with the median origin time."""
    start = PRIOR.sample(128, seed=0, design="sobol")[:, :3]
    times = travel_times(start)
    came = np.where(np.isinf(picks), np.nan, picks)
    late = np.sort(came[:, None] - times, axis=2)  # NaN last
    middle = np.isfinite(came).sum(axis=1) // 2
    origin = np.take_along_axis(late, middle[:, None, None], axis=2)[:, :, 0]
    costs = [
        misfit(residuals(picks, clock, one + origin[:, k, None]))
        for k, one in enumerate(times)
    ]
    best = np.argmin(costs, axis=0)
    return np.column_stack([start[best], origin[np.arange(len(picks)), best]])


def cost(x, picks, clock):
    """Minus twice the log posterior, up to a constant, and residuals."""
    late = residuals(picks, clock, travel_times(x) + x[:, 3:])
    z = (x[:, :3] - PRIOR_MEAN) / PRIOR_SD
    return misfit(late) + (z**2).sum(axis=1), late


def locate(picks, clock, n_iterations=10):
    """Give the inputs of the networks, (n, 11), for picks that have come by some time.

    Hypocentre and origin time, the logarithms of their linearised sd, the correlation
    of the epicentre, the misfit per pick, and the clock.
    """
    x = first_guess(picks, clock)
    now, late = cost(x, picks, clock)
    for _ in range(n_iterations):
        weights = np.nan_to_num((FREEDOM + 1) / (FREEDOM * ERRORS**2 + late**2))
        times = travel_times(x)
        slopes = [
            (travel_times(x + one) - times) / STEP for one in STEP * np.eye(4)[:3]
        ]
        jacobian = np.stack([*slopes, np.ones_like(times)], axis=2)
        weighted = jacobian * weights[:, :, None]
        precision = jacobian.swapaxes(1, 2) @ weighted + np.diag([*PRIOR_SD**-2, 1e-4])
        covariance = np.linalg.inv(precision)
        gradient = (weighted * np.nan_to_num(late)[:, :, None]).sum(axis=1)
        gradient[:, :3] -= (x[:, :3] - PRIOR_MEAN) / PRIOR_SD**2
        step = (covariance @ gradient[:, :, None])[:, :, 0]
        for length in (1.0, 0.3, 0.1):  # what a step does not better stays
            trial = x + length * np.clip(step, -60, 60)
            trial[:, :3] = np.clip(trial[:, :3], _low, _high)
            cost_there, late_there = cost(trial, picks, clock)
            better = cost_there < now
            x, now = np.where(better[:, None], trial, x), np.minimum(now, cost_there)
            late = np.where(better[:, None], late_there, late)
            step[better] = 0
    sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    correlation = covariance[:, 0, 1] / (sd[:, 0] * sd[:, 1])
    n_picks = np.isfinite(picks).sum(axis=1)
    rest = [correlation, np.log1p(misfit(late) / n_picks), np.log(clock)]
    return np.column_stack([x, np.log(sd), *rest])


def simulate_inputs(n, seed):
    """Give models, inputs and origin times of earthquakes with a pick at least."""
    models = PRIOR.sample(n, seed)
    picks, clock = read_picks(forward(models), np.random.default_rng(seed))
    came = np.isfinite(picks).any(axis=1)
    models, picks, clock = models[came], picks[came], clock[came]
    parts = range(0, len(models), 500)
    inputs = [locate(picks[i : i + 500], clock[i : i + 500]) for i in parts]
    return models, np.concatenate(inputs), origin_time(models)
