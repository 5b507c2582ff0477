"""Several targets of a posterior together, and pairs of them on a grid."""

import numpy as np
import pytest
from ranges import PERIODIC, PROBIT, correlated, ranges_of
from scipy import stats

COVARIANCES = np.array(
    [
        [[1.0, 0.5, 0.1], [0.5, 2.0, -0.3], [0.1, -0.3, 0.5]],
        [[0.3, -0.2, 0.0], [-0.2, 0.4, 0.1], [0.0, 0.1, 1.5]],
    ]
)
THREE = correlated([0.4, 0.6], [[0, 1, 2], [-1, 3, 0]], COVARIANCES)


def test_marginal_of_several_names():
    pair = THREE.marginal("c", "a")
    assert pair.target_names == ["c", "a"]
    x = np.random.default_rng(0).normal(size=(20, 2))
    at = [2, 0]
    expected = sum(
        w * stats.multivariate_normal(m[at], s[np.ix_(at, at)]).pdf(x)
        for w, m, s in zip([0.4, 0.6], THREE.means, COVARIANCES, strict=True)
    )
    np.testing.assert_allclose(pair.pdf(x), expected, rtol=1e-11)
    np.testing.assert_allclose(
        pair.marginal("a").pdf(x[:, 1]), THREE.marginal("a").pdf(x[:, 1]), rtol=1e-12
    )
    np.testing.assert_array_equal(
        THREE.marginal("a", "b", "c").pdf(np.eye(3)), THREE.pdf(np.eye(3))
    )
    for wrong in ((), ("a", "a")):
        with pytest.raises(ValueError, match="different names"):
            THREE.marginal(*wrong)
    with pytest.raises(KeyError, match="depth"):
        THREE.marginal("a", "depth")


def test_marginal_of_targets_with_ranges():
    ranges = ranges_of((PROBIT, 0, 1), (PERIODIC, 0, 360), (PROBIT, -1, 1))
    covariances = [[[1.0, 3, 0.2], [3, 80, -2], [0.2, -2, 0.5]]]
    joint = correlated([1.0], [[0.3, 350, -0.2]], covariances, ranges)
    pair = joint.marginal("b", "a")
    # the third one summed over its quantiles
    q = (np.arange(4000) + 0.5) / 4000
    third = joint.marginal("c").quantile(q)
    density = joint.marginal("c").pdf(third)
    for point in ([355.0, 0.6], [2.0, 0.4]):
        points = [np.full(4000, point[1]), np.full(4000, point[0]), third]
        expected = np.mean(joint.pdf(np.stack(points, axis=1)) / density)
        assert pair.pdf(point) == pytest.approx(expected, rel=2e-3)


def test_grid_holds_the_density():
    grid = THREE.grid("a", "c", n=201)
    assert grid.density.shape == (201, 201)
    i, j = 30, 111
    pair = THREE.marginal("a", "c")
    assert grid.density[i, j] == pytest.approx(pair.pdf([grid.x[i], grid.y[j]]))
    total = np.trapezoid(np.trapezoid(grid.density, grid.y), grid.x)
    assert total == pytest.approx(1, abs=1e-3)
    own = THREE.grid("a", "c", points=(grid.x[:5], grid.y[7:9]))
    np.testing.assert_allclose(own.density, grid.density[:5, 7:9], rtol=1e-12)
    with pytest.raises(ValueError, match="two targets"):
        THREE.grid()
    with pytest.raises(ValueError, match="two targets"):
        THREE.grid("a")


def test_levels_hold_their_shares():
    """The region of share q of a Gaussian ends where the density is 1 - q of it."""
    pair = correlated([1.0], [[0, 0]], [[[1, 0.6], [0.6, 2]]])
    shares = np.array([0.5, 0.683, 0.954])
    levels = pair.grid(n=301).levels(shares)
    np.testing.assert_allclose(levels / pair.pdf([0, 0]), 1 - shares, atol=2e-3)


def test_grid_of_many_observations_and_around_a_circle():
    ranges = ranges_of((PERIODIC, 0, 360), (PROBIT, 0, 1))
    many = correlated(
        [[1.0]] * 2,
        [[[350, 0]], [[100, 1]]],
        [[np.diag([100.0, 0.2])]] * 2,
        ranges,
    )
    x, y, density = grid = many.grid(n=181)
    assert density.shape == (2, 181, 181) and (x[0], x[-1]) == (0, 360)
    assert 0 < y[0] < y[-1] < 1
    total = np.trapezoid(np.trapezoid(density, y), x)
    np.testing.assert_allclose(total, 1, atol=2e-3)
    np.testing.assert_allclose(many[1].pdf([x[50], y[90]]), density[1, 50, 90])
    assert grid.levels([0.5]).shape == (2, 1)
