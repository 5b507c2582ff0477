"""Posterior predictive check: whether the posterior explains the observation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .checks import check_array, check_rows
from .noise import as_noise


def predictive_check(models, forward, noise, observed, *, vectorised=False, seed=0):
    """Simulate data for models of the posterior, with noise, and look for the observed.

    Parameters
    ----------
    models : array_like, shape (n, n_parameters)
        Draws from the joint posterior of all parameters of the forward model.
    forward, vectorised
        As for `simulate`.
    noise : Noise, float, array_like or callable
    observed : array_like, shape (n_data,)
    seed : int
        Of the noise.

    Returns
    -------
    PredictiveCheck
    """
    models = check_rows("models", models)
    observed = check_array("observed", observed, (1,), "column")
    if vectorised:
        data = np.asarray(forward(models), float)
    else:
        data = np.array([np.asarray(forward(model), float) for model in models])
    if data.shape != (len(models), len(observed)):
        raise ValueError(
            f"the simulations have shape {data.shape}, but there are {len(models)} "
            f"models and {len(observed)} observed data"
        )
    noise = as_noise(noise)
    noisy = noise.add(data, seed, models)
    sd = noise.channel_sd(len(observed))
    if sd is None:
        sd = np.std(noisy - data, axis=0)
    used = sd > 0
    misfit, expected = (
        np.square((one - data)[:, used] / sd[used]).sum(axis=1)
        for one in (observed, noisy)
    )
    return PredictiveCheck(
        observed,
        data,
        noisy,
        100 * (noisy < observed).mean(axis=0),
        float(misfit.mean() / max(1, used.sum())),
        float((np.sum(expected >= misfit) + 1) / (len(models) + 1)),
    )


@dataclass(frozen=True, eq=False)
class PredictiveCheck:
    """How the observation compares with what the posterior predicts.

    Attributes
    ----------
    observed : ndarray, shape (n_data,)
    data, noisy : ndarray, shape (n, n_data)
        Predictions without and with noise.
    percentiles : ndarray, shape (n_data,)
        Of the observed data among the noisy predictions.
    chi2 : float
        Mean squared misfit per datum, in noise variances: near 1, or a little above
        for a cautious posterior.
    p_value : float
        Share of predictions with noise that fit their models no better than the
        observation does (Gelman et al. 1996). Below 0.01 the model or its noise does
        not explain the observation.
    """

    observed: np.ndarray
    data: np.ndarray
    noisy: np.ndarray
    percentiles: np.ndarray
    chi2: float
    p_value: float

    def plot(self, **options):
        """Draw it: see `fmdn.plots_observation.plot_predictive`."""
        from .plots_observation import plot_predictive

        return plot_predictive(self, **options)
