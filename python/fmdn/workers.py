"""Processes of our own that simulate: one that hangs or dies costs a single model.

A worker is a fresh Python that does not import the user's script again, so that a
script needs no ``if __name__ == "__main__"`` and threads are never forked. It talks
over its standard input and output, one request at a time; what the forward model
prints goes to standard error.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from .forward import Fault, Forward, Outcome, where

GRACE = 1.0  # seconds that a worker has to say where it was when it is stopped


class CannotLoad(RuntimeError):
    """The forward model cannot be taken to another process."""


class _Ended(Exception):
    """The worker is gone before it answered."""


class TimedOut(BaseException):
    """The parent no longer waits for this model."""


def pack(call: Forward) -> bytes:
    """Pickle a forward model, by value where a worker could not import it."""
    hint = ""
    try:
        import cloudpickle as pickler
    except ImportError:
        pickler, hint = pickle, "; pip install cloudpickle helps"
        if getattr(call.function, "__module__", None) == "__main__":
            raise CannotLoad(f"forward is defined in the main program{hint}") from None
    try:
        return pickler.dumps(call)
    except Exception as error:
        text = f"forward cannot be sent to another process: {error}{hint}"
        raise CannotLoad(text) from error


@dataclass(frozen=True)
class Job:
    """A forward model on its way to another process.

    Attributes
    ----------
    packed : bytes
        The `Forward` to call, as `pack` gives it.
    vectorised : bool
    timeout : float or None
        Seconds that a model may take.
    apart : bool
        Whether it needs a process that can be lost.
    """

    packed: bytes
    vectorised: bool
    timeout: float | None
    apart: bool


class Worker:
    """A process that simulates for one thread of this one; started when needed."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._process: subprocess.Popen | None = None
        self._closed = False

    def __call__(self, indices: np.ndarray, models: np.ndarray) -> list[Outcome]:
        """Return for each model its data or why it has none, as `Forward` does."""
        if len(models) == 1 or self.job.timeout is None or self.job.vectorised:
            try:
                return self._ask(indices, models)
            except _Ended as error:
                if self._closed:
                    raise
                if len(models) == 1:
                    return [Fault(*error.args)]
        # Each with the time that it may take, or to see which of them it was.
        ones = (slice(i, i + 1) for i in range(len(models)))
        return [self(indices[one], models[one])[0] for one in ones]

    def close(self) -> None:
        """End the process; a model on its way is lost."""
        self._closed = True
        process = self._process
        if process is not None:
            _stop(process)

    def discard(self) -> int | None:
        """Forget the process, once no thread waits for it; how it ended."""
        process, self._process = self._process, None
        if process is None:
            return None
        with suppress(OSError):
            process.stdin.close()
        try:
            code = process.wait(GRACE)  # its own end says more than ours
        except subprocess.TimeoutExpired:
            code = _stop(process)
        process.stdout.close()
        return code

    def __del__(self) -> None:
        self.close()
        self.discard()

    def _ask(self, indices: np.ndarray, models: np.ndarray) -> list[Outcome]:
        if self._closed:
            raise _Ended("closed")
        if self._process is None:
            self._start()
        timeout = self.job.timeout
        limit = None if timeout is None else timeout * len(models)
        what = answer = None
        with _Alarm(limit, partial(_stop, self._process)) as alarm:
            try:
                _send(self._process, (indices, models))
                what, answer = pickle.load(self._process.stdout)
            except (OSError, EOFError, pickle.UnpicklingError):
                pass
            except BaseException:  # the answer would be taken for the next one's
                _stop(self._process)
                self.discard()
                raise
        if what != "outcomes" or alarm.rang:
            code = self.discard()
        if what == "outcomes":
            return answer
        if what == "wrong":
            raise ValueError(answer)
        if alarm.rang:
            raise _Ended(f"TimeoutError: no data after {timeout:g} s", answer or "")
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
        raise _Ended(f"ended its process with {how}")

    def _start(self) -> None:
        command = f"import sys; sys.path[:] = {sys.path!r}; "
        command += f"from {__name__} import serve; serve()"
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the parent, which stops the workers
        )
        try:
            _send(self._process, self.job.packed)
            what, answer = pickle.load(self._process.stdout)
        except (OSError, EOFError):
            what, answer = "cannot", "it ended, see its output"
        if what != "ready":
            self.discard()
            raise CannotLoad(f"forward cannot be loaded in another process: {answer}")


