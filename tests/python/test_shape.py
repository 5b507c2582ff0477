"""Moments, entropy and modes of posteriors, against what is known of them."""

import numpy as np
import pytest
from fmdn import shape
from hypothesis import given, settings
from hypothesis import strategies as st
from ranges import (
    EXAMPLES,
    HALF_LINE,
    LOG_TRUNCATED,
    PERIODIC,
    PROBIT,
    TRUNCATED,
    correlated,
    example,
    free,
    mixture,
    range_of,
    ranges_of,
)
from scipy import integrate, stats

fixed = settings(deadline=None, derandomize=True, max_examples=30)
seeds = st.integers(0, 2**32 - 1)


def random_kernels(seed, narrowest=1e-2):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 8)
    weights = rng.dirichlet(np.ones(n)) + 1e-6
    sds = np.exp(rng.uniform(np.log(narrowest), np.log(0.5), n))
    return weights / weights.sum(), rng.uniform(size=n), sds


def integral(post, function):
    """Mean of function(x, log p) by panels from quantile to quantile: to 1e-9."""
    q = np.concatenate([np.logspace(-15, -2, 150), np.linspace(0.012, 0.5, 400)])
    edges = np.unique(post.quantile(np.concatenate([q, 1 - q])))
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half = np.diff(edges)[:, np.newaxis] / 2
    x = edges[:-1, np.newaxis] + half * (1 + nodes)
    log_p = post.logpdf(x)
    return np.sum(half * weights * np.exp(log_p) * function(x, log_p))


# --- Moments --------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_moments_are_those_of_the_density(name):
    post = example(name)
    mean, sd = post.mean(), post.std()
    for order, found in ((3, post.skewness()), (4, post.kurtosis() + 3)):
        expected = integral(post, lambda x, _, n=order: ((x - mean) / sd) ** n)
        # a tail as long as that of exp(y)**4 has a part beyond the last quantile
        tolerance = 1e-2 if "half" in name else 1e-6
        assert found == pytest.approx(expected, rel=tolerance, abs=1e-6)
    assert post.moment(1) == pytest.approx(mean, abs=1e-10)
    assert post.moment(2) == pytest.approx(sd**2 + mean**2, rel=1e-9)
    assert post.moment(0) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    "post, exact",
    [
        (free([1], [3], [2]), stats.norm(3, 2)),
        (
            mixture([1.0], [1.0], [2.0], range_of(TRUNCATED, 0, 3)),
            stats.truncnorm(-0.5, 1, 1, 2),
        ),
        (
            mixture([1.0], [1.0], [0.5], range_of(HALF_LINE, 2, np.inf)),
            stats.lognorm(0.5, loc=2, scale=np.e),
        ),
        (
            mixture([1.0], [0.0], [1.5], range_of(HALF_LINE, 0, np.inf)),
            stats.lognorm(1.5),
        ),
        (
            mixture([1.0], [0.0], [1e5], range_of(LOG_TRUNCATED, 0.1, 20)),
            stats.loguniform(0.1, 20),
        ),
        (
            mixture([1.0], [0.0], [1.0], range_of(PROBIT, -1, 3)),
            stats.uniform(-1, 4),
        ),
        (
            mixture([1.0], [70.0], [1e5], range_of(TRUNCATED, -1, 3)),
            stats.uniform(-1, 4),
        ),
    ],
)
def test_one_kernel_has_the_numbers_of_its_family(post, exact):
    mean, variance, skewness, kurtosis = exact.stats("mvsk")
    assert post.mean() == pytest.approx(mean, abs=1e-8)
    assert post.var() == pytest.approx(variance, rel=1e-7)
    assert post.skewness() == pytest.approx(skewness, rel=1e-6, abs=1e-7)
    assert post.kurtosis() == pytest.approx(kurtosis, rel=1e-6, abs=1e-7)
    assert post.entropy() == pytest.approx(exact.entropy(), abs=1e-8)


