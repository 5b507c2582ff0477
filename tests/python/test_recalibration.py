"""Recalibration makes coverage right, and is a distribution like any other."""

import numpy as np
import pytest
from commands import runner, table
from fmdn import (
    Committee,
    Mixture,
    Normal,
    TruncatedNormal,
    Uniform,
    _boundary,
    _boundary_file,
    calibration,
    load,
    recalibrate,
)
from fmdn.recalibration import Recalibration
from scipy import integrate, stats


def posteriors(n, seed, width=1.0, shift=0.0, skew=False):
    """Gaussian posteriors N(mean, 1), wrong if asked for, and truths."""
    rng = np.random.default_rng(seed)
    means = rng.normal(scale=3, size=n)
    noise = rng.standard_normal(n)
    if skew:
        noise = (rng.chisquare(3, n) - 3) / np.sqrt(6)
    return Mixture(
        np.full((n, 2), 0.5),
        np.stack([means, means], axis=1)[..., np.newaxis] + shift * width,
        np.full((n, 2, 1, 1), 1 / width),
        single=False,
        one_target_axis=True,
        target_names=["m"],
    ), means + noise


WRONG = [{}, {"width": 0.8}, {"width": 1.5}, {"shift": 0.3}, {"skew": True}]


@pytest.mark.parametrize("wrong", WRONG)
def test_coverage_becomes_right(wrong, seed):
    """On other rows than those of the fit, which leaves errors of 1/sqrt(n)."""
    n = 10_000
    recalibration = recalibrate(*posteriors(n, seed, **wrong))
    posterior, truths = posteriors(n, seed + 1, **wrong)
    below = recalibration(posterior).cdf(truths[:, np.newaxis])[:, 0]
    for q in np.arange(0.02, 1, 0.02):
        error = np.sqrt(2 * q * (1 - q) / n)
        assert abs((below < q).mean() - q) < 4.5 * error + 0.003


@pytest.mark.parametrize("wrong", WRONG[1:])
def test_the_loss_falls_and_the_verdict_changes(wrong, seed):
    recalibration = recalibrate(*posteriors(5000, seed, **wrong))
    posterior, truths = posteriors(1000, seed + 1, **wrong)
    before = calibration(posterior, truths)
    after = calibration(recalibration(posterior), truths)
    assert not before.calibrated and after.p_value > 1e-3
    assert after.loss.value < before.loss.value
    assert after.scores["CRPS"].mean.value < before.scores["CRPS"].mean.value


def test_what_is_right_is_left_alone(seed):
    """K knots fitted to noise cost K/2n nats."""
    n = 5000
    recalibration = recalibrate(*posteriors(n, seed))
    posterior, truths = posteriors(20_000, seed + 1)
    x = truths[:, np.newaxis]
    cost = (posterior.logpdf(x) - recalibration(posterior).logpdf(x)).mean()
    assert len(recalibration.scores) < 15
    assert -0.001 < cost < 4 * len(recalibration.scores) / (2 * n)


@pytest.fixture(scope="module")
def recalibrated():
    recalibration = recalibrate(*posteriors(2000, 1, width=0.7, skew=True))
    return recalibration(posteriors(5, 2, width=0.7)[0])


def test_it_is_a_distribution(recalibrated):
    one = recalibrated[2]
    low, high = one.quantile([1e-12, 1 - 1e-12])
    x = np.linspace(low, high, 200_001)
    density = one.pdf(x)
    np.testing.assert_allclose(np.exp(one.logpdf(x)), density)
    steps = np.concatenate([[0], integrate.cumulative_trapezoid(density, x)])
    np.testing.assert_allclose(steps, one.cdf(x), atol=1e-7)
    np.testing.assert_allclose(one.cdf(x) + one.sf(x), 1)
    q = np.array([1e-6, 0.01, 0.3, 0.5, 0.9, 1 - 1e-6])
    np.testing.assert_allclose(one.cdf(one.quantile(q)), q, rtol=1e-9)
    assert one.quantile(0) == -np.inf and one.quantile(1) == np.inf
    mean = np.trapezoid(density * x, x)
    assert one.mean() == pytest.approx(mean, abs=1e-5)
    sd = np.sqrt(np.trapezoid(density * (x - mean) ** 2, x))
    assert one.std() == pytest.approx(sd, rel=1e-4)
    low, high = one.interval(0.8)
    assert one.prob(low, high) == pytest.approx(0.8) == 2 * (0.5 - one.cdf(low))
    draws = one.sample(20_000, seed=1)
    assert stats.kstest(draws, one.cdf).pvalue > 1e-3
    np.testing.assert_array_equal(draws, one.sample(20_000, seed=1))


