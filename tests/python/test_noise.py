"""Noise models: what they draw, and that it is the likelihood of the posterior."""

import warnings

import numpy as np
import pytest
from fmdn import (
    Committee,
    CorrelatedNoise,
    FunctionNoise,
    GaussianNoise,
    Inversion,
    LogUniform,
    Normal,
    Prior,
    RecordedNoise,
    Samples,
    ScaledNoise,
    Uniform,
)
from fmdn.inputs import Treatment
from fmdn.noise import as_noise
from scipy import stats

G = np.array([1.0, 0.8, -0.6])  # data = G m + noise, m ~ N(0, 1)
COVARIANCE = np.array([[0.5, -0.4, 0.0], [-0.4, 0.5, 0.1], [0.0, 0.1, 0.3]])
SETTINGS = dict(n_members=3, hidden=8, kernels=1, max_iter=200, seed=1)
N = 8000  # 6480 train: sampling alone moves the mean by 3 % of an sd, the sd by 1 %


@pytest.fixture(scope="module")
def models():
    return np.random.default_rng(3).standard_normal((N, 1))


# --- What is drawn --------------------------------------------------------------------


def test_correlated_noise_has_the_covariance_it_says():
    n = 40_000
    noise = CorrelatedNoise(COVARIANCE).add(np.ones((n, 3)), seed=1) - 1
    found = noise.T @ noise / n
    # variance of a product of Gaussians: (c_ii c_jj + c_ij^2)/n
    size = np.diag(COVARIANCE)
    error = np.sqrt((np.outer(size, size) + COVARIANCE**2) / n)
    assert (np.abs(found - COVARIANCE) < 4 * error).all()
    # semi-definite is fine: channels that have the same error
    same = CorrelatedNoise(np.ones((2, 2))).add(np.zeros((100, 2)))
    np.testing.assert_allclose(same[:, 0], same[:, 1], atol=1e-12)
    axes = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0]])
    np.testing.assert_allclose(
        CorrelatedNoise(COVARIANCE).projected(axes).covariance,
        axes @ COVARIANCE @ axes.T,
    )
    np.testing.assert_allclose(
        GaussianNoise([1, 2, 3]).projected(axes).covariance,
        axes @ np.diag([1, 4, 9]) @ axes.T,
    )


def test_records_are_drawn_whole_and_evenly():
    records = np.arange(12.0).reshape(4, 3)
    n = 4000
    noisy = RecordedNoise(records).add(np.full((n, 3), 100.0), seed=2) - 100
    which = noisy[:, 0] // 3
    np.testing.assert_allclose(noisy, records[which.astype(int)])
    counts = np.bincount(which.astype(int), minlength=4)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_the_level_goes_with_the_noise():
    noise = ScaledNoise(LogUniform(0.01, 10), [1.0, 0.0, 3.0])
    n = 20_000
    noisy = noise.add(np.zeros((n, 3)), seed=1)
    assert noisy.shape == (n, 4)
    level = np.exp(noisy[:, 3])
    expected = stats.uniform(np.log(0.01), np.log(1000))
    assert stats.kstest(np.log(level), expected.cdf).pvalue > 1e-4
    assert (noisy[:, 1] == 0).all()
    z = noisy[:, [0, 2]] / level[:, None] / [1, 3]
    assert stats.kstest(z.ravel(), stats.norm.cdf).pvalue > 1e-4
    assert abs(np.corrcoef(np.abs(z[:, 0]), level)[0, 1]) < 4 / np.sqrt(n)
    np.testing.assert_array_equal(
        noise.append([1.0, 2.0, 3.0], 0.5), [1, 2, 3, np.log(0.5)]
    )
    assert noise.append(np.ones((2, 3)), [1.0, 2.0])[1, 3] == np.log(2)
    with pytest.raises(ValueError, match="level must be positive, got 0"):
        noise.append([1.0, 2.0, 3.0], 0.0)


def test_numbers_and_functions_are_noise():
    assert as_noise(None) is None
    assert isinstance(as_noise(0.5), GaussianNoise)
    assert isinstance(as_noise([0.5, 1]), GaussianNoise)
    function = as_noise(lambda rng, data, models: data + models)
    assert isinstance(function, FunctionNoise)
    assert function.add([1.0, 2.0], models=[[3.0]]).tolist() == [4, 5]


