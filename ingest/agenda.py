"""What there is to do: slices that wait for a reading process, pages that wait for their text."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from ingest.events import Event, Finished, Job
from ingest.tasks import Failure, File, Task, Unread


class Agenda:
    """The files of a run and what is left of each. Each has a folder below `scratch`."""

    def __init__(self, scratch: Path) -> None:
        self.tasks: deque[Task] = deque()
        self.unread: deque[Unread] = deque()
        self._scratch = scratch
        self._files: set[File] = set()

    def begin(self, job: Job) -> Task:
        """The first task of a file: to open it."""
        file = File(job)
        self._files.add(file)
        self.scratch(job).mkdir(parents=True, exist_ok=True)
        return Task(file, None)

    def scratch(self, job: Job) -> Path:
        """The folder of a file, there until its end."""
        return self._scratch / job.key

    def first(self, tasks: list[Task]) -> None:
        """Put tasks of a file before all others, in their order."""
        for task in reversed(tasks):
            task.file.open_tasks += 1
            self.tasks.appendleft(task)

    def again(self, task: Task) -> None:
        """Put back a task that its process never came to."""
        self.tasks.appendleft(task)

    def to_recognise(self, unread: Unread) -> None:
        """A page of a file waits for its text."""
        unread.file.open_tasks += 1
        self.unread.append(unread)

    def look_beyond(self, file: File) -> None:
        """Where page after page fails alike, see whether it goes on so, and then leave it."""
        if file.has_no_more():
            file.give_up(self._withdraw(file))
        elif file.is_to_look_ahead():
            self.first(file.look_ahead(self._withdraw(file)))

    def close(self, file: File) -> Iterator[Event]:
        """One task of the file is over; report the file after its last one."""
        file.open_tasks -= 1
        if file.failure:  # given up: the slices that nobody has started are dropped
            self._withdraw(file)
        if file.open_tasks:
            return
        self._files.discard(file)
        self._clear(file)
        yield from file.failures()
        failure = file.failure or Failure("", "")
        yield Finished(file.job, failure.reason, failure.error)

    def clear(self) -> None:
        """Remove the folders of files that are not finished."""
        for file in self._files:
            self._clear(file)

    def _withdraw(self, file: File) -> list[int]:
        """Take back the slices that nobody has started: their pages."""
        waiting = [task for task in self.tasks if task.file is file]
        file.open_tasks -= len(waiting)
        self.tasks = deque(task for task in self.tasks if task.file is not file)
        return [number for task in waiting for number in task.numbers or ()]

    def _clear(self, file: File) -> None:
        shutil.rmtree(self.scratch(file.job), ignore_errors=True)
