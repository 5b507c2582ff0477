"""Figures of test sets: what they draw is what was measured, and can be read."""

import matplotlib
import numpy as np
import pytest
from figures import legible, outlines
from fmdn import (
    Committee,
    Inversion,
    Mixture,
    Normal,
    Prior,
    Uniform,
    calibration,
    learning_curve,
    plot_calibrations,
    plot_columns,
    plot_history,
    plot_joint,
    plot_near_truth,
    plot_scores,
    plot_table,
    plot_truth,
    simulate,
    uniformity,
)
from matplotlib import pyplot as plt

PRIOR = Prior(depth=Uniform(0, 30, unit="km"), drop=Normal(0, 1, unit="MPa"))


@pytest.fixture(autouse=True)
def without_a_screen():
    plt.switch_backend("Agg")
    yield
    plt.close("all")


def posteriors(n, c=1, seed=0):
    """Right posteriors of depth (and drop), of very different widths."""
    rng = np.random.default_rng(seed)
    truths = PRIOR.sample(n, seed=seed)[:, :c]
    sd = np.exp(rng.uniform(-2, 1.5, size=(n, 1))) * [1, 0.1][:c]
    means = truths + sd * rng.standard_normal((n, c))
    factors = np.eye(c) / sd[:, np.newaxis]
    return Mixture(
        np.ones((n, 1)),
        means[:, np.newaxis],
        factors[:, np.newaxis],
        single=False,
        one_target_axis=c == 1,
        target_names=["depth", "drop"][:c],
    ), truths


@pytest.fixture(scope="module")
def check():
    return calibration(*posteriors(600), PRIOR)


@pytest.fixture(scope="module")
def joint_check():
    return calibration(*posteriors(300, 2), PRIOR)


def test_sheet_shows_what_was_measured(check):
    figure = check.plot()
    left, middle, right = figure.axes
    (steps,) = left.patches[1:]  # after the band
    expected = uniformity.histogram(check.uniform["PIT depth"]) * 20 / 600
    np.testing.assert_allclose(steps.get_data().values, expected)
    for ax, name in ((middle, "HPD"), (right, "TARP")):
        x, y = ax.lines[-1].get_data()
        np.testing.assert_allclose(y[1:-1], uniformity.coverage(check.uniform[name]))
        np.testing.assert_allclose(x[1:-1], uniformity.LEVELS)
    assert check.verdict in figure.get_suptitle()
    legible(figure)


def test_sheet_of_a_joint_posterior(joint_check):
    figure = joint_check.plot()
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert [text.partition(",")[0] for text in labels] == [
        "depth",
        "drop",
        "depth × drop",
    ]
    legible(figure)


def test_sheet_of_many_targets():
    """The histograms that fit worst, and a legend that hides none of them."""
    rng = np.random.default_rng(0)
    n, c = 100, 4
    names = ["magnitude", "strike", "dip", "half_duration"]
    truths = rng.normal(size=(n, c))
    factors = np.broadcast_to(np.eye(c), (n, 1, c, c))
    options = {"single": False, "one_target_axis": False, "target_names": names}
    check = calibration(
        Mixture(np.ones((n, 1)), np.zeros((n, 1, c)), factors, **options), truths
    )
    figure = check.plot()
    figure.canvas.draw()
    left = figure.axes[0]
    legend = left.get_legend()
    assert len(legend.get_texts()) == 8
    lowest = legend.get_window_extent().transformed(left.transData.inverted()).y0
    assert lowest > max(one.get_data().values.max() for one in left.patches[1:])
    legible(figure)


def test_a_line_of_panels_for_each(check):
    figure = plot_calibrations(check.by("depth", 2))
    assert len(figure.axes) == 6
    assert figure.bbox.height > figure.bbox.width * 0.6


