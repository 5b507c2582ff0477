"""Channels that an observation lacks: the posterior is that of the others."""

import fmdn
import numpy as np
import pytest
from fmdn import Committee, CorrelatedNoise, GaussianNoise
from fmdn.preparation import drop_groups
from scipy import stats

# data = G m + noise, m ~ N(0, 1); groups of two channels, the last one never missing
G = np.array([1.0, 0.5, 0.8, -0.3, 0.2, 1.2, 0.3])
SD = np.array([0.5, 0.3, 0.6, 0.4, 0.5, 0.8, 0.7])
GROUPS = [[0, 1], [2, 3], [4, 5]]
SETTINGS = dict(n_members=4, hidden=16, kernels=1, max_iter=300, seed=1)
PATTERNS = [[], [0], [1, 2], [0, 1, 2]]


def exact(data):
    """Posterior mean of each row and sd, from the channels that are there."""
    there = ~np.isnan(data)
    sd = (1 + ((G / SD) ** 2 * there).sum(axis=1)) ** -0.5
    return sd**2 * (np.nan_to_num(data) * G / SD**2).sum(axis=1), sd


def without(data, groups):
    data = data.copy()
    for group in groups:
        data[:, GROUPS[group]] = np.nan
    return data


def divergence(post, data):
    """KL(exact || post) of Gaussians, row by row."""
    mean, sd = exact(data)
    ratio = sd / post.std()
    return -np.log(ratio) + 0.5 * (
        ratio**2 + ((post.mean() - mean) / post.std()) ** 2 - 1
    )


@pytest.fixture(scope="module")
def models():
    return np.random.default_rng(2).standard_normal(10_000)


@pytest.fixture(scope="module")
def observed():
    return GaussianNoise(SD).add(np.linspace(-2, 2, 200)[:, None] * G, seed=5)


@pytest.fixture(scope="module", params=["channels", "components", "correlated"])
def committee(request, models):
    options = {"noise": GaussianNoise(SD), "missing": GROUPS}
    data = models[:, None] * G
    if request.param == "correlated":
        options["noise"] = CorrelatedNoise(np.diag(SD**2))
    if request.param == "components":  # what noise adds is of seven dimensions
        rng = np.random.default_rng(3)
        data = data + 1e-3 * rng.standard_normal(data.shape)
        options["components"] = 7
    return Committee(**SETTINGS).fit(data, models, **options)


@pytest.mark.parametrize("lacking", PATTERNS, ids=str)
def test_posteriors_are_those_of_the_other_channels(committee, observed, lacking):
    data = without(observed, lacking)
    # 8100 rows, an eighth of them or so with just these channels: the 9 parameters of
    # a Gaussian posterior cost 9/2000 nats in the mean; these observations are even to
    # two sd, beyond most rows, and the networks cost as much
    assert divergence(committee.posterior(data), data).mean() < 0.04
    if lacking:  # and not those of all channels
        assert divergence(committee.posterior(observed), data).mean() > 0.3


def test_part_of_a_group_is_the_group(committee, observed):
    data = observed.copy()
    data[:, 2] = np.nan
    post, whole = committee.posterior(data), committee.posterior(without(observed, [1]))
    np.testing.assert_array_equal(post.means, whole.means)
    np.testing.assert_array_equal(post.weights, whole.weights)
    one = committee.posterior(data[7])
    np.testing.assert_array_equal(one.means, post[7].means)


def test_files_know_what_may_be_missing(committee, observed, tmp_path):
    path = tmp_path / "model.mdn"
    committee.save(path)
    assert b'block "input mask" version 1 required' in path.read_bytes()
    again = fmdn.load(path)
    data = without(observed, [0, 2])
    assert again.input_names_ == committee.input_names_
    np.testing.assert_array_equal(
        again.posterior(data).means, committee.posterior(data).means
    )
    truth = np.zeros(len(data))
    np.testing.assert_array_equal(
        again.log_density(data, truth), committee.log_density(data, truth)
    )


def test_rows_to_train_on_may_lack_channels_too(models, observed):
    """A third of the samples never had the first two channels."""
    data = models[:, None] * G
    data[::3, :2] = np.nan
    committee = Committee(**SETTINGS).fit(data, models, noise=SD, missing=GROUPS)
    for lacking in PATTERNS:
        post = committee.posterior(without(observed, lacking))
        assert divergence(post, without(observed, lacking)).mean() < 0.04
    # the centre of the first channel is that of those that have it
    scales = committee.parameters_[: committee.n_features_in_]
    n, sd = 8100 * 2 / 3, np.hypot(G[0], SD[0])
    assert abs(scales[0]) < 5 * sd / np.sqrt(n)


def test_every_group_goes_missing_alike():
    n, groups = 20_000, np.array([1, 1, 2, 0, 3])
    missing = drop_groups(np.random.default_rng(1), n, groups)
    assert (missing[:, 0] == missing[:, 1]).all() and not missing[:, 3].any()
    share = missing[:, [0, 2, 4]].mean(axis=0)  # of a uniform number squared: 1/3
    assert np.abs(share - 1 / 3).max() < 4 * np.sqrt(2 / 9 / n)
    alone = missing[:, [0, 2, 4]].sum(axis=1)
    exact = [np.polyval([-1 / 7, 3 / 5, -1, 1], 1), None, None, 1 / 7]  # of none, all
    for k in (0, 3):
        assert abs((alone == k).mean() - exact[k]) < 4 * np.sqrt(0.25 / n)


