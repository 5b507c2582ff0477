"""Stores that are killed, interrupted, wanted twice, or on a full disk."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fmdn import Normal, Prior, Uniform, open_samples, simulate

pytest.importorskip("zarr", minversion="3.1.3")
from stores import assert_same, stored  # noqa: E402

posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
PRIOR = Prior(a=Uniform(-1, 1), b=Normal(2, 0.5))


def other(model):
    return np.zeros(7)


PROGRAM = """
import os, sys, time
from concurrent.futures import ProcessPoolExecutor
import numpy as np
from fmdn import Normal, Prior, Uniform, simulate

PRIOR = Prior(a=Uniform(-1, 1), b=Normal(2, 0.5))

def forward(model, rng):
    with open(log, "a") as file:
        file.write(f"{os.getpid()} {model[0]!r}\\n")
    time.sleep(0.005)
    return np.append(model, rng.normal(size=300))

def run(store, executor=None):
    return simulate(PRIOR, forward, 250, seed=5, store=store, executor=executor)

if __name__ == "__main__":
    log, store, own = sys.argv[1:]
    print("simulating", flush=True)
    run(store, ProcessPoolExecutor(2) if own == "own" else None)
    print("done")
"""


def begin(*arguments):
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "simulating\n"
    return process


def simulated(log):
    """Process and model of each call, so far."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split() for line in lines]


def runs(process):
    try:
        text = Path(f"/proc/{process}/stat").read_text()
        return text.rpartition(")")[2].split()[0] != "Z"  # nobody may collect it
    except OSError:
        return False


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@posix
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes")
@pytest.mark.parametrize("pool", ["default", "own"])
def test_going_on_after_kill_9(tmp_path, times, seed, pool):
    """Of the parent alone: its workers end by themselves and hold no lock."""
    rng = np.random.default_rng(seed)
    log, store = tmp_path / "log", tmp_path / "run.zarr"
    whole = {"__name__": "program", "log": tmp_path / "other log"}
    exec(PROGRAM.replace("time.sleep(0.005)", ""), whole)
    undisturbed = whole["run"](tmp_path / "undisturbed.zarr")
    begun = time.monotonic()
    with begin(log, tmp_path / "timed.zarr", pool) as process:
        assert process.communicate(timeout=60)[0] == "done\n"
    duration = time.monotonic() - begun
    print(f"{duration:.1f} s undisturbed")
    kills = useful = 0
    while kills < times(20 if pool == "default" else 5) or not useful:
        if store.exists() and stored(store).sum() == 250:
            store = tmp_path / f"run {kills}.zarr"  # too late: once more
        with begin(log, store, pool) as process:
            time.sleep(rng.uniform(0.3, 1) * duration)
            process.kill()
        kills += 1
        kept = stored(store)
        useful += 0 < kept.sum() < 250
        before = {process for process, _ in simulated(log)}
        calls = len(simulated(log))
        with begin(log, store, pool) as process:  # while the old workers still end
            wait_until(lambda b=before: not any(map(runs, b)))
            process.kill()
        models = undisturbed.models[: len(kept)][kept[: len(kept)], 0]
        repeated = {repr(a) for a in models} & {
            model for _, model in simulated(log)[calls:]
        }
        assert not repeated
        print(f"kill {kills}: {kept.sum()} models kept")
    with begin(log, store, pool) as process:
        assert process.communicate(timeout=60)[0] == "done\n"
    assert process.returncode == 0
    assert_same(open_samples(store), undisturbed)


def test_a_store_that_was_killed_while_it_was_made(tmp_path):
    def interrupted(model):
        raise KeyboardInterrupt

    interrupted.__qualname__ = "other"
    whole = simulate(PRIOR, other, 30)
    arrays = ["reason", "traceback", "models", "parameter", "state"]  # in this order
    for k in range(-1, 6):
        store = tmp_path / f"{k}.zarr"
        with pytest.raises(KeyboardInterrupt):
            simulate(PRIOR, interrupted, 20, store=store)
        assert {path.name for path in store.iterdir()} == {"zarr.json", *arrays}
        for name in arrays[max(k, 0) :]:
            shutil.rmtree(store / name)
        if k < 0:
            (store / "zarr.json").unlink()
        left = store / "state" / "zarr.abc.partial"
        left.parent.mkdir(exist_ok=True)
        left.touch()
        assert_same(simulate(PRIOR, other, 30, store=store), whole)
        assert not left.exists()


