"""Tables: rows that print as aligned text and that pandas takes as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Table(list):
    """A list of rows that prints as a table; subclasses say which cells."""

    texts: tuple[str, ...] = ()  # headings of texts; the others are of numbers

    def cells(self) -> Iterable[Sequence[str]]:
        """Give the lines of the table, the heading first."""
        raise NotImplementedError

    def __str__(self) -> str:
        """Return the table as aligned text."""
        lines = list(self.cells())
        columns = []
        for heading, *cells in zip(*lines, strict=True):
            width = max(map(len, (heading, *cells)))
            adjust = str.ljust if heading in self.texts else str.rjust
            columns.append([adjust(cell, width) for cell in (heading, *cells)])
        rows = zip(*columns, strict=True)
        return "\n".join("  ".join(row).rstrip() for row in rows)

    __repr__ = __str__
