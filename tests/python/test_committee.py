"""What a committee promises to who trains one and asks it."""

import re

import fmdn
import numpy as np
import pytest
from fmdn import Committee, GaussianNoise, Normal, Prior
from fmdn import _boundary as boundary
from fmdn.fitting import Plan
from fmdn.inputs import Treatment
from fmdn.progress import time_left


def roles_of(committee, inputs, targets, **given):
    """Roles of the rows: a fold's number, or one of the boundary's constants."""
    return Plan.of(
        committee, inputs, targets, treatment=Treatment(), **given
    ).rows.roles


def member_losses(committee, inputs, targets):
    """Mean loss of each member by itself, from its posterior."""
    members = committee.posterior(inputs).members
    return np.array([-one.logpdf(targets[:, np.newaxis]).mean() for one in members])


# --- Shapes and units -----------------------------------------------------------------


def test_answers_have_the_shape_of_the_targets(rows, quick):
    inputs, targets = rows
    for given in (targets[:, 1], targets[:, 1:], targets):
        committee = Committee(**quick).fit(inputs, given)
        assert committee.predict(inputs).shape == given.shape
        several, one = committee.posterior(inputs[:4]), committee.posterior(inputs[0])
        assert several.mean().shape == given[:4].shape
        assert one.mean().shape == given[0].shape
        assert committee.log_density(inputs, given).shape == (300,)
        np.testing.assert_array_equal(one.mean(), several[0].mean())
        np.testing.assert_array_equal(
            committee.predict(inputs[:4]), committee.posterior(inputs[:4]).mean()
        )


def test_one_target_is_the_same_with_and_without_an_axis(rows, quick):
    inputs, targets = rows
    flat = Committee(**quick).fit(inputs, targets[:, 1])
    column = Committee(**quick).fit(inputs, targets[:, 1:])
    np.testing.assert_array_equal(flat.parameters_, column.parameters_)
    expected = flat.log_density(inputs, targets[:, 1])
    np.testing.assert_array_equal(column.log_density(inputs, targets[:, 1:]), expected)


def test_log_density_is_that_of_the_posterior(committee, rows):
    """Two ways through the core; the kernels of one work in standardised units."""
    inputs, targets = rows
    log_p = committee.log_density(inputs, targets)
    by_posterior = committee.posterior(inputs).logpdf(targets[:, np.newaxis])[:, 0]
    np.testing.assert_allclose(log_p, by_posterior, rtol=1e-10, atol=1e-10)
    assert committee.score(inputs, targets) == pytest.approx(log_p.mean(), rel=1e-14)
    weights = np.arange(300.0)
    expected = (weights * log_p).sum() / weights.sum()
    assert committee.score(inputs, targets, weights) == pytest.approx(
        expected, rel=1e-12
    )


def test_density_integrates_to_one_in_the_targets_units(rows, quick):
    inputs, targets = rows
    committee = Committee(**quick).fit(inputs, targets[:, 1])
    post = committee.posterior(inputs[:5])
    # to 12 sd beyond the outermost kernels, with 100 points or more in the narrowest
    sd = np.sqrt(post.covariances)
    ends = (post.means - 12 * sd).min(), (post.means + 12 * sd).max()
    grid = np.linspace(*ends, int(100 * np.ptp(ends) / sd.min()))
    total = np.trapezoid(post.pdf(grid), grid, axis=-1)
    np.testing.assert_allclose(total, 1, rtol=1e-9)


def test_committee_is_the_mixture_of_its_members(committee, rows):
    inputs, targets = rows
    post = committee.posterior(inputs[:7])
    assert len(post.members) == 3
    assert committee.weights_.sum() == pytest.approx(1, abs=1e-14)
    np.testing.assert_allclose(post.weights.sum(axis=-1), 1, rtol=1e-14)
    parts = [one.pdf(targets[:7, np.newaxis]) for one in post.members]
    combined = np.tensordot(committee.weights_, parts, axes=1)
    np.testing.assert_allclose(post.pdf(targets[:7, np.newaxis]), combined, rtol=1e-12)


