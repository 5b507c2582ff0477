"""Nothing that was trained is lost: Ctrl-C, kill -9, full disks."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from fmdn import Committee
from fmdn import _boundary as boundary
from fmdn import _boundary_file as boundary_file

posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def data(n=400):
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(n, 4))
    return inputs, np.tanh(inputs[:, 0]) + 0.2 * rng.normal(size=n)


# --- Ctrl-C ---------------------------------------------------------------------------

INTERRUPTED = """
import json, signal, sys, time
import numpy as np
from fmdn import Committee

signal.signal(signal.SIGINT, signal.default_int_handler)
n, members, hidden, executor = map(int, sys.argv[1:])
rng = np.random.default_rng(2)
inputs = rng.normal(size=(n, 4))
targets = np.tanh(inputs[:, 0]) + 0.2 * rng.normal(size=n)
committee = Committee(members, hidden, kernels=3, max_iter=100_000, patience=None,
                      n_threads=2)
if members > 1:
    committee.set_params(max_iter=2000)
if executor:
    from concurrent.futures import ThreadPoolExecutor
    executor = ThreadPoolExecutor(2)
print("fitting", flush=True)
try:
    committee.fit(inputs, targets, executor=executor or None)
except KeyboardInterrupt:
    interrupted = time.time()
    if executor:
        executor.shutdown()
    done = hasattr(committee, "layout_")
    report = {"at": interrupted, "end": time.time(), "members": 0}
    if done:
        post = committee.posterior(inputs)
        report["members"] = len(committee.history_)
        report["stopped"] = sorted({one["stopped"] for one in committee.history_})
        report["weights"] = float(committee.weights_.sum())
        report["score"] = committee.score(inputs, targets)
    print(json.dumps(report))
"""


def interrupt(*arguments):
    """Send SIGINT a second into a fit; what the program says, and the delay."""
    command = [sys.executable, "-c", INTERRUPTED, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "fitting\n"
        time.sleep(1)
        sent = time.time()
        process.send_signal(signal.SIGINT)
        try:
            report = json.loads(process.communicate(timeout=60)[0])
        finally:
            process.kill()
    assert process.returncode == 0
    print(f"{arguments}: {report['at'] - sent:.3f} s", report)
    return report, max(report["at"], report["end"]) - sent


@posix
@pytest.mark.parametrize("executor", [0, 1], ids=["threads", "executor"])
def test_ctrl_c_leaves_the_members_trained_so_far(executor):
    report, delay = interrupt(400, 300, 5, executor)
    assert delay < 10  # a second, on a machine that does nothing else
    assert 0 < report["members"] < 300
    assert "interrupted" not in report["stopped"]
    assert report["weights"] == pytest.approx(1)
    assert report["score"] > -1.5  # without inputs it is about -1.1


@posix
@pytest.mark.parametrize("executor", [0, 1], ids=["threads", "executor"])
def test_ctrl_c_ends_a_long_member(executor):
    """One evaluation of this loss takes a good part of a second on one thread."""
    report, delay = interrupt(100_000, 1, 300, executor)
    assert delay < 10
    assert report["members"] == 0


class Stop(Exception):
    pass


def test_whatever_stops_a_training_keeps_what_was_trained(tmp_path, monkeypatch):
    """As a full disk would, under the second checkpoint that holds a member."""
    write, calls = boundary_file.write_file, []

    def fail(path, entries):
        calls.append(json.loads(entries[0][3])["finished"])
        if sum(map(bool, calls)) == 2:
            raise Stop
        write(path, entries)

    monkeypatch.setattr(boundary_file, "write_file", fail)
    # far from done when it is stopped, also on a machine that is busy
    committee = Committee(200, 10, 3, max_iter=2000, patience=None, n_threads=1)
    with pytest.raises(Stop):
        committee.fit(*data(), checkpoint=tmp_path / "members.mdn")
    assert len(calls[-1]) <= len(committee.history_) < 200
    assert np.isfinite(committee.score(*data()))


# --- Checkpoints ----------------------------------------------------------------------

SETTINGS = {"n_members": 24, "hidden": (4, 8), "kernels": (2, 3), "max_iter": 60}
LONG = SETTINGS | {"max_iter": 400, "patience": None}

TRAINED_BIT_BY_BIT = """
import json, sys
import numpy as np
from fmdn import Committee

