"""Data as they come: no NaN leaves the library, and the answers stay of use."""

import warnings

import numpy as np
import pytest
from fmdn import Committee
from fmdn import _boundary_mixture as boundary_mixture
from fmdn.ranges import Ranges


def fitted(inputs, targets, **options):
    given = {"sample_weight": options.pop("sample_weight", None)}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "kernels=.*distinct targets", UserWarning)
        return Committee(**options).fit(inputs, targets, **given)


# --- Ugly sets ------------------------------------------------------------------------


def ugly(seed):
    """Data with some of everything that is wrong with data, and what was done to it."""
    rng = np.random.default_rng(seed)
    done = []

    def maybe(what, probability):
        if rng.random() < probability:
            done.append(what)
            return True
        return False

    n = 5 if maybe("5 rows", 0.15) else int(rng.integers(6, 300))
    n_inputs, n_targets = rng.integers(1, 6), rng.integers(1, 4)
    inputs = rng.normal(size=(n, n_inputs))
    targets = inputs @ rng.normal(size=(n_inputs, n_targets)) + rng.normal(
        size=(n, n_targets)
    )
    if maybe("heavy tails", 0.1):
        inputs, targets = np.sinh(4 * inputs), np.sinh(4 * targets)
    if maybe("integers", 0.2):
        targets = np.round(targets)
    if maybe("two values", 0.1):
        inputs = (inputs > 0) * 1.0
    if maybe("constant input", 0.2):
        inputs[:, rng.integers(n_inputs)] = rng.normal() * 10.0 ** rng.integers(-5, 5)
    if maybe("nearly constant input", 0.1):
        inputs[:, rng.integers(n_inputs)] = 1e3 + np.spacing(1e3) * rng.integers(
            0, 3, n
        )
    if maybe("constant target", 0.15):
        targets[:, rng.integers(n_targets)] = rng.normal()
    if maybe("1 distinct target", 0.1):
        targets[:] = targets[0]
    if maybe("mostly one target", 0.1):
        targets[rng.random(n) < 0.9] = targets[0]
    if maybe("equal inputs", 0.1):
        inputs[:] = inputs[:, :1]
    if maybe("equal targets", 0.1):
        targets[:] = targets[:, :1]
    if maybe("outlier in an input", 0.25):
        at = rng.integers(n), rng.integers(n_inputs)
        inputs[at] += rng.choice([-1, 1]) * 1e6 * (inputs[:, at[1]].std() + 1e-3)
    if maybe("outlier in a target", 0.25):
        at = rng.integers(n), rng.integers(n_targets)
        targets[at] += rng.choice([-1, 1]) * 1e6 * (targets[:, at[1]].std() + 1e-3)
    if maybe("duplicated rows", 0.25):
        of = rng.integers(0, n, n)
        inputs, targets = inputs[of], targets[of]
    if maybe("units", 0.3):
        inputs = inputs * 10.0 ** rng.uniform(-100, 100, n_inputs)
        targets = targets * 10.0 ** rng.uniform(-100, 100, n_targets)
    elif maybe("far from zero", 0.2):
        inputs, targets = inputs + 1e9, targets - 1e9
    weights = None
    if maybe("weights", 0.3):
        weights = rng.exponential(size=n) ** 3 * (rng.random(n) < 0.7)
        weights[:5] = 1
    options = {
        "n_members": 2,
        "hidden": (1, 8),
        "kernels": (1, 5),
        "covariance": str(rng.choice(["full", "diagonal", "isotropic"])),
        "linear_path": bool(rng.random() < 0.3),
        "max_iter": 60,
        "patience": None,
        "seed": seed,
        "n_threads": 1,
    }
    if maybe("default sizes", 0.1):
        options |= {"hidden": "auto", "kernels": "auto", "patience": 20}
    return inputs, targets, options | {"sample_weight": weights}, done


def is_sound(committee, inputs, targets):
    """Whatever can be asked about these rows has an answer that makes sense."""
    post = committee.posterior(inputs)
    assert (post.weights >= 0).all()
    np.testing.assert_allclose(post.weights.sum(axis=-1), 1, rtol=1e-12)
    numbers = [post.weights, post.means, post.covariances, committee.predict(inputs)]
    numbers += [committee.log_density(inputs, targets), post.std(), post.sample(3)]
    numbers += [
        post.logpdf(post.mean()[:, np.newaxis]),
        committee.score(inputs, targets),
    ]
    assert (post.std() > 0).all()
    q = np.array([0.001, 0.05, 0.5, 0.95, 0.999])
    for name in committee.target_names_:
        one = post.marginal(name)
        quantiles = one.quantile(q)
        assert (np.diff(quantiles, axis=-1) >= 0).all()
        # exact but for the spacing of floating-point numbers there
        step = 8 * np.spacing(np.abs(quantiles))
        assert (one.cdf(quantiles - step) <= q + 1e-12).all()
        assert (one.cdf(quantiles + step) >= q - 1e-12).all()
        numbers += [quantiles, one.pdf(quantiles)]
    for values in numbers:
        assert np.isfinite(values).all()


