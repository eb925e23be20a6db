"""Ingestion jobs: a queue, and one process at a time that reads files beside the page.

Each job is a file in the uploads folder, so that what was queued or running goes on when the page
is served again; ingestion itself goes on where it was cut off.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import secrets
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mmsearch import changes, documents
from mmsearch.errors import InvalidSetting, MMSearchError, NotFound
from mmsearch.types import Document
from ui.library import job_process
from ui.library.job import Job, after, begun, ended, from_row, result_of
from ui.library.uploads import delete_uploaded, uploads_folder

if TYPE_CHECKING:
    from mmsearch.engine import SearchEngine

KEPT = 50  # jobs that have ended
MAX_WAITING = 100
MAX_PATH_BYTES = 1 << 20  # of all paths of a job: they become a command line
GRACE = 20.0  # seconds that a cancelled job may take to finish the pages in hand,
CLOSING_GRACE = 5.0  # and one that goes on with the next server

_RATE_SECONDS = 30.0  # that pages a second are taken over
_SAVE_SECONDS = 10.0
_log = logging.getLogger(__name__)


class Jobs:
    """The ingestion jobs of one index; safe to use from several threads."""

    def __init__(self, engine: SearchEngine) -> None:
        """Take up what an earlier server has left; a read-only page leaves it lying."""
        self._engine = engine
        self._folder = uploads_folder(engine) / "jobs"
        self._jobs: dict[str, Job] = {}
        self._changed = threading.Condition()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._cancelled: set[str] = set()
        self._closing = False
        self._saved = 0.0
        self._pace: deque[tuple[float, int]] = deque()
        self._lock: IO[str] | None = None
        if engine.settings.read_only == "off" and self._folder.is_dir() and self._is_ours():
            self._load()

    def start(
        self,
        paths: Sequence[str | Path],
        *,
        title: str = "",
        tags: Sequence[str] = (),
        retry: bool = False,
        by: str = "",
    ) -> Job:
        """Queue an ingestion of files and folders.

        Args:
            paths: absolute, and checked by the caller: they are read as this process may.
            title: names it to people; by default after its first path.
            tags: put on every document of the job.
            retry: read again what failed before.
            by: who started it.

        Raises:
            InvalidSetting: no or too many paths, a tag that is none, too many jobs, read-only.
        """
        if self._engine.settings.read_only == "on":
            raise InvalidSetting("this page is read-only; serve it with MMSEARCH_READ_ONLY=off")
        named = tuple(str(path) for path in paths)
        if not named or not all(Path(path).is_absolute() for path in named):
            raise InvalidSetting(
                "a job needs absolute paths of files or folders; name at least one"
            )
        if sum(len(path.encode(errors="replace")) + 1 for path in named) > MAX_PATH_BYTES:
            raise InvalidSetting(f"{len(named):,} paths are too many for a job; name their folder")
        checked = documents.tagged(Document(""), add=tags).tags
        id_ = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"
        more = f" and {len(named) - 1:,} more" if len(named) > 1 else ""
        title = title or f"{Path(named[0]).name or named[0]}{more}"
        job = Job(id_, named, title, checked, retry, by, created=time.time())
        with self._changed:
            if sum(known.is_active for known in self._jobs.values()) >= MAX_WAITING:
                raise InvalidSetting(
                    f"{MAX_WAITING} jobs are waiting; try again when some are done"
                )
            self._put(job)
            self._is_ours()
            self._go()
        return job

    def cancel(self, id_: str) -> Job:
        """Have a job stop; what it has finished is kept. One that has ended stays as it is.

        Raises:
            NotFound: there is no such job.
        """
        with self._changed:
            job = self._found(id_)
            if job.state == "queued":
                self._put(ended(job, "cancelled"))
            elif job.state == "running" and id_ not in self._cancelled:
                self._cancelled.add(id_)
                job_process.end(self._process, GRACE)
            return self._jobs[id_]

    def get(self, id_: str) -> Job:
        """The job of this id.

        Raises:
            NotFound: there is none.
        """
        with self._changed:
            return self._found(id_)

    def all(self) -> list[Job]:
        """Every job that is known, the newest first."""
        with self._changed:
            return list(reversed(self._jobs.values()))

    def is_stopping(self, id_: str) -> bool:
        """Whether a running job was cancelled, and finishes the pages in hand."""
        with self._changed:
            return id_ in self._cancelled

    def close(self) -> None:
        """Stop; what is running goes on when the page is served again. Safe to call twice."""
        with self._changed:
            self._closing = True
            job_process.end(self._process, CLOSING_GRACE)
            self._changed.notify_all()
        if self._thread:
            self._thread.join()
        if self._lock:
            self._lock.close()
            self._lock = None

    # The queue.

    def _go(self) -> None:
        if self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._work, name="mmsearch-jobs", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _work(self) -> None:
        while job := self._next():
            try:
                state, reason = self._run(job)
            except Exception as error:
                _log.exception("a job failed")
                state, reason = "failed", f"unexpected error: {type(error).__name__}: {error}"
            with self._changed:
                job = self._jobs[job.id]
                if job.id in self._cancelled:
                    self._cancelled.discard(job.id)
                    job = ended(job, "cancelled")
                elif self._closing and state == "failed":
                    job = ended(job, "queued")
                else:
                    job = ended(job, "failed" if state == "failed" else "done", reason)
                self._put(job)

    def _next(self) -> Job | None:
        with self._changed:
            while not self._closing:
                for job in self._jobs.values():
                    if job.state == "queued":
                        self._pace.clear()
                        self._put(begun(job))
                        return self._jobs[job.id]
                self._changed.wait()
        return None

    # The process.

    def _run(self, job: Job) -> tuple[str, str]:
        """Read a job's files in a process of its own; returns "done" or "failed", and why."""
        reported = False
        with tempfile.TemporaryFile() as said:
            try:
                process = job_process.start(job, self._engine, said)
            except OSError as error:
                return "failed", f"could not be started: {error.strerror}; try again"
            with self._changed:
                self._process = process
                if self._closing or job.id in self._cancelled:
                    job_process.end(self._process, CLOSING_GRACE)
            assert process.stdout is not None
            with process.stdout:
                for line in process.stdout:
                    reported |= self._take(job.id, line)
            code = process.wait()
            with self._changed:
                self._process = None
            return ("done", "") if reported else ("failed", job_process.why(code, said))

    def _take(self, id_: str, line: bytes) -> bool:
        """Take note of an event; True for the last one of a run that was not cut short."""
        try:
            event = json.loads(line)
            kind = event["event"]
            with self._changed:
                job = after(self._jobs[id_], event)
                if kind == "progress":
                    job = replace(job, pages_per_second=self._rate(job.pages))
                self._jobs[id_] = job
                if time.monotonic() - self._saved > _SAVE_SECONDS:
                    self._put(job)
        except (ValueError, KeyError, TypeError):
            return False  # something that a library has printed
        if kind == "file":
            self._finish(job, event)
        return kind == "report" and not event.get("stopped")

    def _finish(self, job: Job, event: Mapping[str, Any]) -> None:
        """Put the tags of the job on a document, and drop an uploaded file that nothing reads."""
        result = result_of(event)
        if result.reason.startswith("unsupported type"):
            delete_uploaded(self._engine, [result.path])
        if not job.tags or not result.document:
            return
        try:
            known = self._engine.documents.get(result.document).get(result.document)
            if known and not set(job.tags) <= set(known.tags):
                changes.rewrite(self._engine, documents.tagged(known, add=job.tags))
        except MMSearchError as error:
            _log.warning("%s: not tagged: %s", result.path, error)

    def _rate(self, pages: int) -> float:
        now = time.monotonic()
        self._pace.append((now, pages))
        while now - self._pace[0][0] > _RATE_SECONDS:
            self._pace.popleft()
        then, before = self._pace[0]
        return round((pages - before) / (now - then), 2) if now - then >= 1 else 0.0

    # The records. All of these are called with the lock held.

    def _found(self, id_: str) -> Job:
        if id_ not in self._jobs:
            raise NotFound(f"job {id_[:40]}: there is none; it may have been long ago")
        return self._jobs[id_]

    def _put(self, job: Job) -> None:
        """Know a job as it is now, on disk as well, and forget the oldest that have ended."""
        self._jobs[job.id] = job
        self._saved = time.monotonic()
        try:
            self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.mkdir(mode=0o700, exist_ok=True)
            new = self._folder / f"{job.id}.new"
            new.write_text(json.dumps(job.as_row()), encoding="utf-8", errors="replace")
            new.replace(self._folder / f"{job.id}.json")
        except OSError as error:  # it is done all the same, as long as this server lives
            _log.warning("job %s: not kept on disk: %s", job.id, error.strerror)
        past = [known.id for known in self._jobs.values() if not known.is_active]
        for id_ in past[:-KEPT]:
            del self._jobs[id_]
            with contextlib.suppress(OSError):
                (self._folder / f"{id_}.json").unlink()

    def _is_ours(self) -> bool:
        """Whether no other server has the jobs of this folder; from now on this one has."""
        if self._lock is None:
            with contextlib.suppress(OSError):
                lock = (self._folder / "lock").open("w")
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    lock.close()
                else:
                    self._lock = lock
        return self._lock is not None

    def _load(self) -> None:
        found = []
        for path in self._folder.glob("*.json"):
            try:
                found.append(from_row(json.loads(path.read_text(encoding="utf-8"))))
            except (OSError, ValueError) as error:
                _log.warning("%s: left out: %s", path, error)
        with self._changed:
            for job in sorted(found, key=lambda job: (job.created, job.id)):
                self._jobs[job.id] = ended(job, "queued") if job.state == "running" else job
            if any(job.is_active for job in self._jobs.values()):
                self._go()
