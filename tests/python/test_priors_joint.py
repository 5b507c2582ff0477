"""Joint priors: draws, densities, marginals and refusals."""

import json
import math
import pickle

import numpy as np
import pytest
from fmdn import (
    GaussianNoise,
    GivenModels,
    Inversion,
    LogUniform,
    MultivariateNormal,
    Normal,
    Prior,
    TruncatedNormal,
    Uniform,
    simulate,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

MEAN = [1.0, -2.0, 300.0]
COVARIANCE = [[4.0, 1.0, 0.0], [1.0, 9.0, -20.0], [0.0, -20.0, 100.0]]
NORMAL = MultivariateNormal(MEAN, COVARIANCE, units=("m", "m", "km"))
ROWS = np.random.default_rng(3).gamma([2, 5], [1, 3], (5000, 2))


class Disc:
    """A point in a disc; counts what it is asked for."""

    units = ("km", "km")
    descriptions = ("easting", "northing")

    def __init__(self, radius=2.0):
        self.radius, self.calls = radius, []

    def sample(self, n, rng):
        self.calls.append(n)
        angle, radius = 2 * np.pi * rng.random(n), self.radius * np.sqrt(rng.random(n))
        return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])

    def logpdf(self, x):
        inside = np.hypot(*x.T) <= self.radius
        return np.where(inside, -np.log(np.pi * self.radius**2), -np.inf)


def mixed():
    return Prior(
        {
            "depth": TruncatedNormal(10, 4, low=0, unit="km"),
            ("a", "b", "c"): NORMAL,
            ("east", "north"): Disc(),
            ("p", "q"): GivenModels(ROWS, periods=(None, 100)),
        },
        size=LogUniform(1, 30),
    )


def test_names_and_what_goes_with_them():
    prior = mixed()
    assert prior.names == ("depth", "a", "b", "c", "east", "north", "p", "q", "size")
    assert prior.units == ("km", "m", "m", "km", "km", "km", "", "", "")
    assert prior.periods == (None,) * 7 + (100, None)
    assert prior.descriptions[4:6] == ("easting", "northing")
    assert prior["b"] == Normal(-2, 3, unit="m")
    assert prior["a", "b", "c"] is NORMAL
    assert ("a", "b") not in prior and "a" in prior
    with pytest.raises(KeyError, match=r"of \('a', 'b'\); there is \('a', 'b', 'c'\)"):
        prior["a", "b"]
    np.testing.assert_array_equal(
        prior.bounds, [[0, np.inf]] + [[-np.inf, np.inf]] * 7 + [[1, 30]]
    )
    assert [row.name for row in prior.summary()] == list(prior)
    shown = eval(repr(Prior({("a", "b", "c"): NORMAL}, d=Normal(0, 1))))
    assert list(shown) == ["a", "b", "c", "d"]
    Disc.bounds = [(-2, 2), (-2, 2)]
    try:
        np.testing.assert_array_equal(mixed().bounds[4:6], Disc.bounds)
    finally:
        del Disc.bounds


