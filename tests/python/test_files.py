"""Model files: exact, whole or not at all, and refused with a reason when damaged."""

import copy
import json
import os
import pickle
import re

import fmdn
import numpy as np
import pytest
from fmdn import Committee, Inversion, Mixture, Prior, Samples, Uniform
from fmdn import _boundary as boundary
from fmdn import _boundary_file as boundary_file


@pytest.fixture(scope="module")
def file(committee, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "model.mdn"
    committee.save(path)
    return path


def checksum(data):
    """FNV-1a, 64 bits."""
    digest = 0xCBF29CE484222325
    for byte in data:
        digest = (digest ^ byte) * 0x100000001B3 % 2**64
    return f"{digest:016X}"


def signed(data):
    """The file with the checksum that its lines ask for."""
    body = data[: data.rindex(b"checksum ")]
    return body + f"checksum {checksum(body)}\n".encode()


def same(one, other):
    """Say that both give the same bits for everything that a committee is."""
    inputs = np.random.default_rng(0).normal(size=(5, one.n_features_in_))
    np.testing.assert_array_equal(one.layout_, other.layout_)
    np.testing.assert_array_equal(one.parameters_, other.parameters_)
    same_mixture(one.posterior(inputs), other.posterior(inputs))
    assert one.get_params() == other.get_params()
    for name in ("input_names_", "target_names_", "n_features_in_", "n_targets_"):
        assert getattr(one, name) == getattr(other, name)
    np.testing.assert_array_equal(one.weights_, other.weights_)
    np.testing.assert_array_equal(one.weighting_losses_, other.weighting_losses_)
    return True


def same_mixture(one, other):
    assert repr(one) == repr(other)
    for what in ("weights", "means", "covariances"):
        np.testing.assert_array_equal(getattr(one, what), getattr(other, what))
    assert len(one.members) == len(other.members)
    np.testing.assert_array_equal(one.mean(), other.mean())


# --- Identity -------------------------------------------------------------------------


@pytest.mark.parametrize("covariance", ["full", "diagonal", "isotropic"])
@pytest.mark.parametrize("n_targets", [0, 1, 2])
def test_saving_and_loading_changes_nothing(
    covariance, n_targets, rows, quick, tmp_path
):
    inputs, targets = rows
    targets = targets[:, 0] if n_targets == 0 else targets[:, :n_targets]
    made = Committee(**quick, covariance=covariance, linear_path=n_targets == 1)
    made.fit(inputs * [1e-200, 1, 1e200], targets)
    made.save(tmp_path / "one.mdn")
    again = fmdn.load(tmp_path / "one.mdn")
    assert same(made, again)
    for one, other in zip(made.history_, again.history_, strict=True):
        assert other.items() <= one.items() and "stopped" in other
    again.save(tmp_path / "two.mdn")
    assert (tmp_path / "two.mdn").read_bytes() == (tmp_path / "one.mdn").read_bytes()


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden": [3, 2], "kernels": 2, "patience": None, "seed": 2**63 - 1},
        {"hidden": np.int64(3), "kernels": (np.int32(1), 2), "seed": np.uint8(7)},
        {"hidden": (np.int64(2), 3), "linear_path": np.True_, "n_members": np.int16(2)},
    ],
    ids=str,
)
def test_settings_come_back_as_they_were(settings, rows, quick, tmp_path):
    made = Committee(**quick | settings | {"max_iter": 1}).fit(*rows)
    made.save(tmp_path / "model.mdn")
    again = fmdn.load(tmp_path / "model.mdn")
    assert again.get_params() == made.get_params()
    assert type(again.hidden) is type(made.hidden) or np.isscalar(again.hidden)
    np.testing.assert_array_equal(again.fit(*rows).parameters_, made.parameters_)


def test_names_in_any_script(rows, quick, tmp_path):
    names = ["Tiefe [km]", '震度 "強"\n', "\udcff \\ \x00 committee 3\nchecksum 0"]
    settings = quick | {"max_iter": 0}
    made = Committee(**settings).fit(*rows, input_names=names, target_names=names[:2])
    folder = tmp_path / "Übung 地震"
    folder.mkdir()
    for path in (
        folder / "modèle 'α'.mdn",
        os.fsencode(tmp_path) + b"/not \xff UTF-8.mdn",
        str(tmp_path / (100 * "ä" + ".mdn")),
    ):
        made.save(path)
        again = fmdn.load(path)
        assert again.input_names_ == names and again.target_names_ == names[:2]
        assert same(made, again)
    assert len(list(folder.iterdir())) == 1


def test_inversions_with_names_in_any_script(tmp_path):
    prior = Prior(**{"Länge": Uniform(0, 1), "震度": Uniform(0, 1)})
    models = prior.sample(50, seed=1)
    samples = Samples(models, models @ np.ones((2, 3)), names=prior.names)
    keys = ["震度", ("Länge", "震度")]
    made = Inversion(samples, 0, keys, n_members=2, kernels=1, max_iter=1).fit()
    made.save(tmp_path / "event.mdn")
    again = fmdn.load(tmp_path / "event.mdn")
    for key in keys:
        assert same(made[key], again[key])


