"""Reads files in processes of their own, so that no file can hurt its neighbours.

A file is opened by one process and its pages are read in slices by all of them. A page that takes
too long, or whose process dies, is that page's failure: the process is replaced and the slice goes
on behind it. Three such pages in a row fail the file.
"""

from __future__ import annotations

import contextlib
import os
import queue
import selectors
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.frames import frame_to_page
from ingest.process import Process
from mmsearch.config import Settings
from mmsearch.images import PICTURE_PIXELS
from mmsearch.types import Kind, Page

SLICE = 16  # pages a request: small enough to spread one large file over all processes
STRIKES = 3  # pages in a row that kill or stall their process before the file is given up
MAX_PAGES = 100_000  # of a file: one that claims more lies, or is to be split
_POLL = 0.05  # seconds between looks at the queue of jobs while a process is idle


@dataclass(frozen=True, slots=True)
class Job:
    """A file to read; `skip` holds the numbers of pages that are known already."""

    key: str
    path: Path
    skip: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Opened:
    """The file is readable; its pages follow."""

    job: Job
    kind: Kind
    title: str
    page_count: int


@dataclass(frozen=True, slots=True)
class PageRead:
    """One page, in no fixed order; its words as `page_store.encode_words` writes them."""

    job: Job
    page: Page
    words: bytes


@dataclass(frozen=True, slots=True)
class PageFailed:
    """One page that could not be read."""

    job: Job
    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """No more pages come; `reason` is set when the file as a whole failed."""

    job: Job
    reason: str = ""


Event = Opened | PageRead | PageFailed | Finished


@dataclass(slots=True, eq=False)
class _File:
    job: Job
    open_tasks: int = 0
    strikes: int = 0
    reason: str = ""


@dataclass(slots=True, eq=False)
class _Task:
    file: _File
    numbers: deque[int] | None  # None: open the file


@dataclass(slots=True, eq=False)
class _Process:
    """A reading process and what it is doing."""

    process: Process
    task: _Task | None = None
    deadline: float = field(default=float("inf"))


