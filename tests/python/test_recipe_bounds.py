"""The kind of network whose kernels are cut off at bounds, and kinds dropped early."""

from concurrent.futures import ThreadPoolExecutor

import fmdn
import numpy as np
import pytest
from fmdn import Committee, fitting, recipe
from fmdn import _boundary as boundary
from fmdn.inputs import Treatment
from fmdn.plan import Plan
from fmdn.ranges import LOG_TRUNCATED, PERIODIC, PROBIT, TRUNCATED
from fmdn.recipe import CUT_OFF
from scipy import stats

BOX = [fmdn.Uniform(-1, 1)] * 3
SD = 0.3
LINEAR = 1


def boxed(n, seed=0):
    """Data and models: a Gaussian that the box cuts off is the posterior."""
    rng = np.random.default_rng(seed)
    models = rng.uniform(-1, 1, (n, 3))
    return models + SD * rng.standard_normal(models.shape), models


@pytest.fixture(scope="module")
def cut_off():
    return Committee(2, max_iter=60, seed=1).fit(*boxed(500), prior=BOX)


# --- The choice -----------------------------------------------------------------------


def test_a_cut_off_gaussian_gets_kernels_that_are_cut_off(cut_off):
    assert cut_off.kind_ == CUT_OFF[0]
    data, models = boxed(4000, seed=9)
    inside = stats.norm.cdf((1 - data) / SD) - stats.norm.cdf((-1 - data) / SD)
    exact = stats.norm.logpdf(models, data, SD) - np.log(inside)
    gap = exact.sum(axis=1) - cut_off.log_density(data, models)
    # p/2n with p = 3 (3 + 1) + 3 = 15 is 0.015 nat; kernels behind a map lose 0.1
    assert gap.mean() < 0.03 + 3 * gap.std() / np.sqrt(len(gap))
    post = cut_off.posterior([0.9, 0.0, -2.0])
    assert post.space == "physical"
    factors = post.covariances
    assert (factors == factors * np.eye(3)).all()
    # the density at an end is neither nothing nor infinite
    piled_up = post.marginal("target_2")
    truth = stats.truncnorm(1 / SD, 3 / SD, -2.0, SD)
    assert piled_up.pdf(-1.0) == pytest.approx(truth.pdf(-1.0), rel=0.25)


@pytest.mark.parametrize(
    ("covariance", "prior", "tried"),
    [
        ("full", BOX, True),
        ("full", [stats.expon(-2)] * 3, True),
        ("full", None, False),
        ("full", [stats.norm()] * 3, False),
        ("full", [stats.gamma(3, -2)] * 3, False),  # log(m - low), whatever the kernels
        ("full", [fmdn.Uniform(-2, 2, period=4)] * 3, False),
        ("diagonal", BOX, False),  # all kinds are cut off
        ("full", BOX[:1], False),
    ],
)
def test_it_is_tried_where_it_matters(covariance, prior, tried):
    inputs, targets = boxed(60)
    targets = targets[:, : len(prior or BOX)]
    committee = Committee(2, covariance=covariance)
    plan = Plan.of(committee, inputs, targets, treatment=Treatment(), prior=prior)
    assert {*CUT_OFF} & {*plan.networks} == ({*CUT_OFF} if tried else set())
    assert max(plan.networks) == recipe.NOTHING  # last, as `choose` wants it


def test_correlated_targets_keep_their_correlations():
    rng = np.random.default_rng(0)
    models = rng.uniform(-1, 1, (300, 2))
    data = models.sum(axis=1, keepdims=True) + 0.1 * rng.standard_normal((300, 1))
    committee = Committee(2, max_iter=60, seed=1).fit(data, models, prior=BOX[:2])
    assert committee.kind_ not in CUT_OFF
    assert committee.posterior([0.0]).correlation()[0, 1] < -0.8


