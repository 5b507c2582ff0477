"""The examples run as a user would run them, with small numbers."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def el_mayor(tmp_path_factory):
    """What the quick version prints, and its figure."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("tqdm")
    figure = tmp_path_factory.mktemp("el_mayor") / "figure.png"
    command = [sys.executable, EXAMPLES / "el_mayor.py", "--quick", "--output", figure]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stdout, figure


def table(text):
    """Numbers of each row: median, 5 %, 95 %, gain."""
    row = re.compile(
        r"^(\w+) .*?(-?[\d.]+) +(-?[\d.]+) to (-?[\d.]+) +(-?[\d.]+)$", re.MULTILINE
    )
    return {name: tuple(map(float, rest)) for name, *rest in row.findall(text)}


def test_el_mayor_finds_the_earthquake(el_mayor):
    """Right-lateral, Mw 7.2, on a fault to the north-west; catalogues agree."""
    rows = table(el_mayor[0])
    assert set(rows) == {
        "along", "across", "top", "strike", "dip", "rake", "magnitude", "length",
    }  # fmt: skip
    for name, expected, most in (
        ("magnitude", 7.15, 0.1),
        ("strike", 319, 8),
        ("rake", 207, 15),
        ("across", -4, 8),
    ):
        median, low, high, gain = rows[name]
        assert abs(median - expected) < most, name
        assert low < expected < high, name
        # an untrained network gives the prior back, with no gain
        assert gain > 0.3, name
    # what the data hardly say stays wide: the dip's prior interval spans 54 degrees
    _, low, high, gain = rows["dip"]
    assert high - low > 20 and gain < 0.9
    assert all(row[-1] > -0.02 for row in rows.values())


def test_el_mayor_says_how_much_it_used(el_mayor):
    first = el_mayor[0].splitlines()[0]
    assert re.search(r"\d+ simulations", first) and "members" in first


def test_el_mayor_draws(el_mayor):
    import matplotlib.image

    image = matplotlib.image.imread(el_mayor[1])
    assert image.shape[0] > 500 and image[..., :3].std() > 0.05
