"""Scores against slow and obvious ways to them; bands against simulations."""

import numpy as np
import pytest
from fmdn import Mixture, among_draws, scores, uniformity
from fmdn.ranges import Ranges
from fmdn.scores import Score
from scipy import stats


def mixtures(n, seed):
    """Posteriors of one target with kernels unlike each other."""
    rng = np.random.default_rng(seed)
    k = 4
    return Mixture(
        rng.dirichlet(np.ones(k), n),
        rng.normal(scale=2, size=(n, k, 1)),
        1 / np.exp(rng.uniform(-3, 1, size=(n, k, 1, 1))),
        single=False,
        one_target_axis=True,
        target_names=["x"],
    )


# --- CRPS -----------------------------------------------------------------------------


def test_crps_is_the_integral_over_the_cdf():
    posterior = mixtures(20, 0)
    truths = np.random.default_rng(1).normal(scale=3, size=20)
    found = scores.crps(posterior, truths)
    x = np.linspace(-40, 40, 800_001)
    for one, truth, value in zip(posterior, truths, found, strict=True):
        excess = one.cdf(x) - (x >= truth)
        assert value == pytest.approx(np.trapezoid(excess**2, x), rel=1e-4)


def test_crps_of_one_gaussian():
    """sd [z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi)] (Gneiting and Raftery 2007)."""
    z = np.linspace(-30, 30, 61)
    posterior = Mixture(
        np.ones((61, 1)),
        np.full((61, 1, 1), 7.0),
        np.full((61, 1, 1, 1), 1 / 2.0),
        single=False,
        one_target_axis=True,
        target_names=["x"],
    )
    exact = z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi)
    found = scores.crps(posterior, 7 + 2 * z)
    np.testing.assert_allclose(found, 2 * exact, rtol=1e-13)


def test_crps_of_other_distributions_is_integrated(monkeypatch):
    posterior = mixtures(300, 2)
    truths = np.random.default_rng(3).normal(scale=3, size=300)
    exact = scores.crps(posterior, truths)
    monkeypatch.setattr(Mixture, "space", "mapped")
    found = scores.crps(posterior, truths)
    error = np.abs(found / exact - 1)  # kernels far narrower than their distances
    assert error.max() < 1e-3 and np.median(error) < 1e-5


def test_many_rows_are_scored_in_blocks(monkeypatch):
    posterior = mixtures(100, 4)
    truths = np.random.default_rng(5).normal(size=100)
    whole = scores.crps(posterior, truths)
    monkeypatch.setattr(scores, "_BLOCK", 100)
    np.testing.assert_array_equal(scores.crps(posterior, truths), whole)


def wrapped(weights, means, sds, low=-1.0, period=4.0):
    """Posteriors (n, k) of a periodic target."""
    return Mixture(
        weights,
        means[..., np.newaxis],
        1 / sds[..., np.newaxis, np.newaxis],
        single=False,
        one_target_axis=True,
        target_names=["x"],
        ranges=Ranges(
            np.array([6], np.intc), np.array([low]), np.array([low + period])
        ),
    )


def circular_kernels(n, seed, narrowest=0.02):
    rng = np.random.default_rng(seed)
    sds = np.exp(rng.uniform(np.log(narrowest), np.log(0.8), size=(n, 3)))
    return rng.dirichlet(np.ones(3), n), rng.uniform(-9, 9, (n, 3)), sds


def test_crps_on_a_circle_is_that_of_distances_along_it():
    """E d(t, x) - E d(t, t')/2, d the distance along the circle, by Fourier series.

    d = P/4 - 2P/pi^2 sum over odd k of cos(2 pi k t/P)/k^2, so that the score is
    P/pi^2 times the sum of |phi_k - exp(2 pi i k x/P)|^2/k^2; what is left out after
    k_max is at most 2P/pi^2/k_max.
    """
    n, period = 200, 4.0
    weights, means, sds = circular_kernels(n, 8)
    truths = np.random.default_rng(9).uniform(-9, 9, n)
    found = scores.crps(wrapped(weights, means, sds), truths)
    k = np.arange(1, 40_001, 2) * 2 * np.pi / period
    for i in range(n):
        waves = np.exp(
            1j * k * means[i, :, np.newaxis] - 0.5 * (k * sds[i, :, None]) ** 2
        )
        apart = np.abs(weights[i] @ waves - np.exp(1j * k * truths[i])) ** 2
        exact = 4 / period * (apart / k**2).sum()
        assert found[i] == pytest.approx(exact, rel=1e-3, abs=3e-5)


