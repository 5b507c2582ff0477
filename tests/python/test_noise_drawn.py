"""When noise is drawn, and for whom: members, replicas, sets, any way to train."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from fmdn import Committee, CorrelatedNoise, GaussianNoise
from fmdn.inputs import Treatment
from fmdn.plan import Plan

G = np.array([1.0, 0.8, -0.6])  # data = G m + noise, m ~ N(0, 1)
COVARIANCE = np.array([[0.5, -0.4, 0.0], [-0.4, 0.5, 0.1], [0.0, 0.1, 0.3]])
SETTINGS = dict(n_members=3, hidden=8, kernels=1, max_iter=200, seed=1)


@pytest.fixture(scope="module")
def models():
    return np.random.default_rng(3).standard_normal((8000, 1))


def trained(samples, noise, **options):
    settings = SETTINGS | options.pop("settings", {})
    committee = Committee(**settings)
    return committee.fit(samples * G, samples[:, 0], noise=noise, **options)


def plan(data, targets, **given):
    committee = Committee(n_members=12, kernels=1)
    treatment = Treatment(**given)
    return Plan.of(committee, data, targets, treatment=treatment)


def test_training_noise_is_fresh_and_the_rest_is_one_draw():
    n = 3000
    planned = plan(np.zeros((n, 2)), np.arange(n), noise=CorrelatedNoise(np.eye(2)))
    first, second, eleventh = (planned.rows_of(k) for k in (0, 1, 10))
    roles = first.roles
    np.testing.assert_array_equal(roles, second.roles)
    both = (roles != 1) & (roles != 2)
    own = first.inputs[both] * second.inputs[both]
    assert abs(own.mean()) < 4 / np.sqrt(own.size)  # nothing in common
    monitor = roles == 1  # of members 0 and 10
    np.testing.assert_array_equal(first.inputs[monitor], eleventh.inputs[monitor])
    assert (first.inputs[~monitor] != eleventh.inputs[~monitor]).all()
    np.testing.assert_array_equal(first.inputs, planned.rows_of(0).inputs)
    weighing = planned.rows_to_weigh()
    assert (weighing.roles == 0).all() and len(weighing.roles) == n // 10
    np.testing.assert_array_equal(weighing.inputs, planned.rows_to_weigh().inputs)
    assert abs(weighing.inputs.std() - 1) < 4 / np.sqrt(2 * weighing.inputs.size)


@pytest.mark.parametrize("noise", [0.5, CorrelatedNoise(0.25 * np.eye(2))])
def test_replicas_have_other_noise_and_stay_on_one_side(noise):
    n, r = 400, 5
    data = np.arange(2.0 * n).reshape(n, 2)
    planned = plan(data, np.arange(n), noise=noise, replicate=r)
    rows = planned.rows_of(0)
    roles = (planned.rows or planned.preparation).roles
    assert len(roles) == n * r
    assert (roles.reshape(n, r) == roles[::r, None]).all()
    targets = rows.targets.reshape(-1, r)
    assert (targets == targets[:, :1]).all()
    if isinstance(noise, CorrelatedNoise):
        residual = rows.inputs - data[rows.targets[:, 0].astype(int)]
        assert abs(residual.std() - 0.5) < 4 * 0.5 / np.sqrt(2 * residual.size)
        pairs = residual.reshape(-1, r, 2)
        product = pairs[:, 0] * pairs[:, 1]
        assert abs(product.mean()) < 4 * 0.25 / np.sqrt(product.size)


def test_replicas_make_up_for_few_samples(seed):
    """500 samples, noise as large as the signal: five draws of it tell more."""
    gain = []
    for k in range(seed, seed + 3):
        models = np.random.default_rng(k).standard_normal((500, 1))
        test = np.random.default_rng(1000 + k).standard_normal((4000, 1))
        data = GaussianNoise(1.0).add(test * G, seed=k)
        score = [
            Committee(**SETTINGS | {"seed": k})
            .fit(models * G, models[:, 0], noise=1.0, replicate=r)
            .score(data, test[:, 0])
            for r in (1, 5)
        ]
        gain.append(score[1] - score[0])
    assert np.mean(gain) > 0


def test_the_same_bits_by_any_way(models, tmp_path):
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

    settings = {"n_members": 3, "max_iter": 8}
    options = {"noise": CorrelatedNoise(COVARIANCE), "missing": [[0, 1], [2]]}
    small = models[:900]
    one = trained(small, **options, settings=settings | {"n_threads": 1})
    ways = [trained(small, **options, settings=settings | {"n_threads": 2})]
    for pool in (ThreadPoolExecutor, ProcessPoolExecutor):
        with pool(2) as executor:
            ways.append(trained(small, **options, settings=settings, executor=executor))
    checkpoint = tmp_path / "run.mdn"
    trained(small, **options, settings=settings, checkpoint=checkpoint)
    ways.append(trained(small, **options, settings=settings, checkpoint=checkpoint))
    for way in ways:
        np.testing.assert_array_equal(way.parameters_, one.parameters_)
        np.testing.assert_array_equal(way.weights_, one.weights_)
    with pytest.raises(ValueError, match="belongs to other rows or settings"):
        more = options | {"noise": CorrelatedNoise(2 * COVARIANCE)}
        trained(small, **more, settings=settings, checkpoint=checkpoint)


ENDLESS = """
import signal, sys, numpy as np
from fmdn import Committee, CorrelatedNoise
signal.signal(signal.SIGINT, signal.default_int_handler)
members, n_threads = map(int, sys.argv[1:])
models = np.random.default_rng(1).standard_normal((3000, 1))
committee = Committee(members, 20, 3, max_iter=10**6, patience=None)
committee.set_params(n_threads=n_threads)
print("fitting", flush=True)
try:
    committee.fit(models * np.ones(3), models[:, 0], noise=CorrelatedNoise(np.eye(3)))
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("arguments", [("1", "2"), ("2", "2"), ("2", "1")], ids=str)
def test_ctrl_c_ends_it(arguments):
    """Members that would train for hours."""
    command = [sys.executable, "-c", ENDLESS, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdout.readline() == "fitting\n"
            time.sleep(0.7)
            run.send_signal(signal.SIGINT)
            assert run.communicate(timeout=60)[0] == "interrupted\n"
        finally:
            run.kill()


def test_what_was_trained_stays_when_the_noise_fails(models):
    """The function of the third member ends it all; two members are there."""
    calls = []

    def noise(rng, data, targets):
        calls.append(len(data))
        if len(data) > 1000 and len([one for one in calls if one > 1000]) == 3:
            raise RuntimeError("no more noise")
        return data + rng.standard_normal(data.shape)

    committee = Committee(**SETTINGS | {"n_threads": 1, "max_iter": 5, "n_members": 4})
    with pytest.raises(RuntimeError, match="no more noise"):
        committee.fit(models[:2000] * G, models[:2000, 0], noise=noise)
    assert len(committee.history_) == 2
    assert np.isfinite(committee.posterior(G).mean())


def test_sets_of_ones_own(models):
    """Sets to monitor and to weigh get noise too, and the weights come from them."""
    data = models * G
    noise = CorrelatedNoise(COVARIANCE)
    parts = [(data[i : i + 500], models[i : i + 500, 0]) for i in (6000, 7000)]
    committee = Committee(**SETTINGS).fit(
        data[:6000], models[:6000, 0], noise=noise, monitor=parts[0], weighting=parts[1]
    )
    sd = (1 + G @ np.linalg.solve(COVARIANCE, G)) ** -0.5
    entropy = np.log(sd) + 0.5 * np.log(2 * np.pi * np.e)
    losses = committee.weighting_losses_
    assert (np.abs(losses - entropy) < 5 * np.sqrt(0.5 / 500)).all()


def test_models_are_for_samples(models):
    def noise(rng, data, models):
        return data

    with pytest.raises(ValueError, match="models must have 8000 rows, one.*, got 2"):
        trained(models, noise, models=[1.0, 2.0])
    with pytest.raises(ValueError, match="of their models nothing is known"):
        trained(models, noise, models=models, monitor=(models * G, models[:, 0]))
