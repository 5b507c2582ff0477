"""El Mayor-Cucapah 2010: the inputs, a linearised inversion of each data set."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from el_mayor_model import FLOOR, MODEL_ERROR, noise_sd, predict


class FirstGuess:
    """Parameters as polynomials of the data, by least squares over prior samples."""

    n_components, n_kept = 30, 20

    def __init__(self, data, z):
        # asinh makes the noise even: its sd is FLOOR where the displacement is small
        # and MODEL_ERROR of it where it is large. Size and pattern come apart.
        pattern = self._size_and_pattern(data)[1]
        self.mean = pattern.mean(axis=0)
        some = pattern[:10_000] - self.mean
        self.axes = np.linalg.svd(some, full_matrices=False)[2][: self.n_components].T
        components = self._components(data)
        self.scale = components.mean(axis=0), components.std(axis=0)
        x = terms = self._standardise(components)
        self.coefficients = []
        for _ in range(2):  # the second time the first estimates are among the terms
            products = _products(terms)
            normal = products.T @ products + 1e-3 * len(z) * np.eye(products.shape[1])
            self.coefficients.append(np.linalg.solve(normal, products.T @ z))
            terms = self._terms(x, products @ self.coefficients[-1])

    def __call__(self, data):
        x = terms = self._standardise(self._components(data))
        for coefficients in self.coefficients:
            z = _products(terms) @ coefficients
            terms = self._terms(x, z)
        return np.clip(z, -3, 3)

    def _size_and_pattern(self, data):
        even = np.arcsinh(MODEL_ERROR * data / FLOOR)
        size = np.sqrt((even**2).mean(axis=1, keepdims=True))
        return np.log(size), even / size

    def _components(self, data):
        size, pattern = self._size_and_pattern(data)
        return np.hstack([size, (pattern - self.mean) @ self.axes])

    def _standardise(self, components):
        return np.clip((components - self.scale[0]) / self.scale[1], -4, 4)

    def _terms(self, x, z):
        return np.hstack([x[:, : self.n_kept], np.clip(1.5 * z, -4, 4)])


def _products(x):
    """One, all columns, and the products of all pairs of them."""
    i, j = np.triu_indices(x.shape[1])
    return np.hstack([np.ones((len(x), 1)), x, x[:, i] * x[:, j]])


def log_posterior(z, observed):
    """Logarithm of the posterior up to a constant, z on the normal scale.

    The noise depends on the prediction, so its sd counts too.
    """
    predicted = predict(z)
    sd = noise_sd(predicted)
    misfit = (((observed - predicted) / sd) ** 2 + 2 * np.log(sd)).sum(axis=-1)
    return -0.5 * (misfit + (z**2).sum(axis=-1))


def linearise(data, z, n_iterations=10):
    """Gauss-Newton from z: the best parameters, log sd of each, and log misfit.

    On the normal scale the prior is N(0, 1), so the step is (J'WJ + 1)^-1 (J'W r - z)
    with the residuals r and W = 1 / noise sd^2; the best of three lengths is taken.
    These numbers say nearly all that the data say about the parameters, except where
    the problem is not linear: that is left to the networks.
    """
    z, log_sd = z.copy(), np.empty(z.shape)
    moving, n = np.arange(len(z)), z.shape[1]
    for _ in range(n_iterations):
        at = z[moving]
        predicted = predict(at)
        per_sd = 1 / noise_sd(predicted)
        shifted = predict((at[:, None] + 1e-3 * np.eye(n)).reshape(-1, n))
        jacobian = (shifted.reshape(len(at), n, -1) - predicted[:, None]) / 1e-3
        jacobian *= per_sd[:, None]
        residual = (data[moving] - predicted) * per_sd
        covariance = np.linalg.inv(jacobian @ jacobian.swapaxes(1, 2) + np.eye(n))
        step = covariance @ (jacobian @ residual[..., None] - at[..., None])
        step = np.clip(step[..., 0], -1, 1)
        trials = [np.clip(at + length * step, -3, 3) for length in (1, 0.3, 0.1)]
        best = np.argmax([log_posterior(one, data[moving]) for one in trials], axis=0)
        new = np.array(trials)[best, np.arange(len(at))]
        sd = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        z[moving], log_sd[moving] = new, np.log(sd)
        moving = moving[(np.abs(new - at) > 0.1 * sd).any(axis=1)]
        if not moving.size:
            break
    predicted = predict(z)
    misfit = (((data - predicted) / noise_sd(predicted)) ** 2).mean(axis=1)
    return np.hstack([z, log_sd, np.log(misfit)[:, None]])


def make_inputs(data, guess, progress=False):
    """Give the networks' inputs for data sets (n, n_data), on all cores."""
    from tqdm import tqdm

    parts = np.array_split(data, -(-len(data) // 200))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda part: linearise(part, guess(part)), parts)
        bar = tqdm(done, "linearise", len(parts), unit="x200", disable=not progress)
        return np.concatenate(list(bar))
