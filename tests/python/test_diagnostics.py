"""What a calibration measures: its numbers, groups, tables, refusals."""

import numpy as np
import pytest
from fmdn import Inversion, Mixture, Normal, Prior, Uniform, calibration, simulate
from fmdn.calibration_tables import Calibrations
from reference import exact
from right_and_wrong import (
    FORWARD,
    GAIN,
    JOINT,
    PRIOR_COV,
    SD,
    N,
    one_target,
    two_targets,
)
from scipy import stats

# --- Numbers --------------------------------------------------------------------------


@pytest.mark.parametrize("shift, width", [(0, 1), (0.3, 1), (0, 0.8)])
def test_scores_and_promises_of_gaussians(shift, width, seed):
    """Entropy, sd/sqrt(pi), P(|x - x'| < width) of the posterior that is claimed."""
    check = calibration(*one_target(N, seed, width, shift), Normal(0, 1), seed=seed)
    sd = width * SD
    near = 0.05 * np.ptp(Normal(0, 1).ppf(np.array([0.005, 0.995])))
    promises = {
        "loss": 0.5 * np.log(2 * np.pi * np.e * sd**2),
        "CRPS": sd / np.sqrt(np.pi),
        "P±": 2 * stats.norm.cdf(near / sd / np.sqrt(2)) - 1,
        "P+ - P-": 0.0,
    }
    for name, expected in promises.items():
        score = check.scores[name]
        error = np.sqrt(np.square(score.sd).sum() / 50) / N  # of 50 draws and more
        assert abs(score.promise - expected) < 4 * error, name
    # -log p = z^2/2 + ..., with variance 1/2
    assert check.scores["loss"].sd.mean() == pytest.approx(np.sqrt(0.5), rel=0.02)
    kl = check.scores["gain"].expected
    error = check.scores["gain"].sd / np.sqrt(500)
    assert (np.abs(kl - check.information_gain) < 6 * error).all()


def test_rare_events_do_not_deceive(seed):
    """A prior so wide that nearly all of a posterior is near the truth."""
    wrong = 0
    for k in range(100):
        check = calibration(*one_target(300, seed + k), Uniform(-40, 40), seed=k)
        assert check.scores["P±"].promise > 0.999
        wrong += check.scores["P±"].p_value <= 0.01
    assert wrong <= stats.binom.ppf(0.999, 100, 0.01)


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
    of_prior = -check.scores["loss"].values - check.scores["gain"].values
    np.testing.assert_allclose(of_prior, expected)
    # its mean is the mutual information, and so is the mean promise
    log_det = np.linalg.slogdet
    cov = exact.linear_gaussian(
        np.zeros(2), PRIOR_COV, FORWARD, np.array([0.5, 0.6]), np.zeros((1, 2))
    )[1]
    mutual = 0.5 * (log_det(PRIOR_COV)[1] - log_det(cov)[1])
    assert abs(check.gain.value - mutual) < 4 * check.gain.error
    assert abs(check.information_gain.mean() - mutual) < 4 * check.gain.error
    assert [len(one) for one in check.by("gain").values()] == [667, 667, 666]
    # the order of the prior is not that of the targets, nor are all of them targets
    independent = Prior(x=Uniform(0, 1), b=Normal(0, 2), a=Normal(1, 1))
    check = calibration(posterior, truths, independent)
    expected = stats.norm(1, 1).logpdf(truths[:, 0])
    expected = expected + stats.norm(0, 2).logpdf(truths[:, 1])
    of_prior = -check.scores["loss"].values - check.scores["gain"].values
    np.testing.assert_allclose(of_prior, expected)


def test_the_same_seed_gives_the_same_and_kernels_do_not_matter():
    one = calibration(*one_target(500, 1), seed=3)
    again = calibration(*one_target(500, 1), seed=3)
    other = calibration(*one_target(500, 1), seed=4)
    for name, u in one.uniform.items():
        np.testing.assert_array_equal(u, again.uniform[name])
    assert (one.uniform["HPD"] != other.uniform["HPD"]).any()
    several = calibration(*one_target(500, 1, kernels=3), seed=3)
    np.testing.assert_allclose(several.uniform["PIT m"], one.uniform["PIT m"])
    np.testing.assert_allclose(several.scores["CRPS"].values, one.scores["CRPS"].values)


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


def test_right_posteriors_are_right_in_groups_made_from_the_data(seed, times):
    seeds = range(seed, seed + times(30))
    counts = np.zeros(3)
    for k in seeds:
        check = calibration(*two_targets(N, k), JOINT, seed=k)
        groups = list(check.by("a").values()), list(check.by("gain").values())
        counts += [check.p_value <= 0.01, *(
            min(one.p_value for one in part) <= 0.01 / 3 for part in groups
        )]  # fmt: skip
    assert counts.max() <= stats.binom.ppf(0.999, len(seeds), 0.01)
    check = calibration(*one_target(3 * N, seed), Normal(0, 1))
    groups = check.by("gain", 3)
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
    assert rows["gain"][1:3] == tuple(check.gain)
    assert rows["bias of b"].value == check.bias["b"].value
    assert rows["bias of b"].p == check.p_values["PIT b"]
    assert rows["CRPS a"].unit == "km" and rows["CRPS b"].unit == ""
    assert rows["CRPS a"].expected == check.scores["CRPS a"].promise
    assert rows["loss"].p == check.p_values["loss"]
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
