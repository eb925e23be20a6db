"""The processes of a run: started when there is work, watched, and ended with all they started."""

from __future__ import annotations

import contextlib
import selectors
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.process import Process
from ingest.tasks import Failure, File, Task, Unread
from mmsearch.config import Settings
from mmsearch.errors import LimitExceeded

_NEVER = float("inf")
_START = 60.0  # seconds more for a process that has yet to load its modules


@dataclass(slots=True, eq=False)
class Worker:
    """A process and what it is doing.

    `holds` is the file that a reading process has open. One that is `parked` has sent an unread
    page and waits. `fresh` is one that has not said anything yet, `served` counts pages that were
    recognised. `limit` is the setting that `deadline` comes from. `doing` is for people.
    """

    process: Process
    reads: bool
    temporary: Path
    task: Task | Unread | None = None
    parked: bool = False
    holds: File | None = None
    fresh: bool = True
    served: int = 0
    limit: str = ""
    deadline: float = _NEVER
    doing: str = ""

    @property
    def works(self) -> bool:
        """Whether it takes a share of the processor."""
        return self.task is not None and not self.parked

    def rest(self, *, parked: bool = False) -> None:
        """It has nothing to do, or waits with its task where it is `parked`."""
        if not parked:
            self.task = None
        self.parked = parked
        self.deadline = _NEVER
        self.doing = ""


class Crew:
    """Reading and recognising processes. Close it, so that none is left."""

    def __init__(
        self, settings: Settings, temporary: Path, reader: str, recogniser: str, **start: Any
    ) -> None:
        """`reader` and `recogniser` are the modules, `start` what both are sent at first.

        Its `passwords` are for those that read alone. Each has a folder below `temporary`.
        """
        self._settings = settings
        self._temporary = temporary
        self._modules = {True: reader, False: recogniser}
        self._start = {True: start, False: {k: v for k, v in start.items() if k != "passwords"}}
        self._started = 0
        self._selector = selectors.DefaultSelector()
        self.workers: list[Worker] = []

    def reader(self, file: File) -> Worker:
        """A reading process that is free, best one that has the file open."""
        free = [w for w in self.workers if w.reads and w.task is None]
        free.sort(key=lambda worker: (worker.holds is not file, worker.holds is not None))
        return free[0] if free else self._new(reads=True)

    def recogniser(self) -> Worker:
        """A recognising process that is free."""
        free = (w for w in self.workers if not w.reads and w.task is None)
        return next(free, None) or self._new(reads=False)

    def begin(self, worker: Worker, limit: str) -> None:
        """From now on `worker` has as many seconds as the setting `limit` allows."""
        worker.limit = limit
        seconds = getattr(self._settings, limit) + (_START if worker.fresh else 0.0)
        worker.deadline = time.monotonic() + seconds

    def working(self) -> int:
        """How many processes take a share of the processor."""
        return sum(worker.works for worker in self.workers)

    def heard(self, timeout: float) -> list[Worker]:
        """Those that have something to say, or have died, within `timeout` seconds."""
        patience = min((w.deadline for w in self.workers), default=_NEVER) - time.monotonic()
        ready = self._selector.select(min(max(patience, 0.0), timeout))
        return [key.data for key, _ in ready]

    def late(self) -> list[Worker]:
        """Those past their deadline that have nothing to say.

        A parent that was busy for long has yet to hear what was said in time.
        """
        now = time.monotonic()
        late = [worker for worker in self.workers if worker.deadline < now]
        heard = self.heard(0.0) if late else []
        return [worker for worker in late if worker not in heard]

    def too_slow(self, worker: Worker) -> Failure:
        """Why one is ended that is late."""
        seconds = getattr(self._settings, worker.limit)
        reason = f"took longer than {seconds:g} s; raise the setting {worker.limit}"
        return Failure(reason, LimitExceeded.__name__)

    def let_go(self, file: File) -> None:
        """Have those that hold `file` open close it.

        One that is at work on another file has closed this one, or will before it opens that.
        """
        for worker in self.workers:
            if worker.holds is file and worker.task is None:
                worker.process.send({"close": True})

    def end(self, worker: Worker) -> None:
        """End a process at once; nothing of it stays."""
        self.workers.remove(worker)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(worker.process.link)
        worker.process.end()
        shutil.rmtree(worker.temporary, ignore_errors=True)

    def close(self) -> None:
        """End every process."""
        for worker in list(self.workers):
            self.end(worker)
        self._selector.close()

    def _new(self, *, reads: bool) -> Worker:
        self._started += 1
        temporary = self._temporary / str(self._started)
        temporary.mkdir(parents=True, exist_ok=True)
        start = self._start[reads]
        process = Process(self._modules[reads], self._settings, temporary=temporary, **start)
        worker = Worker(process, reads, temporary)
        self.workers.append(worker)
        self._selector.register(process.link, selectors.EVENT_READ, worker)
        return worker
