"""The original package's committee files: read, written, and refused when damaged."""

import re
import sys

import fmdn
import numpy as np
import pytest
from fmdn import _boundary as boundary
from fmdn import _boundary_file as boundary_file
from legacy_files import ORIGINAL, SINGLE, WHOLE, joined, numbers

TEST = np.loadtxt(ORIGINAL / "test.txt")
OBSERVED = np.loadtxt(ORIGINAL / "observed.txt")
FORMS = [(marker, order) for marker in "iq" for order in "<>"]


# --- Read -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "committee, inputs, grid, results",
    [
        (WHOLE, TEST[:, :4], (400, 1800, 57), "pdf_test.txt"),
        (WHOLE, OBSERVED, (-1, 1, 100), "pdf_observed_defaults.txt"),
        (SINGLE, OBSERVED, (400, 1800, 29), "pdf_single.txt"),
    ],
    ids=["test", "observed", "single"],
)
def test_densities_agree_with_the_original_program(committee, inputs, grid, results):
    theirs = np.loadtxt(ORIGINAL / results)[:, -grid[-1] :]
    ours = fmdn.load(committee).posterior(inputs).pdf(np.linspace(*grid))
    assert ours.shape == theirs.shape and (theirs > 1e-280).any()
    large = theirs > 1e-280
    np.testing.assert_allclose(ours[large], theirs[large], rtol=1e-12)
    assert (ours[~large] < 1e-279).all()


@pytest.mark.parametrize("path", [WHOLE, SINGLE], ids=["whole", "single"])
@pytest.mark.parametrize("marker, order", FORMS)
def test_record_markers_and_orders_of_bytes(path, marker, order, tmp_path):
    as_it_is = fmdn.load(path)
    (tmp_path / "other.out").write_bytes(
        joined(numbers(path.read_bytes()), marker, order)
    )
    other = fmdn.load(tmp_path / "other.out")
    np.testing.assert_array_equal(other.layout_, as_it_is.layout_)
    np.testing.assert_array_equal(other.parameters_, as_it_is.parameters_)


def test_what_a_file_says():
    committee = fmdn.load(WHOLE)
    parts = dict(enumerate(numbers(WHOLE.read_bytes())))
    assert committee.n_features_in_ == 4 and committee.n_targets_ == 1
    np.testing.assert_array_equal(committee.weights_, parts[26][1])
    assert committee.posterior(OBSERVED[0]).weights.size == sum(parts[1][1])
    assert committee.predict(TEST[:, :4]).shape == (200,)
    # A published number: what the original's own evaluation gives on these rows.
    assert -committee.score(TEST[:, :4], TEST[:, 4]) == pytest.approx(4.794, abs=5e-4)


# --- Written --------------------------------------------------------------------------


@pytest.mark.skipif(sys.byteorder != "little", reason="these files are little-endian")
@pytest.mark.parametrize("path", [WHOLE, SINGLE], ids=["whole", "single"])
def test_written_as_it_was_read(path, tmp_path):
    fmdn.load(path).save(tmp_path / "again.out", format="original")
    assert (tmp_path / "again.out").read_bytes() == path.read_bytes()


def test_through_the_model_file_and_back(tmp_path):
    fmdn.load(WHOLE).save(tmp_path / "model.mdn")
    fmdn.load(tmp_path / "model.mdn").save(tmp_path / "b.out", format="original")
    back = fmdn.load(tmp_path / "b.out")
    np.testing.assert_array_equal(back.parameters_, fmdn.load(WHOLE).parameters_)


@pytest.mark.parametrize("covariance", ["full", "isotropic"])
@pytest.mark.parametrize("hidden", [4, [4, 3]], ids=["one layer", "two layers"])
def test_committees_of_ours(hidden, covariance, rows, quick, tmp_path):
    settings = quick | {"hidden": hidden, "covariance": covariance}
    made = fmdn.Committee(**settings).fit(rows[0], rows[1][:, 0])
    made.save(tmp_path / "ours.out", format="original")
    again = fmdn.load(tmp_path / "ours.out")
    x = np.linspace(-2, 2, 9)
    np.testing.assert_array_equal(
        again.posterior(rows[0]).pdf(x), made.posterior(rows[0]).pdf(x)
    )
    kinds = [kind for kind, _ in numbers((tmp_path / "ours.out").read_bytes())]
    assert "".join(kinds) == "ii" + 3 * "iiid" + "ddd"


