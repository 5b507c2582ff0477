"""Committees that know their prior: gradients, exact posteriors, joint targets."""

import fmdn
import numpy as np
import pytest
from fmdn.ranges import Ranges
from ranges import PERIODIC, PROBIT, mixture
from scipy import stats

SHORT = {"n_members": 2, "hidden": 8, "kernels": 3, "max_iter": 25}
CIRCLE = fmdn.Uniform(-90, 270, period=360)


# --- Training -------------------------------------------------------------------------


@pytest.mark.parametrize("covariance", ["isotropic", "diagonal", "full"])
@pytest.mark.parametrize(
    "prior",
    [
        [fmdn.Uniform(0, 1), fmdn.Normal(0, 1)],
        [stats.expon(), stats.weibull_max(1)],
        [fmdn.LogUniform(1, 9), stats.gamma(3)],
        [CIRCLE, fmdn.Uniform(0, 1)],
        [CIRCLE, fmdn.Uniform(0, 2, period=2)],
    ],
    ids=["bounded", "half-lines", "logarithms", "circle", "torus"],
)
def test_gradient(covariance, prior):
    rng = np.random.default_rng(2)
    targets = np.column_stack([one.ppf(rng.uniform(size=90)) for one in prior])
    inputs = rng.normal(size=(90, 2))
    committee = fmdn.Committee(covariance=covariance, **(SHORT | {"max_iter": 5}))
    committee.fit(inputs, targets, prior=prior)
    layout, parameters = committee.layout_, committee.parameters_.copy()
    _, gradient = fmdn.loss_gradient(layout, parameters, inputs, targets)
    first = fmdn._boundary.describe(layout, parameters).offset[0]
    for i in rng.choice(gradient.size, 25, replace=False):
        both = []
        for step in (1e-5, -1e-5):
            moved = parameters.copy()
            moved[first + i] += step
            both.append(fmdn.loss_gradient(layout, moved, inputs, targets)[0])
        assert gradient[i] == pytest.approx(
            (both[0] - both[1]) / 2e-5, abs=2e-8, rel=1e-6
        )


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_threads_change_no_bit_and_files_hold_all(covariance, tmp_path):
    rng = np.random.default_rng(3)
    prior = fmdn.Prior(
        strike=CIRCLE, dip=fmdn.Uniform(0, 90), depth=fmdn.LogUniform(1, 30)
    )
    targets = prior.sample(2000, seed=1)
    inputs = targets / [90, 30, 10] + 0.3 * rng.normal(size=targets.shape)
    one, two = (
        fmdn.Committee(covariance=covariance, n_threads=n, **SHORT).fit(
            inputs, targets, prior=prior
        )
        for n in (1, 2)
    )
    assert one.target_names_ == ["strike", "dip", "depth"]
    np.testing.assert_array_equal(one.parameters_, two.parameters_)
    one.save(tmp_path / "bounded.mdn")
    again = fmdn.load(tmp_path / "bounded.mdn").posterior(inputs[:3])
    posterior = one.posterior(inputs[:3])
    assert again.space == posterior.space
    np.testing.assert_array_equal(again.sample(5), posterior.sample(5))
    np.testing.assert_array_equal(again.mean(), posterior.mean())
    assert "target range" in (tmp_path / "bounded.mdn").read_text()


