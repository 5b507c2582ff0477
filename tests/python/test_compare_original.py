"""The comparison with the original runs, with its programs and without."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "compare_original.py"


@pytest.mark.parametrize("with_programs", [False, True])
def test_comparison(with_programs, tmp_path):
    words = ["--quick"]
    if with_programs:  # our own in their place: the same numbers
        for name in ("mdn_train", "mdn_apply"):
            (tmp_path / name).write_text(
                f"#!{sys.executable}\nfrom fmdn.cli import {name}\nexit({name}())\n"
            )
            (tmp_path / name).chmod(0o755)
        words += ["--original", tmp_path]
    done = subprocess.run(
        [sys.executable, SCRIPT, *map(str, words)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = re.search(r"(\d+) densities of .* at most\n(\S+) of", done.stdout)
    assert int(found[1]) == 11400 and float(found[2]) < 1e-12
    losses = re.findall(
        r"^\| (?:ours|the original).*\| (\d\.\d+) \|$", done.stdout, re.M
    )
    assert len(losses) == 3 and all(4.7 < float(loss) < 7 for loss in losses)
    assert ("After the same time" in done.stdout) == with_programs
    if with_programs:
        assert losses[0] == losses[1]
    else:
        assert losses[1] == "4.758"


def test_a_folder_without_programs(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, "--original", tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 2 and "mdn_train" in done.stderr
