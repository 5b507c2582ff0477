"""Calibration says yes to posteriors that are right, and no to others.

Posteriors are exact ones of linear Gaussian problems, or these made too narrow, too
wide, shifted, or with a wrong correlation; and mixtures that end and wrap. Right ones
are called wrong with a probability of one percent: of 100 seeds more than 5 in one of a
thousand runs.
"""

import numpy as np
import pytest
from fmdn import Normal, Uniform, calibration
from ranges import LOG_TRUNCATED, PERIODIC, PROBIT, TRUNCATED
from right_and_wrong import JOINT, N, in_ranges, one_target, two_targets
from scipy import stats


def outcomes(check):
    """p-values of all tests, of all together, and of what stands in the table."""
    p = check.p_values | {"all": check.p_value}
    for row in check.summary():
        if row.quantity.startswith(("bias", "spread", "excess", "coverage")):
            z = (row.value - row.expected) / row.error
            p[row.quantity] = 2 * stats.norm.sf(abs(z))
    return p


def rejections(make, seeds, prior=None, level=0.01):
    """How many seeds are called wrong by each test."""
    counts = {}
    for seed in seeds:
        check = calibration(*make(seed), prior, level=level, seed=seed)
        for name, value in outcomes(check).items():
            counts[name] = counts.get(name, 0) + (value <= level)
    return counts


# --- What is right, and what is not ---------------------------------------------------

PROBLEMS = {
    "one target": (lambda k, n: one_target(n, k), Normal(0, 1)),
    "two targets": (lambda k, n: two_targets(n, k), JOINT),
    "bounded": (lambda k, n: in_ranges(n, k, [TRUNCATED]), None),
    "periodic": (lambda k, n: in_ranges(n, k, [PERIODIC]), None),
    "log-uniform": (lambda k, n: in_ranges(n, k, [LOG_TRUNCATED]), None),
    "jointly": (lambda k, n: in_ranges(n, k, [PROBIT, PERIODIC]), None),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_exact_posteriors_are_called_calibrated(problem, seed, times):
    """Every test at its 1 % level; at full scale in 95 of 100 seeds and more."""
    make, prior = PROBLEMS[problem]
    free = "target" in problem
    seeds = range(seed, seed + times(100 if free else 30))
    allowed = stats.binom.ppf(0.999, len(seeds), 0.01)  # 5 of 100
    found = rejections(lambda k: make(k, N if free else 400), seeds, prior)
    assert {name: count for name, count in found.items() if count > allowed} == {}
    assert {"loss", "HPD", "TARP", "all"} < set(found)
    if problem == "one target":
        assert {"gain", "CRPS", "P±", "P+ - P-", "spread", "PIT m"} < set(found)


OF_WIDTH = {"PIT m", "HPD", "TARP", "loss", "gain", "CRPS", "P±", "spread"}
OF_WIDTH |= {"coverage of 90 %", "excess coverage"}
OF_SHIFT = {"PIT m", "P+ - P-", "bias"}


@pytest.mark.parametrize(
    "wrong, noticed, verdict",
    [
        ({"width": 0.8}, OF_WIDTH, "overconfident"),
        ({"width": 1.25}, OF_WIDTH, "cautious"),
        ({"shift": 0.3}, OF_SHIFT, "biased"),
        ({"shift": -0.3}, OF_SHIFT, "biased"),
    ],
)
def test_wrong_posteriors_are_noticed(wrong, noticed, verdict, seed, times):
    """20 % too narrow or shifted by 0.3 sd: effects of 5 standard errors and more."""
    seeds = range(seed, seed + times(20))
    counts = rejections(lambda k: one_target(N, k, **wrong), seeds, Normal(0, 1))
    assert {name for name in noticed | {"all"} if counts[name] < len(seeds)} == set()
    check = calibration(*one_target(N, seed, **wrong))
    assert check.verdict == verdict and not check.calibrated


def test_a_wrong_correlation_is_noticed_where_marginals_are_right(seed, times):
    seeds = range(seed, seed + times(20))
    counts = rejections(lambda k: two_targets(N, k, correlation=0.5), seeds)
    for name in ("a x b", "HPD", "loss", "all"):
        assert counts[name] == len(seeds), name
    allowed = stats.binom.ppf(0.999, len(seeds), 0.01)
    for name in ("PIT a", "PIT b", "CRPS a", "P± b", "P+ - P- a"):
        assert counts[name] <= allowed, name


@pytest.mark.parametrize("kinds", [[TRUNCATED], [PERIODIC], [PROBIT, PERIODIC]])
def test_narrow_ones_are_noticed_in_ranges(kinds, seed):
    check = calibration(*in_ranges(N, seed, kinds, width=0.8), seed=seed)
    p = check.p_values
    assert max(p["loss"], p["HPD"]) < 1e-4 and check.verdict == "overconfident"
    for name in check.posterior.target_names:
        label = f" {name}" if len(kinds) > 1 else ""
        assert p[f"PIT {name}"] < 0.01 and p[f"CRPS{label}"] < 1e-4


def test_turns_do_not_matter(seed):
    """Periodic truths may be given some turns further."""
    prior = Uniform(0, 360, period=360)
    posterior, truths = in_ranges(300, seed, [PERIODIC])
    here = calibration(posterior, truths, prior)
    turned = truths + 360 * (np.arange(300) % 3 - 1)[:, np.newaxis]
    there = calibration(posterior, turned, prior)
    for name, u in here.uniform.items():
        np.testing.assert_allclose(there.uniform[name], u, atol=1e-9)
    for name, score in here.scores.items():
        np.testing.assert_allclose(there.scores[name].values, score.values, atol=1e-9)
