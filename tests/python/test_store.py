"""Stores: what was simulated is there, and nothing is simulated twice."""

import os
import sys

import numpy as np
import pytest
from fmdn import (
    GaussianNoise,
    Inversion,
    Normal,
    Prior,
    Uniform,
    open_samples,
    simulate,
)

zarr = pytest.importorskip("zarr", minversion="3.1.3")
from stores import assert_same  # noqa: E402

PRIOR = Prior(a=Uniform(-1, 1), b=Normal(2, 0.5))


def forward(model, rng):
    """Fail for a tenth of the models."""
    if model[0] > 0.8:
        raise ValueError("out of\nrange")
    return np.append(model, rng.normal(size=3))


@pytest.mark.filterwarnings("ignore:simulate. .* failed")
def test_a_store_holds_what_was_simulated(tmp_path):
    plain = simulate(PRIOR, forward, 300, seed=1)
    samples = simulate(PRIOR, forward, 300, seed=1, store=tmp_path / "run.zarr")
    assert_same(samples, plain)
    assert len(samples.failed) > 10
    assert "raise ValueError" in samples.failed[0].traceback
    again = open_samples(tmp_path / "run.zarr")
    assert_same(again, plain)
    assert again.failed[3].traceback == samples.failed[3].traceback
    never = simulate(PRIOR, forward, 300, seed=1, store=tmp_path / "run.zarr")
    assert_same(never, plain)
    assert never.prior is PRIOR


@pytest.mark.filterwarnings("ignore:simulate. .* failed")
@pytest.mark.parametrize("vectorised", [False, True])
def test_a_store_is_extended_and_never_simulates_twice(tmp_path, vectorised):
    calls = []

    def counted(models, rng):
        calls.extend(np.atleast_2d(models)[:, 0])
        one = zip(models, rng, strict=True) if vectorised else [(models, rng)]
        return np.array([np.append(m, r.normal()) for m, r in one]).squeeze()

    how = {"vectorised": vectorised, "store": tmp_path / "run.zarr"}
    for n in (40, 150, 70):
        simulate(PRIOR, counted, n, **how, batch_size=32)
    assert len(calls) == 150 and len(set(calls)) == 150
    shorter = simulate(PRIOR, counted, 70, **how)
    assert len(shorter) == 70 and len(calls) == 150
    longer = simulate(PRIOR, counted, 150, **how)
    assert len(calls) == 150
    whole = simulate(PRIOR, counted, 150, vectorised=vectorised)
    assert_same(longer, whole)


def test_data_on_disk_are_read_like_an_array(tmp_path, monkeypatch):
    monkeypatch.setattr("fmdn.store.CHUNK_BYTES", 100)
    data = np.random.default_rng(0).normal(size=(57, 5)).astype("f4")
    place = dict(zip(PRIOR.sample(57)[:, 0], range(57), strict=True))
    samples = simulate(
        PRIOR, lambda m: data[place[m[0]]], 57, store=tmp_path / "run.zarr"
    )
    there = samples.data
    assert there.dtype == np.float32 and there.shape == data.shape and len(there) == 57
    keys = [
        *[3, -1, slice(None), slice(50, 2, -3), [5, 1, 5], np.arange(57) % 3 == 0],
        *[(slice(10), 2), (4, 1), (slice(None), [0, 3]), slice(0, 0)],
    ]
    for key in keys:
        np.testing.assert_array_equal(there[key], data[key], str(key))
        assert np.shape(there[key]) == np.shape(data[key])
    np.testing.assert_array_equal(np.stack(list(there)), data)
    assert np.asarray(there, float).dtype == float
    assert np.mean(there) == data.mean()
    with pytest.raises(IndexError):
        there[57]


def test_an_inversion_learns_from_a_store(tmp_path, quick):
    def linear(models):
        return models @ [[1.0, 0.5, 0.0], [0.2, 1.0, 1.0]]

    posteriors = []
    for store in (None, tmp_path / "run.zarr"):
        samples = simulate(PRIOR, linear, 400, vectorised=True, store=store)
        inversion = Inversion(samples, GaussianNoise(0.1), ["a"], **quick).fit()
        posteriors.append(inversion.posterior([0.0, 2.0, 2.0])["a"].mean())
    assert posteriors[0] == posteriors[1]


