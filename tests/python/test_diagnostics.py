"""Calibration says yes to posteriors that are right, and no to others.

Posteriors are exact ones of linear Gaussian problems, or these made too narrow, too
wide, shifted, or with a wrong correlation. Right ones are called wrong with a
probability of one percent: more than ALLOWED of n seeds in one of a thousand runs.
"""

import numpy as np
import pytest
from fmdn import (
    Inversion,
    Mixture,
    MultivariateNormal,
    Normal,
    Prior,
    Uniform,
    calibration,
    simulate,
)
from fmdn.calibration_tables import Calibrations
from reference import exact
from scipy import stats

N = 2000
NOISE = 0.5
SD = NOISE / np.hypot(1, NOISE)  # of the posterior
GAIN = 0.5 * np.log1p(1 / NOISE**2)  # mutual information, nats
FORWARD = np.array([[1.0, 1.0], [1.0, 0.9]])
PRIOR_COV = np.array([[1.0, 0.3], [0.3, 2.0]])
JOINT = Prior({("a", "b"): MultivariateNormal([0, 0], PRIOR_COV, units=("km", ""))})


def one_target(n, seed, width=1.0, shift=0.0, kernels=1):
    """Posteriors of m ~ N(0, 1) from m + noise, and the truths."""
    rng = np.random.default_rng(seed)
    truths = rng.standard_normal(n)
    observed = truths + NOISE * rng.standard_normal(n)
    means = observed / (1 + NOISE**2) + shift * SD
    shape = (n, kernels)
    return Mixture(
        np.full(shape, 1 / kernels),
        np.broadcast_to(means[:, np.newaxis, np.newaxis], (*shape, 1)),
        np.full((*shape, 1, 1), 1 / (width * SD)),
        single=False,
        one_target_axis=True,
        target_names=["m"],
    ), truths


def two_targets(n, seed, correlation=1.0):
    """Joint posteriors, their correlation multiplied by a number, and the truths."""
    rng = np.random.default_rng(seed)
    truths = rng.multivariate_normal([0, 0], PRIOR_COV, n)
    noise = np.array([0.5, 0.6])
    observed = truths @ FORWARD.T + noise * rng.standard_normal((n, 2))
    mean, cov = exact.linear_gaussian(np.zeros(2), PRIOR_COV, FORWARD, noise, observed)
    cov = cov * [[1, correlation], [correlation, 1]]
    factor = np.linalg.cholesky(np.linalg.inv(cov))
    return Mixture(
        np.ones((n, 1)),
        mean[:, np.newaxis],
        np.broadcast_to(factor, (n, 1, 2, 2)),
        single=False,
        one_target_axis=False,
        target_names=["a", "b"],
    ), truths


def rejections(make, seeds, level=0.01):
    """Per test, and of all together, how many seeds are called wrong."""
    counts = {}
    for seed in seeds:
        check = calibration(*make(seed), level=level, seed=seed)
        p = check.p_values | {"all": check.p_value}
        for name, value in p.items():
            counts[name] = counts.get(name, 0) + (value <= level)
    return counts


# --- What is right, and what is not ---------------------------------------------------


def test_exact_posteriors_are_called_calibrated(seed, times):
    seeds = range(seed, seed + times(100))
    allowed = stats.binom.ppf(0.999, len(seeds), 0.01)  # 5 of 100
    for make in (lambda k: one_target(N, k), lambda k: two_targets(N, k)):
        for name, count in rejections(make, seeds).items():
            assert count <= allowed, name


@pytest.mark.parametrize(
    "wrong, noticed, verdict",
    [
        ({"width": 0.8}, {"PIT m", "HPD", "TARP"}, "overconfident"),
        ({"width": 1.25}, {"PIT m", "HPD", "TARP"}, "cautious"),
        ({"shift": 0.3}, {"PIT m"}, "biased"),
        ({"shift": -0.3}, {"PIT m"}, "biased"),
    ],
)
def test_wrong_posteriors_are_noticed(wrong, noticed, verdict, seed, times):
    """20 % too narrow or shifted by 0.3 sd: effects of 5 standard errors and more."""
    seeds = range(seed, seed + times(20))
    counts = rejections(lambda k: one_target(N, k, **wrong), seeds)
    assert {name for name in noticed | {"all"} if counts[name] < len(seeds)} == set()
    check = calibration(*one_target(N, seed, **wrong))
    assert check.verdict == verdict and not check.calibrated


