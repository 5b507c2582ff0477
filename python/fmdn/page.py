"""A page of HTML that needs nothing else: no script, no network; figures are inside.

It has one column on a telephone, and prints.
"""

from __future__ import annotations

import base64
import io
import os
import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from .tables import Table

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
       max-width: 64rem; margin: 0 auto; padding: 1rem; }
h1, h2, h3 { line-height: 1.25; font-weight: 600; overflow-wrap: anywhere; }
h2 { margin-top: 2.5rem; border-top: 1px solid #ccc; padding-top: 1rem; }
a { color: #0b4f8a; }
.lead { font-size: 1.15rem; }
.figures { display: grid; gap: 0.5rem 1.5rem;
           grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); }
figure { margin: 0.5rem 0; max-width: 34rem; }
figure img { width: 100%; height: auto; display: block; }
figcaption { font-size: 0.875rem; color: #555; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums;
        font-size: 0.9375rem; }
th, td { padding: 0.15rem 0.6rem; text-align: right; white-space: nowrap; }
th { border-bottom: 1px solid #888; font-weight: 600; }
tr:nth-child(odd) td { background: #f5f5f5; }
.text { text-align: left; }
details { margin: 1rem 0; }
@media (max-width: 32rem) { table { font-size: 0.8125rem; }
                            th, td { padding: 0.15rem 0.3rem; } }
@media print { h2, figure { break-inside: avoid; } }
"""


def write_page(path: Any, title: str, parts: Iterable[str]) -> None:
    """Write a page, whole or not at all."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>"
    )
    body = "\n".join(part for part in parts if part)
    page = (
        f'<!doctype html>\n<html lang="en"><head>{head}</head>\n'
        f"<body>\n{body}\n</body></html>\n"
    )
    path = Path(path)
    draft = path.with_name(path.name + ".part")
    try:
        draft.write_text(page, encoding="utf-8")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def heading(level: int, text: str) -> str:
    """Give a heading that `links` can point to."""
    return f'<h{level} id="{_anchor(text)}">{escape(text)}</h{level}>'


def links(texts: Iterable[str]) -> str:
    """Give a line of links to headings."""
    found = (f'<a href="#{_anchor(text)}">{escape(text)}</a>' for text in texts)
    return f"<p>{' · '.join(found)}</p>"


def paragraph(text: str, kind: str = "") -> str:
    """Give a paragraph; kind "lead" is a larger one."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def folded(title: str, text: str) -> str:
    """Give text that is shown when its title is touched."""
    return f"<details><summary>{escape(title)}</summary>{text}</details>"


def table(rows: Table) -> str:
    """Give a table; a wide one scrolls by itself."""
    head, *lines = rows.cells()
    classes = [' class="text"' * (name in rows.texts) for name in head]

    def row(kind: str, cells: Any) -> str:
        pairs = zip(cells, classes, strict=True)
        return "".join(f"<{kind}{c}>{escape(x)}</{kind}>" for x, c in pairs)

    body = "".join(f"<tr>{row('td', cells)}</tr>\n" for cells in lines)
    return (
        f'<div class="table"><table><thead><tr>{row("th", head)}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def figures(drawn: Iterable[tuple[Any, str]]) -> str:
    """Give figures with their captions, side by side where there is room.

    Parameters
    ----------
    drawn : iterable of (Axes or Figure, str)
        They are closed.
    """
    from matplotlib import pyplot as plt

    parts = []
    for one, caption in drawn:
        figure = getattr(one, "figure", one)
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=140)
        plt.close(figure)
        content = base64.b64encode(image.getvalue()).decode()
        parts.append(
            f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,'
            f'{content}"><figcaption>{escape(caption)}</figcaption></figure>'
        )
    return f'<div class="figures">{"".join(parts)}</div>' if parts else ""


def _anchor(text: str) -> str:
    return re.sub(r"\W+", "-", text).strip("-").lower()