@pytest.mark.parametrize(
    ("prior", "forward", "sd", "piled_up"),
    [
        (fmdn.Uniform(2, 5), lambda m: m / 3, 0.15, True),
        (stats.expon(), lambda m: m, 0.7, True),
        (fmdn.LogUniform(0.01, 100), np.log, 1.0, True),
        (stats.gamma(3, scale=4), lambda m: m / 5, 1.0, False),
        (stats.lognorm(1), np.log, 0.7, False),
    ],
    ids=["uniform", "exponential", "log-uniform", "gamma", "log-normal"],
)
def test_exact_posterior(prior, forward, sd, piled_up, scale):
    """The yardstick of docs/bounds.md: KL to the truth, and the density at the end."""
    rng = np.random.default_rng(4)
    n = int(20_000 * scale)
    models = prior.ppf(rng.uniform(size=n))
    inputs = (forward(models) + sd * rng.normal(size=n))[:, np.newaxis]
    committee = fmdn.Committee(n_members=3, hidden=20, kernels=4, max_iter=300)
    committee.fit(inputs, models, prior=[prior])
    observed = np.quantile(inputs, np.linspace(0.01, 0.98, 14))[:, np.newaxis]
    posterior = committee.posterior(observed)
    # on a grid that is fine at the low end: the prior's quantiles of normal scores
    z = np.linspace(-5.2, 5.2, 6001)
    x = prior.ppf(stats.norm.cdf(z))
    log_exact = stats.norm.logpdf(observed, forward(x), sd) + prior.logpdf(x)
    exact = np.exp(log_exact - log_exact.max(axis=1, keepdims=True))
    exact /= np.trapezoid(exact, x)[:, np.newaxis]
    ours = posterior.logpdf(x)
    gap = np.trapezoid(exact * (np.log(np.maximum(exact, 1e-300)) - ours), x)
    # docs/bounds.md has less than 0.001 at 1e5 rows; a parameter costs 1/(2 n) nats
    assert gap.mean() < 0.002 + 60 / n
    if piled_up:
        high_there = exact[:, 0] > 0.5 * exact.max(axis=1)
        assert high_there.sum() >= 3
        ratio = np.exp(ours[high_there, 0]) / exact[high_there, 0]
        # 0.1 at 1e5 rows, of which each kernel at the end sees a tenth or fewer
        assert (np.abs(ratio - 1) < 0.05 + 25 / np.sqrt(n)).all()


# --- Several targets ------------------------------------------------------------------


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_joint_targets(covariance, scale):
    rng = np.random.default_rng(5)
    prior = fmdn.Prior(
        a=fmdn.Uniform(0, 1), angle=CIRCLE, g=stats.gamma(3), b=fmdn.LogUniform(0.1, 9)
    )
    targets = prior.sample(1500, seed=2)
    turned = np.radians(targets[:, 1] + 60 * targets[:, 0])
    inputs = np.column_stack(
        [
            targets[:, 0] + targets[:, 2] / 9,
            np.cos(turned),
            np.sin(turned),
            np.log(targets[:, 3]),
        ]
    )
    inputs += 0.2 * rng.normal(size=inputs.shape)
    committee = fmdn.Committee(covariance=covariance, **(SHORT | {"max_iter": 80}))
    committee.fit(inputs, targets, prior=prior)
    posterior = committee.posterior(inputs[7])
    n = int(20_000 * scale)
    samples = posterior.sample(n, seed=1)
    start = posterior.marginal("angle").support()[0]
    samples[:, 1] = start + np.mod(samples[:, 1] - start, 360)
    # means and covariances of samples, within five of their standard errors
    error = posterior.std() / np.sqrt(n)
    assert (np.abs(samples.mean(axis=0) - posterior.mean()) < 5 * error).all()
    scaled = (samples - posterior.mean()) / posterior.std()
    product = scaled[:, :, np.newaxis] * scaled[:, np.newaxis]
    correlation = posterior.cov() / np.outer(posterior.std(), posterior.std())
    error = product.std(axis=0) / np.sqrt(n)
    assert (np.abs(product.mean(axis=0) - correlation) < 6 * error).all()
    for i, name in enumerate(prior):
        marginal = posterior.marginal(name)
        assert stats.kstest(samples[:, i], marginal.cdf).pvalue > 1e-4
        assert marginal.mean() == pytest.approx(posterior.mean()[i], rel=1e-9)
    # p(a, angle, g, b) = p(angle) p(the others | angle)
    x = samples[:40].copy()
    x[:, 1] = samples[0, 1]
    others = posterior.conditional(angle=samples[0, 1])
    parts = others.logpdf(x[:, [0, 2, 3]]) + posterior.marginal("angle").logpdf(x[:, 1])
    # kernels of full covariance wider than a quarter of the circle: docs/bounds.md
    np.testing.assert_allclose(parts, posterior.logpdf(x), atol=1e-3)
    others = posterior.conditional(a=0.4, b=2.0)
    assert others.target_names == ["angle", "g"]
    x[:, 0], x[:, 3] = 0.4, 2.0
    ratio = posterior.logpdf(x) - others.logpdf(x[:, [1, 2]])
    assert np.ptp(ratio) < 1e-3
    best = posterior.mode()
    assert posterior.logpdf(best) > np.quantile(posterior.logpdf(samples[:500]), 0.98)
    assert posterior.logpdf([1.1, 0, 1, 1]) == -np.inf