@pytest.mark.filterwarnings("ignore:simulate. .* failed")
def test_xarray_reads_it(tmp_path):
    xarray = pytest.importorskip("xarray")
    samples = simulate(PRIOR, forward, 100, store=tmp_path / "run.zarr")
    table = xarray.open_zarr(tmp_path / "run.zarr", consolidated=False)
    assert dict(table.sizes) == {"sample": 100, "parameter": 2, "channel": 5}
    good = table.isel(sample=table.state.values == 1)
    np.testing.assert_array_equal(good.models.sel(parameter="b"), samples["b"])
    np.testing.assert_array_equal(good.data, np.asarray(samples.data))
    bad = table.reason[(table.state == 2).values].values
    assert bad.tolist() == [failure.reason for failure in samples.failed]
    assert table.attrs["seed"] == 0 and table.attrs["forward"] == "forward"


def other(model):
    return np.zeros(7)


def renamed(model):
    return np.zeros(7)


def changed(model, rng):
    return np.append(model, rng.normal(size=3)) + 1e-3


renamed.__qualname__ = changed.__qualname__ = "forward"
FEW = Prior(a=Uniform(-1, 1))
WIDER = Prior(a=Uniform(-1, 1), b=Normal(2, 0.6))
SWAPPED = Prior(b=Normal(2, 0.5), a=Uniform(-1, 1))


@pytest.mark.filterwarnings("ignore:simulate. .* failed")
def test_another_simulation_is_refused_and_the_store_unharmed(tmp_path):
    given = dict(prior=PRIOR, forward=forward, n_samples=50, store=tmp_path / "a.zarr")
    first = simulate(**given)
    for change, message in [
        (dict(seed=1), "seed 0 there, 1 here"),
        (dict(version="v2"), "version None there, 'v2' here"),
        (dict(forward=other), "forward 'forward' there, 'other' here"),
        (dict(prior=FEW), r"parameters \(a; b\) there, \(a\) here"),
        (dict(prior=SWAPPED), r"parameters \(a; b\) there, \(b; a\) here"),
        (dict(prior=WIDER), "prior of b: Normal .*0.5.* there, Normal .*0.6.* here"),
        (dict(forward=renamed, n_samples=60), "model 0 .* 5 data there, 7 here"),
        (dict(forward=changed, verify=True), "model 0 .* number 0 is .* there"),
    ]:
        with pytest.raises(ValueError, match=message):
            simulate(**given | change)
    assert_same(simulate(**given, verify=True), first)
    assert_same(simulate(**given | dict(n_samples=80)), simulate(PRIOR, forward, 80))


def test_a_model_of_another_length_is_no_other_simulation(tmp_path):
    models = PRIOR.sample(20)
    odd = models[10, 0]

    def uneven(model):
        return np.zeros(2 if model[0] == odd else 3)

    simulate(PRIOR, uneven, 10, store=tmp_path / "run.zarr")
    with pytest.warns(UserWarning, match="1 of 20 models failed"):
        samples = simulate(PRIOR, uneven, 20, store=tmp_path / "run.zarr")
    assert samples.failed[0].reason == ("returned 2 data where the first model has 3")


def test_what_is_no_store(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(FileExistsError, match="not a Zarr group"):
        simulate(PRIOR, other, 5, store=tmp_path)
    assert os.listdir(tmp_path) == ["thesis.tex"]
    zarr.open_group(str(tmp_path / "other.zarr"), mode="w", zarr_format=3)
    with pytest.raises(ValueError, match="another Zarr group"):
        simulate(PRIOR, other, 5, store=tmp_path / "other.zarr")
    with pytest.raises(ValueError, match="another Zarr group"):
        open_samples(tmp_path / "other.zarr")
    with pytest.raises(FileNotFoundError, match="not a store"):
        open_samples(tmp_path / "nothing.zarr")
    with pytest.raises(RuntimeError, match="none of 5 models gave data"):
        simulate(PRIOR, lambda m: 1 / 0, 5, store=tmp_path / "void.zarr")
    with pytest.raises(ValueError, match="no model has data yet"):
        open_samples(tmp_path / "void.zarr")


def test_without_zarr(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match="pip install 'fmdn\\[store\\]'"):
        simulate(PRIOR, other, 5, store=tmp_path / "run.zarr")
    assert not (tmp_path / "run.zarr").exists()
