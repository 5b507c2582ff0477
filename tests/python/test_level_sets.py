"""Regions: where the density is high, whole and nothing else."""

import numpy as np
import pytest
from fmdn.roots import solve
from hypothesis import given, settings
from hypothesis import strategies as st
from ranges import (
    EXAMPLES,
    PERIODIC,
    PROBIT,
    TRUNCATED,
    example,
    free,
    mixture,
    range_of,
)
from scipy import stats

ONE, TWO = np.exp(-0.5), np.exp(-2)


def inside(region, x, period=None):
    """Whether points are in a region."""
    x = x[:, np.newaxis]
    if period:
        x = region[:, 0] + np.mod(x - region[:, 0], period)
    return ((x >= region[:, 0]) & (x <= region[:, 1])).any(axis=1)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("confidence", [0.05, 0.5, 0.9, 0.999])
def test_hpd_holds_its_probability_and_the_densest_points(name, confidence):
    post, period = example(name), example(name).period
    region = post.hpd(confidence)
    held = post.prob(region[:, 0], region[:, 1]).sum()
    assert held == pytest.approx(confidence, abs=1e-9)
    assert (region[:, 1] > region[:, 0]).all()
    assert (region[1:, 0] > region[:-1, 1]).all()
    x = post.quantile(np.linspace(0.0005, 0.9995, 3001))
    if "probit" in name:  # but for the film along its ends
        low, high = EXAMPLES[name][1:]
        edge = 0.0014 * (high - low) if name == "probit" else 0.002
        x = x[(x > low + edge) & (x < high * 0.985)]
    p, within = post.logpdf(x), inside(region, x, period)
    # edges are as exact as the level: points beside them may be on either side
    if within.any() and not within.all():
        assert p[within].min() >= p[~within].max() - 1e-6


@pytest.mark.parametrize("confidence", [0.1, 0.5, 0.9, 0.999999])
def test_hpd_of_one_kernel(confidence):
    post = free([1.0], [3.0], [2.0])
    expected = stats.norm(3, 2).interval(confidence)
    # where the density is low, digits of a probability are few of its place
    tolerance = 1e-12 / post.pdf(expected[0]) + 1e-9
    np.testing.assert_allclose(post.hpd(confidence), [expected], atol=tolerance)
    half = mixture([1.0], [0.0], [1.0], range_of(TRUNCATED, 0, np.inf))
    expected = 0, stats.halfnorm.ppf(confidence)
    np.testing.assert_allclose(half.hpd(confidence), [expected], atol=tolerance)


def test_peak_that_just_reaches_the_level():
    """Two peaks of nearly one height: the lower joins as soon as there is room."""
    post = free([0.5, 0.5 - 1e-9], [0.0, 100.0], [1.0, 1.0])
    region = post.hpd(0.0001)
    assert region.shape == (2, 2)
    assert post.prob(*region.T).sum() == pytest.approx(0.0001, abs=1e-10)
    narrow = free([1 - 1e-6, 1e-6], [0.0, 0.5], [1.0, 1e-7])
    region = narrow.hpd(1e-8)
    assert region.shape == (1, 2) and np.allclose(region, 0.5, atol=1e-6)


def test_valley_reaches_both_ends():
    valley = mixture([0.5, 0.5], [-1, 2], [0.7, 0.7], range_of(TRUNCATED, 0, 1))
    (a, b), (c, d) = valley.hpd(0.6)
    assert (a, d) == (0, 1) and b + c == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(valley.level_set(0.9999), [[0, 0], [1, 1]], atol=1e-3)


def test_flat_density_has_its_middle():
    flat = mixture([1.0], [0.0], [1e9], range_of(TRUNCATED, 0, 1))
    # sd of 1e9 leave a probability seven digits
    np.testing.assert_allclose(flat.hpd(0.8), [[0.1, 0.9]], atol=1e-6)
    circle = mixture([1.0], [0.0], [1e9], range_of(PERIODIC, 0, 360))
    assert np.diff(circle.hpd(0.8)).sum() == pytest.approx(288, abs=1e-6)
    probit = mixture([1.0], [0.0], [1.0], range_of(PROBIT, 0, 1))  # uniform, but mapped
    assert np.diff(probit.hpd(0.8)).sum() == pytest.approx(0.8, abs=1e-6)