def _send(process: subprocess.Popen, message: Any) -> None:
    pickle.dump(message, process.stdin, protocol=5)
    process.stdin.flush()


def _stop(process: subprocess.Popen) -> int:
    process.terminate()
    try:
        return process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()  # stuck in compiled code
        return process.wait()


class _Alarm:
    """Calls the action unless the context ends in time."""

    def __init__(self, seconds: float | None, action: Callable) -> None:
        self.rang, self._off = False, False
        self._action, self._lock = action, threading.Lock()
        self._timer = seconds and threading.Timer(seconds, self._ring)

    def __enter__(self) -> _Alarm:
        if self._timer:
            self._timer.daemon = True
            self._timer.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._timer:
            self._timer.cancel()
        with self._lock:
            self._off = True

    def _ring(self) -> None:
        with self._lock:
            self.rang = not self._off
        if self.rang:
            self._action()


class Cores:
    """A worker for each core, with a thread of this process that waits for it."""

    def __init__(self, job: Job, n_workers: int) -> None:
        self._job, self._workers = job, []
        self._threads = ThreadPoolExecutor(n_workers, initializer=self._hire)
        self._local = threading.local()

    def submit(self, work: Callable, *arguments: Any) -> Future:
        """Call ``work(worker, *arguments)`` when a worker is free."""
        return self._threads.submit(lambda: work(self._local.worker, *arguments))

    def close(self) -> None:
        """Stop; models on their way are lost."""
        with ThreadPoolExecutor() as threads:  # all at once: each may take a second
            list(threads.map(Worker.close, self._workers))
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.discard()

    def _hire(self) -> None:
        self._local.worker = Worker(self._job)
        self._workers.append(self._local.worker)


_of_this_thread = threading.local()


def worker_for(job: Job) -> Worker:
    """Give this thread's worker for the job, so that an executor's batches share it."""
    worker = getattr(_of_this_thread, "worker", None)
    if worker is None or worker.job != job:
        worker = _of_this_thread.worker = Worker(job)
    return worker


@cache
def follow_parent() -> None:
    """Let a process of `multiprocessing` end when its parent is killed."""
    if multiprocessing.parent_process() is not None:
        threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()


# --- In the worker --------------------------------------------------------------------


def serve() -> None:
    """Answer the parent until it closes the pipe, or is gone."""
    inbox, outbox = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, _stopped)
    threading.Thread(target=_follow, args=(os.getppid(),), daemon=True).start()

    def answer(what: str, content: Any = None) -> None:
        pickle.dump((what, content), outbox, protocol=5)
        outbox.flush()

    try:
        try:
            call = pickle.loads(pickle.load(inbox))
        except Exception as error:
            return answer("cannot", f"{type(error).__name__}: {error}")
        answer("ready")
        while True:
            request = pickle.load(inbox)
            try:
                outcomes = call(*request)
            except ValueError as error:  # not of one model but of the function
                answer("wrong", str(error))
            except TimedOut as error:
                answer("stopped", where(error))
                break
            else:
                answer("outcomes", outcomes)
    except (EOFError, BrokenPipeError, TimedOut):
        pass
    os._exit(0)  # whatever else runs in here


def _stopped(number: int, frame: FrameType | None) -> NoReturn:
    raise TimedOut


def _follow(parent: int) -> None:
    """Stop when the parent has gone, however it went."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
