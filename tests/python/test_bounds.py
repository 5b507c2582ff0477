"""No mass outside the prior."""

import fmdn
import numpy as np
import pytest
from fmdn.ranges import Ranges
from hypothesis import given, settings
from hypothesis import strategies as st
from ranges import (
    FREE,
    HALF_LINE,
    LOG_PROBIT,
    LOG_TRUNCATED,
    PERIODIC,
    PROBIT,
    TRUNCATED,
    mixture,
    range_of,
)
from scipy import stats

SHORT = {"n_members": 2, "hidden": 8, "kernels": 3, "max_iter": 25}
CIRCLE = fmdn.Uniform(-90, 270, period=360)
PRIORS = {
    "uniform": (fmdn.Uniform(2, 5), TRUNCATED),
    "triangle": (stats.triang(0.3), TRUNCATED),
    "log-uniform": (fmdn.LogUniform(0.01, 100), LOG_TRUNCATED),
    "scipy's log-uniform": (stats.loguniform(1, 30), LOG_TRUNCATED),
    "log-uniform, moved": (stats.loguniform(1, 30, loc=-1), TRUNCATED),
    "exponential": (stats.expon(3), TRUNCATED),
    "truncated normal": (fmdn.TruncatedNormal(10, 4, low=0), TRUNCATED),
    "gamma": (stats.gamma(3, scale=4), HALF_LINE),
    "log-normal": (stats.lognorm(1.2), HALF_LINE),
    "mirrored": (stats.weibull_max(1), TRUNCATED),
    "normal": (fmdn.Normal(3, 2), FREE),
    "circle": (CIRCLE, PERIODIC),
    "normal on a circle": (fmdn.Normal(10, 30, period=360), PERIODIC),
    "part of a circle": (fmdn.Uniform(0, 90, period=360), TRUNCATED),
}


def problem(prior, n, seed=0):
    """Models of a prior and what is seen of them: near half of the prior's spread."""
    rng = np.random.default_rng(seed)
    models = prior.ppf(rng.uniform(size=n))
    period = getattr(prior, "period", None)
    if period:
        angle = 2 * np.pi * models / period
        data = np.column_stack([np.cos(angle), np.sin(angle)])
    else:
        data = stats.norm.ppf(np.clip(prior.cdf(models), 1e-9, 1 - 1e-9))[:, np.newaxis]
    return data + 0.5 * rng.normal(size=data.shape), models


@pytest.fixture(scope="module")
def trained():
    """A committee for each prior, and an observation near the low end."""
    found = {}
    for name, (prior, _) in PRIORS.items():
        inputs, targets = problem(prior, 600)
        committee = fmdn.Committee(**SHORT).fit(inputs, targets, prior=[prior])
        observed = [1.0, 0.1] if inputs.shape[1] == 2 else [-1.2]
        found[name] = committee, np.array(observed)
    return found


# --- What is chosen -------------------------------------------------------------------


@pytest.mark.parametrize("name", PRIORS)
def test_kind_of_one_target(name, trained):
    prior, kind = PRIORS[name]
    committee, observed = trained[name]
    posterior = committee.posterior(observed)
    assert committee._ranges.kinds.tolist() == [kind]
    mapped = kind in (LOG_TRUNCATED, HALF_LINE, PROBIT, LOG_PROBIT)
    assert posterior.space == ("mapped" if mapped else "physical")
    if kind != PERIODIC:
        assert posterior.support() == tuple(prior.support())


def test_kinds_of_joint_targets():
    prior = fmdn.Prior(
        a=fmdn.Uniform(0, 1),
        b=fmdn.LogUniform(1, 9),
        c=stats.expon(),
        d=CIRCLE,
        e=fmdn.Normal(0, 1),
    )
    each = list(prior.values())
    full = Ranges.of_priors(each, "full")
    assert full.kinds.tolist() == [PROBIT, LOG_PROBIT, HALF_LINE, PERIODIC, FREE]
    diagonal = [TRUNCATED, LOG_TRUNCATED, TRUNCATED, PERIODIC, FREE]
    for covariance in ("diagonal", "isotropic"):
        assert Ranges.of_priors(each, covariance).kinds.tolist() == diagonal