class Cage:
    """A fixed number of reading processes. Use as a context manager."""

    def __init__(
        self,
        settings: Settings,
        *,
        pixels: int = PICTURE_PIXELS,
        worker: str = "ingest.worker",
    ) -> None:
        """`pixels` is the budget of a page picture, `worker` the module a reading process runs."""
        self._settings = settings
        self._pixels = pixels
        self._worker = worker
        self._count = settings.workers or os.cpu_count() or 1
        self._processes: list[_Process] = []
        self._tasks: deque[_Task] = deque()
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Cage:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            self._end(process)
        self._selector.close()

    def read(self, next_job: Callable[[], Job | None]) -> Iterator[Event]:
        """Read every job.

        Args:
            next_job: the next job, None after the last one; raises `queue.Empty` while there is
                none yet. It is called between events, never beside them.
        """
        exhausted = False
        while True:
            exhausted = self._assign(next_job, exhausted=exhausted)
            active = [process for process in self._processes if process.task]
            if not active and exhausted and not self._tasks:
                return
            yield from self._wait(idle=len(active) < self._count and not exhausted)

    def _assign(self, next_job: Callable[[], Job | None], *, exhausted: bool) -> bool:
        """Give every free process something to do; True when no more jobs will come."""
        while sum(1 for process in self._processes if process.task) < self._count:
            if self._tasks:
                task = self._tasks.popleft()
            elif exhausted:
                break
            else:
                try:
                    job = next_job()
                except queue.Empty:
                    break
                if job is None:
                    return True
                task = _Task(_File(job, open_tasks=1), None)
            self._start(self._free_process(), task)
        return exhausted

    def _free_process(self) -> _Process:
        for process in self._processes:
            if process.task is None:
                return process
        process = _Process(Process(self._worker, self._settings, pixels=self._pixels))
        self._processes.append(process)
        self._selector.register(process.process.link, selectors.EVENT_READ, process)
        return process

    def _start(self, process: _Process, task: _Task) -> None:
        process.task = task
        numbers = None if task.numbers is None else list(task.numbers)
        limit = self._settings.open_timeout
        if numbers is not None:
            limit += self._settings.page_timeout
        process.deadline = time.monotonic() + limit
        process.process.send({"path": str(task.file.job.path), "numbers": numbers})

    def _wait(self, *, idle: bool) -> Iterator[Event]:
        now = time.monotonic()
        # An idle process has nothing to be late with: its old deadline would make this spin.
        deadlines = (process.deadline for process in self._processes if process.task)
        patience = min(deadlines, default=float("inf")) - now
        timeout = min(max(patience, 0.0), 1.0)
        for key, _ in self._selector.select(min(timeout, _POLL) if idle else timeout):
            process: _Process = key.data
            frame = process.process.receive()
            try:
                if frame is None:
                    yield from self._lost(process, process.process.cause_of_death())
                else:
                    yield from self._heard(process, *frame)
            except (KeyError, TypeError, ValueError):
                yield from self._lost(process, "the reader sent nonsense and was ended")
        now = time.monotonic()
        for process in [p for p in self._processes if p.task and p.deadline < now]:
            yield from self._lost(process, self._too_slow(process))

    def _heard(
        self, process: _Process, header: dict[str, Any], blobs: list[bytes]
    ) -> Iterator[Event]:
        task = process.task
        if task is None:
            return
        file = task.file
        process.deadline = time.monotonic() + self._settings.page_timeout
        if "opened" in header:
            process.task = None
            yield from self._opened(file, header["opened"])
        elif "failed" in header:
            process.task = None
            file.reason = file.reason or header["failed"]
            yield from self._close(file)
        elif "end" in header:
            process.task = None
            yield from self._close(file)
        elif task.numbers is not None:
            file.strikes = 0
            if "page" in header:
                picture, words = blobs
                task.numbers.remove(header["page"])
                yield PageRead(file.job, frame_to_page(header, picture), words)
            else:
                task.numbers.remove(header["failed_page"])
                yield PageFailed(file.job, header["failed_page"], header["reason"])

    def _opened(self, file: _File, opened: dict[str, Any]) -> Iterator[Event]:
        count = opened["page_count"]
        if count > MAX_PAGES:
            file.reason = f"claims {count} pages, over the limit of {MAX_PAGES}; split it"
            yield from self._close(file)
            return
        yield Opened(file.job, opened["kind"], opened["title"], count)
        wanted = [n for n in range(1, count + 1) if n not in file.job.skip]
        slices = [deque(wanted[start : start + SLICE]) for start in range(0, len(wanted), SLICE)]
        file.open_tasks += len(slices)
        self._tasks.extendleft(_Task(file, numbers) for numbers in reversed(slices))
        yield from self._close(file)

    def _close(self, file: _File) -> Iterator[Event]:
        """One task of the file is over; report the file after its last one."""
        file.open_tasks -= 1
        if file.reason:  # given up: the slices that nobody has started are dropped
            waiting = [task for task in self._tasks if task.file is file]
            file.open_tasks -= len(waiting)
            self._tasks = deque(task for task in self._tasks if task.file is not file)
        if file.open_tasks == 0:
            yield Finished(file.job, file.reason)

    def _lost(self, process: _Process, reason: str) -> Iterator[Event]:
        """Replace a process that died or overran; its page fails, the rest of its slice goes on."""
        task = process.task
        self._end(process)
        self._processes.remove(process)
        if task is None:
            return
        file = task.file
        if task.numbers is None:
            file.reason = reason
        elif task.numbers:
            number = task.numbers.popleft()
            file.strikes += 1
            yield PageFailed(file.job, number, reason)
            if file.strikes >= STRIKES:
                file.reason = f"given up after {STRIKES} such pages in a row: {reason}"
            elif task.numbers:
                file.open_tasks += 1
                self._tasks.appendleft(_Task(file, task.numbers))
        yield from self._close(file)

    def _too_slow(self, process: _Process) -> str:
        opening = process.task is not None and process.task.numbers is None
        name = "open_timeout" if opening else "page_timeout"
        return f"took longer than {getattr(self._settings, name):g} s; raise the setting {name}"

    def _end(self, process: _Process) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(process.process.link)
        process.process.end()
