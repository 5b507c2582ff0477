"""A posterior of one observation where SciPy, or a prior, takes a distribution."""

import pickle

import fmdn
import numpy as np
import pytest
from fmdn import Parameter, Prior
from ranges import EXAMPLES, PERIODIC, correlated, example, free, mixture, range_of
from scipy import stats
from scipy.stats import sampling

ALPHA = 1e-4  # of each test that draws; the seeds are fixed


@pytest.mark.parametrize("name", EXAMPLES)
def test_tests_of_scipy_take_it(name):
    post = example(name)
    start = post.support()[0]
    draws = post.rvs(size=2000, random_state=5)
    if post.period:
        draws = start + np.mod(draws - start, post.period)
    assert stats.kstest(draws, post.cdf).pvalue > ALPHA
    assert stats.cramervonmises(draws, post.cdf).pvalue > ALPHA
    wrong = draws + 0.3 * post.std()
    assert stats.kstest(wrong, post.cdf).pvalue < ALPHA
    (theory, ordered), (slope, _, r) = stats.probplot(draws, dist=post)
    assert r > 0.97 and slope == pytest.approx(1, abs=0.2)
    assert (np.diff(theory) >= 0).all() and (ordered == np.sort(draws)).all()


def test_resampling_takes_it():
    post = free([0.5, 0.5], [0.0, 3.0], [1.0, 0.5])
    result = stats.monte_carlo_test(
        post.rvs(200, 1), post.rvs, np.mean, n_resamples=199
    )
    assert result.pvalue > 0.001
    one = sampling.NumericalInversePolynomial(post, random_state=1)
    assert stats.kstest(one.rvs(500), post.cdf).pvalue > ALPHA
    # where scipy counts and where we do
    np.testing.assert_allclose(one.ppf([0.1, 0.7]), post.ppf([0.1, 0.7]), atol=1e-6)


def test_names_and_shapes_are_those_of_scipy():
    exact, post = stats.norm(2, 3), free([1.0], [2.0], [3.0])
    x, q = np.array([[-7.0, 0, 1], [2, 5, 30]]), np.array([0.001, 0.3, 0.99])
    for name in ("pdf", "logpdf", "cdf", "sf", "logcdf", "logsf"):
        found, expected = getattr(post, name)(x), getattr(exact, name)(x)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
        assert np.shape(getattr(post, name)(1.0)) == ()
    for name in ("ppf", "isf"):
        np.testing.assert_allclose(
            getattr(post, name)(q), getattr(exact, name)(q), rtol=1e-12
        )
    for name in ("mean", "median", "std", "var", "entropy"):
        found = getattr(post, name)()
        assert np.shape(found) == () and found == pytest.approx(getattr(exact, name)())
    assert post.interval(0.9) == pytest.approx(exact.interval(0.9))
    assert post.support() == exact.support()
    for moments in ("m", "mv", "mvsk", "sk"):
        np.testing.assert_allclose(
            post.stats(moments), exact.stats(moments), atol=1e-12
        )
    for order in (1, 2, 3, 4, 5):
        assert post.moment(order) == pytest.approx(exact.moment(order))
    assert post.logcdf(-1e200) == -np.inf


def test_stats_of_a_skew_mixture():
    post = free([0.2, 0.8], [5.0, 0.0], [2.0, 1.0])
    draws = post.sample(400_000)
    mean, variance, skewness, kurtosis = post.stats("mvsk")
    assert (mean, variance) == (post.mean(), post.var())
    # 4.5 sd of each over runs of this size, found from a hundred of them
    assert skewness == pytest.approx(stats.skew(draws), abs=0.03)
    assert kurtosis == pytest.approx(stats.kurtosis(draws), abs=0.1)


@pytest.mark.parametrize("name", EXAMPLES)
def test_expect(name):
    post = example(name)
    assert post.expect() == pytest.approx(post.mean(), rel=1e-7, abs=1e-8)
    assert post.expect(np.ones_like) == pytest.approx(1, abs=1e-9)
    a, b = post.quantile([0.2, 0.7])
    assert post.expect(np.ones_like, lb=a, ub=b) == pytest.approx(0.5, abs=1e-9)
    above = post.expect(lb=a, ub=b, conditional=True)
    assert a < above < b
    squares = post.expect(lambda x: (x - post.mean()) ** 2)
    assert squares == pytest.approx(post.var(), rel=1e-2 if "half" in name else 1e-6)


