"""The report is one page that needs nothing else, and says what was measured."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from fmdn import (
    Committee,
    GaussianNoise,
    Inversion,
    Prior,
    Uniform,
    simulate,
    write_report,
)
from fmdn.report import main, read_rows

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
    assert not re.search(r"src=|href=|http|url\(", bare)
    for image in page.images:
        kind, _, content = image["src"].partition(",")
        assert kind == "data:image/png;base64" and image["alt"]
        assert base64.b64decode(content).startswith(b"\x89PNG")
    # x: sheet, modes, columns, near the truth, training; the joint one: sheet, training
    assert len(page.images) == 7
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


def test_command(inversion, apart, tmp_path, capsys):
    inputs, test = apart
    model, page = tmp_path / "m.mdn", tmp_path / "r.html"
    inversion.save(model)
    rows = np.column_stack([inputs, test.models])
    np.savetxt(tmp_path / "d.txt", rows)
    np.savetxt(tmp_path / "d.csv", rows, delimiter=",")
    np.save(tmp_path / "d.npy", rows)
    np.savez(tmp_path / "d.npz", inputs=inputs, targets=test.models)
    for name in ("d.txt", "d.csv", "d.npy", "d.npz"):
        found = read_rows(tmp_path / name, 3, 3)
        np.testing.assert_allclose(np.hstack(found), rows, rtol=1e-15)
    assert main([str(model), str(tmp_path / "d.csv"), "-o", str(page)]) == 0
    out = capsys.readouterr().out
    assert "y, z" in out and "verdict" in out
    assert "y, z" in page.read_text()


def test_refusals(inversion, apart, tmp_path, capsys):
    inputs, test = apart
    with pytest.raises(ValueError, match=r"shape \(320, 3\), columns x, y, z"):
        write_report(inversion, inputs, test.models[:, :2], tmp_path / "r.html")
    np.savetxt(tmp_path / "d.txt", inputs)
    with pytest.raises(ValueError, match="expected 6 columns .3 inputs, 3 targets"):
        read_rows(tmp_path / "d.txt", 3, 3)
    np.savez(tmp_path / "d.npz", inputs=inputs)
    with pytest.raises(ValueError, match="there is no targets"):
        read_rows(tmp_path / "d.npz", 3, 3)
    page = tmp_path / "r.html"
    assert main([str(tmp_path / "no.mdn"), "d.txt", "-o", str(page)]) == 2
    assert "no.mdn" in capsys.readouterr().err
    assert not page.exists()