def test_far_kernel_is_nearly_exponential():
    """Its mean is twenty sd outside: where formulas by differences have no digits."""
    post = mixture([1.0], [-40.0], [2.0], range_of(TRUNCATED, 0, np.inf))
    nodes, weights = np.polynomial.legendre.leggauss(200)
    x = (1 + nodes) * 1.5
    p = np.exp(-10 * x - x**2 / 8)
    weights = weights * p / (weights @ p)
    log_p = np.log(p / np.sum(1.5 * np.polynomial.legendre.leggauss(200)[1] * p))
    mean = weights @ x
    variance = weights @ (x - mean) ** 2
    assert post.mean() == pytest.approx(mean, rel=1e-9)
    assert post.skewness() == pytest.approx(
        weights @ (x - mean) ** 3 / variance**1.5, rel=1e-8
    )
    assert post.kurtosis() == pytest.approx(
        weights @ (x - mean) ** 4 / variance**2 - 3, rel=1e-8
    )
    assert post.entropy() == pytest.approx(-weights @ log_p, abs=1e-8)


def test_moments_around_a_circle():
    """A narrow one across the cut is as on the line; the uniform one has none."""
    north = mixture([0.5, 0.5], [359.0, 364.0], [5.0, 2.0], range_of(PERIODIC, 0, 360))
    line = free([0.5, 0.5], [-1.0, 4.0], [5.0, 2.0])
    for one in ("mean", "var", "skewness", "kurtosis", "entropy"):
        assert getattr(north, one)() == pytest.approx(getattr(line, one)(), rel=1e-9)


@fixed
@given(seeds, st.floats(-1e3, 1e3), st.sampled_from([2.0**-40, 0.3, 2.0**40]))
def test_another_origin_and_unit(seed, shift, scale):
    weights, means, sds = random_kernels(seed)
    here = free(weights, means, sds)
    there = free(weights, scale * (means + shift), scale * sds)
    # digits that the shift takes from the smallest sd
    rounding = 1e-13 * (1 + abs(shift)) / sds.min()
    assert there.skewness() == pytest.approx(here.skewness(), abs=1e-9 + rounding)
    assert there.kurtosis() == pytest.approx(here.kurtosis(), abs=1e-9 + rounding)
    assert there.entropy() - np.log(scale) == pytest.approx(
        here.entropy(), abs=2e-8 + rounding
    )
    mine, theirs = here.modes(), there.modes()
    narrow = 1e-6 * sds.min() + 1e-13 * abs(shift)
    assert len(theirs.points) == len(mine.points)
    np.testing.assert_allclose(
        np.sort(theirs.points) / scale - shift, np.sort(mine.points), atol=narrow
    )
    np.testing.assert_allclose(scale * theirs.heights, mine.heights, rtol=1e-6)
    assert there.width() == pytest.approx(scale * here.width(), rel=1e-6)


