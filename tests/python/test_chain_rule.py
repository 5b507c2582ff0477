"""A joint posterior from two committees against the joint Gaussian."""

import fmdn
import numpy as np
import pytest
from fmdn import ChainRule, Mixture, Normal
from ranges import PERIODIC, TRUNCATED, range_of
from scipy import stats

OBSERVED = np.array([0.4, -1.0])


class Exact:
    """Stands for a committee: Gaussian posteriors whose means are linear in inputs."""

    def __init__(self, name, matrix, sd, ranges=None):
        self.target_names_ = [name] if isinstance(name, str) else list(name)
        self.matrix, self.sd, self.ranges = np.atleast_2d(matrix), sd, ranges
        self.n_features_in_ = self.matrix.shape[1]

    def posterior(self, inputs):
        rows = np.atleast_2d(inputs)
        n, c = len(rows), len(self.target_names_)
        return Mixture(
            np.ones((n, 1)),
            (rows @ self.matrix.T)[:, np.newaxis],
            np.broadcast_to(np.eye(c) / self.sd, (n, 1, c, c)),
            single=np.ndim(inputs) == 1,
            one_target_axis=c == 1,
            target_names=self.target_names_,
            ranges=self.ranges,
        )


FIRST = Exact("a", [1.0, 0.5], 0.7)
SECOND = Exact("b", [0.2, 0.3, -1.5], 0.4)
MEAN = np.array([-0.1, 0.2 * 0.4 - 0.3 - 1.5 * -0.1])
COVARIANCE = np.array(
    [[0.7**2, -1.5 * 0.7**2], [-1.5 * 0.7**2, 0.4**2 + 1.5**2 * 0.7**2]]
)


def test_joint_gaussian(scale):
    joint = ChainRule(FIRST, SECOND, OBSERVED)
    assert joint.target_names == ["a", "b"]
    exact = stats.multivariate_normal(MEAN, COVARIANCE)
    points = np.random.default_rng(1).normal(size=(5, 4, 2))
    np.testing.assert_allclose(joint.logpdf(points), exact.logpdf(points), atol=1e-10)
    assert joint.pdf(points[0, 0]) == pytest.approx(exact.pdf(points[0, 0]))
    n = int(25_000 * scale)
    draws = joint.sample(n, seed=2)  # in more than one block
    sd = np.sqrt(np.diag(COVARIANCE))
    assert (np.abs(draws.mean(axis=0) - MEAN) < 4.5 * sd / np.sqrt(n)).all()
    error = np.outer(sd, sd) * np.sqrt(2 / n)
    assert (np.abs(np.cov(draws.T) - COVARIANCE) < 4.5 * error).all()
    assert (joint.sample(5, seed=2) == joint.sample(5, seed=2)).all()
    assert (joint.sample(5, seed=2) != joint.sample(5, seed=3)).all()


def test_grid():
    joint = ChainRule(FIRST, SECOND, OBSERVED)
    x, y, density = joint.grid(201)
    assert density.shape == (201, 201)
    expected = joint.pdf(np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1))
    np.testing.assert_allclose(density, expected, rtol=1e-9)
    # all but the ten thousandth beyond either end of a
    total = np.trapezoid(np.trapezoid(density, y), x)
    assert total == pytest.approx(1 - 2e-4, abs=2e-5)


def test_several_first_targets():
    first = Exact(["a", "b"], [[1.0, 0.5], [0, 1]], 0.7)
    second = Exact(["c"], [[0.2, 0.3, -1.5, 0.5]], 0.4)
    joint = ChainRule(first, second, OBSERVED)
    x = np.array([[0.1, -0.3, 0.2], [1, 1, 1]])
    mean = 0.2 * 0.4 - 0.3 - 1.5 * x[:, 0] + 0.5 * x[:, 1]
    expected = stats.norm(mean, 0.4).logpdf(x[:, 2])
    expected += stats.norm([-0.1, -1.0], 0.7).logpdf(x[:, :2]).sum(axis=1)
    np.testing.assert_allclose(joint.logpdf(x), expected, atol=1e-10)
    assert joint.sample(7).shape == (7, 3)
    with pytest.raises(ValueError, match="two targets"):
        joint.grid()