def test_losses_of_all_kinds_are_in_the_units_of_the_targets():
    """Each member's loss is what it says of the rows that monitored it."""
    rng = np.random.default_rng(1)
    prior = [fmdn.Uniform(-3, 5), fmdn.LogUniform(1, 30), stats.expon(2, 0.1)]
    prior += [fmdn.Uniform(0, 360, period=360), stats.gamma(3), stats.norm(0, 9)]
    models = np.column_stack([one.ppf(rng.uniform(size=400)) for one in prior])
    data = models + rng.standard_normal(models.shape)
    weights = rng.uniform(0, 2, len(data))
    committee = Committee(2, max_iter=20, seed=3)
    rows = {"treatment": Treatment(), "sample_weight": weights, "prior": prior}
    whole = Plan.of(committee, data, models, **rows)
    seen = set()
    for number in whole.networks:
        plan = whole.of_kind(number)
        training = boundary.Training.of(2, plan.max_iter)
        boundary.train_members(
            plan.layout, plan.parameters, plan.rows, 0, 2, plan.run, 1, training, int
        )
        for k in range(2):
            keep = np.arange(2) == k
            alone = boundary.select_members(plan.layout, plan.parameters, keep)
            fold = plan.rows.roles == 1 + k
            log_p = boundary.log_density(*alone, data[fold], models[fold], 1)
            best = training.history[k, training.outcome[k, 2], 1]
            direct = -np.average(log_p, weights=weights[fold])
            assert best == pytest.approx(direct, rel=1e-10)
            # the losses of the last line are of the parameters that were kept
            if training.outcome[k, 2] == training.outcome[k, 1]:
                log_p = boundary.log_density(*alone, data[~fold], models[~fold], 1)
                direct = -np.average(log_p, weights=weights[~fold])
                line = training.history[k, training.outcome[k, 1], 0]
                assert line == pytest.approx(direct, rel=1e-10)
                seen.add(number)
        losses = boundary.weigh_members(plan.layout, plan.parameters, plan.rows, 1)
        assert np.isfinite(losses).all()
    assert len(seen) > 2


def test_losses_that_weigh_are_in_the_units_of_the_targets(cut_off):
    data, models = boxed(300, seed=5)
    mapped = Committee(2, hidden=4, kernels=2, max_iter=10).fit(data, models, prior=BOX)
    assert mapped.posterior(data[0]).space == "mapped"
    for committee in (cut_off, mapped):
        committee.reweigh(data, models, stacked=False)
        for k, loss in enumerate(committee.weighting_losses_):
            log_p = np.diag(committee.posterior(data).members[k].logpdf(models))
            assert loss == pytest.approx(-log_p.mean(), rel=1e-9)


# --- All that a committee can do ------------------------------------------------------


def test_its_members_are_added_kept_and_copied(cut_off, tmp_path):
    rows, prior = boxed(500), {"prior": BOX}
    before = cut_off.posterior(rows[0][:3])
    cut_off.save(tmp_path / "two.mdn")
    read = fmdn.load(tmp_path / "two.mdn")
    assert read.kind_ == CUT_OFF[0] and read.get_params() == cut_off.get_params()
    points = rows[1][:3]
    np.testing.assert_array_equal(
        read.posterior(rows[0][:3]).logpdf(points), before.logpdf(points)
    )
    with pytest.raises(ValueError, match="not those that the committee was"):
        read.add_members(1, *rows)  # without the prior
    read.add_members(1, *rows, **prior)
    at_once = Committee(3, max_iter=60, seed=1).fit(*rows, **prior)
    np.testing.assert_array_equal(read.layout_, at_once.layout_)
    np.testing.assert_array_equal(read.parameters_, at_once.parameters_)
    conditional = at_once.posterior(rows[0][0]).conditional(target_1=0.5)
    samples = conditional.sample(1000, seed=0)
    assert (np.abs(samples) <= 1).all()
    assert at_once.sensitivity(rows[0][:2]).mean.shape == (2, 3, 3)


