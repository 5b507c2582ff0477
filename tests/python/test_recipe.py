"""What "auto" stands for, weight by the score of the mixture, and explicit settings."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from fmdn import Committee, CorrelatedNoise, GaussianNoise, recipe
from fmdn import _boundary as boundary
from fmdn._boundary_inputs import find_block
from fmdn.fitting import Plan
from fmdn.inputs import Treatment
from fmdn.recipe import KINDS, NOTHING, choose, undecided
from scipy import optimize, stats
from scipy.special import logsumexp

AUTO = {"n_members": 3, "max_iter": 30, "seed": 5}


def curved(n, seed=0):
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((n, 2))
    return inputs, np.sin(2 * inputs[:, 0]) + 0.3 * rng.standard_normal(n)


CURVED, LINEAR, INTRICATE = range(3)


# --- The choice -----------------------------------------------------------------------


def test_a_linear_problem_gets_a_linear_path():
    rng = np.random.default_rng(0)
    models = rng.standard_normal((400, 4))
    data = models + 0.5 * rng.standard_normal(models.shape)
    committee = Committee(n_members=2, seed=1).fit(data, models)
    assert committee.kind_ == LINEAR
    # p/2n with p = 4 (4 + 1) + 10 = 30 is 0.04 nat; the others lose several times that
    data = rng.standard_normal((5000, 4))
    data *= np.sqrt(1.25)
    post = committee.posterior(data)
    assert np.sqrt(np.mean((post.mean() - data / 1.25) ** 2)) < 0.25 * np.sqrt(0.2)


def test_few_rows_get_few_kernels():
    rng = np.random.default_rng(0)
    gains = []
    for seed in range(8):
        models, data = rng.gamma(3, size=1050), rng.standard_normal((1050, 6))
        committee = Committee(n_members=3, seed=seed).fit(data[:50], models[:50])
        prior = stats.gamma(3).logpdf(models[50:])
        gains.append(committee.score(data[50:], models[50:]) - prior.mean())
    # Two kernels have five numbers, which cost 5/2n = 0.05 nat, and tails as much;
    # eight lose 0.4 to 0.7.
    assert np.mean(gains) > -0.3


def test_a_bent_posterior_gets_many_kernels():
    rng = np.random.default_rng(0)
    angle = rng.uniform(-np.pi, np.pi, 2000)
    radius = 1 + 0.03 * rng.standard_normal(2000)
    models = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    data = rng.standard_normal((2000, 1))
    committee = Committee(n_members=2, max_iter=300, seed=1).fit(data, models)
    assert committee.kind_ == INTRICATE


def test_a_small_table_with_steps_is_seen_in_pieces():
    rng = np.random.default_rng(0)
    inputs = rng.random((600, 2))
    steps = np.round(5 * inputs[:, 0]) % 2 + 2 * (inputs[:, 1] > 0.3)
    committee = Committee(3, seed=1).fit(inputs, steps + 0.1 * rng.standard_normal(600))
    assert committee.kind_ == recipe.IN_PIECES
    there = np.array([[0.21, 0.6], [0.4, 0.1], [0.58, 0.9]])  # on middles of steps
    np.testing.assert_allclose(committee.posterior(there).mean(), [3, 0, 3], atol=0.2)
    # what it learnt has kinks at the knots, and slopes in between
    there = rng.random((20, 2))
    slopes = committee.sensitivity(there).mean
    step = 1e-7 * np.eye(2)
    for j in range(2):
        ahead, behind = (
            committee.posterior(there + sign * step[j]).mean() for sign in (1, -1)
        )
        found = (ahead - behind) / 2e-7
        np.testing.assert_allclose(slopes[:, j], found, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("covariance", ["isotropic", "diagonal", "full"])
def test_networks_have_few_outputs(covariance):
    rows = np.random.default_rng(0).standard_normal((640, 30))
    plan = Plan.of(
        Committee(1, covariance=covariance), rows, rows[:, :10], treatment=Treatment()
    )
    layout, parameters = plan.networks[2][:2]
    outputs = 1 + 10 + {"isotropic": 1, "diagonal": 10, "full": 55}[covariance]
    n = boundary.describe(layout, parameters).n_kernels
    assert n == min(16, recipe.MOST_OUTPUTS // outputs)


@pytest.mark.parametrize(
    ("n", "replicate", "most"), [(160, 1, 4), (160, 4, 4), (20, 9, 2)]
)
def test_replicas_are_no_reason_for_more_kernels(n, replicate, most):
    rows = np.random.default_rng(0).standard_normal((n, 3))
    treatment = Treatment(noise=GaussianNoise(0.1), replicate=replicate)
    plan = Plan.of(Committee(1), rows, rows[:, 0], treatment=treatment)
    layout, parameters = plan.networks[INTRICATE][:2]
    assert boundary.describe(layout, parameters).n_kernels == most


def test_pieces_are_as_many_as_the_core_makes():
    rows = np.random.default_rng(0).standard_normal((100, 2))
    plan = Plan.of(Committee(1), rows, rows[:, 0], treatment=Treatment())
    layout = plan.networks[recipe.IN_PIECES].layout
    integers, _ = find_block(layout, "input knots")
    assert layout[integers].tolist() == [recipe.N_PIECES + 1, 1]


def test_pieces_are_for_few_rows_of_few_inputs():
    assert recipe.IN_PIECES in recipe.pointless(10_000, 10, can_be_cut=True)
    assert not recipe.pointless(1000, 10, can_be_cut=True)


def test_the_kind_with_the_lowest_monitor_loss_is_kept():
    inputs, targets = curved(300)
    committee = Committee(**AUTO).fit(inputs, targets)
    monitored = np.mean([one["best_monitor_loss"] for one in committee.history_])
    whole = Plan.of(Committee(**AUTO), inputs, targets, treatment=Treatment())
    losses = {}
    for number in whole.networks:
        plan = whole.of_kind(number)
        assert not (plan.rows.roles == boundary.NO_FOLD).any()  # few rows: all train
        training = boundary.Training.of(plan.n_members, plan.max_iter)
        boundary.train_members(
            plan.layout, plan.parameters, plan.rows, 0, 3, plan.run, 1, training, int
        )
        best = training.outcome[:, 2]
        losses[number] = training.history[np.arange(3), best, 1].mean()
    assert monitored == losses[committee.kind_] == min(losses.values())
    sizes = boundary.describe(committee.layout_, committee.parameters_)
    assert (sizes.layers == len(KINDS[committee.kind_]["hidden"])).all()


def kinds(*losses):
    """Monitor losses of the first three kinds and of the one that knows nothing."""
    return dict(zip([0, 1, 2, NOTHING], map(np.array, losses), strict=True))


def test_a_kind_must_be_clearly_better_than_knowing_nothing():
    nothing = np.array([1.0, 1.1, 1.2, 1.3])
    worse = nothing + 0.5
    better = nothing - 0.1  # on every fold alike
    assert choose(kinds(worse, better, worse, nothing), n_monitored=11) == 1
    # what stopping at the best of many losses gives on nine rows
    assert choose(kinds(worse, better, worse, nothing), n_monitored=9) == NOTHING
    # a mean that is smaller than its own error
    unsure = nothing - [0.5, -0.4, 0.5, -0.4]
    assert choose(kinds(worse, unsure, worse, nothing), n_monitored=1000) == NOTHING
    assert choose(kinds(worse, worse, worse, nothing), n_monitored=1000) == NOTHING
    failed = np.full(4, np.nan)
    assert choose(kinds(failed, better, worse, nothing), n_monitored=1000) == 1
    assert choose(kinds(worse, better, worse, failed), n_monitored=1000) == 1
    assert choose(kinds(worse, [np.nan, *better[1:]], worse, nothing), 1000) == 1


def test_a_kind_is_dropped_when_it_is_clearly_worse():
    best = np.array([1.0, 1.2, 1.4, *[np.nan] * 7])  # three of ten are trained
    apart = np.array([0.4, 0.5, 0.6, *[np.nan] * 7])  # 0.5 +- 0.06
    far = {0: best + apart, 1: best, 2: best + 2 * apart, NOTHING: best + apart}
    assert undecided(far, n_monitored=100) == [1]
    assert choose({1: best}, n_monitored=100) == 1
    # 0.5 nat are less than three of 1/sqrt(3 * 10)
    assert undecided(far, n_monitored=10) == [0, 1, NOTHING]
    unsure = np.array([0.1, 0.3, 1.1, *[np.nan] * 7])  # 0.5 +- 0.31
    assert undecided({0: best, 1: best + unsure}, n_monitored=10_000) == [0, 1]
    failed = np.full(10, np.nan)
    assert undecided({0: failed, 1: best}, n_monitored=100) == [0, 1]
    assert undecided({0: failed, 1: failed}, n_monitored=100) == [0, 1]
    one = np.where(np.arange(10) < 1, best, np.nan)  # has no error
    assert undecided({0: one, 1: one + 9}, n_monitored=10_000) == [0, 1]


def test_pilots_see_a_part_of_many_rows(monkeypatch):
    """And the members are those that were trained on all rows alone."""
    monkeypatch.setattr(recipe, "MANY_ROWS", 200)
    rows = curved(1000)
    settings = {"n_members": 2, "max_iter": 10, "seed": 3}
    seen, train = [], boundary.train_members

    def counted(layout, parameters, rows, *arguments):
        seen.append(len(rows.inputs))
        train(layout, parameters, rows, *arguments)

    monkeypatch.setattr(boundary, "train_members", counted)
    committee = Committee(**settings).fit(*rows)
    assert seen == [200] * (len(KINDS) - len(recipe.CUT_OFF)) + [1000]  # no ends
    plan = Plan.of(Committee(**settings), *rows, treatment=Treatment())
    plan = plan.of_kind(committee.kind_)
    training = boundary.Training.of(plan.n_members, plan.max_iter)
    train(plan.layout, plan.parameters, plan.rows, 0, 2, plan.run, 1, training, int)
    np.testing.assert_array_equal(committee.parameters_, plan.parameters)


def test_pilots_with_noise_of_their_own_see_a_part_too(monkeypatch):
    monkeypatch.setattr(recipe, "MANY_ROWS", 200)
    models = np.random.default_rng(0).standard_normal((1000, 1))
    noise = CorrelatedNoise(0.09 * np.eye(2))
    committee = Committee(2, max_iter=60).fit(
        np.hstack([models, -models]), models[:, 0], noise=noise, sample_weight=1.0
    )
    # two data with a noise of 0.3: sd 0.3/sqrt(2) nearly
    assert 0.15 < committee.posterior([0.0, 0.0]).std() < 0.3


# --- Promises -------------------------------------------------------------------------


@pytest.mark.parametrize("n", [200, 6000])
def test_the_same_bits_on_any_number_of_threads(n):
    rows = curved(n)
    one = Committee(**AUTO | {"max_iter": 12}, n_threads=1).fit(*rows)
    three = Committee(**AUTO | {"max_iter": 12}, n_threads=3).fit(*rows)
    np.testing.assert_array_equal(one.layout_, three.layout_)
    np.testing.assert_array_equal(one.parameters_, three.parameters_)


def test_a_checkpoint_of_all_kinds_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    rows = curved(6000)
    settings = AUTO | {"max_iter": 12, "n_members": 4}
    whole = Committee(**settings).fit(*rows)
    path = tmp_path / "members.mdn"
    train, calls = boundary.train_members, []

    def train_and_stop(*arguments):
        calls.append(arguments[3:5])
        if len(calls) > 1:
            raise KeyboardInterrupt
        train(*arguments)

    monkeypatch.setattr(boundary, "train_members", train_and_stop)
    for _ in range(3):  # after each pilot
        calls.clear()
        with pytest.raises(KeyboardInterrupt):
            Committee(**settings).fit(*rows, checkpoint=path)
    monkeypatch.undo()
    resumed = Committee(**settings).fit(*rows, checkpoint=path)
    np.testing.assert_array_equal(resumed.parameters_, whole.parameters_)
    assert [one["n_iterations"] for one in resumed.history_] == [
        one["n_iterations"] for one in whole.history_
    ]


def test_an_executor_gives_the_same_bits():
    rows = curved(6000)
    settings = AUTO | {"max_iter": 12, "n_members": 4}
    whole = Committee(**settings).fit(*rows)
    with ThreadPoolExecutor(2) as executor:
        pooled = Committee(**settings).fit(*rows, executor=executor)
    np.testing.assert_array_equal(pooled.parameters_, whole.parameters_)


@pytest.mark.parametrize(
    "given", [{"hidden": 6}, {"kernels": 2}, {"hidden": (25, 50), "max_iter": 20}]
)
def test_a_size_that_is_given_means_one_plain_run(rows, given):
    plain = {"hidden": (25, 50), "kernels": (3, 8), "linear_path": False}
    plain |= {"max_iter": 1000, "patience": 50}
    some = Committee(2, **given).fit(*rows)
    full = Committee(2, **plain | given).fit(*rows)
    np.testing.assert_array_equal(some.parameters_, full.parameters_)
    sizes = boundary.describe(some.layout_, some.parameters_)
    assert (sizes.layers == 1).all() and not sizes.linear_path.any()
    losses = some.weighting_losses_
    expected = np.exp(-losses) / np.exp(-losses).sum()
    np.testing.assert_allclose(some.weights_, expected, rtol=1e-10)


def test_settings_that_are_given_hold_for_all_kinds():
    committee = Committee(2, max_iter=3, linear_path=True).fit(*curved(100))
    assert all(one["n_iterations"] == 3 for one in committee.history_)
    sizes = boundary.describe(committee.layout_, committee.parameters_)
    assert sizes.linear_path.all()


# --- Weights --------------------------------------------------------------------------


def member_logs(committee, inputs, targets):
    post = committee.posterior(inputs)
    points = targets[:, np.newaxis]
    return np.array([one.logpdf(points)[:, 0] for one in post.members])


def score(weights, logs):
    return logsumexp(np.log(weights)[:, np.newaxis] + logs, axis=0).mean()


def test_weights_have_the_highest_score_on_the_rows_that_weigh():
    inputs, targets = curved(1000, seed=1)
    committee = Committee(4, hidden=(2, 5), kernels=(1, 3), max_iter=15, seed=2)
    committee.fit(*curved(300))
    parameters = committee.parameters_.copy()
    by_loss = committee.weights_.copy()
    committee.reweigh(inputs, targets)
    changed = np.flatnonzero(committee.parameters_ != parameters)
    assert 0 < len(changed) <= 4  # nothing is trained
    logs = member_logs(committee, inputs, targets)

    def loss(logits):
        return -score(np.exp(logits - logsumexp(logits)), logs)

    direct = optimize.minimize(loss, np.zeros(4), tol=1e-12)
    assert score(committee.weights_, logs) == pytest.approx(-direct.fun, abs=1e-6)
    assert score(committee.weights_, logs) > score(by_loss, logs)
    assert committee.weights_.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(committee.weighting_losses_, -logs.mean(axis=1))
    committee.reweigh(inputs, targets, stacked=False)
    expected = np.exp(logs.mean(axis=1))
    np.testing.assert_allclose(committee.weights_, expected / expected.sum())


def test_rows_without_weight_do_not_weigh():
    committee = Committee(3, hidden=3, kernels=1, max_iter=10).fit(*curved(100))
    inputs, targets = curved(400, seed=1)
    alone = committee.reweigh(inputs[:200], targets[:200]).weights_.copy()
    weights = np.repeat([1.0, 0.0], 200)
    both = committee.reweigh(inputs, targets, sample_weight=weights).weights_
    np.testing.assert_allclose(both, alone, rtol=1e-9)


def test_reweighing_refuses_rows_of_another_width():
    committee = Committee(2, hidden=3, kernels=1, max_iter=3).fit(*curved(100))
    with pytest.raises(ValueError, match="X has 3 features"):
        committee.reweigh(np.zeros((5, 3)), np.zeros(5))
    with pytest.raises(ValueError, match=r"targets must have shape \(5, 1\)"):
        committee.reweigh(np.zeros((5, 2)), np.zeros((5, 2)))
