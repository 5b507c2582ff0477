"""Principal components of the inputs: right, and without all of them in memory."""

import fmdn
import numpy as np
import pytest
from fmdn import Committee, GaussianNoise, Inversion, Normal, Prior, Samples
from fmdn._boundary_inputs import missing_groups, n_projected
from fmdn.noise import CorrelatedNoise
from fmdn.projection import Projected, fit_projection
from fmdn.raw import RawInputs

SETTINGS = dict(n_members=3, hidden=8, kernels=1, max_iter=200, seed=1)
N, WIDTH = 6000, 300
TIME = np.linspace(0, 1, WIDTH)
SHAPES = np.array([np.sin(7 * TIME), np.exp(-30 * (TIME - 0.4) ** 2), TIME**2])
SD = 2.0 + TIME  # of the noise: the signal drowns in any one channel


@pytest.fixture(scope="module")
def models():
    return np.random.default_rng(1).standard_normal((N, 3)) + [1.0, 0.0, -2.0]


@pytest.fixture(scope="module")
def data(models):
    return models @ SHAPES


def exact(observed, covariance):
    """Posterior of the first model parameter: mean and sd."""
    weights = np.linalg.solve(covariance, SHAPES.T)
    posterior = np.linalg.inv(np.eye(3) + SHAPES @ weights)
    mean = posterior @ (np.array([1.0, 0.0, -2.0]) + weights.T @ observed)
    return mean[0], np.sqrt(posterior[0, 0])


def test_components_are_the_principal_ones(data):
    rng = np.random.default_rng(2)
    full = data[:2000] + 0.5 * rng.standard_normal((2000, WIDTH))
    for rows in (full, full[:100].astype(np.float32)):  # fewer rows than channels, too
        projection = fit_projection(RawInputs("inputs", rows), 5, GaussianNoise(SD))
        mean = rows.mean(axis=0, dtype=float)
        u, s, vt = np.linalg.svd((rows - mean) / SD, full_matrices=False)
        scores = Projected.of(RawInputs("inputs", rows), projection, 2).scores
        for k in range(5):
            sign = np.sign(scores[:, k] @ u[:, k])
            error = np.abs(scores[:, k] - sign * s[k] * u[:, k]).max()
            assert error < 1e-6 * s[0]  # of float32 and of squaring
        assert projection.share == pytest.approx((s[:5] ** 2).sum() / (s**2).sum())
        np.testing.assert_allclose(
            (projection.axes * SD) @ (projection.axes * SD).T, np.eye(5), atol=1e-9
        )


def test_a_share_of_the_variance_is_kept(data):
    raw = RawInputs("inputs", data)
    total = fit_projection(raw, 3, None)
    assert total.share == pytest.approx(1) and len(total.axes) == 3
    assert len(fit_projection(raw, 10, None).axes) == 3  # there are no more
    for share in (0.3, 0.9, 0.999):
        kept = fit_projection(raw, share, None)
        assert kept.share >= share * (1 - 1e-12)
        if len(kept.axes) > 1:
            assert fit_projection(raw, len(kept.axes) - 1, None).share < share


@pytest.mark.parametrize("kind", ["even", "correlated", "function", "not all noisy"])
def test_noise_goes_in_before_the_projection(models, data, kind):
    """Whatever way it is drawn, the posterior is that of noise in the channels."""
    sd = SD.copy()
    if kind == "not all noisy":
        sd[:100] = 0.0
    covariance = np.diag(sd**2) + (kind == "not all noisy") * 1e-3 * np.eye(WIDTH)
    noise = GaussianNoise(sd)
    if kind == "correlated":
        apart = np.abs(np.subtract.outer(TIME, TIME))
        covariance = np.outer(SD, SD) * np.exp(-30 * apart)
        noise = CorrelatedNoise(covariance)
    if kind == "function":

        def noise(rng, data, models):
            return data + SD * rng.standard_normal(data.shape)

    # three components hold the signal; others would only hold noise
    committee = Committee(**SETTINGS).fit(
        data, models[:, 0], noise=noise, components=3, replicate=2
    )
    rng = np.random.default_rng(5)
    observed = [1.5, -0.5, -1.0] @ SHAPES + rng.multivariate_normal(
        np.zeros(WIDTH), covariance
    )
    axes = committee_axes(committee)
    projected = axes @ covariance @ axes.T
    g = axes @ SHAPES.T
    weights = np.linalg.solve(projected, g)
    precision = np.eye(3) + g.T @ weights
    mean = np.linalg.solve(precision, [1, 0, -2] + weights.T @ axes @ observed)[0]
    sd = np.sqrt(np.linalg.inv(precision)[0, 0])
    post = committee.posterior(observed)
    # 4860 rows, twice each, 4 coefficients: 2 to 3 % of an sd, 1 %; and the networks
    assert abs(post.mean() - mean) < 0.12 * sd
    assert abs(post.std() / sd - 1) < 0.05
    if kind in ("even", "function"):  # channels in units of the noise: nothing is lost
        best_mean, best_sd = exact(observed, covariance)
        assert kind != "even" or abs(best_sd / sd - 1) < 1e-6
        assert kind != "even" or abs(best_mean - mean) < 1e-6


def committee_axes(committee):
    n = n_projected(committee.layout_)
    axes = committee.parameters_[n : n + 3 * n]
    return axes.reshape(n, 3).T


