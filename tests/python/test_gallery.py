"""Every example runs with small numbers, passes its own checks and draws its figure."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("[0-9][0-9]_*.py"))
QUICK = {"00_first_posterior"}  # seconds; the others run in `make test-long`


def module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


gallery = module(ROOT / "scripts" / "gallery.py")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, tmp_path, scale):
    if scale < 10 and path.stem not in QUICK:
        pytest.skip("takes longer: make test-long")
    pytest.importorskip("matplotlib")
    figure = tmp_path / "figure.png"
    done = subprocess.run(
        [sys.executable, path, "--quick", "--figure", figure],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    if done.stdout.startswith("skipped"):
        pytest.skip(done.stdout.strip())
    assert "FAILED" not in done.stdout
    assert re.search(r"\d\.\d", done.stdout), "no numbers that anybody could check"
    assert not re.search(r"\b(nan|inf)\b", done.stdout, re.IGNORECASE)
    from matplotlib import image

    drawn = image.imread(figure)
    assert min(drawn.shape[:2]) > 300 and drawn[..., :3].std() > 0.03
    assert all(one.parent == tmp_path for one in tmp_path.rglob("*")), "left behind"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_page(path):
    """It has a page with its figure, and links that lead somewhere."""
    page = gallery.page_of(path)
    text = page.read_text(encoding="utf-8")
    assert f"{path.stem}.png" in text
    for link in re.findall(r"\]\(([^)#]+)", text):
        if "://" not in link:
            assert (page.parent / link).exists(), link
    if gallery.MARK in text:
        assert gallery.MARK + "```text\n" in text


def test_index():
    written = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert written == gallery.index(), "python scripts/gallery.py --index renews it"