@pytest.mark.parametrize(
    "settings, n_targets, message",
    [({}, 2, "2 targets"), ({"linear_path": True}, 1, "linear path")],
)
def test_what_the_format_cannot_hold(
    settings, n_targets, message, rows, quick, tmp_path
):
    path = tmp_path / "ours.out"
    path.write_bytes(b"the old file")
    made = fmdn.Committee(**quick | settings | {"max_iter": 1})
    made.fit(rows[0], rows[1][:, :n_targets])
    with pytest.raises(boundary.ModelFileError, match=f"(?s)cannot hold.*{message}"):
        made.save(path, format="original")
    made.parameters_[-1] = np.nan
    with pytest.raises(boundary.ModelFileError):
        made.save(path, format="original")
    assert path.read_bytes() == b"the old file"
    assert len(list(tmp_path.iterdir())) == 1


class First:
    """An encoder of data: their first numbers."""

    def transform(self, data):
        return data[:, :2]


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"missing": [[0], [1, 2]]}, 'block "input mask"'),
        ({"components": 2}, 'block "projection"'),
        ({"encoder": First()}, "encoder"),
    ],
)
def test_inputs_that_the_format_cannot_hold(inputs, message, rows, quick, tmp_path):
    made = fmdn.Committee(**quick | {"max_iter": 1})
    made.fit(rows[0], rows[1][:, 0], **inputs)
    with pytest.raises(ValueError, match=f"(?s)cannot hold.*{message}"):
        made.save(tmp_path / "ours.out", format="original")
    assert not list(tmp_path.iterdir())


def test_misuse(committee, tmp_path):
    with pytest.raises(ValueError, match="format must be 'fmdn' or 'original'"):
        committee.save(tmp_path / "a.out", format="pickle")
    with pytest.raises(OSError, match="nowhere"):
        fmdn.load(WHOLE).save(tmp_path / "nowhere" / "a.out", format="original")
    with pytest.raises(Exception, match="not fitted|not been fitted|fit"):
        fmdn.Committee().save(tmp_path / "a.out", format="original")
    assert not list(tmp_path.iterdir())


# --- Damage ---------------------------------------------------------------------------


def refused(path, data, message):
    path.write_bytes(data)
    pattern = f"(?s){re.escape(str(path))}.*{message}"
    with pytest.raises(boundary.ModelFileError, match=pattern):
        fmdn.load(path)


def test_truncated_anywhere(tmp_path):
    whole = SINGLE.read_bytes()
    for n in range(4, len(whole)):
        refused(tmp_path / "cut.out", whole[:n], "ends")
    for n in range(4):
        refused(tmp_path / "cut.out", whole[:n], "empty|not an fmdn model")
    refused(tmp_path / "more.out", whole + b"\0", "expected the end of the file")


EDITS = [
    ((0, 0), 0, "numbers of members and inputs"),
    ((0, 0), -1, "numbers of members and inputs.*expected 1 to 1000000, found -1"),
    ((0, 0), 2**31 - 1, "expected 1 to 1000000"),
    ((0, 0), 10**6, "1000000 members; there are at most 10000"),
    ((0, 0), 2, "kernels of each member"),
    ((0, 1), 5, "expected 5 inputs and 3 outputs, found 4 and 3"),
    ((1, 0), 0, "kernels of each member.*expected 1 to 1000, found 0"),
    ((1, 0), 2, "expected 4 inputs and 6 outputs"),
    ((2, 0), -5, "number of layers of member 1.*expected 2"),
    ((2, 0), 3, r"kinds of the layers of member 1\), found one of 8"),
    ((3, 0), 1, r"expected tanh \(2\), and linear"),
    ((3, 1), 2, r"expected tanh \(2\), and linear"),
    ((4, 1), 10**6, "expected a record of 64000024 bytes.*parameters of member 1"),
    ((4, 1), 0, "widths of the layers"),
    ((5, 7), np.nan, "parameters of member 1.*NaN or infinite"),
    ((5, 42), -np.inf, "parameters of member 1.*NaN or infinite"),
    ((6, 0), 0.5, "weights of the members: expected positive ones of sum 1"),
    ((6, 0), -1.0, "weights of the members"),
    ((7, 4), np.inf, "means.*NaN or infinite"),
    ((8, 0), 0.0, "standard deviations: expected positive"),
    ((8, 4), -1.0, "standard deviations: expected positive"),
]