# --- Sizes ----------------------------------------------------------------------------


def test_explicit_sizes_mean_exactly_these(rows):
    committee = Committee(2, hidden=[4, 3], kernels=5, linear_path=True, max_iter=2)
    committee.fit(*rows)
    sizes = boundary.describe(committee.layout_, committee.parameters_)
    assert committee.posterior(rows[0][0]).weights.shape == (10,)
    # per kernel of two targets: a weight, 2 means, 3 numbers of the covariance
    outputs = 5 * 6
    expected = (3 + 1) * 4 + (4 + 1) * 3 + (3 + 1) * outputs + 3 * outputs
    assert sizes.n_parameters.tolist() == [expected] * 2
    assert sizes.hidden.tolist() == [7, 7]
    for kind, numbers in (("diagonal", 2), ("isotropic", 1)):
        committee.set_params(covariance=kind).fit(*rows)
        sizes = boundary.describe(committee.layout_, committee.parameters_)
        less = (3 - numbers) * 5
        assert sizes.n_parameters.tolist() == [expected - less * (3 + 1 + 3)] * 2
        correlated = committee.posterior(rows[0]).covariances[..., 0, 1]
        assert not correlated.any()


def test_drawn_sizes_fill_their_range(rows):
    committee = Committee(60, hidden=(2, 5), kernels=(1, 3), max_iter=0)
    committee.fit(*rows)
    sizes = boundary.describe(committee.layout_, committee.parameters_)
    # each of 4 (3) values is missed by 60 draws with probability 0.75^60 < 1e-7
    assert set(sizes.hidden) == {2, 3, 4, 5}
    assert set(sizes.kernels) == {1, 2, 3}


# --- Who trains, who monitors, who weighs ---------------------------------------------


@pytest.mark.parametrize("n", [5, 6, 7, 11, 30, 500])
def test_no_split_is_empty(n, rows):
    committee = Committee(n_members=12, kernels=1)
    roles = roles_of(committee, rows[0][:1].repeat(n, 0), np.arange(n))
    assert (roles == boundary.NO_FOLD).sum() == max(1, round(n / 10))
    sizes = np.bincount(roles)[1:]
    assert len(sizes) == min(10, n - 1) and sizes.min() > 0
    assert sizes.max() - sizes.min() <= 1
    assert (roles >= 0).all()


def test_groups_are_never_split(rows, seed):
    rng = np.random.default_rng(seed)
    labels = np.array([f"event {i}" for i in rng.integers(0, 40, size=300)])
    roles = roles_of(Committee(kernels=2), *rows, groups=labels)
    for label in set(labels):
        assert len(set(roles[labels == label])) == 1
    assert len(set(roles)) == 11  # ten folds, and the rows that weigh
    assert len(set(labels[roles == boundary.NO_FOLD])) == 4


def test_members_are_monitored_by_other_rows(rows):
    """Each member of ten sees another tenth of the rows as its monitor set."""
    fits = Committee(10, hidden=2, kernels=1, max_iter=0).fit(*rows)
    losses = {one["monitor_loss"][0] for one in fits.history_}
    assert len(losses) == 10


def test_a_monitor_set_stops_and_weighs(rows, quick):
    """Without a weighting set it gives the weights too, so that all rows train."""
    inputs, targets = rows
    committee = Committee(**quick).fit(*rows, monitor=(inputs[:40], targets[:40]))
    monitored = member_losses(committee, inputs[:40], targets[:40])
    trained = member_losses(committee, inputs, targets)
    for k, one in enumerate(committee.history_):
        best = one["best_iteration"]
        assert one["best_monitor_loss"] == one["monitor_loss"][best]
        assert one["best_monitor_loss"] == pytest.approx(monitored[k], rel=1e-9)
        assert one["training_loss"][best] == pytest.approx(trained[k], rel=1e-9)
    np.testing.assert_allclose(committee.weighting_losses_, monitored, rtol=1e-9)
    expected = np.exp(-monitored) / np.exp(-monitored).sum()
    np.testing.assert_allclose(committee.weights_, expected, rtol=1e-8)


