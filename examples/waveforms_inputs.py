"""Waveforms: what the networks see of the data."""

import numpy as np
from waveforms_model import EAST, MODEL_ERROR, SD


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