def test_relative_paths_and_paths_that_end_in_blanks(committee, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("here.mdn", "./there", "..name..", " blank", "-o"):
        committee.save(name)
        assert same(fmdn.load(tmp_path / name), committee)
    assert len(list(tmp_path.iterdir())) == 5
    for name in ("", "  ", "a\0b"):
        with pytest.raises(ValueError, match="cannot be the name of a file"):
            committee.save(name)
        with pytest.raises(ValueError, match="cannot be the name of a file"):
            fmdn.load(name)
    assert len(list(tmp_path.iterdir())) == 5


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))


@pytest.mark.parametrize(
    "way", [copy.deepcopy, copy.copy, pickled], ids=["deep", "shallow", "pickled"]
)
def test_pickles_and_copies(way, committee, rows):
    assert same(way(committee), committee)
    assert way(committee).history_[0].keys() == committee.history_[0].keys()
    unfitted = way(Committee(3, hidden=[4]))
    assert repr(unfitted) == "Committee(n_members=3, hidden=[4])"
    for post in (committee.posterior(rows[0]), committee.posterior(rows[0][0])):
        copied = way(post)
        assert isinstance(copied, Mixture)
        same_mixture(copied, post)
        same_mixture(copied.marginal("depth"), post.marginal("depth"))


def test_a_deep_copy_is_on_its_own(committee):
    before = committee.parameters_.copy()
    copied = copy.deepcopy(committee)
    copied.parameters_[:] = 0
    np.testing.assert_array_equal(committee.parameters_, before)


# --- Damage ---------------------------------------------------------------------------


def refused(path, data, message):
    path.write_bytes(data)
    pattern = f"(?s){re.escape(str(path))}.*{message}"
    with pytest.raises(fmdn._boundary.ModelFileError, match=pattern):
        fmdn.load(path)


def test_truncated_files(file, tmp_path, times, seed):
    whole = file.read_bytes()
    rng = np.random.default_rng(seed)
    lines = [at.end() for at in re.finditer(b"\n", whole)][:-1]
    anywhere = rng.integers(0, len(whole), times(500))
    some = rng.choice(lines, times(200))
    for n in {0, 1, len(whole) - 1, *anywhere.tolist(), *some.tolist()}:
        refused(tmp_path / "cut.mdn", whole[:n], "the file|not an fmdn model")


def test_changed_bytes(file, tmp_path, times, seed, committee):
    whole = file.read_bytes()
    rng = np.random.default_rng(seed)
    path = tmp_path / "changed.mdn"
    last = whole.rindex(b"checksum ") + 9
    for _ in range(times(1000)):
        data = bytearray(whole)
        at = rng.integers(0, len(whole))
        data[at] ^= rng.integers(1, 256)
        if at >= last and data.lower() == whole.lower():
            path.write_bytes(data)  # a digit of the checksum in the other case
            assert same(fmdn.load(path), committee)
        else:
            refused(path, bytes(data), "the file|not an fmdn model")
    for data in (whole + b"\n", whole + whole, whole.replace(b"\n", b"\r\n")):
        refused(path, data, "the file")


def test_files_of_another_kind(tmp_path):
    path = tmp_path / "other.mdn"
    for data in (b"\n", b"PK\3\4" + bytes(100), b"\x89HDF\r\n", b"fmdn model x\n"):
        refused(path, data, "not an fmdn model")
    refused(path, b"fmdn model 1\n" + bytes(300), "the file")


def test_files_of_a_newer_version(file, tmp_path):
    newer = signed(file.read_bytes().replace(b"fmdn model 1\n", b"fmdn model 2\n"))
    refused(tmp_path / "newer.mdn", newer, "newer version.*version 2.*reads version 1")


EDITS = [
    (rb'block "network"', b'block "retwork"', 'block "retwork".*does not know'),
    (
        rb'block "input scale" version 1',
        b'block "input scale" version 2',
        "input scale",
    ),
    (rb"(members) \d+", rb"\1 7", "the file|layout"),
    (rb"(members) \d+", rb"\1 2000000000", "the file|layout"),
    (rb"(inputs) \d+", rb"\1 2000000000", "the file|layout"),
    (rb"(blocks) \d+", rb"\1 1000000000000", "the file is damaged.*line"),
    (rb"(reals) \d+", rb"\1 1000000000000", "the file is damaged.*line"),
    (rb"(integers) \d+", rb"\1 99999999999999999999", "the file is damaged.*line"),
    (rb"(text) \d+", rb"\1 -1", "the file is damaged.*line"),
    (rb"committees 1", b"committees 0", "the file is damaged.*line 2"),
    (rb"E\+00", b"E+999", "the file is damaged.*finite real number"),
    (
        rb"(reals \d+\n *)[-+0-9.E]+",
        rb"\1NaN",
        "the file is damaged.*finite real number",
    ),
]


