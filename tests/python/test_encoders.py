"""An encoder ahead of the networks: used in training, applying and files."""

import pickle

import fmdn
import numpy as np
import pytest
from fmdn import (
    Committee,
    GaussianNoise,
    Inversion,
    Normal,
    Prior,
    Samples,
    ScaledNoise,
    Uniform,
)
from fmdn._boundary import ModelFileError

G = np.array([1.0, 0.8, -0.6, 0.5])
SETTINGS = dict(n_members=3, hidden=8, kernels=1, max_iter=150, seed=1)


class First:
    """The first principal component, and what it was fitted to."""

    def __init__(self):
        self.seen = []

    def fit(self, data):
        self.seen.append(data.copy())
        self.axis = np.linalg.eigh(np.cov(data.T))[1][:, -1]
        self.axis *= np.sign(self.axis[0])
        return self

    def transform(self, data):
        return (data @ self.axis)[:, np.newaxis] * [1.0, 2.0]


@pytest.fixture(scope="module")
def models():
    return np.random.default_rng(3).standard_normal(5000)


@pytest.fixture(scope="module")
def committee(models):
    committee = Committee(**SETTINGS)
    return committee.fit(
        models[:, None] * G,
        models,
        noise=0.5,
        encoder=First(),
        input_names=list("abcd"),
    )


def test_the_posterior_is_that_of_the_codes(committee, models):
    sd = (1 + G @ G / 0.25) ** -0.5
    observed = np.array([0.9, 1.0, -0.4, 0.5])
    post = committee.posterior(observed)
    # noise is even and the signal along G: its component says all
    assert abs(post.std() / sd - 1) < 0.06
    assert abs(post.mean() - sd**2 * G @ observed / 0.25) < 0.2 * sd
    assert committee.n_features_in_ == 4 and committee.input_names_ == list("abcd")
    truth = np.array([0.7])
    log_p = committee.log_density(observed[np.newaxis], truth)
    assert log_p[0] == pytest.approx(post.logpdf(0.7), abs=1e-10)
    with pytest.raises(ValueError, match="2 features, but Committee is expecting 4"):
        committee.posterior([1.0, 2.0])


def test_the_encoder_sees_noise_and_no_rows_that_weigh(committee):
    encoder = committee._encoder.of
    (data,) = encoder.seen
    assert data.shape == (4500, 4)  # a tenth weighs
    residual = data - data @ np.outer(G, G) / (G @ G)
    # three directions without signal
    assert abs((residual**2).sum() / 4500 / 3 - 0.25) < 4 * 0.25 * np.sqrt(2 / 13_500)


def test_one_that_has_no_fit_is_used_as_it_is(models):
    class Log:
        @staticmethod
        def transform(data):
            return np.log(data)

    data = np.exp(models[:500, None] * G)
    with_it = Committee(**SETTINGS | {"max_iter": 20}).fit(
        data, models[:500], encoder=Log
    )
    without = Committee(**SETTINGS | {"max_iter": 20}).fit(np.log(data), models[:500])
    np.testing.assert_array_equal(with_it.parameters_, without.parameters_)
    np.testing.assert_array_equal(
        with_it.posterior(data[:5]).means, without.posterior(np.log(data[:5])).means
    )


def test_a_file_needs_its_encoder(committee, tmp_path):
    path = tmp_path / "model.mdn"
    committee.save(path)
    encoder = committee._encoder.of
    again = fmdn.load(path, encoder=pickle.loads(pickle.dumps(encoder)))
    observed = np.ones((3, 4))
    np.testing.assert_array_equal(
        again.posterior(observed).means, committee.posterior(observed).means
    )
    assert again.n_features_in_ == 4
    again.save(tmp_path / "again.mdn")
    assert (tmp_path / "again.mdn").read_bytes() == path.read_bytes()
    with pytest.raises(ModelFileError, match=r"behind an encoder, .*First; give it"):
        fmdn.load(path)
    other = First()
    other.axis = encoder.axis * 1.01
    with pytest.raises(ModelFileError, match="not the one.*gives other codes"):
        fmdn.load(path, encoder=other)
    with pytest.raises(ModelFileError, match="is not the one"):
        fmdn.load(path, encoder=One(7))