def test_targets_of_many_kinds():
    """One mapped target among others that are not is enough."""
    rng = np.random.default_rng(2)
    prior = fmdn.Prior(
        depth=fmdn.LogUniform(1, 30),
        strike=fmdn.Uniform(0, 360, period=360),
        shift=fmdn.Uniform(-1, 1),
    )
    models = prior.sample(300, seed=1)
    data = np.column_stack([np.log(models[:, 0]), models[:, 1] / 90, models[:, 2]])
    data += 0.3 * rng.standard_normal(data.shape)
    plan = Plan.of(Committee(2), data, models, treatment=Treatment(), prior=prior)
    kinds = [boundary_ranges(plan.of_kind(number)) for number in (LINEAR, CUT_OFF[0])]
    assert kinds == [[5, PERIODIC, PROBIT], [LOG_TRUNCATED, PERIODIC, TRUNCATED]]


def boundary_ranges(plan):
    ranges = fmdn._boundary_targets.get_ranges(plan.layout, plan.parameters, 3)
    return ranges.kinds.tolist()


# --- Kinds dropped early --------------------------------------------------------------


SIX = {"n_members": 6, "max_iter": 25, "seed": 2}


def counted(monkeypatch):
    """Count the members trained of each size of network."""
    seen, train = [], boundary.train_members

    def counting(layout, parameters, rows, first, last, *arguments):
        seen.append((boundary.describe(layout, parameters).n_kernels, last - first))
        train(layout, parameters, rows, first, last, *arguments)

    monkeypatch.setattr(boundary, "train_members", counting)
    return seen


def test_kinds_that_are_clearly_worse_get_no_more_pilots(monkeypatch, tmp_path):
    rows = boxed(300)
    whole = Committee(**SIX).fit(*rows)
    monkeypatch.setattr(recipe, "FIRST_PILOTS", 6)  # no kind is dropped
    every = Committee(**SIX).fit(*rows)
    monkeypatch.undo()
    np.testing.assert_array_equal(whole.parameters_, every.parameters_)
    seen = counted(monkeypatch)
    path = tmp_path / "members.mdn"
    Committee(**SIX).fit(*rows, checkpoint=path)
    assert [n for _, n in seen][:5] == [3] * 5
    assert len(seen) < 10 and sum(n for _, n in seen) < 30
    seen.clear()  # what is in the checkpoints is not trained again
    resumed = Committee(**SIX).fit(*rows, checkpoint=path)
    assert not seen
    np.testing.assert_array_equal(resumed.parameters_, whole.parameters_)


def test_an_interruption_after_kinds_were_dropped(monkeypatch, tmp_path):
    rows, path = boxed(300), tmp_path / "members.mdn"
    whole = Committee(**SIX).fit(*rows)
    train, calls = boundary.train_members, []

    def train_and_stop(*arguments):
        calls.append(arguments)
        if len(calls) > 4:  # pilots of four kinds
            raise KeyboardInterrupt
        train(*arguments)

    monkeypatch.setattr(boundary, "train_members", train_and_stop)
    with pytest.raises(KeyboardInterrupt):
        Committee(**SIX).fit(*rows, checkpoint=path)
    monkeypatch.undo()
    resumed = Committee(**SIX).fit(*rows, checkpoint=path)
    np.testing.assert_array_equal(resumed.parameters_, whole.parameters_)


def test_an_executor_drops_the_same_kinds(monkeypatch):
    rows = boxed(300)
    other = rows[0], np.random.default_rng(0).permutation(rows[1])  # nothing is dropped
    fits = []
    for one in (rows, other):
        plan = Plan.of(Committee(**SIX), *one, treatment=Treatment())
        fits.append((plan, boundary.Training.of(plan.n_members, plan.max_iter), None))
    with ThreadPoolExecutor(2) as executor:
        fitting.train_together(fits, executor, progress=False)
    for one, (plan, _, _) in zip((rows, other), fits, strict=True):
        alone = Committee(**SIX, n_threads=3).fit(*one)
        assert plan.kind == alone.kind_
        first = boundary.describe(plan.layout, plan.parameters).offset[0]
        np.testing.assert_array_equal(
            plan.parameters[first:], alone.parameters_[first:]
        )
