"""The README is true: its Python runs, and its Fortran reads what the Python wrote."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LIBRARY = ROOT / "build" / "debug" / "libfmdn.a"


def block(language):
    return re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)[1]


def run(*command, folder):
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    return folder, run(sys.executable, "-c", block("python"), folder=folder)


def test_python(written):
    folder, out = written
    low, high, gain = (float(n) for n in re.findall(r"-?\d+\.\d+", out)[-3:])
    assert 1 < low < 12 < high < 20
    assert 0 < gain < 3
    assert (folder / "depth.mdn").exists()


@pytest.mark.skipif(not LIBRARY.exists(), reason="make test builds the library")
def test_fortran_reads_what_python_wrote(written):
    folder, _ = written
    compiler = shutil.which("gfortran")
    assert compiler, "a library is there, but no gfortran"
    (folder / "read_depth.f90").write_text(block("fortran"))
    run(
        *(compiler, "-std=f2018", "-fopenmp", "read_depth.f90"),
        *("-I", f"{LIBRARY}.p", str(LIBRARY), "-o", "read_depth"),
        folder=folder,
    )
    printed = [float(n) for n in run(str(folder / "read_depth"), folder=folder).split()]

    import fmdn

    posterior = fmdn.load(folder / "depth.mdn").posterior([2.76, 2.52, 2.00, 1.24])
    assert printed == pytest.approx(posterior.quantile([0.05, 0.5, 0.95]), abs=1e-4)


def test_links():
    """Every file that the README points to is there."""
    for link in re.findall(r"\]\(([^)]+)\)", README):
        if "://" not in link:
            assert (ROOT / link).exists(), link