@pytest.mark.parametrize("at, value, message", EDITS, ids=str)
@pytest.mark.parametrize("marker, order", FORMS)
def test_edited(at, value, message, marker, order, tmp_path):
    parts = [(kind, list(values)) for kind, values in numbers(SINGLE.read_bytes())]
    parts[at[0]][1][at[1]] = value
    refused(tmp_path / "edited.out", joined(parts, marker, order), message)


FUZZ = """
import os, resource, struct, sys
import numpy as np
import fmdn
from fmdn import _boundary as boundary, _boundary_file as boundary_file
sys.path.insert(0, sys.argv[1])
from legacy_files import SINGLE, WHOLE, joined, numbers

path, n, seed = sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
bases = [
    joined(numbers(file.read_bytes()), marker, order)
    for file in (SINGLE, SINGLE, SINGLE, WHOLE) for marker in "iq" for order in "<>"
]
integers = [0, 1, 2, 8, 255, 2**16, 10**6, 2**31 - 1, -1, -8, -2**31, 2**30]
rng = np.random.default_rng(seed)


def hostile():
    data = bytearray(bases[rng.integers(len(bases))])
    kind = rng.integers(6)
    if kind == 0:
        return data[: rng.integers(len(data))]
    if kind == 1:
        return data[: rng.integers(5)] + rng.bytes(rng.integers(600))
    if kind == 2:  # a piece is lost or doubled
        a, b = sorted(rng.integers(len(data), size=2))
        return data[:a] + data[b:] if rng.integers(2) else data[:b] + data[a:]
    for _ in range(1 + rng.integers(3)):
        at = 4 * rng.integers(min(len(data) // 4, 40))
        if kind == 3:
            data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        elif kind == 4:
            order = "<>"[rng.integers(2)]
            struct.pack_into(order + "i", data, at, integers[rng.integers(12)])
        else:
            data[at : at + 4] = rng.bytes(4)
    return data


with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
room = 2**24
resource.setrlimit(resource.RLIMIT_AS, (used + room, used + room))
refused = accepted = 0
for _ in range(n):
    data = bytes(hostile())
    with open(path, "wb") as file:
        file.write(data)
    try:
        _, layout, parameters, _ = boundary_file.read_file(path)[0]
    except boundary.ModelFileError as error:
        assert path in str(error) and len(str(error)) > len(path) + 20, error
        refused += 1
    else:  # what was changed is a number like any other
        sizes = boundary.describe(layout, parameters)
        assert parameters.nbytes <= len(data) and np.isfinite(parameters).all()
        accepted += 1
print(refused, accepted)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS acts on Linux alone")
def test_hostile_files(tmp_path, times, seed, run_python):
    """Whatever the file says, no memory is asked for that it does not fill itself."""
    n = times(20_000)
    tests = ORIGINAL.parents[1]
    said = run_python(FUZZ, tests, tmp_path / "hostile.out", n, seed)
    refused, accepted = map(int, said.split())
    assert refused + accepted == n
    assert refused > 0.7 * n  # a bit of a weight, mean or parameter may be any


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS acts on Linux alone")
def test_huge_counts_in_a_huge_file_take_no_memory(tmp_path, run_python):
    """A file with holes: 4 GB that no disk holds, behind a start that makes sense."""
    path = tmp_path / "huge.out"
    with open(path, "wb") as file:
        file.write(joined([("i", [10_000, 10**6])]) + joined([("i", [1] * 10_000)]))
        file.truncate(2**32)
    program = """
import resource, sys
from fmdn import _boundary as boundary, _boundary_file as boundary_file
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**24, used + 2**24))
try:
    boundary_file.read_file(sys.argv[1])
except boundary.ModelFileError as error:
    print(error)
"""
    assert "number of layers of member 1" in run_python(program, path)


def test_an_inversion_is_not_of_the_original_format(committee):
    entry = ("", committee.layout_, committee.parameters_, "")
    with pytest.raises(boundary.ModelFileError, match="2 targets"):
        boundary_file.write_file("never.out", [entry], "original")
