"""Posteriors handed to ArviZ and pandas."""

import numpy as np
import pytest
from fmdn import Normal, Prior, Uniform
from fmdn.posteriors import Posteriors
from ranges import NOTHING, mixture

xarray = pytest.importorskip("xarray")
PRIOR = Prior(depth=Uniform(0, 20, unit="km"), dip=Normal(45, 10))


@pytest.fixture
def joint(committee, rows):
    """Posteriors of three observations of "wave" and "depth"."""
    return committee.posterior(rows[0][:3])


def test_draws_have_the_names_and_axes_of_arviz(joint):
    tree = joint.to_datatree(size=50, seed=4)
    draws = joint.sample(50, seed=4)
    posterior = tree["posterior"]
    for j, name in enumerate(["wave", "depth"]):
        assert posterior[name].dims == ("chain", "draw", "observation")
        np.testing.assert_array_equal(posterior[name][0], draws[..., j].T)
    assert posterior["observation"].values.tolist() == [0, 1, 2]
    assert set(tree.children) == {"posterior", "prior"}  # of the training targets
    one = joint[1].to_arviz(size=50, seed=4)["posterior"]
    assert one["wave"].dims == ("chain", "draw")
    assert one["wave"].shape == (1, 50)


def test_prior_and_units():
    depth = mixture([1.0], [10], [1], NOTHING, names=("depth",))
    dip = mixture([1.0], [40], [5], NOTHING, names=("dip",))
    derived = mixture([1.0], [0], [1], NOTHING, names=("derived",))
    posteriors = Posteriors({"depth": depth, "dip": dip, "derived": derived}, PRIOR)
    tree = posteriors.to_datatree(size=2000, seed=1)
    assert list(tree["posterior"].data_vars) == ["depth", "dip", "derived"]
    assert list(tree["prior"].data_vars) == ["depth", "dip"]
    assert tree["posterior"]["depth"].attrs == {"units": "km"}
    before, after = tree["prior"]["depth"].values, tree["posterior"]["depth"].values
    assert 0 <= before.min() < 1 and 19 < before.max() <= 20
    assert abs(after.mean() - 10) < 4.5 / np.sqrt(2000)
    # posteriors of their own: draws of one do not tell those of the other
    pair = tree["posterior"]["dip"].values.ravel(), after.ravel()
    assert abs(np.corrcoef(pair)[0, 1]) < 4.5 / np.sqrt(2000)
    alone = depth.to_datatree(Uniform(0, 20))
    assert alone["prior"]["depth"].shape == (1, 4000)


def test_arviz_takes_it(joint):
    arviz = pytest.importorskip("arviz", minversion="0.22")
    tree = joint[0].to_arviz()
    if arviz.__version__.startswith("0."):  # before it took trees as they are
        tree = arviz.InferenceData.from_datatree(tree)
    table = arviz.summary(tree)
    assert list(table.index) == ["wave", "depth"]
    mean, sd = joint[0].mean(), joint[0].std()
    found = table["mean"].astype(float).to_numpy()
    rounding = 0.01 * np.abs(mean)  # it prints few digits
    assert (np.abs(found - mean) < 4.5 * sd / np.sqrt(4000) + rounding).all()


def test_without_xarray(joint, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "xarray", None)
    with pytest.raises(ImportError, match="fmdn.arviz"):
        joint.to_datatree()


def test_summary_of_a_mixture(joint):
    pandas = pytest.importorskip("pandas")
    table = joint.summary(confidence=0.5)
    frame = pandas.DataFrame(table)
    assert list(frame["target"]) == ["wave"] * 3 + ["depth"] * 3
    assert list(frame["observation"]) == [0, 1, 2] * 2
    np.testing.assert_array_equal(
        frame["low"][:3], joint.marginal("wave").interval(0.5)[0]
    )
    assert "quantiles of" in frame["prior"][0] and (frame["gain"] > 0).all()
    unknown = mixture([1.0], [0], [1], NOTHING)
    assert np.isnan(unknown.summary()[0].gain)
    assert set(unknown.to_datatree().children) == {"posterior"}
    known = joint.summary(Prior(wave=Normal(0, 1), depth=Normal(1e3, 10, unit="km")))
    gains = pandas.DataFrame(known)["gain"][3:]
    np.testing.assert_array_equal(
        gains, joint.marginal("depth").information_gain(Normal(1e3, 10))
    )
    assert "KL(posterior||prior)" in str(known) and "nat" in str(known)
