"""Data as they come: no NaN leaves the library, and the answers stay of use."""

import warnings

import numpy as np
import pytest
from fmdn import Committee


def fitted(inputs, targets, **options):
    given = {"sample_weight": options.pop("sample_weight", None)}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "kernels=.*distinct targets", UserWarning)
        return Committee(**options).fit(inputs, targets, **given)


# --- Ugly sets ----------------------------------------------------------------------------


def ugly(seed):
    """A data set with some of everything that is wrong with data, and what was done to it."""
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
    targets = inputs @ rng.normal(size=(n_inputs, n_targets)) + rng.normal(size=(n, n_targets))
    if maybe("heavy tails", 0.1):
        inputs, targets = np.sinh(4 * inputs), np.sinh(4 * targets)
    if maybe("integers", 0.2):
        targets = np.round(targets)
    if maybe("two values", 0.1):
        inputs = (inputs > 0) * 1.0
    if maybe("constant input", 0.2):
        inputs[:, rng.integers(n_inputs)] = rng.normal() * 10.0 ** rng.integers(-5, 5)
    if maybe("nearly constant input", 0.1):
        inputs[:, rng.integers(n_inputs)] = 1e3 + np.spacing(1e3) * rng.integers(0, 3, n)
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
    return inputs, targets, options | {"sample_weight": weights}, done


def is_sound(committee, inputs, targets, factor=1.0):
    """Whatever can be asked about these rows has an answer, and one that makes sense."""
    post = committee.posterior(inputs)
    assert (post.weights >= 0).all()
    np.testing.assert_allclose(post.weights.sum(axis=-1), 1, rtol=1e-12)
    numbers = [post.weights, post.means, post.covariances, committee.predict(inputs)]
    numbers += [committee.log_density(inputs, targets), post.std(), post.sample(3)]
    numbers += [post.logpdf(post.mean()[:, np.newaxis]), committee.score(inputs, targets)]
    assert (post.std() > 0).all()
    q = np.array([0.001, 0.05, 0.5, 0.95, 0.999])
    for name in committee.target_names_:
        one = post.marginal(name)
        quantiles = one.quantile(q)
        assert (np.diff(quantiles, axis=-1) >= 0).all()
        # exact but for the spacing of floating-point numbers there
        step = 4 * np.spacing(np.abs(quantiles))
        assert (one.cdf(quantiles - step) <= q + 1e-12).all()
        assert (one.cdf(quantiles + step) >= q - 1e-12).all()
        numbers += [quantiles, one.pdf(quantiles)]
    for values in numbers:
        assert np.isfinite(values).all()


def test_no_nan_leaves_the_library(times, seed):
    for number in range(seed, seed + times(200)):
        inputs, targets, options, done = ugly(number)
        try:
            committee = fitted(inputs, targets, **options)
            for numbers in (committee.parameters_, committee.weighting_losses_):
                assert np.isfinite(numbers).all()
            for one in committee.history_:
                assert all(np.isfinite(v).all() for k, v in one.items() if k != "stopped")
            is_sound(committee, inputs[:20], targets[:20])
            spread = np.ptp(inputs, axis=0)
            is_sound(committee, inputs[:5] + 1e6 * spread, targets[:5])
            is_sound(committee, inputs[:5] - 1e6 * spread, targets[:5])
        except Exception as error:
            raise AssertionError(f"ugly({number}): {done} {options}") from error