@pytest.mark.parametrize("old, new, message", EDITS, ids=[str(e[1]) for e in EDITS])
def test_edited_files_with_a_good_checksum(old, new, message, file, tmp_path):
    edited, n = re.subn(old, new, file.read_bytes(), count=1)
    assert n == 1
    refused(tmp_path / "edited.mdn", signed(edited), message)


@pytest.mark.parametrize(
    "text",
    ["no JSON", "[1, 2]", "3", '{"settings": [1]}', '{"settings": {"hidden": {}}}',
     '{"target_names": ["one"]}', '{"input_names": 3}', '{"weighting_losses": "many"}',
     '{"fingerprint": "of a checkpoint"}',
     b'{"input_names": "\xff"}'],
    ids=str,
)  # fmt: skip
def test_texts_that_make_no_sense(text, committee, file, tmp_path):
    """The core copies the text as it is; other programs may write others."""
    old = re.search(rb"(?s)\ntext (\d+)\n", file.read_bytes())
    text = text if isinstance(text, bytes) else text.encode()
    whole = file.read_bytes()
    end = old.end() + int(old[1])
    edited = whole[: old.start()] + b"\ntext %d\n" % len(text) + text + whole[end:]
    refused(tmp_path / "text.mdn", signed(edited), "text")


def test_a_committee_without_a_text_has_numbered_names(committee, tmp_path, rows):
    entry = ("", committee.layout_, committee.parameters_, "")
    boundary_file.write_file(tmp_path / "bare.mdn", [entry])
    bare = fmdn.load(tmp_path / "bare.mdn")
    assert bare.target_names_ == ["target_0", "target_1"] and bare.history_ == []
    np.testing.assert_array_equal(bare.predict(rows[0]), committee.predict(rows[0]))


def test_an_unknown_optional_block_is_carried_through(file, committee, tmp_path, rows):
    """What a newer version adds and does not need."""
    whole = file.read_bytes()
    block = (
        b'block "novelty" version 3 optional integers 2 reals 3\n7 -8\n1.5 2 -1E-300\n'
    )
    blocks = int(re.search(rb"blocks (\d+)", whole)[1])
    edited = whole.replace(b"blocks %d" % blocks, b"blocks %d" % (blocks + 1))
    edited = edited.replace(b'block "network"', block + b'block "network"', 1)
    (tmp_path / "more.mdn").write_bytes(signed(edited))
    more = fmdn.load(tmp_path / "more.mdn")
    np.testing.assert_array_equal(more.predict(rows[0]), committee.predict(rows[0]))
    more.save(tmp_path / "again.mdn")
    again = (tmp_path / "again.mdn").read_bytes()
    assert b'block "novelty" version 3 optional integers 2 reals 3\n7 -8\n' in again
    assert len(more.parameters_) == len(committee.parameters_) + 3


# --- Atomic ---------------------------------------------------------------------------


def test_paths_that_lead_nowhere(committee, tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.mdn"):
        fmdn.load(tmp_path / "nothing.mdn")
    with pytest.raises(OSError, match=re.escape(str(tmp_path))):
        fmdn.load(tmp_path)
    with pytest.raises(OSError, match="nowhere/model.mdn"):
        committee.save(tmp_path / "nowhere" / "model.mdn")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        committee.save(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


FULL_DISK = """
import resource, signal, sys
import fmdn

committee = fmdn.load(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), -1))
try:
    committee.save(sys.argv[2])
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
@pytest.mark.parametrize("part", [0, 0.3, 0.99])
def test_the_old_file_stays_when_writing_fails(part, file, tmp_path, run_python):
    """A file that may not grow beyond a size stands for a full disk."""
    path = tmp_path / "model.mdn"
    path.write_bytes(b"the old file")
    limit = int(part * file.stat().st_size)
    said = run_python(FULL_DISK, file, path, limit)
    assert said.startswith(f"{path}: the file cannot be written")
    assert path.read_bytes() == b"the old file"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.mdn"]


def test_what_cannot_be_read_back_is_not_written(committee, tmp_path):
    path = tmp_path / "model.mdn"
    path.write_bytes(b"the old file")
    broken = copy.deepcopy(committee)
    broken.parameters_[11] = np.nan
    with pytest.raises(boundary.ModelFileError, match="parameter 12 is NaN"):
        broken.save(path)
    broken.parameters_ = broken.parameters_[:-1]
    with pytest.raises(boundary.ModelFileError, match="layout"):
        broken.save(path)
    assert path.read_bytes() == b"the old file"


def test_the_text_is_json_and_says_how_it_was_made(file):
    text = boundary_file.read_file(file)[0][3]
    known = json.loads(text)
    assert known["settings"]["hidden"] == {"between": [3, 6]}
    assert known["target_names"] == ["wave", "depth"]
    assert len(known["history"]) == 3
