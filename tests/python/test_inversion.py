"""Inversions: many targets from one set of samples, against the exact posterior."""

import re
import threading

import fmdn
import numpy as np
import pytest
from fmdn import Committee, GaussianNoise, Inversion, Normal, Prior, Samples, simulate

PRIOR = Prior(a=Normal(1, 2, unit="km"), b=Normal(-3, 0.5))
FORWARD = np.array([[1.0, 0.5, 0.0], [0.0, 2.0, 1.0]])
OBSERVED = np.array([2.0, -5.0, -2.5])
QUICK = dict(n_members=3, hidden=4, kernels=1, max_iter=200, seed=1)
TARGETS = ["b", ("a", "b"), {"difference": lambda models: models[:, 0] - models[:, 1]}]


def exact_posterior(noise_sd=0.5):
    """Mean and covariance of (a, b): linear forward, Gaussian prior and noise."""
    prior_precision = np.diag([1 / 2**2, 1 / 0.5**2])
    precision = prior_precision + FORWARD @ FORWARD.T / noise_sd**2
    pull = prior_precision @ [1, -3] + FORWARD @ OBSERVED / noise_sd**2
    return np.linalg.solve(precision, pull), np.linalg.inv(precision)


@pytest.fixture(scope="module")
def samples():
    return simulate(PRIOR, lambda m: m @ FORWARD, 10_000, seed=2, vectorised=True)


@pytest.fixture(scope="module")
def inversion(samples):
    return Inversion(samples, GaussianNoise(0.5), TARGETS, **QUICK).fit()


def test_checkpoints_weights_and_groups(samples, tmp_path, monkeypatch):
    """A second call trains nothing; weights and groups reach the committees."""
    settings = QUICK | {"n_members": 2, "max_iter": 5}
    options = {
        "groups": np.arange(len(samples)) // 2,
        "sample_weight": np.linspace(0.5, 1.5, len(samples)),
    }
    whole = Inversion(samples, 0.5, TARGETS, **settings).fit(**options)
    first = Inversion(samples, 0.5, TARGETS, **settings)
    first.fit(checkpoint=tmp_path / "run", **options)
    assert len(list((tmp_path / "run").iterdir())) == len(first.targets)
    alone = Committee(**settings).fit(samples.data, samples["b"], noise=0.5, **options)
    monkeypatch.setattr(fmdn._boundary, "train_members", None)
    again = Inversion(samples, 0.5, TARGETS, **settings)
    again.fit(checkpoint=tmp_path / "run", **options)
    for key in whole.targets:
        for one in (first, again):
            assert (one[key].parameters_ == whole[key].parameters_).all()
    assert (whole["b"].parameters_ == alone.parameters_).all()


def test_an_executor_gets_all_members_at_once(samples, inversion):
    """The bits are those of one after the other; nobody waits for a target's last."""
    from concurrent.futures import ThreadPoolExecutor

    waiting = []

    class Counting(ThreadPoolExecutor):
        def submit(self, function, *arguments):
            waiting.append(not done.is_set())
            return super().submit(held, function, *arguments)

    done = threading.Event()

    def held(function, *arguments):
        done.wait(60)  # nobody starts before all are there
        return function(*arguments)

    with Counting(2) as executor:
        threading.Timer(0.5, done.set).start()
        again = Inversion(samples, GaussianNoise(0.5), TARGETS, **QUICK)
        again.fit(executor=executor)
    assert waiting == [True] * 3 * QUICK["n_members"]
    for key in inversion.committees_:
        np.testing.assert_array_equal(
            again[key].parameters_, inversion[key].parameters_
        )


