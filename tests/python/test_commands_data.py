"""Data files of mdn_train and mdn_apply, and what only the package's commands do."""

import re
import subprocess
import sys
from importlib.metadata import entry_points

import fmdn
import numpy as np
import pytest
from commands import SMALL, command, runner, table
from legacy_files import ORIGINAL, WHOLE

TRAIN, MONITOR, TEST, OBSERVED = (
    ORIGINAL / f"{name}.txt" for name in ("train", "monitor", "test", "observed")
)


@pytest.fixture(params=["native", "python"])
def run(request, tmp_path):
    """Run a program of either kind in a folder of its own."""
    return runner(request.param, tmp_path)


# --- Data files -----------------------------------------------------------------------

GOOD = "1 2 3 4 900\n2 3 4 5 1000\n"
BAD = {
    "ragged": (GOOD + "1 2 3 4\n", "line 3: expected 5 numbers, found 4"),
    "a word": (GOOD + "# note\n1 2 x 4 5\n", 'line 4: expected a number, found "x"'),
    "a header": ("a b c d e\n" + GOOD, 'line 1: expected a number, found "a"'),
    "NaN": (GOOD + "1 2 NaN 4 5\n", 'line 3: expected a number, found "NaN"'),
    "infinity": (GOOD + "1 2 -inf 4 5\n", 'line 3: expected a number, found "-inf"'),
    "empty": ("", "at least one line of numbers"),
    "comments alone": ("# a\n\n! b\n", "at least one line of numbers"),
    "a gap": (GOOD + "1,2,,4,5\n", "line 3: expected a number"),
}


@pytest.mark.parametrize(
    "bad, place",
    [(bad, "applied") for bad in BAD] + [("ragged", "training"), ("a word", "monitor")],
)
def test_data_that_make_no_sense(run, bad, place, tmp_path):
    text, message = BAD[bad]
    (tmp_path / "bad.txt").write_text(text)
    if place == "applied":
        words = ["mdn_apply", "--has-targets", "-o", "results.txt", WHOLE, "bad.txt"]
    else:
        data = ["bad.txt", MONITOR] if place == "training" else [TRAIN, "bad.txt"]
        words = ["mdn_train", *SMALL, "-o", "results.txt", *data]
    (tmp_path / "results.txt").write_text("the old file")
    done = run(*words, ok=False)
    assert "bad.txt: " in done.stderr and message in done.stderr
    assert done.stdout == "" and "Traceback" not in done.stderr
    assert (tmp_path / "results.txt").read_text() == "the old file"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "words, message",
    [
        (["mdn_apply", WHOLE, TEST], "test.txt: line 1: expected 4 numbers.*found 5"),
        (["mdn_apply", "--has-targets", WHOLE, OBSERVED],
         "observed.txt: line 1: expected 5 numbers.*found 4"),
        (["mdn_apply", WHOLE, "nowhere.txt"], "nowhere.txt: .*cannot be opened"),
        (["mdn_apply", "nowhere.out", TEST], "nowhere.out: .*cannot be opened"),
        (["mdn_apply", TEST, TEST], "test.txt: .*not an fmdn model"),
        (["mdn_apply", "--m-num", "0", WHOLE, OBSERVED], "m-num.*small"),
        (["mdn_apply", "--m-lo", "nan", WHOLE, OBSERVED], "m-lo.*must be a number"),
        (["mdn_train", TRAIN, OBSERVED], "observed.txt: line 1: expected 5 numbers"),
        (["mdn_train", "nowhere.txt", MONITOR], "nowhere.txt: .*cannot be opened"),
    ],
    ids=str,
)  # fmt: skip
def test_files_that_do_not_go_together(run, words, message, tmp_path):
    done = run(*words, ok=False)
    assert re.search(message, done.stderr) and "Traceback" not in done.stderr
    assert done.stdout == "" and not list(tmp_path.iterdir())


def test_one_column_is_not_enough(run, tmp_path):
    (tmp_path / "one.txt").write_text("1\n2\n")
    done = run("mdn_train", "one.txt", "one.txt", ok=False)
    assert re.search(
        "one.txt: line 1: expected at least 2 numbers.*found 1", done.stderr
    )


