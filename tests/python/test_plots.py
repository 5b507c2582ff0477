"""Figures: the lines are the densities, the texts are legible."""

import itertools

import matplotlib
import numpy as np
import pytest
from fmdn import (
    Committee,
    GaussianNoise,
    Inversion,
    LogUniform,
    Prior,
    Uniform,
    simulate,
)
from fmdn.plots import plot_posterior, plot_posteriors
from matplotlib import pyplot as plt

PRIOR = Prior(
    magnitude=Uniform(6.5, 7.7), depth=Uniform(0, 30, unit="km"), size=LogUniform(1, 9)
)
OBSERVED = np.array([7.2, 0.4, 1.1])


@pytest.fixture(scope="module")
def posteriors():
    samples = simulate(PRIOR, lambda m: m / [1, 30, 4], 2000, vectorised=True)
    settings = dict(n_members=3, hidden=4, kernels=2, max_iter=30)
    targets = ["magnitude", ("depth", "size")]
    inversion = Inversion(samples, GaussianNoise(0.1), targets, **settings)
    return inversion.fit().posterior(OBSERVED)


@pytest.fixture(autouse=True)
def without_a_screen():
    plt.switch_backend("Agg")
    yield
    plt.close("all")


def lines(ax, label):
    return [line for line in ax.lines if line.get_label() == label]


def assert_density(drawn, mixture, x):
    """But for a film along the ends, where a mapped density may be infinite."""
    low, high = mixture.support()
    film = 0.003 * (high - low)
    inside = (x > low + film) & (x < high - film) | (x < low) | (x > high)
    assert inside.sum() > 0.9 * len(x)
    np.testing.assert_array_equal(drawn[inside], mixture.pdf(x)[inside])


def test_lines_are_the_densities(posteriors):
    mixture, prior = posteriors["depth"], PRIOR["depth"]
    ax = plot_posterior(mixture, prior, truth=12.5)
    (line,) = lines(ax, "posterior")
    x, density = line.get_data()
    assert_density(density, mixture, x)
    low, high = mixture.interval(0.999)
    assert x[0] <= low and high <= x[-1]
    area = np.trapezoid(density, x)
    assert area == pytest.approx(mixture.cdf(x[-1]) - mixture.cdf(x[0]), abs=1e-3)
    (line,) = lines(ax, "prior")
    np.testing.assert_array_equal(line.get_ydata(), prior.pdf(line.get_xdata()))
    assert np.trapezoid(line.get_ydata(), line.get_xdata()) == pytest.approx(1)
    (line,) = lines(ax, "truth")
    assert list(line.get_xdata()) == [12.5, 12.5]
    members = [one for one in ax.lines if one.get_linewidth() == 0.6]
    assert len(members) == 3
    for drawn, member in zip(members, mixture.members, strict=True):
        assert_density(drawn.get_ydata(), member, x)
    assert ax.get_xlabel() == "depth (km)"
    assert ax.get_ylabel() == "probability density (1/km)"


def test_a_narrow_posterior_is_resolved(posteriors):
    """A prior a million times as wide does not hide the peak."""
    mixture = posteriors["magnitude"]
    ax = plot_posterior(mixture, Uniform(-1e6, 1e6), members=False)
    (line,) = lines(ax, "posterior")
    peak = mixture.pdf(np.linspace(7, 7.5, 5001)).max()
    assert line.get_ydata().max() == pytest.approx(peak, rel=0.01)


def test_what_can_be_left_out(posteriors):
    _, ax = plt.subplots()
    mixture = posteriors["size"]
    same = plot_posterior(mixture, members=False, name="length", unit="m", ax=ax)
    assert same is ax and len(ax.lines) == 1
    assert ax.get_xlabel() == "length (m)"


def test_a_panel_for_each_target(posteriors):
    figure = posteriors.plot(truth={"magnitude": 7.0, "size": 5.0})
    labels = [ax.get_xlabel() for ax in figure.axes]
    assert labels == ["magnitude", "depth (km)", "size"]
    assert [len(lines(ax, "truth")) for ax in figure.axes] == [1, 0, 1]
    assert all(len(lines(ax, "prior")) == 1 for ax in figure.axes)


def test_a_joint_posterior_draws_its_marginals(posteriors):
    joint = posteriors["depth", "size"]
    figure = joint.plot(PRIOR)
    for ax, name in zip(figure.axes, ("depth", "size"), strict=True):
        (line,) = lines(ax, "posterior")
        x, density = line.get_data()
        assert_density(density, joint.marginal(name), x)


@pytest.mark.parametrize("n_panels", [1, 2, 3, 4, 5, 9])
def test_texts_do_not_overlap(posteriors, n_panels):
    panels = {f"parameter {i}": posteriors["depth"] for i in range(n_panels)}
    figure = plot_posteriors(panels, PRIOR, units=dict.fromkeys(panels, "km"))
    figure.canvas.draw()
    assert len(figure.axes) == n_panels
    boxes = [figure.legends[0].get_window_extent()]
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=True)
            shown = [text for at, text in ticks if low <= at <= high]
            boxes += [text.get_window_extent() for text in [axis.label, *shown]]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    inside = figure.bbox.padded(1)
    for box in boxes:
        assert inside.contains(*box.min) and inside.contains(*box.max)


def test_no_settings_are_changed(posteriors):
    before = dict(matplotlib.rcParams)
    posteriors.plot()
    assert dict(matplotlib.rcParams) == before


def test_refusals(posteriors):
    joint = posteriors["depth", "size"]
    with pytest.raises(ValueError, match="one target and one observation"):
        plot_posterior(joint)
    with pytest.raises(ValueError, match="unknown targets.*'mass'"):
        posteriors.plot(truth={"mass": 3})


@pytest.mark.parametrize("columns", [(), (1,)])
def test_a_committee_by_itself(columns):
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(500, *columns))
    inputs = targets.reshape(500, 1) + rng.normal(size=(500, 1))
    committee = Committee(n_members=1, hidden=3, kernels=1, max_iter=5)
    post = committee.fit(inputs, targets).posterior(inputs[:3])
    assert post[0].plot().get_xlabel() == "target_0"
    with pytest.raises(ValueError, match="one observation.*3 observations"):
        plot_posterior(post)
