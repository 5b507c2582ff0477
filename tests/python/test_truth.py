"""Trained committees against posteriors that are known exactly.

Tolerances come from the sampling error of the rows: a model with p coefficients that is
fitted to n rows errs by sqrt(p/n) of the posterior's sd in the mean and by sqrt(p/2n)
in the logarithm of the sd, and its divergence from the truth is p/2n nats on average.
Networks of ten hidden units behave like p = 5 to 10 for one input.
"""

import numpy as np
import pytest
from fmdn import Committee, GaussianNoise, Uniform
from reference import exact
from scipy import stats

# --- Linear and Gaussian --------------------------------------------------------------

NOISE = 0.5
GRID = np.linspace(-2, 2, 81)[:, np.newaxis]
SMALL = {"kernels": 1, "hidden": 10, "patience": 20}


def worst_errors(committee):
    """Of the mean, in the posterior's sd, and of the sd, relatively, for |d| <= 2."""
    one = np.eye(1)
    mean, cov = exact.linear_gaussian(np.zeros(1), one, one, [NOISE], GRID)
    sd = np.sqrt(cov[0, 0])
    post = committee.posterior(GRID)
    return (
        np.abs(post.mean() - mean[:, 0]).max() / sd,
        np.abs(post.std() / sd - 1).max(),
    )


def noisy_rows(n, seed):
    rng = np.random.default_rng(seed)
    models = rng.standard_normal(n)
    return (models + NOISE * rng.standard_normal(n))[:, np.newaxis], models


def fit_with_noise(n, replicas, seed, **settings):
    """Prior samples without noise, which the core adds: afresh for each replica."""
    models = np.tile(np.random.default_rng(seed).standard_normal(n), replicas)
    groups = np.tile(np.arange(n), replicas)
    committee = Committee(**settings, seed=seed)
    return committee.fit(models[:, np.newaxis], models, noise=NOISE, groups=groups)


def test_linear_gaussian_10_000_prior_samples(seed, times):
    for k in range(seed, seed + times(20)):
        mean_error, sd_error = worst_errors(fit_with_noise(10_000, 4, k, **SMALL))
        assert mean_error <= 0.06
        assert sd_error <= 0.04


def test_linear_gaussian_10_000_rows(seed, times):
    # One draw of the noise for all members: a cubic mean and a quadratic log sd, fitted
    # by maximum likelihood to as many rows, err by 3.4 +- 1.5 % and 2.3 +- 1.1 % at the
    # worst |d| <= 2 (300 sets of rows), and one set in eight exceeds a bound. The mean
    # of eight sets does not.
    errors = [
        worst_errors(Committee(**SMALL, seed=k).fit(*noisy_rows(10_000, k)))
        for k in range(seed, seed + 8 * times(10))
    ]
    mean_error, sd_error = np.mean(errors, axis=0)
    assert mean_error <= 0.06
    assert sd_error <= 0.04


def test_linear_gaussian_100_000_rows(seed, times):
    for k in range(seed, seed + times(5)):
        mean_error, sd_error = worst_errors(
            Committee(**SMALL, seed=k).fit(*noisy_rows(100_000, k))
        )
        assert mean_error <= 0.025
        assert sd_error <= 0.015


def test_default_committee_on_100_000_rows(seed, scale):
    if scale < 10:
        pytest.skip("half a minute: make test-long")
    committee = Committee(seed=seed).fit(*noisy_rows(100_000, seed))
    mean_error, sd_error = worst_errors(committee)
    assert mean_error <= 0.025
    assert sd_error <= 0.015