def test_draws_are_no_bounds():
    """The range of given models says nothing of where a prior ends; a sampler may."""
    given_models = fmdn.GivenModels(np.random.default_rng(0).normal(size=(50, 2)))

    class Triangle:
        bounds = ((0, 1), (-np.inf, np.inf))

        def sample(self, n, rng):
            return np.column_stack([rng.uniform(size=n), rng.normal(size=n)])

        def logpdf(self, x):
            return stats.norm.logpdf(x[:, 1])

    prior = fmdn.Prior({("a", "b"): given_models, ("c", "d"): Triangle()})
    ranges = Ranges.of_priors(list(prior.values()), "diagonal")
    assert ranges.kinds.tolist() == [FREE, FREE, TRUNCATED, FREE]
    assert (ranges.low[2], ranges.high[2]) == (0, 1)


# --- The density ----------------------------------------------------------------------


@pytest.mark.parametrize("name", PRIORS)
def test_all_numbers_are_of_the_density(name, trained):
    """Mass, moments and probabilities by Gauss-Legendre sums of pdf, to 1e-10."""
    prior, kind = PRIORS[name]
    committee, observed = trained[name]
    posterior = committee.posterior(observed)
    if kind == PERIODIC:
        low, high = map(float, posterior.support())
    else:
        low, high = prior.support()
    # pieces are short against the kernels, and in a logarithm where a tail is long
    q = np.concatenate([np.logspace(-14, -2, 97), np.linspace(0.015, 0.985, 400)])
    edges = posterior.quantile(np.concatenate([q, 1 - np.logspace(-2, -13, 89)]))
    edges = np.unique(np.concatenate([edges, [low, high]]))
    edges = edges[np.isfinite(edges)]
    nodes, weights = np.polynomial.legendre.leggauss(12)
    half = np.diff(edges)[:, np.newaxis] / 2
    x = edges[:-1, np.newaxis] + half * (1 + nodes)
    weights = half * weights * posterior.pdf(x)
    # what lies beyond the last quantile of a tail without end
    beyond = float(posterior.cdf(edges[0]) + posterior.sf(edges[-1]))
    beyond = 0.0 if kind == PERIODIC else beyond
    assert weights.sum() + beyond == pytest.approx(1, abs=1e-10)
    mean = (weights * x).sum()
    sd = np.sqrt((weights * (x - mean) ** 2).sum())
    assert posterior.mean() == pytest.approx(mean, abs=1e-7 * (sd + abs(mean)))
    assert posterior.std() == pytest.approx(sd, rel=1e-4 if kind == HALF_LINE else 1e-7)
    below = np.cumsum(weights.sum(axis=1))
    reached = posterior.cdf(edges[1:]) - posterior.cdf(edges[0])
    if kind == PERIODIC:
        below, reached = below[:-1], reached[:-1]  # at the cut it starts again
    np.testing.assert_allclose(reached, below, atol=1e-10)
    np.testing.assert_allclose(posterior.cdf(posterior.quantile(q)), q, 1e-9, 1e-13)
    highest = posterior.pdf(posterior.mode())
    assert highest >= posterior.pdf(x).max() * (1 - 1e-9)
    region = posterior.hpd(0.8)
    inside = np.sum(posterior.prob(region[:, 0], region[:, 1]))
    assert inside == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize("name", PRIORS)
def test_nothing_outside(name, trained):
    prior, kind = PRIORS[name]
    committee, observed = trained[name]
    posterior = committee.posterior(observed)
    samples = posterior.sample(2000)
    if kind == PERIODIC:
        low, high = committee._ranges.low[0], committee._ranges.high[0]
        assert high - low == 360
        assert ((samples >= low) & (samples < high)).all()
        assert low <= posterior.mode() < high
        return
    low, high = prior.support()
    assert ((samples >= low) & (samples <= high)).all()
    assert posterior.leaked(prior) == 0
    outside = [
        x for x in (low - 1e-9, low - 9, high + 1e-9, high + 9) if np.isfinite(x)
    ]
    for x in outside:
        assert posterior.pdf(x) == 0 and posterior.logpdf(x) == -np.inf
        assert posterior.cdf(x) == (x > high) and posterior.sf(x) == (x < low)
        assert committee.log_density([observed], [x]) == -np.inf
    assert posterior.quantile(0) == low and posterior.quantile(1) == high
    for member in posterior.members:
        assert member.support() == posterior.support()
        assert member.leaked(prior) == 0


