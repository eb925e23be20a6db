"""Reads files in processes of their own, so that no file can hurt its neighbours.

A file is opened by one process and its pages are read in slices by all of them. Text that has to be
recognised is left to further processes, which keep their models. A page that takes too long, or
whose process dies, is that page's failure: the process is replaced and the slice goes on behind it.
Three such pages in a row fail the file.
"""

from __future__ import annotations

import os
import queue
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from ingest.agenda import Agenda
from ingest.crew import Crew, Worker
from ingest.events import Event, Finished, Job, Opened, PageFailed, PageRead
from ingest.frames import check_unread, frame_to_page
from ingest.process import NONSENSE, shown, too_hungry
from ingest.tasks import MAX_PAGES, STRIKES, Failure, File, Task, Unread, one_line
from mmsearch.config import Settings
from mmsearch.errors import LimitExceeded
from mmsearch.images import PICTURE_PIXELS
from mmsearch.types import Kind

__all__ = [
    "MAX_PAGES",
    "Cage",
    "Event",
    "Finished",
    "Job",
    "Opened",
    "PageFailed",
    "PageRead",
]

_IDLE = 0.05  # seconds between looks at the queue of jobs while a process is idle
_STOP = 0.25  # seconds between looks at whether to stop
_RESIDENT = 1 << 30  # bytes that a process may keep from one file to the next