def test_no_nan_leaves_the_library(times, seed):
    for number in range(seed, seed + times(1000)):
        inputs, targets, options, done = ugly(number)
        try:
            committee = fitted(inputs, targets, **options)
            for numbers in (committee.parameters_, committee.weighting_losses_):
                assert np.isfinite(numbers).all()
            for one in committee.history_:
                assert all(
                    np.isfinite(v).all() for k, v in one.items() if k != "stopped"
                )
            is_sound(committee, inputs[:20], targets[:20])
            spread = np.ptp(inputs, axis=0)
            is_sound(committee, inputs[:5] + 1e6 * spread, targets[:5])
            is_sound(committee, inputs[:5] - 1e6 * spread, targets[:5])
        except Exception as error:
            raise AssertionError(f"ugly({number}): {done} {options}") from error


# --- One outlier ----------------------------------------------------------------------


def clean(n, seed):
    """Three inputs; a curved mean and a spread that depends on the inputs."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(n, 3))
    mean = np.sin(2 * inputs[:, 0]) + 0.3 * inputs[:, 1]
    spread = 0.1 + 0.1 * np.abs(inputs[:, 2])
    return inputs, mean + spread * rng.normal(size=n)


def half_zeros(n, seed):
    """Most values of an input are equal: there is no median deviation to go by."""
    inputs, targets = clean(n, seed)
    targets += 2 * (inputs[:, 0] > 0.5) - np.sin(2 * inputs[:, 0])
    inputs[:, 0] = inputs[:, 0] > 0.5
    return inputs, targets


@pytest.mark.parametrize("where", ["input", "target"])
@pytest.mark.parametrize("linear_path", ["auto", True])
@pytest.mark.parametrize("rows", [clean, half_zeros])
def test_one_outlier_changes_little(rows, linear_path, where, times, seed):
    """1e6 sd in one row of 1,000: less than 0.1 nat on clean rows."""
    for number in range(seed, seed + times(10)):
        inputs, targets = rows(1000, number)
        row = np.random.default_rng(number).integers(1000)
        without = np.delete(inputs, row, axis=0), np.delete(targets, row)
        if where == "input":
            inputs[row, 0] += 1e6 * inputs[:, 0].std()
        else:
            targets[row] -= 1e6 * targets.std()
        options = {"n_members": 3, "linear_path": linear_path, "seed": number}
        options |= {"max_iter": 200, "patience": 50}  # as the defaults, but soon done
        test = rows(4000, 1000 + number)
        expected = fitted(*without, **options).score(*test)
        got = fitted(inputs, targets, **options).score(*test)
        # the clean rows are learnt: a Gaussian that knows no inputs stays below -1
        assert expected > -0.3
        assert abs(got - expected) < 0.1, f"{rows.__name__}({number}), row {row}"


@pytest.mark.parametrize("linear_path", [False, True])
def test_far_inputs_give_sound_posteriors(linear_path, times, seed):
    inputs, targets = clean(500, seed)
    committee = fitted(
        inputs, targets, n_members=3, max_iter=100, linear_path=linear_path
    )
    rng = np.random.default_rng(seed)
    for far in (1e3, 1e6, 1e12, 1e100, 1e300):
        asked = far * rng.uniform(-1, 1, size=(times(200), 3))
        is_sound(committee, asked, np.zeros(len(asked)))
        post = committee.posterior(asked)
        # no farther than a network may go whose output weights are of order ten
        assert np.abs(post.mean()).max() < 1e3 and post.std().max() < 1e4


@pytest.mark.parametrize("far", [1e4, 1e10, 1e200, 1e300])
def test_far_targets_have_finite_log_densities(committee, rows, far):
    inputs, targets = rows
    assert np.isfinite(committee.log_density(inputs, far * targets)).all()
    assert (committee.log_density(inputs, far * targets) < -1e5).all()
    weights = np.ones(300)
    assert np.isfinite(committee.score(inputs, far * targets, weights))


# --- Integer targets and quantiles ----------------------------------------------------


def test_kernels_on_integers_keep_a_width(times, seed):
    """They shrink onto the integers, down to 1e-4 of the targets' sd and no further."""
    for number in range(seed, seed + times(20)):
        rng = np.random.default_rng(number)
        inputs = rng.normal(size=(500, 2))
        targets = np.round(2 * inputs[:, 0])
        committee = fitted(inputs, targets, n_members=3, max_iter=300, seed=number)
        widths = np.sqrt(committee.posterior(inputs).covariances)
        # the scale is that of nine rows of ten
        assert widths.min() > 0.9e-4 * targets.std()
        is_sound(committee, inputs, targets)


def test_quantiles_of_any_mixture(times, seed):
    """Wide and narrow kernels together, where Newton's method would cycle."""
    rng = np.random.default_rng(seed)
    n, k = times(50_000), 6
    weights = rng.dirichlet(np.full(k, 0.5), n)
    means = rng.normal(size=(n, k, 1)) * 10 ** rng.uniform(-1, 3, (n, 1, 1))
    factors = 10 ** rng.uniform(-3, 3, size=(n, k, 1, 1))
    q = np.array([1e-12, 1e-6, 0.001, 0.05, 0.3, 0.5, 0.7, 0.95, 0.999, 1 - 1e-6])
    kernels, free = (weights, means, factors), Ranges.free(1)
    x = boundary_mixture.mixture_quantile(kernels, free, q)
    step = 8 * np.spacing(np.abs(x))
    below = boundary_mixture.mixture_cdf(kernels, free, x - step, False)
    above = boundary_mixture.mixture_cdf(kernels, free, x + step, False)
    # the distribution function itself is good to some units of the last place
    assert (below <= q * (1 + 1e-12) + 1e-15).all()
    assert (above >= q * (1 - 1e-12) - 1e-15).all()
