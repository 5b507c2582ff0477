"""Make the gallery: run the examples in full, renew their figures, pages and the index.

    python scripts/gallery.py               every examples/NN_name.py
    python scripts/gallery.py 00 07         some of them
    python scripts/gallery.py --index       docs/gallery.md alone, nothing is run

An example takes --figure PATH. Its page is docs/gallery/NN-name.md, written by hand but
for the block of text below the line <!-- printed -->, which is what it prints.
"""

import argparse
import ast
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "gallery"  # what examples keep stays there
PAGES = ROOT / "docs" / "gallery"
MARK = "<!-- printed -->\n"
HEAD = """# Gallery

Each picture is drawn by an example: by `make gallery` in full, and by the tests with
`--quick` and small numbers. [The El Mayor-Cucapah earthquake](el_mayor.md) is one more.

"""


def examples():
    """Paths of the examples, in order."""
    return sorted((ROOT / "examples").glob("[0-9][0-9]_*.py"))


def page_of(path):
    """Where the page about an example is."""
    return PAGES / (path.stem.replace("_", "-") + ".md")


def run(path):
    """Run an example in full; its figures and what it prints go to its page.

    One that says that it skipped something, or fails, leaves them as they are.
    """
    page = page_of(path)
    WORK.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        figure = Path(folder) / f"{path.stem}.png"
        command = [sys.executable, str(path), "--figure", str(figure)]
        done = subprocess.run(command, cwd=WORK, stdout=subprocess.PIPE, text=True)
        print(done.stdout)
        if done.returncode != 0:
            sys.exit(f"{path.name} failed: {page} is as it was")
        if re.search("^skipped", done.stdout, re.MULTILINE):
            print(f"{page} is as it was")
            return
        for drawn in figure.parent.iterdir():
            shutil.copyfile(drawn, PAGES / drawn.name)
        printed = done.stdout.replace(f"{folder}/", "").rstrip()
    text = page.read_text(encoding="utf-8")
    block = f"{MARK}```text\n{printed}\n```\n"
    pattern = re.escape(MARK) + r"```text\n.*?```\n"
    text = re.sub(pattern, lambda _: block, text, flags=re.DOTALL)
    page.write_text(text, encoding="utf-8")


def index():
    """Give the text of docs/gallery.md: a figure and a title for each example."""
    cells = []
    for path in examples():
        title = ast.get_docstring(ast.parse(path.read_text("utf-8"))).splitlines()[0]
        link = f"gallery/{page_of(path).name}"
        image = f'<a href="{link}"><img src="gallery/{path.stem}.png" width="400"></a>'
        cells.append(f"{image}<br>[{title.rstrip('.')}]({link})")
    cells += [""] * (len(cells) % 2)
    rows = [f"| {a} | {b} |" for a, b in zip(cells[::2], cells[1::2], strict=True)]
    return HEAD + "\n".join(["| | |", "|---|---|", *rows]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*", help="of examples; all if there is none")
    parser.add_argument("--index", action="store_true", help="run nothing")
    given = parser.parse_args()
    for path in [] if given.index else examples():
        if not given.numbers or path.name[:2] in given.numbers:
            print(f"--- {path.name}", flush=True)
            run(path)
    (ROOT / "docs" / "gallery.md").write_text(index(), encoding="utf-8")


if __name__ == "__main__":
    main()
