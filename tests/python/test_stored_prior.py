"""Committees know their prior, and so do their files."""

import json

import fmdn
import numpy as np
import pytest
from fmdn import (
    Committee,
    GaussianNoise,
    GivenModels,
    Inversion,
    LogUniform,
    MultivariateNormal,
    Normal,
    Parameter,
    Prior,
    Samples,
    TruncatedNormal,
    Uniform,
    _boundary_file,
)
from fmdn.tabulated import Tabulated
from scipy import stats

QUICK = {"n_members": 1, "hidden": 3, "kernels": 1, "max_iter": 5}
KNOWN = [
    Uniform(-9, 360, unit="deg", description="of the fault"),
    Normal(0.1, 2),
    LogUniform(1e-3, 30, unit="km"),
    TruncatedNormal(1, 4, low=0),
    Parameter(stats.gamma(3, scale=0.1), unit="m"),
    Uniform(-180, 180, period=360),
]


def fitted(prior, targets=None, **options):
    """Give a committee that was trained on draws from the prior."""
    if targets is None:
        targets = Prior(x=prior).sample(200, seed=1)[:, 0]
    inputs = np.random.default_rng(0).normal(size=(len(targets), 2))
    return Committee(**QUICK).fit(inputs, targets, prior=prior, **options)


def through_a_file(committee, path, change=None):
    """Save and load, the text changed on the way."""
    name, layout, parameters, text = committee._to_entry("")
    known = json.loads(text)
    if change is not None:
        change(known)
    _boundary_file.write_file(path, [(name, layout, parameters, json.dumps(known))])
    return fmdn.load(path)


@pytest.mark.parametrize("prior", KNOWN, ids=repr)
def test_what_can_be_written_down_comes_back_exactly(prior, tmp_path):
    committee = fitted(prior)
    assert committee.prior_ == Prior(target_0=prior)
    again = through_a_file(committee, tmp_path / "a.mdn")
    assert again.prior_ == committee.prior_
    before, after = (one.posterior([[0.1, 0.2]]) for one in (committee, again))
    assert after.prior == before.prior
    gain = before.information_gain(prior)
    assert before.information_gain() == after.information_gain() == gain
    assert before.leaked() == before.leaked(prior)
    assert before.members[0].prior == before[0].prior == before.prior


def test_a_bare_scipy_distribution(tmp_path):
    again = through_a_file(fitted(stats.weibull_min(2, loc=1, scale=3)), tmp_path / "a")
    one = again.prior_["target_0"]
    np.testing.assert_array_equal(
        one.ppf([0, 0.3, 1]), one.distribution.ppf([0, 0.3, 1])
    )
    assert one.distribution.dist.name == "weibull_min" and one.support() == (1, np.inf)


class Own:
    """A distribution that nobody else knows: triangular."""

    def logpdf(self, x):
        return stats.triang(0.5).logpdf(x)

    def cdf(self, x):
        return stats.triang(0.5).cdf(x)

    def ppf(self, q):
        return stats.triang(0.5).ppf(q)


@pytest.mark.parametrize("prior", [None, Own(), [Parameter(Own(), unit="km")]])
def test_else_the_training_targets_are_tabulated(prior, tmp_path, scale):
    n = 20_000
    targets = stats.triang(0.5).rvs(n, random_state=1)
    committee = fitted(prior, targets)
    again = through_a_file(committee, tmp_path / "a.mdn")
    table = again.prior_["target_0"]
    assert table == committee.prior_["target_0"] and isinstance(table, Tabulated)
    # a tenth of the rows weighs the members
    assert repr(again.prior_) == "Prior(target_0=<quantiles of 18000 training targets>)"
    assert table.unit == ("km" if isinstance(prior, list) else "")
    exact, q = stats.triang(0.5), np.linspace(0.01, 0.99, 99)
    error = np.sqrt(q * (1 - q) / 18000)
    assert (np.abs(exact.cdf(table.ppf(q)) - q) < 4.5 * error + 1e-4).all()
    # 134 steps: a hundred rows in most, density wrong by a tenth, the gain by 0.005
    posterior = committee.posterior([[0.0, 0.0]])
    gain = posterior.information_gain(exact)
    assert posterior.information_gain()[0] == pytest.approx(gain[0], abs=0.03)
    low, high = table.support()
    assert table.pdf(low - 0.1) == 0 == table.pdf(high + 0.1)
    assert np.isfinite(table.logpdf(table.inside([low - 1, high + 1]))).all()


def test_weights_make_another_prior():
    """Weights that favour the upper half; one that is constant changes nothing."""
    prior, targets = Uniform(0, 1), np.linspace(0, 1, 4000)
    same = fitted(prior, targets, sample_weight=np.full(4000, 2.0))
    assert same.prior_["target_0"] == prior
    weights = np.where(targets > 0.5, 3.0, 1.0)
    table = fitted(prior, targets, sample_weight=weights).prior_["target_0"]
    assert isinstance(table, Tabulated)
    assert table.cdf(0.5) == pytest.approx(0.25, abs=0.01)
    none = np.where(targets > 0.5, 3.0, 0.0)
    table = fitted(prior, targets, sample_weight=none).prior_["target_0"]
    np.testing.assert_allclose(table.support(), (0.5, 1), atol=0.01)


def test_constant_and_whole_numbers():
    assert fitted(None, np.full(100, 3.0)).prior_ is None
    with pytest.raises(ValueError, match="knows no prior: give one"):
        fitted(None, np.full(100, 3.0)).posterior([[0, 0]]).information_gain()
    dice = np.random.default_rng(0).integers(1, 7, 600).astype(float)
    table = fitted(None, dice).prior_["target_0"]
    # 23 steps, the longest of 0.07; a value's mass lies below it
    assert table.support() == (1, 6) and table.cdf(3) == pytest.approx(0.5, abs=0.12)