def test_files_project(models, data, tmp_path):
    committee = Committee(**SETTINGS | {"max_iter": 5})
    committee.fit(
        data, models[:, :2], noise=SD, components=0.99, target_names=["a", "b"]
    )
    path = tmp_path / "model.mdn"
    committee.save(path)
    assert b'block "projection" version 1 required' in path.read_bytes()
    again = fmdn.load(path)
    assert again.n_features_in_ == WIDTH
    assert not missing_groups(again.layout_, WIDTH).any()
    observed = GaussianNoise(SD).add(data[:50])
    before, after = committee.posterior(observed), again.posterior(observed)
    np.testing.assert_array_equal(before.means, after.means)
    np.testing.assert_array_equal(
        before[3].means, committee.posterior(observed[3]).means
    )
    with pytest.raises(ValueError, match="NaN at row 1, column 4"):
        observed[1, 4] = np.nan
        committee.posterior(observed)


def test_an_inversion_projects_once(models, data, monkeypatch):
    prior = Prior(a=Normal(1, 1), b=Normal(0, 1), c=Normal(-2, 1))
    samples = Samples(models, data, prior=prior)
    settings = SETTINGS | {"max_iter": 20}
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return fit_projection(*arguments)

    monkeypatch.setattr("fmdn.inputs.fit_projection", counted)
    inversion = Inversion(samples, SD, ["a", "b"], components=3, **settings).fit()
    assert len(calls) == 1
    for name, column in (("a", 0), ("b", 1)):
        alone = Committee(**settings)
        alone.fit(data, models[:, column], noise=SD, components=3)
        np.testing.assert_array_equal(inversion[name].parameters_, alone.parameters_)
    assert inversion.summary(data[0])[1].target == "b"


def test_from_a_store(tmp_path):
    """Data that stay on the disk, of float32, give what they give in memory."""
    pytest.importorskip("zarr")
    prior = Prior(a=Normal(1, 1), b=Normal(0, 1), c=Normal(-2, 1))

    def forward(models):
        return (models @ SHAPES).astype(np.float32)

    options = dict(seed=1, vectorised=True, progress=False)
    stored = fmdn.simulate(prior, forward, 700, store=tmp_path / "run.zarr", **options)
    inside = fmdn.simulate(prior, forward, 700, **options)
    assert not isinstance(stored.data, np.ndarray) and stored.data.dtype == np.float32
    settings = SETTINGS | {"max_iter": 5}
    for more in ({"components": 3}, {"components": 3, "missing": [[0, 1, 2]]}):
        first, second = (
            Inversion(samples, SD, ["a", ("b", "c")], **more, **settings).fit()
            for samples in (stored, inside)
        )
        for key in first.targets:
            np.testing.assert_array_equal(
                first[key].parameters_, second[key].parameters_
            )


class Unbounded:
    """Rows that are made when they are read: a table larger than memory should hold."""

    dtype = np.dtype(np.float32)

    def __init__(self, n, width):
        self.shape = n, width
        self.shapes = np.cos(np.outer(np.arange(1, 4), np.linspace(0, 3, width)))

    def __getitem__(self, rows):
        first, stop, _ = rows.indices(self.shape[0])
        return (self.models(first, stop) @ self.shapes).astype(np.float32)

    @staticmethod
    def models(first, stop):
        i = np.arange(first, stop)[:, np.newaxis]
        return np.modf(i * np.sqrt([2.0, 3.0, 5.0]))[0] - 0.5


MEMORY = """
import sys, threading, time
import numpy as np, scipy.linalg
sys.path[:0] = {path!r}
from test_projection import Unbounded
from fmdn import Committee

def used():  # without what is only mapped, MB
    status = open("/proc/self/status").read()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1e3

def watch():
    while True:
        peak[0] = max(peak[0], used())
        time.sleep(0.002)

np.ones((500, 500)) @ np.ones((500, 500))  # the threads of BLAS have their memory
before, peak = used(), [0.0]
threading.Thread(target=watch, daemon=True).start()
data = Unbounded(120_000, 600)
targets = data.models(0, 120_000)[:, 0]
committee = Committee(n_members=2, hidden=4, kernels=1, max_iter=5, n_threads=2)
committee.fit(data, targets, noise=0.1, components=3)
print(peak[0] - before)
"""


@pytest.mark.skipif("not __import__('os').path.exists('/proc/self/status')")
def test_memory_is_for_blocks_and_components(run_python):
    """120,000 x 600 numbers: 288 MB of float32, 576 MB of float64."""
    from pathlib import Path

    megabytes = float(run_python(MEMORY.format(path=[str(Path(__file__).parent)])))
    # four million numbers, the training cloud, take 32 MB a copy; a block 17 MB, and as
    # much for what it is made of; components, targets and tiles 11 MB; the rest 3 MB
    assert megabytes < 230


@pytest.mark.parametrize(
    ("components", "error", "message"),
    [
        (0, ValueError, "components must be at least 1, got 0"),
        (301, ValueError, "components must be at most 300, got 301"),
        (1.0, ValueError, "share of the variance between 0 and 1, got 1.0"),
        (np.nan, ValueError, "share of the variance between 0 and 1, got nan"),
        ("all", TypeError, "components must be an integer"),
        (True, TypeError, "components must be an integer"),
    ],
)
def test_components_that_make_no_sense(data, models, components, error, message):
    with pytest.raises(error, match=message):
        Committee().fit(data[:50], models[:50, 0], components=components)


def test_inputs_that_are_all_the_same(models):
    with pytest.raises(ValueError, match="inputs are the same in all rows"):
        Committee().fit(np.ones((50, 4)), models[:50, 0], components=2)


def test_what_is_not_finite_is_found_wherever_it_is(models, data):
    bad = data.astype(np.float32)
    bad[5432, 123] = np.inf
    with pytest.raises(ValueError, match="inputs contains inf at row 5432, column 123"):
        Committee().fit(bad, models[:, 0], components=3)