@pytest.mark.parametrize("name", PRIORS)
def test_samples_and_log_density_are_of_the_same_density(name, trained, scale):
    committee, observed = trained[name]
    posterior = committee.posterior(observed)
    samples = posterior.sample(int(5000 * scale), seed=3)
    if PRIORS[name][1] == PERIODIC:
        start = posterior.support()[0]
        samples = start + np.mod(samples - start, 360)
    # one time in ten thousand it would fail by chance, were the seeds not fixed
    assert stats.kstest(samples, posterior.cdf).pvalue > 1e-4
    x = samples[:50]
    np.testing.assert_allclose(
        committee.log_density(np.tile(observed, (50, 1)), x),
        posterior.logpdf(x),
        atol=1e-10,
    )


@given(
    mean=st.floats(-50, 50),
    sd=st.floats(0.05, 100),
    low=st.floats(-3, 2),
    width=st.floats(0.1, 10),
    ends=st.sampled_from(["both", "low", "high"]),
)
@settings(max_examples=50, deadline=None)
def test_one_kernel_is_scipy_truncnorm(mean, sd, low, width, ends):
    high = np.inf if ends == "low" else low + width
    low = -np.inf if ends == "high" else low
    exact = stats.truncnorm((low - mean) / sd, (high - mean) / sd, mean, sd)
    ranges = range_of(TRUNCATED, low, high)
    ours = mixture([1.0], [mean], [sd], ranges)
    q = np.array([0.001, 0.3, 0.5, 0.9, 0.999])
    x = ours.quantile(q)
    assert ((x >= low) & (x <= high)).all()
    # rounding of the ends, and what scipy leaves of a kernel far outside
    span = x[-1] - x[0]
    tolerance = 1e-7 * span + 1e-13 * (abs(mean) + 1)
    np.testing.assert_allclose(x, exact.ppf(q), atol=tolerance)
    np.testing.assert_allclose(ours.cdf(x), q, rtol=1e-9, atol=1e-13 / span)
    np.testing.assert_allclose(ours.logpdf(x), exact.logpdf(x), atol=1e-7)
    nodes, weights = np.polynomial.legendre.leggauss(200)
    left, right = ours.quantile([0, 1])
    left, right = max(left, ours.quantile(1e-16)), min(right, ours.quantile(1 - 1e-16))
    points = left + (right - left) * (nodes + 1) / 2
    p = weights * ours.pdf(points)
    assert p.sum() * (right - left) / 2 == pytest.approx(1, abs=1e-9)
    p /= p.sum()
    assert ours.mean() == pytest.approx(p @ points, abs=1e-9 * span + tolerance)
    assert ours.std() == pytest.approx(
        np.sqrt(p @ (points - p @ points) ** 2), abs=1e-8 * span + tolerance
    )


@given(
    shift=st.floats(-5, 5),
    factor=st.floats(0.01, 100),
    seed=st.integers(0, 1000),
)
@settings(max_examples=50, deadline=None)
def test_units_change_nothing(shift, factor, seed):
    """Another origin and unit of the target move all numbers along."""
    rng = np.random.default_rng(seed)
    weights, means, sds = (
        rng.dirichlet([1, 1, 1]),
        rng.normal(size=3),
        rng.uniform(size=3),
    )
    sds += 0.1

    def moved(shift, factor):
        low, high = shift - factor, shift + 1.5 * factor
        ranges = range_of(TRUNCATED, low, high)
        return mixture(weights, shift + factor * means, factor * sds, ranges)

    here, there = moved(0, 1), moved(shift, factor)
    unit = 1e-9 * (abs(shift) + factor)
    q = np.linspace(0, 1, 11)
    np.testing.assert_allclose(
        there.quantile(q), shift + factor * here.quantile(q), atol=unit
    )
    assert there.mean() == pytest.approx(shift + factor * here.mean(), abs=unit)
    assert there.std() == pytest.approx(factor * here.std(), rel=1e-7)
    x = np.linspace(-0.9, 1.4, 9)
    np.testing.assert_allclose(
        there.logpdf(shift + factor * x), here.logpdf(x) - np.log(factor), atol=1e-6
    )


def test_gain_over_a_prior_whose_density_ends_at_its_bounds():
    """A histogram has no density at its upper end, where a node may round to.

    Of the wider ones a part lies nearer to an end than numbers can tell.
    """
    flat = stats.rv_histogram((np.ones(4), np.linspace(2.0, 5.0, 5)))()
    for sd in (0.3, 1.0, 3.0, 5.0):
        one = mixture([1.0], [1.0], [sd], range_of(PROBIT, 2.0, 5.0))
        expected = one.information_gain(fmdn.Uniform(2.0, 5.0))
        assert one.information_gain(flat) == pytest.approx(expected, abs=1e-9)