FORMS = {
    "tabs": lambda rows: "\n".join("\t".join(map(repr, row)) for row in rows),
    "commas": lambda rows: "\r\n".join(", ".join(map(repr, row)) for row in rows),
    "Fortran": lambda rows: "".join(
        "  " + " ".join(f"{x:.17E}".replace("E", "D") for x in row) + "  ! a row\n\n"
        for row in rows
    ),
    "wide": lambda rows: (
        "# x\n" + "\n".join((3000 * " ").join(map(repr, row)) for row in rows)
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_tables(run, form, tmp_path):
    rows = np.loadtxt(OBSERVED)
    (tmp_path / "rows.txt").write_text(FORMS[form](rows.tolist()), newline="")
    words = ["--copy-inputs", WHOLE]
    expected = run("mdn_apply", *words, OBSERVED).stdout
    assert run("mdn_apply", *words, "rows.txt").stdout == expected


# --- Python's own ---------------------------------------------------------------------


def python(*words, ok=True, **options):
    start = (
        "import sys; from fmdn.cli import main; sys.argv[0] = 'fmdn'; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", start, *map(str, words)],
        capture_output=True,
        text=True,
        **options,
    )
    assert done.returncode == (0 if ok else 2), done.stderr
    return done


def test_entry_points():
    scripts = {e.name: e for e in entry_points(group="console_scripts")}
    for name in ("fmdn", "mdn_train", "mdn_apply"):
        assert callable(scripts[name].load())


def test_arrays_of_numpy(tmp_path):
    rows = np.loadtxt(TEST)
    np.save(tmp_path / "rows.npy", rows)
    np.savez(tmp_path / "one.npz", anything=rows)
    np.savez(tmp_path / "two.npz", inputs=rows[:, :4], targets=rows[:, 4])
    words = ["apply", "--has-targets", "--copy-targets", WHOLE]
    expected = python(*words, TEST).stdout
    for name in ("rows.npy", "one.npz", "two.npz"):
        assert python(*words, tmp_path / name).stdout == expected
    without = python("apply", WHOLE, tmp_path / "two.npz").stdout
    np.testing.assert_array_equal(table(without), table(expected)[:, 1:])


def test_arrays_of_hdf5(tmp_path):
    h5py = pytest.importorskip("h5py")
    rows = np.loadtxt(TEST)
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file["inputs"], file["targets"] = rows[:, :4], rows[:, 4]
    words = ["apply", "--has-targets", WHOLE]
    assert python(*words, tmp_path / "rows.h5").stdout == python(*words, TEST).stdout
    (tmp_path / "bad.h5").write_bytes(b"no HDF5")
    done = python(*words, tmp_path / "bad.h5", ok=False)
    assert "bad.h5" in done.stderr and "Traceback" not in done.stderr


def test_arrays_that_make_no_sense(tmp_path):
    rows = np.loadtxt(TEST)
    rows[7, 2] = np.nan
    np.save(tmp_path / "nan.npy", rows)
    np.save(tmp_path / "flat.npy", rows[0])
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "two.npz", a=rows, b=rows)
    (tmp_path / "text.npy").write_text("1 2 3")
    for name, message in {
        "nan.npy": "nan.npy.*NaN at row 7, column 2",
        "flat.npy": "flat.npy.*2-D",
        "objects.npy": "objects.npy",
        "two.npz": "two.npz: expected one array.*'a', 'b'",
        "text.npy": "text.npy: not a NumPy file",
    }.items():
        done = python("apply", "--has-targets", WHOLE, tmp_path / name, ok=False)
        assert re.search(message, done.stderr) and "Traceback" not in done.stderr


def test_commands_of_fmdn(tmp_path):
    """Train and apply with the package's own defaults; info."""
    done = python("train", *SMALL, TRAIN, MONITOR, cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["committee.mdn"]
    made = fmdn.load(tmp_path / "committee.mdn")
    assert made.patience == 50 and made.n_members == 2 and done.stdout == ""
    said = python("info", tmp_path / "committee.mdn").stdout
    assert "committee of 2 members" in said and "15 iterations" in said
    assert "committee of 6 members" in python("info", WHOLE).stdout
    assert "fmdn train|apply|info" in python(ok=False).stderr
    assert "fmdn train|apply|info" in python("--help").stdout
    assert "nowhere.mdn" in python("info", "nowhere.mdn", ok=False).stderr


def test_who_reads_the_results_may_stop(tmp_path):
    rows = np.tile(np.loadtxt(OBSERVED), (500, 1))
    np.savetxt(tmp_path / "many.txt", rows)
    words = [*command("python", "mdn_apply"), WHOLE, tmp_path / "many.txt"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
