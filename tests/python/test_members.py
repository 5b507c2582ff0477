"""More members for a committee that is trained: the bits of training all at once."""

import fmdn
import numpy as np
import pytest
from fmdn import Committee, CorrelatedNoise, Normal, Prior


def assert_same(one, other):
    np.testing.assert_array_equal(one.layout_, other.layout_)
    np.testing.assert_array_equal(one.parameters_, other.parameters_)
    assert one.get_params() == other.get_params()
    for mine, theirs in zip(one.history_, other.history_, strict=True):
        np.testing.assert_array_equal(mine["monitor_loss"], theirs["monitor_loss"])


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"noise": [0.1, 0.0, 0.3]},
        {"noise": CorrelatedNoise(0.01 * np.eye(3)), "missing": [[0], [1, 2]]},
        {"components": 2, "noise": 0.1},
        {"prior": Prior(a=Normal(0, 1), b=Normal(1e3, 10)), "groups": np.arange(300)},
    ],
    ids=lambda given: ", ".join(given) or "plain",
)
def test_the_same_bits_as_all_at_once(rows, quick, given):
    at_once = Committee(**quick | {"n_members": 5}).fit(*rows, **given)
    grown = Committee(**quick | {"n_members": 2}).fit(*rows, **given)
    assert grown.add_members(2, *rows, **given) is grown
    grown.add_members(1, *rows, **given)
    assert_same(grown, at_once)


def test_the_kind_stays_that_which_was_chosen(rows, tmp_path):
    settings = {"max_iter": 40, "seed": 1}
    at_once = Committee(4, **settings).fit(*rows)
    grown = Committee(2, **settings).fit(*rows)
    assert grown.kind_ == at_once.kind_  # else this test shows nothing
    grown.save(tmp_path / "two.mdn")
    read = fmdn.load(tmp_path / "two.mdn")
    assert_same(grown.add_members(2, *rows), at_once)
    # a file has no curves of the old members, all else is the same
    read.add_members(2, *rows)
    np.testing.assert_array_equal(read.parameters_, at_once.parameters_)
    assert [one["n_iterations"] for one in read.history_] == [
        one["n_iterations"] for one in at_once.history_
    ]


def test_other_rows_or_arguments_are_refused(rows, quick):
    committee = Committee(**quick).fit(*rows, noise=0.1)
    before = committee.parameters_.copy()
    inputs, targets = rows
    for changed in ((inputs[1:], targets[1:]), (2 * inputs, targets)):
        with pytest.raises(ValueError, match="not those that the committee was"):
            committee.add_members(1, *changed, noise=0.1)
    with pytest.raises(ValueError, match="not those that the committee was"):
        committee.set_params(hidden=3).add_members(1, *rows, noise=0.1)
    with pytest.raises(TypeError, match="nose"):
        committee.add_members(1, *rows, nose=0.1)
    with pytest.raises(ValueError, match="n must be at least 1"):
        committee.add_members(0, *rows)
    np.testing.assert_array_equal(committee.parameters_, before)
    assert committee.n_members == len(committee.history_) == 3


def test_failed_members_leave_no_place_to_go_on_from(rows, quick):
    committee = Committee(**quick).fit(*rows)
    committee.history_.pop()
    with pytest.raises(ValueError, match="2 of 3 members were trained"):
        committee.add_members(1, *rows)


def test_an_interruption_keeps_the_old_members(rows, quick, monkeypatch):
    committee = Committee(**quick).fit(*rows)
    inputs = rows[0][:5]
    before = committee.posterior(inputs).members[2].mean()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fmdn._boundary, "train_members", interrupted)
    with pytest.raises(KeyboardInterrupt):
        committee.add_members(2, *rows)
    assert len(committee.history_) == 3
    after = committee.posterior(inputs).members[2].mean()
    np.testing.assert_array_equal(after, before)
