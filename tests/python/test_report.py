"""The report is one page that needs nothing else, and says what was measured."""

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from fmdn import (
    Committee,
    GaussianNoise,
    Inversion,
    Prior,
    Uniform,
    cli,
    simulate,
    write_report,
)
from fmdn.recalibration import Recalibration

DOCS = Path(__file__).parents[2] / "docs"

PRIOR = Prior(x=Uniform(0, 1, unit="km"), y=Uniform(0, 1), z=Uniform(0, 1))
MIX = np.array([[1.0, 1, 0], [1, -1, 0], [0, 0, 1]])


class Page(HTMLParser):
    """Elements that open and close, tables and images."""

    def __init__(self, text):
        super().__init__()
        self.open, self.images, self.cells = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        assert tag not in {"script", "link", "iframe"}
        if tag == "img":
            self.images.append(attrs)
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in {"td", "th"}:
            self.cells.append(data)


@pytest.fixture(scope="module")
def inversion():
    samples = simulate(PRIOR, lambda m: m @ MIX, 600, vectorised=True)
    settings = {"n_members": 2, "hidden": 4, "kernels": 2, "max_iter": 15}
    return Inversion(samples, 0.2, ["x", ("y", "z")], **settings).fit()


@pytest.fixture(scope="module")
def apart():
    test = simulate(PRIOR, lambda m: m @ MIX, 320, seed=5, vectorised=True)
    return GaussianNoise(0.2).add(test.data, 1), test


def test_page(inversion, apart, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "r.html"
    checks = write_report(inversion, *apart, path)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    bare = re.sub(r'src="data:image/png;base64,[A-Za-z0-9+/=]+"', "", text)
    assert not re.search(r"src=|http|url\(", bare)
    anchors = set(re.findall(r'id="([^"]+)"', bare))
    for link in re.findall(r'href="([^"]*)"', bare):
        assert link[0] == "#" and link[1:] in anchors, link
    for image in page.images:
        kind, _, content = image["src"].partition(",")
        assert kind == "data:image/png;base64" and image["alt"]
        assert base64.b64decode(content).startswith(b"\x89PNG")
    captions = [image["alt"] for image in page.images]
    for of_each in ("PIT", "TARP", "gain against its promise"):
        assert captions.count(of_each) == 2
    assert captions.count("Training of x") == captions.count("Training of y, z") == 1
    assert sum("Posterior of test row" in text for text in captions) == 4
    for row in checks.summary():
        assert row.verdict in page.cells and row.name in page.cells
    assert f"{checks['x'].gain.value:.3f}" in text
    assert "by information gain" in text.lower()
    assert list(tmp_path.iterdir()) == [path]


def test_names_are_no_markup(apart, tmp_path):
    inputs, test = apart
    name = "<b>&x"
    committee = Committee(n_members=1, hidden=3, kernels=1, max_iter=3)
    committee.fit(inputs, test["x"], target_names=[name])
    write_report(committee, inputs, test["x"], tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert "&lt;b&gt;&amp;x" in text and Page(text).open == []


@pytest.fixture
def fmdn(monkeypatch, capsys):
    """Run the command fmdn with some words: exit status, and what it printed."""

    def run(*words):
        monkeypatch.setattr("sys.argv", ["fmdn", *map(str, words)])
        status = cli.main()
        return status, *capsys.readouterr()

    return run


def test_command(inversion, apart, tmp_path, fmdn):
    pytest.importorskip("matplotlib")
    inputs, test = apart
    model, page = tmp_path / "m.mdn", tmp_path / "r.html"
    inversion.save(model)
    rows = np.column_stack([inputs, test.models])
    np.savetxt(tmp_path / "d.csv", rows, delimiter=",")
    np.savez(tmp_path / "d.npz", inputs=inputs, targets=test.models)
    pages = []
    for data in ("d.csv", "d.npz"):
        status, out, err = fmdn("report", model, tmp_path / data, "-o", page)
        assert status == 0 and "y, z" in out and "verdict" in out
        assert "gain (nat)" in out  # the model holds its prior
        assert err == f"fmdn report: {page} written\n"
        pages.append(page.read_text())
    assert pages[0] == pages[1] and "y, z" in pages[0]


def test_refusals(inversion, apart, tmp_path, fmdn):
    inputs, test = apart
    page = tmp_path / "r.html"
    with pytest.raises(ValueError, match=r"shape \(320, 3\), columns x, y, z"):
        write_report(inversion, inputs, test.models[:, :2], page)
    inversion.save(tmp_path / "m.mdn")
    np.savetxt(tmp_path / "d.txt", inputs)
    np.savez(tmp_path / "d.npz", inputs=inputs)
    (tmp_path / "bad.mdn").write_bytes((tmp_path / "m.mdn").read_bytes()[:-100])
    for model, data, why in (
        ("m.mdn", "d.txt", "expected 6 numbers (3 inputs, then x, y, z), found 3"),
        ("m.mdn", "d.npz", "there is no array 'targets'"),
        ("bad.mdn", "d.txt", "bad.mdn"),
        ("no.mdn", "d.txt", "no.mdn"),
    ):
        words = tmp_path / model, tmp_path / data, "-o", page
        status, out, err = fmdn("report", *words)
        assert (status, out) == (2, "") and why in err
        assert err.startswith("fmdn report: ")
    assert not page.exists()


def test_info_tells_of_prior_and_recalibration(inversion, tmp_path, fmdn):
    one = inversion["x"]
    one.save(tmp_path / "m.mdn")
    told = fmdn("info", tmp_path / "m.mdn")[1].splitlines()
    assert "  prior    x: Uniform(0, 1, unit='km')" in told
    assert not any("recalibrated" in line for line in told)
    one.recalibration_ = Recalibration([0.5], [0.0])
    one.save(tmp_path / "m.mdn")
    del one.recalibration_
    told = fmdn("info", tmp_path / "m.mdn")[1]
    assert "recalibrated on request" in told


def test_the_manual_tells_of_each_command_and_option(fmdn, capsys):
    manual = (DOCS / "man" / "fmdn.1").read_text()
    manual = re.sub(r"\\f[A-Z]", " ", manual).replace("\\", "")
    for name in ("train", "apply", "info", "report"):
        assert re.search(rf"^\.B fmdn {name}$", manual, re.M), name
    with pytest.raises(SystemExit):
        fmdn("report", "--help")
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    assert (
        options == set(re.findall(r"--[a-z-]+", manual)) == {"--help", "--output-file"}
    )