def test_information_is_neither_lost_nor_invented(seed):
    # I(m; d) = ln(1 + 1/s^2)/2. A network loses p/2n = 1e-3 nats; 10,000 rows that were
    # not trained on give the mean log density to sqrt(0.5/10,000) = 0.7 %.
    expected = 0.5 * np.log1p(1 / NOISE**2)
    committee = Committee(**SMALL, seed=seed).fit(*noisy_rows(10_000, seed))
    inputs, targets = noisy_rows(10_000, seed + 1000)
    log_ratio = committee.log_density(inputs, targets) - stats.norm.logpdf(targets)
    error = log_ratio.std() / 100
    assert abs(log_ratio.mean() - expected) < 4 * error + 0.003
    # KL(posterior || prior) is quadratic in d: sd 0.57 over the observations
    gains = committee.posterior(inputs[:2000]).information_gain(stats.norm())
    assert abs(gains.mean() - expected) < 4 * gains.std() / np.sqrt(2000) + 0.01


def test_noise_is_the_likelihood(seed):
    """Rows without noise teach a posterior without width."""
    inputs = np.random.default_rng(seed).standard_normal((2000, 1))
    settings = {"kernels": 1, "hidden": 5, "n_members": 3, "seed": seed}
    exactly = Committee(**settings).fit(inputs, inputs[:, 0])
    noisy = Committee(**settings).fit(inputs, inputs[:, 0], noise=GaussianNoise(NOISE))
    expected = NOISE / np.hypot(1, NOISE)
    assert exactly.posterior([1.0]).std() < 0.1 * expected
    # sqrt(10/2n) = 5 %
    assert abs(noisy.posterior([1.0]).std() / expected - 1) < 0.15


# --- Two targets that trade off -------------------------------------------------------

PRIOR_MEAN = np.array([7.0, -40.0])
PRIOR_COV = np.array([[0.09, 1.8], [1.8, 400.0]])
FORWARD = np.array([[3.0, 0.05], [3.0, -0.05], [0.0, 0.02]])
NOISE_SD = np.array([0.3, 2.0, 1.0])


def two_targets(n, seed):
    rng = np.random.default_rng(seed)
    targets = rng.multivariate_normal(PRIOR_MEAN, PRIOR_COV, n)
    return targets @ FORWARD.T, targets


@pytest.fixture(scope="module")
def joint(seed):
    """Committee, observations, and the models that they come from."""
    committee = Committee(n_members=5, **SMALL, seed=seed).fit(
        *two_targets(10_000, seed), noise=NOISE_SD, target_names=["a", "b"]
    )
    data, models = two_targets(2000, seed + 1000)
    return committee, GaussianNoise(NOISE_SD).add(data, seed=seed), models


def exact_joint(observed):
    return exact.linear_gaussian(PRIOR_MEAN, PRIOR_COV, FORWARD, NOISE_SD, observed)


def test_joint_posterior(joint):
    committee, observed, _ = joint
    mean, cov = exact_joint(observed)
    assert cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1]) < -0.7  # a problem worth solving
    post = committee.posterior(observed)
    # 11 coefficients if it were linear, some 50 as it is: 50/2n = 0.003
    assert exact.gaussian_divergence(mean, cov, post.mean(), post.cov()).mean() < 0.006
    bulk = np.abs(post.mean() - mean) / np.sqrt(np.diag(cov))
    assert np.quantile(bulk, 0.9) < 0.1
    correlation = post.cov()[:, 0, 1] / post.std().prod(axis=1)
    expected = cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1])
    # (1 - r^2) sqrt(10/n)
    assert np.quantile(np.abs(correlation - expected), 0.9) < 0.04