def test_modes_against_truths(check):
    ax = plot_truth(check)
    points = ax.collections[0]
    drawn = np.sort(points.get_offsets(), axis=0)
    expected = np.column_stack([check.truths[:, 0], check.posterior.mode()])
    np.testing.assert_allclose(drawn, np.sort(expected, axis=0))
    np.testing.assert_allclose(
        np.sort(points.get_array()), np.sort(check.information_gain)
    )
    assert ax.get_xlabel() == "true depth (km)"
    legible(ax.figure)
    bare = calibration(check.posterior, check.truths)
    assert plot_truth(bare).collections[0].get_array() is None


def test_near_truth_follows_the_gaussian(check):
    ax = plot_near_truth(check)
    above, below = check.near_truth()
    np.testing.assert_allclose(
        np.sort(ax.collections[0].get_offsets()[:, 1]), np.sort(above + below)
    )
    x, y = ax.lines[-1].get_data()
    # none can hold more than the Gaussian about the truth, to what the bounds do
    limit = np.interp(check.information_gain, x, y)
    inside = check.information_gain > x[0]
    assert ((above + below)[inside] < limit[inside] + 0.06).all()
    # a posterior that is the prior has 0.05 on each side, half as much at the ends
    assert check.near_truth(30.0)[0].max() <= 1
    legible(ax.figure)


def test_columns_hold_the_densities():
    posterior, truths = posteriors(40)
    ax = plot_columns(
        posterior, truths[:, 0], label="true depth (km)", truth=truths[:, 0],
        prior=PRIOR["depth"],
    )  # fmt: skip
    image = ax.collections[0].get_array()
    assert image.shape == (400, 40)
    order = np.argsort(truths[:, 0])
    y = (np.arange(400) + 0.5) * 30 / 400
    expected = posterior.pdf(y)[order]
    expected /= expected.max(axis=1, keepdims=True)
    # 2.5 % of the probability, or a cell, are cut off at the top
    np.testing.assert_allclose(image.T, expected, atol=0.1)
    assert ax.get_ylabel() == "depth (km)" and ax.get_ylim() == (0, 30)
    legible(ax.figure)


@pytest.mark.parametrize("n, at", [(1, [3.0]), (5, [6, 12, 24, 48, 60]), (300, None)])
def test_columns_against_anything(n, at):
    posterior, truths = posteriors(n)
    at = np.linspace(0, 1, n) if at is None else at
    ax = plot_columns(posterior, at, label="window (s)", truth=12.0)
    assert ax.collections[0].get_array().shape[1] == min(n, 60)
    legible(ax.figure)


def test_corner_plot_has_the_shares(joint_check):
    joint = joint_check.posterior[0]
    figure = plot_joint(joint, PRIOR, truth={"depth": 12.0, "drop": 0.3})
    ((_, paths),) = outlines(figure)
    draws = joint.sample(20_000, seed=1)
    shares = [path.contains_points(draws).mean() for path in paths]
    np.testing.assert_allclose(shares, [0.954, 0.683], atol=0.02)
    labels = [ax.get_xlabel() for ax in figure.axes]
    assert "depth (km)" in labels and "drop (MPa)" in labels
    legible(figure)


def test_scores_lie_on_their_promises(check, joint_check):
    figure = plot_scores(check)
    gain, crps = figure.axes
    x, y = gain.lines[-1].get_data()
    score = check.scores["gain"]
    assert len(x) == 12 and np.mean(x) == pytest.approx(score.promise)
    assert np.mean(y) == pytest.approx(check.gain.value)
    assert "(km)" in crps.get_xlabel()
    legible(figure)
    assert len(plot_scores(joint_check).axes) == 3


def test_corner_plot_as_a_part_of_a_figure(joint_check):
    import matplotlib.pyplot as plt

    parts = plt.figure(layout="constrained").subfigures(1, 2)
    assert plot_joint(joint_check.posterior[0], figure=parts[1]) is parts[1]
    assert len(parts[1].axes) == 3 and not parts[0].axes
    pair = parts[1].axes[1]  # row by row
    assert pair.get_xlabel() == "depth" and pair.get_ylabel() == "drop"


