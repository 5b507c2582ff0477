"""All modes of posteriors, against grids that are finer than any kernel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ranges import (
    EXAMPLES,
    HALF_LINE,
    PERIODIC,
    PROBIT,
    TRUNCATED,
    correlated,
    example,
    free,
    mixture,
    range_of,
    ranges_of,
)
from scipy import stats

fixed = settings(deadline=None, derandomize=True, max_examples=30)
seeds = st.integers(0, 2**32 - 1)


def test_modes_of_two_kernels():
    post = free([0.3, 0.7], [0.0, 10.0], [1.0, 2.0])
    points, heights = post.modes()
    np.testing.assert_allclose(points, [10, 0], atol=1e-4)
    np.testing.assert_allclose(heights, post.pdf(points), rtol=1e-14)
    assert post.mode() == points[0]
    # equal ones are one bump up to two standard deviations
    assert free([0.5, 0.5], [-0.999, 0.999], [1, 1]).modes().points.shape == (1,)
    points = free([0.5, 0.5], [-1.1, 1.1], [1, 1]).modes().points
    assert points.shape == (2,)
    # where x = 1.1 tanh(1.1 x)
    np.testing.assert_allclose(
        np.abs(points), 1.1 * np.tanh(1.1 * np.abs(points)), 1e-6
    )


@fixed
@given(seeds)
def test_modes_are_all_that_a_fine_grid_shows(seed):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 8)
    sds = np.exp(rng.uniform(np.log(0.01), np.log(0.5), n))
    post = free(rng.dirichlet(np.ones(n)), rng.uniform(size=n), sds)
    points, heights = post.modes()
    step = sds.min() / 50
    x = np.arange(-0.5, 1.5, step)
    p = post.logpdf(x)
    peak = (p[1:-1] > p[:-2]) & (p[1:-1] > p[2:])
    # bumps too low to be told from rounding are not counted
    seen = x[1:-1][peak & (p[1:-1] - np.minimum(p[:-2], p[2:]) > 1e-12)]
    found = np.sort(points)
    assert len(found) == len(seen)
    np.testing.assert_allclose(found, seen, atol=2 * step)
    assert (np.diff(heights) <= 0).all()
    np.testing.assert_allclose(heights, post.pdf(points), rtol=1e-12)


@pytest.mark.parametrize("name", EXAMPLES)
def test_modes_within_ranges(name):
    post = example(name)
    points, heights = post.modes()
    low, high = EXAMPLES[name][1:]
    assert ((points >= low) & (points <= high)).all()
    kind = EXAMPLES[name][0]
    margin = 0.00135 * (high - low) if "probit" in name else 0.0
    if kind == PERIODIC:
        x = np.linspace(low, high, 100_001)[:-1]
        p = post.pdf(x)
        peak = (p > np.roll(p, 1)) & (p > np.roll(p, -1))
    else:
        ends = post.quantile([1e-9, 1 - 1e-9])
        start, stop = max(low + margin, ends[0]), min(high - margin, ends[1])
        x = np.linspace(start, stop, 200_001)
        if name == "log-probit":  # the same of the logarithm
            x = 0.1 * 500 ** np.linspace(0.00135, 1 - 0.00135, 200_001)
        p = post.pdf(x)
        p = np.concatenate([[0], p, [0]])
        peak = ((p > np.roll(p, 1)) & (p > np.roll(p, -1)))[1:-1]
    np.testing.assert_allclose(np.sort(points), x[peak], atol=3 * np.diff(x).max())


def test_modes_at_the_ends_of_a_range():
    rising = mixture([1.0], [5.0], [1.0], range_of(TRUNCATED, 0, 3))
    assert rising.modes().points.tolist() == [3] == [rising.mode()]
    valley = mixture([0.6, 0.4], [-1, 2], [0.5, 0.5], range_of(TRUNCATED, 0, 1))
    assert valley.modes().points.tolist() == [0, 1]
    flat = mixture([1.0], [0.0], [1e9], range_of(TRUNCATED, 0, 1))
    assert flat.modes().points.shape == (1,) and 0 <= flat.mode() <= 1


def test_modes_on_a_circle():
    """Two opposite ones: whatever the cut, there are two."""
    for turn in np.arange(0, 360, 15.0):
        opposite = mixture(
            [0.5, 0.5], [turn, turn + 180], [20.0, 25.0], range_of(PERIODIC, 0, 360)
        )
        points, heights = opposite.modes()
        assert points.shape == (2,) and ((points >= 0) & (points < 360)).all()
        away = np.mod(points - [turn, turn + 180] + 180, 360) - 180
        np.testing.assert_allclose(away, 0, atol=1e-4)
        assert heights[0] / heights[1] == pytest.approx(25 / 20, rel=1e-6)


def crossing():
    """Ridges that cross outside of both means: a third peak."""
    return correlated(
        [0.5, 0.5], [[0, 0], [4, 4]], [np.diag([9.0, 0.2]), np.diag([0.2, 9.0])]
    )


def grid_peaks(post, x, y):
    """Points of a grid that are higher than their eight neighbours."""
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    p = post.logpdf(points.reshape(-1, 2)).reshape(len(x), len(y))
    inner, peak = p[1:-1, 1:-1], True
    for i in range(3):
        for j in range(3):
            if (i, j) != (1, 1):
                beside = p[i : len(x) - 2 + i, j : len(y) - 2 + j]
                peak = peak & (inner > beside)
    return points[1:-1, 1:-1][peak]


def test_more_modes_than_kernels():
    points, heights = crossing().modes()
    assert points.shape == (3, 2)
    seen = grid_peaks(crossing(), np.linspace(-3, 7, 501), np.linspace(-3, 7, 501))
    assert len(seen) == 3
    for point in points:
        assert np.abs(seen - point).max(axis=1).min() < 0.02
    np.testing.assert_allclose(heights, crossing().pdf(points), rtol=1e-12)


@fixed
@given(seeds)
def test_modes_of_several_targets(seed):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 6)
    roots = rng.normal(size=(n, 2, 2))
    covariances = roots @ roots.swapaxes(1, 2) + 0.05 * np.eye(2)
    post = correlated(rng.dirichlet(np.ones(n)), rng.normal(size=(n, 2)), covariances)
    points, heights = post.modes()
    side = np.linspace(-4, 4, 321)
    seen = grid_peaks(post, side, side)
    # a narrow ridge across the grid shows peaks that are not there: climb from them
    assert heights[0] >= post.pdf(seen).max() * (1 - 1e-9)
    step = 1e-4
    for point in points:
        beside = point + step * np.array([[1, 0], [-1, 0], [0, 1], [0, -1], [1, 1]])
        assert (post.logpdf(beside) <= post.logpdf(point) + 1e-12).all()
    apart = np.abs(points[:, np.newaxis] - points).max(axis=-1)
    assert (apart[~np.eye(len(points), dtype=bool)] > 1e-3).all()


def test_modes_of_several_targets_with_ranges():
    ranges = ranges_of((TRUNCATED, 0, 1), (PERIODIC, 0, 360))
    post = mixture(
        [0.5, 0.3, 0.2],
        [[-0.2, 355], [0.6, 5], [0.5, 180]],
        [[0.2, 10], [0.1, 20], [0.2, 30]],
        ranges,
        names=("a", "b"),
    )
    points, heights = post.modes()
    assert len(points) == 3
    x, y = np.linspace(0, 1, 201), np.linspace(-90, 270, 721)
    grid = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    p = post.pdf(grid)
    best = grid[p.argmax()] % [np.inf, 360]
    assert (np.abs(points[0] - best) <= [0.005, 0.5]).all()
    assert heights[0] >= p.max() and points[0, 0] == 0
    assert heights[0] == pytest.approx(post.pdf(points[0]), rel=1e-12)
    assert ((points >= [0, 0]) & (points <= [1, 360])).all()


def test_modes_of_mapped_targets_are_those_in_their_units():
    """One kernel in the logarithms: the mode of a log-normal is exp(mu - sigma^2)."""
    ranges = ranges_of((HALF_LINE, 0, np.inf), (HALF_LINE, 1, np.inf))
    covariance = np.array([[0.25, 0.1], [0.1, 0.16]])
    post = correlated([1.0], [[1.0, -1.0]], [covariance], ranges)
    points, heights = post.modes()
    expected = np.exp([1, -1] - covariance.sum(axis=1)) + [0, 1]
    np.testing.assert_allclose(points, [expected], rtol=1e-9)
    np.testing.assert_allclose(heights, post.pdf(points), rtol=1e-12)
    probit = correlated(
        [1.0], [[0.4, -0.3]], [0.25 * np.eye(2)], ranges_of(*[(PROBIT, 0, 1)] * 2)
    )
    # log p = -2 (y - mu)^2 + y^2/2 is highest at 4 mu/3
    expected = stats.norm.cdf(4 / 3 * np.array([0.4, -0.3]))
    np.testing.assert_allclose(probit.modes().points, [expected], rtol=1e-9)


def test_modes_of_many_observations():
    one = crossing()
    arrays = (np.concatenate([array] * 2) for array in (one._weights, one._means))
    factors = np.concatenate([one._factors, 5 * one._factors])
    two = type(one)(
        *arrays,
        factors,
        single=False,
        one_target_axis=False,
        target_names=["a", "b"],
    )
    points, heights = two.modes()
    assert points.shape == (2, 3, 2) and np.isnan(points[1, 2]).all()
    np.testing.assert_array_equal(points[0], one.modes().points)
    assert np.isnan(heights[1, 2]) and two.mode().shape == (2, 2)