def test_crps_on_a_circle_does_not_know_the_cut():
    weights, means, sds = circular_kernels(100, 10)
    truths = np.random.default_rng(11).uniform(-1, 3, 100)
    found = scores.crps(wrapped(weights, means, sds), truths)
    for turn, low in ((1.3, -1.0), (0.0, 2.1), (3.0, -1.0)):
        again = scores.crps(wrapped(weights, means + turn, sds, low), truths + turn)
        np.testing.assert_allclose(again, found, rtol=1e-3, atol=1e-6)
    far = scores.crps(
        wrapped(np.ones((1, 1)), *np.full((2, 1, 1), 1e-4)), np.array([2.0])
    )
    np.testing.assert_allclose(far, 2, rtol=1e-3)  # the longest way there is


def test_crps_of_a_narrow_posterior_near_the_truth_is_that_of_a_line():
    rng = np.random.default_rng(12)
    weights, means, sds = circular_kernels(50, 12)
    means, sds = 2.99 + 0.05 * rng.normal(size=means.shape), sds / 20
    truths = np.mod(2.99 + 0.05 * rng.normal(size=50) + 1, 4) - 1  # on both sides of 3
    found = scores.crps(wrapped(weights, means, sds), truths)
    line = wrapped(weights, means, sds)
    line._ranges = Ranges.free(1)
    exact = scores.crps(line, truths + 4 * (truths < 0))
    np.testing.assert_allclose(found, exact, rtol=2e-3)


# --- Near the truth -------------------------------------------------------------------


def test_near_truth_is_the_probability_on_either_side():
    posterior = mixtures(50, 6)
    truths = np.random.default_rng(7).normal(size=50)
    above, below = scores.near_truth(posterior, truths, 0.3)
    for i, (one, truth) in enumerate(zip(posterior, truths, strict=True)):
        assert above[i] == pytest.approx(one.cdf(truth + 0.3) - one.cdf(truth))
        assert below[i] == pytest.approx(one.cdf(truth) - one.cdf(truth - 0.3))


# --- Ranks ----------------------------------------------------------------------------


def test_level_of_a_gaussian_is_that_of_its_interval():
    """P(p(x) > p(truth)) = P(|x| < |truth|), to the error of 500 draws."""
    z = np.linspace(-3, 3, 400)
    posterior = Mixture(
        np.ones((400, 1)),
        np.zeros((400, 1, 1)),
        np.ones((400, 1, 1, 1)),
        single=False,
        one_target_axis=True,
        target_names=["x"],
    )
    level = among_draws.compare(posterior, z[:, np.newaxis])[0]["HPD"]
    exact = 2 * stats.norm.cdf(np.abs(z)) - 1
    error = np.sqrt(exact * (1 - exact) / among_draws.N_DRAWS) + 1 / among_draws.N_DRAWS
    assert (np.abs(level - exact) < 5 * error).all()
    assert np.abs(level - exact).mean() < error.mean()


def test_p_value_of_a_score(seed, times):
    """Means are as far from the promise as they should be, and no further."""
    rng = np.random.default_rng(seed)
    repeats = times(5000)
    for draw, mean, sd in (
        (lambda n: rng.exponential(size=n), 1, 1),
        (lambda n: rng.uniform(size=n) < 0.01, 0.01, np.sqrt(0.01 * 0.99)),
    ):
        n = 2000
        of_draws = np.full(n, mean), np.full(n, sd)
        p = np.array([Score(draw(n), *of_draws).p_value for _ in range(repeats)])
        for level in (0.01, 0.1, 0.5):
            error = np.sqrt(level * (1 - level) / repeats)
            assert abs((p <= level).mean() - level) < 4 * error + 0.15 * level
    assert Score(np.full(9, 2.0), np.full(9, 2.0), np.zeros(9)).p_value == 1
    assert Score(np.full(9, 2.1), np.full(9, 2.0), np.zeros(9)).p_value == 0
    assert Score(np.full(9, np.inf), np.zeros(9), np.ones(9)).p_value == 0


