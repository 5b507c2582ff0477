"""What is like the training set is called so, and what is not is found out."""

import warnings

import numpy as np
import pytest
from fmdn import (
    Committee,
    GaussianNoise,
    Inversion,
    Normal,
    Prior,
    TrainingCloud,
    load,
    novelty,
    simulate,
)
from fmdn.cloud import ALARM, NoveltyWarning
from matplotlib import pyplot as plt
from scipy import stats

NAMES = ["north", "east", "up"]


def data(n, seed, n_inputs=3, n_causes=3, noise=0.3):
    """Rows that lie near a plane, in units of their own."""
    causes = np.random.default_rng(99).normal(size=(n_causes, n_inputs))
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, n_causes)) @ causes
    rows += noise * rng.normal(size=rows.shape)
    return 1e3 + rows * np.geomspace(1e-3, 1e3, n_inputs)


@pytest.mark.parametrize("n_inputs, n", [(3, 20_000), (150, 20_000), (80, 400)])
def test_rows_of_the_same_kind_lie_evenly(n_inputs, n, seed):
    """Percentiles are uniform, and few rows are called unlike."""
    cloud = TrainingCloud.of(data(n, seed, n_inputs))
    assert len(cloud.components) <= 50
    found = cloud.locate(data(3000, seed + 1, n_inputs))
    # quantiles come from half of the rows, and straight lines lie between them
    slack = 4 * np.sqrt(0.25 / 3000 + 0.5 / n) + 0.05
    for percentiles in (found.distance, found.rest):
        if percentiles.any():
            assert stats.kstest(percentiles / 100, "uniform").statistic < slack
    below = (found.channels < 25).mean(axis=0)
    assert np.abs(below - 0.25).max() < slack
    # 0.1 % each of distance and rest, and what half of n rows leave open
    assert found.unlike.mean() < 0.002 + 8 / n + 4 * np.sqrt(0.002 / 3000)


def test_distance_is_that_of_mahalanobis(seed):
    rows = data(20_000, seed)
    cloud = TrainingCloud.of(rows)
    first = rows[::2]
    mean, cov = first.mean(axis=0), np.cov(first, rowvar=False)
    new = data(200, seed + 1) + [0, 100, 0]
    offset = new - mean
    exact = np.sqrt((offset @ np.linalg.inv(cov) * offset).sum(axis=1))
    distance, rest = cloud._lengths(new)
    np.testing.assert_allclose(distance, exact, rtol=1e-3)
    assert rest.max() < 1e-8  # three components of three channels leave nothing


def test_what_is_off_the_plane_is_unlike(seed):
    """Every channel is within its range, but together they are not."""
    cloud = TrainingCloud.of(data(20_000, seed, 100, n_causes=5, noise=0.01))
    usual = data(50, seed + 1, 100, n_causes=5, noise=0.01)
    swapped = np.where(np.arange(100) < 50, usual, np.roll(usual, 1, axis=0))
    found = cloud.locate(swapped)
    assert found.unlike.all() and (found.rest > ALARM).all()
    assert (np.abs(found.channels - 50) < 50).mean() > 0.99


def test_a_channel_out_of_range_is_named(seed):
    cloud = TrainingCloud.of(data(5000, seed), NAMES)
    row = data(1, seed)[0]
    row[1] += 100
    with pytest.warns(NoveltyWarning, match="unlike the training set.*east"):
        found = novelty(cloud, row)
    assert found.unlike.tolist() == [True]
    worst = found.summary()[0]
    assert worst.channel == "east" and worst.percentile == 100
    assert "east" in str(found.summary())