def test_table_beside_the_posteriors():
    samples = simulate(PRIOR, lambda m: m / [30, 1], 500, vectorised=True)
    inversion = Inversion(samples, 0.1, n_members=2, hidden=4, kernels=2, max_iter=20)
    posterior = inversion.fit().posterior([0.4, 0.2])
    figure = plot_table(posterior, truth={"depth": 12.0})
    written = [text.get_text() for ax in figure.axes for text in ax.texts]
    (row, _) = posterior.summary()
    assert "depth" in written and any("km" in text for text in written)
    assert f"{row.gain:.2f}" in written
    legible(figure)
    with pytest.raises(ValueError, match="one observation"):
        plot_table(inversion.posterior([[0.4, 0.2], [0.1, 0.1]]))


def test_history_is_that_of_the_training():
    rng = np.random.default_rng(0)
    targets = rng.normal(size=400)
    inputs = (targets + 0.3 * rng.normal(size=400))[:, np.newaxis]
    committee = Committee(n_members=2, hidden=4, kernels=2, max_iter=40)
    ax = plot_history(committee.fit(inputs, targets))
    for i, one in enumerate(committee.history_):
        np.testing.assert_array_equal(
            ax.lines[3 * i + 1].get_ydata(), one["monitor_loss"]
        )
        (at,), (height,) = ax.lines[3 * i + 2].get_data()
        assert at == one["best_iteration"]
        assert height == one["best_monitor_loss"] == one["monitor_loss"].min()
    legible(ax.figure)
    with pytest.raises(ValueError, match="no history"):
        plot_history(Committee())


def test_learning_curve():
    rng = np.random.default_rng(0)
    targets = rng.normal(size=3000)
    inputs = (targets + 0.5 * rng.normal(size=3000))[:, np.newaxis]
    committee = Committee(n_members=2, hidden=4, kernels=2, max_iter=60)
    test = inputs[1000:], targets[1000:]
    table = learning_curve(
        committee, inputs[:1000], targets[:1000], test, Normal(0, 1), sizes=[60, 1000]
    )
    assert [row.n_samples for row in table] == [60, 1000]
    assert not hasattr(committee, "layout_")
    # the mutual information is ln(5)/2; a network of p = 13 per kernel loses p/2n
    assert table[0].gain < table[1].gain
    assert abs(table[1].gain - 0.5 * np.log(5)) < 4 * table[1].error + 0.03
    whole = Committee(n_members=2, hidden=4, kernels=2, max_iter=60)
    whole.fit(inputs[:1000], targets[:1000])
    assert table[1].loss == pytest.approx(-whole.score(*test))
    ax = table.plot()
    assert ax.get_xlabel() == "prior samples"
    drawn = np.asarray(ax.lines[0].get_ydata(), float)
    np.testing.assert_allclose(drawn, [row.gain for row in table])
    (right,) = ax.child_axes
    ax.figure.canvas.draw()
    ends = np.sort(ax.get_ylim()) + np.sort(right.get_ylim())[::-1]
    np.testing.assert_allclose(ends, table[0].gain + table[0].loss)
    legible(ax.figure)
    assert "excess coverage" in str(table)


def test_refusals(check, joint_check):
    with pytest.raises(ValueError, match="one target, not of depth, drop"):
        plot_truth(joint_check)
    with pytest.raises(ValueError, match="several targets and one observation"):
        plot_joint(check.posterior)
    with pytest.raises(ValueError, match="one entry for each posterior"):
        plot_columns(check.posterior, [1, 2], label="x")


def test_no_settings_are_changed(check):
    before = dict(matplotlib.rcParams)
    check.plot()
    plot_truth(check)
    assert dict(matplotlib.rcParams) == before
