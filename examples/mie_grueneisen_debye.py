"""Pressure in a crystal of given volume and temperature; its stiffness and expansion.

Vinet's law at 300 K (Vinet et al. 1989) and a thermal pressure after Mie, Grueneisen
and Debye (Jackson & Rigden 1996):

    P(V, T) = 3 K0 (1 - x)/x^2 exp(1.5 (K0' - 1)(1 - x)) + gamma/V [E(T) - E(300 K)],
    E(T) = 3 n k T D(theta/T),    x = (V/V0)^(1/3),    gamma = gamma0 (V/V0)^q,
    theta = theta0 exp((gamma0 - gamma)/q)

with D Debye's function. Volumes are those of a unit cell in cubic Angstrom, pressures
in GPa. Parameters are arrays (..., 5): V0, K0, K0', gamma0, q.
"""

import numpy as np
from scipy.special import exprel

N_ATOMS = 20  # in a unit cell of MgSiO3 bridgmanite: 4 formula units
DEBYE_TEMPERATURE = 1000.0  # theta0 in K; volumes hardly depend on it
REFERENCE = 300.0  # K
BOLTZMANN = 0.0138064852  # GPa Angstrom^3 / K

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)


def debye(x):
    """Debye's function 3/x^3 times the integral of t^3/(e^t - 1) from 0 to x <= 15."""
    x, total = np.asarray(x, float), 0.0
    for node, weight in zip((1 + _NODES) / 2, _WEIGHTS / 2, strict=True):
        total += weight * node**2 / exprel(node * x)
    return 3 * total


def pressure(volume, temperature, parameters):
    """Pressure in GPa: parameters (..., 5), volume and temperature (m,): (..., m)."""
    v0, k0, k0_prime, gamma0, q = np.moveaxis(parameters, -1, 0)[..., np.newaxis]
    x = np.cbrt(volume / v0)
    cold = 3 * k0 * (1 - x) / x**2 * np.exp(1.5 * (k0_prime - 1) * (1 - x))
    log_ratio = np.log(volume / v0)
    gamma = gamma0 * np.exp(q * log_ratio)
    # (gamma0 - gamma)/q, also where q is zero
    theta = DEBYE_TEMPERATURE * np.exp(-gamma0 * log_ratio * exprel(q * log_ratio))
    heat = temperature * debye(theta / temperature)
    heat -= REFERENCE * debye(theta / REFERENCE)
    return cold + gamma / volume * 3 * N_ATOMS * BOLTZMANN * heat


def isotherm(pressures, temperature, parameters):
    """Volume, bulk modulus in GPa and thermal expansion in 1/K along an isotherm.

    Parameters
    ----------
    pressures : array_like, shape (m,)
        In GPa, from -10 to 160.
    temperature : float
        In K.
    parameters : array_like, shape (5,) or (n, 5)

    Returns
    -------
    volume, bulk_modulus, expansion : ndarray, shape (m,) or (n, m)
    """
    volume = np.linspace(178.0, 112.0, 500)
    parameters = np.asarray(parameters)
    here = pressure(volume, temperature, parameters)
    slope = pressure(volume + 0.01, temperature, parameters)
    slope -= pressure(volume - 0.01, temperature, parameters)
    warming = pressure(volume, temperature + 1, parameters)
    warming -= pressure(volume, temperature - 1, parameters)
    modulus = -volume * slope / 0.02
    tables = volume + 0 * here, modulus, warming / 2 / modulus
    found = [
        [np.interp(pressures, p, row) for p, row in zip(*pair, strict=True)]
        for pair in ((np.atleast_2d(here), np.atleast_2d(one)) for one in tables)
    ]
    return tuple(np.reshape(one, (*here.shape[:-1], -1)) for one in found)