def test_films_have_no_regions():
    """A mapped density that is infinite at its ends has a film of no mass there."""
    wide = mixture([0.9, 0.1], [0.0, 0.0], [0.3, 1.2], range_of(PROBIT, 0, 1))
    assert wide.hpd(0.5).shape == (1, 2)
    assert wide.modes().points.min() < 0.002  # the film's edge is higher than beside it
    everything = wide.hpd(0.999)
    assert (everything[0, 0], everything[-1, 1]) == (0, 1)
    held = wide.prob(everything[:, 0], everything[:, 1]).sum()
    assert held == pytest.approx(0.999, abs=1e-9)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    turn=st.floats(-500, 500),
    apart=st.floats(30, 330),
    sds=st.tuples(st.floats(3, 60), st.floats(3, 60)),
)
def test_regions_turn_with_the_circle(turn, apart, sds):
    circle = range_of(PERIODIC, 0, 360)
    here = mixture([0.4, 0.6], [10.0, 10 + apart], sds, circle)
    there = mixture([0.4, 0.6], [10 + turn, 10 + apart + turn], sds, circle)
    a, b = here.hpd(0.7), there.hpd(0.7)
    assert a.shape == b.shape
    assert np.diff(a).sum() == pytest.approx(np.diff(b).sum(), abs=1e-5)
    assert there.prob(b[:, 0], b[:, 1]).sum() == pytest.approx(0.7, abs=1e-9)
    starts = np.mod(np.sort(np.mod(a[:, 0] + turn, 360)), 360)
    away = np.mod(starts - np.sort(np.mod(b[:, 0], 360)) + 180, 360) - 180
    assert np.abs(away).max() < 1e-4 or len(a) > 1
    assert here.width(TWO) == pytest.approx(there.width(TWO), abs=1e-4)


def test_widths_of_de_wit():
    post = free([1.0], [5.0], [2.0])
    assert post.width() == pytest.approx(4, rel=1e-12)
    assert post.width(TWO) == pytest.approx(8, rel=1e-12)
    np.testing.assert_allclose(post.level_set(ONE), [[3, 7]], rtol=1e-12)
    bounded = mixture([1.0], [0.0], [1.0], range_of(TRUNCATED, -0.5, 9))
    assert bounded.width() == pytest.approx(1.5, rel=1e-12)
    two = free([0.5, 0.5], [0.0, 100.0], [1.0, 1.0])
    assert two.level_set().shape == (2, 2)
    assert two.width() == pytest.approx(4, rel=1e-9)
    # the lower peak is below the level
    assert free([0.7, 0.3], [0.0, 100.0], [1.0, 1.0]).width() == pytest.approx(2)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.99))
def test_level_set_is_where_the_density_is_high(seed, fraction):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 7)
    post = free(
        rng.dirichlet(np.ones(n)), rng.uniform(size=n), rng.uniform(0.01, 0.3, n)
    )
    region = post.level_set(fraction)
    level = np.log(fraction) + post.logpdf(post.mode())
    np.testing.assert_allclose(post.logpdf(region.ravel()), level, atol=1e-9)
    x = np.linspace(-2, 3, 20_001)
    away = np.abs(x[:, np.newaxis] - region.ravel()).min(axis=1) > 1e-9
    high = post.logpdf(x) > level
    np.testing.assert_array_equal(high[away], inside(region, x)[away])


def test_roots():
    a = np.array([[0.0, 1.0], [0.0, 0.0], [-1.0, -1.0]])
    b = np.array([[3.0, 1.0], [1e6, 9.0], [1.0, 2.0]])
    asked = []

    def function(x, rows):
        asked.append(len(rows))
        values = [x**3 - 2, np.log1p(np.abs(x)) - 1, np.sign(x - 0.3)]
        return np.stack([values[row][i] for i, row in enumerate(rows)])

    fa, fb = function(a, [0, 1, 2]), function(b, [0, 1, 2])
    fa[0, 1] = fb[0, 1] = 0  # nothing to be done
    asked.clear()
    roots = solve(function, a, b, fa, fb, tolerance=1e-13)
    expected = [[2 ** (1 / 3), 1], [np.e - 1] * 2, [0.3, 0.3]]
    np.testing.assert_allclose(roots, expected, rtol=1e-12)
    assert asked[0] == 3 and asked[-1] == 1