def test_no_warning_for_what_is_usual(seed):
    cloud = TrainingCloud.of(data(20_000, seed), NAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = novelty(cloud, 1e3 + np.zeros(3))  # the centre
    assert found.distance[0] < 1


@pytest.mark.parametrize("missing", [slice(0, None, 3), slice(0, None, 2), slice(None)])
def test_missing_channels(missing, seed):
    """In some rows, in every other one, in all."""
    rows = data(2000, seed)
    rows[missing, 2] = np.nan
    found = TrainingCloud.of(rows).locate(rows)
    assert found.unlike.mean() < 0.01 and np.isfinite(found.distance).all()
    assert (found.channels[missing, 2] == 50).all()


def test_a_constant_channel(seed):
    rows = np.column_stack([data(2000, seed), np.full(2000, 7.0)])
    cloud = TrainingCloud.of(rows)
    same, other = np.append(rows[1, :3], 7.0), np.append(rows[1, :3], 7.5)
    found = cloud.locate([same, other])
    assert found.unlike.tolist() == [False, True]
    assert found.channels[0, 3] == 50


def test_noise_belongs_to_the_cloud(seed):
    rows = data(20_000, seed)
    noise = GaussianNoise([1e-3, 30, 1e3])
    cloud = TrainingCloud.of(rows, noise_sd=noise.sd, seed=seed)
    found = cloud.locate(noise.add(data(3000, seed + 1), seed + 2))
    assert found.unlike.mean() < 0.01
    assert stats.kstest(found.distance / 100, "uniform").statistic < 0.08


# --- With a committee -----------------------------------------------------------------


def test_every_committee_has_its_cloud(quick, tmp_path):
    inputs = data(500, 1)
    committee = Committee(**quick).fit(inputs, inputs[:, 0], input_names=NAMES)
    committee.save(tmp_path / "a.mdn")
    again = load(tmp_path / "a.mdn")
    new = data(40, 2)
    for one in (committee, again):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NoveltyWarning)
            found = novelty(one, new)
        np.testing.assert_allclose(
            found.distance, committee.cloud_.locate(new).distance, atol=0.1
        )
        np.testing.assert_array_equal(
            found.channels, committee.cloud_.locate(new).channels
        )
        assert found.names == NAMES
    with pytest.warns(NoveltyWarning, match=r"observations \[1\] are unlike"):
        novelty(again, [new[0], new[0] + 1e5])


def test_an_inversion_has_it_with_its_noise(tmp_path):
    prior = Prior(x=Normal(0, 1), y=Normal(0, 1))
    plt.switch_backend("Agg")
    samples = simulate(prior, lambda m: m, 1000, vectorised=True)
    inversion = Inversion(samples, 5.0, n_members=1, hidden=3, kernels=1, max_iter=3)
    inversion.fit().save(tmp_path / "a.mdn")
    for one in (inversion, load(tmp_path / "a.mdn")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not novelty(one, [10.0, -5.0]).unlike.any()  # 2 and 1 sd
        with pytest.warns(NoveltyWarning):
            novelty(one, [60.0, 0.0])
        for look in (one.summary, one.plot):
            with pytest.warns(NoveltyWarning, match="unlike") as said:
                look([60.0, 0.0])
            assert said[0].filename == __file__


def test_refusals():
    cloud = TrainingCloud.of(data(100, 1))
    with pytest.raises(ValueError, match="observed has 2 channels, the training set 3"):
        cloud.locate([1, 2])
    with pytest.raises(ValueError, match="observed contains inf"):
        cloud.locate([1, 2, np.inf])
    with pytest.raises(ValueError, match="at least 4 rows"):
        TrainingCloud.of(data(3, 1))
    with pytest.raises(ValueError, match="holds nothing of its training set"):
        novelty(Committee(), [1, 2, 3])


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_units_of_any_size(size, seed):
    rows = np.random.default_rng(seed).normal(size=(2000, 2))
    with np.errstate(all="raise", under="ignore"):
        found = TrainingCloud.of(rows * size).locate([[size, -size], [9 * size, 0]])
    np.testing.assert_allclose(
        found.distance,
        TrainingCloud.of(rows).locate([[1, -1], [9, 0]]).distance,
        atol=1e-6,
    )
    assert found.unlike.tolist() == [False, True]