def test_periodic_targets_that_were_not_wrapped():
    """A table spans one period, whatever turn the targets are of."""
    period = Parameter(stats.norm(0, 400), period=360)
    targets = stats.norm(0, 400).rvs(500, random_state=1)
    low, high = (
        fitted([Parameter(Own2(), period=360)], targets).prior_["target_0"].support()
    )
    assert high - low <= 360
    assert fitted(period, targets).prior_["target_0"] == period


class Own2(Own):
    """Wide."""

    def ppf(self, q):
        return stats.norm(0, 400).ppf(q)


# --- Joint ones, and inversions -------------------------------------------------------


@pytest.fixture(scope="module")
def inversion():
    slip = MultivariateNormal([1, 2], [[4, 1], [1, 9]], units=("m", "m"))
    prior = Prior({("a", "b"): slip}, c=Uniform(0, 1), d=Own())
    models = prior.sample(400, seed=1)
    samples = Samples(models, models @ np.ones((4, 3)), prior=prior)
    targets = [("a", "b"), "c", "d", {"sum": lambda m: m.sum(axis=1)}, ("c", "b")]
    return Inversion(samples, GaussianNoise(0.5), targets, **QUICK).fit()


def test_an_inversion_gets_its_priors_back(inversion, tmp_path):
    inversion.save(tmp_path / "a.mdn")
    again = fmdn.load(tmp_path / "a.mdn")
    prior, known = again.prior, inversion.samples.prior
    assert prior["a", "b"] == known["a", "b"] and prior["c"] == known["c"]
    assert isinstance(prior["d"], Tabulated) and isinstance(prior["sum"], Tabulated)
    assert list(prior) == ["a", "b", "c", "d", "sum"]
    assert inversion["c", "b"].prior_ == Prior(c=known["c"], b=known["b"])
    observed = [1.0, 2.0, 3.0]
    before, after = (one.summary(observed) for one in (inversion, again))
    assert [row.target for row in after] == ["a", "b", "c", "d", "sum"]
    for row, same in zip(after, before, strict=True):
        assert np.isfinite(row.gain) and row.unit == same.unit
        if row.target != "d":  # whose own prior was at hand before
            assert row == same
    again.save(tmp_path / "b.mdn")
    assert (tmp_path / "a.mdn").read_bytes() == (tmp_path / "b.mdn").read_bytes()


def test_given_models_have_a_table():
    models = np.random.default_rng(1).normal(size=(300, 1))
    prior = Prior({("x",): GivenModels(models, units=("km",))})
    committee = Committee(**QUICK).fit(models, models, prior=prior)
    assert isinstance(committee.prior_["x"], Tabulated)
    assert committee.prior_["x"].unit == "km"


def test_calibration_uses_the_prior_of_the_posteriors(inversion):
    rng = np.random.default_rng(1)
    posterior = inversion["c"].posterior(rng.normal(size=(100, 3)))
    truths = rng.uniform(size=100)
    found = fmdn.calibration(posterior, truths)
    assert found.gain == fmdn.calibration(posterior, truths, Uniform(0, 1)).gain
    outside = fmdn.calibration(  # of the table, which ends with the training targets
        inversion["sum"].posterior(rng.normal(size=(100, 3))), rng.normal(0, 99, 100)
    )
    assert np.isfinite(outside.gain.value)


def test_a_conditional_has_no_prior(inversion):
    joint = inversion["a", "b"].posterior([1.0, 2, 3])
    assert joint.marginal("b").prior == Prior(b=Normal(2, 3, unit="m"))
    assert joint.conditional(a=1.0).prior is None


# --- Files of others ------------------------------------------------------------------


def test_a_file_without_a_prior(tmp_path):
    again = through_a_file(
        fitted(Normal(0, 1)), tmp_path / "a", lambda t: t.pop("prior")
    )
    assert again.prior_ is None
    with pytest.raises(ValueError, match="knows no prior"):
        again.posterior([0.0, 0.0]).information_gain()


@pytest.mark.parametrize("kind", ["Wonderful", "scipy.stats.kstest", "scipy.stats.no"])
def test_a_kind_of_a_newer_version_is_passed_over(kind, tmp_path):
    def change(text):
        text["prior"][0]["kind"] = kind

    again = through_a_file(fitted(Normal(0, 1)), tmp_path / "a.mdn", change)
    assert again.prior_ is None and again.posterior([0.0, 0.0]).std() > 0


@pytest.mark.parametrize(
    "damage",
    [
        {"parameters": {"centre": 0, "sd": -1}},
        {"parameters": {"centre": "x", "sd": 1}},
        {"parameters": {"centre": 0, "sd": 1, "colour": 2}},
        {"parameters": 7},
        {"names": []},
        {"units": []},
        {"periods": [-1]},
        {"kind": "Tabulated", "parameters": {"quantiles": "1 nan 2", "n_values": 9}},
        {"kind": "Tabulated", "parameters": {"quantiles": "2 1", "n_values": 9}},
        {"kind": "scipy.stats.gamma", "parameters": {"args": [], "kwds": {}}},
        {"kind": "MultivariateNormal", "parameters": {"mean": [0]}},
    ],
    ids=str,
)
def test_a_damaged_prior_is_refused(damage, tmp_path):
    def change(text):
        text["prior"][0].update(damage)

    with pytest.raises(fmdn._boundary.ModelFileError, match=r"a\.mdn.*makes no sense"):
        through_a_file(fitted(Normal(0, 1)), tmp_path / "a.mdn", change)