class Cage:
    """A fixed number of processes that work at a time. Use as a context manager."""

    def __init__(
        self,
        settings: Settings,
        *,
        pixels: int = PICTURE_PIXELS,
        passwords: Sequence[str] = (),
        scratch: Path | None = None,
        worker: str = "ingest.worker",
        ocr_worker: str = "ingest.ocr_worker",
    ) -> None:
        """Nothing is started yet.

        Args:
            pixels: the budget of a page picture.
            passwords: tried in turn on encrypted files.
            scratch: a folder of this run's for temporary files; by default one is made.
            worker: the module that a reading process runs.
            ocr_worker: the module that a process which recognises text runs.
        """
        self._settings = settings
        self._count = settings.workers or os.cpu_count() or 1
        self._owned = scratch is None
        self._scratch = (scratch or Path(tempfile.mkdtemp(prefix="mmsearch-"))).absolute()
        self._temporary = self._scratch / ".processes"
        self._crew = Crew(
            settings,
            self._temporary,
            worker,
            ocr_worker,
            pixels=pixels,
            passwords=list(passwords),
        )
        self._agenda = Agenda(self._scratch)
        self._stopping = False
        self._stop_by: float | None = None

    def __enter__(self) -> Cage:
        return self

    def __exit__(self, *_: object) -> None:
        self._crew.close()
        self._agenda.clear()
        shutil.rmtree(self._scratch if self._owned else self._temporary, ignore_errors=True)

    def read(self, next_job: Callable[[], Job | None]) -> Iterator[Event]:
        """Read every job.

        Args:
            next_job: the next job, None after the last one; raises `queue.Empty` while there is
                none yet. It is called between events, never beside them.
        """
        exhausted = False
        while True:
            if self._stopping and self._stop_by is None:
                self._wind_up()
            exhausted = self._assign(next_job, exhausted=exhausted or self._stopping)
            if self._stop_by is not None and self._stop_by < time.monotonic():
                return
            working = self._crew.working()
            if not working and exhausted:  # else there would be something to work on
                return
            idle = working < self._count and not exhausted
            for worker in self._crew.heard(_IDLE if idle else _STOP):
                yield from self._hear(worker)
            for worker in self._crew.late():
                yield from self._lost(worker, self._crew.too_slow(worker), retry=False)

    def stop(self) -> None:
        """Begin nothing more; `read` returns when the pages in hand are done.

        That is within the time of a page. Files that are not finished by then get no `Finished`.
        May be called from a signal handler or another thread.
        """
        self._stopping = True

    def activity(self) -> list[str]:
        """What each working process is doing, one short line for people each."""
        return [doing for worker in tuple(self._crew.workers) if (doing := worker.doing)]

    # Giving out work. Text comes first: it frees memory, and who has sent it waits for that.

    def _assign(self, next_job: Callable[[], Job | None], *, exhausted: bool) -> bool:
        """Give every free process something to do; True when no more jobs will come."""
        while self._crew.working() < self._count:
            if self._agenda.unread:
                self._recognise(self._agenda.unread.popleft())
            elif parked := next((w for w in self._crew.workers if w.parked), None):
                parked.parked = False
                self._reads_on(parked)
                parked.process.send({"go": True})
            elif self._stopping:
                break
            elif self._agenda.tasks:
                self._start(self._agenda.tasks.popleft())
            elif exhausted:
                break
            else:
                try:
                    job = next_job()
                except queue.Empty:
                    break
                if job is None:
                    return True
                self._start(self._agenda.begin(job))
        return exhausted

    def _start(self, task: Task) -> None:
        worker = self._crew.reader(task.file)
        worker.task = task
        self._crew.begin(worker, "open_timeout")
        job = task.file.job
        worker.doing = f"opening {job.path.name}"
        worker.process.send(
            {
                "key": job.key,
                "path": str(job.path),
                "scratch": str(self._agenda.scratch(job)),
                "sidecar": str(job.sidecar) if job.sidecar else None,
                "numbers": None if task.numbers is None else list(task.numbers),
            }
        )

    def _recognise(self, unread: Unread) -> None:
        worker = self._crew.recogniser()
        worker.task = unread
        self._crew.begin(worker, "page_timeout")
        name, number = unread.file.job.path.name, unread.header["page"]
        worker.doing = f"recognising {name}, page {number}"
        if not worker.fresh:  # else it would keep this one waiting with the pixels
            worker.process.send(unread.header, *unread.blobs)

    def _reads_on(self, worker: Worker) -> None:
        """A reading process goes to the next page of its slice."""
        task = worker.task
        assert isinstance(task, Task)
        self._crew.begin(worker, "page_timeout")
        if task.numbers:
            file = task.file
            worker.doing = (
                f"reading {file.job.path.name}, page {task.numbers[0]} of {file.page_count}"
            )

    def _wind_up(self) -> None:
        """Stop: leave files that are being opened, and pages behind the ones in hand."""
        self._stop_by = time.monotonic() + self._settings.page_timeout
        for worker in list(self._crew.workers):
            if isinstance(worker.task, Task):
                opening = worker.limit == "open_timeout"
                if opening or (worker.parked and worker.task.numbers):
                    self._crew.end(worker)

    # Listening.

    def _hear(self, worker: Worker) -> Iterator[Event]:
        frame = worker.process.receive()
        if frame is None:
            yield from self._died(worker)
            return
        header, blobs = frame
        starts, worker.fresh = worker.fresh, False
        try:
            if starts and isinstance(worker.task, Unread):
                self._crew.begin(worker, "page_timeout")
                worker.process.send(worker.task.header, *worker.task.blobs)
            elif "closed" in header:
                self._closed(worker, header["resident"])
            elif isinstance(worker.task, Task):
                yield from self._heard_reader(worker, worker.task, header, blobs)
            elif isinstance(worker.task, Unread):
                yield from self._heard_recogniser(worker, worker.task, header, blobs)
            else:
                raise ValueError("it was not asked")
        except (KeyError, TypeError, ValueError):
            yield from self._lost(worker, Failure(NONSENSE), retry=False)

    def _heard_reader(
        self, worker: Worker, task: Task, header: dict[str, Any], blobs: list[bytes]
    ) -> Iterator[Event]:
        file, numbers = task.file, task.numbers
        if worker.parked:
            raise ValueError("it was not told to go on")
        if "alive" in header:
            self._crew.begin(worker, worker.limit)
        elif "failed" in header:
            failure, resident = Failure.told(header["reason"], header["error"]), header["resident"]
            too_large = resident > _RESIDENT
            worker.rest()
            file.failure = file.failure or failure
            if too_large:
                self._crew.end(worker)
            yield from self._close(file)
        elif numbers is None:
            opened = _opened(file.job, header["opened"])
            worker.rest()
            worker.holds = file
            yield from self._opened(file, opened)
        elif "ready" in header:
            worker.holds = file
            self._reads_on(worker)
        elif "end" in header:
            if numbers:
                raise ValueError("it left pages out")
            worker.rest()
            yield from self._close(file)
        else:
            yield from self._heard_page(worker, task, header, blobs)

    def _heard_page(
        self, worker: Worker, task: Task, header: dict[str, Any], blobs: list[bytes]
    ) -> Iterator[Event]:
        file, numbers = task.file, task.numbers
        assert numbers is not None
        if "failed_page" in header:
            number = header["failed_page"]
            failure = Failure.told(header["reason"], header["error"])
            numbers.remove(number)
            file.page_failed(int(number), failure)
            self._reads_on(worker)
            self._agenda.look_beyond(file)
        else:
            picture, words, *pixels = blobs
            page = frame_to_page(header, picture)
            if "unread" in header:
                check_unread(header, *pixels)
            numbers.remove(page.number)
            file.page_read(page.number)
            if "unread" in header:
                self._agenda.to_recognise(Unread(file, header, blobs))
                worker.rest(parked=True)
            else:
                self._reads_on(worker)
                yield PageRead(file.job, page, words)
        task.strikes = 0
        if self._stopping and numbers:
            self._crew.end(worker)

    def _heard_recogniser(
        self, worker: Worker, unread: Unread, header: dict[str, Any], blobs: list[bytes]
    ) -> Iterator[Event]:
        if "failed" in header:
            failure = Failure.told(header["reason"], header["error"])
            worker.rest()
            worker.served += 1
            yield from self._not_recognised(unread, failure)
        else:
            picture, words = blobs
            page = frame_to_page(header, picture)
            if page.number != unread.header["page"]:
                raise ValueError("it is another page")
            worker.rest()
            worker.served += 1
            yield PageRead(unread.file.job, page, words)
            yield from self._close(unread.file)

    def _opened(self, file: File, opened: Opened) -> Iterator[Event]:
        try:
            tasks = file.opened(opened.page_count)
        except LimitExceeded as error:
            file.failure = Failure(str(error), LimitExceeded.__name__)
        else:
            yield opened
            self._agenda.first(tasks)
        yield from self._close(file)

    # Ends, good and bad.

    def _close(self, file: File) -> Iterator[Event]:
        """One task of the file is over; after its last one nobody needs it open."""
        if file.open_tasks == 1:
            self._crew.let_go(file)
        yield from self._agenda.close(file)

    def _closed(self, worker: Worker, resident: int) -> None:
        """A process has closed the file that it held; one that stays large is let go."""
        task = worker.task
        if worker.holds is None or (isinstance(task, Task) and task.file is worker.holds):
            raise ValueError("it has none to close")
        too_large = resident > _RESIDENT
        worker.holds = None
        if isinstance(task, Task):
            self._crew.begin(worker, "open_timeout")
            if too_large:
                self._agenda.again(task)
        if too_large:
            self._crew.end(worker)

    def _died(self, worker: Worker) -> Iterator[Event]:
        if worker.reads:
            yield from self._lost(worker, Failure(worker.process.cause_of_death()), retry=False)
            return
        code = worker.process.exit_code()
        if code is None:
            yield from self._lost(worker, Failure(NONSENSE), retry=False)
            return
        # Engines end their process where they get no memory. It may have been used up by pages
        # before this one: a fresh process decides.
        reason = too_hungry(self._settings) + (f" ({shown(code)})" if code < 0 else "")
        failure = Failure(reason, LimitExceeded.__name__)
        yield from self._lost(worker, failure, retry=worker.served > 0)

    def _lost(self, worker: Worker, failure: Failure, *, retry: bool) -> Iterator[Event]:
        """Replace a process that died or overran; its page fails, the rest of its slice goes on."""
        task, was_parked = worker.task, worker.parked
        self._crew.end(worker)
        if task is None:
            return
        if isinstance(task, Unread):
            if retry:
                self._agenda.unread.appendleft(task)
            else:
                yield from self._not_recognised(task, failure)
            return
        file = task.file
        closing_another = worker.holds is not None and worker.holds is not file
        if closing_another or was_parked:  # it never came to this task, or was not at work on it
            self._agenda.again(task)
            return
        if task.numbers is None:
            file.failure = failure
        elif task.numbers:
            file.page_failed(task.numbers.popleft(), failure)
            strikes = task.strikes + 1
            if strikes >= STRIKES:
                reason = f"given up after {STRIKES} such pages in a row: {failure.reason}"
                file.failure = replace(failure, reason=reason)
            elif task.numbers:
                self._agenda.first([Task(file, task.numbers, strikes)])
        yield from self._close(file)

    def _not_recognised(self, unread: Unread, failure: Failure) -> Iterator[Event]:
        """The page as it is known without its text."""
        picture, words, _ = unread.blobs
        page = frame_to_page(unread.header, picture)
        warning = f"its text was not recognised: {failure.reason}"
        warning = "; ".join(filter(None, (page.warning, warning)))
        yield PageRead(unread.file.job, replace(page, warning=warning), words)
        yield from self._close(unread.file)


def _opened(job: Job, opened: dict[str, Any]) -> Opened:
    """What a process says about a file that it has opened, which may be anything."""
    kind, title, page_count = opened["kind"], opened["title"], opened["page_count"]
    if kind not in get_args(Kind) or type(page_count) is not int or page_count < 0:
        raise ValueError("it is no file")
    return Opened(job, kind, one_line(title), page_count)
