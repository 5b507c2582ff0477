"""Targets that are whole numbers: what the inputs say of them is learned."""

import numpy as np
import pytest
from fmdn import Committee, GaussianNoise, Uniform
from fmdn.blur import blur, find_marks
from fmdn.fitting import Plan
from fmdn.inputs import Treatment
from fmdn.recipe import NOTHING
from scipy import stats

FREE = np.array([True])
PLAIN = Treatment()


def counts(n, seed):
    rng = np.random.default_rng(seed)
    inputs = rng.uniform(0, 2, (n, 2))
    return inputs, rng.poisson(np.exp(inputs[:, 0]))


def test_counts_have_the_posterior_of_their_marks():
    inputs, targets = counts(2000, 0)
    committee = Committee(n_members=3, seed=0).fit(inputs, targets)
    assert committee.kind_ != NOTHING
    inputs, _ = counts(300, 1)
    marks = np.arange(40)
    post = committee.posterior(inputs)
    mass = post.cdf(marks + 0.5) - post.cdf(marks - 0.5)
    exact = stats.poisson(np.exp(inputs[:, :1])).pmf(marks)
    distance = 0.5 * np.abs(mass - exact).sum(axis=1)
    prior = np.bincount(targets, minlength=40) / len(targets)
    worst = 0.5 * np.abs(prior - exact).sum(axis=1)
    # Rates off by 5 % put 0.03 of the mass elsewhere; Gaussian kernels as much.
    assert distance.mean() < 0.1
    assert worst.mean() > 0.3  # so much knows who learns nothing


def test_units_do_not_matter():
    _, targets = counts(500, 0)
    targets = targets[:, np.newaxis].astype(float)
    marks, other = find_marks(targets, FREE)[0], find_marks(0.3 * targets - 7, FREE)[0]
    assert marks.gaps.min() == 1
    assert other.gaps == pytest.approx(0.3 * marks.gaps)
    once, then = blur(targets, {0: marks}, 3), blur(0.3 * targets - 7, {0: other}, 3)
    assert 0.3 * once - 7 == pytest.approx(then)
    assert np.std(once - targets) == pytest.approx(0.25, rel=0.1)


def test_each_mark_has_its_own_blur():
    targets = np.repeat([0.0, 1, 2, 2.001, 10, 100], 1000)[:, np.newaxis]
    moves = (blur(targets, find_marks(targets, FREE), 0) - targets).reshape(6, 1000)
    expected = [0.25, 0.25, 0.00025, 0.00025, 7.999 / 4, 22.5]
    assert moves.std(axis=1) == pytest.approx(expected, rel=0.12)  # 5 standard errors


def test_numbers_that_do_not_repeat_are_left_alone():
    rng = np.random.default_rng(0)
    targets = rng.standard_normal((500, 3))
    targets[:, 1] = np.round(targets[:, 1], 2)  # some hundred marks
    targets[:, 2] = 4
    free = np.ones(3, dtype=bool)
    assert not find_marks(targets, free)
    assert blur(targets, {}, 0) is targets
    assert not find_marks(np.round(targets), ~free)


def test_rounding_errors_make_no_marks():
    targets = np.repeat([0.1, 0.2, 0.1 + 0.2, 0.3, 0.4], 100)[:, np.newaxis]
    assert find_marks(targets, FREE)[0].gaps == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("settings", "arguments"),
    [
        ({"hidden": 5, "kernels": 2}, {}),
        ({}, {"prior": {"count": Uniform(0, 40)}}),
    ],
)
def test_explicit_sizes_and_bounds_keep_their_targets(settings, arguments):
    inputs, targets = counts(500, 0)
    plan = Plan.of(Committee(**settings), inputs, targets, treatment=PLAIN, **arguments)
    assert np.array_equal(plan.rows.targets[:, 0], targets)


def test_a_set_that_monitors_is_blurred_too():
    inputs, targets = counts(500, 0)
    given = {"treatment": PLAIN, "monitor": (inputs[:50], targets[:50])}
    rows = Plan.of(Committee(), inputs, targets, **given).rows
    moves = rows.targets[:, 0] - np.concatenate([targets, targets[:50]])
    assert len(np.unique(moves)) == 550  # drawn afresh
    assert np.abs(moves).max() < 1.5  # 6 standard deviations


def test_replicas_are_no_marks():
    inputs = np.random.default_rng(0).standard_normal((100, 2))
    treatment = Treatment(noise=GaussianNoise(0.1), replicate=30)
    rows = Plan.of(Committee(), inputs, inputs[:, 0], treatment=treatment).rows_of(0)
    assert np.array_equal(np.unique(rows.targets), np.unique(inputs[:, 0]))


def test_members_are_added_to_blurred_rows():
    inputs, targets = counts(300, 0)
    at_once = Committee(n_members=4, max_iter=100, seed=1).fit(inputs, targets)
    later = Committee(n_members=3, max_iter=100, seed=1).fit(inputs, targets)
    assert later.kind_ == at_once.kind_
    later.add_members(1, inputs, targets)
    expected = at_once.posterior(inputs[:3]).mean()
    assert np.array_equal(later.posterior(inputs[:3]).mean(), expected)