def test_correlation():
    covariance = [[4.0, 1.2, 0], [1.2, 1.0, 0], [0, 0, 9.0]]
    post = correlated([1.0], [[0, 0, 0]], [covariance])
    expected = [[1, 0.6, 0], [0.6, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(post.correlation(), expected, atol=1e-14)
    two = correlated([0.5, 0.5], [[-1, -2], [1, 2]], [np.eye(2)] * 2)
    assert two.correlation()[0, 1] == pytest.approx(2 / np.sqrt(2 * 5))
    ranges = ranges_of((PROBIT, 0, 1), (PERIODIC, 0, 360))
    bounded = correlated(
        [0.4, 0.6],
        [[0, 355], [0.5, 370]],
        [[[0.5, 4], [4, 60]], [[0.3, -2], [-2, 90]]],
        ranges,
    )
    draws = bounded.sample(100_000)
    draws[:, 1] = np.mod(draws[:, 1] + 180, 360)
    # 4.5 standard errors of a correlation
    found = np.corrcoef(draws.T)[0, 1]
    assert bounded.correlation()[0, 1] == pytest.approx(found, abs=4.5 / 300)


# --- Entropy --------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_entropy_is_the_mean_of_minus_log_p(name):
    post = example(name)
    expected = integral(post, lambda x, log_p: -log_p)
    assert post.entropy() == pytest.approx(expected, abs=1e-7)


@fixed
@given(seeds)
def test_entropy_by_trapezoids(seed):
    weights, means, sds = random_kernels(seed)
    x = np.arange(-5, 6, sds.min() / 20)
    log_p = free(weights, means, sds).logpdf(x)
    expected = -np.sum(np.exp(log_p) * log_p) * (x[1] - x[0])
    assert free(weights, means, sds).entropy() == pytest.approx(expected, abs=1e-8)


def test_entropy_of_parts():
    """Far apart: that of each, and of which it is."""
    one = stats.norm(0, 1).entropy()
    apart = free([0.25, 0.75], [0.0, 1e4], [1.0, 1e-3])
    expected = one + 0.75 * np.log(1e-3) + stats.entropy([0.25, 0.75])
    assert apart.entropy() == pytest.approx(expected, abs=1e-10)


def test_entropy_of_wrapped_kernels():
    wide = mixture([1.0], [10.0], [2.0], range_of(PERIODIC, 0, 2 * np.pi))
    x = np.linspace(0, 2 * np.pi, 4000, endpoint=False)
    p = wide.pdf(x)
    expected = -np.mean(p * np.log(p)) * 2 * np.pi
    assert wide.entropy() == pytest.approx(expected, abs=1e-6)
    narrow = mixture([1.0], [0.1], [0.3], range_of(PERIODIC, 0, 2 * np.pi))
    k = np.arange(-3, 4)[:, np.newaxis] * 2 * np.pi
    p = stats.norm(0.1, 0.3).pdf(x + k).sum(axis=0)
    assert narrow.entropy() == pytest.approx(-np.mean(p * np.log(p)) * 2 * np.pi, 1e-8)


def test_entropy_of_several_targets_knows_its_error():
    covariance = np.array([[2.0, 0.9], [0.9, 1.0]])
    post = correlated([1.0], [[1, 2]], [covariance])
    exact = stats.multivariate_normal([1, 2], covariance).entropy()
    scores = []
    for seed in range(50):
        value, error = post.entropy(size=500, seed=seed)
        scores.append((value - exact) / error)
    # chi2 of 50 scores: outside of these once in ten thousand
    assert 22 < np.square(scores).sum() < 98
    # and each observation has its own
    pair = correlated(
        [[1.0], [1.0]], [[[0, 0]], [[0, 0]]], [[covariance], [4 * covariance]]
    )
    value, error = pair.entropy(size=20_000)
    assert value[1] - value[0] == pytest.approx(np.log(4), abs=4.5 * np.hypot(*error))


# --- Many observations ----------------------------------------------------------------


@pytest.mark.parametrize(
    "number", ["skewness", "kurtosis", "entropy", "mode", "width", "hpd", "modes"]
)
def test_many_are_as_each(monkeypatch, number):
    rng = np.random.default_rng(3)
    n, k = 7, 4
    many = correlated(
        rng.dirichlet(np.ones(k), size=n),
        rng.normal(size=(n, k, 1)),
        rng.uniform(0.01, 0.3, size=(n, k, 1, 1)),
    ).marginal("a")
    together = getattr(many, number)()
    monkeypatch.setattr(shape, "MOST_POINTS", 3 * shape.POINTS_PER_KERNEL * k)
    in_parts = getattr(many, number)()
    for i, one in enumerate(many):
        alone = getattr(one, number)()
        for a, b, c in zip(*map(parts, (alone, together, in_parts)), strict=True):
            if np.ndim(a):
                assert np.isnan(b[i, len(a) :]).all()
                b, c = b[:, : len(a)], c[:, : len(a)]
            np.testing.assert_allclose(b[i], a, rtol=1e-9, atol=1e-9)
            np.testing.assert_array_equal(b, c)


def parts(found):
    return found if isinstance(found, tuple) else (found,)


JOINT = correlated([1.0], [[0.0, 0.0]], [np.eye(2)])


def test_misuse():
    post = free([1.0], [0.0], [1.0])
    for wrong in (0, 1, -0.1, np.nan):
        with pytest.raises(ValueError, match="fraction"):
            post.width(wrong)
        with pytest.raises(ValueError, match="confidence"):
            post.hpd(wrong)
    with pytest.raises(ValueError, match="order"):
        post.moment(-1)
    with pytest.raises(ValueError, match="one target"):
        JOINT.width()
    with pytest.raises(ValueError, match="size"):
        JOINT.entropy(size=1)


def test_expected_integral_is_right():
    """The sums that the tests here trust: a case that has a closed form."""
    post = free([1.0], [0.0], [1.0])
    assert integral(post, lambda x, _: x**4) == pytest.approx(3, abs=1e-8)
    assert integrate.quad(post.pdf, -9, 9)[0] == pytest.approx(1)
