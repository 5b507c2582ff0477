"""Beyond one machine: executors of others, and Dask with a worker that is killed."""

import logging
import os
import signal
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from fmdn import Normal, Prior, Uniform, open_samples, simulate

PRIOR = Prior(a=Uniform(-1, 1), b=Normal(2, 0.5))


@pytest.fixture(scope="module")
def client():
    """Give a client of two worker processes on this machine."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_a_dask_worker_is_killed_in_mid_run(client, tmp_path):
    pytest.importorskip("zarr")
    log, store = tmp_path / "log", tmp_path / "run.zarr"

    def forward(model, rng):
        import os  # the function travels, its module does not
        import time

        with open(log, "a") as file:
            file.write(f"{os.getpid()} {model[0]!r}\n")
        time.sleep(0.01)
        return np.append(model, rng.normal(size=20))

    def simulated():
        lines = log.read_text().splitlines() if log.exists() else []
        return [line.split() for line in lines]

    kept_at_kill = []

    def kill_one():
        while len(simulated()) < 60 or not kept_at_kill:
            if finished.wait(0.02):
                return
            with suppress(FileNotFoundError, ValueError):  # nothing is stored yet
                kept_at_kill[:] = map(repr, open_samples(store)["a"])
        os.kill(int(simulated()[-1][0]), signal.SIGKILL)
        kept_at_kill.append(len(simulated()))

    finished = threading.Event()
    killer = threading.Thread(target=kill_one)
    killer.start()
    try:
        samples = simulate(
            PRIOR,
            forward,
            300,
            seed=2,
            store=store,
            executor=client.get_executor(),
            batch_size=5,
        )
    finally:
        finished.set()
        killer.join()
    calls = kept_at_kill.pop()
    assert 0 < len(kept_at_kill) < 300
    workers = {process for process, _ in simulated()}
    assert 2 <= len(workers) <= 3  # two, and the one in place of the killed one
    later = {model for _, model in simulated()[calls:]}
    assert not later & set(kept_at_kill)
    serial = simulate(PRIOR, forward, 300, seed=2)
    np.testing.assert_array_equal(np.asarray(samples.data), serial.data)
    np.testing.assert_array_equal(samples.models, serial.models)


def test_a_model_that_kills_dask_workers_is_a_failure(client):
    deadly = float(PRIOR.sample(6)[4, 0])

    def forward(model):
        import os

        if model[0] == deadly:
            os._exit(1)
        return model

    executor = client.get_executor()
    with pytest.warns(UserWarning, match="1 of 6 models failed.*with status 1"):
        samples = simulate(PRIOR, forward, 6, executor=executor, batch_size=3)
    assert [failure.index for failure in samples.failed] == [4]
    assert len(samples) == 5


def test_a_time_limit_holds_on_a_cluster(client):
    """And a process that dies there costs no Dask worker."""
    slow, deadly = map(float, PRIOR.sample(8)[[2, 5], 0])

    def forward(model):
        import os
        import time

        time.sleep(60 if model[0] == slow else 0)
        if model[0] == deadly:
            os._exit(1)
        return model

    client.wait_for_workers(2)
    before = set(client.run(os.getpid).values())
    with pytest.warns(UserWarning, match="2 of 8 models failed"):
        samples = simulate(PRIOR, forward, 8, executor=client.get_executor(), timeout=2)
    assert [(one.index, one.reason) for one in samples.failed] == [
        (2, "TimeoutError: no data after 2 s"),
        (5, "ended its process with status 1"),
    ]
    assert set(client.run(os.getpid).values()) == before


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
@pytest.mark.parametrize("timeout", [None, 60])
def test_executors_of_others(pool, timeout):
    """A function that only cloudpickle can send, which draws numbers."""
    pytest.importorskip("cloudpickle")
    shift = 3.0

    def forward(model, rng):
        return model + shift + rng.normal(size=2)

    with pool(2) as executor:
        samples = simulate(PRIOR, forward, 40, executor=executor, timeout=timeout)
    serial = simulate(PRIOR, forward, 40)
    np.testing.assert_array_equal(samples.data, serial.data)


def test_a_broken_executor_leaves_what_is_finished(tmp_path):
    pytest.importorskip("cloudpickle")
    deadly = float(PRIOR.sample(40)[30, 0])

    def forward(model):
        import os

        if model[0] == deadly:
            os._exit(1)
        return model

    with ProcessPoolExecutor(1) as executor:
        with pytest.warns(UserWarning, match="executor broke.* of 40 models are fin"):
            samples = simulate(PRIOR, forward, 40, executor=executor, batch_size=5)
    assert 5 <= len(samples) <= 30
    np.testing.assert_array_equal(samples.data, PRIOR.sample(len(samples)))


def test_what_is_no_executor():
    with pytest.raises(TypeError, match=r"client\.get_executor\(\)"):
        simulate(PRIOR, np.square, 5, executor=object())
    with ThreadPoolExecutor(1) as closed:
        pass
    with pytest.raises(RuntimeError, match="after shutdown"):
        simulate(PRIOR, np.square, 5, executor=closed)


def test_the_number_of_data_is_that_of_the_first_model():
    """Not of the one that is through first."""
    models = PRIOR.sample(6)
    started = threading.Event()

    def forward(model):
        if model[0] == models[0, 0]:
            started.wait(10)
            return model[:1]
        if model[0] == models[-1, 0]:
            started.set()
        return model

    with ThreadPoolExecutor(2) as executor, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        samples = simulate(PRIOR, forward, 6, executor=executor)
    assert [failure.index for failure in samples.failed] == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(samples.data, models[:1, :1])
