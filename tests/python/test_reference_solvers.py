"""Reference solvers and the predictive check on problems with known answers."""

import numpy as np
import pytest
from fmdn import (
    Mixture,
    MultivariateNormal,
    Normal,
    Prior,
    Samples,
    Uniform,
    predictive_check,
    simulate,
)
from fmdn.noise import CorrelatedNoise
from fmdn.reference import grid, importance, mcmc
from reference import exact
from scipy import stats

PRIOR = Prior(a=Normal(0, 1, unit="km"), b=Normal(1, 2))
FORWARD = np.array([[1.0, 1.0], [1.0, -0.5], [0.2, 0.3]])
NOISE = np.array([0.5, 0.8, 0.3])
OBSERVED = np.array([2.0, -0.5, 0.6])


def forward(models):
    return models @ FORWARD.T


@pytest.fixture(scope="module")
def truth():
    mean, cov = exact.linear_gaussian(
        np.array([0.0, 1]), np.diag([1.0, 4]), FORWARD, NOISE, OBSERVED[np.newaxis]
    )
    return mean[0], cov


def close(found, truth, size):
    """Mean, covariance and quantiles to the error of `size` independent draws."""
    mean, cov = truth
    sd = np.sqrt(np.diag(cov))
    assert (np.abs(found.mean() - mean) < 4 * sd / np.sqrt(size)).all()
    np.testing.assert_allclose(found.std(), sd, rtol=4 / np.sqrt(2 * size))
    correlation = found.cov()[0, 1] / found.std().prod()
    assert abs(correlation - cov[0, 1] / sd.prod()) < 4 / np.sqrt(size)
    for k, name in enumerate(found.names):
        q = stats.norm(mean[k], sd[k]).ppf([0.1, 0.9])
        assert (
            np.abs(found.quantile(name, [0.1, 0.9]) - q) < 7 * sd[k] / size**0.5
        ).all()


def test_importance(truth, seed):
    samples = simulate(PRIOR, forward, 100_000, seed=seed, vectorised=True)
    found = importance(samples, NOISE, OBSERVED)
    # prior volume over posterior volume, roughly: some thousands of 100,000
    assert 1000 < found.effective_size < 20_000
    assert found.weights.sum() == pytest.approx(1)
    close(found, truth, found.effective_size)
    drawn = found.sample(5000, seed=1)
    sd = found.std() / np.sqrt(min(5000, found.effective_size))
    assert (np.abs(drawn.mean(axis=0) - found.mean()) < 5 * sd).all()


def test_grid(truth):
    found = grid(PRIOR, forward, NOISE, OBSERVED, 200, vectorised=True)
    close(found, truth, 40_000)
    slow = grid(PRIOR, lambda m: FORWARD @ m, NOISE, OBSERVED, 30)
    fast = grid(PRIOR, forward, NOISE, OBSERVED, 30, vectorised=True)
    np.testing.assert_allclose(slow.weights, fast.weights, atol=1e-12)