def test_a_wrong_correlation_is_noticed_where_marginals_are_right(seed, times):
    seeds = range(seed, seed + times(20))
    counts = rejections(lambda k: two_targets(N, k, correlation=0.5), seeds)
    assert counts["a x b"] == counts["HPD"] == counts["all"] == len(seeds)
    allowed = stats.binom.ppf(0.999, len(seeds), 0.01)
    assert counts["PIT a"] <= allowed and counts["PIT b"] <= allowed


@pytest.mark.parametrize("width, shift", [(1, 0), (0.8, 0), (1.5, 0), (1, 0.3)])
def test_bias_and_spread_are_those_that_were_put_in(width, shift, seed):
    check = calibration(*one_target(5 * N, seed, width, shift))
    bias, spread = check.bias["m"], check.spread["m"]
    assert abs(bias.value - -shift / width) < 4 * bias.error
    assert bias.error == pytest.approx(1 / width / np.sqrt(5 * N), rel=0.1)
    assert abs(spread.value - 1 / width) < 4 * spread.error
    # P(|truth - mean| < q sd) with q of the narrow, or wide, posterior
    expected = stats.norm.cdf(width * stats.norm.ppf(0.95) - shift) - stats.norm.cdf(
        -width * stats.norm.ppf(0.95) - shift
    )
    error = np.sqrt(expected * (1 - expected) / (5 * N))
    assert abs(check.coverage(0.9) - expected) < 4 * error + 1 / 500
    levels = np.linspace(0.001, 0.999, 999)
    z = stats.norm.ppf((1 + levels) / 2)
    curve = stats.norm.cdf(width * z - shift) - stats.norm.cdf(-width * z - shift)
    excess = check.excess_coverage
    assert abs(excess.value - (curve - levels).mean()) < 4 * excess.error


def test_loss_and_gain(seed):
    check = calibration(*one_target(5 * N, seed), Normal(0, 1))
    entropy = 0.5 * np.log(2 * np.pi * np.e * SD**2)
    assert abs(check.loss.value - entropy) < 4 * check.loss.error
    assert abs(check.gain.value - GAIN) < 4 * check.gain.error
    # KL(posterior || prior) has the mutual information as its mean
    gains = check[:N].information_gain
    assert abs(gains.mean() - GAIN) < 4 * gains.std() / np.sqrt(N)
    assert np.isnan(calibration(*one_target(N, seed)).gain.value)


def test_gain_of_joint_posteriors(seed):
    posterior, truths = two_targets(N, seed)
    expected = stats.multivariate_normal(np.zeros(2), PRIOR_COV).logpdf(truths)
    check = calibration(posterior, truths, JOINT)
    np.testing.assert_allclose(check.log_prior, expected)
    # the order of the prior is not that of the targets, nor are all of them targets
    independent = Prior(x=Uniform(0, 1), b=Normal(0, 2), a=Normal(1, 1))
    check = calibration(posterior, truths, independent)
    expected = stats.norm(1, 1).logpdf(truths[:, 0])
    expected = expected + stats.norm(0, 2).logpdf(truths[:, 1])
    np.testing.assert_allclose(check.log_prior, expected)


def test_the_same_seed_gives_the_same_and_kernels_do_not_matter():
    one = calibration(*one_target(500, 1), seed=3)
    again = calibration(*one_target(500, 1), seed=3)
    other = calibration(*one_target(500, 1), seed=4)
    for name, u in one.uniform.items():
        np.testing.assert_array_equal(u, again.uniform[name])
    assert (one.uniform["HPD"] != other.uniform["HPD"]).any()
    several = calibration(*one_target(500, 1, kernels=3), seed=3)
    np.testing.assert_allclose(several.uniform["PIT m"], one.uniform["PIT m"])
    np.testing.assert_allclose(several.crps, one.crps)


# --- Strata ---------------------------------------------------------------------------


def two_regimes(n, seed):
    """Posteriors that are right where their mean is negative, too narrow elsewhere."""
    posterior, truths = one_target(n, seed)
    factors = np.where(posterior.means[:, :1] > 0, 2.0, 1.0) / SD
    return Mixture(
        posterior.weights,
        posterior.means.reshape(n, 1, 1),
        factors.reshape(n, 1, 1, 1),
        single=False,
        one_target_axis=True,
        target_names=["m"],
    ), truths