def test_posteriors_are_right(inversion):
    mean, cov = exact_posterior()
    post = inversion.posterior(OBSERVED)
    assert list(post) == ["b", ("a", "b"), "difference"]
    sd = np.sqrt(np.diag(cov))
    contrast = np.array([1, -1])
    expected = {
        "b": (mean[1], sd[1]),
        "a": (mean[0], sd[0]),
        "difference": (contrast @ mean, np.sqrt(contrast @ cov @ contrast)),
    }
    # 8,100 training rows: sampling alone gives an error of sqrt(4 / 8100) = 2 % of the
    # sd in the mean (4 coefficients), and 1 % in the sd and the correlation
    for name, (centre, width) in expected.items():
        assert abs(post[name].mean() - centre) < 4 * 0.02 * width, name
        assert abs(post[name].std() / width - 1) < 4 * 0.01, name
    assert (np.abs(post["a", "b"].mean() - mean) < 4 * 0.02 * sd).all()
    correlation = post["a", "b"].cov()[0, 1] / np.prod(post["a", "b"].std())
    assert abs(correlation - cov[0, 1] / np.prod(sd)) < 4 * 0.01


def test_committees_and_marginals_are_found_by_name(inversion):
    assert isinstance(inversion["b"], Committee)
    assert isinstance(inversion["a", "b"], Committee)
    post = inversion.posterior(OBSERVED)
    assert post["a"].median() == post["a", "b"].marginal("a").median()
    # b has a committee of its own, which goes first
    assert post["b"].median() == inversion["b"].posterior(OBSERVED).median()
    assert list(post.marginals()) == ["b", "a", "difference"]
    for mapping in (inversion, post):
        with pytest.raises(KeyError, match="'c'.*'difference'"):
            mapping["c"]


def test_summary_says_what_the_posteriors_say(inversion):
    post = inversion.posterior(OBSERVED)
    table = post.summary(confidence=0.8)
    assert str(inversion.summary(OBSERVED, confidence=0.8)) == str(table)
    assert [row.target for row in table] == ["b", "a", "difference"]
    assert [row.unit for row in table] == ["", "km", ""]
    for row in table:
        expected = post[row.target].median(), *post[row.target].interval(0.8)
        np.testing.assert_allclose((row.median, row.low, row.high), expected)
    # both Gaussian: KL(posterior || prior) in closed form; 1 % of error in the
    # sd changes it by 0.01, 2 % of the sd in the mean by less
    mean, cov = exact_posterior()
    ratio = cov[0, 0] / 2**2
    gain = 0.5 * (ratio - 1 - np.log(ratio) + (mean[0] - 1) ** 2 / 2**2)
    assert table[1].gain == pytest.approx(gain, abs=0.04)
    # the prior of a derived target is a table of 9,000 values in 94 steps: each is
    # wrong by a tenth, the mean of many logarithms by less than half its square
    ratio = np.array([1, -1]) @ cov @ [1, -1] / 4.25
    gain = 0.5 * (ratio - 1 - np.log(ratio) + (mean[0] - mean[1] - 4) ** 2 / 4.25)
    assert table[2].gain == pytest.approx(gain, abs=0.05)
    assert [row.prior[:10] for row in table] == [
        "Normal(-3,",
        "Normal(1, ",
        "<quantiles",
    ]
    lines = str(table).splitlines()
    assert lines[3].endswith("nat*") and lines[4].startswith("* over the quantiles")
    assert len(lines) == 5 and len(set(map(len, lines[1:3]))) == 1
    number = float(re.search(r"^a +km +(-?[\d.]+)", lines[2])[1])
    assert number == pytest.approx(post["a"].median(), abs=0.005)


def test_several_observations_at_once(inversion):
    several = inversion.posterior(np.stack([OBSERVED, OBSERVED + 0.3]))
    table = several.summary()
    assert [row.observation for row in table] == [0, 1] * 3
    alone = inversion.posterior(OBSERVED + 0.3).summary()
    for row, same in zip(table[1::2], alone, strict=True):
        assert row.median == pytest.approx(same.median, rel=1e-12)
    assert len(str(table).splitlines()) == 8


def test_saving_changes_nothing(inversion, tmp_path):
    path = tmp_path / "event.mdn"
    inversion.save(path)
    again = fmdn.load(path)
    assert isinstance(again, Inversion)
    before, after = inversion.posterior(OBSERVED), again.posterior(OBSERVED)
    assert list(after) == list(before)
    for key in before:
        for what in ("weights", "means", "covariances"):
            np.testing.assert_array_equal(
                getattr(after[key], what), getattr(before[key], what)
            )
    again.save(tmp_path / "again.mdn")
    assert (tmp_path / "again.mdn").read_bytes() == path.read_bytes()
    with pytest.raises(RuntimeError, match="no samples"):
        again.fit()