def test_marginals_and_conditionals_of_the_joint_posterior(joint):
    committee, observed, _ = joint
    mean, cov = exact_joint(observed[:50])
    post = committee.posterior(observed[:50])
    for i, name in enumerate("ab"):
        marginal = post.marginal(name)
        sd = np.sqrt(cov[i, i])
        assert np.median(np.abs(marginal.mean() - mean[:, i])) < 0.06 * sd
        assert np.median(np.abs(marginal.std() / sd - 1)) < 0.04
    given = -35.0
    slope = cov[0, 1] / cov[1, 1]
    expected = mean[:, 0] + slope * (given - mean[:, 1])
    sd = np.sqrt(cov[0, 0] - slope * cov[0, 1])
    conditional = post.conditional(b=given)
    assert np.median(np.abs(conditional.mean() - expected)) < 0.08 * sd
    assert np.median(np.abs(conditional.std() / sd - 1)) < 0.04


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_regions_of_highest_density_cover_the_truth(joint, level):
    committee, observed, models = joint
    n = len(models)
    post = committee.posterior(observed)
    samples = post.sample(400, seed=1)
    denser = post.logpdf(samples) > post.logpdf(models[:, np.newaxis])
    covered = np.mean(denser.mean(axis=1) < level)
    binomial = np.sqrt(level * (1 - level) / n)
    # an error of 2 % in the sd moves the coverage by up to 1.4 %
    assert abs(covered - level) < 3.5 * binomial + 0.014
    # against the exact regions on the same rows most of the binomial error cancels
    mean, cov = exact_joint(observed)
    offset = models - mean
    squared = np.einsum("ni,ij,nj->n", offset, np.linalg.inv(cov), offset)
    ideal = np.mean(squared < stats.chi2(2).ppf(level))
    assert abs(covered - ideal) < 0.03


# --- Bishop's inverse sine ------------------------------------------------------------

T = np.linspace(0, 1, 10_001)
BRANCHES = [0.2096, 0.5, 0.7904]  # t + 0.3 sin(2 pi t) = 0.5


def inverse_sine(half_width, seed, **settings):
    rng = np.random.default_rng(seed)
    t = rng.random(5000)
    noise = rng.uniform(-half_width, half_width, t.size)
    x = t + 0.3 * np.sin(2 * np.pi * t) + noise
    committee = Committee(n_members=5, seed=seed, **settings)
    return committee.fit(x[:, np.newaxis], t).posterior([0.5])


def test_three_kernels_find_the_three_branches(seed):
    post = inverse_sine(0.1, seed, kernels=3, hidden=20)
    for member in post.members:
        # the outer branches lean to the middle, where more of the noise's range is
        assert np.abs(np.sort(member.means) - BRANCHES).max() < 0.08
        assert member.weights.min() > 0.1
    # with Bishop's noise they touch: the exact posterior is flat from .15 to .85
    density = exact.inverse_sine(T, 0.5, 0.1)
    cdf = np.cumsum(density) / density.sum()
    # 350 rows within half the noise's range: 1.6/sqrt(350), and 0.04 for the corners
    assert np.abs(post.cdf(T) - cdf).max() < 0.13
    ends = T[density > 0][[0, -1]]
    assert post.prob(*ends) > 0.95


def test_branches_apart_are_kept_apart(seed):
    post = inverse_sine(0.05, seed, max_iter=300)
    density = exact.inverse_sine(T, 0.5, 0.05)
    gaps = [-np.inf, 0.345, 0.655, np.inf]
    for low, high in zip(gaps[:-1], gaps[1:], strict=True):
        here = (T > low) & (T < high)
        expected = np.trapezoid(density * here, T)
        # 500 rows within the width of the noise: sqrt(.25/500) = 2 %, and as much again
        # for edges that Gaussian kernels round off
        assert abs(post.prob(low, high) - expected) < 0.12
        inside = T[here & (density > 0)]
        peak = T[here][np.argmax(post.pdf(T[here]))]
        assert inside[0] < peak < inside[-1]
    assert max(post.pdf(0.345), post.pdf(0.655)) < 0.05 * post.pdf(T).max()
    # bumps apart, the region of highest density is the three branches
    middles = post.hpd(0.8).mean(axis=1)
    assert (np.interp(middles, T, density) > 0).all()
    assert set(np.digitize(middles, gaps)) == {1, 2, 3}


# --- The 'cursed' problem of Kaeufl et al. 2016, section 3 ----------------------------

M = np.linspace(-1, 1, 2001)