# --- The posterior is that of the noise -----------------------------------------------


def trained(samples, noise, **options):
    settings = SETTINGS | options.pop("settings", {})
    return Committee(**settings).fit(samples * G, samples[:, 0], noise=noise, **options)


@pytest.mark.parametrize("components", [None, 2])
def test_correlations_count(models, components):
    if components:  # of data that fill two dimensions
        rng = np.random.default_rng(4)
        data = models * G + rng.standard_normal((N, 1)) * [0.3, -0.3, 0.1]
        committee = Committee(**SETTINGS).fit(
            data, models[:, 0], noise=CorrelatedNoise(COVARIANCE), components=2
        )
        other = np.array([0.3, -0.3, 0.1])
        covariance = COVARIANCE + np.outer(other, other)
        axes = committee.parameters_[3:9].reshape(3, 2).T  # after the centre
        g, covariance = axes @ G, axes @ covariance @ axes.T
        observed = np.array([0.9, -0.4, 0.3])
        seen = axes @ (observed - data.mean(axis=0))
    else:
        committee = trained(models, CorrelatedNoise(COVARIANCE))
        observed = seen = np.array([0.9, -0.4, 0.3])
        g, covariance = G, COVARIANCE
    weights = np.linalg.solve(covariance, g)
    sd = (1 + g @ weights) ** -0.5
    post = committee.posterior(observed)
    assert abs(post.mean() - sd**2 * weights @ seen) < 5 * 0.03 * sd
    assert abs(post.std() / sd - 1) < 0.06
    if not components:  # which is not that of independent errors
        independent = (1 + (g**2 / np.diag(covariance)).sum()) ** -0.5
        assert abs(independent / sd - 1) > 0.15


def test_records_make_the_posterior_they_ask_for(models):
    """Noise of +1 or -1, smeared by 0.2: the posterior has two modes."""
    rng = np.random.default_rng(5)
    sign = rng.choice([-1.0, 1.0], size=(20_000, 1))
    records = sign + 0.2 * rng.standard_normal((20_000, 3))
    settings = {"kernels": 3, "hidden": 12, "max_iter": 400}
    data = 0.5 * models * np.ones(3)
    post = (
        Committee(**SETTINGS | settings)
        .fit(data, models[:, 0], noise=RecordedNoise(records))
        .posterior(np.array([0.1, 0.2, 0.0]))
    )
    m = np.linspace(-5, 5, 4001)
    likelihood = sum(
        np.exp(
            -0.5
            * ((np.array([0.1, 0.2, 0.0]) - 0.5 * m[:, None] - s) ** 2 / 0.04).sum(
                axis=1
            )
        )  # fmt: skip
        for s in (-1, 1)
    )
    exact = likelihood * stats.norm.pdf(m)
    exact /= np.trapezoid(exact, m)
    kl = np.trapezoid(exact * (np.log(exact + 1e-300) - post.logpdf(m)), m)
    # 5 parameters of a density from the 6480 rows that are near it by a tenth: 5/1300
    assert 0 <= kl < 0.05
    assert post.prob(-1, 1) < 0.05  # between the modes at +-1.8


def test_noise_that_depends_on_models(scale):
    """The target is a; the size of the noise is b, which only the models know."""
    n = round(6000 * max(1, scale))
    prior = Prior(a=Normal(0, 1), b=Uniform(0.1, 1.9))
    models = prior.sample(n, seed=2)
    samples = Samples(models, models[:, :1].copy(), prior=prior)

    def noise(rng, data, models):
        return data + models[:, 1:] * rng.standard_normal(data.shape)

    settings = dict(n_members=3, hidden=12, kernels=4, max_iter=300, seed=1)
    inversion = Inversion(samples, noise, ["a"], replicate=2, **settings).fit()
    post = inversion.posterior([2.5])["a"]
    a = np.linspace(-5, 5, 2001)
    b = np.linspace(0.1, 1.9, 400)[:, None]
    exact = stats.norm.pdf(a) * stats.norm.pdf(2.5, a, b).mean(axis=0)
    exact /= np.trapezoid(exact, a)
    assert np.trapezoid(exact * np.log(exact / post.pdf(a)), a) < 0.02
    # noise of the mean size would be wrong by far more
    wrong = stats.norm.pdf(a) * stats.norm.pdf(2.5, a, 1.0)
    wrong /= np.trapezoid(wrong, a)
    assert np.trapezoid(exact * np.log(exact / wrong), a) > 0.1


