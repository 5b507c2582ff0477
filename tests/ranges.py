"""Mixtures whose targets have ranges, for the tests."""

import numpy as np
from fmdn.mixture import Mixture
from fmdn.ranges import Ranges

FREE, TRUNCATED, LOG_TRUNCATED, HALF_LINE, PROBIT, LOG_PROBIT, PERIODIC = range(7)


def range_of(kind, low, high):
    """Give the range of one target."""
    none = np.finfo(float).max
    ends = np.clip([[low], [high]], -none, none)
    return Ranges(np.array([kind], np.intc), *ends)


def mixture(weights, means, sds, ranges, names=("x",)):
    """Give a mixture of one target, or of several independent within kernels."""
    weights, means, sds = np.array([weights]), np.array(means), np.array(sds)
    c = len(names)
    means, sds = means.reshape(1, -1, c), sds.reshape(1, -1, c)
    factors = np.eye(c) / sds[..., np.newaxis]
    return Mixture(
        weights,
        means,
        factors,
        single=True,
        one_target_axis=c == 1,
        target_names=list(names),
        ranges=ranges,
    )


NOTHING = range_of(FREE, -np.inf, np.inf)


def gaussians(means, covariances, names=("a", "b")):
    """Give posteriors of several targets, of one Gaussian kernel each."""
    covariances = np.array(covariances, float)
    single, c = covariances.ndim == 2, len(names)
    shape = (1 if single else len(covariances), 1)
    factors = np.linalg.cholesky(np.linalg.inv(covariances))
    return Mixture(
        np.ones(shape),
        np.array(means, float).reshape(*shape, c),
        factors.reshape(*shape, c, c),
        single=single,
        one_target_axis=False,
        target_names=list(names),
    )