def test_inversion_knows_its_prior():
    prior = fmdn.Prior(a=fmdn.Uniform(0, 1), b=CIRCLE)
    models = prior.sample(300, seed=0)
    samples = fmdn.Samples(models, models / [1, 90], prior=prior)
    inversion = fmdn.Inversion(
        samples, 0.2, targets=["a", ("a", "b"), {"c": lambda m: m[:, 0] ** 2}], **SHORT
    ).fit()
    posteriors = inversion.posterior([-1.0, 0.0])
    assert posteriors["a"].support() == (0, 1)
    assert posteriors["a", "b"]._ranges.kinds.tolist() == [PROBIT, PERIODIC]
    assert posteriors["c"].support() == (-np.inf, np.inf)  # nobody gave it any
    assert np.isfinite([row.gain for row in posteriors.summary()[:2]]).all()


# --- Misuse ---------------------------------------------------------------------------


def test_targets_outside_their_prior():
    inputs, targets = np.ones((40, 1)), np.linspace(0, 1, 80).reshape(40, 2)
    targets[17, 1] = 1.25
    prior = fmdn.Prior(a=fmdn.Uniform(0, 1), depth=fmdn.Uniform(0, 1))
    message = (
        r"^targets: 1\.25 at row 17, column 1 \('depth'\) lies outside its prior "
        r"Uniform\(0, 1\)"
    )
    with pytest.raises(ValueError, match=message):
        fmdn.Committee().fit(inputs, targets, prior=prior)
    fine = np.clip(targets, 0, 1)
    with pytest.raises(ValueError, match="monitor targets: 1.25 at row 17"):
        fmdn.Committee().fit(inputs, fine, prior=prior, monitor=(inputs, targets))
    # numbers that went through single precision are inside all the same
    fine[0, 0], fine[1, 0] = -1e-8, 1 + 6e-8
    committee = fmdn.Committee(**SHORT).fit(inputs, fine, prior=prior)
    assert committee.posterior([1.0]).marginal("a").support() == (0, 1)


def test_other_misuse():
    inputs, targets = np.ones((40, 1)), np.linspace(0, 1, 200).reshape(40, 5)
    circles = [fmdn.Uniform(0, 1, period=1)] * 5
    with pytest.raises(ValueError, match="at most 4 targets .* periodic, not 5"):
        fmdn.Committee().fit(inputs, targets, prior=circles)
    with pytest.raises(ValueError, match="prior must have 5 distributions, got 1"):
        fmdn.Committee().fit(inputs, targets, prior=circles[:1])
    with pytest.raises(TypeError, match="prior must be .* or a frozen"):
        fmdn.Committee().fit(inputs, targets[:, :1], prior=[3.0])
    box = mixture(
        [1.0],
        [0.5, 0.5],
        [1.0, 1.0],
        Ranges.of_priors([fmdn.Uniform(0, 1)] * 2, "diagonal"),
        "ab",
    )
    with pytest.raises(
        ValueError, match="given: a=2 lies outside the prior, from 0 to 1"
    ):
        box.conditional(a=2.0)