def test_axes_are_those_of_a_mixture(recalibrated):
    assert len(recalibrated) == 5 and recalibrated.mean().shape == (5,)
    assert recalibrated.quantile([[0.1, 0.5, 0.9]]).shape == (5, 1, 3)
    assert recalibrated.sample(7).shape == (5, 7)
    np.testing.assert_allclose(recalibrated[1:3].mean(), recalibrated.mean()[1:3])
    assert [one.median() for one in recalibrated] == recalibrated.median().tolist()
    draws = recalibrated.sample(50)  # each observation has its own
    z = (draws - recalibrated.mean()[:, np.newaxis]).T
    assert np.abs(np.corrcoef(z.T)[np.triu_indices(5, 1)]).max() < 0.6


@pytest.mark.parametrize("prior", [Normal(0, 4), Uniform(-3, 1)])
def test_information_gain(recalibrated, prior):
    for one, found in zip(
        recalibrated, recalibrated.information_gain(prior), strict=True
    ):
        low, high = one.quantile([1e-10, 1 - 1e-10])
        bounds = np.array(prior.support(), float)
        x = np.linspace(max(low, bounds[0]), min(high, bounds[1]), 400_001)
        if one.prob(x[0], x[-1]) < 0.1:
            continue  # the prior excludes what is left
        p = one.pdf(x)
        mass = np.trapezoid(p, x)
        log_ratio = np.log(np.maximum(p, 1e-300) / mass) - prior.logpdf(x)
        expected = np.trapezoid(p / mass * log_ratio, x)
        assert found == pytest.approx(expected, abs=0.03)


def test_outermost_values_have_a_density(recalibrated):
    x = np.array([-1e300, -1e6, -60.0, 60.0, 1e6, 1e300])
    assert (recalibrated.pdf(x) == 0).all()
    assert not np.isnan(recalibrated.logpdf(x)).any()
    np.testing.assert_array_equal(recalibrated.cdf(x)[:, [0, -1]], [[0, 1]] * 5)


def test_the_map_and_its_inverse():
    g = Recalibration([-2, -1, -0.9, 1, 4], [-3, -1.2, -0.4, 0.3, 2])
    z = np.linspace(-10, 10, 2001)
    y = g.map(z)
    assert (np.diff(y) > 0).all() and (g.slope(z) > 0).all()
    np.testing.assert_allclose(g.map(g.scores), g.normal, atol=1e-14)
    np.testing.assert_allclose(g.inverse(y), z, atol=1e-9)
    steps = (g.map(z + 1e-6) - g.map(z - 1e-6)) / 2e-6
    np.testing.assert_allclose(steps, g.slope(z), atol=1e-3)
    shifted = Recalibration([0.5], [0.0])
    np.testing.assert_allclose(shifted.map(z), z - 0.5)


def test_it_is_saved_with_the_committee(rows, tmp_path, quick):
    inputs, targets = rows
    committee = Committee(**quick).fit(inputs, targets[:, 0])
    recalibration = recalibrate(committee.posterior(inputs), targets[:, 0])
    committee.recalibration_ = recalibration
    committee.save(tmp_path / "a.mdn")
    again = load(tmp_path / "a.mdn")
    for one in (committee, again):
        found = one.recalibration_(one.posterior(inputs[:3]))
        np.testing.assert_array_equal(
            found.quantile([0.1, 0.9]),
            recalibration(committee.posterior(inputs[:3])).quantile([0.1, 0.9]),
        )
        # the posterior itself stays that of the networks
        np.testing.assert_array_equal(
            one.posterior(inputs[:3]).mean(), committee.posterior(inputs[:3]).mean()
        )
    again.save(tmp_path / "b.mdn")
    assert (tmp_path / "a.mdn").read_bytes() == (tmp_path / "b.mdn").read_bytes()
    committee.fit(inputs, targets[:, 0])
    assert not hasattr(committee, "recalibration_")  # it was of other networks


# --- In files, and in programs --------------------------------------------------------


@pytest.fixture
def recalibrated_committee(rows, quick):
    committee = Committee(**quick).fit(rows[0], rows[1][:, 0])
    posterior = committee.posterior(rows[0])
    committee.recalibration_ = recalibrate(posterior, rows[1][:, 0])
    return committee


def test_it_is_a_block_of_the_file_that_others_may_leave_out(
    recalibrated_committee, tmp_path
):
    committee = recalibrated_committee
    committee.save(tmp_path / "a.mdn")
    text = (tmp_path / "a.mdn").read_text()
    n = 2 * len(committee.recalibration_.scores)
    head = f'block "recalibration" version 1 optional integers 0 reals {n}'
    assert text.count(head) == 1 and '"recalibration":' not in text
    knots = committee.recalibration_
    committee.recalibration_ = Recalibration([0.5], [0.0])  # takes its place
    assert committee.recalibration_.scores.tolist() == [0.5]
    del committee.recalibration_
    assert not hasattr(committee, "recalibration_")
    committee.save(tmp_path / "b.mdn")
    assert "recalibration" not in (tmp_path / "b.mdn").read_text()
    again = load(tmp_path / "a.mdn")
    np.testing.assert_array_equal(again.recalibration_.scores, knots.scores)
    np.testing.assert_array_equal(again.recalibration_.normal, knots.normal)


