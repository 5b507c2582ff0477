"""Programs as forward models: a small one in Fortran, driven like a large one."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from fmdn import Columns, Prior, Program, Uniform, simulate

PRIOR = Prior(depth=Uniform(1, 9), moment=Uniform(1, 2))

# Vertical displacement above a buried centre of pressure (Mogi 1958), up to a factor.
SOURCE = """
program mogi
   implicit none (type, external)
   real(kind(1d0)) :: depth, moment, r
   integer :: n, i, unit
   namelist /source/ depth, moment
   open (newunit=unit, file='source.nml', status='old', action='read')
   read (unit, nml=source)
   close (unit)
   open (newunit=unit, file='stations.txt', status='old', action='read')
   read (unit, *) n
   print '(a)', 'mogi is at work'
   if (depth < 2) error stop 'too shallow'
   if (depth > 8) then
      do
         call execute_command_line('sleep 0.01')
      end do
   end if
   open (newunit=i, file='uplift.txt', action='write')
   write (i, '(a)') '# r   uplift'
   do n = 1, n
      read (unit, *) r
      write (i, '(f8.3, es25.16)') r, moment*depth/(depth**2 + r**2)**1.5d0
   end do
end program mogi
"""
STATIONS = np.array([0.0, 1.5, 4.0, 10.0])
TEMPLATE = "&source depth = {depth:.6f}, moment = {moment!r} /\n"


def uplift(models):
    depth, moment = np.round(models[:, :1], 6), models[:, 1:]
    return moment * depth / (depth**2 + STATIONS**2) ** 1.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with the compiled program and its station file."""
    compiler = shutil.which("gfortran")
    if compiler is None:
        pytest.skip("no gfortran")
    folder = tmp_path_factory.mktemp("mogi")
    (folder / "mogi.f90").write_text(SOURCE)
    subprocess.run([compiler, "mogi.f90", "-o", "mogi"], cwd=folder, check=True)
    table = "\n".join(map(str, [len(STATIONS), *STATIONS]))
    (folder / "stations.txt").write_text(table + "\n")
    return folder


def driver(folder, **more):
    given = dict(
        command=[str(folder / "mogi")],
        inputs={"source.nml": TEMPLATE},
        output=Columns("uplift.txt", columns=1, skip=1),
        files=[folder / "stations.txt"],
        timeout=1,
    )
    return Program(**given | more)


def test_a_program_is_a_forward_model(folder, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setenv("TMPDIR", str(scratch))
    logs = tmp_path / "logs"
    models = PRIOR.sample(30, seed=4)
    good = (models[:, 0] > 2) & (models[:, 0] < 8)
    assert 0 < (models[:, 0] < 2).sum() and 0 < (models[:, 0] > 8).sum() < 8
    with pytest.warns(UserWarning, match="of 30 models failed"):
        samples = simulate(PRIOR, driver(folder, logs=logs), 30, seed=4)
    np.testing.assert_array_equal(samples.models, models[good])
    np.testing.assert_allclose(samples.data, uplift(models[good]), rtol=1e-14)
    for failure in samples.failed:
        if failure.model[0] < 2:
            assert failure.reason.startswith("ProgramError: it ended with status")
            assert "too shallow" in failure.traceback
        else:
            assert failure.reason == "ProgramError: it had not ended after 1 s"
        assert "mogi is at work" in failure.traceback
        kept = Path(failure.traceback.rpartition("files: ")[2].strip())
        assert kept.parent == logs
        assert f"{failure.model[0]:.6f}" in (kept / "source.nml").read_text()
        assert "mogi is at work" in (kept / "stdout").read_text()
    assert len(os.listdir(logs)) == len(samples.failed) == 30 - good.sum()
    assert os.listdir(scratch) == []


def test_in_a_store_and_on_all_cores(folder, tmp_path):
    pytest.importorskip("zarr")
    prior = Prior(depth=Uniform(3, 7), moment=Uniform(1, 2))
    store = tmp_path / "run.zarr"
    samples = simulate(prior, driver(folder), 20, store=store, timeout=60)
    np.testing.assert_allclose(
        np.asarray(samples.data), uplift(samples.models), rtol=1e-14
    )
    with pytest.raises(ValueError, match="forward 'mogi' there, 'mogi -v' here"):
        command = [folder / "mogi", "-v"]
        simulate(prior, driver(folder, command=command), 20, store=store)


def test_the_time_limit_of_simulate_stops_the_program_too(folder):
    """And what it has started."""
    deep = Prior(depth=Uniform(8.5, 9), moment=Uniform(1, 2))
    unlimited = driver(folder, timeout=None)
    with pytest.raises(RuntimeError, match="TimeoutError: no data after 0.5 s"):
        simulate(deep, unlimited, 2, timeout=0.5)
    time.sleep(0.1)
    command = str(folder / "mogi").encode()
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert command not in process.read_bytes()
        except OSError:
            continue


def test_standard_input_and_output():
    program = Program(
        "awk '{ print $1 + $2, $1 }'",
        {"stdin": "{a:.2f} {b:.2f}", "deep/er": "{{braces}}"},
        names=("a", "b"),
    )
    np.testing.assert_array_equal(program([1.5, 2.0]), [3.5, 1.5])
    seen = []

    def output(folder):
        seen.append((folder / "deep" / "er").read_text())
        return np.loadtxt(folder / "stdout")[:1]

    samples = simulate(
        Prior(a=Uniform(0, 1), b=Uniform(0, 1)),
        Program(program.command, program.inputs, output),
        3,
    )
    np.testing.assert_allclose(
        samples.data[:, 0], np.round(samples.models, 2).sum(axis=1), atol=1e-9
    )
    assert seen == ["{braces}"] * 3


def test_columns(tmp_path):
    (tmp_path / "out").write_text("t,a,b\n0,1,4\n1,2,5\n2,3,6\n")
    read = Columns("out", columns=(1, 2), skip=1, delimiter=",")
    np.testing.assert_array_equal(read(tmp_path), [1, 2, 3, 4, 5, 6])


def test_templates_from_files_are_read_when_it_is_made(tmp_path):
    (tmp_path / "template").write_text("{b}")
    program = Program("cat", {"stdin": tmp_path / "template"}, names=("b",))
    (tmp_path / "template").unlink()
    np.testing.assert_array_equal(program([0.1]), [0.1])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (dict(command="no-such-program"), FileNotFoundError, "no program 'no-such"),
        (dict(command=[]), FileNotFoundError, "no program"),
        (dict(inputs={"in": "{c}"}), ValueError, "'in' asks for 'c'.* are a, b"),
        (dict(inputs={"in": "{"}), ValueError, "template of 'in' is not one"),
        (dict(inputs={"in": "{a:q}"}), ValueError, "template of 'in' is not one"),
        (dict(files=["no-such-file"]), FileNotFoundError, "no-such-file"),
        (dict(names=("b", "a")), ValueError, "made for b, a, but the prior has a, b"),
        (dict(output=Columns("gone")), RuntimeError, "cannot be read: FileNotFound"),
        (dict(command="sh -c 'kill -SEGV $$'"), RuntimeError, "signal SIGSEGV"),
    ],
)
def test_what_is_wrong_is_said(arguments, error, message):
    given = dict(command="cat", inputs={"in": "{a} {b}"}) | arguments
    with pytest.raises(error, match=message):
        simulate(Prior(a=Uniform(0, 1), b=Uniform(0, 1)), Program(**given), 2)


def test_without_names():
    with pytest.raises(ValueError, match="names= says"):
        Program("cat", {"stdin": "{a}"})([1.0])
