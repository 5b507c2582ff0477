"""Priors: draws, densities and refusals."""

import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from fmdn import LogUniform, Normal, Prior, Uniform
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

KINDS = {
    "uniform": Uniform(-3, 4.5),
    "normal": Normal(10, 0.3),
    "log_uniform": LogUniform(1e-3, 50),
    "gamma": stats.gamma(3, scale=4),
    "truncated": stats.truncnorm(-1, 2, loc=5, scale=3),
}
PRIOR = Prior(**KINDS)

bounds = st.tuples(
    st.floats(-1e6, 1e6), st.floats(1e-6, 1e6)
).map(lambda pair: (pair[0], pair[0] + pair[1]))  # fmt: skip


@given(first=st.integers(0, 40), n=st.integers(0, 40), seed=st.integers(0, 2**70))
def test_parts_make_up_the_whole(first, n, seed):
    whole = PRIOR.sample(first + n, seed=seed)
    assert whole.shape == (first + n, len(KINDS))
    parts = [PRIOR.sample(first, seed), PRIOR.sample(n, seed, start=first)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_far_ahead_is_reached_without_drawing_what_lies_before():
    assert np.isfinite(PRIOR.sample(2, start=10**15)).all()


def test_a_parameter_does_not_change_with_those_after_it():
    alone = Prior(uniform=KINDS["uniform"])
    np.testing.assert_array_equal(alone.sample(9)[:, 0], PRIOR.sample(9)[:, 0])
    np.testing.assert_array_equal(KINDS["uniform"].sample(9), PRIOR.sample(9)[:, 0])


def test_draws_are_the_same_in_every_version():
    # recorded once: stored runs are extended with these numbers
    recorded = [
        [0.21212740841070776, 0.1805903380482211],
        [0.8209948979440794, 0.1783703327970364],
        [0.6515832617891874, 0.03862339323770991],
    ]
    draws = Prior(a=Uniform(0, 1), b=Uniform(0, 1)).sample(3, seed=1)
    np.testing.assert_array_equal(draws, recorded)


@pytest.mark.parametrize("name", KINDS)
def test_draws_follow_the_distribution(name):
    draws = PRIOR.sample(20_000, seed=4)[:, PRIOR.names.index(name)]
    # a right sampler fails one seed in a thousand, and this seed is fixed
    assert stats.kstest(draws, PRIOR[name].cdf).pvalue > 1e-3
    error = PRIOR[name].std() / math.sqrt(len(draws))
    assert abs(draws.mean() - PRIOR[name].mean()) < 4 * error


def test_parameters_and_seeds_are_independent():
    n = 20_000
    ranks = [stats.rankdata(c) for s in (0, 1) for c in PRIOR.sample(n, seed=s).T]
    correlation = np.corrcoef(ranks) - np.eye(len(ranks))
    assert np.abs(correlation).max() < 4.5 / math.sqrt(n)  # 45 pairs
    following = PRIOR.sample(n)
    for column in following.T:
        assert abs(stats.spearmanr(column[:-1], column[1:])[0]) < 4 / math.sqrt(n)


@given(bounds)
@settings(max_examples=50)
def test_uniform_keeps_its_bounds(ends):
    one, (low, high) = Uniform(*ends), ends
    assert one.support() == ends
    draws = one.sample(1000)
    assert low <= draws.min() and draws.max() <= high
    np.testing.assert_array_equal(one.ppf(np.array([0, 1])), ends)
    # both bounds belong to the support, whatever high - low is rounded to
    np.testing.assert_allclose(one.logpdf(np.array(ends)), -math.log(high - low))
    outside = np.array([low - 0.01 * (high - low), high + 0.01 * (high - low)])
    assert (one.logpdf(outside) == -np.inf).all()


def test_densities_are_those_of_the_text_book():
    x = np.array([0.5, 1.0, 3.0])
    np.testing.assert_allclose(Uniform(0, 4).logpdf(x), -math.log(4))
    expected = -0.5 * ((x - 2) / 3) ** 2 - math.log(3 * math.sqrt(2 * math.pi))
    np.testing.assert_allclose(Normal(2, 3).logpdf(x), expected, rtol=1e-14)
    expected = -np.log(x * math.log(20))
    np.testing.assert_allclose(LogUniform(0.5, 10).logpdf(x), expected, rtol=1e-14)


@pytest.mark.parametrize("one", [Uniform(-3, 4.5), Normal(10, 3), LogUniform(0.1, 50)])
def test_functions_of_a_distribution_agree(one):
    low, high = one.ppf(np.array([1e-12, 1 - 1e-12]))

    def moment(power):
        integrand = lambda x: x**power * one.pdf(x)  # noqa: E731
        return integrate.quad(integrand, low, high, limit=200, epsabs=0)[0]

    assert moment(0) == pytest.approx(1, rel=1e-8)
    assert moment(1) == pytest.approx(one.mean(), rel=1e-8)
    assert moment(2) == pytest.approx(one.std() ** 2 + one.mean() ** 2, rel=1e-7)
    q = np.array([1e-6, 0.2, 0.5, 0.9])
    np.testing.assert_allclose(one.cdf(one.ppf(q)), q, rtol=1e-9)
    np.testing.assert_allclose(one.sf(one.ppf(q)), 1 - q, rtol=1e-9)
    assert one.median() == one.ppf(0.5)


def test_joint_density_is_the_product():
    models = PRIOR.sample(5)
    expected = sum(KINDS[k].logpdf(models[:, j]) for j, k in enumerate(KINDS))
    np.testing.assert_array_equal(PRIOR.logpdf(models), expected)
    assert PRIOR.logpdf(models[0]) == expected[0]
    models[2, 0] = 4.6
    assert (PRIOR.logpdf(models) == -np.inf).tolist() == [False] * 2 + [True] + [
        False
    ] * 2


def test_what_a_prior_knows():
    prior = Prior(
        strike=Uniform(0, 360, period=360, unit="degrees"),
        depth=stats.gamma(3, scale=4),
        size=LogUniform(1, 30, unit="km"),
    )
    assert prior.names == tuple(prior) == ("strike", "depth", "size")
    assert len(prior) == 3 and "depth" in prior
    assert prior.periods == (360, None, None)
    assert prior.units == ("degrees", "", "km")
    np.testing.assert_array_equal(prior.bounds, [[0, 360], [0, np.inf], [1, 30]])
    again = pickle.loads(pickle.dumps(prior))
    np.testing.assert_array_equal(again.sample(4, seed=2), prior.sample(4, seed=2))
    with pytest.raises(KeyError, match="'dip'.*strike, depth, size"):
        prior["dip"]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Uniform(1, 1), ValueError, "Uniform: low must be below high"),
        (lambda: Uniform("low", 1), TypeError, "Uniform: low must be a number"),
        (lambda: Uniform(0, np.nan), ValueError, "Uniform: high must be finite"),
        (lambda: Uniform(-1e308, 1e308), ValueError, "Uniform: low must be below"),
        (lambda: Uniform(0, 360, period=180), ValueError, "period 180 is shorter"),
        (lambda: Uniform(0, 1, period=-1), ValueError, "period must be positive"),
        (lambda: Uniform(0, 1, unit=3), TypeError, "unit must be a text"),
        (lambda: Normal(0, 0), ValueError, "Normal: sd must be positive"),
        (lambda: LogUniform(0, 1), ValueError, "LogUniform: both bounds"),
        (lambda: LogUniform(1, -1), ValueError, "LogUniform: both bounds"),
        (lambda: Prior(), ValueError, "at least one"),
        (lambda: Prior(m=Uniform), TypeError, "'m' needs a distribution with its"),
        (lambda: Prior(m=stats.gamma), TypeError, "'m' needs a distribution with its"),
        (lambda: Prior(m=(0, 1)), TypeError, "'m' must be Uniform"),
        (lambda: Prior(m=stats.poisson(3)), TypeError, "'m' must be Uniform.*logpdf"),
        (lambda: Prior(m=stats.norm([0, 1])), ValueError, "'m' is no distribution of"),
        (lambda: Prior(m=stats.norm(0, -1)), ValueError, "'m' is no distribution of"),
        (lambda: PRIOR.sample(-1), ValueError, "n must not be negative"),
        (lambda: PRIOR.sample(1.5), TypeError, "n must be a whole number"),
        (lambda: PRIOR.sample(1, seed=None), TypeError, "seed must be a whole number"),
        (lambda: PRIOR.sample(1, start=-1), ValueError, "start must not be negative"),
        (lambda: PRIOR.logpdf([1.0, 2.0]), ValueError, "models must have 5 columns"),
        (lambda: PRIOR.logpdf(1.0), ValueError, "models must have 5 columns"),
    ],
)
def test_refusals(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_import_stays_light():
    code = (
        "import sys, fmdn; fmdn.Prior(m=fmdn.Uniform(0, 1));"
        "print([m for m in ('scipy', 'matplotlib', 'tqdm') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.strip() == "[]", run.stderr