def test_references_of_the_cursed_problem():
    published = {  # d = 0.7: sd, density at 0 and 0.7, KL(posterior || prior)
        2: (0.5098, 0.454, 0.768, 0.159),
        5: (0.3401, 1.010, 0.140, 0.376),
        10: (0.2594, 1.443, 0.025, 0.628),
    }
    for n_dimensions, numbers in published.items():
        p = exact.distance_marginal(M, 0.7, n_dimensions)
        sd = np.sqrt(np.trapezoid(p * M**2, M))
        gain = exact.divergence(M, p, np.log(0.5))
        found = [sd, p[1000], np.interp(0.7, M, p), gain]
        np.testing.assert_allclose(found, numbers, atol=6e-4)
        at_zero = exact.distance_marginal(M, 0.0, n_dimensions)
        np.testing.assert_allclose(at_zero, stats.norm(0, 0.1).pdf(M), atol=1e-6)
    # and one of them by weighing prior samples: an effective number of 6e4, error 0.3 %
    models = np.random.default_rng(0).uniform(-1, 1, (500_000, 5))
    residual = 0.7 - np.linalg.norm(models, axis=1)
    weights = np.exp(-0.5 * (residual / 0.1) ** 2)
    sd = np.sqrt(np.average(models[:, 0] ** 2, weights=weights))
    assert abs(sd / published[5][0] - 1) < 0.015


def cursed(n_dimensions, n_members, seed):
    """Committee for the first coordinate of 5,000 models."""
    models = np.random.default_rng(seed).uniform(-1, 1, (5000, n_dimensions))
    distance = np.linalg.norm(models, axis=1)[:, np.newaxis]
    committee = Committee(n_members=n_members, hidden=(25, 50), kernels=3, seed=seed)
    committee.fit(distance, models[:, 0], noise=GaussianNoise(0.1))
    assert len(committee.history_) == n_members  # none failed
    return committee


def test_cursed_in_two_dimensions(seed, times):
    for k in range(seed, seed + times(20)):
        committee = cursed(2, 10, k)
        post = committee.posterior([0.7])
        density = post.pdf(M)
        for side in (M < 0, M > 0):
            assert 0.5 <= abs(M[side][np.argmax(density[side])]) <= 0.7
            assert density[side].max() > 1.3 * density[1000]  # 1.69 times in truth
        expected = exact.distance_marginal(M, 0.7, 2)
        assert exact.divergence(M, expected, post.logpdf(M)) < 0.05
        assert 0.1 <= committee.posterior([0.0]).std() <= 0.15
        assert committee.posterior([[0.7], [0.0]]).leaked(Uniform(-1, 1)).max() < 0.01


def test_cursed_in_five_dimensions(seed, times):
    for k in range(seed, seed + times(20)):
        committee = cursed(5, 10, k)
        assert abs(committee.posterior([0.7]).std() / 0.3401 - 1) < 0.08
        assert committee.posterior([0.0]).std() >= 0.1  # no sample there: broad


def test_cursed_in_ten_dimensions(seed, times):
    for k in range(seed, seed + times(20)):
        committee = cursed(10, 15, k)
        # two samples near either datum: broader than the truth, narrower than the prior
        assert 0.2594 <= committee.posterior([0.7]).std() <= 1 / np.sqrt(3)
        assert 0.1 <= committee.posterior([0.0]).std() <= 1 / np.sqrt(3)


# --- No information -------------------------------------------------------------------


def test_nothing_is_learnt_from_nothing(seed, times):
    prior = stats.gamma(3)
    for k in range(seed, seed + times(20)):
        rng = np.random.default_rng(k)
        models = prior.rvs(10_000, random_state=rng)
        data = models[:, np.newaxis] + rng.standard_normal((10_000, 3))
        committee = Committee(n_members=5, seed=k)
        committee.fit(data[:5000], rng.permutation(models[:5000]))
        held_out = rng.permutation(models[5000:])
        gain = committee.score(data[5000:], held_out) - prior.logpdf(held_out).mean()
        # the kernels' own 25 parameters cost 25/2n = 0.003 nats, and the error of the
        # held-out mean is 0.15/sqrt(5000) = 0.002
        assert abs(gain) < 0.02
        post = committee.posterior(data[5000:5500])
        assert post.information_gain(prior).mean() < 0.03