@given(first=st.integers(0, 700), n=st.integers(0, 700), seed=st.integers(0, 2**70))
@settings(max_examples=40, deadline=None)
def test_parts_make_up_the_whole(first, n, seed):
    whole = mixed().sample(first + n, seed)
    parts = [mixed().sample(first, seed), mixed().sample(n, seed, start=first)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_sampler_is_asked_for_the_blocks_it_takes():
    disc = Disc()
    prior = Prior({("x", "y"): disc})
    far = prior.sample(2, seed=1, start=10**12)
    assert disc.calls == [256] and np.isfinite(far).all()
    prior.sample(300, seed=1, start=255)
    assert disc.calls == [256] * 4  # blocks 0, 1 and 2
    assert not (prior.sample(600, seed=1) == prior.sample(600, seed=2)).any()
    two = Prior({("x", "y"): Disc(), ("u", "v"): Disc()}).sample(600)
    assert not (two[:, :2] == two[:, 2:]).any()


def test_draws_of_one_block_do_not_depend_on_the_others():
    one = Prior(z=Uniform(0, 1), w=Normal(0, 1))
    other = Prior({"z": Uniform(0, 1), ("a", "b", "c"): NORMAL})
    np.testing.assert_array_equal(one.sample(9)[:, 0], other.sample(9)[:, 0])


def test_normal_draws(scale):
    n = round(20_000 * scale)
    draws = NORMAL.sample(n, seed=2)
    sd = np.sqrt(np.diag(COVARIANCE))
    assert (np.abs(draws.mean(axis=0) - MEAN) < 4 * sd / math.sqrt(n)).all()
    # the variance of a sample covariance: (C_ii C_jj + C_ij**2) / n
    error = np.sqrt((np.outer(sd, sd) ** 2 + np.square(COVARIANCE)) / n)
    assert (np.abs(np.cov(draws.T) - COVARIANCE) < 4 * error).all()
    apart = draws - MEAN
    distance = np.einsum("ni,ij,nj->n", apart, np.linalg.inv(COVARIANCE), apart)
    assert stats.kstest(distance, stats.chi2(3).cdf).pvalue > 1e-3
    for column, name in zip(draws.T, range(3), strict=True):
        assert stats.kstest(column, NORMAL.marginal(name).cdf).pvalue > 1e-3


def test_normal_density():
    x = NORMAL.sample(50, seed=1)
    expected = stats.multivariate_normal(MEAN, COVARIANCE).logpdf(x)
    np.testing.assert_allclose(NORMAL.logpdf(x), expected, rtol=1e-12)
    assert NORMAL.logpdf(x[0]) == pytest.approx(expected[0], rel=1e-12)
    grid = x.reshape(5, 10, 3)
    np.testing.assert_array_equal(NORMAL.logpdf(grid).ravel(), NORMAL.logpdf(x))


def test_nobody_changes_a_prior_from_outside():
    mean, rows = np.zeros(2), np.ones((3, 2))
    normal, models = MultivariateNormal(mean, np.eye(2)), GivenModels(rows)
    mean[0] = rows[0, 0] = 7
    assert normal.mean[0] == 0 and models.models[0, 0] == 1
    draws = models.sample(3)
    with pytest.raises(ValueError, match="read-only"):
        draws[0] = 7


def test_densities_integrate_to_one():
    """A mean over points that fill a box around all that matters."""
    prior = Prior(
        {
            ("x", "y"): Disc(),
            ("a", "b"): MultivariateNormal([0, 0], [[1, 0.6], [0.6, 1]]),
        },
        depth=TruncatedNormal(1, 2, low=0),
        rate=stats.gamma(3),
    )
    ends = np.array([[-2.5, 2.5]] * 2 + [[-6, 6]] * 2 + [[0, 14], [0, 30]])
    box = Prior(**{f"m{j}": Uniform(*pair) for j, pair in enumerate(ends)})
    volume = np.prod(np.ptp(ends, axis=1))
    means = []
    for seed in range(8):
        models = box.sample(2**14, seed, design="sobol")
        means.append(volume * np.exp(prior.logpdf(models)).mean())
    error = np.std(means, ddof=1) / math.sqrt(len(means))
    assert error < 0.02
    assert abs(np.mean(means) - 1) < 4.8 * error  # Student's t, 7 degrees: p = 0.002


def test_density_of_the_whole_is_the_product():
    prior = Prior({("x", "y"): Disc(), ("a", "b", "c"): NORMAL}, s=LogUniform(1, 30))
    models = prior.sample(5)
    parts = Disc().logpdf(models[:, :2]) + NORMAL.logpdf(models[:, 2:5])
    expected = parts + LogUniform(1, 30).logpdf(models[:, 5])
    np.testing.assert_allclose(prior.logpdf(models), expected, rtol=1e-14)
    assert prior.logpdf(models[1]) == pytest.approx(expected[1])
    models[3, 0] = 2.1
    assert np.isneginf(prior.logpdf(models)).tolist() == [False] * 3 + [True, False]


# --- Marginals of what only draws are known of ----------------------------------------


def test_marginal_of_given_models():
    prior = Prior({("p", "q"): GivenModels(ROWS, units=("km", "MPa"))})
    for j, name in enumerate(prior):
        one = prior[name]
        assert one.unit == ("km", "MPa")[j]
        q = np.linspace(0, 1, 57)
        # the longest step of the table: pi / 2 / 70
        ranks = np.searchsorted(np.sort(ROWS[:, j]), one.ppf(q)) / len(ROWS)
        np.testing.assert_allclose(ranks, q, atol=0.0225 / 4)
        np.testing.assert_allclose(one.cdf(one.ppf(q)), q, atol=1e-12)
        assert one.support() == (ROWS[:, j].min(), ROWS[:, j].max())
        assert one.mean() == pytest.approx(ROWS[:, j].mean(), rel=0.005)
        assert one.std() == pytest.approx(ROWS[:, j].std(), rel=0.01)
        assert "GivenModels" in repr(one) and "5000 draws" in repr(one)
        low, high = one.support()
        assert (one.logpdf(np.array([low - 1, high + 1])) == -np.inf).all()
        x = np.linspace(low, high, 200_001)
        assert np.trapezoid(one.pdf(x), x) == pytest.approx(1, abs=1e-3)


def test_marginal_of_a_sampler():
    """Of a disc it is a semicircle (Wigner's)."""
    disc = Disc()
    prior = Prior({("x", "y"): disc})
    one = prior["y"]
    assert one.unit == "km" and one.description == "northing"
    assert "100000 draws" in repr(one) and not disc.calls  # asked when it is needed
    assert not math.isinf(one.median())
    exact = stats.semicircular(scale=2)
    x = np.linspace(-2, 2, 401)
    # the largest distance of 1e5 draws: 1.95 / sqrt(1e5) in all but 1 of 1000 cases
    assert np.abs(one.cdf(x) - exact.cdf(x)).max() < 1.95 / math.sqrt(1e5) + 1e-3
    # over 140 draws in an interval of the table where there is a twentieth beyond
    x = np.linspace(*exact.ppf([0.05, 0.95]), 401)
    assert np.abs(one.pdf(x) / exact.pdf(x) - 1).max() < 4.5 / math.sqrt(140)


def test_marginal_of_ties():
    values = np.repeat([0.0, 1.0, 3.0], [500, 300, 200])
    prior = Prior({("n", "c"): GivenModels(np.column_stack([values, 0 * values]))})
    one = prior["n"]
    assert one.support() == (0, 3)
    assert one.cdf(3) == 1 and 0.75 < one.cdf(1) < 0.85
    assert one.pdf(0.5) + 2 * one.pdf(2) == pytest.approx(1)
    with pytest.raises(ValueError, match="all draws are 0, no distribution"):
        prior["c"].pdf(0)


def test_information_gain_over_a_table():
    """By the exact prior and by one that is known by its draws alone."""
    rows = np.random.default_rng(0).normal(0, 2, (20_000, 1))
    exact, table = Prior(m=Normal(0, 2)), Prior({("m",): GivenModels(rows)})
    samples = simulate(exact, lambda m: m, 2000, vectorised=True)
    inversion = Inversion(samples, GaussianNoise(0.5), n_members=2, max_iter=50)
    posterior = inversion.fit().posterior([[0.0], [3.0]])["m"]
    gains = [posterior.information_gain(prior) for prior in (exact, table)]
    # some 200 draws in each interval of the table, a dozen intervals in the posterior
    np.testing.assert_allclose(*gains, atol=0.05)


def test_units_and_descriptions_reach_table_and_figure():
    from matplotlib import pyplot as plt

    plt.switch_backend("Agg")
    prior = Prior({("east", "north"): Disc()}, depth=Uniform(1, 30, unit="km"))
    samples = simulate(prior, lambda m: m[:, :2], 1000, vectorised=True)
    assert samples.prior is prior
    settings = dict(n_members=2, hidden=3, kernels=1, max_iter=20)
    posteriors = Inversion(samples, 0.3, **settings).fit().posterior([0.5, 1.0])
    rows = posteriors.summary()
    assert [row.unit for row in rows] == ["km"] * 3
    assert all(np.isfinite(row.gain) for row in rows)
    axes = posteriors.plot().axes
    labels = [(ax.get_xlabel(), ax.get_title(loc="left")) for ax in axes]
    easting, northing = ("east (km)", "easting"), ("north (km)", "northing")
    assert labels == [easting, northing, ("depth (km)", "")]
    plt.close("all")


# --- Records --------------------------------------------------------------------------


def test_records():
    prior = mixed()
    again = pickle.loads(pickle.dumps(prior))
    assert again == prior
    np.testing.assert_array_equal(again.sample(5, seed=3), prior.sample(5, seed=3))
    described = prior.describe()
    assert json.loads(json.dumps(described, allow_nan=False)) == described
    assert [one["names"] for one in described[1:3]] == [list("abc"), ["east", "north"]]
    assert described[1]["parameters"] == {"mean": MEAN, "covariance": COVARIANCE}
    assert described[2]["kind"].endswith(".Disc")
    assert described[3]["parameters"]["shape"] == [5000, 2]
    assert len(described[3]["parameters"]["sha256"]) == 64


@pytest.mark.parametrize(
    "one, other",
    [
        (MultivariateNormal([0], [[1]]), MultivariateNormal([0], [[2]])),
        (MultivariateNormal([0], [[1]]), MultivariateNormal([0], [[1]], units=["m"])),
        (GivenModels([[1.0], [2]]), GivenModels([[2.0], [1]])),
        (GivenModels([[1.0], [2]]), GivenModels([[1.0], [3]])),
        (GivenModels([[1.0], [2]]), MultivariateNormal([0], [[1]])),
    ],
)
def test_a_record_tells_joint_priors_apart(one, other):
    assert Prior({("m",): one}) == Prior({("m",): pickle.loads(pickle.dumps(one))})
    assert Prior({("m",): one}) != Prior({("m",): other})
    assert one != other and Prior({("m",): one}) != Prior({("n",): one})


def test_a_record_tells_samplers_apart():
    small, same, large = (Prior({("x", "y"): Disc(radius)}) for radius in (2, 2, 3))
    assert small == same != large


# --- Refusals -------------------------------------------------------------------------


class Bad(Disc):
    """A sampler one of whose methods returns something else."""

    def __init__(self, draws=None, density=None, **attributes):
        super().__init__()
        vars(self).update(attributes)
        if draws is not None:
            self.sample = lambda n, rng: draws
        if density is not None:
            self.logpdf = lambda x: density


def pair(one):
    return Prior({("x", "y"): one})


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MultivariateNormal([0, 0], np.eye(3)), ValueError, r"be \(2, 2\)"),
        (lambda: MultivariateNormal([], np.eye(0)), ValueError, "MultivariateNormal"),
        (lambda: MultivariateNormal(0, 1), ValueError, "mean must be 1-D"),
        (lambda: MultivariateNormal([0, 0], [[1, 2], [2, 1]]), ValueError, "not pos"),
        (lambda: MultivariateNormal([0, 0], [[1, 2], [0, 9]]), ValueError, "not sym"),
        (lambda: MultivariateNormal([0, np.nan], np.eye(2)), ValueError, "mean contai"),
        (
            lambda: MultivariateNormal([0, 0], np.eye(2), units="km"),
            ValueError,
            "units must have an entry for each of 2",
        ),
        (lambda: GivenModels(ROWS, units=(1, 2)), TypeError, "units must be texts"),
        (lambda: GivenModels(ROWS, periods=(0, 1)), ValueError, "period must be posit"),
        (lambda: GivenModels([1.0, 2.0]), ValueError, "models must be 2-D"),
        (lambda: GivenModels([[1.0, np.inf]]), ValueError, "inf at row 0, column 1"),
        (lambda: GivenModels(np.empty((0, 2))), ValueError, "models is empty"),
        (lambda: pair(GivenModels(ROWS)).sample(5001), ValueError, "5000 given models"),
        (
            lambda: pair(GivenModels(ROWS)).sample(2, start=4999),
            ValueError,
            "samples 4999 to 5000 were asked for",
        ),
        (lambda: GivenModels(ROWS).logpdf(ROWS), NotImplementedError, "no density"),
        (lambda: pair(NORMAL), ValueError, "2 names for the 3 parameters of Multivar"),
        (lambda: pair(Disc), TypeError, "needs an object, not the class"),
        (lambda: pair(Normal(0, 1)), TypeError, "must be MultivariateNormal, GivenMod"),
        (lambda: pair(ROWS), TypeError, "must be MultivariateNormal, GivenModels"),
        (lambda: Prior({"x": GivenModels(ROWS)}), TypeError, "needs a tuple of names"),
        (lambda: Prior({("x", "x"): Disc()}), ValueError, "'x' is there twice"),
        (lambda: Prior({("x", "y"): Disc()}, x=Normal(0, 1)), ValueError, "'x' is"),
        (lambda: pair(Bad(bounds=(0, 1))), ValueError, r"bounds must be \(2, 2\)"),
        (lambda: pair(Bad(units=("m",))), ValueError, "Bad: units must have an entry"),
        (
            lambda: pair(Bad(np.zeros((256, 3)))).sample(1),
            ValueError,
            r"Bad: sample\(256, rng\) must return.*x, y, got .* shape \(256, 3\)",
        ),
        (lambda: pair(Bad("what")).sample(1), ValueError, "got <U4 of shape"),
        (
            lambda: pair(Bad(np.full((256, 2), np.nan))).sample(1),
            ValueError,
            r"\('x', 'y'\) drew a value that is NaN",
        ),
        (lambda: pair(Bad(density=0.0)).logpdf([1, 2]), ValueError, "one number for"),
        (lambda: pair(Bad(density=[np.nan])).logpdf([1, 2]), ValueError, "got NaN"),
        (lambda: NORMAL.logpdf([1.0]), ValueError, "x must end in an axis of 3"),
    ],
)
def test_refusals(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_one_name_alone():
    """A sampler of one parameter may return one axis."""

    class Die:
        def sample(self, n, rng):
            return rng.integers(1, 7, n)

        def logpdf(self, x):
            return np.full(len(x), -math.log(6))

    prior = Prior({("eyes",): Die()})
    assert set(prior.sample(300)[:, 0]) == set(range(1, 7))
    assert prior.logpdf([3]) == pytest.approx(-math.log(6))