def test_blocks_draw_independently(monkeypatch):
    """The same posterior in each block, and other draws."""
    monkeypatch.setattr(scores, "_BLOCK", among_draws.N_DRAWS)
    posterior = mixtures(1, 8)[np.zeros(50, int)]
    truths = np.zeros((50, 1))
    levels = among_draws.compare(posterior, truths)[0]["HPD"]
    assert len(np.unique(np.round(levels * among_draws.N_DRAWS))) > 10


# --- Bands and tests ------------------------------------------------------------------


@pytest.mark.parametrize("n", [20, 300, 2000, 10**5])
@pytest.mark.parametrize("level", [0.01, 0.1])
def test_bands_hold_together(n, level, seed, times):
    """All bins, and all levels, of uniform numbers: the probability is as stated."""
    repeats = times(20_000)
    rng = np.random.default_rng([seed, n])
    counts = rng.multinomial(n, np.full(20, 0.05), size=repeats)
    shares = counts.cumsum(axis=1)[:, :-1] / n
    low, high = uniformity.histogram_band(n, level)
    out_of_bins = ((counts < low - 1e-9) | (counts > high + 1e-9)).any(axis=1).mean()
    low, high = uniformity.coverage_band(n, level)
    out_of_levels = ((shares < low - 1e-9) | (shares > high + 1e-9)).any(axis=1).mean()
    # counts are whole: with few of them the band may hold more often than stated
    error = np.sqrt(level * (1 - level) * (1 / repeats + 1 / uniformity.N_SIMULATED))
    slack = 4 * error
    assert out_of_bins < level + slack and out_of_levels < level + slack
    if n > 1000:
        assert out_of_bins > 0.8 * level - slack
        assert out_of_levels > 0.8 * level - slack


def test_p_values_are_what_they_say(seed, times):
    rng = np.random.default_rng(seed)
    repeats = times(5000)
    numbers = rng.uniform(size=(repeats, 1000))
    for test in (uniformity.histogram_test, uniformity.coverage_test):
        p = np.array([test(u) for u in numbers])
        for level in (0.01, 0.1, 0.5):
            error = np.sqrt(level * (1 - level) / repeats)
            assert (p <= level).mean() < level + 4 * error + 0.1 * level
            if level < 0.5:  # counts are whole, and so many end on the same p
                assert (p <= level).mean() > 0.85 * level - 4 * error


def test_test_and_band_say_the_same(seed):
    rng = np.random.default_rng(seed)
    agreed = 0
    for k in range(200):
        u = rng.beta(1, 1 + 0.004 * k, size=500)
        counts, shares = uniformity.histogram(u), uniformity.coverage(u)
        low, high = uniformity.histogram_band(500, 0.05)
        out = bool(((counts < low - 1e-9) | (counts > high + 1e-9)).any())
        agreed += out == (uniformity.histogram_test(u) < 0.05)
        low, high = uniformity.coverage_band(500, 0.05)
        out = bool(((shares < low - 1e-12) | (shares > high + 1e-12)).any())
        agreed += out == (uniformity.coverage_test(u) < 0.05)
    assert agreed >= 398  # p-values end on the band's edge now and then


def test_p_values_beyond_the_simulations_are_ordered():
    rng = np.random.default_rng(0)
    p = [uniformity.histogram_test(rng.beta(1, b, size=1000)) for b in (1.7, 2, 2.5)]
    assert 1e-4 > p[0] > p[1] > p[2] > 0


def test_the_ends_are_counted():
    assert uniformity.histogram([0.0, 1.0, 0.05, 0.049999]).tolist() == (
        [2, 1] + [0] * 17 + [1]
    )
