"""Figures of one observation: bounded and periodic targets, references, surprises."""

import itertools

import numpy as np
import pytest
from figures import legible, outlines
from fmdn import (
    Mixture,
    TrainingCloud,
    Uniform,
    plot_joint,
    plot_posterior,
    predictive_check,
)
from fmdn.ranges import Ranges
from fmdn.recalibration import Recalibration
from fmdn.weighted import WeightedModels
from matplotlib import pyplot as plt
from ranges import PERIODIC, PROBIT, mixture, range_of
from scipy import stats


@pytest.fixture(autouse=True)
def without_a_screen():
    plt.switch_backend("Agg")
    yield
    plt.close("all")


def bounded_and_periodic(bearing=5.0):
    """Share, free and bearing; correlated, at a bound and across the cut."""
    none = np.finfo(float).max
    covariance = [[0.8, 0.5, 0], [0.5, 1, 0], [0, 0, 400]]
    factor = np.linalg.cholesky(np.linalg.inv(covariance))
    return Mixture(
        np.array([[0.7, 0.3]]),
        np.array([[[0.5, 1, bearing], [0.5, -1, bearing + 60]]]),
        np.broadcast_to(factor, (1, 2, 3, 3)),
        single=True,
        one_target_axis=False,
        target_names=["share", "free", "bearing"],
        ranges=Ranges(
            np.array([PROBIT, 0, PERIODIC], np.intc),
            np.array([0, -none, 0]),
            np.array([1, none, 360]),
        ),
    )


def test_corner_plot_of_bounded_and_periodic_targets():
    """Contours end at the bound, are whole across the cut, and hold their share."""
    joint = bounded_and_periodic()
    figure = plot_joint(joint, truth={"share": 0.9, "free": 0.0, "bearing": 358.0})
    draws = joint.sample(20_000, seed=1)
    found = outlines(figure)
    assert len(found) == 3
    for (ax, paths), (i, j) in zip(
        found, itertools.combinations(range(3), 2), strict=True
    ):
        points = draws[:, [i, j]].copy()
        if j == 2:
            start = ax.get_ylim()[0]
            points[:, 1] = start + np.mod(points[:, 1] - start, 360)
            assert start < 0  # not cut where the posterior is
        inside = [path.contains_points(points).mean() for path in paths]
        np.testing.assert_allclose(inside, [0.954, 0.683], atol=0.03)
        if i == 0:
            assert ax.get_xlim()[1] <= 1
    legible(figure)


def test_a_periodic_posterior_is_drawn_whole():
    bearing = bounded_and_periodic().marginal("bearing")
    prior = Uniform(0, 360, unit="°", period=360)
    ax = plot_posterior(bearing, prior, truth=359.0)
    (line,) = (one for one in ax.lines if one.get_label() == "posterior")
    x, density = line.get_data()
    assert x[-1] - x[0] == pytest.approx(360) and density[[0, -1]].max() < 1e-3
    assert np.trapezoid(density, x) == pytest.approx(1, abs=1e-3)
    legible(ax.figure)


def test_a_spike_along_a_bound_does_not_set_the_scale():
    """Probit kernels: the density rises without end over a film of hardly any mass."""
    spike = mixture([1.0], [0.3], [1.3], range_of(PROBIT, 0, 1))
    x = np.linspace(0.001, 0.999, 999)
    assert spike.pdf(1 - 1e-6) > 5 * spike.pdf(x).max()
    top = plot_posterior(spike, Uniform(0, 1)).get_ylim()[1]
    share = spike.prob(0.9, 1)
    assert share / 0.1 < top < 6 * share / 0.1
    gauss = mixture([1.0], [0.0], [2.0], range_of(0, -np.inf, np.inf))
    assert 1.1 < plot_posterior(gauss).get_ylim()[1] / gauss.pdf(0) < 1.3


def test_a_reference_is_drawn_as_a_histogram():
    mixture = bounded_and_periodic().marginal("free")
    rng = np.random.default_rng(0)
    values = rng.normal(scale=3, size=(20_000, 1))
    weights = mixture.pdf(values[:, 0]) / stats.norm(0, 3).pdf(values[:, 0])
    weights /= weights.sum()
    reference = WeightedModels(values, weights, 1 / (weights**2).sum(), ("free",))
    figure = reference.plot({"free": mixture, "other": mixture})
    (ax,) = figure.axes
    (steps,) = (one for one in ax.patches if one.get_label() == "reference")
    density, edges, _ = steps.get_data()
    middle = (edges[1:] + edges[:-1]) / 2
    error = np.sqrt(mixture.pdf(middle) / np.diff(edges) / reference.effective_size)
    assert (np.abs(density - mixture.pdf(middle)) < 5 * error + 0.01).all()
    legible(figure)


def test_recalibration_is_drawn_as_a_map_of_probabilities():
    ax = Recalibration([-2, -1, 0, 1.5], [-1, -0.5, 0.2, 1]).plot()
    x, y = ax.lines[1].get_data()
    assert np.interp(stats.norm.cdf(-1), x, y) == pytest.approx(
        stats.norm.cdf(-0.5), abs=1e-3
    )
    legible(ax.figure)


@pytest.mark.parametrize("n_channels", [3, 20, 200])
def test_novelty_is_drawn(n_channels):
    rng = np.random.default_rng(0)
    names = [f"channel {i}" for i in range(n_channels)]
    cloud = TrainingCloud.of(rng.normal(size=(3000, n_channels)), names)
    rows = rng.normal(size=(3, n_channels))
    rows[1, 2] = 50
    found = cloud.locate(rows)
    figure = found.plot()
    drawn = [one for one in figure.axes[1].lines if one.get_marker() == "^"]
    beyond = np.concatenate([one.get_xdata() for one in drawn])
    assert 2 in beyond
    legible(figure)
    with pytest.raises(ValueError, match="20 observations at most, got 50"):
        cloud.locate(rng.normal(size=(50, n_channels))).plot()


@pytest.mark.parametrize("n_data", [1, 6, 120])
def test_predictions_are_drawn(n_data):
    models = np.random.default_rng(5).normal(size=(2000, 1))
    forward = np.linspace(1, 3, n_data)
    observed = 0.5 * forward
    check = predictive_check(
        models, lambda m: m * forward, 0.3, observed, vectorised=True
    )
    figure = check.plot(names=[f"station {i}" for i in range(n_data)], unit="mm")
    upper, lower = figure.axes
    np.testing.assert_array_equal(upper.lines[0].get_ydata(), observed)
    wide = upper.patches[0]
    assert wide.get_height() == pytest.approx(2 * 1.96 * np.hypot(1, 0.3), rel=0.1)
    z = lower.lines[0].get_ydata()
    np.testing.assert_allclose(z, observed / np.hypot(forward, 0.3), atol=0.1)
    legible(figure)
