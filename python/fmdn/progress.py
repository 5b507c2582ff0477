"""Progress bars, if tqdm is there."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any


def progress_bar(show: bool, **options: Any) -> AbstractContextManager:
    """Give a context with a tqdm bar, or with None where nothing is to be shown."""
    if not show:
        return nullcontext()
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ImportError("progress=True needs tqdm: pip install tqdm") from None
    return tqdm(**options)