def test_a_weighting_set_weighs(rows, quick):
    inputs, targets = rows
    own = inputs[:50], targets[:50]
    committee = Committee(**quick).fit(inputs[50:], targets[50:], weighting=own)
    losses = member_losses(committee, *own)
    np.testing.assert_allclose(committee.weighting_losses_, losses, rtol=1e-9)
    both = Committee(**quick).fit(
        inputs[50:],
        targets[50:],
        weighting=own,
        monitor=(inputs[50:60], targets[50:60]),
    )
    np.testing.assert_allclose(
        both.weighting_losses_, member_losses(both, *own), rtol=1e-9
    )
    roles = roles_of(Committee(**quick), inputs[50:], targets[50:], weighting=own)
    assert (roles[:250] > 0).all() and (roles[250:] == boundary.NO_FOLD).all()


def test_weights_of_rows_weigh_their_losses(rows, quick):
    """The training loss is sum(w l)/sum(w)."""
    inputs, targets = rows
    weights = np.linspace(0.5, 2, 300)
    committee = Committee(**quick).fit(
        *rows, sample_weight=weights, monitor=(inputs[:40], targets[:40])
    )
    for one, post in zip(
        committee.history_, committee.posterior(inputs).members, strict=True
    ):
        losses = -post.logpdf(targets[:, np.newaxis])[:, 0]
        expected = (weights * losses).sum() / weights.sum()
        assert one["training_loss"][one["best_iteration"]] == pytest.approx(
            expected, rel=1e-9
        )


def test_rows_of_no_weight_are_as_good_as_not_there(rows, quick):
    inputs, targets = rows
    weights = np.where(np.arange(300) % 3, 1.0, 0.0)
    without = Committee(**quick).fit(inputs[weights > 0], targets[weights > 0])
    zero = Committee(**quick).fit(*rows, sample_weight=weights)
    np.testing.assert_array_equal(zero.parameters_, without.parameters_)
    scaled = Committee(**quick).fit(*rows, sample_weight=4 * weights)
    np.testing.assert_array_equal(scaled.parameters_, without.parameters_)


def test_noise_is_what_the_posterior_is_wide_of(quick):
    """m ~ N(0, 1), measured with an error of 0.5: the sd is 0.5/sqrt(1.25)."""
    models = np.random.default_rng(5).normal(size=(2000, 1))
    settings = quick | {"kernels": 1, "max_iter": 200}
    posts = []
    for noise in (0.5, [0.5], GaussianNoise(0.5)):
        committee = Committee(**settings).fit(models, models[:, 0], noise=noise)
        posts.append(committee.posterior([1.0]))
    assert len({(post.mean(), post.std()) for post in posts}) == 1
    # 1,600 rows train: sampling error of the sd 1.8 %, and of the mean 2.5 % of an sd,
    # for each of three members; networks add about as much
    assert posts[0].std() == pytest.approx(0.5 / np.sqrt(1.25), rel=0.08)
    assert posts[0].mean() == pytest.approx(1 / 1.25, abs=0.1 * posts[0].std())


# --- History --------------------------------------------------------------------------