def test_a_file_without_one_refuses_one(models, tmp_path):
    path = tmp_path / "model.mdn"
    data = models[:300, None] * G
    Committee(**SETTINGS | {"max_iter": 2}).fit(data, models[:300]).save(path)
    with pytest.raises(ModelFileError, match="trained without an encoder"):
        fmdn.load(path, encoder=First())


def test_an_inversion_fits_it_once(tmp_path):
    prior = Prior(a=Normal(0, 1), b=Normal(0, 1))
    drawn = prior.sample(400, seed=1)
    samples = Samples(drawn, drawn @ np.ones((2, 4)), prior=prior)
    encoder = First()
    quick = SETTINGS | {"max_iter": 3}
    inversion = Inversion(samples, 0.1, encoder=encoder, **quick).fit()
    assert len(encoder.seen) == 1
    path = tmp_path / "event.mdn"
    inversion.save(path)
    with pytest.raises(ModelFileError, match="give it"):
        fmdn.load(path)
    again = fmdn.load(path, encoder=encoder)
    for key in "ab":
        np.testing.assert_array_equal(
            again.posterior(np.ones(4))[key].means,
            inversion.posterior(np.ones(4))[key].means,
        )


def test_the_level_of_noise_goes_past_it(models):
    noise = ScaledNoise(Uniform(0.5, 1.5))
    encoder = First()
    committee = Committee(**SETTINGS | {"max_iter": 5})
    committee.fit(models[:, None] * G, models, noise=noise, encoder=encoder)
    assert encoder.seen[0].shape[1] == 4
    assert committee.n_features_in_ == 5
    low, high = (committee.posterior(noise.append(G, level)) for level in (0.5, 1.5))
    assert low.mean() != high.mean()


class One:
    """Gives so many codes, or something else of no use."""

    def __init__(self, codes):
        self.codes = codes

    def transform(self, data):
        if isinstance(self.codes, int):
            return np.ones((len(data), self.codes))
        return self.codes


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        (3, TypeError, "encoder must have a method transform, 3 has not"),
        (One([1.0, 2.0]), ValueError, "transform must give 1 rows of numbers"),
        (One([["a"]]), ValueError, "transform must give 1 rows of numbers"),
        (One([[np.nan]]), ValueError, "codes that are not finite"),
    ],
)
def test_encoders_of_no_use(models, encoder, error, message):
    with pytest.raises(error, match=message):
        Committee().fit(models[:100, None] * G, models[:100], encoder=encoder)


@pytest.mark.parametrize("other", [{"missing": [[0]]}, {"components": 2}])
def test_what_does_not_go_with_an_encoder(models, other):
    with pytest.raises(ValueError, match="and encoder cannot be given together"):
        Committee().fit(models[:100, None] * G, models[:100], encoder=First(), **other)


def test_noise_is_known_by_its_own_sets(models):
    """The weights come from noisy rows behind the encoder, as the training does."""
    committee = Committee(**SETTINGS)
    committee.fit(
        models[:, None] * G, models, noise=GaussianNoise(0.5), encoder=First()
    )
    entropy = 0.5 * np.log(2 * np.pi * np.e / (1 + G @ G / 0.25))
    losses = committee.weighting_losses_
    assert (np.abs(losses - entropy) < 5 * np.sqrt(0.5 / 500)).all()


def test_blocks_without_rows_to_encode(monkeypatch):
    """Where no row of a block is wanted the encoder is left in peace."""
    monkeypatch.setattr("fmdn.raw.BLOCK_ROWS", 3)

    class Reshaping:
        def transform(self, data):
            return data.reshape(len(data), 2, -1).mean(axis=2)

    rng = np.random.default_rng(1)
    models = rng.normal(size=(200, 1))
    samples = Samples(models, models * G, prior=Prior(m=Normal(0, 1)))
    inversion = Inversion(samples, 0.1, encoder=Reshaping(), **SETTINGS).fit()
    assert abs(inversion.posterior(0.7 * G)["m"].mean() - 0.7) < 0.2
