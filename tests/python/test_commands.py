"""mdn_train and mdn_apply, the native programs and those of the package alike."""

import os
import re
import stat
import subprocess

import fmdn
import numpy as np
import pytest
from commands import SMALL, command, runner, table
from legacy_files import ORIGINAL, SINGLE, WHOLE, numbers

TRAIN, MONITOR, TEST, OBSERVED = (
    ORIGINAL / f"{name}.txt" for name in ("train", "monitor", "test", "observed")
)


@pytest.fixture(params=["native", "python"])
def run(request, tmp_path):
    """Run a program of either kind in a folder of its own."""
    return runner(request.param, tmp_path)


# --- Options --------------------------------------------------------------------------

OPTIONS = {
    "mdn_train": {
        "-n, --n-ct-members": "10", "-l, --n-hid-min": "25", "-u, --n-hid-max": "50",
        "-j, --n-kern-min": "3", "-k, --n-kern-max": "8", "-t, --max-iter": "1000",
        "-o, --output-file": "mdnc.out", "--seed": "0", "--threads": "all cores",
        "--patience": "0", "--weighting-file": "monitor data", "--format": "original",
        "--legacy-weights": "", "-h, --help": "",
    },
    "mdn_apply": {
        "--has-targets": "", "-p, --output-pdf": "", "--m-lo": "-1", "--m-up": "1",
        "--m-num": "100", "-o, --output-file": "standard output", "--copy-inputs": "",
        "--copy-targets": "", "--legacy-weights": "", "--recalibrated": "",
        "--threads": "all cores", "-h, --help": "",
    },
}  # fmt: skip


@pytest.mark.parametrize("program", OPTIONS)
def test_help_lists_the_options_and_their_defaults(run, program):
    lines = run(program, "--help").stdout.splitlines()
    assert lines[0].startswith(f"Usage: {program} [options] ")
    shown = {}
    for line in lines[2:]:
        names, _, meaning = line.strip().partition("  ")
        shown[names.partition("=")[0]] = meaning
    assert shown.keys() == OPTIONS[program].keys()
    for name, default in OPTIONS[program].items():
        assert default in shown[name]


def test_both_kinds_give_the_same_help(tmp_path):
    for program in OPTIONS:
        native = runner("native", tmp_path)(program, "-h").stdout
        assert native == runner("python", tmp_path)(program, "--help").stdout != ""


@pytest.mark.parametrize("program", OPTIONS)
def test_the_manual_tells_of_each_option(program):
    manual = (ORIGINAL.parents[2] / "docs" / "man" / f"{program}.1").read_text()
    told = set(re.findall(r"--[a-z-]+", manual.replace("\\", "")))
    assert told - {"--help"} == set(
        re.findall(r"--[a-z-]+", " ".join(OPTIONS[program]))
    ) - {"--help"}


@pytest.mark.parametrize("program", OPTIONS)
@pytest.mark.parametrize("words", [[], ["one"], ["one", "two", "three"]], ids=len)
def test_a_wrong_number_of_arguments_gives_the_help(run, program, words, tmp_path):
    done = run(program, *words, ok=False)
    assert done.stderr.startswith(f"Usage: {program}") and done.stdout == ""
    assert not list(tmp_path.iterdir())


SPELLINGS = [
    ["-n", "3", "-l", "4", "-u", "4", "-j", "2", "-k", "2", "-t", "2"],
    ["-n3", "-l4", "-u4", "-j2", "-k2", "-t2"],
    ["--n-ct-members=3", "--n-hid-min=4", "--n-hid-max=4", "--n-kern-min=2",
     "--n-kern-max=2", "--max-iter=2"],
    ["--n-ct-members", "3", "--n-hid-min", "4", "--n-hid-max", "4", "--n-kern-min", "2",
     "--nkern-max", "2", "--max-iter", "2"],
    ["--n-ct", "3", "--n-hid-mi=4", "--n-hid-ma", "4", "-j2", "--nk=2", "-t", "2"],
]  # fmt: skip


