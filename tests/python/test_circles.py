"""Periodic targets: no cut anywhere."""

import fmdn
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ranges import PERIODIC, mixture, range_of
from scipy import stats

SHORT = {"n_members": 2, "hidden": 8, "kernels": 3, "max_iter": 60}


@given(
    turn=st.floats(-1000, 1000),
    sds=st.lists(st.floats(0.5, 400), min_size=2, max_size=2),
    apart=st.floats(0, 360),
)
@settings(max_examples=100, deadline=None)
def test_rotation(turn, sds, apart):
    """Kernels that are rotated give the rotated density, also across the cut."""
    circle = range_of(PERIODIC, 0, 360)
    weights = [0.3, 0.7]
    here = mixture(weights, [10.0, 10 + apart], sds, circle)
    there = mixture(weights, [10 + turn, 10 + apart + turn], sds, circle)
    x = np.linspace(-400, 800, 37)
    np.testing.assert_allclose(there.logpdf(x + turn), here.logpdf(x), atol=1e-8)
    np.testing.assert_allclose(here.logpdf(x + 360), here.logpdf(x), atol=1e-8)
    angle = np.linspace(0, 360, 3601)
    mass = np.trapezoid(here.pdf(angle), angle)
    # the trapezoidal rule on a circle; the kinks of kernels as wide as the circle
    assert mass == pytest.approx(1, abs=1e-6)
    start, end = here.support()
    assert end - start == pytest.approx(360)
    if here.pdf(angle).min() < 0.5 * here.pdf(angle).max():  # it has a direction
        moved = there.quantile([0.1, 0.5, 0.9]) - turn
        stayed = here.quantile([0.1, 0.5, 0.9])
        around = np.mod(moved - stayed + 180, 360) - 180
        np.testing.assert_allclose(around, 0, atol=1e-4)
        assert there.std() == pytest.approx(here.std(), rel=1e-6)
    assert here.prob(350, 370) == pytest.approx(
        here.prob(350, 360) + here.prob(0, 10), abs=1e-9
    )
    assert here.prob(5, 365) == 1


def test_interval_across_the_cut():
    circle = range_of(PERIODIC, 0, 360)
    north = mixture([1.0], [359.0], [5.0], circle)
    low, high = north.interval(0.9)
    assert (low, high) == pytest.approx((359 - 8.2243, 359 + 8.2243), abs=1e-3)
    assert north.mean() == pytest.approx(359) and north.std() == pytest.approx(5)
    assert north.cdf(4) == north.cdf(364) == pytest.approx(stats.norm.cdf(1))
    region = north.hpd(0.9)
    assert region.shape == (1, 2) and np.allclose(region[0], (low, high), atol=1e-3)
    gain = north.information_gain(fmdn.Uniform(0, 360, period=360))
    assert gain == pytest.approx(np.log(360) - stats.norm(0, 5).entropy(), abs=1e-6)


def test_posterior_across_the_cut_is_the_rotated_one():
    """The rotated problem gives the rotated posterior: k-means and loss too."""
    rng = np.random.default_rng(1)
    angle = rng.uniform(0, 360, 2000)
    noise = 0.3 * rng.normal(size=(2000, 2))
    turn = 120.0
    prior = [fmdn.Uniform(0, 360, period=360)]

    def posterior(shift):
        # the same data for every shift: the models alone are rotated
        radians = np.radians(angle)
        data = np.column_stack([np.cos(radians), np.sin(radians)]) + noise
        committee = fmdn.Committee(**SHORT).fit(
            data, np.mod(angle + shift, 360), prior=prior
        )
        observed = np.array([[1.0, 0.0], [0.7, 0.7], [0.0, -1.0]])
        return committee.posterior(observed)

    x = np.linspace(0, 360, 200)
    here, there = posterior(0).pdf(x), posterior(turn).pdf(x + turn)
    # the exact posterior is a von Mises density; both committees are near it
    for row, direction in zip(here, (0, 45, 270), strict=True):
        kappa = 1 / 0.3**2 * (0.99 if direction == 45 else 1)
        exact = stats.vonmises(kappa, loc=np.radians(direction)).pdf(np.radians(x))
        assert np.abs(row - np.radians(exact)).max() < 0.15 * row.max()
    # rounding alone tells them apart at the start, and it grows as training goes on
    np.testing.assert_allclose(there, here, atol=0.05 * here.max())


def test_figure_goes_once_around():
    pytest.importorskip("matplotlib").use("Agg")
    from fmdn.plots import plot_posterior

    north = mixture([1.0], [359.0], [5.0], range_of(PERIODIC, 0, 360))
    prior = fmdn.Uniform(0, 360, period=360)
    ax = plot_posterior(north, prior, truth=4.0)
    for label in ("posterior", "prior"):
        (line,) = [one for one in ax.lines if one.get_label() == label]
        x, density = line.get_data()
        assert (x[0], x[-1]) == pytest.approx((179, 539))
        assert np.trapezoid(density, x) == pytest.approx(1, abs=1e-3)
    (line,) = [one for one in ax.lines if one.get_label() == "truth"]
    assert list(line.get_xdata()) == [364, 364]