def test_the_level_of_an_observation_counts(models):
    noise = ScaledNoise(LogUniform(0.1, 3), 1.0)
    settings = {"hidden": 12, "max_iter": 400}
    committee = trained(models, noise, settings=settings, replicate=2)
    assert committee.n_features_in_ == 4
    assert committee.input_names_[-1] == "log noise level"
    for level in (0.15, 0.5, 2.0):
        observed = np.array([0.9, 0.4, -0.4])
        sd = (1 + G @ G / level**2) ** -0.5
        post = committee.posterior(noise.append(observed, level))
        assert abs(post.std() / sd - 1) < 0.1, level
        assert abs(post.mean() - sd**2 * G @ observed / level**2) < 0.25 * sd, level
    with pytest.raises(ValueError, match="3 features, but Committee is expecting 4"):
        committee.posterior([1.0, 2.0, 3.0])


# --- Warned of, and refused -----------------------------------------------------------


def test_few_rows_with_a_noise_function_spare_none_to_weigh():
    """With sizes left to `fit` all of 60 rows train, and members count the same."""
    x = np.linspace(-1, 1, 60)

    def noise(rng, data, models):
        return data + 0.05 * models * rng.standard_normal(data.shape)

    committee = Committee(n_members=3, max_iter=20, n_threads=1)
    committee.fit(x[:, np.newaxis], x**2, noise=noise, models=np.ones((60, 1)))
    assert committee.weights_ == pytest.approx(np.full(3, 1 / 3), abs=1e-15)


def test_no_noise_is_warned_of_once():
    rng = np.random.default_rng(1)
    prior = Prior(a=Normal(0, 1), b=Normal(0, 1))
    models = prior.sample(50, seed=1)
    samples = Samples(models, models + rng.standard_normal((50, 2)), prior=prior)
    quick = dict(n_members=1, kernels=1, max_iter=2)
    with pytest.warns(UserWarning, match="count as exact") as caught:
        Inversion(samples, **quick).fit()
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Inversion(samples, noise=0, **quick).fit()
        Committee(**quick).fit(samples.data, samples["a"])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: CorrelatedNoise([[1, 2]]), ValueError, r"square, got shape \(1, 2\)"),
        (lambda: CorrelatedNoise([[1, 0], [1, 1]]), ValueError, "symmetric"),
        (lambda: CorrelatedNoise([[1, 2], [2, 1]]), ValueError, "negative eigenvalues"),
        (lambda: CorrelatedNoise([[np.nan]]), ValueError, "covariance must be finite"),
        (lambda: CorrelatedNoise([["a"]]), TypeError, "covariance must be numbers"),
        (lambda: RecordedNoise([1.0]), ValueError, r"\(n_records, n_data\)"),
        (
            lambda: RecordedNoise([[1.0], [np.inf]]),
            ValueError,
            "record 1 is not finite",
        ),
        (lambda: FunctionNoise(3), TypeError, "must be a function"),
        (lambda: ScaledNoise(0.1), TypeError, "level must be a distribution"),
        (lambda: ScaledNoise(Uniform(-1, 1)), ValueError, "must be positive.*-1"),
        (lambda: ScaledNoise(Uniform(0, 1), None), TypeError, "makes no sense"),
        (lambda: Treatment(replicate=2), ValueError, "replicate=2 needs noise"),
        (lambda: Treatment(0.1, replicate=0), ValueError, "replicate must be at least"),
    ],
)
def test_noise_that_makes_no_sense(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ([1, 2], "sd has 2 entries but the data have 3 channels"),
        (CorrelatedNoise(np.eye(2)), "of 2 channels but the data have 3"),
        (RecordedNoise(np.ones((5, 2))), "records have 2 channels but.* have 3"),
        (ScaledNoise(Uniform(0, 1), [1, 2]), "2 entries but the data have 3"),
        (
            lambda rng, data, models: data[:, :2],
            r"\(\d+, 3\), but gave \(\d+, 2\)",
        ),
        (lambda rng, data, models: data / 0, "data that are not finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_noise_that_does_not_fit_the_data(models, noise, message):
    with pytest.raises(ValueError, match=message):
        trained(models[:100], noise)