def test_spellings_of_options(run, tmp_path):
    results = set()
    for words in SPELLINGS:
        run("mdn_train", *words, TRAIN, "--", MONITOR)
        results.add((tmp_path / "mdnc.out").read_bytes())
        run("mdn_train", TRAIN, *words, MONITOR, "-o", "other.out")
        results.add((tmp_path / "other.out").read_bytes())
    assert len(results) == 1
    committee = fmdn.load(tmp_path / "mdnc.out")
    sizes = fmdn._boundary.describe(committee.layout_, committee.parameters_)
    assert sizes.hidden.tolist() == [4, 4, 4] and sizes.kernels.tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    "words, message",
    [
        (["--colour"], "colour"),
        (["-x"], "-x|x not"),
        (["--n-kern", "3"], "n-kern"),
        (["-n"], "-n|n requires"),
        (["--help=1"], "help"),
        (["-n", "ten"], "n-ct-members.*whole number.*ten"),
        (["-n", "2.5"], "n-ct-members.*whole number"),
        (["-n", ""], "n-ct-members.*whole number"),
        (["-n", "0"], "n-ct-members.*small"),
        (["-n", "99999999999"], "n-ct-members"),
        (["-l", "51"], "n-hid-min 51.*n-hid-max 50"),
        (["-j", "9"], "n-kern-min 9.*n-kern-max 8"),
        (["--patience", "-1"], "patience.*small"),
        (["--format", "pickle"], "original or fmdn.*pickle"),
        (["--legacy-weights", "--weighting-file", TEST], "exclude"),
        (["--weighting-file", "nowhere.txt"], "nowhere.txt"),
        (["-o", "no/such/folder.out", *SMALL], "no/such/folder.out"),
    ],
    ids=str,
)
def test_options_that_make_no_sense(run, words, message, tmp_path):
    done = run("mdn_train", *words, TRAIN, MONITOR, ok=False)
    assert re.search(message, done.stderr) and "Traceback" not in done.stderr
    assert done.stdout == "" and not list(tmp_path.iterdir())


# --- Training -------------------------------------------------------------------------


def test_both_kinds_train_the_same_committee(tmp_path):
    words = [*SMALL, "--seed", "5", "--weighting-file", TEST, TRAIN, MONITOR]
    runner("native", tmp_path)("mdn_train", "-o", "a.out", *words)
    runner("python", tmp_path)("mdn_train", "-o", "b.out", *words)
    assert (tmp_path / "a.out").read_bytes() == (tmp_path / "b.out").read_bytes()


def test_both_kinds_where_there_are_few_targets(tmp_path):
    """No more kernels than there are values to put them on."""
    rows = np.loadtxt(MONITOR)[:100]
    rows[:, 4] = np.arange(100) % 2
    np.savetxt(tmp_path / "few.txt", rows)
    for kind in ("native", "python"):
        words = ["-n2", "-t5", "-o", f"{kind}.out", "few.txt", "few.txt"]
        assert "only 2 distinct" in runner(kind, tmp_path)("mdn_train", *words).stderr
    data = (tmp_path / "native.out").read_bytes()
    assert data == (tmp_path / "python.out").read_bytes()
    assert list(numbers(data))[1] == ("i", (2, 2))


def test_seeds_threads_patience_and_formats(run, tmp_path):
    def trained(*words):
        run("mdn_train", *SMALL, *words, TRAIN, MONITOR)
        return fmdn.load(tmp_path / "mdnc.out")

    plain = trained()
    assert b"fmdn" not in (tmp_path / "mdnc.out").read_bytes()
    for same in (["--threads", "1"], ["--threads=3"], ["--seed", "0"],
                 ["--patience", "0"], ["--legacy-weights"]):  # fmt: skip
        np.testing.assert_array_equal(trained(*same).parameters_, plain.parameters_)
    assert trained("--seed=1").layout_.tolist() != plain.layout_.tolist()
    text = trained("--format=fmdn")
    assert (tmp_path / "mdnc.out").read_bytes().startswith(b"fmdn model")
    np.testing.assert_array_equal(text.parameters_, plain.parameters_)


def test_the_best_on_the_monitor_data_is_kept(run, tmp_path):
    """So that more iterations never make a member's monitor loss worse."""
    monitor = np.loadtxt(MONITOR)
    before = None
    for iterations in (0, 5, 40):
        run("mdn_train", *SMALL[:-1], "-t", iterations, TRAIN, MONITOR)
        committee = fmdn.load(tmp_path / "mdnc.out")
        losses = member_losses(committee, monitor)
        assert before is None or (losses <= before + 1e-12).all()
        before = losses


def member_losses(committee, rows):
    """Mean of -log p of each member."""
    members = committee.posterior(rows[:, :-1]).members
    return np.array([-m.logpdf(rows[:, -1:]).mean() for m in members])


@pytest.mark.parametrize(
    "words", [[], ["--legacy-weights"], ["--weighting-file", TEST]]
)
def test_weights(run, words, tmp_path):
    """Proportional to exp(-mean loss) on the monitor data, or those that are given."""
    run("mdn_train", *SMALL, *words, TRAIN, MONITOR)
    committee = fmdn.load(tmp_path / "mdnc.out")
    losses = member_losses(committee, np.loadtxt(TEST if TEST in words else MONITOR))
    weights = np.exp(losses.min() - losses)
    np.testing.assert_allclose(committee.weights_, weights / weights.sum(), rtol=1e-9)