def test_other_weights_drop_it(recalibrated_committee, rows):
    recalibrated_committee.reweigh(rows[0], rows[1][:, 0])
    assert not hasattr(recalibrated_committee, "recalibration_")


@pytest.mark.parametrize(
    "knots", [[0.0, 1, 2], [1.0, 0, 0, 1], [0.0, np.pi, 1, 1], [0.0, 1e-200, 0, 1]]
)
def test_a_damaged_block_is_refused(knots, recalibrated_committee, tmp_path):
    committee = recalibrated_committee
    del committee.recalibration_
    name, layout, parameters, text = committee._to_entry("")
    head = [*tag_of("recalibration"), 1, 0, 0, len(knots), len(parameters)]
    layout = np.concatenate([layout, head])
    layout[4:6] += 1, len(knots)
    parameters = np.concatenate([parameters, knots])
    path = tmp_path / "a.mdn"
    _boundary_file.write_file(path, [(name, layout, parameters, text)])
    with pytest.raises(_boundary.ModelFileError, match=r"a\.mdn.*makes no sense"):
        load(path)
    layout[-5] = 2  # of a newer version: passed over, and carried on
    _boundary_file.write_file(path, [(name, layout, parameters, text)])
    again = load(path)
    assert not hasattr(again, "recalibration_")
    again.save(tmp_path / "b.mdn")
    assert (tmp_path / "b.mdn").read_bytes() == path.read_bytes()


def tag_of(name):
    """Two words, the first letter in the lowest byte."""
    return np.frombuffer(name.ljust(16).encode(), dtype="<i8")


@pytest.mark.parametrize("kind", ["native", "python"])
def test_mdn_apply_gives_recalibrated_densities(
    kind, recalibrated_committee, rows, tmp_path
):
    committee, inputs = recalibrated_committee, rows[0][:5]
    committee.save(tmp_path / "a.mdn")
    np.savetxt(tmp_path / "d.txt", inputs, fmt="%.17g")
    run = runner(kind, tmp_path)
    grid = "--m-lo=-2", "--m-up=2", "--m-num=41"
    done = run("mdn_apply", "a.mdn", "d.txt", "--recalibrated", "-p", *grid)
    recalibrated = committee.recalibration_(committee.posterior(inputs))
    expected = recalibrated.pdf(np.linspace(-2, 2, 41))
    np.testing.assert_allclose(table(done.stdout), expected, rtol=1e-12, atol=1e-99)
    plain = table(run("mdn_apply", "a.mdn", "d.txt", "-p", *grid).stdout)
    assert np.abs(plain - expected).max() > 1e-3
    done = run("mdn_apply", "a.mdn", "d.txt", "--recalibrated", ok=False)
    assert "--recalibrated needs --output-pdf" in done.stderr and not done.stdout
    del committee.recalibration_
    committee.save(tmp_path / "a.mdn")
    done = run("mdn_apply", "a.mdn", "d.txt", "--recalibrated", "-p", ok=False)
    assert "a.mdn: the committee has no recalibration" in done.stderr


def test_far_tails_keep_their_digits():
    """Where the map is steep, 1 - q has no digits left for the quantile."""
    g = Recalibration([-1.0, 0, 1], [-1.0, 0, 0.5])
    one = g(posteriors(1, 3)[0])[0]
    x = one.quantile(1 - 1e-9)  # of score 6, which is 12 of the mixture's
    assert one.sf(x) == pytest.approx(1e-9, rel=1e-6)
    mean = one._posterior.mean()
    assert x - mean == pytest.approx(1 + 2 * (stats.norm.isf(1e-9) - 0.5), rel=1e-7)


def test_refusals(committee, rows):
    posterior, truths = posteriors(100, 1)
    with pytest.raises(ValueError, match="at least 50 rows are needed, got 10"):
        recalibrate(posterior[:10], truths[:10])
    with pytest.raises(ValueError, match=r"one for each posterior.*shape \(99, 1\)"):
        recalibrate(posterior, truths[:99])
    with pytest.raises(ValueError, match="needs one target"):
        recalibrate(committee.posterior(rows[0]), rows[1])
    with pytest.raises(ValueError, match="of one target, not of"):
        committee.recalibration_ = Recalibration([0.5], [0.0])
    with pytest.raises(ValueError, match="increasing"):
        Recalibration([0, 0], [0, 1])
    with pytest.raises(ValueError, match="q must lie between 0 and 1"):
        recalibrate(posterior, truths)(posterior).quantile(1.5)
    tied = recalibrate(posterior, np.full(100, 50.0))  # far out, and all the same
    assert np.isfinite(tied(posterior).logpdf(np.zeros(1))).all()


def test_bounded_prior_gain_is_finite(recalibrated):
    prior = TruncatedNormal(0, 5, low=-4, high=4)
    assert np.isfinite(recalibrated.information_gain(prior)).all()