def test_history_tells_how_each_member_was_trained(rows, quick):
    committee = Committee(**quick | {"max_iter": 200, "patience": 5}).fit(*rows)
    reasons = set()
    for one in committee.history_:
        n, best = one["n_iterations"], one["best_iteration"]
        assert {len(one[key]) for key in boundary.HISTORY} == {n + 1}
        assert one["monitor_loss"].argmin() == best
        assert (np.diff(one["training_loss"]) < 0).all()
        assert (np.diff(one["seconds"]) >= 0).all()
        assert (np.diff(one["evaluations"]) >= 1).all()
        if one["stopped"] == "monitor loss no longer improves":
            earlier = one["monitor_loss"][: n - 4].min()
            assert (one["monitor_loss"][n - 4 :] > earlier - 1e-5).all()
        reasons.add(one["stopped"])
    assert "monitor loss no longer improves" in reasons
    assert committee.n_iter_ == max(one["n_iterations"] for one in committee.history_)


def test_no_patience_means_no_stop_for_it(rows, quick):
    settings = quick | {"max_iter": 150}
    committee = Committee(**settings, patience=None).fit(*rows)
    patient = Committee(**settings, patience=5).fit(*rows)
    assert min(one["n_iterations"] for one in patient.history_) < 150
    for one, other in zip(committee.history_, patient.history_, strict=True):
        assert one["stopped"] == "maximum number of iterations"
        assert one["n_iterations"] == 150
        n = other["n_iterations"]
        np.testing.assert_array_equal(
            one["monitor_loss"][: n + 1], other["monitor_loss"]
        )


def test_progress_shows_every_member(rows, quick, capsys):
    pytest.importorskip("tqdm")
    Committee(**quick).fit(*rows, target_names=["wave", "depth"], progress=True)
    shown = capsys.readouterr().err
    assert "wave, depth" in shown and "3/3" in shown


def test_progress_shows_monitor_loss_and_time_left(rows, quick, capsys):
    pytest.importorskip("tqdm")
    slow = quick | {"max_iter": 3000, "patience": None, "hidden": 40, "n_threads": 1}
    committee = Committee(**slow).fit(*rows, progress=True)
    shown = capsys.readouterr().err
    # before the first member has ended, at most that long
    bar = r"0/3 \[.*iteration=\d+, monitor=-?\d+\.\d+, left=<\d\d:\d\d"
    assert re.search(bar, shown)
    assert re.search(r"[12]/3 \[.*left=\d\d:\d\d", shown)
    assert len(committee.history_) == 3


def test_the_time_left_is_that_of_members_like_those_that_ended():
    training = boundary.Training.of(4, 100)
    assert time_left(training, 4, True) is None
    training.outcome[:2, 1] = 10  # two members at iteration 10, after 2 and 4 seconds
    training.history[0, 10, 5], training.history[1, 10, 5] = 2, 4
    # 100 iterations at 0.3 s: 30 s each, two at a time
    assert time_left(training, 4, True) == pytest.approx((28 + 26 + 60) / 2)
    assert time_left(training, 4, False) is None  # iterations of different length
    training.outcome[0] = 3, 20, 15
    training.history[0, 20, 5] = 6
    assert time_left(training, 4, False) == pytest.approx(2 + 6 + 6)  # one runs


# --- Names ----------------------------------------------------------------------------


def test_names(rows, quick):
    settings = quick | {"max_iter": 0}
    plain = Committee(**settings).fit(*rows)
    assert plain.target_names_ == ["target_0", "target_1"]
    assert plain.input_names_ == ["input_0", "input_1", "input_2"]
    prior = Prior(a=Normal(0, 1), b=Normal(0, 1))
    from_prior = Committee(**settings).fit(*rows, prior=prior)
    assert from_prior.target_names_ == ["a", "b"]
    named = Committee(**settings).fit(
        *rows,
        prior=prior,
        target_names=("x", "y"),
        input_names=np.array(["p", "q", "r"]),
    )
    assert named.target_names_ == ["x", "y"] and named.input_names_ == ["p", "q", "r"]
    assert named.posterior(rows[0]).marginal("y").target_names == ["y"]
    assert Committee(**settings).fit(rows[0], rows[1][:, 0], target_names="z")