@pytest.mark.parametrize(
    ("missing", "error", "message"),
    [
        ([[0, 7]], ValueError, "missing must be at most 6, got 7"),
        ([[0, -1]], ValueError, "missing must be at least 0, got -1"),
        ([[0, 1], [1, 2]], ValueError, "channel 1 is in two groups"),
        ([[0, 0]], ValueError, "channel 0 is in two groups"),
        ([[0], []], ValueError, "group 1 is empty"),
        ([], ValueError, "there is no group"),
        ([0, 1], TypeError, r"such as \[\[0\]\], but holds 0"),
        (3, TypeError, "groups of channels"),
        ("all", TypeError, "groups of channels"),
        ([[0.5]], TypeError, "missing must be an integer, got 0.5"),
    ],
)
def test_groups_that_make_no_sense(models, missing, error, message):
    with pytest.raises(error, match=message):
        Committee().fit(models[:100, None] * G, models[:100], missing=missing)


def test_only_nan_in_a_group_is_missing(committee, models, observed):
    for value, what in ((np.nan, "NaN"), (np.inf, "inf")):
        data = observed[:3].copy()
        data[1, 6] = value
        with pytest.raises(ValueError, match=f"{what} at row 1, column 6"):
            committee.posterior(data)
        with pytest.raises(ValueError, match=f"inputs contains {what} at column 6"):
            committee.posterior(data[1])
        data = models[:100, None] * G
        data[70, 6] = value
        with pytest.raises(ValueError, match=f"{what} at row 70, column 6"):
            Committee().fit(data, models[:100], missing=GROUPS)
    data = observed[:3].copy()
    data[1, 2] = np.inf
    with pytest.raises(ValueError, match="inputs contains inf at row 1, column 2"):
        committee.posterior(data)
    data = models[:100, None] * G
    data[:, 2] = np.nan
    with pytest.raises(ValueError, match="column 2 is missing in all rows"):
        Committee().fit(data, models[:100], missing=GROUPS)
    data[:, 2] = 0
    data[3, 2] = np.nan
    with pytest.raises(ValueError, match="inputs contains NaN at row 3, column 2"):
        Committee().fit(data, models[:100], noise=CorrelatedNoise(np.eye(7)))


# --- El Mayor-Cucapah 2010 without ten of its 75 stations -----------------------------


LEVELS = np.array([0.5, 0.9])
ERROR = np.sqrt(LEVELS * (1 - LEVELS) / 2000)  # of shares of 2000


def coverage(committee, data, truth):
    """Share of the truth inside central intervals of these probabilities."""
    depth = np.abs(committee.posterior(data).cdf(truth[:, None])[:, 0] - 0.5)
    return (depth[:, None] < LEVELS / 2).mean(axis=0)


def earthquakes(model, n, seed):
    """Displacements on an even scale, and magnitudes on the normal one."""
    models = model.PRIOR.sample(n, seed)
    data = model.add_noise(model.forward(models), seed)
    at = list(model.TARGETS).index("magnitude")
    return np.arcsinh(data / model.FLOOR), model.normal_targets(models)[:, at]


def test_el_mayor_without_ten_stations_is_calibrated(seed, times):
    model = pytest.importorskip("el_mayor_model")
    n = len(model.EAST)
    stations = [[i, n + i] for i in range(n)]  # east and north
    nearest = np.argsort(np.hypot(model.EAST, model.NORTH))[:10]
    for k in range(seed, seed + times(10)):
        order = np.random.default_rng(k).permutation(n)
        removed = {"none": order[:0], "ten": order[:10], "nearest": nearest}
        removed["sixty"] = order[:60]
        inputs, z = earthquakes(model, 4000, 2 * k)
        test_inputs, test_z = earthquakes(model, 2000, 2 * k + 1)
        settings = dict(n_members=3, hidden=16, kernels=3, max_iter=100, seed=k)
        committee = Committee(**settings).fit(inputs, z, missing=stations)
        gain = {}
        for name, those in removed.items():
            data, both = test_inputs.copy(), np.concatenate([those, n + those])
            data[:, both] = np.nan
            inside = coverage(committee, data, test_z)
            # four standard deviations of the share, and as many for what networks do
            # not know after 4000 earthquakes
            assert (np.abs(inside - LEVELS) < 8 * ERROR).all(), (name, inside)
            log_p = committee.log_density(data, test_z)
            gain[name] = (log_p - stats.norm.logpdf(test_z)).mean()
        assert gain["none"] > gain["nearest"] > gain["sixty"] > 0.05

        # Without indicators, and trained on all stations, it would not do.
        data[:, both] = inputs[:, both].mean(axis=0)
        inside = coverage(Committee(**settings).fit(inputs, z), data, test_z)
        assert (LEVELS - inside > 12 * ERROR).all()
