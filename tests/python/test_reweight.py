"""Posteriors under another prior, by weights afterwards or in the training."""

import fmdn
import numpy as np
import pytest
from fmdn import MultivariateNormal, Normal, Prior, Uniform
from fmdn.information import LeakWarning
from ranges import NOTHING, gaussians, mixture

COVARIANCE = np.array([[0.3, 0.2], [0.2, 0.4]])


def test_reweighted_gaussian():
    """The ratio of Gaussians is one: closed forms for the posterior and the weights."""
    old, new = Normal(0, 1), Normal(0.5, 0.7)
    post = mixture([1.0], [0.3], [0.4], NOTHING)
    precision = 1 / 0.4**2 + 1 / 0.7**2 - 1
    mean = (0.3 / 0.4**2 + 0.5 / 0.7**2) / precision
    found = post.reweight(new, old)
    size = found.effective_size
    assert abs(found.mean()[0] - mean) < 4 * precision**-0.5 / np.sqrt(size)
    assert found.std()[0] == pytest.approx(precision**-0.5, rel=4 / np.sqrt(2 * size))
    # effective size: n / E[w^2], E[w] = 1, by a plain sum
    x = np.linspace(-5, 5, 4001)
    p, ratio = post.pdf(x), new.pdf(x) / old.pdf(x)
    share = (p * ratio).sum() ** 2 / ((p * ratio**2).sum() * p.sum())
    assert size / 1e4 == pytest.approx(share, rel=0.05)
    assert found.names == ("x",) and found.models.shape == (10_000, 1)


def test_reweighted_joint():
    post = gaussians([[0.5, -0.2], [0, 0]], np.tile(COVARIANCE, (2, 1, 1)))
    old = Prior(b=Normal(0, 1.5), a=Normal(0, 1))
    new = Prior({("b", "a"): MultivariateNormal([0, 0.5], np.diag([2.0, 0.5]))})
    precision = np.linalg.inv(COVARIANCE) - np.diag([1, 1 / 1.5**2])
    precision += np.diag([2, 0.5])
    found = post.reweight(new, old)
    for one, mean in zip(found, post.means[:, 0], strict=True):
        pull = np.linalg.solve(COVARIANCE, mean) + [2 * 0.5, 0]
        exact, cov = np.linalg.solve(precision, pull), np.linalg.inv(precision)
        error = np.sqrt(np.diag(cov) / one.effective_size)
        assert (np.abs(one.mean() - exact) < 4 * error).all()
        np.testing.assert_allclose(
            one.cov(), cov, atol=4 * cov.max() * np.sqrt(2 / one.effective_size)
        )


def test_reweighting_says_when_it_cannot_work():
    post = mixture([1.0], [0.9], [0.03], NOTHING)
    old = Uniform(0, 1)
    with pytest.warns(UserWarning, match="0.5 of the new prior lies where the old"):
        post.reweight(Uniform(0, 2), old, seed=3)
    with pytest.warns(UserWarning, match="the effective size is"):
        found = post.reweight(fmdn.TruncatedNormal(0.5, 0.04, 0, 1), old)
    assert found.effective_size < 300
    with pytest.warns(LeakWarning):
        mixture([1.0], [0.99], [0.03], NOTHING).reweight(Uniform(0, 1), old)
    with pytest.raises(ValueError, match="no model has any likelihood or weight"):
        post.reweight(Uniform(0, 0.1), old)


def test_reweighted_training():
    """Weights new/old in the loss give what reweighting gives, and the exact answer."""
    rng = np.random.default_rng(5)
    old, new, noise = Normal(0, 1), Normal(0.5, 0.7), 0.5
    models = old.sample(8000, seed=1)
    data = (models + noise * rng.normal(size=8000))[:, np.newaxis]
    settings = dict(n_members=3, hidden=5, kernels=1, max_iter=200)
    weights = new.pdf(models) / old.pdf(models)
    plain_one = fmdn.Committee(**settings).fit(data, models)
    weighted = fmdn.Committee(**settings).fit(data, models, sample_weight=weights)
    observed = np.array([[-0.5], [0.3], [1.2]])
    variance = 1 / (1 / noise**2 + 1 / 0.7**2)
    mean = variance * (observed[:, 0] / noise**2 + 0.5 / 0.7**2)
    later = plain_one.posterior(observed).reweight(new, old)
    before = weighted.posterior(observed)
    # of a network with p weights KL is p/2n on average, here 0.001 of n rows of
    # which the weights leave some 5000: 0.05 sd in the mean, 3.5 % in the sd; thrice
    sd = np.sqrt(variance)
    for found in (before.mean(), np.array([one.mean()[0] for one in later])):
        assert np.abs(found - mean).max() < 0.15 * sd
    for found in (before.std(), np.array([one.std()[0] for one in later])):
        assert np.abs(found / sd - 1).max() < 0.1
