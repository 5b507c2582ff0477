"""The benchmarks run, tell the truth about what they compare, and write what they say.

No test looks at a time.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logsumexp

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TITLES = [
    "One loss and gradient", "Training", "Threads", "Growth", "Applying", "Starting up",
]  # fmt: skip

# Takes the arguments and files that the original takes.
MDN_TRAIN = """#!{python}
import getopt, sys
import numpy as np
options, (training, monitor) = getopt.getopt(sys.argv[1:], "n:l:u:j:k:t:o:")
options = dict(options)
assert int(options["-n"]) >= 1 and int(options["-t"]) >= 1
assert options["-l"] == options["-u"] == "30" and options["-j"] == options["-k"] == "6"
assert np.loadtxt(training).shape[1] == np.loadtxt(monitor).shape[1] == 29
open(options["-o"], "w").close()
"""


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    """Let tests import the benchmarks' modules."""
    monkeypatch.syspath_prepend(BENCHMARKS)


def speed(*arguments):
    command = [sys.executable, BENCHMARKS / "speed.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """What the quick version prints, and the folder of its files."""
    pytest.importorskip("matplotlib")
    folder = tmp_path_factory.mktemp("speed")
    original = folder / "mdn_train"
    original.write_text(MDN_TRAIN.format(python=sys.executable))
    original.chmod(0o755)
    done = speed(
        "--quick", "--no-peers", "--build", folder, "--original", folder,
        "--json", folder / "speed.json", "--figure", folder / "growth.png",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "without the arithmetic limit" in done.stderr  # no native programs there
    return done.stdout, folder


def refuse(constant):
    raise ValueError(f"{constant} is no JSON")


def positive(value):
    """Say whether all numbers of a nested value are positive."""
    if isinstance(value, dict):
        return all(map(positive, value.values()))
    if isinstance(value, list):
        return all(map(positive, value))
    return value is None or isinstance(value, str) or value > 0


def test_every_section_is_printed_and_written(quick):
    text, folder = quick
    results = json.loads((folder / "speed.json").read_text(), parse_constant=refuse)
    for title in TITLES:
        assert f"### {title}\n" in text
    names = {"loss", "training", "scaling", "growth", "applying", "start-up"}
    assert names <= set(results)
    for row in results["loss"]:
        assert positive(row["seconds"]) and positive(row["ratio"])
        assert max(row["agreement"].values()) < 1e-9
    assert positive(results["applying"]) and positive(results["start-up"])
    assert {"fmdn, 1 core", "original, 1 core"} <= set(results["training"]["seconds"])
    assert results["applying"]["one in Fortran"] is None


def test_figure_is_drawn(quick):
    import matplotlib.image

    image = matplotlib.image.imread(quick[1] / "growth.png")
    assert image.shape[0] > 300 and image[..., :3].std() > 0.05


def test_results_that_are_read_print_the_same(quick):
    text, folder = quick
    done = speed("--read", folder / "speed.json")
    assert done.stdout == text


def test_page_takes_the_tables_between_its_marks(quick, tmp_path):
    text, folder = quick
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- measured -->\nold\n<!-- end -->\nafter\n")
    done = speed("--read", folder / "speed.json", "--page", page)
    assert done.returncode == 0, done.stderr
    written = page.read_text()
    assert written.startswith("before\n<!-- measured -->\n")
    assert written.endswith("<!-- end -->\nafter\n")
    assert text in written and "old" not in written
    page.write_text("no marks\n")
    done = speed("--read", folder / "speed.json", "--page", page)
    assert done.returncode != 0 and "marks" in done.stderr
    assert page.read_text() == "no marks\n"


def test_page_of_the_docs_has_the_marks():
    import speed

    page = (BENCHMARKS.parent / "docs" / "speed.md").read_text(encoding="utf-8")
    assert all(page.count(mark) == 1 for mark in speed.MARKS)
    assert page.index(speed.MARKS[0]) < page.index(speed.MARKS[1])


def test_original_must_be_there(tmp_path):
    done = speed("--quick", "--only", "training", "--original", tmp_path)
    assert done.returncode == 2 and "no program mdn_train" in done.stderr


@pytest.mark.parametrize("number", range(6))
def test_peers_have_our_loss(number):
    """Both forms of the peers' loss, with NumPy's functions in place of theirs."""
    import fmdn
    import peers
    from speed_loss import SHAPES, make_problem

    def split(x, axis):
        return list(np.moveaxis(x, axis, 0))

    def affine(b, x, w):
        return b + x @ w

    numpy = peers.Library(affine, np.exp, np.tanh, logsumexp, split)
    problem = make_problem(SHAPES[number], 700)
    inputs, targets = problem["inputs"], problem["targets"]
    k, parameters = problem["n_kernels"], peers.layers(problem)
    first = peers.rows_first(numpy, parameters, inputs, targets, k)
    last = peers.rows_last(numpy, parameters, inputs.T, targets.T, k)
    ours, _ = fmdn.loss_gradient(
        problem["layout"], problem["committee"], inputs, targets
    )
    assert first.mean() == pytest.approx(ours, rel=1e-12)
    assert last.mean() == pytest.approx(ours, rel=1e-12)


def test_tiles_hold_every_row_once():
    from peers import tiles

    rows = np.arange(1, 22.0).reshape(7, 3)
    tiled = tiles(rows, 2, 3)
    assert tiled.shape == (6, 3, 2)
    flat = tiled.transpose(0, 2, 1).reshape(-1, 3)
    np.testing.assert_array_equal(flat[:7], rows)
    assert not flat[7:].any()


class Liar:
    """A worker with another gradient than ours."""

    def __init__(self, name, error):
        self.name, self.error = name, error

    def ask(self, what, value):
        return {"loss": 1.0, "gradient": [1.0, 2.0 + self.error]}


@pytest.mark.parametrize("error", [1e-8, float("nan")])
def test_a_peer_with_another_gradient_is_refused(error):
    from speed_loss import SHAPES, measure_shape

    workers = [Liar("fmdn, 1 core", 0), Liar("JAX plain, 1 core", error)]
    with pytest.raises(AssertionError, match="JAX plain, 1 core has another"):
        measure_shape(SHAPES[1], 500, workers, 1, 0.01, {})


def test_a_worker_that_cannot_start_is_left_out(capsys):
    from workers import available_cores, start

    assert start([("Nothing", "no such program", "plain", available_cores())]) == []
    assert "without Nothing: KeyError" in capsys.readouterr().err


def test_work_is_counted():
    """Per row: products there and back, but not back through the first layer."""
    from speed_loss import SHAPES, limit

    forward, back = 28 * 30 + 30 * 18, 28 * 30 + 2 * 30 * 18
    work = SHAPES[0].work()
    assert work == {"flops": 2 * (forward + back), "tanh": 30, "exp": 18, "log": 2}
    rates = {"product": 50.0, "accumulate": 25.0, "blas": 10.0}
    rates |= {"exp": 1.0, "tanh": 2.0, "log": 3.0}
    expected = 1e-9 * (work["flops"] / 50 + 18 + 2 * 30 + 3 * 2)
    assert limit(work, rates) == pytest.approx(expected)


def test_what_comes_before_the_first_iteration_cancels():
    from speed_training import per_member_iteration

    def run(length):
        return 7 + 0.25 * length * 3

    assert per_member_iteration(run, 3, (2, 12)) == 0.25


def test_cores_are_given_back():
    from workers import available_cores, pinned

    before = available_cores()
    with pinned(before[:1]):
        if hasattr(os, "sched_setaffinity"):
            assert available_cores() == before[:1]
    assert available_cores() == before