def test_strata_find_where_it_is_wrong(seed):
    check = calibration(*two_regimes(2 * N, seed), Normal(0, 1), seed=seed)
    assert not check.calibrated
    low, high = check.by("m", 2).values()
    assert low.excess_coverage.value > -3 * low.excess_coverage.error - 0.01
    assert high.verdict == "overconfident"
    assert len(low) + len(high) == len(check)
    mask = check.posterior.mean() > 0
    part = check[mask]
    np.testing.assert_array_equal(part.truths, check.truths[mask])
    np.testing.assert_array_equal(part.posterior.mean(), check.posterior.mean()[mask])
    assert part.spread["m"].value == pytest.approx(2, rel=0.1)


def test_right_posteriors_are_right_in_groups_made_from_the_data(seed):
    check = calibration(*one_target(3 * N, seed), Normal(0, 1))
    groups = check.by("gain", 3)
    p = [one.p_value for one in groups.values()]
    assert min(p) > 0.001
    gains = [one.information_gain for one in groups.values()]
    assert gains[0].max() <= gains[1].min() and gains[1].max() <= gains[2].min()
    # and wrong in groups made from the truths: so it is said, and so it is
    assert not next(iter(check.by(check.truths[:, 0]).values())).calibrated


# --- An inversion ---------------------------------------------------------------------


def test_all_targets_of_an_inversion(seed):
    prior = Prior(x=Uniform(0, 1, unit="km"), y=Normal(0, 1), z=Normal(0, 1))
    mix = np.array([[1.0, 1, 0], [1, -1, 0], [0, 0, 1]])
    samples = simulate(prior, lambda m: m @ mix, 500, seed=seed, vectorised=True)
    inversion = Inversion(samples, 0.3, ["x", ("y", "z")], n_members=1, max_iter=5)
    test = simulate(prior, lambda m: m @ mix, 200, seed=seed + 1, vectorised=True)
    checks = calibration(inversion.fit().posterior(test.data), test, prior)
    assert isinstance(checks, Calibrations) and list(checks) == ["x", "y, z"]
    np.testing.assert_array_equal(checks["x"].truths[:, 0], test["x"])
    np.testing.assert_array_equal(checks["y, z"].truths, test.models[:, 1:])
    table = checks.summary()
    assert [row.n for row in table] == [200, 200]
    assert table[1].gain == checks["y, z"].gain.value
    text = str(table)
    assert "gain (nat)" in text and checks["x"].verdict in text
    assert "km" in str(checks["x"].summary())
    with pytest.raises(KeyError, match="no calibration of 'q'; there is x, y, z"):
        checks["q"]


def test_summary_says_what_the_properties_say(seed):
    check = calibration(*two_targets(500, seed), JOINT)
    rows = {row.quantity: row for row in check.summary()}
    assert rows["gain over the prior"][1:3] == tuple(check.gain)
    assert rows["bias of b"].value == check.bias["b"].value
    assert rows["bias of b"].p == check.p_values["PIT b"]
    assert rows["CRPS of a"].unit == "km" and rows["CRPS of b"].unit == ""
    assert rows["coverage of 90 %"].value == pytest.approx(100 * check.coverage(0.9))
    assert check.verdict in repr(check)


# --- Refusals -------------------------------------------------------------------------


def test_refusals():
    posterior, truths = one_target(100, 1)
    with pytest.raises(ValueError, match=r"truths must have shape \(100, 1\)"):
        calibration(posterior, truths[:99])
    with pytest.raises(ValueError, match="truths contains NaN at row 3"):
        calibration(posterior, np.where(np.arange(100) == 3, np.nan, truths))
    with pytest.raises(ValueError, match=r"shape \(1, 1\)"):
        calibration(posterior[0], truths[:1])
    with pytest.raises(ValueError, match="at least 20 observations, got 10"):
        calibration(posterior[:10], truths[:10])
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        calibration(posterior, truths, level=1)
    with pytest.raises(ValueError, match="the prior has no 'm'"):
        calibration(posterior, truths, Prior(x=Uniform(0, 1)))
    with pytest.raises(TypeError, match="must be a Prior"):
        calibration(*two_targets(100, 1), Normal(0, 1))
    check = calibration(posterior, truths)
    with pytest.raises(ValueError, match="need a prior"):
        check.by("gain")
    with pytest.raises(KeyError, match="no target 'depth'"):
        check.by("depth")
    with pytest.raises(ValueError, match="values must have 100 entries"):
        check.by(np.ones(3))
    with pytest.raises(ValueError, match="at least 20 observations, got 10"):
        check.by(truths, 10)