def test_noise_may_be_correlated():
    """Weights are the density of the residuals, whatever the units."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(3, 3)) * [[1e-3], [1], [1e3]]
    covariance = root @ root.T
    data = rng.multivariate_normal(np.zeros(3), covariance, 50)
    found = importance(Samples(data, data), CorrelatedNoise(covariance), data[0])
    scaled = 1 / np.sqrt(np.diag(covariance))
    density = stats.multivariate_normal(None, covariance * np.outer(scaled, scaled))
    expected = density.pdf((data - data[0]) * scaled)
    np.testing.assert_allclose(found.weights, expected / expected.sum(), rtol=1e-6)


def test_mcmc(truth, seed):
    pytest.importorskip("emcee")
    settings = {"n_steps": 1500, "seed": seed, "vectorised": True}
    found = mcmc(PRIOR, forward, NOISE, OBSERVED, **settings)
    assert found.effective_size > 1000
    close(found, truth, found.effective_size / 2)  # estimated from a short chain
    again = mcmc(PRIOR, forward, NOISE, OBSERVED, **settings)
    np.testing.assert_array_equal(found.models, again.models)


def test_mcmc_stays_within_the_prior(seed):
    pytest.importorskip("emcee")
    prior = Prior(x=Uniform(0, 1))
    found = mcmc(prior, lambda m: m, 10.0, [0.5], n_steps=400, seed=seed)
    assert found.models.min() >= 0 and found.models.max() <= 1
    assert abs(found.mean()[0] - 0.5) < 5 * 0.29 / np.sqrt(found.effective_size)


def test_compare(truth):
    found = grid(PRIOR, forward, NOISE, OBSERVED, 200, vectorised=True)
    mean, cov = truth
    sd = np.sqrt(np.diag(cov))
    wide = Mixture(
        np.ones((1, 1)),
        (mean + [0, 0.5 * sd[1]]).reshape(1, 1, 2),
        np.linalg.cholesky(np.linalg.inv(cov * [[1, 1.5], [1.5, 2.25]]))[None, None],
        single=True,
        one_target_axis=False,
        target_names=["a", "b"],
    )
    pair = {name: wide.marginal(name) for name in wide.target_names}
    a, b = found.compare(pair | {"other": pair["a"]})
    assert a.shift == pytest.approx(0, abs=0.02) and b.shift == pytest.approx(
        0.5, abs=0.02
    )
    assert a.sd_ratio == pytest.approx(1, rel=0.02)
    assert b.sd_ratio == pytest.approx(1.5, rel=0.02)
    assert "sd ratio" in str(found.compare(pair))


def test_predictive_check(truth, seed):
    """Calibrated p-values where the model is right, none where it is not."""
    rng = np.random.default_rng(seed)
    models = rng.multivariate_normal(*truth, size=4000)
    right = predictive_check(models, forward, NOISE, OBSERVED, vectorised=True)
    assert 0.05 < right.p_value < 0.95 and right.chi2 < 2
    residual = (OBSERVED - right.data) / NOISE
    assert right.chi2 == pytest.approx((residual**2).sum(axis=1).mean() / 3)
    for k in range(3):
        predicted = np.sqrt(right.data[:, k].var() + NOISE[k] ** 2)
        expected = stats.norm(right.data[:, k].mean(), predicted).cdf(OBSERVED[k])
        assert abs(right.percentiles[k] / 100 - expected) < 4 * 0.5 / np.sqrt(4000)
    away = OBSERVED + [0, 0, 3]  # ten noise sd
    wrong = predictive_check(models, forward, NOISE, away, vectorised=True)
    assert wrong.p_value < 0.001 and wrong.percentiles[2] > 99.9
    one_by_one = predictive_check(models[:50], lambda m: FORWARD @ m, NOISE, OBSERVED)
    assert one_by_one.data.shape == (50, 3)


def test_predictive_p_values_are_rarely_small_and_notice_a_wrong_model(seed, times):
    """They lean to the middle (Meng 1994): at most twice as many below any level."""
    known = np.array([0.0, 1]), np.diag([1.0, 4])
    below, noticed, n = 0, 0, times(300)
    for k in range(n):
        rng = np.random.default_rng([seed, k])
        model = rng.multivariate_normal(*known)
        observed = FORWARD @ model + NOISE * rng.standard_normal(3)
        for wrong in (False, True):
            data = observed + wrong * np.array([0, 0, 10]) * NOISE
            mean, cov = exact.linear_gaussian(*known, FORWARD, NOISE, data[None])
            draws = rng.multivariate_normal(mean[0], cov, 200)
            check = predictive_check(
                draws, forward, NOISE, data, vectorised=True, seed=k
            )
            below += not wrong and check.p_value <= 0.01
            noticed += wrong and check.p_value <= 0.01
    assert below <= stats.binom.ppf(0.999, n, 0.02)
    assert noticed == n


def test_refusals():
    samples = Samples(np.zeros((5, 1)), np.full((5, 2), 1e200))
    with pytest.raises(ValueError, match="no model has any likelihood"):
        importance(samples, 1e-3, [0.0, 0.0])
    with pytest.raises(ValueError, match="observed has 3 channels, the simulations 2"):
        importance(samples, 1.0, [0.0, 0.0, 0.0])
    with pytest.raises(TypeError, match="likelihood of .*Function.* is not known"):
        importance(samples, lambda rng, data, models: data, [0.0, 0.0])
    with pytest.raises(ValueError, match="channel 1 has none"):
        importance(samples, [1.0, 0.0], [0.0, 0.0])
    many = Prior(**{f"p{i}": Uniform(0, 1) for i in range(4)})
    with pytest.raises(ValueError, match="up to three parameters"):
        grid(many, forward, 1.0, [0.0])
    joint = Prior({("a", "b"): MultivariateNormal([0, 0], np.eye(2))})
    with pytest.raises(ValueError, match="needs independent parameters"):
        grid(joint, forward, 1.0, [0.0])
    with pytest.raises(KeyError, match="no parameter 'q'"):
        importance(Samples(np.zeros((5, 1)), np.zeros((5, 1))), 1.0, [0.0])["q"]
    with pytest.raises(
        ValueError, match=r"shape \(4, 3\), but there are 4 models and 2"
    ):
        predictive_check(np.ones((4, 2)), forward, 1.0, [0, 0], vectorised=True)
