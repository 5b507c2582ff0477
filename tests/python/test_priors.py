"""Priors: draws, densities and refusals."""

import json
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from fmdn import LogUniform, Normal, Parameter, Prior, TruncatedNormal, Uniform
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

KINDS = {
    "uniform": Uniform(-3, 4.5),
    "normal": Normal(10, 0.3),
    "log_uniform": LogUniform(1e-3, 50),
    "gamma": stats.gamma(3, scale=4),
    "truncated": stats.truncnorm(-1, 2, loc=5, scale=3),
    "one_sided": TruncatedNormal(10, 4, low=6),
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
    assert np.abs(correlation).max() < 4.5 / math.sqrt(n)  # 66 pairs
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


@pytest.mark.parametrize(
    "one",
    [
        Uniform(-3, 4.5),
        Normal(10, 3),
        LogUniform(0.1, 50),
        TruncatedNormal(10, 4, 6, 11),
        Parameter(stats.gamma(3, scale=4)),
    ],
    ids=repr,
)
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


def test_far_in_a_tail():
    """The upper tail beyond 8 sd, against its closed forms."""
    one = TruncatedNormal(0, 1, low=8)
    log_tail = special.log_ndtr(-8.0)
    x = np.array([8.001, 8.1, 9.0, 12.0])
    log_density = -0.5 * x**2 - 0.5 * math.log(2 * math.pi) - log_tail
    np.testing.assert_allclose(one.logpdf(x), log_density, atol=1e-10, rtol=0)
    log_above = special.log_ndtr(-x) - log_tail
    np.testing.assert_allclose(one.sf(x), np.exp(log_above), rtol=1e-10)
    np.testing.assert_allclose(one.cdf(x), -np.expm1(log_above), atol=1e-10, rtol=0)
    # by arithmetic of 60 digits
    expected = [8.000123192649347, 8.0849110073915441, 8.8106527609207642]
    found = one.ppf(np.array([0.001, 0.5, 0.999]))
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    mean = math.exp(-32 - 0.5 * math.log(2 * math.pi) - log_tail)
    assert one.mean() == pytest.approx(mean, rel=1e-13)
    mirrored = TruncatedNormal(0, 1, high=-8)
    np.testing.assert_allclose(mirrored.sf(-found), [0.001, 0.5, 0.999], atol=1e-10)
    shifted = TruncatedNormal(100, 0.1, low=100.8)
    np.testing.assert_allclose(shifted.ppf(0.5), 100.80849110073915, rtol=1e-14)


@pytest.mark.parametrize("low", [-2.0, 0.3, 40.0])
def test_a_narrow_interval_is_almost_uniform(low):
    one = TruncatedNormal(0, 1, low, low + 1e-7)
    # the density changes by a factor of exp(-low * 1e-7) over the interval
    assert one.mean() - low == pytest.approx(0.5e-7, rel=1e-5)
    assert one.std() == pytest.approx(1e-7 / math.sqrt(12), rel=1e-5)


@pytest.mark.parametrize("one", [TruncatedNormal(3, 2, 1), TruncatedNormal(0, 1)])
def test_moments_of_a_truncated_normal(one):
    exact = stats.truncnorm((one.low - one.centre) / one.sd, np.inf)
    assert one.mean() == pytest.approx(one.centre + one.sd * exact.mean(), rel=1e-12)
    assert one.std() == pytest.approx(one.sd * exact.std(), rel=1e-12)


def test_joint_density_is_the_product():
    models = PRIOR.sample(5)
    expected = sum(KINDS[k].logpdf(models[:, j]) for j, k in enumerate(KINDS))
    np.testing.assert_array_equal(PRIOR.logpdf(models), expected)
    assert PRIOR.logpdf(models[0]) == expected[0]
    models[2, 0] = 4.6
    outside = PRIOR.logpdf(models) == -np.inf
    assert outside.tolist() == [False, False, True, False, False]


def test_what_a_prior_knows():
    prior = Prior(
        strike=Uniform(0, 360, period=360, unit="degrees"),
        depth=stats.gamma(3, scale=4),
        size=LogUniform(1, 30, unit="km", description="of the fault"),
        rake=Parameter(stats.vonmises(2), unit="rad", period=2 * math.pi),
    )
    assert prior.names == tuple(prior) == ("strike", "depth", "size", "rake")
    assert len(prior) == 4 and "depth" in prior
    assert prior.periods == (360, None, None, 2 * math.pi)
    assert prior.units == ("degrees", "", "km", "rad")
    assert prior.descriptions == ("", "", "of the fault", "")
    np.testing.assert_array_equal(prior.bounds[:3], [[0, 360], [0, np.inf], [1, 30]])
    with pytest.raises(KeyError, match="'dip'.*strike, depth, size"):
        prior["dip"]
    with pytest.raises(KeyError, match="no joint distribution.*there is none"):
        prior["strike", "depth"]
    assert repr(prior["strike"]) == "Uniform(0, 360, unit='degrees', period=360)"
    assert repr(prior["depth"]) == "Parameter(gamma(3, scale=4))"
    line = prior.summary()[2]
    assert line[:4] == ("size", "LogUniform", "km", 1.0)
    text = str(prior.summary())
    assert len(text.splitlines()) == 5 and text.splitlines()[3].endswith("of the fault")


CHANGED = [
    {"uniform": Uniform(-3, 4.25)},
    {"uniform": Uniform(-3, 4.5, unit="m")},
    {"uniform": Uniform(-3, 4.5, period=9)},
    {"normal": TruncatedNormal(10, 0.3)},
    {"gamma": stats.gamma(3, scale=4.5)},
    {"gamma": stats.gamma(3, 4)},
    {"gamma": stats.lognorm(3, scale=4)},
    {"one_sided": TruncatedNormal(10, 4, low=6, high=100)},
]


@pytest.mark.parametrize("change", CHANGED, ids=str)
def test_a_record_tells_priors_apart(change):
    again = pickle.loads(pickle.dumps(PRIOR))
    assert again == PRIOR and again.describe() == PRIOR.describe()
    np.testing.assert_array_equal(again.sample(4, seed=2), PRIOR.sample(4, seed=2))
    assert json.loads(json.dumps(PRIOR.describe(), allow_nan=False)) == PRIOR.describe()
    other = Prior(**(KINDS | change))
    assert other != PRIOR
    pairs = zip(other.describe(), PRIOR.describe(), strict=True)
    different = [one != two for one, two in pairs]
    assert different == [name in change for name in KINDS]


def test_order_matters():
    assert Prior(**dict(reversed(KINDS.items()))) != PRIOR
    one, same, other = Normal(1, 2), Normal(1.0, 2), Normal(1, 3)
    assert one == same and hash(one) == hash(same) and one != other


def test_distributions_of_unknown_inside_are_told_apart():
    histograms = [
        Prior(m=stats.rv_histogram((counts, [0, 1, 2]))())
        for counts in ([1, 2], [1, 2], [2, 1])
    ]
    assert histograms[0] == histograms[1] != histograms[2]
    (described,) = histograms[0].describe()
    assert described["kind"].endswith("rv_histogram")


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
        (lambda: Uniform(0, 1, description=3), TypeError, "description must be a text"),
        (lambda: LogUniform(1, 9, period=2), ValueError, "LogUniform: period 2 is"),
        (lambda: TruncatedNormal(0, -1), ValueError, "TruncatedNormal: sd must be pos"),
        (lambda: TruncatedNormal(0, 1, 2, 1), ValueError, "low must be below high"),
        (lambda: TruncatedNormal(0, 1, np.nan), ValueError, "low must be finite"),
        (lambda: TruncatedNormal(np.inf, 1), ValueError, "centre must be finite"),
        (lambda: TruncatedNormal(0, 1, 1e5), ValueError, "100000 sd away from the"),
        (lambda: Parameter(stats.gamma), TypeError, "Parameter needs a distribution"),
        (lambda: Parameter(Normal(0, 1)), TypeError, "takes unit, period and descr"),
        (lambda: Prior([("m", Normal(0, 1))]), TypeError, "{name: distribution}"),
        (lambda: Prior({3: Normal(0, 1)}), TypeError, "name or a tuple of names"),
        (lambda: Prior({(): Normal(0, 1)}), TypeError, "name or a tuple of names"),
        (lambda: Prior({"": Normal(0, 1)}), TypeError, "name or a tuple of names"),
        (
            lambda: Prior({"m": Normal(0, 1)}, m=Normal(0, 1)),
            ValueError,
            "'m' is there twice",
        ),
        (lambda: PRIOR.sample(-1), ValueError, "n must be at least 0, got -1"),
        (lambda: PRIOR.sample(1.5), TypeError, "n must be an integer, got 1.5"),
        (lambda: PRIOR.sample(1, seed=None), TypeError, "seed must be an integer"),
        (lambda: PRIOR.sample(1, start=-1), ValueError, "start must be at least 0"),
        (lambda: PRIOR.logpdf([1.0, 2.0]), ValueError, "models must have 6 columns"),
        (lambda: PRIOR.logpdf(1.0), ValueError, "models must have 6 columns"),
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