def test_rvs():
    post = example("free")
    np.testing.assert_array_equal(post.rvs(5, random_state=3), post.sample(5, seed=3))
    assert np.shape(post.rvs()) == () and post.rvs() != post.rvs()
    assert post.rvs(size=(2, 3), random_state=1).shape == (2, 3)
    one, same = (post.rvs(4, np.random.default_rng(8)) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    old = post.rvs(4, np.random.RandomState(8))
    assert old.shape == (4,) and not np.allclose(old, one)
    many = correlated([[1.0]] * 3, [[[0.0, 0.0]]] * 3, [[np.eye(2)]] * 3)
    assert many.rvs((4, 5), 1).shape == (3, 4, 5, 2)
    assert many.rvs(random_state=1).shape == (3, 2)


@pytest.mark.parametrize("name", EXAMPLES)
def test_posterior_is_the_next_prior(name):
    post = example(name)
    about = {"unit": "km"} | ({"period": post.period} if post.period else {})
    prior = Prior(x=Parameter(post, **about), y=fmdn.Uniform(0, 1))
    models = prior.sample(2000, seed=3)
    assert stats.kstest(models[:, 0], post.cdf).pvalue > ALPHA
    np.testing.assert_array_equal(prior.sample(5, seed=3), models[:5])
    low, high = prior.bounds[0]
    assert (low, high) == pytest.approx(tuple(map(float, post.support())))
    np.testing.assert_allclose(
        prior.logpdf(models[:9]), post.logpdf(models[:9, 0]), rtol=1e-12
    )
    assert prior["x"].mean() == pytest.approx(post.mean())
    again = pickle.loads(pickle.dumps(prior))
    np.testing.assert_array_equal(again.sample(5, seed=3), models[:5])
    assert again.describe() == prior.describe()
    other = Prior(x=Parameter(free([1.0], [0.0], [9.0]), unit="km"))
    assert other.describe()[0] != prior.describe()[0]


def test_learning_in_two_steps():
    """Half of the data after the other half teach what all of them do at once."""
    rng = np.random.default_rng(2)
    settings = {"n_members": 2, "hidden": 8, "kernels": 2, "max_iter": 200}

    def posterior(prior, n, observed, seed):
        models = Prior(x=prior).sample(20_000, seed=seed)
        data = models + rng.normal(size=(20_000, n))
        committee = fmdn.Committee(**settings, seed=1)
        inputs = data.mean(axis=1, keepdims=True)
        return committee.fit(inputs, models[:, 0], noise=0).posterior(observed)

    first = posterior(fmdn.Normal(0, 1), 1, [0.8], 1)
    second = posterior(first, 1, [1.4], 2)
    # of the Gaussian prior and two data: sum/3 and 1/sqrt(3)
    assert second.mean() == pytest.approx(2.2 / 3, abs=0.05)
    assert second.std() == pytest.approx(3**-0.5, rel=0.05)


def test_prior_on_a_circle():
    north = mixture([1.0], [359.0], [5.0], range_of(PERIODIC, 0, 360))
    prior = Prior(strike=Parameter(north, period=360))
    models = prior.sample(1000)[:, 0]
    assert models.min() < 359 < 361 < models.max() < 390
    committee = fmdn.Committee(n_members=1, hidden=3, kernels=1, max_iter=5)
    committee.fit(models[:, np.newaxis], models, prior=prior, noise=0)
    assert committee.posterior([360.0]).period == 360


def test_several_observations_or_targets_are_not_one_distribution():
    several = correlated([1.0], [[0.0, 0.0]], [np.eye(2)])
    with pytest.raises(ValueError, match="one target"):
        Prior(x=several)
    many = correlated([[1.0]] * 2, [[[0.0]]] * 2, [[[[1.0]]]] * 2).marginal("a")
    with pytest.raises(ValueError, match="one number"):
        Prior(x=many)
    with pytest.raises(ValueError, match="mvsk"):
        example("free").stats("mx")
    with pytest.raises(ValueError, match="one target"):
        several.expect()