# --- Applying -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, results",
    [
        (["--has-targets", "--output-pdf", "--m-lo=400", "--m-up=1800", "--m-num=57",
          WHOLE, TEST], "pdf_test.txt"),
        (["--has-targets", "-p", "--m-lo", "400", "--m-up", "1.8D+3", "--m-num", "8",
          "--copy-inputs", "--copy-targets", WHOLE, TEST],
         "pdf_test_inputs_targets.txt"),
        (["--output-pdf", WHOLE, OBSERVED], "pdf_observed_defaults.txt"),
        (["-p", "--copy-inputs", "--m-lo=400", "--m-up=1800", "--m-num=29", SINGLE,
          OBSERVED], "pdf_single.txt"),
    ],
    ids=["test", "copies", "defaults", "single"],
)  # fmt: skip
def test_results_agree_with_the_original_program(run, words, results, tmp_path):
    done = run("mdn_apply", *words)
    theirs = (ORIGINAL / results).read_text()
    assert done.stderr == "" and len(done.stdout) == len(theirs)
    ours, theirs = table(done.stdout), table(theirs)
    large = np.abs(theirs) > 1e-280
    np.testing.assert_allclose(ours[large], theirs[large], rtol=1e-12)
    again = run("mdn_apply", *words, "-o", "results.txt")
    assert again.stdout == "" and (tmp_path / "results.txt").read_text() == done.stdout


def test_kernels(run):
    """The columns that the original gets wrong, from the densities it gets right."""
    lines = table(run("mdn_apply", "--copy-inputs", WHOLE, OBSERVED).stdout)
    assert lines.shape == (20, 4 + 3 * 25)
    np.testing.assert_array_equal(lines[:, :4], np.loadtxt(OBSERVED))
    weights, means, sd = lines[:, 4::3], lines[:, 5::3], lines[:, 6::3]
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-14)
    grid = np.linspace(-1, 1, 100)[:, None, None]
    terms = (
        weights / (np.sqrt(2 * np.pi) * sd) * np.exp(-(((grid - means) / sd) ** 2) / 2)
    )
    theirs = np.loadtxt(ORIGINAL / "pdf_observed_defaults.txt")
    np.testing.assert_allclose(terms.sum(axis=2).T, theirs, rtol=1e-11)


def test_weights_as_the_original_prints_them(run):
    """For scripts that multiply them by the target's standard deviation."""
    right = table(run("mdn_apply", SINGLE, OBSERVED).stdout)
    once = table(run("mdn_apply", "--legacy-weights", SINGLE, OBSERVED).stdout)
    sd = list(numbers(SINGLE.read_bytes()))[-1][1][-1]
    np.testing.assert_allclose(once[:, 0] * sd, right[:, 0], rtol=1e-14)
    np.testing.assert_array_equal(once[:, 1:], right[:, 1:])


def test_copied_targets(run):
    lines = table(
        run("mdn_apply", "--has-targets", "--copy-targets", SINGLE, TEST).stdout
    )
    assert lines.shape == (200, 1 + 3)
    np.testing.assert_array_equal(lines[:, 0], np.loadtxt(TEST)[:, 4])
    done = run("mdn_apply", "--copy-targets", SINGLE, OBSERVED)
    assert "no target to copy" in done.stderr
    assert table(done.stdout).shape == (20, 3)


def test_grids_of_one_point_and_downwards(run):
    one = table(
        run("mdn_apply", "-p", "--m-lo=900", "--m-num=1", WHOLE, OBSERVED).stdout
    )
    assert one.shape == (20, 1) and (one > 0).all()
    words = ["-p", "--m-lo", "900", "--m-up", "-1e2", "--m-num", "3", WHOLE, OBSERVED]
    three = table(run("mdn_apply", *words).stdout)
    np.testing.assert_allclose(three[:, :1], one, rtol=1e-14)


def test_more_rows_than_are_taken_at_once(run, tmp_path):
    rows = np.tile(np.loadtxt(OBSERVED), (120, 1))
    np.savetxt(tmp_path / "many.txt", rows)
    many = run("mdn_apply", "--threads", "2", WHOLE, "many.txt").stdout
    few = run("mdn_apply", "--threads", "1", WHOLE, OBSERVED).stdout
    np.testing.assert_array_equal(table(many), np.tile(table(few), (120, 1)))


def test_a_committee_of_another_kind(run, committee, tmp_path):
    committee.save(tmp_path / "two.mdn")
    done = run("mdn_apply", "two.mdn", OBSERVED, ok=False)
    assert "two.mdn" in done.stderr and "one target" in done.stderr


def test_a_device_stays_a_device(run):
    run("mdn_apply", "-o", os.devnull, WHOLE, OBSERVED)
    assert not stat.S_ISREG(os.stat(os.devnull).st_mode)


@pytest.mark.parametrize("kind", ["native", "python"])
@pytest.mark.parametrize("words", [[], ["-o", "/dev/stdout"]], ids=len)
def test_results_are_appended_where_the_shell_says_so(kind, words, tmp_path):
    for _ in range(2):
        with open(tmp_path / "all.txt", "a") as file:
            full = [*command(kind, "mdn_apply"), *words, SINGLE, OBSERVED]
            subprocess.run(full, stdout=file, check=True)
    assert len((tmp_path / "all.txt").read_text().splitlines()) == 40