def test_a_committee_and_an_inversion_of_one_differ(inversion, samples, tmp_path):
    path = tmp_path / "one.mdn"
    one = Inversion(samples, GaussianNoise(0.5), "b", **QUICK | {"max_iter": 2}).fit()
    one.save(path)
    assert isinstance(fmdn.load(path), Inversion)
    inversion["b"].save(path)
    again = fmdn.load(path)
    assert isinstance(again, Committee)
    expected = inversion["b"].posterior(OBSERVED).median()
    assert again.posterior(OBSERVED).median() == expected


def test_targets_default_to_each_parameter(samples):
    assert list(Inversion(samples).targets) == ["a", "b"]
    derived = Inversion(samples, targets={"sum": lambda m: m.sum(axis=1)})
    np.testing.assert_array_equal(derived.targets["sum"], samples.models.sum(axis=1))


def test_samples_without_a_prior(samples):
    bare = Samples(samples.models, samples.data, names=("a", "b"))
    quick = QUICK | {"max_iter": 2}
    table = Inversion(bare, GaussianNoise(0.5), ["a"], **quick).fit()
    table = table.posterior(OBSERVED).summary()
    assert table[0].gain > 0 and "nat*" in str(table)
    assert repr(table[0].prior) == repr("<quantiles of 9000 training targets>")


def test_interruption_keeps_the_finished_committees(samples, monkeypatch):
    train, calls = fmdn.fitting.train, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        train(*arguments)

    monkeypatch.setattr("fmdn.inversion.train", interrupted)
    inversion = Inversion(samples, GaussianNoise(0.5), **QUICK | {"max_iter": 2})
    with pytest.raises(KeyboardInterrupt):
        inversion.fit()
    assert list(inversion.posterior(OBSERVED)) == ["a"]


def test_ten_times_the_noise_widens_the_posterior(samples):
    wide = Inversion(samples, GaussianNoise(5.0), ["a"], **QUICK).fit()
    expected = np.sqrt(exact_posterior(noise_sd=5.0)[1][0, 0])
    assert expected > 3 * np.sqrt(exact_posterior()[1][0, 0])
    assert wide.posterior(OBSERVED)["a"].std() == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (dict(samples=np.ones((3, 2))), TypeError, "samples must be a fmdn.Samples"),
        (dict(noise="loud"), TypeError, "noise: sd must be a number"),
        (dict(noise=GaussianNoise([1, 2])), ValueError, "2 entries.*3 channels"),
        (dict(n_member=3), TypeError, "n_member"),
        (dict(targets=["c"]), KeyError, "'c'.*a, b"),
        (dict(targets=[("a", "c")]), KeyError, "'c'.*a, b"),
        (dict(targets=["a", "a"]), ValueError, "'a' is there twice"),
        (dict(targets=[("a", "a")]), ValueError, "a parameter twice"),
        (dict(targets=[3]), TypeError, "targets: each must be a name.*not 3"),
        (dict(targets=[]), ValueError, "there is none"),
        (dict(targets={"": lambda m: m[:, 0]}), ValueError, "a name is empty"),
        (dict(targets={"c": 3}), TypeError, "'c' needs a function"),
        (dict(targets={"a": np.sum}), ValueError, "'a' is the name of a parameter"),
        (dict(targets={"c": np.sum}), ValueError, "'c' must return one number per"),
    ],
)
def test_refusals(samples, arguments, error, message):
    with pytest.raises(error, match=message):
        Inversion(**dict(samples=samples) | arguments)


def test_untrained(samples, tmp_path):
    untrained = Inversion(samples)
    with pytest.raises(RuntimeError, match="call fit"):
        untrained.posterior(OBSERVED)
    with pytest.raises(RuntimeError, match="call fit"):
        untrained.save(tmp_path / "none.mdn")
    with pytest.raises(KeyError, match="call fit"):
        untrained["a"]