settings = json.loads(sys.argv[1])
settings["hidden"] = tuple(settings["hidden"])
settings["kernels"] = tuple(settings["kernels"])
rng = np.random.default_rng(2)
inputs = rng.normal(size=(1500, 4))
targets = np.tanh(inputs[:, 0]) + 0.2 * rng.normal(size=1500)
print("fitting", flush=True)
committee = Committee(**settings, n_threads=2)
committee.fit(inputs, targets, checkpoint=sys.argv[2])
committee.save(sys.argv[3])
"""


def finished(path):
    """Members that a checkpoint holds; it can be read at any moment."""
    if not path.exists():
        return set()
    return set(json.loads(boundary_file.read_file(path)[0][3])["finished"])


def test_going_on_after_kill_9_gives_the_same_bits(tmp_path, times, seed):
    rng = np.random.default_rng(seed)
    begun = time.perf_counter()
    undisturbed = Committee(**LONG, n_threads=2).fit(*data(1500))
    undisturbed.save(tmp_path / "undisturbed.mdn")
    duration = time.perf_counter() - begun
    print(f"{duration:.3f} s undisturbed")
    checkpoint, result = tmp_path / "checkpoint.mdn", tmp_path / "result.mdn"
    command = [sys.executable, "-c", TRAINED_BIT_BY_BIT, json.dumps(LONG)]
    kills = useful = 0
    while kills < times(20) or not useful:
        if result.exists():  # it was through before it was killed: once more
            assert result.read_bytes() == (tmp_path / "undisturbed.mdn").read_bytes()
            result.unlink()
            checkpoint.unlink()
        before = finished(checkpoint)
        process = subprocess.Popen(
            [*command, checkpoint, result], stdout=subprocess.PIPE, text=True
        )
        with process:
            assert process.stdout.readline() == "fitting\n"
            time.sleep(rng.uniform(0, 0.7) * duration)
            process.kill()
        kills += 1
        assert before <= finished(checkpoint)
        useful += 0 < len(finished(checkpoint)) < SETTINGS["n_members"]
        print(len(before), "->", len(finished(checkpoint)))
    done = subprocess.run([*command, checkpoint, result], check=False, timeout=120)
    assert done.returncode == 0
    assert result.read_bytes() == (tmp_path / "undisturbed.mdn").read_bytes()
    assert len(finished(checkpoint)) == SETTINGS["n_members"]


def test_going_on_trains_only_what_is_missing(tmp_path):
    """Told from the seconds in the history, which no two trainings share."""
    path = tmp_path / "checkpoint.mdn"
    first = Committee(**SETTINGS).fit(*data(), checkpoint=path)
    name, layout, parameters, text = boundary_file.read_file(path)[0]
    known = json.loads(text)
    for k in (0, 7, 23):
        del known["finished"][str(k)]
    boundary_file.write_file(path, [(name, layout, parameters, json.dumps(known))])
    second = Committee(**SETTINGS).fit(*data(), checkpoint=path)
    new = [
        k
        for k, (a, b) in enumerate(zip(first.history_, second.history_, strict=True))
        if not np.array_equal(a["seconds"], b["seconds"])
    ]
    assert new == [0, 7, 23]
    np.testing.assert_array_equal(first.parameters_, second.parameters_)
    for a, b in zip(first.history_, second.history_, strict=True):
        np.testing.assert_array_equal(a["monitor_loss"], b["monitor_loss"])


def test_executors_write_checkpoints_too(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    path = tmp_path / "checkpoint.mdn"
    with ThreadPoolExecutor(2) as executor:
        pooled = Committee(**SETTINGS).fit(*data(), checkpoint=path, executor=executor)
    assert len(finished(path)) == SETTINGS["n_members"]
    again = Committee(**SETTINGS).fit(*data(), checkpoint=path)
    np.testing.assert_array_equal(pooled.parameters_, again.parameters_)


SMALL = {"n_members": 3, "hidden": 3, "kernels": 2, "max_iter": 5}


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"n_members": 4},
        {"hidden": 4},
        {"kernels": 1},
        {"max_iter": 6},
        {"patience": None},
        {"linear_path": True},
        "row",
        "target",
        "fewer",
        "weight",
        "noise",
        "groups",
        "monitor",
    ],
    ids=str,
)
def test_a_checkpoint_of_something_else_is_refused(change, tmp_path):
    path = tmp_path / "checkpoint.mdn"
    inputs, targets = data(50)
    Committee(**SMALL).fit(inputs, targets, checkpoint=path)
    kept = path.read_bytes()
    settings, given = dict(SMALL), {}
    if isinstance(change, dict):
        settings |= change
    elif change == "row":
        inputs[17, 2] = np.nextafter(inputs[17, 2], 1)
    elif change == "target":
        targets[3] += 1e-9
    elif change == "fewer":
        inputs, targets = inputs[:-1], targets[:-1]
    else:
        values = {
            "weight": {"sample_weight": np.linspace(1, 2, 50)},
            "noise": {"noise": 0.1},
            "groups": {"groups": np.arange(50) // 2},
            "monitor": {"monitor": (inputs, targets)},
        }
        given = values[change]
    with pytest.raises(
        ValueError, match=f"checkpoint.*{path.name}.*other rows or settings"
    ):
        Committee(**settings).fit(inputs, targets, **given, checkpoint=path)
    assert path.read_bytes() == kept


def test_threads_may_differ_between_the_calls(tmp_path):
    path = tmp_path / "checkpoint.mdn"
    Committee(**SMALL, n_threads=1).fit(*data(), checkpoint=path)
    Committee(**SMALL, n_threads=2).fit(*data(), checkpoint=path)


def test_a_damaged_checkpoint_says_so(tmp_path):
    path = tmp_path / "checkpoint.mdn"
    committee = Committee(**SMALL).fit(*data(), checkpoint=path)
    whole = path.read_bytes()
    for damaged in (
        whole[:-1],
        whole[: len(whole) // 2],
        b"",
        whole.replace(b"E+00", b"E+01", 1),
        b"something else\n",
    ):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"{path.name}: the file"):
            Committee(**SMALL).fit(*data(), checkpoint=path)
        assert path.read_bytes() == damaged  # it may be worth something to its owner
    committee.save(path)
    with pytest.raises(ValueError, match=f"{path.name} is a model, not a checkpoint"):
        Committee(**SMALL).fit(*data(), checkpoint=path)
    name, layout, parameters, _ = boundary_file.read_file(path)[0]
    for text in ("", "[1]", "{}"):
        boundary_file.write_file(path, [("checkpoint", layout, parameters, text)])
        with pytest.raises(ValueError, match=f"checkpoint.*{path.name}"):
            Committee(**SMALL).fit(*data(), checkpoint=path)


def test_a_checkpoint_that_cannot_be_written_says_so_at_once(tmp_path):
    committee = Committee(**SMALL | {"max_iter": 10**5, "patience": None})
    begun = time.perf_counter()
    with pytest.raises(OSError, match="nowhere/checkpoint.mdn"):
        committee.fit(*data(5000), checkpoint=tmp_path / "nowhere" / "checkpoint.mdn")
    assert time.perf_counter() - begun < 5
    assert not hasattr(committee, "layout_")


# --- Members that fail ----------------------------------------------------------------


def failing(monkeypatch, lost):
    """Let members fail as they do where their first loss is not finite."""
    train = boundary.train_members

    def fail(*arguments):
        train(*arguments)
        training = arguments[7]
        training.outcome[lost, 0] = boundary.STOPPED_FAILED

    monkeypatch.setattr(boundary, "train_members", fail)


def test_a_failed_member_is_reported_and_left_out(monkeypatch):
    whole = Committee(**SMALL).fit(*data())
    failing(monkeypatch, [1])
    committee = Committee(**SMALL)
    message = r"members \[1\] are left out; failed: no finite loss"
    with pytest.warns(RuntimeWarning, match=message) as caught:
        committee.fit(*data())
    assert caught[0].filename == __file__
    assert len(committee.history_) == 2
    assert committee.weights_.sum() == pytest.approx(1)
    inputs, _ = data()
    for here, there in ((0, 0), (1, 2)):
        np.testing.assert_array_equal(
            committee.posterior(inputs).members[here].means,
            whole.posterior(inputs).members[there].means,
        )


def test_no_member_left_is_an_error(monkeypatch):
    failing(monkeypatch, [0, 1, 2])
    with pytest.raises(RuntimeError, match="no member could be trained"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            Committee(**SMALL).fit(*data())