def test_data_frames(rows, quick):
    pandas = pytest.importorskip("pandas")
    inputs = pandas.DataFrame(rows[0], columns=["east", "north", "up"])
    targets = pandas.DataFrame(rows[1], columns=["wave", "depth"])
    committee = Committee(**quick).fit(inputs, targets)
    arrays = Committee(**quick).fit(*rows)
    np.testing.assert_array_equal(committee.parameters_, arrays.parameters_)
    assert committee.input_names_ == ["east", "north", "up"]
    assert committee.feature_names_in_.tolist() == ["east", "north", "up"]
    assert committee.target_names_ == ["wave", "depth"]
    np.testing.assert_array_equal(committee.predict(inputs), arrays.predict(rows[0]))
    one = committee.posterior(inputs.iloc[3])
    np.testing.assert_array_equal(one.mean(), committee.predict(inputs)[3])
    with pytest.raises(
        ValueError, match="feature names.*'east'.*'up', 'north', 'east'"
    ):
        committee.predict(inputs[["up", "north", "east"]])
    with pytest.raises(ValueError, match="feature names.*'up', 'north', 'east'"):
        committee.posterior(inputs[["up", "north", "east"]].iloc[3])
    with pytest.raises(ValueError, match="monitor inputs have other columns"):
        committee.fit(
            inputs, targets, monitor=(inputs[["up", "north", "east"]], targets)
        )
    series = Committee(**quick | {"max_iter": 0}).fit(inputs, targets["depth"])
    assert series.target_names_ == ["depth"]
    assert not hasattr(arrays, "feature_names_in_")
    assert not hasattr(committee.fit(*rows), "feature_names_in_")


# --- Settings -------------------------------------------------------------------------


def test_settings_are_stored_and_changed():
    committee = Committee(4, seed=9)
    assert repr(committee) == "Committee(n_members=4, seed=9)"
    assert committee.get_params()["patience"] == "auto"
    assert committee.set_params(patience=None, hidden=[3, 3]) is committee
    assert committee.patience is None and committee.hidden == [3, 3]
    with pytest.raises(ValueError, match="'n_member' for estimator Committee"):
        committee.set_params(n_member=2)


def test_fitting_again_starts_anew(rows, quick):
    inputs, targets = rows
    committee = Committee(**quick).fit(inputs[:, :2], targets[:, 0])
    committee.fit(*rows)
    fresh = Committee(**quick).fit(*rows)
    assert committee.n_features_in_ == 3 and committee.n_targets_ == 2
    np.testing.assert_array_equal(committee.parameters_, fresh.parameters_)
    assert committee.predict(inputs).shape == targets.shape


def test_caller_keeps_its_arrays(rows, quick):
    inputs, targets = (np.asfortranarray(values) for values in rows)
    before = inputs.copy(), targets.copy()
    committee = Committee(**quick).fit(inputs, targets, noise=0.1)
    committee.posterior(inputs).mean()
    np.testing.assert_array_equal(inputs, before[0])
    np.testing.assert_array_equal(targets, before[1])
    as_rows = Committee(**quick).fit(*rows, noise=0.1)
    np.testing.assert_array_equal(committee.parameters_, as_rows.parameters_)
    integers = Committee(**quick | {"max_iter": 1}).fit(
        np.arange(60).reshape(20, 3), np.arange(20, dtype=np.int8)
    )
    assert np.isfinite(integers.predict(np.zeros((1, 3), dtype=np.float32))).all()


def test_saving_keeps_everything_that_is_asked_for(committee, rows, tmp_path):
    path = tmp_path / "wave.mdn"
    committee.save(path)
    again = fmdn.load(path)
    assert repr(again) == repr(committee)
    assert again.target_names_ == ["wave", "depth"]
    np.testing.assert_array_equal(again.predict(rows[0]), committee.predict(rows[0]))
    np.testing.assert_array_equal(
        again.log_density(*rows), committee.log_density(*rows)
    )
