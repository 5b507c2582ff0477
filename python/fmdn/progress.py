"""Progress bars, if tqdm is there."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any


def progress_bar(show: bool | None, **options: Any) -> AbstractContextManager:
    """Give a context with a tqdm bar, or with None where nothing is to be shown.

    With None for `show`, a bar appears after a second if somebody looks on: in a
    terminal or a notebook, and if tqdm is there.
    """
    if show is None and not (sys.stderr.isatty() or "ipykernel" in sys.modules):
        show = False
    if show is not None and not show:
        return nullcontext()
    try:
        from tqdm.auto import tqdm
    except ImportError:
        if show is None:
            return nullcontext()
        raise ImportError("progress=True needs tqdm: pip install tqdm") from None
    return tqdm(**options, delay=1 if show is None else 0)