def test_bounds_and_periods():
    first = Exact("strike", [100.0, -250], 40, range_of(PERIODIC, 0, 360))
    matrix = [0.2, 0.3, 1.0, 0]
    second = Exact("dip", matrix, 0.8, range_of(TRUNCATED, 0, 1.5))
    joint = ChainRule(first, second, OBSERVED)
    draws = joint.sample(4000)
    strike, dip = draws.T
    assert ((strike >= 0) & (strike < 360)).all() and np.ptp(strike) > 300
    assert ((dip >= 0) & (dip <= 1.5)).all()
    # the dip is higher where the cosine is: no matter on which side of the cut
    for side in (strike < 30, strike > 330):
        given = 0.2 * 0.4 - 0.3 + np.cos(np.radians(strike[side]))
        left = stats.truncnorm(-given / 0.8, (1.5 - given) / 0.8, given, 0.8)
        u = left.cdf(dip[side])
        assert stats.kstest(u, "uniform").pvalue > 1e-4
    x, y, density = joint.grid()
    assert np.trapezoid(np.trapezoid(density, y), x) == pytest.approx(1, abs=0.005)
    turned = joint.logpdf([[10.0, 0.5], [370, 0.5]])
    assert turned[0] == pytest.approx(turned[1], abs=1e-9)
    other = Exact("strike", matrix, 40, range_of(PERIODIC, 0, 360))
    x, y, density = ChainRule(first, other, OBSERVED).grid()
    assert np.ptp(y) == pytest.approx(360)
    assert np.trapezoid(np.trapezoid(density, y), x) == pytest.approx(1, abs=0.005)


def test_inputs():
    data = np.arange(6.0).reshape(3, 2)
    inputs = ChainRule.inputs(data, [7, 8, 9])
    np.testing.assert_array_equal(inputs, np.column_stack([data, [7, 8, 9]]))
    around = ChainRule.inputs(data, [0, 90, 360], periods=360)
    np.testing.assert_allclose(around[:, 2:], [[1, 0], [0, 1], [1, 0]], atol=1e-12)
    both = ChainRule.inputs(data, np.ones((3, 2)), periods=(None, 4))
    np.testing.assert_allclose(both[:, 2:], [[1, 0, 1]] * 3, atol=1e-12)
    with pytest.raises(ValueError, match="data has 3 rows, values 2"):
        ChainRule.inputs(data, [1, 2])
    with pytest.raises(ValueError, match="takes 2 inputs; they must be the 3 of"):
        ChainRule(FIRST, FIRST, OBSERVED)
    with pytest.raises(ValueError, match="axis of 2 targets"):
        ChainRule(FIRST, SECOND, OBSERVED).logpdf([1.0, 2, 3])


def test_committees():
    """Trained ones: d = a + b + noise, of which the joint posterior is a ridge."""
    rng = np.random.default_rng(3)
    models = Normal(0, 1).sample(6000, seed=1).reshape(-1, 2)
    data = (models.sum(axis=1) + 0.3 * rng.normal(size=3000))[:, np.newaxis]
    settings = dict(n_members=3, hidden=4, kernels=1, max_iter=150)
    first = fmdn.Committee(**settings).fit(data, models[:, 0], target_names=["a"])
    inputs = ChainRule.inputs(data, models[:, 0])
    second = fmdn.Committee(**settings).fit(inputs, models[:, 1], target_names=["b"])
    joint = ChainRule(first, second, [1.0])
    precision = np.eye(2) + np.ones((2, 2)) / 0.3**2
    cov = np.linalg.inv(precision)
    mean = cov @ [1 / 0.3**2, 1 / 0.3**2]
    draws = joint.sample(4000)
    sd = np.sqrt(np.diag(cov))
    assert (np.abs(draws.mean(axis=0) - mean) < 0.15 * sd).all()
    np.testing.assert_allclose(draws.std(axis=0), sd, rtol=0.1)
    correlation = cov[0, 1] / sd.prod()
    assert np.corrcoef(draws.T)[0, 1] == pytest.approx(correlation, abs=0.03)
    with pytest.raises(ValueError, match="finite|NaN"):
        ChainRule(first, second, [np.nan])