def test_what_is_finished_does_not_wait_for_what_is_not(tmp_path, monkeypatch):
    """However short of time the writing is."""
    monkeypatch.setattr("fmdn.store.WRITING_SHARE", 0)
    store, slow = tmp_path / "run.zarr", PRIOR.sample(12)[5, 0]

    def forward(model):
        if model[0] == slow:
            wait_until(lambda: stored(store).sum() == 11)
        return model

    with ThreadPoolExecutor(2) as executor:
        assert len(simulate(PRIOR, forward, 12, store=store, executor=executor)) == 12


@posix
def test_a_second_process_is_refused(tmp_path):
    log, store = tmp_path / "log", tmp_path / "run.zarr"
    with begin(log, store, "default") as process:
        wait_until(lambda: stored(store).any())
        with pytest.raises(BlockingIOError, match="in use by another simulate"):
            simulate(PRIOR, other, 250, seed=5, store=store)
        process.kill()
    simulate(PRIOR, other, 9, store=tmp_path / "own.zarr")
    simulate(PRIOR, other, 9, store=tmp_path / "own.zarr")


def test_a_second_simulation_of_this_process_is_refused(tmp_path):
    def nested(model):
        with pytest.raises(BlockingIOError, match="in use"):
            simulate(PRIOR, other, 2, store=tmp_path / "run.zarr")
        return model

    assert len(simulate(PRIOR, nested, 3, store=tmp_path / "run.zarr")) == 3
    assert len(simulate(PRIOR, nested, 3, store=tmp_path / "run.zarr")) == 3


def test_ctrl_c_keeps_what_is_finished(tmp_path):
    calls = []

    def interrupted(model):
        calls.append(model)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return model

    store = tmp_path / "run.zarr"
    with pytest.warns(UserWarning, match="interrupted; 7 of 20 models are finished"):
        assert len(simulate(PRIOR, interrupted, 20, store=store)) == 7
    assert stored(store).sum() == 7
    samples = simulate(PRIOR, interrupted, 20, store=store)
    np.testing.assert_array_equal(np.asarray(samples.data), PRIOR.sample(20))
    assert len(calls) == 21


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of a megabyte, if that is allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    try:
        done = subprocess.run(mount, capture_output=True)
    except OSError:
        pytest.skip("no mount")
    if done.returncode:
        pytest.skip("mounting is not allowed")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk(small_disk):
    def noisy(model, rng):
        return rng.normal(size=500)

    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(600_000))
    store = small_disk / "run.zarr"
    with pytest.raises(OSError, match=r"No space left.*(\d+) of 150 models are kept"):
        simulate(PRIOR, noisy, 150, store=store, batch_size=10)
    kept = stored(store)
    assert 0 < kept.sum() < 150
    before = open_samples(store)
    np.testing.assert_array_equal(before.models, PRIOR.sample(150)[kept])
    ballast.unlink()
    whole = simulate(PRIOR, noisy, 150, store=store, verify=True)
    assert_same(whole, simulate(PRIOR, noisy, 150))


@posix
def test_ctrl_c_ends_the_workers(tmp_path):
    log, store = tmp_path / "log", tmp_path / "run.zarr"
    program = f"import signal; signal.signal(2, signal.default_int_handler){PROGRAM}"
    command = [sys.executable, "-c", program, str(log), str(store), "default"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        wait_until(lambda: len({who for who, _ in simulated(log)}) > 1)
        wait_until(lambda: stored(store).any())
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[0] == "simulating\ndone\n"
    assert process.returncode == 0
    assert 0 < stored(store).sum() < 250
    assert not any(runs(who) for who, _ in simulated(log))
