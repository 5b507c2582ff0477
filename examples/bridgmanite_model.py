"""Bridgmanite: measurements, prior, forward model, and what was published.

The measurements are of Tange et al. (2012) as re-analysed by Wolf et al. (2015),
who fitted the same equation of state by least squares, with a Debye temperature of
1000 K and the priors below but for K0 and K0', where theirs is flat.
"""

from pathlib import Path

import fmdn
import numpy as np
from mie_grueneisen_debye import isotherm, pressure
from scipy.optimize import least_squares

TABLE = Path(__file__).parent / "data" / "bridgmanite.csv"
_, TEMPERATURE, VOLUME, OBSERVED, SD = np.loadtxt(TABLE, delimiter=",", skiprows=6).T

PRIOR = fmdn.Prior(
    V0=fmdn.Normal(162.5, 0.2, unit="Å³"),
    K0=fmdn.Normal(250, 25, unit="GPa"),
    K0_prime=fmdn.Normal(4, 0.5),
    gamma0=fmdn.Normal(1, 1),
    q=fmdn.Normal(1, 1),
)
# Wolf et al. (2015), tables 3 and 4, bridgmanite without iron
PUBLISHED = np.array([162.12, 262.3, 4.044, 1.675, 1.39])
PUBLISHED_SD = np.array([0.13, 3.2, 0.075, 0.045, 0.16])
PUBLISHED_CORRELATION = np.eye(5)
PUBLISHED_CORRELATION[np.triu_indices(5, 1)] = [
    *(-0.96, 0.85, -0.12, -0.16),  # of V0 with the others
    *(-0.96, -0.07, -0.02),  # of K0
    *(0.27, 0.24),
    0.95,
]
PUBLISHED_CORRELATION += np.triu(PUBLISHED_CORRELATION, 1).T


def forward(models):
    """Pressures in GPa at the measured volumes and temperatures."""
    return pressure(VOLUME, TEMPERATURE, models)


def correlations(covariance):
    sd = np.sqrt(np.diag(covariance))
    return covariance / np.outer(sd, sd)


def fit_by_least_squares():
    """Mean, sd and correlations of the posterior, linearised where it is highest."""
    mean, sd = np.array([(one.mean(), one.std()) for one in PRIOR.values()]).T

    def residuals(z):
        return np.append((forward(mean + sd * z) - OBSERVED) / SD, z)

    best = least_squares(residuals, np.zeros(5), xtol=1e-12)
    covariance = np.linalg.inv(best.jac.T @ best.jac) * np.outer(sd, sd)
    return mean + sd * best.x, np.sqrt(np.diag(covariance)), correlations(covariance)


def by_equation(places):
    """Volume, bulk modulus and expansion at places (GPa, K), as published: (3, n)."""
    return np.array([isotherm([p], t, PUBLISHED) for p, t in places])[..., 0].T
