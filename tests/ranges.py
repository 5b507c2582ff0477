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
    covariances = np.array(covariances, float)[..., np.newaxis, :, :]
    weights = np.ones(covariances.shape[:-2])
    means = np.array(means, float).reshape(*weights.shape, len(names))
    return correlated(weights, means, covariances, names=names)


def free(weights, means, sds):
    """Give a mixture of one target that can be anywhere."""
    return mixture(weights, means, sds, NOTHING)


def correlated(weights, means, covariances, ranges=None, names="abcd"):
    """Give mixtures of several targets with any covariances."""
    weights, means = np.array(weights, float), np.array(means, float)
    covariances = np.array(covariances, float)
    single = weights.ndim == 1
    arrays = weights, means, np.linalg.cholesky(np.linalg.inv(covariances))
    c = means.shape[-1]
    return Mixture(
        *(array[np.newaxis] if single else array for array in arrays),
        single=single,
        one_target_axis=False,
        target_names=list(names[:c]),
        ranges=Ranges.free(c) if ranges is None else ranges,
    )


def ranges_of(*each):
    """Give the ranges of several targets: (kind, low, high) of each."""
    kinds, low, high = zip(*each, strict=True)
    none = np.finfo(float).max
    return Ranges(np.array(kinds, np.intc), *np.clip([low, high], -none, none))


EXAMPLES = {  # a range of each kind, with kernels that feel it
    "free": (FREE, -np.inf, np.inf),
    "truncated": (TRUNCATED, -1.0, 3.0),
    "truncated above": (TRUNCATED, -np.inf, 0.5),
    "truncated below": (TRUNCATED, -1.0, np.inf),
    "log-truncated": (LOG_TRUNCATED, 0.1, 50.0),
    "half-line": (HALF_LINE, 2.0, np.inf),
    "half-line below": (HALF_LINE, -np.inf, 2.0),
    "probit": (PROBIT, -1.0, 3.0),
    "log-probit": (LOG_PROBIT, 0.1, 50.0),
    "periodic": (PERIODIC, -1.0, 3.0),
}


def example(name):
    """Give a posterior of one target of a kind."""
    return mixture(
        [0.5, 0.2, 0.3], [-1.5, 0.9, 0.2], [0.5, 0.2, 0.8], range_of(*EXAMPLES[name])
    )
