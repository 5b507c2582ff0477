"""Processes of our own: all cores, and what hangs or dies costs one model."""

import os
import sys
import time
import warnings

import numpy as np
import pytest
from fmdn import Normal, Prior, Uniform, running, simulate, workers
from forwards import dangerous

pytest.importorskip("cloudpickle")
PRIOR = Prior(a=Uniform(-1, 1), b=Normal(2, 0.5))
several = pytest.mark.skipif(running.count_cores() < 2, reason="one core")


@pytest.fixture
def eager(monkeypatch):
    """Let workers start after the first batch, however fast it was."""
    for constant in ("FIRST_LOOK", "WORTHWHILE", "OVERHEAD"):
        monkeypatch.setattr(running, constant, -1)
    monkeypatch.setattr(running, "count_cores", lambda: 2)


@several
def test_slow_functions_use_all_cores_and_fast_ones_stay():
    def slow(model):
        time.sleep(0.02)
        return [os.getpid(), *model]

    samples = simulate(PRIOR, slow, 120)
    processes = set(samples.data[:, 0])
    assert len(processes) == 1 + min(running.count_cores(), 120)
    np.testing.assert_array_equal(samples.data[:, 1:], samples.models)
    assert all(not alive(int(one)) for one in processes - {os.getpid()})
    many = simulate(
        PRIOR, lambda m: np.full(len(m), os.getpid()), 20_000, vectorised=True
    )
    assert set(many.data[:, 0]) == {os.getpid()}
    assert set(simulate(PRIOR, lambda m: os.getpid(), 50).data[:, 0]) == {os.getpid()}


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("batch_size", [None, 1, 7, 1000])
@pytest.mark.parametrize("vectorised", [False, True])
def test_the_same_bits_in_workers(eager, vectorised, batch_size):
    """A product of matrices, whose rounding depends on their shapes."""
    matrix = np.random.default_rng(0).normal(size=(2, 30))
    noted = []

    def forward(models, rng):
        noted.append(1)
        one = [r.normal() for r in rng] if vectorised else rng.normal()
        return np.exp(models @ matrix) + np.reshape(one, (*models.shape[:-1], 1))

    settings = dict(seed=1, vectorised=vectorised, batch_size=batch_size)
    samples = simulate(PRIOR, forward, 2500, **settings)
    assert len(noted) < 3  # the rest went away
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "count_cores", lambda: 1)
        serial = simulate(PRIOR, forward, 2500, **settings)
    np.testing.assert_array_equal(samples.data, serial.data)


REASONS = {
    **dict.fromkeys((0, 1, 2), "TimeoutError: no data after 0.5 s"),
    18: "ended its process with status 3",
    19: "ended its process with signal SIGSEGV",
}


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("batch_size", [None, 10])
def test_what_hangs_or_dies_costs_one_model(batch_size):
    n, seed = 40, 9
    kinds = ((PRIOR.sample(n, seed)[:, 0] + 1) / 0.1).astype(int)
    bad = np.isin(kinds, list(REASONS))
    assert set(REASONS) <= set(kinds)
    with pytest.warns(UserWarning, match=f"{bad.sum()} of {n} models failed"):
        samples = simulate(
            PRIOR, dangerous, n, seed=seed, timeout=0.5, batch_size=batch_size
        )
    np.testing.assert_array_equal(samples.data, PRIOR.sample(n, seed)[~bad])
    for failure in samples.failed:
        kind = kinds[failure.index]
        assert failure.reason == REASONS[kind]
        where = {0: "in dangerous", 2: "time.sleep(100)"}.get(kind, "")
        assert where in failure.traceback


@pytest.mark.parametrize("vectorised", [False, True])
def test_death_without_a_time_limit_costs_one_model(eager, vectorised):
    deadly = PRIOR.sample(100)[[40, 41, 77], 0]

    def forward(models):
        if np.isin(models[..., 0], deadly).any():
            os._exit(7)
        return models

    with pytest.warns(UserWarning, match="3 of 100 models failed"):
        samples = simulate(PRIOR, forward, 100, vectorised=vectorised, batch_size=10)
    assert [one.index for one in samples.failed] == [40, 41, 77]
    assert samples.failed[0].reason == "ended its process with status 7"


def test_a_vectorised_function_has_the_time_of_all_its_models():
    def forward(models):
        time.sleep(0.1 * len(models))
        if slow in models[:, 0]:
            time.sleep(100)
        return models

    models = PRIOR.sample(15)
    slow = models[7, 0]
    with pytest.warns(UserWarning, match="1 of 15 models failed"):
        samples = simulate(
            PRIOR, forward, 15, vectorised=True, batch_size=5, timeout=0.4
        )
    np.testing.assert_array_equal(samples.data, np.delete(models, 7, axis=0))


def test_what_hung_is_tried_again(tmp_path):
    def forward(model):
        once = tmp_path / repr(model[0])
        if model[0] > 0.5 and not once.exists():
            once.touch()
            os._exit(1)
        return model

    samples = simulate(PRIOR, forward, 12, timeout=60, retries=1)
    np.testing.assert_array_equal(samples.data, PRIOR.sample(12))
    assert len(os.listdir(tmp_path)) == (samples["a"] > 0.5).sum() > 0


SCRIPT = """
import os, sys, time
import numpy as np
import fmdn

prior = fmdn.Prior(a=fmdn.Uniform(0, 1))
calls = []

def helper(model):
    print("printed by", "the forward model")
    time.sleep(0.02)
    return np.append(model, os.getpid())

samples = fmdn.simulate(prior, lambda model: helper(model), 100)
processes = set(samples.data[:, 1])
sys.stdout.write(f"{len(processes)} {os.getpid() in processes}\\n")
"""


@several
def test_a_script_needs_no_guard_and_output_is_not_mistaken(run_python):
    printed = run_python(SCRIPT).splitlines()
    assert printed[-1] == f"{1 + running.count_cores()} True"


@several
def test_without_cloudpickle_one_core_and_a_warning(eager, monkeypatch):
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.warns(UserWarning, match="one core only.*pip install cloudpickle"):
        samples = simulate(PRIOR, lambda model: np.append(os.getpid(), model), 50)
    assert set(samples.data[:, 0]) == {os.getpid()}
    with pytest.raises(workers.CannotLoad, match="pip install cloudpickle"):
        simulate(PRIOR, lambda model: model, 50, timeout=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        samples = simulate(PRIOR, np.square, 50)  # plain pickle will do
    np.testing.assert_array_equal(samples.data, samples.models**2)


def test_what_cannot_be_loaded_there_runs_here(eager):
    class Stubborn:
        def __call__(self, model):
            return model

        def __reduce__(self):
            return int, ("no number",)

    with pytest.warns(UserWarning, match="one core only.*cannot be loaded.*no number"):
        samples = simulate(PRIOR, Stubborn(), 20)
    assert len(samples) == 20


def test_a_wrong_shape_from_a_worker_is_an_error(eager):
    here = os.getpid()

    def forward(models):
        return models if os.getpid() == here else models.sum()

    with pytest.raises(ValueError, match="10 models and must return one row"):
        simulate(PRIOR, forward, 30, vectorised=True, batch_size=10)
