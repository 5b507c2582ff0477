"""Progress bars, if tqdm is there: members, the monitor loss, the time that is left."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from ._boundary import Training

# tqdm's own estimate waits for the first member; see `time_left`.
BAR = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
SECONDS = 5  # column of a training's history


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


def label(names: list[str]) -> str:
    """Give a short name for targets."""
    text = ", ".join(names)
    return text if len(text) <= 24 else f"{text[:21]}..."


def show(bar: Any, training: Training, n_fresh: int, is_even: bool) -> None:
    """Bring a bar up to date: `n_fresh` members more have ended.

    `is_even`: whether all iterations take as long, so that those that are left tell the
    time before the first member has ended.
    """
    iterations = training.outcome[:, 1]
    running = np.flatnonzero((training.outcome[:, 0] == 0) & (iterations > 0))
    if running.size:
        k = running[-1]
        loss = training.history[k, iterations[k], 1]
        words = {"iteration": int(iterations[k]), "monitor": f"{loss:.3f}"}
        seconds = time_left(training, bar.total, is_even)
        if seconds is not None:
            sign = "" if training.finished().any() else "<"
            words["left"] = sign + bar.format_interval(seconds)
        bar.set_postfix(words, refresh=False)
    bar.update(n_fresh)
    bar.refresh()


def time_left(training: Training, n_members: int, is_even: bool) -> float | None:
    """Estimate the seconds until the first `n_members` are trained, if there is a clue.

    The others take as long as those that have ended did on average; before one has,
    as long as all iterations would take.
    """
    iterations = training.outcome[:n_members, 1]
    used = training.history[np.arange(n_members), iterations, SECONDS]
    finished = training.finished()[:n_members]
    running = ~finished & (iterations > 0)
    if finished.any():
        expected = used[finished].mean()
    elif running.any() and is_even:
        most = training.history.shape[1] - 1
        expected = most * np.mean(used[running] / iterations[running])
    else:
        return None
    ahead = np.maximum(expected - used[~finished], 0).sum()
    return float(ahead / max(1, np.count_nonzero(running)))
